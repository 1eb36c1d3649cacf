package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// messageBytes is the size of what is broadcast and echoed, as a hub message.
const messageBytes = 128

// hubMessage is a message of the JSON hub protocol of that size.
func hubMessage() []byte {
	const head, tail = `{"type":1,"target":"broadcastMessage","arguments":["`, "\"]}\x1e"
	return []byte(head + strings.Repeat("x", messageBytes-len(head)-len(tail)) + tail)
}

// patience bounds the wait for what should come at once.
const patience = 30 * time.Second

// broadcast sends to everybody, again and again: the next burst goes out when the last one has arrived everywhere.
func broadcast(ctx context.Context, s *service, app *appServer, c *crowd, burst int, most time.Duration) (broadcastResult, error) {
	payload := hubMessage()
	one := (&svcproto.BroadcastData{Payloads: []svcproto.Payload{{Protocol: []byte("json"), Data: payload}}}).Append(nil)
	var frames []byte
	for range burst {
		frames = append(frames, one...)
	}
	arrives := int64(len(message.New(payload, false).Frame())) * int64(burst) * int64(len(c.clients))
	l := app.links[0]
	round := func() error {
		want := c.bytes.Load() + arrives
		l.mu.Lock()
		err := l.write(frames)
		l.mu.Unlock()
		if err != nil {
			return err
		}
		for deadline := time.Now().Add(patience); c.bytes.Load() < want; time.Sleep(500 * time.Microsecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("%d of %d bytes of a broadcast arrived within %s", c.bytes.Load()-want+arrives, arrives, patience)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	for range 3 { // pools and stacks take the size that they need
		if err := round(); err != nil {
			return broadcastResult{}, err
		}
	}
	before, err := s.look(ctx)
	if err != nil {
		return broadcastResult{}, err
	}
	rounds := int64(0)
	for end := time.Now().Add(most); time.Now().Before(end); rounds++ {
		if err := round(); err != nil {
			return broadcastResult{}, err
		}
	}
	after, err := s.look(ctx)
	messages := rounds * int64(burst) * int64(len(c.clients))
	return broadcastResult{
		Burst: burst, Messages: messages, MessageBytes: messageBytes, MicrosecCPU: (after.cpu - before.cpu) * 1e6 / float64(messages),
	}, err
}

// echoClients is how many clients echo at once, while all the others are idle.
const echoClients = 100

// echo has clients send and wait for what the app server sends back, each one message at a time.
func echo(ctx context.Context, s *service, c *crowd, most time.Duration) (echoResult, error) {
	frame := appendFrame(nil, opText, hubMessage())
	var count atomic.Int64
	var failed atomic.Pointer[error]
	phase := func(length time.Duration) {
		end := time.Now().Add(length)
		var all sync.WaitGroup
		for i, back := range c.echoes {
			select { // of the broadcasts
			case <-back:
			default:
			}
			all.Go(func() {
				for time.Now().Before(end) && ctx.Err() == nil {
					if _, err := c.clients[i].conn.Write(frame); err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
					timer := time.NewTimer(patience)
					select {
					case <-back:
						timer.Stop()
						count.Add(1)
					case <-timer.C:
						err := fmt.Errorf("an echo did not come within %s", patience)
						failed.CompareAndSwap(nil, &err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	phase(most / 10)
	count.Store(0)
	before, err := s.look(ctx)
	if err != nil {
		return echoResult{}, err
	}
	phase(most)
	after, err := s.look(ctx)
	if err == nil && failed.Load() != nil {
		err = *failed.Load()
	}
	n := count.Load()
	return echoResult{Clients: len(c.echoes), Echoes: n, MicrosecCPU: (after.cpu - before.cpu) * 1e6 / float64(max(n, 1))}, err
}

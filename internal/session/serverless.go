package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
)

// serverless is what the clients without an app server have in common. Each of them has a link of its own, which plays the part of an app
// server: it answers the handshake, sends pings, and turns what the client says into events for the upstream.
type serverless struct {
	wheel  wheel
	ctx    context.Context // of all requests to the upstream
	cancel context.CancelFunc

	mu      sync.Mutex
	drained bool // no worker may start any more
	workers sync.WaitGroup
}

func (s *serverless) start() { s.ctx, s.cancel = context.WithCancel(context.Background()) }

// spawn runs a worker that drain waits for. It is false once the service has gone down.
func (s *serverless) spawn(worker func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return false
	}
	s.workers.Go(worker)
	return true
}

// drainTime is how long events may still go out when the service goes down.
const drainTime = 5 * time.Second

// drain waits until the upstream has had the last events, or has taken too long for them.
func (s *serverless) drain() {
	s.mu.Lock()
	s.drained = true
	s.mu.Unlock()
	late := time.AfterFunc(drainTime, s.cancel)
	s.workers.Wait()
	late.Stop()
	s.cancel()
}

// tickServerless pings who is due for it, and ends who has been silent for too long.
func (s *Service) tickServerless(now time.Time, b *message.Batch) {
	for _, l := range s.serverless.wheel.turn(now) {
		if next, goesOn := l.check(now, b); goesOn {
			s.serverless.wheel.add(l, next)
			l.leaveWheelIfOver()
		}
	}
}

// retime has all serverless clients live by changed times from now on; those who are there would else be looked at when the old ones say so.
func (s *Service) retime(now time.Time) {
	for _, c := range s.all() {
		if l, ok := c.client.Link().(*serverlessLink); ok && l.sooner(now) {
			s.serverless.wheel.add(l, now)
			l.leaveWheelIfOver()
		}
	}
}

// attach gives the client who handles its messages: an app server, or in its place a link to the upstream.
func (c *Session) attach(g *greeting) (hub.Link, error) {
	mode := c.service.settings.Load().Mode
	if mode != resource.ModeServerless {
		link, err := c.hub.Attach(&c.client, g.sticky, g.server)
		if mode != resource.ModeClassic || !errors.Is(err, hub.ErrNoServer) {
			return link, err
		}
	}
	link := newServerlessLink(c)
	if err := c.hub.AttachTo(&c.client, link); err != nil {
		return nil, err
	}
	return link, nil
}

// switchMode ends the clients that live in the old service mode.
func (s *Service) switchMode() {
	b := message.Batch{Pool: s.Pool}
	const text = "The service mode has been switched, please reconnect."
	for _, c := range s.all() {
		c.mu.Lock()
		settled := c.phase == attached
		c.mu.Unlock()
		if !settled {
			continue // it is decided later where it belongs
		}
		link := c.client.Link()
		if c.finish(ServiceModeSwitched, text, text, true, &b) {
			c.tell(link, text)
		}
	}
	b.Flush()
}

// all lists the sessions there are.
func (s *Service) all() []*Session {
	var all []*Session
	for i := range s.sessions {
		sh := &s.sessions[i]
		sh.mu.Lock()
		for _, c := range sh.m {
			all = append(all, c)
		}
		sh.mu.Unlock()
	}
	return all
}

// upstreamConfigured reports whether events can go anywhere.
func (s *Service) upstreamConfigured() bool { return s.Upstream != nil && s.Upstream.Configured() }

package appserver

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/svcproto"
)

func TestRetryDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := prepareBench(t, probeHub{}, HubOptions{}, Options{})
		b.service.refuse = func(attempt int) error {
			if attempt < 9 {
				return errRefused
			}
			return nil
		}
		b.start()
		if err := b.app.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		var gaps []int // whole seconds
		attempts := b.service.attemptTimes()
		for i, at := range attempts[1:] {
			gaps = append(gaps, int(at.Sub(attempts[i])/time.Second))
		}
		if diff := cmp.Diff([]int{1, 2, 4, 8, 16, 32, 60, 60, 60}, gaps); diff != "" {
			t.Errorf("seconds between attempts, want (-), got (+):\n%s", diff)
		}
	})
}

func TestReconnectsAtOnceAfterALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newEventHub()
		b := newBench(t, log, HubOptions{}, Options{})
		first := b.link(0)
		b.json("c")
		time.Sleep(10 * time.Second)
		lost := time.Now()
		first.conn.Close()
		attempts := b.service.attemptTimes()
		if got := attempts[len(attempts)-1]; !got.Equal(lost) || len(attempts) != 2 {
			t.Errorf("attempt %d came %v after the loss", len(attempts), got.Sub(lost))
		}
		log.want(t, "connected c", "disconnected c: EOF")
		if err := b.hub.Clients().All().Send(t.Context(), "x"); err != nil {
			t.Errorf("send over the new connection: %v", err)
		}
	})
}

func TestServiceThatDropsAtOnceIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		for range 4 {
			links := b.service.linkCount()
			b.link(links - 1).conn.Close()
			for b.service.linkCount() == links {
				time.Sleep(time.Second)
			}
		}
		if total := time.Since(b.service.attemptTimes()[0]); total < 15*time.Second {
			t.Errorf("five connections within %v", total)
		}
	})
}

func TestServerConnectionRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{StatefulReconnect: true}, Options{ApplicationName: "App1", ShutdownMode: ShutdownMigrateClients, ServerConnections: 2})
		b.link(1)
		r := b.service.requests[0]
		if got := r.url.Scheme + "://" + r.url.Host + r.url.Path; got != "ws://localhost:8888/server/" {
			t.Errorf("address %s", got)
		}
		if q := r.url.Query(); q.Get("hub") != "app1_test" || q.Get("cid") == "" || q.Has("target") {
			t.Errorf("query %v", q)
		}
		//lint:ignore SA1008 the header map of this stand-in keeps names as they were sent.
		if got := strings.Join(r.header["X-ASRS-Server-Id"], ""); got != b.app.ServerID() || got == "" {
			t.Errorf("server id %q", got)
		}
		token := strings.TrimPrefix(r.header.Get("Authorization"), "Bearer ")
		claims := tokenPayload(t, token)
		if claims["aud"] != "http://localhost/server/?hub=app1_test" || claims["nameid"] != b.app.ServerID() {
			t.Errorf("claims %v", claims)
		}
		want := svcproto.HandshakeRequest{Version: 1, MigrationLevel: svcproto.MigrationLevelShutdownOnly, AllowStatefulReconnects: true, HasAllowStatefulReconnects: true}
		if diff := cmp.Diff(want, b.link(0).handshake); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSilentServiceIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		for range 10 { // Pings keep the connection.
			time.Sleep(20 * time.Second)
			b.link(0).write(&svcproto.Ping{})
		}
		if n := len(b.service.attemptTimes()); n != 1 {
			t.Fatalf("%d connections while the service sends pings", n)
		}
		time.Sleep(29 * time.Second)
		if n := len(b.service.attemptTimes()); n != 1 {
			t.Fatal("left before the time")
		}
		time.Sleep(7 * time.Second)
		if n := len(b.service.attemptTimes()); n != 2 {
			t.Errorf("%d connections after 36 s of silence", n)
		}
	})
}

func TestPings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{ServerConnections: 2})
		b.link(1).open(&svcproto.OpenConnection{ConnectionID: "other"})
		b.json("c")
		time.Sleep(10 * time.Second)
		l := b.link(0)
		l.write(&svcproto.Ping{})
		l.write(&svcproto.Ping{})
		if got := l.pings("#clientInHub"); got[len(got)-1] != "2" {
			t.Errorf("clients in the hub: %v", got)
		}
		if got := l.pings("#client"); got[len(got)-1] != "1" || len(got) != 2 { // One at the start, one now: at most every 5 s.
			t.Errorf("clients of the connection: %v", got)
		}
		l.write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "echo", Value: "e1"}}})
		if got := l.pings("echo"); len(got) != 1 || got[0] != "e1" {
			t.Errorf("echo: %v", got)
		}
	})
}

func TestOnDemandConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{MaxServerConnections: 2})
		target := &svcproto.Ping{Values: []svcproto.PingValue{{Key: "target", Value: "i 7"}}}
		b.link(0).write(target)
		synctest.Wait()
		b.link(0).write(target) // The limit is reached.
		l := b.link(1)
		if l.handshake.ConnectionType != svcproto.ConnectionOnDemand || l.handshake.Target != "i 7" {
			t.Errorf("handshake %+v", l.handshake)
		}
		if got := b.service.requests[1].url.RawQuery; !strings.HasSuffix(got, "&target=i+7") {
			t.Errorf("query %s", got)
		}
		l.conn.Close() // It is not opened again, but another may be asked for.
		time.Sleep(time.Minute / 4)
		b.link(0).write(target)
		synctest.Wait()
		if n := len(b.service.attemptTimes()); n != 3 {
			t.Errorf("%d connections were opened, want 3", n)
		}
	})
}

func TestServiceErrorMakesTheConnectionUnwritable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		b.link(0).write(&svcproto.ServiceError{Error: "Maximum message count limit reached: 100000"})
		synctest.Wait()
		if err := b.hub.Clients().All().Send(t.Context(), "x"); err == nil {
			t.Error("a send went through")
		}
		if b.hub.Connected() {
			t.Error("the hub counts as connected")
		}
	})
}

// eventHub writes down what happens to its clients.
type eventHub struct {
	events  chan string
	failure error
}

func newEventHub() *eventHub { return &eventHub{events: make(chan string, 100)} }

func (h *eventHub) Nothing() {}

// Hold reads its upload a little late.
func (h *eventHub) Hold(numbers iter.Seq2[int, error]) {
	time.Sleep(time.Second / 2)
	for range numbers {
	}
}

func (h *eventHub) OnConnected(c *Context) error {
	text := "connected " + c.ConnectionID()
	if c.MigratedFrom() != "" {
		text += " from " + c.MigratedFrom()
	}
	h.events <- text
	if h.failure != nil {
		return h.failure
	}
	return c.Clients().Caller().Send(c, "welcome")
}

func (h *eventHub) OnDisconnected(c *Context, err error) {
	text := fmt.Sprintf("disconnected %s: %v", c.ConnectionID(), err)
	if c.MigratingTo() != "" {
		text += " to " + c.MigratingTo()
	}
	if c.Err() != nil {
		text += " with a context that is done"
	}
	h.events <- text
}

func (h *eventHub) want(t *testing.T, events ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for len(h.events) > 0 {
		got = append(got, <-h.events)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("events, want (-), got (+):\n%s", diff)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode ShutdownMode
		fin  string
	}{{ShutdownOff, "fin:0"}, {ShutdownWaitForClients, "fin:2"}, {ShutdownMigrateClients, "fin:1"}} {
		t.Run(c.fin, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hub := newEventHub()
				b := newBench(t, hub, HubOptions{}, Options{ShutdownMode: c.mode})
				b.json("c")
				hub.want(t, "connected c")
				l := b.link(0)
				b.stop()
				fin := l.pings("shutdown")
				if len(fin) != 1 || fin[0] != c.fin {
					t.Errorf("pings %v, want %s", fin, c.fin)
				}
				if c.mode == ShutdownOff {
					hub.want(t, "disconnected c: <nil>")
					return
				}
				time.Sleep(6 * time.Second)
				if fin := l.pings("shutdown"); len(fin) != 2 {
					t.Errorf("announced %d times without an answer in 6 s", len(fin))
				}
				l.write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "shutdown", Value: "finack"}}})
				synctest.Wait()
				if len(b.done) > 0 {
					t.Fatal("did not wait for the client")
				}
				if c.mode == ShutdownMigrateClients {
					l.write(&svcproto.CloseConnection{ConnectionID: "c", Headers: []svcproto.Header{{Name: svcproto.HeaderMigrateTo, Values: []string{"web2"}}}})
					hub.want(t, "disconnected c: <nil> to web2")
				} else {
					l.write(&svcproto.CloseConnection{ConnectionID: "c"})
					hub.want(t, "disconnected c: <nil>")
				}
				start := time.Now()
				err := <-b.done
				b.done <- err // For the cleanup.
				if took := time.Since(start); took > 0 {
					t.Errorf("took %v after the client had gone", took)
				}
			})
		})
	}
}

func TestShutdownTimeEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newEventHub(), HubOptions{}, Options{ShutdownMode: ShutdownWaitForClients, ShutdownTimeout: 20 * time.Second})
		b.json("c")
		l := b.link(0)
		start := time.Now()
		b.stop()
		l.write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "shutdown", Value: "finack"}}})
		err := <-b.done
		b.done <- err
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("took %v, want 20s", took)
		}
	})
}

func TestMigratedClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newEventHub()
		b := newBench(t, hub, HubOptions{}, Options{})
		c := b.link(0).open(&svcproto.OpenConnection{ConnectionID: "c", Protocol: "json", Headers: []svcproto.Header{{Name: svcproto.HeaderMigrateFrom, Values: []string{"web1"}}}})
		c.want() // No answer to the handshake.
		hub.want(t, "connected c from web1")
		c.send(`{"type":1,"invocationId":"1","target":"Nothing","arguments":[]}` + "\x1e")
		c.want(`{"type":3,"invocationId":"1","result":null}`)
	})
}

func TestFlowControlMovesAClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{ServerConnections: 2})
		old, next := b.link(0), b.link(1)
		c := b.json("c")
		control := func(l *standInLink, operation svcproto.FlowControlOperation) {
			l.write(&svcproto.ConnectionFlowControl{ConnectionID: "c", ConnectionType: svcproto.ConnectionTypeClient, Operation: operation})
		}
		control(old, svcproto.FlowControlPause)
		sent := old.sent()
		if len(sent) != 1 || sent[0].(*svcproto.ConnectionFlowControl).Operation != svcproto.FlowControlPauseAck {
			t.Fatalf("answer to the pause: %v", sent)
		}
		c.send(`{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}` + "\x1e")
		c.want() // Held.
		moved := &standInClient{link: next, id: "c"}
		next.mu.Lock()
		next.clients["c"] = moved
		next.mu.Unlock()
		control(next, svcproto.FlowControlResume)
		moved.want(`{"type":3,"invocationId":"1","result":3}`)
		moved.send(`{"type":1,"invocationId":"2","target":"Add","arguments":[1,2]}` + "\x1e")
		moved.want(`{"type":3,"invocationId":"2","result":3}`)
		old.conn.Close() // The client is not on it any more.
		moved.send(`{"type":1,"invocationId":"3","target":"Add","arguments":[1,2]}` + "\x1e")
		moved.want(`{"type":3,"invocationId":"3","result":3}`)
	})
}

func TestOfflineInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newEventHub()
		b := newBench(t, hub, HubOptions{}, Options{})
		for id, instance := range map[string]string{"a": "i1", "b": "i2"} {
			b.link(0).open(&svcproto.OpenConnection{ConnectionID: id, Headers: []svcproto.Header{{Name: svcproto.HeaderInstanceID, Values: []string{instance}}}})
		}
		synctest.Wait()
		<-hub.events
		<-hub.events
		b.link(0).write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "offline", Value: "i1"}}})
		hub.want(t, "disconnected a: the instance of the service that held the client is gone")
		b.link(0).write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "offline", Value: ""}}})
		hub.want(t, "disconnected b: the instance of the service that held the client is gone")
	})
}

func TestGroupRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		b.json("c")
		ctx := t.Context()
		for _, step := range []struct {
			name string
			call func() error
			want error
		}{
			{"add", func() error { return b.hub.Groups().Add(ctx, "c", "g") }, nil},
			{"add a stranger", func() error { return b.hub.Groups().Add(ctx, "x", "g") }, ErrNotFound},
			{"remove", func() error { return b.hub.Groups().Remove(ctx, "c", "g") }, nil},
			{"remove from all", func() error { return b.hub.Groups().RemoveFromAll(ctx, "c") }, nil},
			{"add to no group", func() error { return b.hub.Groups().Add(ctx, "c", "") }, errEmptyName},
			{"exists", func() error { return found(b.hub.ConnectionExists(ctx, "c")) }, nil},
			{"does not exist", func() error { return found(b.hub.ConnectionExists(ctx, "x")) }, ErrNotFound},
		} {
			if err := step.call(); err != step.want {
				t.Errorf("%s: %v, want %v", step.name, err, step.want)
			}
		}
		b.service.noAck = true
		start := time.Now()
		if err := b.hub.Groups().Add(ctx, "c", "g"); err != ErrAckTimeout || time.Since(start) != 10*time.Second {
			t.Errorf("without an answer: %v after %v", err, time.Since(start))
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := b.hub.Groups().Add(short, "c", "g"); err != context.DeadlineExceeded {
			t.Errorf("after the caller's time: %v", err)
		}
		time.AfterFunc(time.Second, func() { b.link(0).conn.Close() })
		if err := b.hub.Groups().Add(ctx, "c", "g"); err != ErrNotConnected {
			t.Errorf("after the connection is lost: %v", err)
		}
	})
}

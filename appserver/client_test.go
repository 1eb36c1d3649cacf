package appserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// tokenPayload is what a token says.
func tokenPayload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token with %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(b *bench, c *standInClient)
		want string
	}{
		{"client leaves", func(b *bench, c *standInClient) { b.link(0).write(&svcproto.CloseConnection{ConnectionID: "c"}) }, "disconnected c: <nil>"},
		{"client breaks off", func(b *bench, c *standInClient) {
			b.link(0).write(&svcproto.CloseConnection{ConnectionID: "c", Error: "no close handshake"})
		}, "disconnected c: no close handshake"},
		{"client says close", func(b *bench, c *standInClient) { c.send(`{"type":7}` + "\x1e") }, "disconnected c: <nil>"},
		{"client says close and breaks off", func(b *bench, c *standInClient) {
			// Both are there before the first is read: the hub is busy with an upload.
			c.send(`{"type":1,"target":"Hold","arguments":[],"streamIds":["1"]}` + "\x1e")
			c.send(strings.Repeat(`{"type":2,"invocationId":"1","item":1}`+"\x1e", 12))
			c.send(`{"type":7}` + "\x1e")
			b.link(0).write(&svcproto.CloseConnection{ConnectionID: "c", Error: "no close handshake"})
			time.Sleep(time.Second)
		}, "disconnected c: <nil>"},
		{"client says close with an error", func(b *bench, c *standInClient) { c.send(`{"type":7,"error":"why"}` + "\x1e") }, "disconnected c: why"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hub := newEventHub()
				b := newBench(t, hub, HubOptions{}, Options{})
				client := b.json("c")
				hub.want(t, "connected c")
				if sent := b.link(0).sent(); len(sent) != 1 || string(sent[0].(*svcproto.MultiConnectionData).ConnectionIDs[0]) != "c" {
					t.Errorf("welcome: %v", sent)
				}
				c.end(b, client)
				hub.want(t, c.want)
				if n := b.hub.clientCount(); n != 0 {
					t.Errorf("%d clients are left", n)
				}
			})
		})
	}
}

func TestFailingOnConnectedEndsTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newEventHub()
		hub.failure = HubErrorf("the room is full")
		b := newBench(t, hub, HubOptions{}, Options{})
		c := b.link(0).open(&svcproto.OpenConnection{ConnectionID: "c", Protocol: "json"})
		c.want("{}", `{"type":7,"error":"Connection closed with an error. HubException: the room is full"}`)
		if !c.ended() {
			t.Error("the client is still connected")
		}
		hub.want(t, "connected c") // And no disconnected.
	})
}

func TestInvocationsOfOneClientRunInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &slowHub{}, HubOptions{}, Options{})
		c := b.json("c")
		start := time.Now()
		for _, id := range []string{"1", "2", "3"} {
			c.send(`{"type":1,"invocationId":"` + id + `","target":"Slow","arguments":[]}` + "\x1e")
		}
		time.Sleep(2500 * time.Millisecond)
		c.want(`{"type":3,"invocationId":"1","result":1}`, `{"type":3,"invocationId":"2","result":1}`)
		time.Sleep(time.Second)
		c.want(`{"type":3,"invocationId":"3","result":1}`)
		if took := time.Since(start); took != 3500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestParallelInvocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := &slowHub{}
		b := newBench(t, hub, HubOptions{ParallelInvocations: 2}, Options{})
		c := b.json("c")
		for range 5 {
			c.send(`{"type":1,"target":"Slow","arguments":[]}` + "\x1e")
		}
		time.Sleep(10 * time.Second)
		if most := hub.most.Load(); most != 2 {
			t.Errorf("%d ran at once, want 2", most)
		}
	})
}

func TestShortParallelInvocationsAnswerInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{ParallelInvocations: 8}, Options{})
		c := b.json("c")
		messages, want := "", []string{}
		for i := range 100 {
			id := strconv.Itoa(i)
			messages += `{"type":1,"invocationId":"` + id + `","target":"Add","arguments":[` + id + `,0]}` + "\x1e"
			want = append(want, `{"type":3,"invocationId":"`+id+`","result":`+id+`}`)
		}
		c.send(messages)
		c.want(want...)
	})
}

// slowHub takes a second for a call and counts how many run at once.
type slowHub struct {
	running, most atomic.Int32
}

func (h *slowHub) Slow() int32 {
	running := h.running.Add(1)
	h.most.Store(max(h.most.Load(), running))
	time.Sleep(time.Second)
	h.running.Add(-1)
	return running
}

func TestLargeMessageEndsTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		size     int
		detailed bool
		want     string
	}{
		{"as large as allowed", 32 << 10, false, ""},
		{"larger", 32<<10 + 1, false, `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`},
		{"with details", 32<<10 + 1, true, `{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, probeHub{}, HubOptions{DetailedErrors: c.detailed}, Options{})
				client := b.json("c")
				head, tail := `{"type":1,"target":"EchoString","arguments":["`, `"]}`+"\x1e"
				client.send(head + strings.Repeat("x", c.size-len(head)-len(tail)) + tail)
				if c.want == "" {
					client.want()
				} else {
					client.want(c.want)
				}
				if client.ended() != (c.want != "") {
					t.Errorf("ended: %v", client.ended())
				}
			})
		})
	}
}

type resumeHub struct{}

func (resumeHub) Number(n int) int { return n }

// Hold reads its upload a little late.
func (resumeHub) Hold(numbers iter.Seq2[int, error]) {
	time.Sleep(time.Second / 2)
	for range numbers {
	}
}

// A client that comes back by stateful reconnect sends again what had come in part.
func TestPartOfAMessageIsDroppedWhenTheClientResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, resumeHub{}, HubOptions{}, Options{})
		c := b.json("c")
		resume := func() { b.link(0).write(&svcproto.ConnectionReconnect{ConnectionID: "c"}) }
		c.send(`{"type":1,"target":"Number","invocationId":"1","argum`)
		resume()
		resume()
		c.send(`{"type":1,"target":"Number","invocationId":"2","arguments":[7]}` + "\x1e" + `{"type":1,"tar`)
		b.link(0).write(&svcproto.ConnectionReconnect{ConnectionID: "another"})
		c.send(`get":"Number","invocationId":"3","arguments":[8]}` + "\x1e")
		c.want(`{"type":3,"invocationId":"2","result":7}`, `{"type":3,"invocationId":"3","result":8}`)
		// All of it is there before the first is read: the hub is busy.
		c.send(`{"type":1,"target":"Hold","arguments":[],"streamIds":["1"]}` + "\x1e" + strings.Repeat(`{"type":2,"invocationId":"1","item":1}`+"\x1e", 12))
		c.send(`{"type":3,"invocationId":"1"}` + "\x1e" + `{"type":1,"target":"Number","invocationId":"4","argum`)
		resume()
		c.send(`{"type":1,"target":"Number","invocationId":"5","arguments":[9]}` + "\x1e" + `{"ty`)
		resume()
		c.send(`{"type":1,"target":"Number","invocationId":"6","arguments":[10]}` + "\x1e")
		time.Sleep(time.Second)
		c.want(`{"type":3,"invocationId":"5","result":9}`, `{"type":3,"invocationId":"6","result":10}`)
	})
}

func TestClientThatSendsTooFastIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{MaxBufferedBytes: 1000}, Options{})
		c := b.json("c")
		for range 5 {
			c.send(`{"type":1,"target":"Wait","arguments":[]}` + strings.Repeat(" ", 250) + "\x1e")
		}
		c.want(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
	})
}

func TestUploadStopsReadingWhenItsBufferIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := &heldUploadHub{release: make(chan struct{})}
		b := newBench(t, hub, HubOptions{StreamBuffer: 3, ParallelInvocations: 2}, Options{})
		c := b.json("c")
		c.send(`{"type":1,"invocationId":"1","target":"Upload","arguments":[],"streamIds":["2"]}` + "\x1e")
		for range 6 {
			c.send(`{"type":2,"invocationId":"2","item":1}` + "\x1e")
		}
		c.send(`{"type":1,"invocationId":"3","target":"Nothing","arguments":[]}` + "\x1e")
		c.want() // It is behind the items.
		close(hub.release)
		time.Sleep(orderGrace)
		c.want(`{"type":3,"invocationId":"3","result":null}`)
		c.send(`{"type":3,"invocationId":"2"}` + "\x1e")
		c.want(`{"type":3,"invocationId":"1","result":6}`)
	})
}

// heldUploadHub does not read its upload before it is released.
type heldUploadHub struct{ release chan struct{} }

func (*heldUploadHub) Nothing() {}

func (h *heldUploadHub) Upload(numbers <-chan int) int {
	<-h.release
	sum := 0
	for n := range numbers {
		sum += n
	}
	return sum
}

func TestUploadOfAQueuedInvocationDoesNotStopReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{StreamBuffer: 1}, Options{})
		c := b.json("c")
		c.send(`{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["2"]}` + "\x1e")
		c.send(`{"type":1,"invocationId":"3","target":"Sum","arguments":[],"streamIds":["4"]}` + "\x1e")
		for range 5 {
			c.send(`{"type":2,"invocationId":"4","item":1}` + "\x1e")
		}
		c.send(`{"type":2,"invocationId":"2","item":7}` + "\x1e" + `{"type":3,"invocationId":"2"}` + "\x1e")
		c.want(`{"type":3,"invocationId":"1","result":7}`)
		c.send(`{"type":3,"invocationId":"4"}` + "\x1e")
		c.want(`{"type":3,"invocationId":"3","result":5}`)
	})
}

func TestKeepAliveAndClientTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		quiet, silent := b.json("quiet"), b.json("silent")
		stop := keepAlive(b.link(0))
		defer stop()
		silent.send(`{"type":6}` + "\x1e")
		time.Sleep(14 * time.Second)
		quiet.want()
		time.Sleep(2500 * time.Millisecond)
		quiet.want(`{"type":6}`)
		silent.want(`{"type":6}`)
		time.Sleep(15 * time.Second)
		quiet.want(`{"type":6}`)
		silent.want(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		if quiet.ended() || !silent.ended() {
			t.Errorf("quiet ended: %v, silent ended: %v", quiet.ended(), silent.ended())
		}
	})
}

// keepAlive sends pings of the service.
func keepAlive(l *standInLink) (stop func()) {
	ticker, done := time.NewTicker(5*time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				l.write(&svcproto.Ping{})
			case <-done:
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}

func TestCallWaitingClientIsNotTimedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, probeHub{}, HubOptions{}, Options{})
		c := b.json("c")
		defer keepAlive(b.link(0))()
		c.send(`{"type":6}` + "\x1e" + `{"type":1,"invocationId":"1","target":"Wait","arguments":[]}` + "\x1e")
		time.Sleep(2 * time.Minute)
		if c.ended() {
			t.Error("ended while a hub method runs")
		}
		c.send(`{"type":5,"invocationId":"1"}` + "\x1e") // Ordinary invocations can be cancelled, too.
		if got := c.received(); !strings.Contains(got, `{"type":3,"invocationId":"1","error":`) {
			t.Errorf("received %q", got)
		}
	})
}

// askHub asks clients.
type askHub struct{ asked chan error }

func (h *askHub) Ask(c *Context, id, question string) (string, error) {
	ctx, cancel := context.WithTimeout(c, 5*time.Second)
	defer cancel()
	var said string
	err := c.Clients().Client(id).Invoke(ctx, &said, "ask", question)
	return said, err
}

func (h *askHub) Nothing() {}

func (h *askHub) OnConnected(c *Context) error {
	if h.asked != nil {
		h.asked <- c.Clients().Caller().Invoke(c, nil, "ask")
	}
	return nil
}

// asked takes the invocation that the service is to pass on.
func (l *standInLink) asked(t *testing.T) *svcproto.ClientInvocation {
	t.Helper()
	for _, m := range l.sent() {
		if i, ok := m.(*svcproto.ClientInvocation); ok {
			return i
		}
	}
	t.Fatal("no client was asked")
	return nil
}

func TestClientResultOfOwnClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &askHub{}, HubOptions{}, Options{})
		c, l := b.json("c"), b.link(0)
		c.send(`{"type":1,"invocationId":"1","target":"Ask","arguments":["c","?"]}` + "\x1e")
		asked := l.asked(t)
		if asked.ConnectionID != "c" || asked.CallerServerID != b.app.ServerID() || !strings.Contains(string(asked.Payloads[0].Data), `"invocationId":"`+asked.InvocationID+`","target":"ask","arguments":["?"]`) {
			t.Errorf("invocation %+v", asked)
		}
		// With one slot, the client can still call before it answers.
		c.send(`{"type":1,"invocationId":"2","target":"Nothing","arguments":[]}` + "\x1e")
		c.want(`{"type":3,"invocationId":"2","result":null}`)
		c.send(`{"type":3,"invocationId":"` + asked.InvocationID + `","result":"!"}` + "\x1e")
		c.want(`{"type":3,"invocationId":"1","result":"!"}`)
		sent := l.sent()
		if done, ok := sent[0].(*svcproto.ClientCompletion); !ok || done.InvocationID != asked.InvocationID || len(done.Payload) != 0 {
			t.Errorf("the service is told %+v", sent)
		}
	})
}

func TestClientResultFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target string // whom is asked
		answer func(b *bench, asked *svcproto.ClientInvocation, other *standInClient)
		want   string
	}{
		{"client answers with an error", "other", func(_ *bench, asked *svcproto.ClientInvocation, other *standInClient) {
			other.send(`{"type":3,"invocationId":"` + asked.InvocationID + `","error":"no idea"}` + "\x1e")
		}, ` HubException: no idea`},
		{"client goes", "other", func(b *bench, _ *svcproto.ClientInvocation, _ *standInClient) {
			b.link(0).write(&svcproto.CloseConnection{ConnectionID: "other"})
		}, ``},
		{"client is elsewhere and unknown", "stranger", func(b *bench, asked *svcproto.ClientInvocation, _ *standInClient) {
			b.link(0).write(&svcproto.ErrorCompletion{InvocationID: asked.InvocationID, ConnectionID: "stranger", Error: "unknown"})
		}, ` HubException: unknown`},
		{"instance goes", "stranger", func(b *bench, asked *svcproto.ClientInvocation, _ *standInClient) {
			b.link(0).write(&svcproto.ServiceMapping{InvocationID: asked.InvocationID, ConnectionID: "stranger", InstanceID: "i1"})
			b.link(0).write(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "offline", Value: "i1"}}})
		}, ``},
		{"nobody answers", "other", func(*bench, *svcproto.ClientInvocation, *standInClient) { time.Sleep(5 * time.Second) }, ``},
		{"another client answers", "stranger", func(b *bench, asked *svcproto.ClientInvocation, other *standInClient) {
			other.send(`{"type":3,"invocationId":"` + asked.InvocationID + `","result":"forged"}` + "\x1e")
			time.Sleep(5 * time.Second)
		}, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &askHub{}, HubOptions{}, Options{})
				client, other := b.json("c"), b.json("other")
				client.send(`{"type":1,"invocationId":"1","target":"Ask","arguments":["` + c.target + `","?"]}` + "\x1e")
				c.answer(b, b.link(0).asked(t), other)
				client.want(`{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Ask' on the server.` + c.want + `"}`)
			})
		})
	}
}

func TestClientResultAcrossAppServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &askHub{}, HubOptions{}, Options{})
		c, l := b.json("c"), b.link(0)

		// This app server asks a client of another one.
		c.send(`{"type":1,"invocationId":"1","target":"Ask","arguments":["far","?"]}` + "\x1e")
		asked := l.asked(t)
		l.write(&svcproto.ClientCompletion{
			InvocationID: asked.InvocationID, ConnectionID: "far", CallerServerID: "web2", Protocol: "messagepack",
			Payload: []byte("\x0a\x95\x03\x80\xa1x\x03\xa3far"),
		})
		c.want(`{"type":3,"invocationId":"1","result":"far"}`)

		// Another one asks a client of this one.
		l.write(&svcproto.ClientInvocation{InvocationID: "web2-1", ConnectionID: "c", CallerServerID: "web2"})
		answer := `{"type":3,"invocationId":"web2-1","result":{"a":[1]}}` + "\x1e"
		c.send(answer)
		sent := l.sent()
		if len(sent) != 1 {
			t.Fatalf("sent %v", sent)
		}
		want := &svcproto.ClientCompletion{InvocationID: "web2-1", ConnectionID: "c", CallerServerID: b.app.ServerID(), Protocol: "json", Payload: []byte(answer)}
		if diff := cmp.Diff(want, sent[0]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNoClientResultInOnConnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := &askHub{asked: make(chan error, 1)}
		newBench(t, hub, HubOptions{}, Options{}).json("c")
		if err := <-hub.asked; !errors.Is(err, errInOnConnected) {
			t.Errorf("error %v", err)
		}
	})
}

// contextHub tells what it knows of a client.
type contextHub struct{}

type facts struct {
	ID, User, Path, Colour, Header, Instance, Address string
	Admin                                             bool
	Claims                                            []Claim
}

func (contextHub) Facts(c *Context) facts {
	f := facts{
		ID: c.ConnectionID(), User: c.UserID(), Path: c.Path(), Colour: c.Query().Get("colour"), Header: c.Header().Get("X-Test"),
		Instance: c.Header().Get(svcproto.HeaderInstanceID), Address: c.RemoteAddress(), Admin: c.User().HasRole("admin"),
	}
	if u := c.User(); u != nil {
		f.Claims = u.Claims
	}
	return f
}

func TestContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, contextHub{}, HubOptions{}, Options{})
		c := b.link(0).open(&svcproto.OpenConnection{
			ConnectionID: "c", Protocol: "json", Query: "?hub=test&asrs.op=%2Fmy%20hub&colour=blue%20green",
			Claims: []svcproto.Claim{
				{Type: "asrs.s.uid", Value: "ann"}, {Type: "asrs.s.aut", Value: "Cookies"}, {Type: "exp", Value: "1"},
				{Type: ClaimRole, Value: "dev"}, {Type: ClaimRole, Value: "admin"}, {Type: "asrs.u.sub", Value: "s-1"},
			},
			Headers: []svcproto.Header{{Name: "x-test", Values: []string{"v"}}, {Name: svcproto.HeaderInstanceID, Values: []string{"i1"}}, {Name: "X-Forwarded-For", Values: []string{"192.0.2.7, 10.0.0.1"}}},
		})
		c.want("{}")
		c.send(`{"type":1,"invocationId":"1","target":"Facts","arguments":[]}` + "\x1e")
		c.want(`{"type":3,"invocationId":"1","result":{"ID":"c","User":"ann","Path":"/my hub","Colour":"blue green","Header":"v","Instance":"","Address":"192.0.2.7","Admin":true,` +
			`"Claims":[{"Type":"` + ClaimRole + `","Value":"dev"},{"Type":"` + ClaimRole + `","Value":"admin"},{"Type":"sub","Value":"s-1"}]}}`)
		b.link(0).write(&svcproto.UpdateConnectionClaims{ConnectionID: "c", Claims: []svcproto.Claim{{Type: ClaimNameIdentifier, Value: "bob"}}})
		c.send(`{"type":1,"invocationId":"2","target":"Facts","arguments":[]}` + "\x1e")
		if got := c.received(); !strings.Contains(got, `"User":"bob"`) || !strings.Contains(got, `"Admin":false`) {
			t.Errorf("after a change of claims: %s", got)
		}
	})
}

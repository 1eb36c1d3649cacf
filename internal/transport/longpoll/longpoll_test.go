package longpoll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/transport"
)

type handler struct{ gone chan error }

func newHandler() *handler { return &handler{make(chan error, 4)} }

func (h *handler) Receive([]byte) error { return nil }
func (h *handler) Gone(reason error)    { h.gone <- reason }

// answered is what a poll got.
type answered struct {
	Status int
	Type   string
	Body   string
}

var (
	opened = answered{http.StatusOK, "application/octet-stream", ""}
	over   = answered{http.StatusNoContent, "text/plain", ""}
)

func got(body string) answered { return answered{http.StatusOK, "application/octet-stream", body} }

func poll(ctx context.Context, c *Conn) answered {
	w := httptest.NewRecorder()
	c.ServePoll(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return answered{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
}

// later starts a poll and gives its answer when it comes. Inside a synctest bubble, Wait after it means that it is being held.
func later(ctx context.Context, c *Conn) chan answered {
	done := make(chan answered, 1)
	go func() { done <- poll(ctx, c) }()
	return done
}

func send(c *Conn, texts ...string) {
	var b message.Batch
	for _, s := range texts {
		c.Push(message.New([]byte(s), false), &b)
	}
	b.Flush()
}

const timeout = 90 * time.Second

// story runs f in a bubble with a connection whose first poll has been answered.
func story(t *testing.T, limits transport.Limits, f func(t *testing.T, c *Conn, h *handler)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHandler()
		c := New(Config{Limits: limits, Timeout: timeout}, h)
		if a := poll(t.Context(), c); a != opened {
			t.Fatalf("the first poll got %+v, want %+v at once", a, opened)
		}
		f(t, c, h)
	})
}

func expect(t *testing.T, what string, a, want answered) {
	t.Helper()
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestFirstPollOnlyOpens(t *testing.T) {
	t.Parallel()
	c := New(Config{Timeout: timeout}, newHandler())
	send(c, "early")
	expect(t, "the first poll", poll(t.Context(), c), opened)
	expect(t, "the second poll", poll(t.Context(), c), got("early"))
}

func TestMessageWhileHeld(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		a := later(t.Context(), c)
		synctest.Wait()
		send(c, "one", "two")
		expect(t, "the poll", <-a, got("onetwo"))
	})
}

func TestMessageWhileNoPoll(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		send(c, "one")
		send(c, "two")
		expect(t, "the next poll", poll(t.Context(), c), got("onetwo"))
		send(c, "three")
		expect(t, "the poll after that", poll(t.Context(), c), got("three"))
	})
}

func TestControlFramesMeanNothing(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		var b message.Batch
		c.Push(message.Control(9, []byte("x")), &b)
		c.Push(message.New([]byte("y"), false), &b)
		b.Flush()
		expect(t, "the poll", poll(t.Context(), c), got("y"))
	})
}

func TestPollTimeout(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		start := time.Now()
		expect(t, "a poll with nothing to say", poll(t.Context(), c), answered{http.StatusOK, "text/plain", ""})
		if d := time.Since(start); d != timeout {
			t.Errorf("it was held for %s, want %s", d, timeout)
		}
		send(c, "later")
		expect(t, "the next poll", poll(t.Context(), c), got("later"))
	})
}

func TestNewerPollReplacesOlder(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		older := later(t.Context(), c)
		synctest.Wait()
		newer := later(t.Context(), c)
		synctest.Wait()
		expect(t, "the older poll", <-older, over)
		send(c, "x")
		expect(t, "the newer poll", <-newer, got("x"))
	})
}

func TestEnd(t *testing.T) {
	for name, held := range map[string]bool{"while a poll is held": true, "while none is": false} {
		t.Run(name, func(t *testing.T) {
			story(t, transport.Limits{}, func(t *testing.T, c *Conn, h *handler) {
				var a chan answered
				if held {
					a = later(t.Context(), c)
					synctest.Wait()
				}
				var b message.Batch
				c.Push(message.New([]byte("last words"), false), &b)
				c.End(&b)
				c.Push(message.New([]byte("too late"), false), &b)
				b.Flush()
				if !held {
					a = later(t.Context(), c)
				}
				expect(t, "the poll", <-a, got("last words"))
				select {
				case reason := <-h.gone:
					t.Fatalf("it is over, %v, before the client knows", reason)
				default:
				}
				expect(t, "the poll after that", poll(t.Context(), c), over)
				if reason := <-h.gone; reason != nil {
					t.Errorf("it ended with %v", reason)
				}
				expect(t, "one more", poll(t.Context(), c), over)
				if len(h.gone) > 0 {
					t.Error("the handler was told twice")
				}
			})
		})
	}
}

func TestAbort(t *testing.T) {
	reason := errors.New("because")
	for name, held := range map[string]bool{"while a poll is held": true, "while none is": false} {
		t.Run(name, func(t *testing.T) {
			story(t, transport.Limits{}, func(t *testing.T, c *Conn, h *handler) {
				var a chan answered
				if held {
					a = later(t.Context(), c)
					synctest.Wait()
				} else {
					send(c, "lost")
				}
				c.Abort(reason)
				synctest.Wait() // the poll may be answered before the handler is told, or after
				if !held {
					a = later(t.Context(), c)
				}
				expect(t, "the poll", <-a, over)
				if got := <-h.gone; !errors.Is(got, reason) {
					t.Errorf("it ended with %v, want %v", got, reason)
				}
			})
		})
	}
}

// The answer to a held poll and the news of the end race for the handler: the reason must not get lost.
func TestAbortKeepsItsReason(t *testing.T) {
	t.Parallel()
	h := newHandler()
	c := New(Config{Timeout: timeout}, h)
	reason := errors.New("because")
	c.mu.Lock()
	c.ended, c.reason = true, reason // as Abort leaves it when a poll is faster than the goroutine that tells the handler
	c.polled = true
	c.mu.Unlock()
	expect(t, "the poll", poll(t.Context(), c), over)
	if got := <-h.gone; !errors.Is(got, reason) {
		t.Errorf("it ended with %v, want %v", got, reason)
	}
}

func TestClientGoneWhileHeld(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		ctx, cancel := context.WithCancel(t.Context())
		a := later(ctx, c)
		synctest.Wait()
		time.Sleep(20 * time.Second)
		cancel()
		<-a
		if idle := c.Idle(time.Now()); idle != 0 {
			t.Errorf("idle for %s just after the poll was given up", idle)
		}
		time.Sleep(3 * time.Second)
		if idle := c.Idle(time.Now()); idle != 3*time.Second {
			t.Errorf("idle for %s, want 3 s", idle)
		}
		send(c, "kept")
		expect(t, "the next poll", poll(t.Context(), c), got("kept"))
	})
}

// A client that goes away in the moment in which its poll would be answered does not take the messages with it.
func TestClientGoneWhileWoken(t *testing.T) {
	t.Parallel()
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			c := New(Config{Timeout: timeout}, newHandler())
			poll(t.Context(), c)
			ctx, cancel := context.WithCancel(t.Context())
			a := later(ctx, c)
			synctest.Wait()
			cancel()
			send(c, "kept")
			<-a
			expect(t, "the next poll", poll(t.Context(), c), got("kept"))
		})
	}
}

// A client may stay away for a while from the end of a poll on, however long that was held. Between the wake-up and the answer it must not
// look as if it had stayed away since the poll began.
func TestIdleCountsFromTheWakeUp(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		a := later(t.Context(), c)
		synctest.Wait()
		time.Sleep(80 * time.Second)
		c.mu.Lock()
		c.waiting = append(c.waiting, message.New([]byte("x"), false))
		c.wake()
		idle := time.Since(c.since) // before the poll's goroutine can have done anything about it
		c.mu.Unlock()
		if idle != 0 {
			t.Errorf("idle for %s in the moment of the wake-up", idle)
		}
		expect(t, "the poll", <-a, got("x"))
	})
}

func TestIdle(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		time.Sleep(5 * time.Second)
		if idle := c.Idle(time.Now()); idle != 5*time.Second {
			t.Errorf("idle for %s, want 5 s", idle)
		}
		a := later(t.Context(), c)
		synctest.Wait()
		time.Sleep(50 * time.Second)
		if idle := c.Idle(time.Now()); idle != 0 {
			t.Errorf("idle for %s while a poll is held", idle)
		}
		send(c, "x")
		<-a
	})
}

func TestSlowClient(t *testing.T) {
	story(t, transport.Limits{QueueBytes: 1000}, func(t *testing.T, c *Conn, h *handler) {
		big := strings.Repeat("x", 2000)
		send(c, big) // one of any size
		expect(t, "the poll", poll(t.Context(), c), got(big))
		for range 1000 {
			send(c, "12345678")
		}
		if reason := <-h.gone; !errors.Is(reason, transport.ErrSlowClient) {
			t.Errorf("it ended with %v", reason)
		}
	})
}

// A held poll is woken once a batch, however many messages the batch has for it.
func TestHeldPollJoinsABatchOnce(t *testing.T) {
	story(t, transport.Limits{}, func(t *testing.T, c *Conn, _ *handler) {
		a := later(t.Context(), c)
		synctest.Wait()
		first, second := message.Batch{}, message.Batch{}
		m := message.New([]byte("x"), false)
		for range 16 {
			c.Push(m, &first)
			c.Push(m, &second)
		}
		second.Flush() // has nothing to do
		synctest.Wait()
		select {
		case got := <-a:
			t.Fatalf("answered with %+v by a batch that the connection is not in", got)
		default:
		}
		first.Flush()
		expect(t, "the poll", <-a, got(strings.Repeat("x", 32)))
	})
}

// Many senders, and a client that polls, drops polls and polls again: each message comes once, in its sender's order.
func TestNothingLostOrDoubled(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 500
	c := New(Config{Timeout: 5 * time.Millisecond}, newHandler())
	poll(t.Context(), c)
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range each {
				send(c, fmt.Sprintf("%d:%d ", s, i))
			}
		})
	}
	var all strings.Builder
	for count := 0; count < senders*each; {
		a := poll(t.Context(), c)
		if a.Status != http.StatusOK {
			t.Fatalf("a poll got %+v", a)
		}
		all.WriteString(a.Body)
		count += strings.Count(a.Body, " ")
	}
	sending.Wait()
	next := make([]int, senders)
	for word := range strings.FieldsSeq(all.String()) {
		var s, i int
		if _, err := fmt.Sscanf(word, "%d:%d", &s, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[s] {
			t.Fatalf("sender %d: got %d, want %d", s, i, next[s])
		}
		next[s]++
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c := New(Config{Timeout: timeout}, newHandler())
	poll(t.Context(), c)
	send(c, "hello")
	w := httptest.NewRecorder()
	c.ServePoll(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	want := http.Header{
		"Content-Type": {"application/octet-stream"}, "Content-Length": {"5"}, "Cache-Control": {"no-cache, no-store"}, "Pragma": {"no-cache"},
		"Expires": {"Thu, 01 Jan 1970 00:00:00 GMT"},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" {
		t.Error(diff)
	}
	if c.Kind() != transport.LongPolling {
		t.Errorf("it is %v", c.Kind())
	}
}

package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/transport/longpoll"
	"github.com/hubgate/hubgate/internal/transport/sse"
	"github.com/hubgate/hubgate/internal/transport/websocket"
)

type handler struct{ gone chan error }

func (h *handler) Receive([]byte) error { return nil }
func (h *handler) Gone(reason error)    { h.gone <- reason }

// client is the far end of a connection, whatever the transport: read returns the payload of all messages until the end.
type client struct {
	conn transport.Conn
	gone chan error
	read func() string
}

// openers open one connection of each transport. limits is what the connection may hold.
var openers = map[string]func(t *testing.T, limits transport.Limits) client{
	"WebSockets": func(t *testing.T, limits transport.Limits) client {
		server, peer := net.Pipe()
		h := &handler{make(chan error, 4)}
		c := websocket.New(server, limits)
		served := make(chan struct{})
		go func() {
			defer close(served)
			c.Serve(nil, h)
		}()
		t.Cleanup(func() {
			_ = peer.Close()
			testkit.Closed(t, served, "the reader")
		})
		return client{c, h.gone, func() string {
			var all strings.Builder
			for {
				//lint:ignore SA1019 the frames of this test come from our own writer, which bounds them.
				f, err := ws.ReadFrame(peer)
				if err != nil {
					return all.String()
				}
				if f.Header.OpCode == ws.OpClose {
					_, _ = peer.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
					_, _ = io.Copy(io.Discard, peer)
					return all.String()
				}
				all.Write(f.Payload)
			}
		}}
	},
	"ServerSentEvents": func(t *testing.T, limits transport.Limits) client {
		return openEvents(t, limits, false)
	},
	"ServerSentEvents over HTTP/2": func(t *testing.T, limits transport.Limits) client {
		return openEvents(t, limits, true)
	},
	"LongPolling": func(t *testing.T, limits transport.Limits) client {
		h := &handler{make(chan error, 4)}
		c := longpoll.New(longpoll.Config{Limits: limits, Timeout: 50 * time.Millisecond}, h)
		poll := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			c.ServePoll(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil))
			return w
		}
		poll()
		return client{c, h.gone, func() string {
			var all strings.Builder
			for {
				w := poll()
				if w.Code == http.StatusNoContent {
					return all.String()
				}
				all.WriteString(w.Body.String())
			}
		}}
	},
}

func openEvents(t *testing.T, limits transport.Limits, http2 bool) client {
	h := &handler{make(chan error, 4)}
	conns := make(chan *sse.Conn, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sse.Serve(w, r, limits, h, func(c *sse.Conn) { conns <- c })
	}))
	if s.EnableHTTP2 = http2; http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	answer, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = answer.Body.Close()
		s.Client().CloseIdleConnections()
	})
	return client{testkit.Receive(t, conns, "the connection"), h.gone, func() string {
		b, _ := io.ReadAll(answer.Body) // an end that is not proper is an error, too
		var all strings.Builder
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				all.WriteString(data)
			}
		}
		return all.String()
	}}
}

// contract runs f over each transport.
func contract(t *testing.T, limits transport.Limits, f func(t *testing.T, c client)) {
	t.Parallel()
	for name, open := range openers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t, limits))
		})
	}
}

func (c client) push(texts ...string) {
	var b message.Batch
	for _, s := range texts {
		c.conn.Push(message.New([]byte(s), false), &b)
	}
	b.Flush()
}

func (c client) end() {
	var b message.Batch
	c.conn.End(&b)
	b.Flush()
}

func TestContractEndWritesWhatWaits(t *testing.T) {
	contract(t, transport.Limits{}, func(t *testing.T, c client) {
		c.push("a", "b")
		c.push("c")
		c.end()
		c.push("too late")
		c.end()
		if got := c.read(); got != "abc" {
			t.Errorf("the client got %q", got)
		}
		if reason := testkit.Receive(t, c.gone, "the end"); reason != nil {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestContractOrder(t *testing.T) {
	contract(t, transport.Limits{}, func(t *testing.T, c client) {
		const senders, each = 4, 200
		got := make(chan string, 1)
		go func() { got <- c.read() }()
		var sending sync.WaitGroup
		for s := range senders {
			sending.Go(func() {
				for i := range each {
					c.push(fmt.Sprintf("%d:%d ", s, i))
				}
			})
		}
		sending.Wait()
		c.end()
		next := make([]int, senders)
		for word := range strings.FieldsSeq(testkit.Receive(t, got, "the messages")) {
			var s, i int
			if _, err := fmt.Sscanf(word, "%d:%d", &s, &i); err != nil || i != next[s] {
				t.Fatalf("sender %d: got %q, want number %d", s, word, next[s])
			}
			next[s]++
		}
		for s, n := range next {
			if n != each {
				t.Errorf("sender %d: %d of %d came", s, n, each)
			}
		}
	})
}

func TestContractAbort(t *testing.T) {
	contract(t, transport.Limits{}, func(t *testing.T, c client) {
		reason := errors.New("because")
		go c.read()
		c.conn.Abort(reason)
		c.conn.Abort(errors.New("later"))
		c.push("too late")
		c.end()
		if got := testkit.Receive(t, c.gone, "the end"); !errors.Is(got, reason) {
			t.Errorf("it ended with %v, want the first reason", got)
		}
	})
}

// A client that does not read is cut off by its limit, and whoever sends never waits for it.
func TestContractSlowClient(t *testing.T) {
	contract(t, transport.Limits{QueueBytes: 256 << 10}, func(t *testing.T, c client) {
		big := strings.Repeat("x", 32<<10)
		for range 2000 {
			c.push(big)
		}
		if reason := testkit.Receive(t, c.gone, "the end"); !errors.Is(reason, transport.ErrSlowClient) {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestContractToldOnce(t *testing.T) {
	contract(t, transport.Limits{}, func(t *testing.T, c client) {
		go c.read()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				switch i % 3 {
				case 0:
					c.conn.Abort(transport.ErrSlowClient)
				case 1:
					c.end()
				default:
					c.push("x", "y")
				}
			})
		}
		all.Wait()
		testkit.Receive(t, c.gone, "the end")
		c.conn.Abort(nil)
		select {
		case again := <-c.gone:
			t.Errorf("the handler was told twice: %v", again)
		default:
		}
	})
}

func TestKindString(t *testing.T) {
	t.Parallel()
	for k, want := range map[transport.Kind]string{
		transport.WebSockets: "WebSockets", transport.ServerSentEvents: "ServerSentEvents", transport.LongPolling: "LongPolling", 0: "none",
	} {
		if got := k.String(); got != want {
			t.Errorf("%d is %q, want %q", k, got, want)
		}
	}
}

func TestLimitsWithDefaults(t *testing.T) {
	t.Parallel()
	if got, want := (transport.Limits{}).WithDefaults(), (transport.Limits{QueueBytes: 8 << 20, MessageBytes: 16 << 20}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	own := transport.Limits{QueueBytes: 1, MessageBytes: 2}
	if got := own.WithDefaults(); got != own {
		t.Errorf("set limits became %+v", got)
	}
}

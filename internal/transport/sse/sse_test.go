package sse

import (
	"bufio"
	"bytes"
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

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

type handler struct{ gone chan error }

func (h *handler) Receive([]byte) error {
	return errors.New("nothing can be received over an event stream")
}
func (h *handler) Gone(reason error) { h.gone <- reason }

// rig is a server whose every request becomes an event stream.
type rig struct {
	*httptest.Server
	conns chan *Conn
	gone  chan error
}

func serve(t *testing.T, http2 bool, limits transport.Limits, prepare func(http.ResponseWriter) http.ResponseWriter) *rig {
	t.Helper()
	r := &rig{conns: make(chan *Conn, 8), gone: make(chan error, 8)}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if prepare != nil {
			w = prepare(w)
		}
		w.Header().Set("X-Own", "kept")
		Serve(w, req, limits, &handler{r.gone}, func(c *Conn) { r.conns <- c })
	}))
	if http2 {
		r.EnableHTTP2 = true
		r.StartTLS()
	} else {
		r.Start()
	}
	t.Cleanup(r.Close)
	return r
}

// get opens an event stream.
func (r *rig) get(t *testing.T) (*http.Response, *Conn) {
	t.Helper()
	answer, err := r.Client().Get(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = answer.Body.Close()
		r.Client().CloseIdleConnections()
	})
	return answer, testkit.Receive(t, r.conns, "the connection")
}

func send(c *Conn, texts ...string) {
	var b message.Batch
	for _, s := range texts {
		c.Push(message.New([]byte(s), false), &b)
	}
	b.Flush()
}

// each runs f over a stream that is hijacked, and over HTTP/2, where none can be.
func each(t *testing.T, limits transport.Limits, f func(t *testing.T, r *rig)) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			t.Parallel()
			f(t, serve(t, http2, limits, nil))
		})
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{}, func(t *testing.T, r *rig) {
		answer, c := r.get(t)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %d", answer.StatusCode)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache,no-store", "Pragma": "no-cache", "Content-Encoding": "identity",
			"X-Own": "kept", "Content-Length": "",
		} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("header %s is %q, want %q", name, got, want)
			}
		}
		if c.Kind() != transport.ServerSentEvents {
			t.Errorf("it is %v", c.Kind())
		}
		send(c, "one", "two\nlines")
		send(c, "three")
		var b message.Batch
		c.Push(message.Control(9, nil), &b) // means nothing here
		c.End(&b)
		c.Push(message.New([]byte("too late"), false), &b)
		b.Flush()
		got, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		want := ":\r\ndata: one\r\n\r\ndata: two\r\ndata: lines\r\n\r\ndata: three\r\n\r\n"
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if reason := testkit.Receive(t, r.gone, "the end"); reason != nil {
			t.Errorf("it ended with %v", reason)
		}
	})
}

// The stream opens before there is anything to say.
func TestOpensAtOnce(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{}, func(t *testing.T, r *rig) {
		answer, c := r.get(t)
		line, err := bufio.NewReader(answer.Body).ReadString('\n')
		if err != nil || line != ":\r\n" {
			t.Errorf("got %q, error %v", line, err)
		}
		c.Abort(nil)
		testkit.Receive(t, r.gone, "the end")
	})
}

func TestClientLeaves(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{}, func(t *testing.T, r *rig) {
		answer, c := r.get(t)
		_ = answer.Body.Close()
		if reason := testkit.Receive(t, r.gone, "the end"); reason != nil {
			t.Errorf("a client that leaves has ended it with %v", reason)
		}
		send(c, "to nobody")
	})
}

func TestAbort(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{}, func(t *testing.T, r *rig) {
		answer, c := r.get(t)
		reason := errors.New("because")
		c.Abort(reason)
		c.Abort(errors.New("later"))
		if _, err := io.ReadAll(answer.Body); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Logf("the client sees %v", err)
		}
		if got := testkit.Receive(t, r.gone, "the end"); !errors.Is(got, reason) {
			t.Errorf("it ended with %v, want the first reason", got)
		}
		send(c, "to nobody")
		var b message.Batch
		c.End(&b)
		b.Flush()
	})
}

func TestSlowClient(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{QueueBytes: 1 << 20}, func(t *testing.T, r *rig) {
		_, c := r.get(t)
		big := strings.Repeat("x", 64<<10)
		for range 1000 {
			send(c, big)
		}
		if reason := testkit.Receive(t, r.gone, "the end"); !errors.Is(reason, transport.ErrSlowClient) {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	each(t, transport.Limits{}, func(t *testing.T, r *rig) {
		answer, c := r.get(t)
		big := strings.Repeat("0123456789", 200_000)
		send(c, big, "small")
		var b message.Batch
		c.End(&b)
		b.Flush()
		got, err := io.ReadAll(answer.Body)
		if want := ":\r\ndata: " + big + "\r\n\r\ndata: small\r\n\r\n"; err != nil || string(got) != want {
			t.Errorf("%d bytes came, want %d, error %v", len(got), len(want), err)
		}
		testkit.Receive(t, r.gone, "the end")
	})
}

// recording notes the write deadlines that a stream leaves behind.
type recording struct {
	http.ResponseWriter
	mu        sync.Mutex
	deadlines []time.Time
	flushed   chan struct{}
}

func (w *recording) SetWriteDeadline(at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadlines = append(w.deadlines, at)
	if at.IsZero() {
		w.flushed <- struct{}{}
	}
	return nil
}

func (w *recording) FlushError() error { return http.NewResponseController(w.ResponseWriter).Flush() }

// In HTTP/2 a write deadline that is left standing ends an idle stream when it comes.
func TestNoDeadlineWhileIdle(t *testing.T) {
	t.Parallel()
	w := &recording{flushed: make(chan struct{}, 1)}
	r := serve(t, true, transport.Limits{}, func(inner http.ResponseWriter) http.ResponseWriter {
		w.ResponseWriter = inner
		return w
	})
	_, c := r.get(t)
	send(c, "x")
	testkit.Receive(t, w.flushed, "the deadline's end")
	w.mu.Lock()
	if n := len(w.deadlines); n != 2 || w.deadlines[0].IsZero() || !w.deadlines[1].IsZero() {
		t.Errorf("deadlines %v: want one for the write, and then none", w.deadlines)
	}
	w.mu.Unlock()
	c.Abort(nil)
	testkit.Receive(t, r.gone, "the end")
}

// headWriter is a response writer of a gateway, which has a last word about the headers.
type headWriter struct{ http.ResponseWriter }

func (w headWriter) Head(status int)             { w.Header().Set("X-Head", fmt.Sprint(status)) }
func (w headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestHeadWriter(t *testing.T) {
	t.Parallel()
	r := serve(t, false, transport.Limits{}, func(w http.ResponseWriter) http.ResponseWriter { return headWriter{w} })
	answer, c := r.get(t)
	if got := answer.Header.Get("X-Head"); got != "200" {
		t.Errorf("the gateway's header is %q", got)
	}
	c.Abort(nil)
	testkit.Receive(t, r.gone, "the end")
}

// What a client says on an event stream is read and forgotten: it must not fill a buffer or end the stream.
func TestClientTalks(t *testing.T) {
	t.Parallel()
	r := serve(t, false, transport.Limits{}, nil)
	conn, err := net.Dial("tcp", r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	c := testkit.Receive(t, r.conns, "the connection")
	if _, err := conn.Write(bytes.Repeat([]byte("chatter"), 50_000)); err != nil {
		t.Fatal(err)
	}
	send(c, "still here")
	var b message.Batch
	c.End(&b)
	b.Flush()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "data: still here\r\n" {
			break
		}
	}
	testkit.Receive(t, r.gone, "the end")
}

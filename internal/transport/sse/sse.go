// Package sse is the server-sent-events transport: a response that does not end, taken over from net/http so that an
// idle client costs one small goroutine.
package sse

import (
	"bufio"
	"net/http"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/transport"
)

// Conn is a client's event stream.
type Conn struct {
	queue  transport.Queue
	stream stream

	once   sync.Once
	reason error
	done   chan struct{} // closed when the connection is over; nil for a hijacked stream, whose reader notices
}

// stream is where events go: a hijacked socket, or a response writer where none can be had (HTTP/2).
type stream interface {
	// drain writes what waits; late is what has to wait for the peer.
	drain(q *transport.Queue) (late [][]byte, ended bool, err error)
	drainLate(late [][]byte, q *transport.Queue) (ended bool, err error)
	close()
}

// first goes out at once: without it a client behind a buffering proxy would not see the stream open.
const first = ":\r\n"

// Serve answers r with an event stream and calls start with the connection once its head is out; then it reads until the stream is over and
// tells h. When the stream is hijacked that happens on a goroutine of its own and Serve returns at once.
//
// Headers that stand in w.Header() are part of the answer.
func Serve(w http.ResponseWriter, r *http.Request, limits transport.Limits, h transport.Handler, start func(*Conn)) {
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache,no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Encoding", "identity")
	limits = limits.WithDefaults()
	if r.ProtoMajor == 1 {
		if hw, ok := w.(transport.HeadWriter); ok {
			hw.Head(http.StatusOK)
		}
		if conn, buffered, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.SetDeadline(time.Time{})
			c := &Conn{}
			c.queue.SetLimit(limits.QueueBytes)
			socket := transport.NewSocket(conn)
			c.stream = socketStream{socket}
			if err := writeHead(conn, buffered.Writer, header); err != nil {
				c.Abort(transport.ErrConnectionLost)
			}
			start(c)
			go c.watch(socket, h)
			return
		}
	}
	c := &Conn{done: make(chan struct{})}
	c.queue.SetLimit(limits.QueueBytes)
	s := &writerStream{w: w, controller: http.NewResponseController(w), conn: c}
	c.stream = s
	w.WriteHeader(http.StatusOK)
	if _, err := w.Write([]byte(first)); err != nil || s.controller.Flush() != nil {
		c.Abort(transport.ErrConnectionLost)
	}
	start(c)
	select {
	case <-c.done:
	case <-r.Context().Done():
		c.fail(nil) // as in watch
	}
	s.mu.Lock() // nobody writes to w after this
	s.over = true
	s.mu.Unlock()
	c.queue.Drop()
	h.Gone(c.reason)
}

func writeHead(conn interface{ Write([]byte) (int, error) }, w *bufio.Writer, header http.Header) error {
	w.Reset(conn)
	header.Del("Content-Length")
	header.Del("Transfer-Encoding")
	header.Set("Connection", "close") // the end of the stream is the end of the connection
	if header.Get("Date") == "" {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	_, _ = w.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(w)
	_, _ = w.WriteString("\r\n" + first)
	return w.Flush()
}

// watch reads, only to notice that the client went away.
func (c *Conn) watch(socket *transport.Socket, h transport.Handler) {
	var in transport.Buffer
	for {
		if err := socket.Fill(&in); err != nil {
			break
		}
		in.Release() // a client has nothing to say here
	}
	in.Release()
	c.fail(nil) // a client that has had enough of a stream does nothing but end it
	c.queue.Drop()
	c.stream.close()
	h.Gone(c.reason)
}

// fail notes the first reason why the stream is over; nil is a proper end.
func (c *Conn) fail(reason error) {
	c.once.Do(func() {
		c.reason = reason
		if c.done != nil {
			close(c.done)
		}
	})
}

// Push queues m.
func (c *Conn) Push(m *message.Message, b *message.Batch) {
	schedule, err := c.queue.Push(m)
	if err != nil {
		c.Abort(err)
		return
	}
	if schedule {
		b.Add(c)
	}
}

// End writes what waits and ends the stream.
func (c *Conn) End(b *message.Batch) {
	if schedule, ok := c.queue.End(nil); ok && schedule {
		b.Add(c)
	}
}

// Abort cuts the stream.
func (c *Conn) Abort(reason error) {
	c.fail(reason)
	c.queue.Drop()
	c.stream.close()
}

// Kind is ServerSentEvents.
func (c *Conn) Kind() transport.Kind { return transport.ServerSentEvents }

// Flush writes what waits.
func (c *Conn) Flush() {
	late, ended, err := c.stream.drain(&c.queue)
	if late != nil {
		go func() { c.flushed(c.stream.drainLate(late, &c.queue)) }()
		return
	}
	c.flushed(ended, err)
}

func (c *Conn) flushed(ended bool, err error) {
	switch {
	case err != nil:
		c.Abort(transport.ErrConnectionLost)
	case ended:
		c.fail(nil)
		c.stream.close()
	}
}

func event(m *message.Message) []byte { return m.Event() }

type socketStream struct{ socket *transport.Socket }

func (s socketStream) drain(q *transport.Queue) ([][]byte, bool, error) {
	return s.socket.Drain(q, event)
}
func (s socketStream) drainLate(late [][]byte, q *transport.Queue) (bool, error) {
	return s.socket.DrainLate(late, q, event)
}
func (s socketStream) close() { _ = s.socket.Conn().Close() }

// writerStream writes through net/http, which may wait for the peer: always late.
type writerStream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	conn       *Conn

	mu   sync.Mutex
	over bool // the handler has returned; w must not be touched
}

func (s *writerStream) drain(*transport.Queue) ([][]byte, bool, error) { return [][]byte{}, false, nil }

func (s *writerStream) drainLate(_ [][]byte, q *transport.Queue) (bool, error) {
	var run transport.Run
	for {
		n, ended := q.Take(&run)
		if n == 0 {
			return ended, nil
		}
		if err := s.write(run[:n]); err != nil {
			return false, err
		}
		clear(run[:n])
	}
}

func (s *writerStream) write(run []*message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return http.ErrHandlerTimeout
	}
	_ = s.controller.SetWriteDeadline(time.Now().Add(transport.WriteTimeout))
	for _, m := range run {
		if _, err := s.w.Write(m.Event()); err != nil {
			return err
		}
	}
	if err := s.controller.Flush(); err != nil {
		return err
	}
	// In HTTP/2 a deadline that is left standing ends the stream when it comes, though nothing is being written.
	_ = s.controller.SetWriteDeadline(time.Time{})
	return nil
}

func (s *writerStream) close() {} // the handler returns when done is closed

var _ transport.Conn = (*Conn)(nil)

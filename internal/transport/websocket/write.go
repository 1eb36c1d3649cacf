package websocket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/transport"
)

// closeTimeout is how long the peer may take to answer a close frame; ASP.NET Core's WebSockets CloseTimeout.
const closeTimeout = 5 * time.Second

// Conn is a client's WebSocket.
type Conn struct {
	socket  transport.Socket
	handler transport.Handler
	queue   transport.Queue
	limits  transport.Limits

	peerClosed atomic.Bool // the peer sent its close frame
	reason     reason
}

// reason keeps the first thing that went wrong.
type reason struct {
	once sync.Once
	err  error
}

func (r *reason) set(err error) { r.once.Do(func() { r.err = err }) }

func frame(m *message.Message) []byte { return m.Frame() }

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

// End writes what waits, then a close frame with code 1000, and waits for the peer's for 5 seconds.
func (c *Conn) End(b *message.Batch) { c.end(closeNormal, b) }

func (c *Conn) end(last *message.Message, b *message.Batch) {
	if schedule, ok := c.queue.End(last); ok && schedule {
		b.Add(c)
	}
}

// Abort cuts the connection.
func (c *Conn) Abort(reason error) {
	c.reason.set(reason)
	c.queue.Drop()
	_ = c.socket.Conn().Close() // the reader ends and tells the handler
}

// Kind is WebSockets.
func (c *Conn) Kind() transport.Kind { return transport.WebSockets }

// Flush writes what waits.
func (c *Conn) Flush() {
	late, ended, err := c.socket.Drain(&c.queue, frame)
	if late != nil {
		go c.flushLate(late)
		return
	}
	c.flushed(ended, err)
}

func (c *Conn) flushLate(late [][]byte) {
	ended, err := c.socket.DrainLate(late, &c.queue, frame)
	c.flushed(ended, err)
}

func (c *Conn) flushed(ended bool, err error) {
	switch {
	case err != nil:
		if isTimeout(err) {
			err = transport.ErrWriteTimeout
		} else {
			err = transport.ErrConnectionLost
		}
		c.Abort(err)
	case ended && c.peerClosed.Load():
		_ = c.socket.Conn().Close()
	case ended:
		// The close frame is out; the reader waits for the peer's.
		_ = c.socket.Conn().SetReadDeadline(time.Now().Add(closeTimeout))
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

// fail ends the connection with a close code that says what the peer did wrong.
func (c *Conn) fail(code ws.StatusCode, err error, b *message.Batch) error {
	c.reason.set(err)
	c.end(CloseMessage(code, ""), b)
	b.Flush()
	return err
}

var _ transport.Conn = (*Conn)(nil)

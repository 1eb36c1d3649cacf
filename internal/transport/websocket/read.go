package websocket

import (
	"errors"
	"net"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/transport"
)

// New makes a connection out of an upgraded stream. Nothing is read before [Conn.Serve].
func New(conn net.Conn, limits transport.Limits) *Conn {
	c := &Conn{limits: limits.WithDefaults()}
	c.socket.Init(conn)
	c.queue.SetLimit(c.limits.QueueBytes)
	return c
}

// Serve reads until the connection is over and tells h about it; rest holds bytes that came with the upgrade. It is called once, best on a
// goroutine of its own, because an HTTP handler's has a large stack by the time it upgrades. It may return before the connection is over: then
// another goroutine has taken its place, and h hears of the end as ever.
func (c *Conn) Serve(rest []byte, h transport.Handler) {
	c.handler = h
	r := &reader{c: c}
	err := r.start(rest)
	if err == nil {
		err = r.run()
	}
	r.over(err)
}

// over is the end of the connection, unless another goroutine has taken it over.
func (r *reader) over(err error) {
	if errors.Is(err, errMoved) {
		return
	}
	c := r.c
	r.in.Release()
	c.reason.set(ended(err))
	c.queue.Drop()
	_ = c.socket.Conn().Close()
	c.handler.Gone(c.reason.err)
}

// errMoved ends reading on one goroutine because it goes on on another.
var errMoved = errors.New("another goroutine reads")

// moveEvery is how long a goroutine reads at least.
const moveEvery = time.Second

// next reads more. Now and then it has a new goroutine wait for it: what is done for a message makes a stack grow, and the run time never shrinks
// it to the least again. Most clients say something once in a while and wait for most of the time, and so does that memory.
func (r *reader) next() error {
	now := time.Time{}
	if r.grown && r.c.socket.Polls() {
		now = time.Now()
	}
	if now.Sub(r.moved) < moveEvery { // a busy client keeps its stack
		return r.c.socket.Fill(&r.in)
	}
	quiet, err := r.c.socket.Quiet(&r.in)
	if quiet {
		r.moved, r.grown = now, false
		go r.goOn()
		return errMoved
	}
	return err
}

func (r *reader) goOn() { r.over(r.run()) }

// reader is the state of the reading side. One goroutine at a time has it.
type reader struct {
	c     *Conn
	in    transport.Buffer
	batch message.Batch

	header   Header
	offset   int64 // of the next byte in the frame's payload
	inFrame  bool
	message  bool  // a fragmented message is open
	isText   bool  // of the open message
	received int64 // bytes of the open message
	text     textCheck

	grown bool      // the goroutine has done something for a message
	moved time.Time // when it began
}

// errClosed ends reading after a proper close.
var errClosed = errors.New("closed")

// start takes what came with the upgrade.
func (r *reader) start(rest []byte) error {
	for len(rest) > 0 {
		rest = rest[r.in.Preload(rest):]
		if err := r.consume(); err != nil {
			return err
		}
		r.grown = true
	}
	return nil
}

func (r *reader) run() error {
	for {
		if err := r.next(); err != nil {
			return r.lost(err)
		}
		if err := r.consume(); err != nil {
			return err
		}
		r.grown = true
	}
}

// lost is why reading ended: the end of the stream, which is a proper one after the peer's close frame.
func (r *reader) lost(err error) error {
	switch {
	case errors.Is(err, errMoved):
		return err
	case r.c.peerClosed.Load():
		return nil
	}
	return transport.ErrConnectionLost
}

func ended(err error) error {
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

// consume takes all that is in the buffer, but for a header or control frame that is not whole yet.
func (r *reader) consume() error {
	for {
		if !r.inFrame {
			h, size, err := ParseHeader(r.in.Bytes())
			if err != nil {
				return r.fail(ws.StatusProtocolError, transport.ErrProtocol)
			}
			if size == 0 {
				return nil
			}
			if err := r.check(h); err != nil {
				return err
			}
			if h.OpCode.IsControl() {
				if len(r.in.Bytes()) < size+int(h.Length) {
					return nil // at most 125 bytes: they fit the buffer
				}
				r.in.Use(size)
				if err := r.control(h); err != nil {
					return err
				}
				continue
			}
			r.in.Use(size)
			r.begin(h)
		}
		if done, err := r.data(); err != nil || !done {
			return err
		}
	}
}

// check refuses what RFC 6455 forbids and what is too large, before anything is done for it.
func (r *reader) check(h Header) error {
	state := ws.StateServerSide
	if r.message {
		state |= ws.StateFragmented
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return r.fail(ws.StatusProtocolError, transport.ErrProtocol)
	}
	if h.OpCode.IsData() || h.OpCode == ws.OpContinuation {
		before := r.received
		if h.OpCode != ws.OpContinuation {
			before = 0
		}
		if h.Length > r.c.limits.MessageBytes-before {
			return r.fail(ws.StatusMessageTooBig, transport.ErrTooLarge)
		}
	}
	return nil
}

func (r *reader) begin(h Header) {
	r.header, r.offset, r.inFrame = h, 0, true
	if h.OpCode != ws.OpContinuation {
		r.received = 0
		r.isText = h.OpCode == ws.OpText
	}
	r.received += h.Length
	r.message = !h.Fin
	r.in.Large = h.Length > 4<<10
}

// data hands on what has come of the frame; done says that the frame is whole.
func (r *reader) data() (done bool, err error) {
	p := r.in.Bytes()
	if left := r.header.Length - r.offset; int64(len(p)) > left {
		p = p[:left]
	}
	if len(p) == 0 && r.offset < r.header.Length {
		return false, nil
	}
	Unmask(p, r.header.Mask, r.offset)
	if r.isText && !r.text.ok(p) {
		return false, r.fail(ws.StatusInvalidFramePayloadData, transport.ErrProtocol)
	}
	if len(p) > 0 {
		if err := r.c.handler.Receive(p); err != nil {
			return false, err
		}
	}
	r.offset += int64(len(p))
	r.in.Use(len(p))
	if r.offset < r.header.Length {
		return false, nil
	}
	r.inFrame = false
	if r.header.Fin && r.isText && !r.text.whole() {
		return false, r.fail(ws.StatusInvalidFramePayloadData, transport.ErrProtocol)
	}
	return true, nil
}

// control answers a ping and a close frame; a pong is no news.
func (r *reader) control(h Header) error {
	p := r.in.Bytes()[:h.Length]
	Unmask(p, h.Mask, 0)
	defer r.in.Use(len(p))
	switch h.OpCode {
	case ws.OpPing:
		r.c.Push(message.Control(byte(ws.OpPong), p), &r.batch)
		r.batch.Flush()
	case ws.OpClose:
		r.c.peerClosed.Store(true)
		// Whatever the code, the answer is a normal one, as ASP.NET Core gives it.
		r.c.end(closeNormal, &r.batch)
		r.batch.Flush()
		r.waitForWriter()
		return errClosed
	}
	return nil
}

// fail ends the connection by a close code, and then reads on until the peer has closed or the time is up, so that the
// frame is not lost in a reset.
func (r *reader) fail(code ws.StatusCode, err error) error {
	_ = r.c.fail(code, err, &r.batch)
	r.linger()
	return err
}

// linger drops what the peer still sends, until its close frame is seen, so that closing the stream with unread bytes
// does not reset it before the peer has read ours.
func (r *reader) linger() {
	_ = r.c.socket.Conn().SetReadDeadline(time.Now().Add(closeTimeout))
	var discard [512]byte
	for {
		n, err := r.c.socket.Conn().Read(discard[:])
		if err != nil || endsInClose(discard[:n]) {
			return
		}
	}
}

// endsInClose finds a masked close frame, empty or with a code alone, at the end of p. The frames in front of it may be
// those that broke the rules, so they cannot be walked.
func endsInClose(p []byte) bool {
	for _, length := range []int{0, 2} {
		if at := len(p) - 6 - length; at >= 0 && p[at] == 0x80|byte(ws.OpClose) && p[at+1] == 0x80|byte(length) {
			return true
		}
	}
	return false
}

// waitForWriter gives a late writer the time to get the close frame out; it closes the stream when it has.
func (r *reader) waitForWriter() {
	if r.c.queue.Scheduled() {
		r.linger()
	}
}

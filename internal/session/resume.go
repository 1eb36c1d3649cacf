package session

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/transport/websocket"
)

// resume is what stateful reconnect keeps of one client (client-protocol §9, service-protocol §7.12): the service numbers what goes to the client,
// keeps it until the client has acknowledged it, and sends it again after the client came back on another socket. Numbers count messages
// of types 1 to 5, from 1, for each direction.
type resume struct {
	leg atomic.Int64 // number of the socket that counts; what an older one says is ignored

	// Guarded by Session.mu.
	kept      []*message.Message // sent and not acknowledged, one hub message each
	keptBytes int
	next      int64 // number of the next message to the client
	away      bool  // there is no socket
	awayUntil time.Time
	pinged    time.Time // when the app server was last pinged in the client's place
	quiet     bool      // what counts is kept and not sent yet, see quietTime

	spoke atomic.Bool // the client has sent something after its handshake

	// Guarded by Session.in.
	received     int64  // number of the last message that was taken from the client
	acknowledged int64  // the last number that the client was told of
	unreported   int    // bytes received since then
	cursor       int64  // number of the next message on this socket
	waiting      bool   // for the client's Sequence; until then everything is dropped
	partial      []byte // of a hub message
}

const (
	// awayTime is how long a client may be without a socket.
	awayTime = 30 * time.Second
	// awayPing is how often the app server is pinged for a client that is away: it would end a silent one.
	awayPing = 10 * time.Second
	// quietTime is how long the first messages wait for a JavaScript client to say something. It begins to count only some time after it
	// has read the handshake's reply, and pings at once when it does. A message that it reads together with the reply it would not count, and so
	// take another twice when it comes back.
	quietTime = time.Second
	// ackBytes is how much a client may send before it is told at once, and not at the next tick, what has arrived: it stops at 100,000
	// bytes without an Ack.
	ackBytes = 32 << 10
	// keptMost is how many times the queue's limit may be kept for a client that acknowledges slowly.
	keptMost = 4
)

func newResume() *resume { return &resume{next: 1, cursor: 1} }

// countsLate tells JavaScript clients, in Node and in browsers, by the User-Agent of their WebSocket. The .NET client counts from the start.
func countsLate(userAgent string) bool {
	return strings.Contains(userAgent, "NodeJS") || strings.HasPrefix(userAgent, "Mozilla/")
}

// speakUp sends what waited for the client's first words.
func (c *Session) speakUp() {
	b := message.Batch{}
	c.mu.Lock()
	if c.phase == attached {
		c.speakUpLocked(&b)
	}
	c.mu.Unlock()
	b.Flush()
}

func (c *Session) speakUpLocked(b *message.Batch) {
	r := c.resume
	if r == nil || !r.quiet {
		return
	}
	r.quiet = false
	if r.away {
		return // everything is sent when it comes back
	}
	c.pushKeptLocked(b)
}

// pushKeptLocked sends what the client has not acknowledged; there is a socket.
func (c *Session) pushKeptLocked(b *message.Batch) {
	for _, m := range c.resume.kept {
		c.conn.Push(m, b)
	}
}

// leg is one socket of a client with stateful reconnect, as its transport sees it.
type leg struct {
	session *Session
	number  int64
}

// Receive takes bytes, unless a newer socket has taken over.
func (l *leg) Receive(b []byte) error {
	if !l.session.countInbound(len(b)) {
		return errThrottled
	}
	l.session.in.Lock()
	defer l.session.in.Unlock()
	if r := l.session.resume; r != nil && r.leg.Load() != l.number {
		return errOver
	}
	if err := l.session.take(b); err != nil && !errors.Is(err, errOver) {
		return err
	}
	return nil
}

// Gone leaves the client away, when it was cut off and may come back.
func (l *leg) Gone(reason error) {
	c := l.session
	c.mu.Lock()
	r := c.resume
	switch {
	case r == nil: // the feature was not used after all
		c.mu.Unlock()
		c.Gone(reason)
	case r.leg.Load() != l.number:
		c.mu.Unlock()
	case c.phase == attached && !c.closing && c.replied && cutOff(reason):
		now := time.Now()
		r.away, r.awayUntil, r.pinged = true, now.Add(awayTime), now
		c.conn = nil
		c.mu.Unlock()
		c.service.watch(c)
	default:
		c.mu.Unlock()
		c.Gone(reason)
	}
}

// cutOff tells an accident from a client that left: that one sends a close frame.
func cutOff(reason error) bool {
	return errors.Is(reason, transport.ErrConnectionLost) || errors.Is(reason, transport.ErrWriteTimeout)
}

// resumable reports whether the client may come back on another socket.
func (c *Session) resumable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resumableLocked()
}

func (c *Session) resumableLocked() bool {
	return c.resume != nil && c.phase == attached && !c.closing
}

// resumeOn goes on with a new socket. It returns the socket's handler, or nil when the session ended meanwhile.
func (c *Session) resumeOn(conn *websocket.Conn) transport.Handler {
	c.mu.Lock()
	if !c.resumableLocked() {
		c.mu.Unlock()
		return nil
	}
	r := c.resume
	old := c.conn
	c.conn = nil
	r.away, r.awayUntil = true, time.Now().Add(awayTime) // what is sent now is kept, until the new socket is ready
	number := r.leg.Add(1)
	c.mu.Unlock()
	if old != nil {
		old.Abort(transport.ErrConnectionLost)
	}

	c.in.Lock()
	r.partial, r.waiting = nil, true
	if c.link != nil {
		_ = c.link.Send(&svcproto.ConnectionReconnect{ConnectionID: c.client.ID})
	}
	c.in.Unlock()

	b := message.Batch{}
	c.mu.Lock()
	if r.leg.Load() != number || !c.resumableLocked() {
		c.mu.Unlock()
		return nil
	}
	c.conn = conn
	r.away, r.quiet = false, false
	first := r.next - int64(len(r.kept))
	conn.Push(message.New(c.protocol().AppendSequence(nil, first), c.client.Binary), &b)
	c.pushKeptLocked(&b)
	c.mu.Unlock()
	b.Flush()
	return &leg{c, number}
}

// pushLocked sends hub messages to the client; with stateful reconnect those that count are numbered and kept.
func (c *Session) pushLocked(m *message.Message, b *message.Batch) {
	r := c.resume
	if r == nil {
		c.conn.Push(m, b)
		return
	}
	p := c.protocol()
	for rest := m.Payload(); len(rest) > 0; {
		inner, size, err := p.Next(rest, len(rest))
		if err != nil || size == 0 {
			return // an app server sends whole messages, see Data
		}
		one := m
		if size < len(m.Payload()) {
			one = message.New(rest[:size], c.client.Binary)
		}
		t, err := p.TypeOf(inner)
		counts := err == nil && t.Counted()
		if t == hubproto.Close {
			c.speakUpLocked(b) // it is the last
		}
		if !r.away && !(counts && r.quiet) {
			c.conn.Push(one, b)
		}
		if counts {
			r.next++
			r.kept = append(r.kept, one)
			r.keptBytes += one.Size()
		}
		rest = rest[size:]
	}
	if limit := c.service.settings.Load().Limits.QueueBytes; r.keptBytes > keptMost*limit || r.away && r.keptBytes > limit {
		go c.giveUp(transport.ErrSlowClient) // not here: the caller holds mu
	}
}

// giveUp ends a client that cannot come back.
func (c *Session) giveUp(reason error) {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		conn.Abort(reason) // the reader ends the session
		return
	}
	c.Gone(reason)
}

// takeCounted takes the client's messages apart: its bookkeeping ends here, and the app server gets whole messages, each once. c.in is held.
func (c *Session) takeCounted(b []byte) error {
	r, p := c.resume, c.protocol()
	if !r.spoke.Load() {
		r.spoke.Store(true)
		c.speakUp()
	}
	data := b
	if len(r.partial) > 0 {
		r.partial = append(r.partial, b...)
		data = r.partial
	}
	limit := int(c.service.settings.Load().Limits.MessageBytes)
	for len(data) > 0 {
		m, size, err := p.Next(data, limit)
		if err != nil {
			return c.forward(data) // the app server says what is wrong with it
		}
		if size == 0 {
			break
		}
		if err := c.takeMessage(data[:size], m); err != nil {
			return err
		}
		data = data[size:]
	}
	r.partial = append(r.partial[:0], data...)
	if cap(r.partial) > 64<<10 && len(data) == 0 {
		r.partial = nil
	}
	if r.unreported > ackBytes {
		c.acknowledge()
	}
	return nil
}

// takeMessage does what one message of the client asks for; frame is the message with its framing.
func (c *Session) takeMessage(frame, m []byte) error {
	r, p := c.resume, c.protocol()
	t, err := p.TypeOf(m)
	if err != nil {
		t = 0 // the app server says what is wrong with it
	}
	if r.waiting && t != hubproto.Sequence {
		return nil
	}
	switch {
	case t == hubproto.Sequence, t == hubproto.Ack:
		parsed, err := p.Parse(m)
		if err != nil {
			return c.forward(frame)
		}
		if t == hubproto.Ack {
			c.acknowledged(parsed.SequenceID)
			return nil
		}
		if parsed.SequenceID > r.received+1 {
			c.refuse("Sequence ID greater than amount of messages we've received.", BadRequest)
			return errOver
		}
		r.cursor, r.waiting = parsed.SequenceID, false
		return nil
	case t.Counted():
		number := r.cursor
		r.cursor++
		if number <= r.received {
			return nil // it came over the socket before
		}
		r.received = number
		r.unreported += len(frame)
	}
	return c.forward(frame)
}

// acknowledged forgets what the client has.
func (c *Session) acknowledged(number int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.resume
	first := r.next - int64(len(r.kept))
	n := int(min(max(number-first+1, 0), int64(len(r.kept))))
	for _, m := range r.kept[:n] {
		r.keptBytes -= m.Size()
	}
	clear(r.kept[:n])
	if r.kept = r.kept[n:]; len(r.kept) == 0 {
		r.kept = nil
	}
}

// acknowledge tells the client what has arrived. c.in is held.
func (c *Session) acknowledge() {
	r := c.resume
	if r.received == r.acknowledged {
		return
	}
	b := message.Batch{}
	c.mu.Lock()
	if !r.away && c.phase == attached {
		c.conn.Push(message.New(c.protocol().AppendAck(nil, r.received), c.client.Binary), &b)
		r.acknowledged, r.unreported = r.received, 0
	}
	c.mu.Unlock()
	b.Flush()
}

// tickResume is called once a second: it tells the client what has arrived, and looks after one that is away.
func (c *Session) tickResume(now time.Time) {
	if c.in.TryLock() { // whoever holds it is at work for the client
		c.acknowledge()
		c.in.Unlock()
	}
	c.mu.Lock()
	r := c.resume
	over := r.away && now.After(r.awayUntil)
	ping := r.away && !over && now.Sub(r.pinged) >= awayPing
	if ping {
		r.pinged = now
	}
	c.mu.Unlock()
	switch {
	case over:
		c.Gone(transport.ErrConnectionLost)
	case ping:
		if link := c.client.Link(); link != nil {
			_ = link.Send(&svcproto.ConnectionData{ConnectionID: c.id, Payload: c.protocol().AppendPing(nil)})
		}
	}
}

var _ transport.Handler = (*leg)(nil)

package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
)

// This file moves a client from one app server to another while its transport stays (service-protocol §7.6). Its client notices a pause.
//
//  1. What the client sends is held from the next border of a hub message on.
//  2. The old app server finishes what it is at: it gets the time until it has been quiet for a moment. Then it is told to pause, and says
//     when nothing more will come.
//  3. It is told that the client moved, which it takes in silence; the new one gets the client with the id, the claims and the handshake that
//     the old one got, and what was held.

const (
	// borderWait is how long a client that is in the middle of a message may take to end it.
	borderWait = time.Second
	// quiet is how long the old app server must have sent nothing to count as done; quietMost bounds the wait for that.
	quiet     = 100 * time.Millisecond
	quietMost = 2 * time.Second
	// pauseWait is how long the old app server may take to say that it has paused. SDKs before late 2024 never say so.
	pauseWait = time.Second
)

// passport is what another app server needs to know to take a client over. It is kept for clients whose app server allows migration.
type passport struct {
	open      []byte // OpenConnection, as a frame
	handshake []byte
}

// move is a migration under way.
type move struct {
	// Guarded by Session.in.
	held []byte // what the client sent meanwhile

	border   chan struct{} // closed at the border of a hub message
	paused   chan struct{} // closed when the old app server has paused
	heardAt  atomic.Int64  // when it last sent something, in Unix nanoseconds
	bordered sync.Once
	acked    sync.Once
}

// Migrate moves the client to another app server, or ends it with leave to reconnect when that cannot be.
func (c *Session) Migrate(b *message.Batch) {
	c.mu.Lock()
	ok := c.phase == attached && c.replied && c.passport != nil && c.moving == nil
	if ok {
		c.moving = &move{border: make(chan struct{}), paused: make(chan struct{})}
		c.moving.heardAt.Store(time.Now().UnixNano())
	}
	m := c.moving
	c.mu.Unlock()
	switch {
	case ok:
		go c.migrate(m)
	case m == nil:
		c.LinkLost(b)
	}
}

// Paused is told that the old app server sends nothing more.
func (c *Session) Paused() {
	c.mu.Lock()
	m := c.moving
	c.mu.Unlock()
	if m != nil {
		m.acked.Do(func() { close(m.paused) })
	}
}

func (c *Session) migrate(m *move) {
	c.in.Lock()
	old := c.link
	c.hold = m
	if c.atBorder() {
		m.bordered.Do(func() { close(m.border) })
	}
	c.in.Unlock()
	wait(m.border, borderWait)
	m.waitQuiet()
	if old.Send(&svcproto.ConnectionFlowControl{ConnectionID: c.client.ID, ConnectionType: svcproto.ConnectionTypeClient, Operation: svcproto.FlowControlPause}) == nil {
		wait(m.paused, pauseWait)
	}

	b := message.Batch{}
	c.in.Lock()
	defer c.in.Unlock()
	moved := c.moveTo(old, m)
	c.hold = nil
	c.mu.Lock()
	c.moving = nil
	c.partial = nil // half a message of the old app server, whose rest will not come
	c.mu.Unlock()
	if !moved {
		c.LinkLost(&b)
		b.Flush()
		return
	}
	if len(m.held) > 0 {
		_ = c.take(m.held)
	}
}

// moveTo hands the client over; c.in is held. False means that there is nobody to hand it to.
func (c *Session) moveTo(old hub.Link, m *move) bool {
	next, err := c.hub.Move(&c.client, old)
	if err != nil {
		return false
	}
	_ = old.Send(&svcproto.CloseConnection{
		ConnectionID: c.client.ID,
		Headers:      []svcproto.Header{{Name: svcproto.HeaderMigrateTo, Values: []string{next.ServerID()}}},
	})
	open, err := c.passport.reopen(old.ServerID())
	if err != nil {
		return false
	}
	c.mu.Lock() // a refresh of the claims comes before the client opens there, or after
	c.reclaimLocked(open)
	err = next.Send(open)
	c.mu.Unlock()
	if err != nil {
		return false
	}
	c.link = next
	return next.Data(c.id, c.passport.handshake, svcproto.DataMessageTypeHandshake) == nil
}

// reopen is the message that the first app server got, with a word about where the client comes from.
func (p *passport) reopen(from string) (*svcproto.OpenConnection, error) {
	body, _, _, err := svcproto.Split(p.open, len(p.open))
	if err != nil {
		return nil, err
	}
	m := new(svcproto.OpenConnection)
	if err := m.Decode(body); err != nil {
		return nil, err
	}
	m.Headers = append(m.Headers, svcproto.Header{Name: svcproto.HeaderMigrateFrom, Values: []string{from}})
	return m, nil
}

// newPassport keeps what a later migration needs.
func newPassport(open *svcproto.OpenConnection, handshake []byte) *passport {
	return &passport{open: open.Append(nil), handshake: append([]byte(nil), handshake...)}
}

func wait(done <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// waitQuiet returns when the old app server has sent nothing for a moment.
func (m *move) waitQuiet() {
	end := time.Now().Add(quietMost)
	for time.Now().Before(end) {
		silent := time.Since(time.Unix(0, m.heardAt.Load()))
		if silent >= quiet {
			return
		}
		time.Sleep(quiet - silent)
	}
}

// atBorder reports whether the client's stream stands between two hub messages; c.in is held.
func (c *Session) atBorder() bool {
	if c.resume != nil {
		return true // its messages are passed on whole
	}
	return !c.inside
}

// advance notes where the stream stands after b; c.in is held.
func (c *Session) advance(b []byte) {
	if c.passport != nil && c.resume == nil {
		c.inside = !c.border.Advance(c.protocol(), b)
	}
}

// keep holds what the client sends during a move, but for the rest of a message that it was in the middle of. c.in is held.
func (c *Session) keep(b []byte) error {
	m := c.hold
	if !c.atBorder() {
		n := 0
		for n < len(b) && c.inside {
			c.advance(b[n : n+1])
			n++
		}
		if err := c.link.Data(c.id, b[:n], svcproto.DataMessageTypeUnknown); err != nil {
			return errOver
		}
		b = b[n:]
	}
	if c.atBorder() {
		m.bordered.Do(func() { close(m.border) })
	}
	if len(m.held)+len(b) > maxHeld {
		go c.giveUp(transport.ErrTooLarge)
		return errOver
	}
	m.held = append(m.held, b...)
	return nil
}

// maxHeld bounds what a client may send while it is moved.
const maxHeld = 16 << 20

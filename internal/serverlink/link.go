package serverlink

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
)

// Link is one server connection.
type Link struct {
	// Static after the handshake.
	server    *Server
	hub       *hub.Hub
	socket    *transport.Socket
	id        string
	serverID  string
	kind      svcproto.ServiceConnectionType
	migration svcproto.MigrationLevel
	address   string // of the app server, for the log
	stateful  bool
	refreshes bool // see RefreshesAuthentication
	settles   bool // the app server waits for a client's answer only some time after it has asked; see settleTime

	keys keyRequests

	load     atomic.Int64 // clients
	lastRead atomic.Int64 // Unix nanoseconds

	// Owned by keepAlive.
	tracing bool      // the app server numbers its messages
	askedAt time.Time // when one more link was asked for

	// Owned by the goroutine of run.
	batch   message.Batch
	in      reader
	scratch scratch
	asked   int // clients that were asked for a result

	mu       sync.Mutex
	room     sync.Cond // of mu: less waits, or the link is over
	pending  []byte    // service protocol frames that wait, behind room for a WebSocket header; empty when none do
	inflight []byte    // the memory of what is being written
	spare    []byte    // memory for pending to come
	controls []byte    // whole control frames, which go out between messages
	closeMsg []byte    // the close frame, which goes out last
	closing  bool      // nothing may be added
	held     bool      // pending and closeMsg wait for release
	writing  bool      // somebody writes, and will write what is added meanwhile
	err      error
	data     svcproto.ConnectionData // reused by Data
}

// headerRoom is the longest header of an unmasked frame.
const headerRoom = 10

var (
	errLinkOver = errors.New("the server connection is over")
	errTooSlow  = errors.New("the app server does not read: too much waits for it")
)

func newLink(s *Server, h *hub.Hub, conn net.Conn, id, serverID string) *Link {
	l := &Link{server: s, hub: h, socket: transport.NewSocket(conn), id: id, serverID: serverID}
	l.room.L = &l.mu
	l.batch.Pool = s.Pool
	l.lastRead.Store(time.Now().UnixNano())
	return l
}

// ServerID is the app server's id.
func (l *Link) ServerID() string { return l.serverID }

// Stateful says whether the app server lets clients use stateful reconnect.
func (l *Link) Stateful() bool { return l.stateful }

// Migrates says whether the app server lets its clients be moved when it goes down.
func (l *Link) Migrates() bool { return l.migration != svcproto.MigrationLevelOff }

// Load is how many clients the link carries.
func (l *Link) Load() int { return int(l.load.Load()) }

// Add changes the load.
func (l *Link) Add(n int) { l.load.Add(int64(n)) }

// Send queues a message.
func (l *Link) Send(m svcproto.Message) error {
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	if len(l.pending) > 16*l.server.Limits.QueueBytes {
		l.mu.Unlock()
		l.cut(errTooSlow)
		return errTooSlow
	}
	l.pending = m.Append(l.roomyLocked())
	return l.flushUnlock()
}

// Data queues bytes of a client, waiting for room.
func (l *Link) Data(client, payload []byte, kind svcproto.DataMessageType) error {
	l.mu.Lock()
	for l.err == nil && !l.closing && len(l.pending) > l.server.Limits.QueueBytes {
		l.room.Wait()
	}
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	l.data.ConnectionID, l.data.Payload, l.data.DataMessageType = client, payload, kind
	l.pending = l.data.Append(l.roomyLocked())
	l.data.ConnectionID, l.data.Payload = nil, nil
	return l.flushUnlock()
}

// release lets go what was held back.
func (l *Link) release() {
	l.mu.Lock()
	l.held = false
	_ = l.flushUnlock() // an error ends the link, which its reader notices
}

func (l *Link) usableLocked() error {
	if l.closing && l.err == nil {
		return errLinkOver
	}
	return l.err
}

// roomyLocked is what waits, with room for a header in front.
func (l *Link) roomyLocked() []byte {
	if len(l.pending) == 0 {
		if cap(l.pending) < headerRoom {
			l.pending = make([]byte, headerRoom, 4<<10)
		}
		return l.pending[:headerRoom]
	}
	return l.pending
}

// inlineRounds is how often one caller writes what others add before a goroutine takes over from it.
const inlineRounds = 4

// flushUnlock writes what waits, unless somebody does that already, and unlocks. It does not wait for the peer.
func (l *Link) flushUnlock() error {
	if l.writing {
		l.mu.Unlock()
		return nil
	}
	l.writing = true
	for range inlineRounds {
		out := l.takeLocked()
		if out == nil {
			l.writing = false
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		n, err := l.socket.TryWrite(out)
		if err != nil {
			l.cut(err)
			return errLinkOver
		}
		if n < len(out) {
			go l.flushLate(out[n:])
			return nil
		}
		l.mu.Lock()
	}
	l.mu.Unlock()
	go l.flushLate(nil)
	return nil
}

// flushLate writes late and then what waits, at the peer's pace.
func (l *Link) flushLate(late []byte) {
	for {
		if len(late) > 0 {
			if err := l.socket.Write(late); err != nil {
				l.cut(err)
				return
			}
		}
		l.mu.Lock()
		late = l.takeLocked()
		if late == nil {
			l.writing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// takeLocked takes what is to be written next; what it returned before has been written. It is nil when nothing waits.
func (l *Link) takeLocked() (out []byte) {
	const most = 256 << 10
	if l.spare == nil && cap(l.inflight) <= most {
		l.spare = l.inflight[:0]
	}
	l.inflight = nil
	switch {
	case l.err != nil:
	case len(l.controls) > 0:
		out, l.controls = l.controls, nil
	case l.held:
	case len(l.pending) > 0:
		l.inflight = l.pending
		l.pending, l.spare = l.spare, nil
		l.room.Broadcast()
		out = frameInPlace(l.inflight)
	case l.closeMsg != nil:
		out, l.closeMsg = l.closeMsg, nil
	}
	return out
}

// frameInPlace puts a header for a binary message right in front of the payload.
func frameInPlace(p []byte) []byte {
	switch n := len(p) - headerRoom; {
	case n < 126:
		p[8], p[9] = 0x80|byte(ws.OpBinary), byte(n)
		return p[8:]
	case n < 1<<16:
		p[6], p[7] = 0x80|byte(ws.OpBinary), 126
		binary.BigEndian.PutUint16(p[8:], uint16(n))
		return p[6:]
	default:
		p[0], p[1] = 0x80|byte(ws.OpBinary), 127
		binary.BigEndian.PutUint64(p[2:], uint64(n))
		return p
	}
}

// pong answers a ping.
func (l *Link) pong(payload []byte) {
	l.mu.Lock()
	if l.usableLocked() == nil && len(l.controls) < 16<<10 { // nobody needs that many answers
		l.controls = append(l.controls, 0x80|byte(ws.OpPong), byte(len(payload)))
		l.controls = append(l.controls, payload...)
	}
	_ = l.flushUnlock()
}

// closeTimeout is how long the peer may take to answer a close frame.
const closeTimeout = 5 * time.Second

// end writes what waits and then a close frame; the peer has 5 s to answer it.
func (l *Link) end(code ws.StatusCode, reason string) {
	l.mu.Lock()
	if l.usableLocked() != nil {
		l.mu.Unlock()
		return
	}
	l.closing = true
	l.closeMsg = append([]byte{0x80 | byte(ws.OpClose), byte(2 + len(reason)), byte(code >> 8), byte(code)}, reason...)
	l.room.Broadcast()
	_ = l.flushUnlock()
	_ = l.socket.Conn().SetReadDeadline(time.Now().Add(closeTimeout))
}

// cut ends the link at once. The first error stays.
func (l *Link) cut(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.room.Broadcast()
	l.mu.Unlock()
	_ = l.socket.Conn().Close() // the reader ends and cleans up
}

var _ hub.Link = (*Link)(nil)

package session

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/transport/longpoll"
)

// Session is one client connection from negotiate to its end. It is the handler of its transport and the receiver of its hub.
//
// Lock order: in → mu. Neither is held while a transport or a link that may block is called, but for in, which is what makes the client wait
// for its app server.
type Session struct {
	service *Service
	hub     *hub.Hub
	token   string
	client  hub.Client
	id      []byte // client.ID, for frames

	open    atomic.Bool // the handshake's reply is out: multicasts go straight to the transport
	replied bool        // guarded by mu; open follows it

	// in serialises what comes from the client and guards what follows.
	in        sync.Mutex
	handshake []byte   // what has come of the handshake record
	link      hub.Link // set once the client is attached
	border    hubproto.Border
	inside    bool  // a hub message of the client is not whole yet; only followed where a migration may come
	hold      *move // keeps what the client sends, while the client is moved to another app server

	mu       sync.Mutex
	phase    phase
	kind     transport.Kind // 0: none has been chosen
	conn     transport.Conn // set before the phase is connected, then never changed
	early    []byte         // what was posted before the transport opened
	greeting *greeting      // until the handshake is done
	held     []*message.Message
	partial  []byte // of a hub message from the app server
	closing  bool   // the app server has sent a hub-protocol close
	deadline time.Time
	pollGap  time.Duration
	expires  time.Time // when to close because the user's authentication ends; zero: never
	category Category
	finished bool // Gone has run

	claims []byte // where an app server may ask for them, or has changed them; guarded by mu

	passport *passport // where the app server allows migration; set in the handshake, guarded by in and mu
	moving   *move     // guarded by mu

	address  string    // of the client, for the log; set before the transport opens
	counted  client    // what quotas count it as; set before the transport opens
	lifeEnds time.Time // when the client has been here for as long as it may; zero: never

	stateful   bool    // the client asked for stateful reconnect, and was promised it; static
	countsLate bool    // see quietTime; set before the transport opens
	resume     *resume // set in the handshake when the client uses it, then never changed; guarded by in and mu
}

// greeting is what is needed to open the client at an app server.
type greeting struct {
	open   *svcproto.OpenConnection
	sticky hub.Sticky
	server string
}

type phase uint8

const (
	negotiated phase = iota // waits for its transport
	connected               // waits for the hub protocol's handshake
	attached                // belongs to an app server
	over                    // nothing more will be taken or sent, but for what waits
)

var (
	errOver    = errors.New("the connection is over")
	errTooMuch = errors.New("too much was sent before the transport was opened")

	errThrottled = errors.New("the client sent more than a traffic rule of the instance allows")
)

// maxEarly bounds what is kept for a client that posts before it has opened its transport.
const maxEarly = 64 << 10

func (s *Service) newSession(hubName string, token *auth.Token) *Session {
	user, hasUser := token.UserID()
	c := &Session{service: s, hub: s.Registry.Hub(hubName), token: s.newID()}
	c.client.ID = s.newID()
	c.client.UserID, c.client.HasUser = user, hasUser
	c.client.Receiver = c
	c.id = []byte(c.client.ID)
	c.deadline = time.Now().Add(s.settings.Load().Limits.ConnectTimeout)
	return c
}

type claimResult int

const (
	claimed claimResult = iota
	otherTransport
	taken
	resumable // by stateful reconnect
	gone
)

// claim chooses the transport, once.
func (c *Session) claim(k transport.Kind) claimResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.kind != 0 && c.kind != k:
		return otherTransport
	case c.resumableLocked():
		return resumable
	case c.resume != nil:
		return gone // the app server has ended it: it must not come back
	case c.kind != 0:
		return taken
	case c.phase == over:
		return gone
	}
	c.kind = k
	return claimed
}

// drop forgets a session whose transport did not open.
func (c *Session) drop(why Category) {
	c.mu.Lock()
	c.phase, c.category = over, why
	c.mu.Unlock()
	c.service.remove(c)
}

// start gives the session its transport. What was posted before is taken now.
func (c *Session) start(conn transport.Conn, token *auth.Token, open *svcproto.OpenConnection) {
	claims := token.Settings()
	limits := &c.service.settings.Load().Limits
	handshake := limits.HandshakeTimeout
	if _, asked := token.First("asrs.s.cht"); asked {
		handshake = claims.HandshakeTimeout
	}
	c.in.Lock()
	defer c.in.Unlock()
	c.mu.Lock()
	c.conn = conn
	if c.phase == over { // the service went down while the transport opened
		c.mu.Unlock()
		c.service.Observer.ClientOpened(conn.Kind())
		conn.Abort(nil)
		return
	}
	c.phase = connected
	c.greeting = &greeting{open: open, sticky: sticky(claims.Sticky), server: claims.ServerID}
	c.deadline = time.Now().Add(handshake)
	c.pollGap = limits.PollGap
	if claims.MaxPollInterval > 0 {
		c.pollGap = claims.MaxPollInterval
	}
	if claims.CloseOnExpiration {
		c.expires = claims.Expiration
	}
	if life := c.service.quotas.lifetime(); life > 0 {
		c.lifeEnds = time.Now().Add(life)
	}
	early := c.early
	c.early = nil
	c.mu.Unlock()
	c.service.Observer.ClientOpened(conn.Kind())
	c.trace("ConnectionStarted", telemetry.Informational, "")
	if len(early) > 0 {
		_ = c.take(early)
	}
}

func sticky(s auth.Sticky) hub.Sticky {
	switch s {
	case auth.StickyPreferred:
		return hub.StickyPreferred
	case auth.StickyRequired:
		return hub.StickyRequired
	}
	return hub.StickyDisabled
}

// polling is the long-polling connection, or nil when the client has another transport or none.
func (c *Session) polling() *longpoll.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, _ := c.conn.(*longpoll.Conn)
	return conn
}

func (c *Session) postable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kind != transport.WebSockets
}

var chunks = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// receiveAll takes the body of a POST. Several at once wait for each other.
func (c *Session) receiveAll(body io.Reader) error {
	chunk := chunks.Get().(*[16 << 10]byte)
	defer chunks.Put(chunk)
	c.in.Lock()
	defer c.in.Unlock()
	for {
		n, err := body.Read(chunk[:])
		if n > 0 {
			if !c.countInbound(n) {
				go c.giveUp(errThrottled)
				return errOver
			}
			if err := c.take(chunk[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Receive takes bytes from the transport.
func (c *Session) Receive(b []byte) error {
	if !c.countInbound(len(b)) {
		return errThrottled
	}
	c.in.Lock()
	defer c.in.Unlock()
	if err := c.take(b); err != nil && !errors.Is(err, errOver) {
		return err
	}
	return nil // after the end, the transport still waits for the client to go
}

// countInbound counts bytes of the client; false means that they are more than it may send.
func (c *Session) countInbound(n int) bool {
	c.service.Observer.Inbound(n)
	return c.service.quotas.received(c.counted, n, time.Now())
}

// take passes bytes on, in whatever pieces they come; c.in is held.
func (c *Session) take(b []byte) error {
	if c.link != nil { // only a session that is attached has one
		c.client.AwaitSettled()
		if c.hold != nil {
			return c.keep(b)
		}
		if c.resume != nil {
			return c.takeCounted(b)
		}
		return c.forward(b)
	}
	c.mu.Lock()
	switch c.phase {
	case negotiated:
		defer c.mu.Unlock()
		if len(c.early)+len(b) > maxEarly {
			return errTooMuch
		}
		c.early = append(c.early, b...)
		return nil
	case connected:
		c.mu.Unlock()
		return c.shakeHands(b)
	default:
		c.mu.Unlock()
		return errOver
	}
}

// forward sends the client's bytes to its app server, and waits when that does not read.
func (c *Session) forward(b []byte) error {
	c.advance(b)
	if err := c.link.Data(c.id, b, svcproto.DataMessageTypeUnknown); err != nil {
		return errOver // the link is gone; the hub says so to the client
	}
	return nil
}

// settle stops watching the session's time, unless something is left to watch for.
func (c *Session) settle() {
	c.mu.Lock()
	watch := c.kind == transport.LongPolling || !c.expires.IsZero() || !c.lifeEnds.IsZero() || c.resume != nil
	c.mu.Unlock()
	if !watch {
		c.service.unwatch(c)
	}
}

// Deliver queues a message that was sent to many. Before the handshake's reply is out it waits behind that.
func (c *Session) Deliver(m *message.Message, b *message.Batch) {
	if c.open.Load() {
		c.conn.Push(m, b)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == over:
	case c.replied:
		c.pushLocked(m, b)
	default:
		c.held = append(c.held, m)
	}
}

// Data queues what the client's own app server sends.
func (c *Session) Data(d *svcproto.ConnectionData, b *message.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != attached {
		return
	}
	if c.moving != nil {
		c.moving.heardAt.Store(time.Now().UnixNano())
	}
	payload := d.Payload
	if !c.replied {
		payload = c.replyLocked(payload, b)
	}
	if len(payload) == 0 {
		return
	}
	p := c.protocol()
	if len(c.partial) > 0 || !p.Complete(payload) {
		// What a client gets at once must be whole hub messages: most do not put pieces together.
		if len(c.partial)+len(payload) > maxPartial {
			go c.giveUp(transport.ErrTooLarge)
			return
		}
		c.partial = append(c.partial, payload...)
		if !p.Complete(c.partial) {
			return
		}
		payload, c.partial = c.partial, nil
	}
	if d.DataMessageType == svcproto.DataMessageTypeClose || endsInClose(p, payload) {
		c.closing = true
	}
	c.pushLocked(message.New(payload, c.client.Binary), b)
}

// maxPartial bounds a hub message that an app server sends in pieces.
const maxPartial = 64 << 20

func (c *Session) protocol() hubproto.Protocol { return hubproto.ProtocolFor(c.client.Protocol) }

// replyLocked sends the handshake's reply and what waited for it, and returns what came behind it.
func (c *Session) replyLocked(payload []byte, b *message.Batch) (rest []byte) {
	if len(c.partial) > 0 {
		payload = append(c.partial, payload...)
		c.partial = nil
	}
	record, rest, ok := hubproto.SplitRecord(payload)
	if !ok {
		c.partial = append([]byte(nil), payload...)
		return nil
	}
	// A client reads an error as text whatever protocol it asked for.
	refused := bytes.HasPrefix(record, []byte(`{"error"`))
	c.conn.Push(message.New(payload[:len(record)+1], c.client.Binary && !refused), b)
	if refused {
		c.closing = true
		c.category = HandshakeError
	}
	if r := c.resume; r != nil && c.countsLate && !refused && !r.spoke.Load() {
		r.quiet = true
		time.AfterFunc(quietTime, c.speakUp)
	}
	for _, m := range c.held {
		c.pushLocked(m, b)
	}
	c.held = nil
	c.replied = true
	c.open.Store(c.resume == nil) // with stateful reconnect every message is numbered
	return rest
}

// endsInClose finds the hub-protocol close of app servers that do not mark it.
func endsInClose(p hubproto.Protocol, payload []byte) bool {
	if len(payload) > 1<<10 {
		return false
	}
	for len(payload) > 0 {
		m, size, err := p.Next(payload, len(payload))
		if err != nil || size == 0 {
			return false
		}
		payload = payload[size:]
		if len(payload) == 0 {
			t, err := p.TypeOf(m)
			return err == nil && t == hubproto.Close
		}
	}
	return false
}

// finish ends the session from this side: last words, then the transport's proper end. It does nothing when the session is over already.
// The texts are what goes into a handshake's error, when the client is not that far, or into a close.
func (c *Session) finish(why Category, handshakeText, closeText string, allowReconnect bool, b *message.Batch) bool {
	c.mu.Lock()
	if c.phase == over {
		c.mu.Unlock()
		return false
	}
	before := c.phase
	c.phase = over
	if c.category == "" {
		c.category = why
	}
	c.held, c.partial, c.greeting = nil, nil, nil
	conn := c.conn
	if conn != nil {
		switch {
		case !c.replied:
			conn.Push(message.New(hubproto.AppendHandshakeResponse(nil, handshakeText), false), b)
		case !c.closing:
			c.speakUpLocked(b)
			conn.Push(message.New(c.protocol().AppendClose(nil, closeText, allowReconnect), c.client.Binary), b)
		}
	}
	c.mu.Unlock()
	if before == attached {
		c.hub.Detach(&c.client)
	}
	if conn == nil { // it has not come yet, or is away
		if before == negotiated {
			c.service.remove(c)
		} else {
			c.Gone(nil)
		}
		return true
	}
	conn.End(b)
	if conn.Kind() != transport.LongPolling {
		c.service.remove(c) // a poller has yet to fetch its last words
	} else {
		c.service.watch(c)
	}
	return true
}

// refuse ends a client because of what it sent, and tells its app server, if it is at one already.
func (c *Session) refuse(text string, why Category) {
	link := c.client.Link()
	b := message.Batch{}
	if c.finish(why, text, text, false, &b) {
		c.tell(link, text)
	}
	b.Flush()
}

// Close ends the client for its own app server, which needs no answer.
func (c *Session) Close(errorText string, b *message.Batch) {
	text := errorText
	if text == "" {
		text = hubproto.HandshakeFailed
	}
	c.finish(ClosedByAppServer, text, errorText, false, b)
}

// Kick ends the client and tells its app server why.
func (c *Session) Kick(reason string, b *message.Batch) {
	link := c.client.Link()
	text := reason
	if text == "" {
		text = hubproto.HandshakeFailed
	}
	if c.finish(ClosedByAppServer, text, reason, false, b) {
		c.tell(link, reason)
	}
}

// tell lets the app server know that the client is gone.
func (c *Session) tell(link hub.Link, errorText string) {
	if link != nil {
		_ = link.Send(&svcproto.CloseConnection{ConnectionID: c.client.ID, Error: errorText})
	}
}

// textServerLost is ASP.NET Core's text for an end that is nobody's wish.
const textServerLost = "Connection closed with an error."

// LinkLost ends the client because its app server went away; it may come back at once.
func (c *Session) LinkLost(b *message.Batch) {
	c.finish(ServerConnectionClosed, textNoServer, textServerLost, true, b)
}

// reload ends the client because the service goes down.
func (c *Session) reload(b *message.Batch) {
	link := c.client.Link()
	const text = "Service reloading, please reconnect."
	if c.finish(ServiceReload, text, text, true, b) {
		c.tell(link, text)
	}
}

// leave ends a long-polling connection that its client deleted. It returns when nothing is known of it any more.
func (c *Session) leave() {
	b := message.Batch{}
	c.conn.End(&b)
	b.Flush()
	c.Gone(nil)
}

// Gone is told by the transport that it is over.
func (c *Session) Gone(reason error) {
	c.mu.Lock()
	if c.finished {
		c.mu.Unlock()
		return
	}
	c.finished = true
	first := c.phase != over
	wasAttached := c.phase == attached
	c.phase = over
	if c.category == "" {
		c.category = categoryOf(reason)
	}
	c.held, c.partial, c.greeting = nil, nil, nil
	c.mu.Unlock()
	c.service.remove(c)
	if first && wasAttached {
		text := ""
		if reason != nil {
			text = reason.Error()
		}
		c.tell(c.hub.Detach(&c.client), text)
	}
	c.service.Observer.ClientClosed(c.kind, c.category)
	c.traceEnd(reason)
}

func categoryOf(reason error) Category {
	switch {
	case errors.Is(reason, transport.ErrSlowClient), errors.Is(reason, transport.ErrWriteTimeout):
		return SlowClient
	case errors.Is(reason, errThrottled):
		return Throttled
	case errors.Is(reason, transport.ErrPollMissed):
		return PingTimeout
	case errors.Is(reason, transport.ErrProtocol), errors.Is(reason, transport.ErrTooLarge):
		return BadRequest
	}
	return Normal
}

// tick looks whether the session has waited too long.
func (c *Session) tick(now time.Time, b *message.Batch) {
	c.mu.Lock()
	ph, late := c.phase, now.After(c.deadline)
	opening := c.kind != 0 // its transport is about to be there
	expired := !c.expires.IsZero() && now.After(c.expires)
	outlived := !c.lifeEnds.IsZero() && now.After(c.lifeEnds)
	poll, _ := c.conn.(*longpoll.Conn)
	gap := c.pollGap
	resumes := c.resume != nil
	c.mu.Unlock()
	switch {
	case ph == negotiated && late && !opening:
		c.drop(Normal)
	case ph == connected && late:
		c.finish(HandshakeError, hubproto.HandshakeCanceled, "", false, b)
	case ph == attached && expired:
		link := c.client.Link()
		const text = "The authentication of the user has expired."
		if c.finish(Unauthorized, text, text, true, b) {
			c.tell(link, text)
		}
	case ph == attached && outlived:
		link := c.client.Link()
		const text = "The connection has reached its maximum lifetime."
		if c.finish(Normal, text, text, true, b) {
			c.tell(link, text)
		}
	}
	if poll != nil && poll.Idle(now) > gap {
		poll.Abort(transport.ErrPollMissed)
	}
	if resumes && ph == attached {
		c.tickResume(now)
	}
}

var (
	_ transport.Handler = (*Session)(nil)
	_ hub.Receiver      = (*Session)(nil)
)

package session

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/upstream"
)

// serverlessLink is the link of one serverless client.
type serverlessLink struct {
	service  *Service
	session  *Session
	protocol hubproto.Protocol // static once greeted
	open     *svcproto.OpenConnection
	claims   atomic.Pointer[[]svcproto.Claim] // in the place of those of open; nil: they are the same
	patient  bool                             // the transport keeps itself alive: no pings, and silence means nothing

	spoke spoke // guarded by the wheel

	// Owned by the client's reader, which alone calls Data.
	greeted bool
	partial []byte // the beginning of a hub message

	mu       sync.Mutex
	room     sync.Cond // of mu: fewer events wait, or the client is over
	events   []serverlessEvent
	bytes    int       // of the bodies of events
	working  bool      // a goroutine sends events
	blocked  bool      // the reader waits for room
	over     bool      // the client is gone; its last event is queued
	accepted bool      // the handshake was, so that there is a first and a last event
	heard    time.Time // when the client last said something
	pingAt   time.Time
	asked    map[string]struct{} // invocations that the client has been asked for a result of
}

// serverlessEvent is an event on its way to the upstream.
type serverlessEvent struct {
	upstream.Event
	invocationID string // the client waits for a completion, unless it is ""
}

// Bounds of what may wait for the upstream of one client; then the client is read no further.
const (
	maxEvents     = 64
	maxEventBytes = 1 << 20
	maxAsked      = 1024
)

func newServerlessLink(c *Session) *serverlessLink {
	l := &serverlessLink{service: c.service, session: c, patient: c.kind == transport.LongPolling}
	l.room.L = &l.mu
	return l
}

// ServerID is empty: there is no app server.
func (l *serverlessLink) ServerID() string { return "" }

// Stateful is false: nobody numbers what a serverless client is sent.
func (l *serverlessLink) Stateful() bool { return false }

// Migrates is false: there is nowhere else to go.
func (l *serverlessLink) Migrates() bool { return false }

// Load is the one client.
func (l *serverlessLink) Load() int { return 1 }

// Add does nothing: the link comes and goes with its client.
func (l *serverlessLink) Add(int) {}

// Send is told what an app server would be told of the client.
func (l *serverlessLink) Send(m svcproto.Message) error {
	switch m := m.(type) {
	case *svcproto.OpenConnection:
		l.open = m
	case *svcproto.CloseConnection:
		l.end(m.Error)
	case *svcproto.UpdateConnectionClaims:
		l.claims.Store(&m.Claims)
	case *svcproto.ClientInvocation:
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.asked == nil {
			l.asked = make(map[string]struct{})
		}
		if len(l.asked) >= maxAsked {
			clear(l.asked) // whoever asked gets an answer when the time for it is up
		}
		l.asked[m.InvocationID] = struct{}{}
	}
	return nil
}

// Data takes bytes of the client: the handshake, and then hub messages in whatever pieces. It waits while too many events of the client do.
func (l *serverlessLink) Data(_, payload []byte, kind svcproto.DataMessageType) error {
	l.mu.Lock()
	l.heard = time.Now()
	over := l.over
	l.mu.Unlock()
	switch {
	case over:
		return errOver
	case kind == svcproto.DataMessageTypeHandshake:
		return l.greet(payload)
	case !l.greeted:
		return errOver
	}
	if len(l.partial) > 0 {
		payload = append(l.partial, payload...)
		l.partial = payload
	}
	limit := int(l.service.settings.Load().Limits.MessageBytes)
	for len(payload) > 0 {
		m, size, err := l.protocol.Next(payload, limit)
		if err != nil {
			return l.close(BadRequest, hubproto.ClosedWithError, false)
		}
		if size == 0 {
			break
		}
		if err := l.take(m); err != nil {
			return err
		}
		payload = payload[size:]
	}
	if len(payload) == 0 {
		l.partial = nil
		return nil
	}
	l.partial = append(l.partial[:0], payload...)
	return nil
}

// greet answers the handshake and announces the client to the upstream.
func (l *serverlessLink) greet(payload []byte) error {
	record, _, ok := hubproto.SplitRecord(payload)
	if !ok {
		return l.refuse(hubproto.HandshakeFailed)
	}
	request, err := hubproto.ParseHandshakeRequest(record)
	switch {
	case err != nil:
		return l.refuse(hubproto.HandshakeFailed)
	case !strings.EqualFold(request.Protocol, hubproto.JSON.String()) && !strings.EqualFold(request.Protocol, hubproto.MessagePack.String()):
		return l.refuse(hubproto.UnsupportedProtocol(request.Protocol))
	case request.Version > hubproto.MaxVersion:
		return l.refuse(hubproto.UnsupportedVersion(request.Protocol, request.Version))
	}
	l.protocol = hubproto.ProtocolFor(request.Protocol)
	l.greeted = true
	settings := l.service.settings.Load()
	l.mu.Lock()
	l.accepted = true
	l.pingAt = l.heard.Add(settings.KeepAlive)
	due := l.pingAt
	if l.service.Upstream != nil { // under the lock, so that no end comes before it
		l.service.Upstream.ClientConnected(l.identity())
	}
	l.mu.Unlock()
	l.reply(hubproto.AppendHandshakeResponse(nil, ""))
	if !l.patient {
		l.service.serverless.wheel.add(l, due)
		l.leaveWheelIfOver()
	}
	return l.queue(l.event(upstream.CategoryConnections, upstream.EventConnected, []byte(`{"type":10}`)), true)
}

func (l *serverlessLink) refuse(text string) error {
	l.session.refuse(text, HandshakeError)
	l.end("")
	return errOver
}

// reply sends the client bytes of its own.
func (l *serverlessLink) reply(payload []byte) {
	b := message.Batch{}
	l.session.Data(&svcproto.ConnectionData{Payload: payload}, &b)
	b.Flush()
	l.service.Sent(1)
	l.service.Observer.Outbound(1, len(payload))
}

// close ends the client from here. It returns errOver.
func (l *serverlessLink) close(why Category, text string, allowReconnect bool) error {
	b := message.Batch{}
	l.session.finish(why, text, text, allowReconnect, &b)
	b.Flush()
	l.end(text)
	return errOver
}

// end queues the last event, and lets go of a reader that waits.
func (l *serverlessLink) end(errorText string) {
	l.service.serverless.wheel.remove(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	l.room.Broadcast()
	if !l.accepted {
		return
	}
	body := []byte(`{"type":11,"error":null}`)
	if errorText != "" {
		quoted, _ := json.Marshal(errorText) // a string always can be
		body = append(append([]byte(`{"type":11,"error":`), quoted...), '}')
	}
	l.queueLocked(l.event(upstream.CategoryConnections, upstream.EventDisconnected, body))
	if l.service.Upstream != nil {
		l.service.Upstream.ClientDisconnected(l.identity(), errorText)
	}
}

// leaveWheelIfOver is called after the wheel was joined: the end may have come just before.
func (l *serverlessLink) leaveWheelIfOver() {
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if over {
		l.service.serverless.wheel.remove(l)
	}
}

// The pings, one message for all clients of a hub protocol.
var (
	pingJSON        = message.New(hubproto.JSON.AppendPing(nil), false)
	pingMessagePack = message.New(hubproto.MessagePack.AppendPing(nil), true)
)

// check pings the client when that is due, or ends it when it has been silent for too long. It returns when to look again.
func (l *serverlessLink) check(now time.Time, b *message.Batch) (next time.Time, goesOn bool) {
	settings := l.service.settings.Load()
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return time.Time{}, false
	}
	if l.blocked {
		l.heard = now // it may have said much that nobody has read
	}
	silentAt := l.heard.Add(settings.ClientTimeout)
	ping := !now.Before(l.pingAt)
	if ping {
		l.pingAt = now.Add(settings.KeepAlive)
	}
	next = l.pingAt
	l.mu.Unlock()
	if !now.Before(silentAt) {
		l.session.finish(PingTimeout, hubproto.HandshakeCanceled, hubproto.ClosedWithError, true, b)
		l.end("the client has been silent for longer than the client timeout")
		return time.Time{}, false
	}
	if ping {
		m := pingJSON
		if l.protocol == hubproto.MessagePack {
			m = pingMessagePack
		}
		l.session.Deliver(m, b)
	}
	if silentAt.Before(next) {
		next = silentAt
	}
	return next, true
}

// sooner lets no ping be later than the settings say. It is false for a client that is not looked after.
func (l *serverlessLink) sooner(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.accepted || l.over || l.patient {
		return false
	}
	if due := now.Add(l.service.settings.Load().KeepAlive); due.Before(l.pingAt) {
		l.pingAt = due
	}
	return true
}

// Texts of completions for what cannot be done without an app server.
const (
	textNoStreams   = "Streams are not supported in the Serverless service mode."
	textNoUpstream  = "No upstream endpoint takes the invocation."
	textBadUpstream = "Invocation failed, the response is not a completion of the invocation."
	textTooLarge    = "Invocation failed, response too large."
	textNowhere     = "The client sent a message, but the service has no upstream to send it to."
)

// take does what one hub message asks for.
func (l *serverlessLink) take(m []byte) error {
	t, err := l.protocol.TypeOf(m)
	if err != nil {
		return l.close(BadRequest, hubproto.ClosedWithError, false)
	}
	switch t {
	case hubproto.Close:
		return l.close(Normal, "", false)
	case hubproto.Invocation, hubproto.StreamInvocation, hubproto.Completion:
	default:
		return nil // pings, and what belongs to streams that were refused
	}
	parsed, err := l.protocol.Parse(m)
	if hubproto.IsMalformed(err) {
		return l.close(BadRequest, hubproto.ClosedWithError, false)
	}
	switch {
	case t == hubproto.Completion:
		l.complete(parsed.InvocationID, m)
		return nil
	case !l.service.upstreamConfigured():
		return l.close(InvokeUpstreamFailed, textNowhere, false)
	case t == hubproto.StreamInvocation || len(parsed.StreamIDs) > 0:
		l.fail(parsed.InvocationID, textNoStreams)
		return nil
	case err != nil: // the arguments cannot be read
		l.fail(parsed.InvocationID, "Failed to invoke '"+parsed.Target+"' due to an error on the server.")
		return nil
	}
	e := l.event(upstream.CategoryMessages, parsed.Target, append([]byte(nil), m...))
	if l.protocol == hubproto.MessagePack {
		e.ContentType = upstream.ContentTypeMessagePack
	}
	e.invocationID = parsed.InvocationID
	return l.queue(e, true)
}

// fail answers an invocation, if an answer is wanted.
func (l *serverlessLink) fail(invocationID, text string) {
	if invocationID != "" {
		l.reply(l.protocol.AppendCompletionError(nil, invocationID, text))
	}
}

// complete passes a result on to whoever asked the client for it.
func (l *serverlessLink) complete(invocationID string, m []byte) {
	l.mu.Lock()
	_, asked := l.asked[invocationID]
	delete(l.asked, invocationID)
	l.mu.Unlock()
	if !asked {
		return
	}
	l.session.hub.Complete(l, &svcproto.ClientCompletion{
		InvocationID: invocationID, ConnectionID: l.session.client.ID, Protocol: l.session.client.Protocol, Payload: frame(l.protocol, m),
	})
}

// frame puts the framing of its hub protocol around one message.
func frame(p hubproto.Protocol, m []byte) []byte {
	return p.AppendFrame(make([]byte, 0, len(m)+5), m)
}

var _ hub.Link = (*serverlessLink)(nil)

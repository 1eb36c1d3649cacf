package session

import (
	"errors"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/transport"
)

// shakeHands collects the handshake record, and then opens the client at an app server.
func (c *Session) shakeHands(b []byte) error {
	if len(c.handshake)+len(b) > hubproto.MaxHandshakeBytes {
		// As ASP.NET Core does it: no answer, until the time for the handshake is up.
		b = b[:max(0, hubproto.MaxHandshakeBytes-len(c.handshake))]
	}
	c.handshake = append(c.handshake, b...)
	record, rest, ok := hubproto.SplitRecord(c.handshake)
	if !ok {
		return nil
	}
	request, err := hubproto.ParseHandshakeRequest(record)
	if err != nil {
		return c.refuseHandshake(hubproto.HandshakeFailed, HandshakeError)
	}
	binary := hubproto.ProtocolFor(request.Protocol).Binary()
	if binary && c.kind == transport.ServerSentEvents {
		return c.refuseHandshake(hubproto.UnsupportedTransferFormat(request.Protocol), HandshakeError)
	}
	c.client.Protocol, c.client.Binary = strings.ToLower(request.Protocol), binary
	record = c.handshake[:len(record)+1]
	c.mu.Lock()
	if c.phase != connected {
		c.mu.Unlock()
		return errOver
	}
	g := c.greeting
	c.greeting = nil
	c.phase = attached
	if c.stateful && request.Version == statefulVersion {
		// The app server knows nothing of it, and old ones refuse the version.
		c.resume = newResume()
		record = hubproto.AppendHandshakeRequest(nil, hubproto.HandshakeRequest{Protocol: request.Protocol, Version: statefulVersion - 1})
	}
	c.mu.Unlock()

	link, err := c.attach(g)
	if err != nil {
		why := NoAvailableServerConnection
		text := textNoServer
		if errors.Is(err, hub.ErrServerNotFound) {
			why, text = ServerConnectionNotFound, "The server which the client is sticky to is not found."
		}
		return c.refuseHandshake(text, why)
	}
	c.link = link
	g.open.Protocol = c.client.Protocol
	if link.Migrates() {
		p := newPassport(g.open, record)
		c.mu.Lock()
		c.passport = p
		c.mu.Unlock()
	}
	c.keepClaims(link, g.open.Claims)
	if err := link.Send(g.open); err != nil {
		// The link may have told its clients of its end before this one was among them.
		b := message.Batch{}
		c.LinkLost(&b)
		b.Flush()
		return errOver
	}
	c.mu.Lock()
	ended := c.phase == over
	c.mu.Unlock()
	if ended { // before the app server knew of it: whoever ends it from here on says so
		c.hub.Detach(&c.client)
		c.tell(link, "")
		return errOver
	}
	c.settle()
	_ = link.Data(c.id, record, svcproto.DataMessageTypeHandshake)
	c.handshake = nil
	if len(rest) > 0 {
		return c.take(rest)
	}
	return nil
}

// refusalDelay is how long the refusal of a handshake that was posted is held back.
const refusalDelay = 250 * time.Millisecond

// refuseHandshake ends a client whose handshake cannot be taken. When it was posted, the response to the POST goes out first, and is 200: the
// JavaScript client awaits that before it listens to the promise of the handshake, and a promise that is rejected before ends Node.
func (c *Session) refuseHandshake(text string, why Category) error {
	if c.postable() {
		c.mu.Lock()
		if c.phase == connected {
			c.phase = attached // what comes now is too late
		}
		c.mu.Unlock()
		time.AfterFunc(refusalDelay, func() { c.refuse(text, why) })
		return nil
	}
	c.refuse(text, why)
	return errOver
}

// statefulVersion is the version of the hub protocol with which a client uses stateful reconnect.
const statefulVersion = 2

// textNoServer is what the client of a hub without an app server is told.
const textNoServer = "No server available."

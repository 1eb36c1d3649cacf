package hub

import (
	"time"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// invocationLifetime is how long an app server's question to a client is remembered (service-protocol: pending client invocation).
const invocationLifetime = 10 * time.Minute

// invocation is a client result that an app server waits for.
type invocation struct {
	caller       Link
	callerServer string
	client       *Client
	until        time.Time
}

// Texts of failed client results; the caller's SDK shows them.
const (
	textNoClient   = "The client connection does not exist."
	textClientGone = "The client connection was closed before it gave a result."
	textNoPayload  = "The invocation has no payload for the client's hub protocol."
	textTimedOut   = "The client did not give a result in time."
)

// Invoke asks a client for a result on behalf of an app server, whose link caller is. Whatever happens, the caller gets an answer: the
// client's, or an error.
func (h *Hub) Invoke(caller Link, m *svcproto.ClientInvocation, b *message.Batch) {
	fail := func(text string) {
		_ = caller.Send(&svcproto.ErrorCompletion{InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: m.CallerServerID, Error: text})
	}
	c := h.Client(m.ConnectionID)
	if c == nil {
		fail(textNoClient)
		return
	}
	p := prepared{payloads: m.Payloads}
	msg := p.message(c)
	if msg == nil {
		fail(textNoPayload)
		return
	}
	inv := &invocation{caller: caller, callerServer: caller.ServerID(), client: c, until: time.Now().Add(invocationLifetime)}
	h.mu.Lock()
	if h.invocations == nil {
		h.invocations = make(map[string]*invocation)
	}
	h.invocations[m.InvocationID] = inv
	h.mu.Unlock()

	// The app server that has the client must know of the question before the answer can reach it.
	if router := c.Link(); router != nil && router.ServerID() != inv.callerServer {
		_ = router.Send(&svcproto.ClientInvocation{InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: m.CallerServerID})
		_ = caller.Send(&svcproto.ServiceMapping{InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, InstanceID: h.registry.InstanceID})
	}
	c.Receiver.Deliver(msg, b)
	if h.Client(m.ConnectionID) != c { // it left meanwhile, perhaps before the question was noted
		h.failInvocationsOf(c)
	}
}

// take forgets a pending invocation and returns it, or nil.
func (h *Hub) take(id string) *invocation {
	h.mu.Lock()
	defer h.mu.Unlock()
	inv := h.invocations[id]
	delete(h.invocations, id)
	return inv
}

// Complete passes a client's answer on to the app server that asked. Nothing is sent when that is the one that has the client.
func (h *Hub) Complete(from Link, m *svcproto.ClientCompletion) {
	inv := h.take(m.InvocationID)
	if inv == nil || inv.callerServer == from.ServerID() {
		return
	}
	h.answer(inv, m)
}

// CompleteWithError is [Hub.Complete] for a client that answered with an error.
func (h *Hub) CompleteWithError(from Link, m *svcproto.ErrorCompletion) {
	inv := h.take(m.InvocationID)
	if inv == nil || inv.callerServer == from.ServerID() {
		return
	}
	h.answer(inv, m)
}

// answer sends on the caller's link or, when that is over, on another one of the same app server.
func (h *Hub) answer(inv *invocation, m svcproto.Message) {
	if inv.caller.Send(m) == nil {
		return
	}
	for _, l := range h.Links() {
		if l.ServerID() == inv.callerServer && l.Send(m) == nil {
			return
		}
	}
}

// failInvocationsOf tells all that wait for c that it is gone.
func (h *Hub) failInvocationsOf(c *Client) {
	h.failInvocations(textClientGone, func(inv *invocation) bool { return inv.client == c })
}

// expireInvocations gives up what was never answered.
func (h *Hub) expireInvocations(now time.Time) {
	h.failInvocations(textTimedOut, func(inv *invocation) bool { return now.After(inv.until) })
}

func (h *Hub) failInvocations(text string, which func(*invocation) bool) {
	h.mu.Lock()
	var failed map[string]*invocation
	for id, inv := range h.invocations {
		if which(inv) {
			if failed == nil {
				failed = make(map[string]*invocation)
			}
			failed[id] = inv
			delete(h.invocations, id)
		}
	}
	h.mu.Unlock()
	for id, inv := range failed {
		h.answer(inv, &svcproto.ErrorCompletion{InvocationID: id, ConnectionID: inv.client.ID, CallerServerID: inv.callerServer, Error: text})
	}
}

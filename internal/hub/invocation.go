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
	settled      time.Time // when the caller surely waits for the answer
}

// Texts of failed client results; the caller's SDK shows them.
const (
	textNoClient   = "The client connection does not exist."
	textClientGone = "The client connection was closed before it gave a result."
	textNoPayload  = "The invocation has no payload for the client's hub protocol."
	textTimedOut   = "The client did not give a result in time."
)

// Invoke asks a client for a result on behalf of an app server, whose link caller is. Whatever happens, the caller gets an answer: the
// client's, or an error. It gets none before the time settle has passed: the .NET SDK sends the question before it notes that it waits for
// the answer, and loses an answer that is faster ([Client.AwaitSettled] holds those of the client).
func (h *Hub) Invoke(caller Link, m *svcproto.ClientInvocation, b *message.Batch, settle time.Duration) {
	now := time.Now()
	inv := &invocation{caller: caller, callerServer: caller.ServerID(), until: now.Add(invocationLifetime), settled: now.Add(settle)}
	fail := func(text string) {
		h.answerSettled(inv, &svcproto.ErrorCompletion{InvocationID: m.InvocationID, ConnectionID: m.ConnectionID, CallerServerID: m.CallerServerID, Error: text})
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
	inv.client = c
	if settle > 0 {
		c.settleAt(inv.settled)
	}
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

// answerSettled is [Hub.answer] once the caller waits for it.
func (h *Hub) answerSettled(inv *invocation, m svcproto.Message) {
	if wait := time.Until(inv.settled); wait > 0 {
		time.AfterFunc(wait, func() { h.answer(inv, m) })
		return
	}
	h.answer(inv, m)
}

// settleAt lets what the client sends wait until then.
func (c *Client) settleAt(t time.Time) {
	for at := t.UnixNano(); ; {
		old := c.settles.Load()
		if old >= at || c.settles.CompareAndSwap(old, at) {
			return
		}
	}
}

// AwaitSettled waits until the app servers that asked the client for a result are ready for one, which is a matter of milliseconds and of the
// time of the question: a client that is farther away than that is not held up. Its reader calls it before it passes bytes on.
func (c *Client) AwaitSettled() {
	at := c.settles.Load()
	if at == 0 {
		return
	}
	if wait := at - time.Now().UnixNano(); wait > 0 {
		time.Sleep(min(time.Duration(wait), time.Second)) // the clock may have been set back
	}
	c.settles.CompareAndSwap(at, 0)
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
		h.answerSettled(inv, &svcproto.ErrorCompletion{InvocationID: id, ConnectionID: inv.client.ID, CallerServerID: inv.callerServer, Error: text})
	}
}

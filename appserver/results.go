package appserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// resultTable holds the invocations of clients that wait for an answer.
type resultTable struct {
	mu      sync.Mutex
	last    uint64
	prefix  string // random, so that ids are unique among app servers
	waiting map[string]*pendingResult
}

// pendingResult is one invocation of a client.
type pendingResult struct {
	connectionID string
	local        bool   // the client is connected to this app server
	instanceID   string // the instance of the service that carries the call, once it said so
	answers      chan answer
}

// answer is what a client said, or why it did not.
type answer struct {
	protocol hubproto.Protocol
	message  *hubproto.Message
	err      error
}

// add makes a new invocation.
func (t *resultTable) add(connectionID string, local bool) (string, *pendingResult) {
	p := &pendingResult{connectionID: connectionID, local: local, answers: make(chan answer, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[string]*pendingResult{}
		t.prefix = randomID()
	}
	t.last++
	id := connectionID + "-" + t.prefix + "-" + strconv.FormatUint(t.last, 10)
	t.waiting[id] = p
	return id, p
}

// take removes an invocation that match accepts.
func (t *resultTable) take(id string, match func(*pendingResult) bool) *pendingResult {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.waiting[id]
	if p == nil || match != nil && !match(p) {
		return nil
	}
	delete(t.waiting, id)
	return p
}

// complete answers an invocation with what its client said. false: there is none, or another client was asked.
func (t *resultTable) complete(id, connectionID string, a answer) bool {
	p := t.take(id, func(p *pendingResult) bool { return p.connectionID == connectionID })
	if p == nil {
		return false
	}
	p.answers <- a
	return true
}

// completeRemote answers an invocation of a client that is connected to another app server.
func (t *resultTable) completeRemote(m *svcproto.ClientCompletion) {
	if len(m.Payload) == 0 {
		return
	}
	a := answer{protocol: hubproto.ProtocolFor(m.Protocol)}
	body, size, err := a.protocol.Next(m.Payload, 0)
	if err == nil && size == 0 {
		err = errors.New("the message is cut short")
	}
	if err == nil {
		a.message, err = a.protocol.Parse(body)
	}
	if err == nil && a.message.Type != hubproto.Completion {
		//lint:ignore ST1005 it is ASP.NET Core's text, which clients show.
		err = fmt.Errorf(textUnexpectedMessage, a.message.Type)
	}
	if err != nil {
		a.err = fmt.Errorf("answer of the client: %w", err)
	} else {
		a.message = cloneAnswer(a.message)
	}
	t.complete(m.InvocationID, m.ConnectionID, a)
}

// fail ends an invocation with an error.
func (t *resultTable) fail(id string, err error) {
	if p := t.take(id, nil); p != nil {
		p.answers <- answer{err: err}
	}
}

// mapped remembers which instance of the service carries an invocation.
func (t *resultTable) mapped(id, instanceID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.waiting[id]; p != nil {
		p.instanceID = instanceID
	}
}

// failAll ends the invocations that match.
func (t *resultTable) failAll(match func(*pendingResult) bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, p := range t.waiting {
		if match(p) {
			delete(t.waiting, id)
			p.answers <- answer{err: err}
		}
	}
}

// checkResult refuses what no result can be decoded into.
func checkResult(result any) error {
	if result == nil {
		return nil
	}
	if into := reflect.ValueOf(result); into.Kind() != reflect.Pointer || into.IsNil() {
		return fmt.Errorf("the result must be a pointer that is not nil, not %T", result)
	}
	return nil
}

// invokeClient asks one client and waits for its answer, which is decoded into what result points to.
func (h *Hub) invokeClient(ctx context.Context, connectionID string, result any, target string, args []any) error {
	caller := hubContextOf(ctx)
	if caller != nil && caller.connecting {
		return errInOnConnected
	}
	if err := checkResult(result); err != nil {
		return err
	}
	client := h.client(connectionID)
	link, err := h.linkFor(ctx, client, connectionID)
	if err != nil {
		return err
	}
	id, pending := h.results.add(connectionID, client != nil)
	defer h.results.take(id, nil)
	payloads, err := h.payloads(&hubproto.Message{Type: hubproto.Invocation, InvocationID: id, HasInvocationID: true, Target: target}, args)
	if err != nil {
		return err
	}
	if caller != nil && caller.slot != nil {
		caller.client.release(caller.slot)
	}
	if err := link.write(ctx, &svcproto.ClientInvocation{InvocationID: id, ConnectionID: connectionID, CallerServerID: h.app.serverID, Payloads: payloads}); err != nil {
		return err
	}
	select {
	case a := <-pending.answers:
		switch {
		case a.err != nil:
			return a.err
		case a.message.HasError:
			return &HubError{a.message.Error}
		case !a.message.HasResult || result == nil:
			return nil
		}
		if err := h.app.decode(a.protocol, a.message.Result, reflect.ValueOf(result)); err != nil {
			return fmt.Errorf("result of the client: %w", err)
		}
		return nil
	case <-link.done:
		return ErrNotConnected
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

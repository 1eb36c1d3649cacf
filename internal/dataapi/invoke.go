package dataapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// invoke calls a method of one client and waits for its result.
func (c *call) invoke() error {
	content, binary, err := c.body()
	if err != nil {
		return err
	}
	id := "rest-" + uuid.NewString()
	var payloads []svcproto.Payload
	switch {
	case len(content) == 0:
		return invalid("body", "the body must be a message: an object with a target and arguments")
	case binary:
		payloads, err = encodedInvocation(content, id)
	default:
		var m clientMessage
		if m, err = readMessage(content, "body"); err == nil {
			payloads, err = m.payloads(id)
		}
	}
	if err != nil {
		return err
	}
	connection := c.argument("connectionId")
	if c.hub.Client(connection) == nil {
		return missing(codeNoConnectionToAdd, "there is no connection with this id in the hub")
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), c.Limits.InvokeTimeout)
	defer cancel()
	asker := &asker{id: id, answer: make(chan svcproto.Message, 1)}
	err = c.deliver(func(b *message.Batch) hub.Sent {
		c.hub.Invoke(asker, &svcproto.ClientInvocation{
			InvocationID: id, ConnectionID: connection, CallerServerID: asker.ServerID(), Payloads: payloads,
		}, b, 0)
		return hub.Sent{Clients: 1, Bytes: len(payloads[0].Data)}
	})
	if err != nil {
		return err
	}
	select {
	case m := <-asker.answer:
		return c.result(m)
	case <-ctx.Done():
		c.hub.Forget(id)
		return &problem{status: http.StatusGatewayTimeout, text: "the client did not give a result in time"}
	}
}

// encodedInvocation gives an invocation that is encoded already the id under which its result is awaited.
func encodedInvocation(content []byte, id string) ([]svcproto.Payload, error) {
	payloads, err := encodedPayloads(content)
	if err != nil {
		return nil, err
	}
	for i := range payloads {
		p := hubproto.ProtocolFor(string(payloads[i].Protocol))
		m, size, err := p.Next(payloads[i].Data, 0)
		if err != nil || size != len(payloads[i].Data) {
			return nil, invalid("body", "the value for the hub protocol %q is not one message", payloads[i].Protocol)
		}
		parsed, err := p.Parse(m)
		if err != nil || parsed.Type != hubproto.Invocation {
			return nil, invalid("body", "the value for the hub protocol %q is not an invocation", payloads[i].Protocol)
		}
		parsed.InvocationID, parsed.HasInvocationID = id, true
		if payloads[i].Data, err = p.Append(nil, parsed); err != nil {
			return nil, invalid("body", "the value for the hub protocol %q is not an invocation: %v", payloads[i].Protocol, err)
		}
	}
	return payloads, nil
}

// result answers with what the client gave.
func (c *call) result(m svcproto.Message) error {
	failed := func(text string) error {
		return &problem{status: http.StatusBadRequest, code: codeFailedConnection, text: text}
	}
	completed, ok := m.(*svcproto.ClientCompletion)
	if !ok {
		if e, ok := m.(*svcproto.ErrorCompletion); ok {
			return failed(e.Error)
		}
		return errors.New("the answer to an invocation is neither a result nor an error")
	}
	p := hubproto.ProtocolFor(completed.Protocol)
	raw, size, err := p.Next(completed.Payload, 0)
	if err != nil || size == 0 {
		return failed("the client's completion cannot be read")
	}
	if p == hubproto.MessagePack && completed.Protocol != hubproto.MessagePack.String() {
		// What an application's own protocol means is for the caller to know.
		b := appendText([]byte(`{"result":`), base64.StdEncoding.EncodeToString(raw))
		return c.json(append(appendText(append(b, `,"protocol":`...), completed.Protocol), '}'))
	}
	parsed, err := p.Parse(raw)
	switch {
	case err != nil || parsed.Type != hubproto.Completion:
		return failed("the client's completion cannot be read")
	case parsed.HasError:
		return failed(parsed.Error)
	case !parsed.HasResult:
		return c.json([]byte("{}"))
	case parsed.Result == nil:
		return c.json([]byte(`{"result":null}`))
	case p == hubproto.JSON:
		return c.json(append(append([]byte(`{"result":`), parsed.Result...), '}'))
	}
	b, _, err := appendJSON([]byte(`{"result":`), parsed.Result, 0)
	if err != nil {
		return failed("the client's result has no form in JSON")
	}
	return c.json(append(b, '}'))
}

// asker is the caller of an invocation in the place where hubs expect an app server.
type asker struct {
	id     string
	answer chan svcproto.Message
}

// ServerID is one that no app server has, so that the answer is sent here and not kept by the client's own.
func (a *asker) ServerID() string { return a.id }

// Send takes the answer. Only the first counts.
func (a *asker) Send(m svcproto.Message) error {
	switch answer := m.(type) {
	case *svcproto.ClientCompletion:
		kept := *answer
		kept.Payload = bytes.Clone(answer.Payload) // it may lie in a link's buffer
		m = &kept
	case *svcproto.ErrorCompletion:
	default:
		return nil
	}
	select {
	case a.answer <- m:
	default:
	}
	return nil
}

// Data refuses: no client is carried here.
func (a *asker) Data(_, _ []byte, _ svcproto.DataMessageType) error {
	return errors.New("a caller over REST carries no clients")
}

// Stateful is false, as is Migrates: both are about clients.
func (a *asker) Stateful() bool { return false }

// Migrates is false.
func (a *asker) Migrates() bool { return false }

// Load is 0.
func (a *asker) Load() int { return 0 }

// Add does nothing.
func (a *asker) Add(int) {}

var _ hub.Link = (*asker)(nil)

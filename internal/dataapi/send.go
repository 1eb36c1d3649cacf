package dataapi

import (
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Sends are accepted, not delivered: to nobody is as good as to many.

func (c *call) send(to func(payloads []svcproto.Payload, b *message.Batch) hub.Sent) error {
	payloads, err := c.payloads()
	if err != nil {
		return err
	}
	if err := c.deliver(func(b *message.Batch) hub.Sent { return to(payloads, b) }); err != nil {
		return err
	}
	return c.done()
}

func (c *call) sendToAll() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent { return c.hub.Broadcast(p, c.excluded(), b) })
}

func (c *call) sendToConnection() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent {
		return c.hub.SendToClients([][]byte{[]byte(c.argument("connectionId"))}, p, b)
	})
}

func (c *call) sendToUser() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent {
		return c.hub.SendToUser([]byte(c.argument("user")), p, b)
	})
}

func (c *call) sendToGroup() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent {
		return c.hub.SendToGroup([]byte(c.argument("group")), p, c.excluded(), nil, b)
	})
}

func (c *call) sendToUsers() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent {
		return c.hub.SendToUsers(asBytes(strings.Split(c.argument("userList"), ",")), p, b)
	})
}

func (c *call) sendToGroups() error {
	return c.send(func(p []svcproto.Payload, b *message.Batch) hub.Sent {
		return c.hub.SendToGroups(asBytes(strings.Split(c.argument("groupList"), ",")), p, b)
	})
}

// sendToStream sends one item of a stream, and its end when the caller says so. The API's description has no body; here it is the item, in
// JSON, or whole messages for each hub protocol as in other sends. Without a body only the end is sent.
func (c *call) sendToStream() error {
	text, err := c.one("completed")
	if err != nil {
		return err
	}
	completed := strings.EqualFold(text, "true")
	if !completed && text != "" && !strings.EqualFold(text, "false") {
		return invalid("completed", "the query parameter completed must be true or false")
	}
	content, binary, err := c.body()
	if err != nil {
		return err
	}
	var batches [][]svcproto.Payload
	switch {
	case len(content) == 0 && !completed:
		return invalid("body", "the body must be the item of the stream")
	case len(content) == 0:
	case binary:
		payloads, err := encodedPayloads(content)
		if err != nil {
			return err
		}
		batches = append(batches, payloads)
	default:
		payloads, err := streamItem(c.argument("streamId"), content)
		if err != nil {
			return err
		}
		batches = append(batches, payloads)
	}
	if completed {
		batches = append(batches, completion(c.argument("streamId"), ""))
	}
	err = c.deliver(func(b *message.Batch) hub.Sent {
		var total hub.Sent
		for _, payloads := range batches {
			sent := c.hub.SendToClients([][]byte{[]byte(c.argument("connectionId"))}, payloads, b)
			total.Clients += sent.Clients
			total.Bytes += sent.Bytes
		}
		return total
	})
	if err != nil {
		return err
	}
	return c.done()
}

// completeStream ends a stream, with an error when there is a reason.
func (c *call) completeStream() error {
	reason, err := c.one("reason")
	if err != nil {
		return err
	}
	err = c.deliver(func(b *message.Batch) hub.Sent {
		return c.hub.SendToClients([][]byte{[]byte(c.argument("connectionId"))}, completion(c.argument("streamId"), reason), b)
	})
	if err != nil {
		return err
	}
	return c.done()
}

// streamItem is one item for the client's stream with this id.
func streamItem(id string, content []byte) ([]svcproto.Payload, error) {
	value, err := oneValue(content)
	if err != nil {
		return nil, err
	}
	text := appendText([]byte(`{"type":2,"invocationId":`), id)
	text = append(append(append(text, `,"item":`...), value...), '}', recordSeparator)
	binary := msgp.AppendArrayHeader(nil, 4)
	binary = msgp.AppendInt(binary, int(hubproto.StreamItem))
	binary = msgp.AppendMapHeader(binary, 0)
	binary = msgp.AppendString(binary, id)
	if binary, err = appendMessagePack(binary, value); err != nil {
		return nil, err
	}
	return bothPayloads(text, binary), nil
}

// completion ends an invocation or a stream, with an error unless the text is empty.
func completion(id, errorText string) []svcproto.Payload {
	m := &hubproto.Message{Type: hubproto.Completion, InvocationID: id, HasInvocationID: true, Error: errorText, HasError: errorText != ""}
	var all []svcproto.Payload
	for _, p := range []hubproto.Protocol{hubproto.JSON, hubproto.MessagePack} {
		data, err := p.Append(nil, m)
		if err != nil {
			continue // text that is not UTF-8 has no form in the protocol
		}
		all = append(all, svcproto.Payload{Protocol: []byte(p.String()), Data: data})
	}
	return all
}

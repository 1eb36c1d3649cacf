package dataapi

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// maxCommands bounds how many commands one request may have.
const maxCommands = 100

// command is one step of :execute, for one client.
type command func(h *hub.Hub, c *hub.Client, b *message.Batch) hub.Sent

// execute does commands, in their order, with each connection that a filter picks. All of the request is checked before anything is done, so
// that it is done whole or not at all; a client that leaves meanwhile is passed over.
func (c *call) execute() error {
	text, err := c.one("filter")
	if err != nil {
		return err
	}
	filter, err := parseFilter(text)
	if err != nil {
		return err
	}
	content, binary, err := c.body()
	switch {
	case err != nil:
		return err
	case binary:
		return &problem{status: http.StatusUnsupportedMediaType, code: codeInvalid, target: "Content-Type", text: "commands must be application/json"}
	case len(content) == 0:
		return invalid("body", "the body must be an array of commands")
	}
	commands, err := readCommands(content)
	if err != nil {
		return err
	}
	err = c.deliver(func(b *message.Batch) hub.Sent {
		var total hub.Sent
		for _, client := range c.hub.All() {
			if !filter.matches(client) {
				continue
			}
			for _, do := range commands {
				sent := do(c.hub, client, b)
				total.Clients += sent.Clients
				total.Bytes += sent.Bytes
			}
		}
		return total
	})
	if err != nil {
		return err
	}
	return c.done()
}

// oneValue reads content as one JSON value.
func oneValue(content []byte) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(content))
	value, err := d.ReadValue()
	if err != nil {
		return nil, badJSON("body", err)
	}
	value = value.Clone()
	return value, atEnd(d, "body")
}

func readCommands(content []byte) ([]command, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(content))
	if d.PeekKind() != '[' {
		return nil, invalid("body", "the body must be an array of commands")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, badJSON("body", err)
	}
	var all []command
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, badJSON("body", err)
		}
		if len(all) == maxCommands {
			return nil, invalid("body", "there may be %d commands in one request", maxCommands)
		}
		do, err := readCommand(value.Clone())
		if err != nil {
			return nil, err
		}
		all = append(all, do)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, badJSON("body", err)
	}
	return all, atEnd(d, "body")
}

// readCommand reads one command: its type says which of the other members count.
func readCommand(content []byte) (command, error) {
	var kind, group, reason string
	var body jsontext.Value
	err := eachMember(content, "command", func(name string, value jsontext.Value) error {
		into := map[string]*string{"type": &kind, "group": &group, "reason": &reason}[strings.ToLower(name)]
		switch {
		case strings.EqualFold(name, "message"):
			body = value
		case into == nil || value.Kind() == 'n':
		case value.Kind() != '"':
			return invalid("command."+name, "%s must be a text", name)
		default:
			unquoted, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return badJSON("command", err)
			}
			*into = string(unquoted)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch kind {
	case "SendMessage":
		return sendCommand(body)
	case "JoinGroup", "LeaveGroup":
		if err := checkName("group", group); err != nil {
			return nil, err
		}
		if kind == "JoinGroup" {
			return func(h *hub.Hub, c *hub.Client, _ *message.Batch) hub.Sent { h.Join(c, group); return hub.Sent{} }, nil
		}
		return func(h *hub.Hub, c *hub.Client, _ *message.Batch) hub.Sent { h.Leave(c, group); return hub.Sent{} }, nil
	case "CloseConnection":
		return func(_ *hub.Hub, c *hub.Client, b *message.Batch) hub.Sent {
			c.Receiver.Kick(reason, b)
			return hub.Sent{}
		}, nil
	case "":
		return nil, invalid("command.type", "a command needs a type: SendMessage, JoinGroup, LeaveGroup or CloseConnection")
	}
	return nil, invalid("command.type", "there is no command %q; use SendMessage, JoinGroup, LeaveGroup or CloseConnection", kind)
}

// sendCommand encodes the message once for all clients.
func sendCommand(body jsontext.Value) (command, error) {
	if body == nil {
		return nil, invalid("command.message", "the command SendMessage needs a message")
	}
	m, err := readMessage(body, "command.message")
	if err != nil {
		return nil, err
	}
	payloads, err := m.payloads("")
	if err != nil {
		return nil, err
	}
	made := make(map[string]*message.Message, len(payloads))
	for _, p := range payloads {
		made[string(p.Protocol)] = sharedMessage(p)
	}
	return func(_ *hub.Hub, c *hub.Client, b *message.Batch) hub.Sent {
		m := made[c.Protocol]
		if m == nil {
			return hub.Sent{}
		}
		c.Receiver.Deliver(m, b)
		return hub.Sent{Clients: 1, Bytes: m.Size()}
	}, nil
}

func sharedMessage(p svcproto.Payload) *message.Message {
	return message.New(p.Data, bytes.Equal(p.Protocol, nameMessagePack))
}

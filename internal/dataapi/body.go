package dataapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// The hub protocols that messages are made for.
var (
	nameJSON        = []byte("json")
	nameMessagePack = []byte("messagepack")
)

// body reads the request's body and tells whether it is MessagePack. An absent one is empty, whatever its content type.
func (c *call) body() (content []byte, binary bool, err error) {
	tooLarge := &problem{
		status: http.StatusRequestEntityTooLarge, code: codeInvalid, target: "body",
		text: "the body is larger than a message may be; send less at once",
	}
	if c.r.ContentLength > c.Limits.BodyBytes {
		return nil, false, tooLarge
	}
	content, err = io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.Limits.BodyBytes))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, false, tooLarge
		}
		return nil, false, invalid("body", "the body could not be read to its end")
	}
	if len(content) == 0 {
		return nil, false, nil
	}
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		return bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")), false, nil
	case err == nil && (kind == "application/octet-stream" || kind == "application/x-msgpack"):
		return content, true, nil
	}
	return nil, false, &problem{
		status: http.StatusUnsupportedMediaType, code: codeInvalid, target: "Content-Type",
		text: "the body must be application/json, or application/octet-stream with a MessagePack map of hub protocols to messages",
	}
}

// payloads reads the message of the body in the form of each hub protocol.
func (c *call) payloads() ([]svcproto.Payload, error) {
	content, binary, err := c.body()
	switch {
	case err != nil:
		return nil, err
	case len(content) == 0:
		return nil, invalid("body", "the body must be a message: an object with a target and arguments")
	case binary:
		return encodedPayloads(content)
	}
	m, err := readMessage(content, "body")
	if err != nil {
		return nil, err
	}
	return m.payloads("")
}

// clientMessage is a message for clients in JSON: both parts are as they were written, so that numbers and escapes stay what they are.
type clientMessage struct {
	target    jsontext.Value // a string
	arguments jsontext.Value // an array
}

// readMessage reads {"target":…,"arguments":[…]}; names are compared without regard to case, other members passed over. where names the
// object in errors.
func readMessage(content []byte, where string) (clientMessage, error) {
	var m clientMessage
	err := eachMember(content, where, func(name string, value jsontext.Value) error {
		switch {
		case strings.EqualFold(name, "target"):
			if value.Kind() != '"' || len(value) == 2 {
				return invalid(where+".target", "the target must be the name of the clients' method")
			}
			m.target = value
		case strings.EqualFold(name, "arguments"):
			switch value.Kind() {
			case '[':
				m.arguments = value
			case 'n':
			default:
				return invalid(where+".arguments", "the arguments must be an array")
			}
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	if m.target == nil {
		return m, invalid(where+".target", "a message needs a target, the name of the clients' method")
	}
	if m.arguments == nil {
		m.arguments = jsontext.Value("[]")
	}
	return m, nil
}

// eachMember calls f for every member of an object, which must be all of content. Values are valid JSON, without white space around them.
func eachMember(content []byte, where string, f func(name string, value jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(content))
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return badJSON(where, err)
		}
		return invalid(where, "an object in JSON is needed here")
	}
	if _, err := d.ReadToken(); err != nil {
		return badJSON(where, err)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return badJSON(where, err)
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return badJSON(where, err)
		}
		if err := f(key, value.Clone()); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return badJSON(where, err)
	}
	return atEnd(d, where)
}

// atEnd reports what follows the one value that a body is.
func atEnd(d *jsontext.Decoder, where string) error {
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return invalid(where, "something follows the JSON value")
	}
	return nil
}

func badJSON(where string, err error) error {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return invalid(where, "the JSON is not valid at byte %d: %v", s.ByteOffset, s.Err)
	}
	return invalid(where, "the JSON is not valid: %v", err)
}

// payloads writes the message as an invocation, for each hub protocol that clients have. An invocation with an id wants a result.
func (m clientMessage) payloads(invocationID string) ([]svcproto.Payload, error) {
	text := append([]byte(nil), `{"type":1,`...)
	if invocationID != "" {
		text = append(appendText(append(text, `"invocationId":`...), invocationID), ',')
	}
	text = append(append(append(text, `"target":`...), m.target...), `,"arguments":`...)
	text = append(append(text, m.arguments...), '}', recordSeparator)

	binary := msgp.AppendArrayHeader(nil, 6)
	binary = msgp.AppendInt(binary, int(hubproto.Invocation))
	binary = msgp.AppendMapHeader(binary, 0)
	if invocationID == "" {
		binary = msgp.AppendNil(binary)
	} else {
		binary = msgp.AppendString(binary, invocationID)
	}
	var err error
	for _, part := range []jsontext.Value{m.target, m.arguments} {
		if binary, err = appendMessagePack(binary, part); err != nil {
			return nil, err
		}
	}
	binary = msgp.AppendArrayHeader(binary, 0)
	return bothPayloads(text, binary), nil
}

// recordSeparator ends a message of the hub protocol JSON.
const recordSeparator = 0x1e

// bothPayloads makes payloads of a message in JSON, which ends in its separator, and one in MessagePack without its length.
func bothPayloads(text, binary []byte) []svcproto.Payload {
	return []svcproto.Payload{
		{Protocol: nameJSON, Data: text},
		{Protocol: nameMessagePack, Data: hubproto.MessagePack.AppendFrame(make([]byte, 0, len(binary)+5), binary)},
	}
}

// maxProtocols bounds how many hub protocols a body may hold messages for.
const maxProtocols = 16

// encodedPayloads reads a MessagePack map of hub protocols to messages that are encoded and framed already, as the Management SDK sends them.
func encodedPayloads(content []byte) ([]svcproto.Payload, error) {
	n, rest, err := msgp.ReadMapHeaderBytes(content)
	switch {
	case err != nil:
		return nil, invalid("body", "the body must be a MessagePack map of hub protocols to messages")
	case n == 0:
		return nil, invalid("body", "the map has no message for any hub protocol")
	case n > maxProtocols:
		return nil, invalid("body", "the map has messages for %d hub protocols and may have %d", n, maxProtocols)
	}
	all := make([]svcproto.Payload, 0, n)
	for range n {
		var name, data []byte
		if name, rest, err = msgp.ReadStringZC(rest); err != nil {
			return nil, invalid("body", "a key of the map is not the name of a hub protocol")
		}
		if data, rest, err = msgp.ReadBytesZC(rest); err != nil {
			return nil, invalid("body", "the value for the hub protocol %q is not binary", name)
		}
		if len(data) == 0 || !hubproto.ProtocolFor(string(name)).Complete(data) {
			return nil, invalid("body", "the value for the hub protocol %q is not a whole message", name)
		}
		all = append(all, svcproto.Payload{Protocol: name, Data: data})
	}
	if len(rest) > 0 {
		return nil, invalid("body", "something follows the map")
	}
	return all, nil
}

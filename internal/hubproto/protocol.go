// Package hubproto reads and writes the hub protocol that a client and a hub speak: the handshake, the framing, and the
// JSON and MessagePack envelopes.
package hubproto

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Protocol is the framing and the envelope form of one hub protocol, as far as the service needs them. The zero value
// is JSON.
type Protocol int

// The two forms there are.
const (
	// JSON is text: one JSON object a message, each ended by the record separator 0x1e.
	JSON Protocol = iota
	// MessagePack is binary: one MessagePack array a message, each behind its length.
	MessagePack
)

// ProtocolFor returns the form that the hub protocol with this handshake name has. The name is compared without regard
// to case, as ASP.NET Core does. Every name that is not "json" (messagepack, blazorpack, an application's own) is framed
// like MessagePack.
func ProtocolFor(name string) Protocol {
	if strings.EqualFold(name, "json") {
		return JSON
	}
	return MessagePack
}

// Binary reports whether the messages are bytes rather than text, so that they need a transport that carries the
// transfer format Binary.
func (p Protocol) Binary() bool { return p != JSON }

// String is the name in the handshake.
func (p Protocol) String() string {
	if p == JSON {
		return "json"
	}
	return "messagepack"
}

// MessageType is the number of a hub message type.
type MessageType int32

// The hub message types. A receiver ignores a message of any other type.
const (
	// Invocation asks the other side to call a method.
	Invocation MessageType = 1
	// StreamItem carries one item of a stream.
	StreamItem MessageType = 2
	// Completion ends an invocation or a stream, with a result, an error or neither.
	Completion MessageType = 3
	// StreamInvocation asks the hub to call a method that answers with a stream.
	StreamInvocation MessageType = 4
	// CancelInvocation asks the hub to stop a stream.
	CancelInvocation MessageType = 5
	// Ping keeps the connection alive and means nothing else.
	Ping MessageType = 6
	// Close announces that the sender ends the connection.
	Close MessageType = 7
	// Ack tells which messages have been received, for stateful reconnect.
	Ack MessageType = 8
	// Sequence tells the number of the next message, for stateful reconnect.
	Sequence MessageType = 9
)

// String is the type's name in the hub protocol, or its number when it has none.
func (t MessageType) String() string {
	switch t {
	case Invocation:
		return "Invocation"
	case StreamItem:
		return "StreamItem"
	case Completion:
		return "Completion"
	case StreamInvocation:
		return "StreamInvocation"
	case CancelInvocation:
		return "CancelInvocation"
	case Ping:
		return "Ping"
	case Close:
		return "Close"
	case Ack:
		return "Ack"
	case Sequence:
		return "Sequence"
	}
	return strconv.Itoa(int(t))
}

// Counted reports whether stateful reconnect numbers messages of this type: those that carry the application's data do,
// and those that only serve the connection do not.
func (t MessageType) Counted() bool { return t >= Invocation && t <= CancelInvocation }

// RawValue is one argument, item or result, still encoded: JSON text or MessagePack bytes. Nil stands for null.
type RawValue []byte

// Message is one hub message. Which fields count follows from Type; the others are zero.
type Message struct {
	// Type says what the message is. When it is none of the named types, no other field is set.
	Type MessageType
	// InvocationID names the invocation, or the stream of an upload. It is empty when HasInvocationID is false.
	InvocationID string
	// HasInvocationID tells an invocation that wants an answer from one that does not.
	HasInvocationID bool
	// Target is the name of the method of an Invocation or a StreamInvocation.
	Target string
	// Arguments are the method's arguments, those that are streams left out.
	Arguments []RawValue
	// StreamIDs are the streams that the caller uploads. Nil, the field is absent in JSON; empty, it is there.
	StreamIDs []string
	// Item is what a StreamItem carries.
	Item RawValue
	// Result is the result of a Completion. It counts when HasResult is true.
	Result RawValue
	// HasResult tells a Completion with a result, which may be null, from one without.
	HasResult bool
	// Error is the error text of a Completion or a Close. It counts when HasError is true.
	Error string
	// HasError tells an error, whose text may be empty, from none.
	HasError bool
	// AllowReconnect invites the receiver of a Close to reconnect by itself.
	AllowReconnect bool
	// SequenceID is the message number that an Ack or a Sequence carries.
	SequenceID int64
	// Headers of an invocation, item, completion or cancellation. Nil when there are none.
	Headers map[string]string
}

// Texts that ASP.NET Core sends in a Close message and that clients and their users know.
const (
	// ClosedWithError is the Close error after a broken hub message or a fault in the application.
	ClosedWithError = "Connection closed with an error."
)

// ErrTooLarge is the error of Next for a message over the limit that was given to it.
var ErrTooLarge = errors.New("hub message is larger than the limit")

// errProtocol is what every error about malformed input wraps.
var errProtocol = errors.New("hub protocol error")

// malformed makes an error about malformed input.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProtocol, fmt.Sprintf(format, args...))
}

// IsMalformed reports whether err says that the other side sent something that breaks the hub protocol, after which the
// connection must end.
func IsMalformed(err error) bool {
	return errors.Is(err, errProtocol) && !errors.As(err, new(*PayloadError))
}

// PayloadError is the error of Parse for a message whose envelope is sound while the application's values in it are
// not. ASP.NET Core answers such an invocation with an error and keeps the connection; for anything else of the kind it
// does nothing. The message that Parse returns beside it holds the fields that could be read.
type PayloadError struct{ Err error }

// Error says which values are broken and how.
func (e *PayloadError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PayloadError) Unwrap() error { return e.Err }

const (
	// maxJSONDepth is the nesting that ASP.NET Core's JSON reader allows, the message's own object included.
	maxJSONDepth = 64
	// maxMessagePackDepth is the nesting that its MessagePack reader allows.
	maxMessagePackDepth = 500
)

// Parse reads one message as Next returns it. It is as strict as the ASP.NET Core server: a known field of the wrong
// kind, a missing one or broken encoding is an error, unknown fields, surplus array items and whatever follows the
// message's object or array are passed over. A message of an unknown type is returned with its type alone, to be
// ignored. The raw values of the result share memory with message.
//
// Every error is a malformed message (IsMalformed) or a *PayloadError.
func (p Protocol) Parse(message []byte) (*Message, error) {
	if p == JSON {
		return parseJSON(message)
	}
	return parseMessagePack(message)
}

// Append appends m as a whole frame, ready to be sent: the fields in the order in which .NET writes them, absent ones
// left out. It returns dst unchanged and an error when m breaks the rules for its type or a raw value is not well
// formed, for such a value could break the framing of all that follows.
func (p Protocol) Append(dst []byte, m *Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	if p == JSON {
		return appendJSON(dst, m)
	}
	return appendMessagePack(dst, m)
}

// check reports what is wrong with m before it is written. The rules are those of the readers.
func (m *Message) check() error {
	switch m.Type {
	case Invocation, StreamInvocation:
		if m.Target == "" {
			return fmt.Errorf("%v needs a target", m.Type)
		}
	case StreamItem, Completion, CancelInvocation, Ping, Close, Ack, Sequence:
	default:
		return fmt.Errorf("hub message type %d is not one that can be written", int32(m.Type))
	}
	switch m.Type {
	case StreamInvocation, StreamItem, Completion, CancelInvocation:
		if !m.HasInvocationID || m.InvocationID == "" {
			return fmt.Errorf("%v needs an invocation id", m.Type)
		}
	}
	if m.Type == Completion && m.HasError && m.HasResult {
		return errors.New("a completion has a result or an error, not both")
	}
	return nil
}

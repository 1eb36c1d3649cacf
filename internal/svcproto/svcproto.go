// Package svcproto reads and writes the service protocol: the MessagePack messages that an app server and the service
// exchange over a server connection.
//
// The bytes of a server connection are frames, each a length prefix and a body (see [Split]); a body is one MessagePack
// array whose first element is the [Type] of the message. New fields are only ever appended to an array, and rare ones
// travel in its extension map, so a reader accepts arrays that are longer or shorter than the ones it writes.
//
// Reading is as lenient as the released app servers need and no more: the older, shorter layouts are accepted, unknown
// extension keys and trailing elements are skipped, nil stands for an empty list, map or payload. Writing is as strict
// as the oldest app server needs: an extension map holds only the keys that its message type allows, because an SDK
// that meets another one loses the whole frame.
//
// Texts are taken as they are; whether they are valid UTF-8 is not checked.
package svcproto

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

// Message is one message of the service protocol. A value is used by one goroutine at a time.
type Message interface {
	// Type is the type of the message, which its Go type decides.
	Type() Type

	// Decode reads a body as [Split] returns it and replaces the whole value, whose slices are used again. Fields of
	// type []byte are views into body and live as long as it is left unchanged. It fails when body is cut short, is of
	// another type, or holds a value of the wrong kind; the value is then good for nothing but another Decode.
	Decode(body []byte) error

	// Append adds the message as a whole frame, length prefix included, to dst and returns the extended slice. The
	// frame is of the newest layout that every app server reads. The caller bounds what it puts into a message: the
	// prefix holds no body longer than 2147483647 bytes, and Append panics on one.
	Append(dst []byte) []byte
}

// UnknownTypeError tells that a body has a type that this package does not know. After the handshake such a message is
// to be skipped, because newer peers may send types that older ones never heard of.
type UnknownTypeError struct {
	Type Type // the type that the body declares
}

// Error names the type by its number.
func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("svcproto: message type %d is unknown", int(e.Type))
}

// TypeOf reads the type of a body. It fails when the body is not an array that begins with a number; a type that no
// message has is not an error.
func TypeOf(body []byte) (Type, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(body)
	if err != nil {
		return 0, fmt.Errorf("svcproto: body is not an array: %w", err)
	}
	if n == 0 {
		return 0, errNoType
	}
	t, _, err := msgp.ReadInt32Bytes(rest)
	if err != nil {
		return 0, fmt.Errorf("svcproto: message type: %w", err)
	}
	return Type(t), nil
}

// Decode decodes a message of any known type into a new value. For an unknown type it returns nil and an
// [*UnknownTypeError], so that the caller can skip the message.
func Decode(body []byte) (Message, error) {
	t, err := TypeOf(body)
	if err != nil {
		return nil, err
	}
	m := newMessage(t)
	if m == nil {
		return nil, &UnknownTypeError{Type: t}
	}
	if err := m.Decode(body); err != nil {
		return nil, err
	}
	return m, nil
}

// newMessage returns an empty message of type t, or nil when there is no such type.
func newMessage(t Type) Message {
	switch t {
	case TypeHandshakeRequest:
		return new(HandshakeRequest)
	case TypeHandshakeResponse:
		return new(HandshakeResponse)
	case TypePing:
		return new(Ping)
	case TypeOpenConnection:
		return new(OpenConnection)
	case TypeCloseConnection:
		return new(CloseConnection)
	case TypeConnectionData:
		return new(ConnectionData)
	case TypeMultiConnectionData:
		return new(MultiConnectionData)
	case TypeUserData:
		return new(UserData)
	case TypeMultiUserData:
		return new(MultiUserData)
	case TypeBroadcastData:
		return new(BroadcastData)
	case TypeJoinGroup:
		return new(JoinGroup)
	case TypeLeaveGroup:
		return new(LeaveGroup)
	case TypeGroupBroadcastData:
		return new(GroupBroadcastData)
	case TypeMultiGroupBroadcastData:
		return new(MultiGroupBroadcastData)
	case TypeServiceError:
		return new(ServiceError)
	case TypeUserJoinGroup:
		return new(UserJoinGroup)
	case TypeUserLeaveGroup:
		return new(UserLeaveGroup)
	case TypeJoinGroupWithAck:
		return new(JoinGroupWithAck)
	case TypeLeaveGroupWithAck:
		return new(LeaveGroupWithAck)
	case TypeAck:
		return new(Ack)
	case TypeCheckUserInGroupWithAck:
		return new(CheckUserInGroupWithAck)
	case TypeServiceEvent:
		return new(ServiceEvent)
	case TypeCheckGroupExistenceWithAck:
		return new(CheckGroupExistenceWithAck)
	case TypeCheckConnectionExistenceWithAck:
		return new(CheckConnectionExistenceWithAck)
	case TypeCheckUserExistenceWithAck:
		return new(CheckUserExistenceWithAck)
	case TypeUserJoinGroupWithAck:
		return new(UserJoinGroupWithAck)
	case TypeUserLeaveGroupWithAck:
		return new(UserLeaveGroupWithAck)
	case TypeAccessKeyRequest:
		return new(AccessKeyRequest)
	case TypeAccessKeyResponse:
		return new(AccessKeyResponse)
	case TypeCloseConnectionWithAck:
		return new(CloseConnectionWithAck)
	case TypeCloseConnectionsWithAck:
		return new(CloseConnectionsWithAck)
	case TypeCloseUserConnectionsWithAck:
		return new(CloseUserConnectionsWithAck)
	case TypeCloseGroupConnectionsWithAck:
		return new(CloseGroupConnectionsWithAck)
	case TypeClientInvocation:
		return new(ClientInvocation)
	case TypeClientCompletion:
		return new(ClientCompletion)
	case TypeErrorCompletion:
		return new(ErrorCompletion)
	case TypeServiceMapping:
		return new(ServiceMapping)
	case TypeConnectionReconnect:
		return new(ConnectionReconnect)
	case TypeConnectionFlowControl:
		return new(ConnectionFlowControl)
	case TypeGroupMemberQuery:
		return new(GroupMemberQuery)
	case TypeRefreshAuth:
		return new(RefreshAuth)
	case TypeGetConnectionClaims:
		return new(GetConnectionClaims)
	case TypeUpdateConnectionClaims:
		return new(UpdateConnectionClaims)
	default:
		return nil
	}
}

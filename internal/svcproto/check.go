package svcproto

import "github.com/tinylib/msgp/msgp"

// The messages of this file are sent by app servers and answered by an [Ack] whose status is AckOK for yes and
// AckNotFound for no.

// CheckUserInGroupWithAck asks whether a user is in a group; type 21.
type CheckUserInGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int64
	TracingID uint64 // 0 for none
}

// Type is TypeCheckUserInGroupWithAck.
func (*CheckUserInGroupWithAck) Type() Type { return TypeCheckUserInGroupWithAck }

// Decode implements [Message].
func (m *CheckUserInGroupWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCheckUserInGroupWithAck, 4)
	*m = CheckUserInGroupWithAck{
		UserID: r.text("user id"), Group: r.text("group"), AckID: r.ackID(), TracingID: r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *CheckUserInGroupWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 14+len(m.UserID)+len(m.Group), TypeCheckUserInGroupWithAck, 5)
	dst = msgp.AppendString(dst, m.UserID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// CheckGroupExistenceWithAck asks whether a group has a live client; type 23.
type CheckGroupExistenceWithAck struct {
	Group     string
	AckID     int64
	TracingID uint64 // 0 for none
}

// Type is TypeCheckGroupExistenceWithAck.
func (*CheckGroupExistenceWithAck) Type() Type { return TypeCheckGroupExistenceWithAck }

// Decode implements [Message].
func (m *CheckGroupExistenceWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCheckGroupExistenceWithAck, 3)
	*m = CheckGroupExistenceWithAck{Group: r.text("group"), AckID: r.ackID(), TracingID: r.tracing(3)}
	return r.close()
}

// Append implements [Message].
func (m *CheckGroupExistenceWithAck) Append(dst []byte) []byte {
	return appendCheck(dst, TypeCheckGroupExistenceWithAck, m.Group, m.AckID, m.TracingID)
}

// CheckConnectionExistenceWithAck asks whether there is a client with this id; type 24.
type CheckConnectionExistenceWithAck struct {
	ConnectionID string
	AckID        int64
	TracingID    uint64 // 0 for none
}

// Type is TypeCheckConnectionExistenceWithAck.
func (*CheckConnectionExistenceWithAck) Type() Type { return TypeCheckConnectionExistenceWithAck }

// Decode implements [Message].
func (m *CheckConnectionExistenceWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCheckConnectionExistenceWithAck, 3)
	*m = CheckConnectionExistenceWithAck{
		ConnectionID: r.text("connection id"), AckID: r.ackID(), TracingID: r.tracing(3),
	}
	return r.close()
}

// Append implements [Message].
func (m *CheckConnectionExistenceWithAck) Append(dst []byte) []byte {
	return appendCheck(dst, TypeCheckConnectionExistenceWithAck, m.ConnectionID, m.AckID, m.TracingID)
}

// CheckUserExistenceWithAck asks whether a user has a live client; type 25.
type CheckUserExistenceWithAck struct {
	UserID    string
	AckID     int64
	TracingID uint64 // 0 for none
}

// Type is TypeCheckUserExistenceWithAck.
func (*CheckUserExistenceWithAck) Type() Type { return TypeCheckUserExistenceWithAck }

// Decode implements [Message].
func (m *CheckUserExistenceWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCheckUserExistenceWithAck, 3)
	*m = CheckUserExistenceWithAck{UserID: r.text("user id"), AckID: r.ackID(), TracingID: r.tracing(3)}
	return r.close()
}

// Append implements [Message].
func (m *CheckUserExistenceWithAck) Append(dst []byte) []byte {
	return appendCheck(dst, TypeCheckUserExistenceWithAck, m.UserID, m.AckID, m.TracingID)
}

// appendCheck adds a check of one name.
func appendCheck(dst []byte, t Type, name string, ackID int64, tracingID uint64) []byte {
	dst, mark := begin(dst, 12+len(name), t, 4)
	dst = msgp.AppendString(dst, name)
	dst = appendInt(dst, ackID)
	dst = appendTracing(dst, tracingID)
	return end(dst, mark)
}

var (
	_ Message = (*CheckUserInGroupWithAck)(nil)
	_ Message = (*CheckGroupExistenceWithAck)(nil)
	_ Message = (*CheckConnectionExistenceWithAck)(nil)
	_ Message = (*CheckUserExistenceWithAck)(nil)
)

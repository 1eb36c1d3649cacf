package svcproto

import "github.com/tinylib/msgp/msgp"

// The messages of this file are sent by app servers.

// JoinGroup puts a client into a group; type 11.
type JoinGroup struct {
	ConnectionID string
	Group        string
	TracingID    uint64 // 0 for none
}

// Type is TypeJoinGroup.
func (*JoinGroup) Type() Type { return TypeJoinGroup }

// Decode implements [Message].
func (m *JoinGroup) Decode(body []byte) error {
	var r reader
	r.open(body, TypeJoinGroup, 3)
	*m = JoinGroup{ConnectionID: r.text("connection id"), Group: r.text("group"), TracingID: r.tracing(3)}
	return r.close()
}

// Append implements [Message].
func (m *JoinGroup) Append(dst []byte) []byte {
	dst, mark := begin(dst, 10+len(m.ConnectionID)+len(m.Group), TypeJoinGroup, 4)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// LeaveGroup takes a client out of a group; type 12.
type LeaveGroup struct {
	ConnectionID string
	Group        OptionalString // nil for all groups
	TracingID    uint64         // 0 for none
}

// Type is TypeLeaveGroup.
func (*LeaveGroup) Type() Type { return TypeLeaveGroup }

// Decode implements [Message].
func (m *LeaveGroup) Decode(body []byte) error {
	var r reader
	r.open(body, TypeLeaveGroup, 3)
	*m = LeaveGroup{ConnectionID: r.text("connection id"), Group: r.optionalText("group"), TracingID: r.tracing(3)}
	return r.close()
}

// Append implements [Message].
func (m *LeaveGroup) Append(dst []byte) []byte {
	dst, mark := begin(dst, 10+len(m.ConnectionID)+len(m.Group.Value), TypeLeaveGroup, 4)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendOptionalText(dst, m.Group)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// UserJoinGroup puts a user into a group: all clients that the user has and will have; type 16.
type UserJoinGroup struct {
	UserID    string
	Group     string
	TTL       OptionalInt // seconds that the membership lasts; 0 for the present clients only; nil for ever
	TracingID uint64      // 0 for none
}

// Type is TypeUserJoinGroup.
func (*UserJoinGroup) Type() Type { return TypeUserJoinGroup }

// Decode implements [Message].
func (m *UserJoinGroup) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUserJoinGroup, 3)
	*m = UserJoinGroup{UserID: r.text("user id"), Group: r.text("group")}
	if r.has(3) {
		e := r.extension(keysTTL)
		m.TTL, m.TracingID = e.ttl, e.tracingID
	}
	return r.close()
}

// Append implements [Message].
func (m *UserJoinGroup) Append(dst []byte) []byte {
	dst, mark := begin(dst, 16+len(m.UserID)+len(m.Group), TypeUserJoinGroup, 4)
	dst = msgp.AppendString(dst, m.UserID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, ttl: m.TTL})
	return end(dst, mark)
}

// UserLeaveGroup takes a user, and all present clients of it, out of a group; type 17.
type UserLeaveGroup struct {
	UserID    string
	Group     OptionalString // nil for all groups
	TracingID uint64         // 0 for none
}

// Type is TypeUserLeaveGroup.
func (*UserLeaveGroup) Type() Type { return TypeUserLeaveGroup }

// Decode implements [Message].
func (m *UserLeaveGroup) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUserLeaveGroup, 3)
	*m = UserLeaveGroup{UserID: r.text("user id"), Group: r.optionalText("group"), TracingID: r.tracing(3)}
	return r.close()
}

// Append implements [Message].
func (m *UserLeaveGroup) Append(dst []byte) []byte {
	dst, mark := begin(dst, 10+len(m.UserID)+len(m.Group.Value), TypeUserLeaveGroup, 4)
	dst = msgp.AppendString(dst, m.UserID)
	dst = appendOptionalText(dst, m.Group)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// JoinGroupWithAck is JoinGroup with an answer; type 18.
type JoinGroupWithAck struct {
	ConnectionID string
	Group        string
	AckID        int64
	TracingID    uint64 // 0 for none
}

// Type is TypeJoinGroupWithAck.
func (*JoinGroupWithAck) Type() Type { return TypeJoinGroupWithAck }

// Decode implements [Message].
func (m *JoinGroupWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeJoinGroupWithAck, 4)
	*m = JoinGroupWithAck{
		ConnectionID: r.text("connection id"), Group: r.text("group"), AckID: r.ackID(), TracingID: r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *JoinGroupWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 14+len(m.ConnectionID)+len(m.Group), TypeJoinGroupWithAck, 5)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// LeaveGroupWithAck is LeaveGroup with an answer; type 19.
type LeaveGroupWithAck struct {
	ConnectionID string
	Group        OptionalString // nil for all groups
	AckID        int64
	TracingID    uint64 // 0 for none
}

// Type is TypeLeaveGroupWithAck.
func (*LeaveGroupWithAck) Type() Type { return TypeLeaveGroupWithAck }

// Decode implements [Message].
func (m *LeaveGroupWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeLeaveGroupWithAck, 4)
	*m = LeaveGroupWithAck{
		ConnectionID: r.text("connection id"), Group: r.optionalText("group"), AckID: r.ackID(), TracingID: r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *LeaveGroupWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 14+len(m.ConnectionID)+len(m.Group.Value), TypeLeaveGroupWithAck, 5)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendOptionalText(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// UserJoinGroupWithAck is UserJoinGroup with an answer; type 26.
type UserJoinGroupWithAck struct {
	UserID    string
	Group     string
	AckID     int64
	TTL       OptionalInt // seconds that the membership lasts; 0 for the present clients only; nil for ever
	TracingID uint64      // 0 for none
}

// Type is TypeUserJoinGroupWithAck.
func (*UserJoinGroupWithAck) Type() Type { return TypeUserJoinGroupWithAck }

// Decode implements [Message].
func (m *UserJoinGroupWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUserJoinGroupWithAck, 5)
	*m = UserJoinGroupWithAck{UserID: r.text("user id"), Group: r.text("group"), AckID: r.ackID()}
	e := r.extension(keysTTL)
	m.TTL, m.TracingID = e.ttl, e.tracingID
	return r.close()
}

// Append implements [Message].
func (m *UserJoinGroupWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 20+len(m.UserID)+len(m.Group), TypeUserJoinGroupWithAck, 5)
	dst = msgp.AppendString(dst, m.UserID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, ttl: m.TTL})
	return end(dst, mark)
}

// UserLeaveGroupWithAck is UserLeaveGroup with an answer; type 27.
type UserLeaveGroupWithAck struct {
	UserID    string
	Group     OptionalString // nil for all groups
	AckID     int64
	TracingID uint64 // 0 for none
}

// Type is TypeUserLeaveGroupWithAck.
func (*UserLeaveGroupWithAck) Type() Type { return TypeUserLeaveGroupWithAck }

// Decode implements [Message].
func (m *UserLeaveGroupWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUserLeaveGroupWithAck, 5)
	*m = UserLeaveGroupWithAck{
		UserID: r.text("user id"), Group: r.optionalText("group"), AckID: r.ackID(), TracingID: r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *UserLeaveGroupWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 14+len(m.UserID)+len(m.Group.Value), TypeUserLeaveGroupWithAck, 5)
	dst = msgp.AppendString(dst, m.UserID)
	dst = appendOptionalText(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// tracing reads an extension map that may hold a tracing id, if the array has the element n.
func (r *reader) tracing(n int) uint64 {
	if !r.has(n) {
		return 0
	}
	return r.extension(keysTracing).tracingID
}

var (
	_ Message = (*JoinGroup)(nil)
	_ Message = (*LeaveGroup)(nil)
	_ Message = (*UserJoinGroup)(nil)
	_ Message = (*UserLeaveGroup)(nil)
	_ Message = (*JoinGroupWithAck)(nil)
	_ Message = (*LeaveGroupWithAck)(nil)
	_ Message = (*UserJoinGroupWithAck)(nil)
	_ Message = (*UserLeaveGroupWithAck)(nil)
)

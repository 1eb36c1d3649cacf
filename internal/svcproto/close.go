package svcproto

import "github.com/tinylib/msgp/msgp"

// The messages of this file are sent by app servers and answered by an [Ack]. To close one client without an answer
// there is [CloseConnection].

// CloseConnectionWithAck closes one client; type 30. It is obsolete.
type CloseConnectionWithAck struct {
	ConnectionID string
	Reason       OptionalString // for the client
	AckID        int64
	TracingID    uint64 // 0 for none
}

// Type is TypeCloseConnectionWithAck.
func (*CloseConnectionWithAck) Type() Type { return TypeCloseConnectionWithAck }

// Decode implements [Message].
func (m *CloseConnectionWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCloseConnectionWithAck, 4)
	*m = CloseConnectionWithAck{
		ConnectionID: r.text("connection id"), Reason: r.optionalText("reason"), AckID: r.ackID(), TracingID: r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *CloseConnectionWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 14+len(m.ConnectionID)+len(m.Reason.Value), TypeCloseConnectionWithAck, 5)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendOptionalText(dst, m.Reason)
	dst = appendInt(dst, m.AckID)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// CloseConnectionsWithAck closes the clients of the whole hub; type 31. It is obsolete.
type CloseConnectionsWithAck struct {
	Reason                OptionalString // for the clients
	AckID                 int64
	ExcludedConnectionIDs []string // clients that stay
	TracingID             uint64   // 0 for none
}

// Type is TypeCloseConnectionsWithAck.
func (*CloseConnectionsWithAck) Type() Type { return TypeCloseConnectionsWithAck }

// Decode implements [Message].
func (m *CloseConnectionsWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCloseConnectionsWithAck, 4)
	*m = CloseConnectionsWithAck{
		Reason:                r.optionalText("reason"),
		AckID:                 r.ackID(),
		ExcludedConnectionIDs: r.texts(m.ExcludedConnectionIDs, "excluded connection ids"),
		TracingID:             r.tracing(4),
	}
	return r.close()
}

// Append implements [Message].
func (m *CloseConnectionsWithAck) Append(dst []byte) []byte {
	dst, mark := begin(dst, 16+len(m.Reason.Value), TypeCloseConnectionsWithAck, 5)
	dst = appendOptionalText(dst, m.Reason)
	dst = appendInt(dst, m.AckID)
	dst = appendTexts(dst, m.ExcludedConnectionIDs)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// CloseUserConnectionsWithAck closes the clients of a user; type 32.
type CloseUserConnectionsWithAck struct {
	UserID                string
	Reason                OptionalString // for the clients
	AckID                 int64
	ExcludedConnectionIDs []string // clients that stay
	TracingID             uint64   // 0 for none
}

// Type is TypeCloseUserConnectionsWithAck.
func (*CloseUserConnectionsWithAck) Type() Type { return TypeCloseUserConnectionsWithAck }

// Decode implements [Message].
func (m *CloseUserConnectionsWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCloseUserConnectionsWithAck, 5)
	*m = CloseUserConnectionsWithAck{
		UserID:                r.text("user id"),
		Reason:                r.optionalText("reason"),
		AckID:                 r.ackID(),
		ExcludedConnectionIDs: r.texts(m.ExcludedConnectionIDs, "excluded connection ids"),
		TracingID:             r.tracing(5),
	}
	return r.close()
}

// Append implements [Message].
func (m *CloseUserConnectionsWithAck) Append(dst []byte) []byte {
	return appendCloseMany(dst, TypeCloseUserConnectionsWithAck, m.UserID, m.Reason, m.AckID, m.ExcludedConnectionIDs, m.TracingID)
}

// CloseGroupConnectionsWithAck closes the clients of a group; type 33.
type CloseGroupConnectionsWithAck struct {
	Group                 string
	Reason                OptionalString // for the clients
	AckID                 int64
	ExcludedConnectionIDs []string // clients that stay
	TracingID             uint64   // 0 for none
}

// Type is TypeCloseGroupConnectionsWithAck.
func (*CloseGroupConnectionsWithAck) Type() Type { return TypeCloseGroupConnectionsWithAck }

// Decode implements [Message].
func (m *CloseGroupConnectionsWithAck) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCloseGroupConnectionsWithAck, 5)
	*m = CloseGroupConnectionsWithAck{
		Group:                 r.text("group"),
		Reason:                r.optionalText("reason"),
		AckID:                 r.ackID(),
		ExcludedConnectionIDs: r.texts(m.ExcludedConnectionIDs, "excluded connection ids"),
		TracingID:             r.tracing(5),
	}
	return r.close()
}

// Append implements [Message].
func (m *CloseGroupConnectionsWithAck) Append(dst []byte) []byte {
	return appendCloseMany(dst, TypeCloseGroupConnectionsWithAck, m.Group, m.Reason, m.AckID, m.ExcludedConnectionIDs, m.TracingID)
}

// appendCloseMany adds a request to close all clients of the user or group with this name.
func appendCloseMany(dst []byte, t Type, name string, reason OptionalString, ackID int64, excluded []string, tracingID uint64) []byte {
	dst, mark := begin(dst, 16+len(name)+len(reason.Value), t, 6)
	dst = msgp.AppendString(dst, name)
	dst = appendOptionalText(dst, reason)
	dst = appendInt(dst, ackID)
	dst = appendTexts(dst, excluded)
	dst = appendTracing(dst, tracingID)
	return end(dst, mark)
}

var (
	_ Message = (*CloseConnectionWithAck)(nil)
	_ Message = (*CloseConnectionsWithAck)(nil)
	_ Message = (*CloseUserConnectionsWithAck)(nil)
	_ Message = (*CloseGroupConnectionsWithAck)(nil)
)

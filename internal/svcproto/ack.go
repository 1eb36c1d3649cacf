package svcproto

import (
	"github.com/tinylib/msgp/msgp"
)

// Ack answers a message that asks for it, on the server connection that the message came on. The service sends it;
// type 20.
type Ack struct {
	AckID        int64 // of the message that is answered
	Status       AckStatus
	Message      string // for logs
	MessageIsNil bool   // an empty Message travels as nil

	// Payload is what the request asked for, in a form that depends on the request; nil for none.
	Payload []byte
	// HasPayload makes Append write the payload's field even when Payload is nil, as newer peers do. Decode sets it
	// when the ack has the field.
	HasPayload bool
}

// Type is TypeAck.
func (*Ack) Type() Type { return TypeAck }

// Decode implements [Message].
func (m *Ack) Decode(body []byte) error {
	var r reader
	r.open(body, TypeAck, 4)
	*m = Ack{AckID: r.ackID(), Status: AckStatus(r.int("status"))}
	m.Message, m.MessageIsNil = r.emptyOrNil("message")
	if r.has(4) {
		r.extension(keysNone)
	}
	if r.has(5) {
		m.Payload = r.data("payload")
		m.HasPayload = true
	}
	return r.close()
}

// Append implements [Message]. An ack without a payload takes the layout that all SDKs read.
func (m *Ack) Append(dst []byte) []byte {
	last := m.HasPayload || m.Payload != nil
	elements := uint32(5)
	if last {
		elements = 6
	}
	dst, mark := begin(dst, 16+len(m.Message)+len(m.Payload), TypeAck, elements)
	dst = appendInt(dst, m.AckID)
	dst = appendInt(dst, int64(m.Status))
	dst = appendEmptyOrNil(dst, m.Message, m.MessageIsNil)
	dst = appendNoExtension(dst)
	if last {
		if m.Payload == nil {
			dst = msgp.AppendNil(dst)
		} else {
			dst = msgp.AppendBytes(dst, m.Payload)
		}
	}
	return end(dst, mark)
}

// GroupMemberQuery asks who is in a group. App servers since 2025 send it; type 40. The payload of the ack is a
// [GroupMembers].
type GroupMemberQuery struct {
	Group             string
	AckID             int64
	Top               OptionalInt    // how many members at most this and further pages may return; nil for all
	ContinuationToken OptionalString // of the page before; nil for the first page
	MaxPageSize       OptionalInt    // how many members at most the page may hold; nil for the service's choice

	// HasMaxPageSize makes Append write MaxPageSize even when it is nil. Decode sets it when the query has the field,
	// which only the newest SDKs send.
	HasMaxPageSize bool

	TracingID uint64 // 0 for none
}

// Type is TypeGroupMemberQuery.
func (*GroupMemberQuery) Type() Type { return TypeGroupMemberQuery }

// Decode implements [Message].
func (m *GroupMemberQuery) Decode(body []byte) error {
	var r reader
	r.open(body, TypeGroupMemberQuery, 6)
	*m = GroupMemberQuery{
		TracingID:         r.extension(keysTracing).tracingID,
		Group:             r.text("group"),
		AckID:             r.ackID(),
		Top:               r.optionalInt("top"),
		ContinuationToken: r.optionalText("continuation token"),
	}
	if r.has(6) {
		m.MaxPageSize = r.optionalInt("maximum page size")
		m.HasMaxPageSize = true
	}
	return r.close()
}

// Append implements [Message].
func (m *GroupMemberQuery) Append(dst []byte) []byte {
	last := m.HasMaxPageSize || m.MaxPageSize.Valid
	elements := uint32(6)
	if last {
		elements = 7
	}
	dst, mark := begin(dst, 20+len(m.Group)+len(m.ContinuationToken.Value), TypeGroupMemberQuery, elements)
	dst = appendTracing(dst, m.TracingID)
	dst = msgp.AppendString(dst, m.Group)
	dst = appendInt(dst, m.AckID)
	dst = appendOptionalInt(dst, m.Top)
	dst = appendOptionalText(dst, m.ContinuationToken)
	if last {
		dst = appendOptionalInt(dst, m.MaxPageSize)
	}
	return end(dst, mark)
}

// GroupMember is one client in a group.
type GroupMember struct {
	ConnectionID string
	UserID       OptionalString // nil for a client without a user
}

// GroupMembers is the payload of the [Ack] to a [GroupMemberQuery]: one page of members.
type GroupMembers struct {
	Members           []GroupMember
	ContinuationToken OptionalString // asks for the next page; nil on the last one
}

// Decode reads a payload and replaces the whole value, whose slice is used again.
func (g *GroupMembers) Decode(payload []byte) error {
	r := openPayload(payload)
	g.Members = reuse(g.Members)
	g.ContinuationToken = OptionalString{}
	outer := r.takeArray("group members page")
	if outer < 1 && r.err == nil {
		r.fail("group members page", msgp.ArrayError{Wanted: 2, Got: uint32(outer)})
	}
	for range r.takeArray("group members") {
		n := r.takeArray("group member")
		if n < 1 && r.err == nil {
			r.fail("group member", msgp.ArrayError{Wanted: 2, Got: uint32(n)})
		}
		member := GroupMember{ConnectionID: string(r.takeText("connection id"))}
		if n >= 2 && !r.takeNil() {
			member.UserID = Some(string(r.takeText("user id")))
		}
		for range n - 2 {
			r.skip("group member")
		}
		if r.err != nil {
			return r.close()
		}
		g.Members = append(g.Members, member)
	}
	if outer >= 2 && r.err == nil && !r.takeNil() {
		g.ContinuationToken = Some(string(r.takeText("continuation token")))
	}
	return r.close()
}

// Append adds the payload to dst and returns the extended slice.
func (g *GroupMembers) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, 2)
	dst = msgp.AppendArrayHeader(dst, uint32(len(g.Members)))
	for i := range g.Members {
		dst = msgp.AppendArrayHeader(dst, 2)
		dst = msgp.AppendString(dst, g.Members[i].ConnectionID)
		dst = appendOptionalText(dst, g.Members[i].UserID)
	}
	return appendOptionalText(dst, g.ContinuationToken)
}

var (
	_ Message = (*Ack)(nil)
	_ Message = (*GroupMemberQuery)(nil)
)

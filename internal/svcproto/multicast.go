package svcproto

import "github.com/tinylib/msgp/msgp"

// The messages of this file are sent by app servers. Decode and Append of each allocate nothing when the value and the
// buffer are used again.

// MultiConnectionData carries bytes for a list of clients; type 7.
type MultiConnectionData struct {
	ConnectionIDs [][]byte
	Payloads      []Payload
	Filter        []byte // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID     uint64 // 0 for none
}

// Type is TypeMultiConnectionData.
func (*MultiConnectionData) Type() Type { return TypeMultiConnectionData }

// Decode implements [Message].
func (m *MultiConnectionData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeMultiConnectionData, 3)
	m.ConnectionIDs = r.views(m.ConnectionIDs, "connection ids")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(3)
	return r.close()
}

// Append implements [Message].
func (m *MultiConnectionData) Append(dst []byte) []byte {
	return appendListSend(dst, TypeMultiConnectionData, m.ConnectionIDs, m.Payloads, m.Filter, m.TracingID)
}

// UserData carries bytes for all clients of a user; type 8.
type UserData struct {
	UserID    []byte
	Payloads  []Payload
	Filter    []byte // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID uint64 // 0 for none
}

// Type is TypeUserData.
func (*UserData) Type() Type { return TypeUserData }

// Decode implements [Message].
func (m *UserData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUserData, 3)
	m.UserID = r.view("user id")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(3)
	return r.close()
}

// Append implements [Message].
func (m *UserData) Append(dst []byte) []byte {
	hint := 5 + len(m.UserID) + payloadsHint(m.Payloads) + tracingHint(m.TracingID) + filterHint(m.Filter)
	dst, mark := begin(dst, hint, TypeUserData, 4)
	dst = msgp.AppendStringFromBytes(dst, m.UserID)
	dst = appendPayloads(dst, m.Payloads)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, filter: m.Filter})
	return end(dst, mark)
}

// MultiUserData carries bytes for all clients of a list of users; type 9.
type MultiUserData struct {
	UserIDs   [][]byte
	Payloads  []Payload
	Filter    []byte // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID uint64 // 0 for none
}

// Type is TypeMultiUserData.
func (*MultiUserData) Type() Type { return TypeMultiUserData }

// Decode implements [Message].
func (m *MultiUserData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeMultiUserData, 3)
	m.UserIDs = r.views(m.UserIDs, "user ids")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(3)
	return r.close()
}

// Append implements [Message].
func (m *MultiUserData) Append(dst []byte) []byte {
	return appendListSend(dst, TypeMultiUserData, m.UserIDs, m.Payloads, m.Filter, m.TracingID)
}

// BroadcastData carries bytes for every client of the hub; type 10.
type BroadcastData struct {
	ExcludedConnectionIDs [][]byte // clients that get nothing
	Payloads              []Payload
	Filter                []byte // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID             uint64 // 0 for none
}

// Type is TypeBroadcastData.
func (*BroadcastData) Type() Type { return TypeBroadcastData }

// Decode implements [Message].
func (m *BroadcastData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeBroadcastData, 3)
	m.ExcludedConnectionIDs = r.views(m.ExcludedConnectionIDs, "excluded connection ids")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(3)
	return r.close()
}

// Append implements [Message].
func (m *BroadcastData) Append(dst []byte) []byte {
	return appendListSend(dst, TypeBroadcastData, m.ExcludedConnectionIDs, m.Payloads, m.Filter, m.TracingID)
}

// GroupBroadcastData carries bytes for a group; type 13.
type GroupBroadcastData struct {
	Group                 []byte
	ExcludedConnectionIDs [][]byte // clients that get nothing
	Payloads              []Payload
	Filter                []byte   // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID             uint64   // 0 for none
	ExcludedUserIDs       [][]byte // users whose clients get nothing; no SignalR SDK sends any
	CallerUserID          []byte   // nil for none; no SignalR SDK sends one
}

// Type is TypeGroupBroadcastData.
func (*GroupBroadcastData) Type() Type { return TypeGroupBroadcastData }

// Decode implements [Message].
func (m *GroupBroadcastData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeGroupBroadcastData, 4)
	m.Group = r.view("group")
	m.ExcludedConnectionIDs = r.views(m.ExcludedConnectionIDs, "excluded connection ids")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(4)
	m.CallerUserID = nil
	if r.has(6) {
		m.ExcludedUserIDs = r.views(m.ExcludedUserIDs, "excluded user ids")
		m.CallerUserID = r.optionalView("caller user id")
	} else {
		m.ExcludedUserIDs = reuse(m.ExcludedUserIDs)
	}
	return r.close()
}

// Append implements [Message].
func (m *GroupBroadcastData) Append(dst []byte) []byte {
	hint := 8 + len(m.Group) + len(m.CallerUserID) +
		viewsHint(m.ExcludedConnectionIDs) + viewsHint(m.ExcludedUserIDs) + payloadsHint(m.Payloads) +
		tracingHint(m.TracingID) + filterHint(m.Filter)
	dst, mark := begin(dst, hint, TypeGroupBroadcastData, 7)
	dst = msgp.AppendStringFromBytes(dst, m.Group)
	dst = appendViews(dst, m.ExcludedConnectionIDs)
	dst = appendPayloads(dst, m.Payloads)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, filter: m.Filter})
	dst = appendViews(dst, m.ExcludedUserIDs)
	if m.CallerUserID == nil {
		dst = msgp.AppendNil(dst)
	} else {
		dst = msgp.AppendStringFromBytes(dst, m.CallerUserID)
	}
	return end(dst, mark)
}

// MultiGroupBroadcastData carries bytes for a list of groups; type 14. A client in several of them gets a copy for each.
type MultiGroupBroadcastData struct {
	Groups    [][]byte
	Payloads  []Payload
	Filter    []byte // subscriber filter; nil for none; no SignalR SDK sends one
	TracingID uint64 // 0 for none
}

// Type is TypeMultiGroupBroadcastData.
func (*MultiGroupBroadcastData) Type() Type { return TypeMultiGroupBroadcastData }

// Decode implements [Message].
func (m *MultiGroupBroadcastData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeMultiGroupBroadcastData, 3)
	m.Groups = r.views(m.Groups, "groups")
	m.Payloads = r.payloads(m.Payloads)
	m.Filter, m.TracingID = r.sendExtension(3)
	return r.close()
}

// Append implements [Message].
func (m *MultiGroupBroadcastData) Append(dst []byte) []byte {
	return appendListSend(dst, TypeMultiGroupBroadcastData, m.Groups, m.Payloads, m.Filter, m.TracingID)
}

// sendExtension reads the extension map of a send, if the array has the element n.
func (r *reader) sendExtension(n int) (filter []byte, tracingID uint64) {
	if !r.has(n) {
		return nil, 0
	}
	e := r.extension(keysSend)
	return e.filter, e.tracingID
}

// appendListSend adds a send whose first field is a list of texts.
func appendListSend(dst []byte, t Type, list [][]byte, payloads []Payload, filter []byte, tracingID uint64) []byte {
	hint := 2 + viewsHint(list) + payloadsHint(payloads) + tracingHint(tracingID) + filterHint(filter)
	dst, mark := begin(dst, hint, t, 4)
	dst = appendViews(dst, list)
	dst = appendPayloads(dst, payloads)
	dst = appendExtension(dst, extension{tracingID: tracingID, filter: filter})
	return end(dst, mark)
}

var (
	_ Message = (*MultiConnectionData)(nil)
	_ Message = (*UserData)(nil)
	_ Message = (*MultiUserData)(nil)
	_ Message = (*BroadcastData)(nil)
	_ Message = (*GroupBroadcastData)(nil)
	_ Message = (*MultiGroupBroadcastData)(nil)
)

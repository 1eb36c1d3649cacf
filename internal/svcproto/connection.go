package svcproto

import "github.com/tinylib/msgp/msgp"

// OpenConnection tells an app server of a new client. The service sends it; type 4.
type OpenConnection struct {
	ConnectionID string   // the id that the client knows as its connection id
	Claims       []Claim  // the user, by long claim types
	Headers      []Header // of the client's request, and those that the service adds
	Query        string   // query string with its leading "?", or empty
	Protocol     string   // hub protocol of the client; SDKs since late 2024 need it; empty leaves it out
	TracingID    uint64   // 0 for none
}

// Type is TypeOpenConnection.
func (*OpenConnection) Type() Type { return TypeOpenConnection }

// Decode implements [Message].
func (m *OpenConnection) Decode(body []byte) error {
	var r reader
	r.open(body, TypeOpenConnection, 3)
	*m = OpenConnection{ConnectionID: r.text("connection id"), Claims: r.claims(m.Claims), Headers: reuse(m.Headers)}
	if r.has(4) {
		m.Headers = r.headers(m.Headers)
		m.Query = r.text("query string")
	}
	if r.has(5) {
		e := r.extension(keysProtocol)
		m.Protocol, m.TracingID = e.protocol, e.tracingID
	}
	return r.close()
}

// Append implements [Message].
func (m *OpenConnection) Append(dst []byte) []byte {
	hint := 32 + len(m.ConnectionID) + len(m.Query)
	for i := range m.Claims {
		hint += textHint(len(m.Claims[i].Type)) + textHint(len(m.Claims[i].Value))
	}
	for i := range m.Headers {
		hint += textHint(len(m.Headers[i].Name)) + 1
		for _, v := range m.Headers[i].Values {
			hint += textHint(len(v))
		}
	}
	dst, mark := begin(dst, hint, TypeOpenConnection, 6)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendClaims(dst, m.Claims)
	dst = appendHeaders(dst, m.Headers)
	dst = msgp.AppendString(dst, m.Query)
	dst = appendExtension(dst, extension{protocol: m.Protocol, tracingID: m.TracingID})
	return end(dst, mark)
}

// CloseConnection ends a client, or tells that it has ended; type 5, both ways. It is the last message for the client
// on its server connection.
type CloseConnection struct {
	ConnectionID string
	Error        string   // why; empty when all is well
	ErrorIsNil   bool     // an empty Error travels as nil
	Headers      []Header // HeaderMigrateTo marks a migration
	TracingID    uint64   // 0 for none
}

// Type is TypeCloseConnection.
func (*CloseConnection) Type() Type { return TypeCloseConnection }

// Decode implements [Message].
func (m *CloseConnection) Decode(body []byte) error {
	var r reader
	r.open(body, TypeCloseConnection, 3)
	*m = CloseConnection{ConnectionID: r.text("connection id"), Headers: reuse(m.Headers)}
	m.Error, m.ErrorIsNil = r.emptyOrNil("error message")
	if r.has(3) {
		m.Headers = r.headers(m.Headers)
	}
	if r.has(4) {
		m.TracingID = r.extension(keysTracing).tracingID
	}
	return r.close()
}

// Append implements [Message].
func (m *CloseConnection) Append(dst []byte) []byte {
	dst, mark := begin(dst, 8+len(m.ConnectionID)+len(m.Error), TypeCloseConnection, 5)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendEmptyOrNil(dst, m.Error, m.ErrorIsNil)
	dst = appendHeaders(dst, m.Headers)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// ConnectionData carries bytes from or for one client; type 6, both ways. Decode and Append allocate nothing when the
// value and the buffer are used again.
type ConnectionData struct {
	ConnectionID    []byte
	Payload         []byte          // hub-protocol bytes, which may be cut anywhere
	DataMessageType DataMessageType // DataMessageTypeUnknown leaves it out
	Partial         bool            // the payload is to be put together with that of the next message
	TracingID       uint64          // 0 for none
}

// Type is TypeConnectionData.
func (*ConnectionData) Type() Type { return TypeConnectionData }

// Decode implements [Message].
func (m *ConnectionData) Decode(body []byte) error {
	var r reader
	r.open(body, TypeConnectionData, 3)
	m.ConnectionID = r.view("connection id")
	m.Payload = r.data("payload")
	var e extension
	if r.has(3) {
		e = r.extension(keysClientData)
	}
	m.DataMessageType, m.Partial, m.TracingID = e.dataMessageType, e.partial, e.tracingID
	return r.close()
}

// Append implements [Message].
func (m *ConnectionData) Append(dst []byte) []byte {
	dst, mark := begin(dst, 13+len(m.ConnectionID)+len(m.Payload)+tracingHint(m.TracingID), TypeConnectionData, 4)
	dst = msgp.AppendStringFromBytes(dst, m.ConnectionID)
	dst = msgp.AppendBytes(dst, m.Payload)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, dataMessageType: m.DataMessageType, partial: m.Partial})
	return end(dst, mark)
}

// ConnectionReconnect tells an app server that a client has resumed its connection by stateful reconnect. The service
// sends it; type 38.
type ConnectionReconnect struct {
	ConnectionID string
}

// Type is TypeConnectionReconnect.
func (*ConnectionReconnect) Type() Type { return TypeConnectionReconnect }

// Decode implements [Message].
func (m *ConnectionReconnect) Decode(body []byte) error {
	var r reader
	r.open(body, TypeConnectionReconnect, 2)
	*m = ConnectionReconnect{ConnectionID: r.text("connection id")}
	if r.has(2) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *ConnectionReconnect) Append(dst []byte) []byte {
	dst, mark := begin(dst, 5+len(m.ConnectionID), TypeConnectionReconnect, 3)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

// ConnectionFlowControl pauses and resumes what flows for one connection; type 39, both ways. App servers before late
// 2024 ignore it.
type ConnectionFlowControl struct {
	ConnectionID   string // of a client or of a server connection, as ConnectionType says
	ConnectionType ConnectionType
	Operation      FlowControlOperation
}

// Type is TypeConnectionFlowControl.
func (*ConnectionFlowControl) Type() Type { return TypeConnectionFlowControl }

// Decode implements [Message].
func (m *ConnectionFlowControl) Decode(body []byte) error {
	var r reader
	r.open(body, TypeConnectionFlowControl, 4)
	*m = ConnectionFlowControl{
		ConnectionID:   r.text("connection id"),
		ConnectionType: ConnectionType(r.int("connection type")),
		Operation:      FlowControlOperation(r.int("operation")),
	}
	if r.has(4) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message]. The two enumerations take the long form that SDKs write.
func (m *ConnectionFlowControl) Append(dst []byte) []byte {
	dst, mark := begin(dst, 15+len(m.ConnectionID), TypeConnectionFlowControl, 5)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendInt32(dst, int32(m.ConnectionType))
	dst = appendInt32(dst, int32(m.Operation))
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

var (
	_ Message = (*OpenConnection)(nil)
	_ Message = (*CloseConnection)(nil)
	_ Message = (*ConnectionData)(nil)
	_ Message = (*ConnectionReconnect)(nil)
	_ Message = (*ConnectionFlowControl)(nil)
)

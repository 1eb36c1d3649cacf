package svcproto

import "github.com/tinylib/msgp/msgp"

// ClientInvocation asks a client for a result, or tells the app server of that client of such a call; type 34, both ways.
type ClientInvocation struct {
	InvocationID   string // opaque; unique among all calls
	ConnectionID   string // of the client that is asked
	CallerServerID string // of the app server that asks
	Payloads       []Payload
	TracingID      uint64 // 0 for none
}

// Type is TypeClientInvocation.
func (*ClientInvocation) Type() Type { return TypeClientInvocation }

// Decode implements [Message].
func (m *ClientInvocation) Decode(body []byte) error {
	var r reader
	r.open(body, TypeClientInvocation, 6)
	*m = ClientInvocation{
		InvocationID:   r.text("invocation id"),
		ConnectionID:   r.text("connection id"),
		CallerServerID: r.text("caller server id"),
		Payloads:       r.payloads(m.Payloads),
		TracingID:      r.extension(keysTracing).tracingID,
	}
	return r.close()
}

// Append implements [Message].
func (m *ClientInvocation) Append(dst []byte) []byte {
	hint := 16 + len(m.InvocationID) + len(m.ConnectionID) + len(m.CallerServerID) + payloadsHint(m.Payloads)
	dst, mark := begin(dst, hint, TypeClientInvocation, 6)
	dst = msgp.AppendString(dst, m.InvocationID)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.CallerServerID)
	dst = appendPayloads(dst, m.Payloads)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// ClientCompletion carries the result of a call to a client; type 35, both ways.
type ClientCompletion struct {
	InvocationID   string
	ConnectionID   string // of the client that was asked
	CallerServerID string // of the app server that sends it
	Protocol       string // hub protocol of the payload; empty for none. It travels twice, as a field and as an extension
	Payload        []byte // completion in the hub protocol; empty for "done, forget the call"
	TracingID      uint64 // 0 for none
}

// Type is TypeClientCompletion.
func (*ClientCompletion) Type() Type { return TypeClientCompletion }

// Decode implements [Message]. Of two different protocols the one of the extension map counts, as for the SDKs.
func (m *ClientCompletion) Decode(body []byte) error {
	var r reader
	r.open(body, TypeClientCompletion, 7)
	*m = ClientCompletion{
		InvocationID:   r.text("invocation id"),
		ConnectionID:   r.text("connection id"),
		CallerServerID: r.text("caller server id"),
		Protocol:       r.optionalText("protocol").Value,
		Payload:        r.data("payload"),
	}
	e := r.extension(keysProtocol)
	if e.protocol != "" {
		m.Protocol = e.protocol
	}
	m.TracingID = e.tracingID
	return r.close()
}

// Append implements [Message].
func (m *ClientCompletion) Append(dst []byte) []byte {
	hint := 20 + len(m.InvocationID) + len(m.ConnectionID) + len(m.CallerServerID) + 2*len(m.Protocol) + len(m.Payload)
	dst, mark := begin(dst, hint, TypeClientCompletion, 7)
	dst = msgp.AppendString(dst, m.InvocationID)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.CallerServerID)
	dst = appendEmptyOrNil(dst, m.Protocol, true)
	dst = msgp.AppendBytes(dst, m.Payload)
	dst = appendExtension(dst, extension{tracingID: m.TracingID, protocol: m.Protocol})
	return end(dst, mark)
}

// ErrorCompletion tells that a call to a client has failed; type 36, both ways.
type ErrorCompletion struct {
	InvocationID   string
	ConnectionID   string // of the client that was asked
	CallerServerID string // of the app server that sends it
	Error          string
	ErrorIsNil     bool   // an empty Error travels as nil
	TracingID      uint64 // 0 for none
}

// Type is TypeErrorCompletion.
func (*ErrorCompletion) Type() Type { return TypeErrorCompletion }

// Decode implements [Message].
func (m *ErrorCompletion) Decode(body []byte) error {
	var r reader
	r.open(body, TypeErrorCompletion, 6)
	*m = ErrorCompletion{
		InvocationID:   r.text("invocation id"),
		ConnectionID:   r.text("connection id"),
		CallerServerID: r.text("caller server id"),
	}
	m.Error, m.ErrorIsNil = r.emptyOrNil("error")
	m.TracingID = r.extension(keysTracing).tracingID
	return r.close()
}

// Append implements [Message].
func (m *ErrorCompletion) Append(dst []byte) []byte {
	hint := 16 + len(m.InvocationID) + len(m.ConnectionID) + len(m.CallerServerID) + len(m.Error)
	dst, mark := begin(dst, hint, TypeErrorCompletion, 6)
	dst = msgp.AppendString(dst, m.InvocationID)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.CallerServerID)
	dst = appendEmptyOrNil(dst, m.Error, m.ErrorIsNil)
	dst = appendTracing(dst, m.TracingID)
	return end(dst, mark)
}

// ServiceMapping tells the caller of a client which instance holds the call, so that it can fail the call when that
// instance goes. The service sends it; type 37.
type ServiceMapping struct {
	InvocationID string
	ConnectionID string // of the client that is asked
	InstanceID   string // of the service instance that holds the call
}

// Type is TypeServiceMapping.
func (*ServiceMapping) Type() Type { return TypeServiceMapping }

// Decode implements [Message].
func (m *ServiceMapping) Decode(body []byte) error {
	var r reader
	r.open(body, TypeServiceMapping, 5)
	*m = ServiceMapping{
		InvocationID: r.text("invocation id"),
		ConnectionID: r.text("connection id"),
		InstanceID:   r.text("instance id"),
	}
	r.extension(keysNone)
	return r.close()
}

// Append implements [Message].
func (m *ServiceMapping) Append(dst []byte) []byte {
	hint := 12 + len(m.InvocationID) + len(m.ConnectionID) + len(m.InstanceID)
	dst, mark := begin(dst, hint, TypeServiceMapping, 5)
	dst = msgp.AppendString(dst, m.InvocationID)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = msgp.AppendString(dst, m.InstanceID)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

var (
	_ Message = (*ClientInvocation)(nil)
	_ Message = (*ClientCompletion)(nil)
	_ Message = (*ErrorCompletion)(nil)
	_ Message = (*ServiceMapping)(nil)
)

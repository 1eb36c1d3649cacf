package svcproto

import "github.com/tinylib/msgp/msgp"

// HandshakeRequest is the first message on every server connection. App servers send it; type 1.
type HandshakeRequest struct {
	Version        int                   // of the service protocol; always 1
	ConnectionType ServiceConnectionType // what the connection is for
	Target         string                // instance id that the connection should land on; empty for any
	MigrationLevel MigrationLevel        // when clients of the connection may be moved

	// AllowStatefulReconnects tells that the hub lets clients use stateful reconnect.
	AllowStatefulReconnects bool
	// HasAllowStatefulReconnects makes Append write AllowStatefulReconnects even when it is false, as SDKs since late
	// 2024 do. Decode sets it when the request has the field.
	HasAllowStatefulReconnects bool
}

// Type is TypeHandshakeRequest.
func (*HandshakeRequest) Type() Type { return TypeHandshakeRequest }

// Decode implements [Message].
func (m *HandshakeRequest) Decode(body []byte) error {
	var r reader
	r.open(body, TypeHandshakeRequest, 2)
	*m = HandshakeRequest{Version: r.int("version")}
	if r.has(3) {
		m.ConnectionType = ServiceConnectionType(r.int("connection type"))
		m.Target = r.text("target")
	}
	if r.has(4) {
		m.MigrationLevel = MigrationLevel(r.int("migration level"))
	}
	if r.has(5) {
		r.extension(keysNone)
	}
	if r.has(6) {
		m.AllowStatefulReconnects = r.bool("allow stateful reconnects")
		m.HasAllowStatefulReconnects = true
	}
	return r.close()
}

// Append implements [Message].
func (m *HandshakeRequest) Append(dst []byte) []byte {
	last := m.AllowStatefulReconnects || m.HasAllowStatefulReconnects
	elements := uint32(6)
	if last {
		elements = 7
	}
	dst, mark := begin(dst, 16+len(m.Target), TypeHandshakeRequest, elements)
	dst = appendInt(dst, int64(m.Version))
	dst = appendInt(dst, int64(m.ConnectionType))
	dst = msgp.AppendString(dst, m.Target)
	dst = appendInt(dst, int64(m.MigrationLevel))
	dst = appendNoExtension(dst)
	if last {
		dst = msgp.AppendBool(dst, m.AllowStatefulReconnects)
	}
	return end(dst, mark)
}

// HandshakeResponse accepts or refuses a server connection. The service sends it; type 2.
type HandshakeResponse struct {
	Error        string         // why the connection is refused; empty when it is accepted
	ErrorIsNil   bool           // an empty Error travels as nil
	ConnectionID OptionalString // the id that the service gives the server connection
}

// Type is TypeHandshakeResponse.
func (*HandshakeResponse) Type() Type { return TypeHandshakeResponse }

// Decode implements [Message].
func (m *HandshakeResponse) Decode(body []byte) error {
	var r reader
	r.open(body, TypeHandshakeResponse, 2)
	*m = HandshakeResponse{}
	m.Error, m.ErrorIsNil = r.emptyOrNil("error message")
	if r.has(2) {
		r.extension(keysNone)
	}
	if r.has(3) {
		m.ConnectionID = r.optionalText("connection id")
	}
	return r.close()
}

// Append implements [Message].
func (m *HandshakeResponse) Append(dst []byte) []byte {
	dst, mark := begin(dst, 8+len(m.Error)+len(m.ConnectionID.Value), TypeHandshakeResponse, 4)
	dst = appendEmptyOrNil(dst, m.Error, m.ErrorIsNil)
	dst = appendNoExtension(dst)
	dst = appendOptionalText(dst, m.ConnectionID)
	return end(dst, mark)
}

// AccessKeyRequest asks for a key to sign client tokens with. App servers with Entra credentials send it; type 28.
type AccessKeyRequest struct {
	Token string         // the Entra token; a secret
	KeyID OptionalString // id of the key that the app server has, if any
}

// Type is TypeAccessKeyRequest.
func (*AccessKeyRequest) Type() Type { return TypeAccessKeyRequest }

// Decode implements [Message].
func (m *AccessKeyRequest) Decode(body []byte) error {
	var r reader
	r.open(body, TypeAccessKeyRequest, 3)
	*m = AccessKeyRequest{Token: r.text("token"), KeyID: r.optionalText("key id")}
	if r.has(3) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *AccessKeyRequest) Append(dst []byte) []byte {
	dst, mark := begin(dst, 12+len(m.Token)+len(m.KeyID.Value), TypeAccessKeyRequest, 4)
	dst = msgp.AppendString(dst, m.Token)
	dst = appendOptionalText(dst, m.KeyID)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

// AccessKeyResponse hands out a key to sign client tokens with, or says why there is none. The service sends it; type 29.
// Either the first two fields are set or the last two.
type AccessKeyResponse struct {
	KeyID        OptionalString // the kid of tokens that the key signs
	AccessKey    OptionalString // the key, used as its UTF-8 bytes; a secret
	ErrorType    OptionalString // kind of error
	ErrorMessage OptionalString
}

// Type is TypeAccessKeyResponse.
func (*AccessKeyResponse) Type() Type { return TypeAccessKeyResponse }

// Decode implements [Message].
func (m *AccessKeyResponse) Decode(body []byte) error {
	var r reader
	r.open(body, TypeAccessKeyResponse, 5)
	*m = AccessKeyResponse{
		KeyID:        r.optionalText("key id"),
		AccessKey:    r.optionalText("access key"),
		ErrorType:    r.optionalText("error type"),
		ErrorMessage: r.optionalText("error message"),
	}
	if r.has(5) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *AccessKeyResponse) Append(dst []byte) []byte {
	hint := 16 + len(m.KeyID.Value) + len(m.AccessKey.Value) + len(m.ErrorType.Value) + len(m.ErrorMessage.Value)
	dst, mark := begin(dst, hint, TypeAccessKeyResponse, 6)
	dst = appendOptionalText(dst, m.KeyID)
	dst = appendOptionalText(dst, m.AccessKey)
	dst = appendOptionalText(dst, m.ErrorType)
	dst = appendOptionalText(dst, m.ErrorMessage)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

var (
	_ Message = (*HandshakeRequest)(nil)
	_ Message = (*HandshakeResponse)(nil)
	_ Message = (*AccessKeyRequest)(nil)
	_ Message = (*AccessKeyResponse)(nil)
)

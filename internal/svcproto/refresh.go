package svcproto

import (
	"time"

	"github.com/tinylib/msgp/msgp"
)

// MaxTime is the latest time that a .NET app server can hold. As the ExpireTime of a [RefreshAuth] it means that the
// deadline of the client stays as it is.
func MaxTime() time.Time { return time.Unix(maxSeconds, 999999900).UTC() }

// RefreshAuth replaces the claims and the deadline of a client. App servers since 2026 send it; type 41. The payload of
// the ack holds the claims after the change (see [AppendClaims]).
type RefreshAuth struct {
	ConnectionToken string    // of the client; a secret
	Claims          []Claim   // empty keeps the old ones
	ExpireTime      time.Time // when the client's authentication ends, in UTC, of the years 1 to 9999; MaxTime keeps the old one
	AckID           int64
}

// KeepsDeadline tells whether the deadline of the client stays as it is.
func (m *RefreshAuth) KeepsDeadline() bool { return !m.ExpireTime.Before(MaxTime()) }

// Type is TypeRefreshAuth.
func (*RefreshAuth) Type() Type { return TypeRefreshAuth }

// Decode implements [Message].
func (m *RefreshAuth) Decode(body []byte) error {
	var r reader
	r.open(body, TypeRefreshAuth, 5)
	*m = RefreshAuth{
		ConnectionToken: r.text("connection token"),
		Claims:          r.claims(m.Claims),
		ExpireTime:      r.time("expire time"),
		AckID:           r.ackID(),
	}
	if r.has(5) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *RefreshAuth) Append(dst []byte) []byte {
	dst, mark := begin(dst, 32+len(m.ConnectionToken), TypeRefreshAuth, 6)
	dst = msgp.AppendString(dst, m.ConnectionToken)
	dst = appendClaims(dst, m.Claims)
	dst = appendTime(dst, m.ExpireTime)
	dst = appendInt(dst, m.AckID)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

// GetConnectionClaims asks for the claims of a client. App servers since 2026 send it; type 42. The payload of the ack
// holds them (see [AppendClaims]).
type GetConnectionClaims struct {
	ConnectionToken string // of the client; a secret
	AckID           int64
}

// Type is TypeGetConnectionClaims.
func (*GetConnectionClaims) Type() Type { return TypeGetConnectionClaims }

// Decode implements [Message].
func (m *GetConnectionClaims) Decode(body []byte) error {
	var r reader
	r.open(body, TypeGetConnectionClaims, 3)
	*m = GetConnectionClaims{ConnectionToken: r.text("connection token"), AckID: r.ackID()}
	if r.has(3) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *GetConnectionClaims) Append(dst []byte) []byte {
	dst, mark := begin(dst, 12+len(m.ConnectionToken), TypeGetConnectionClaims, 4)
	dst = msgp.AppendString(dst, m.ConnectionToken)
	dst = appendInt(dst, m.AckID)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

// UpdateConnectionClaims replaces the user of a live client on its app server. The service sends it; type 43.
type UpdateConnectionClaims struct {
	ConnectionID string
	Claims       []Claim // all claims of the user, by long claim types
}

// Type is TypeUpdateConnectionClaims.
func (*UpdateConnectionClaims) Type() Type { return TypeUpdateConnectionClaims }

// Decode implements [Message].
func (m *UpdateConnectionClaims) Decode(body []byte) error {
	var r reader
	r.open(body, TypeUpdateConnectionClaims, 3)
	*m = UpdateConnectionClaims{ConnectionID: r.text("connection id"), Claims: r.claims(m.Claims)}
	if r.has(3) {
		r.extension(keysNone)
	}
	return r.close()
}

// Append implements [Message].
func (m *UpdateConnectionClaims) Append(dst []byte) []byte {
	dst, mark := begin(dst, 12+len(m.ConnectionID), TypeUpdateConnectionClaims, 4)
	dst = msgp.AppendString(dst, m.ConnectionID)
	dst = appendClaims(dst, m.Claims)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

// AppendClaims adds claims in the form that the payload of an [Ack] to [RefreshAuth] or [GetConnectionClaims] has, and
// returns the extended slice.
func AppendClaims(dst []byte, claims []Claim) []byte { return appendClaims(dst, claims) }

// DecodeClaims reads claims in the form of [AppendClaims]. Nil in place of claims reads as none.
func DecodeClaims(payload []byte) ([]Claim, error) {
	r := openPayload(payload)
	claims := r.claims(nil)
	return claims, r.close()
}

var (
	_ Message = (*RefreshAuth)(nil)
	_ Message = (*GetConnectionClaims)(nil)
	_ Message = (*UpdateConnectionClaims)(nil)
)

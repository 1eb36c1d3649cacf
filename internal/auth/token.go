// Package auth makes and checks the access keys and the tokens of a SignalR instance.
package auth

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Claim is one claim. Several may have one type, and their order matters.
type Claim struct{ Type, Value string }

// Names of claims with a meaning of their own (RFC 7519, section 4.1; the service protocol's own begin with "asrs.").
const (
	ClaimAudience  = "aud"
	ClaimExpires   = "exp"
	ClaimNotBefore = "nbf"
	ClaimIssuedAt  = "iat"
	ClaimSubject   = "sub"
	ClaimNameID    = "nameid"
	ClaimUserID    = "asrs.s.uid"
)

// Token is a verified token. It is immutable.
type Token struct {
	// Claims are all claims in the order of the token, under the names that they have there. A bool, a number and an
	// object stand as their JSON text, null as nothing, and an array as one claim for each of its elements.
	Claims []Claim
	// Audience is what the token was made for: the values of aud.
	Audience []string
	// Expires is when the token ends (exp). It is zero when HasExpires is false.
	Expires time.Time
	// NotBefore is when the token begins (nbf), zero when it does not say. It is for information: the service does not
	// check it.
	NotBefore time.Time
	// HasExpires reports whether the token has an end. A token that Verify returned always has.
	HasExpires bool
	// KeyIndex tells which of the verifier's keys signed the token; -1 means none of them, but a temporary key or one of an issuer.
	KeyIndex int
}

// First is the value of the first claim of this name.
func (t *Token) First(name string) (string, bool) {
	for _, c := range t.Claims {
		if c.Type == name {
			return c.Value, true
		}
	}
	return "", false
}

// UserID is the user id of a connection with this token: asrs.s.uid, else the name identifier, which is nameid or its
// long form, else sub. An app may state an empty one.
func (t *Token) UserID() (string, bool) {
	for _, name := range [...]string{ClaimUserID, ClaimNameID, longNameIdentifier, ClaimSubject} {
		if value, ok := t.First(name); ok {
			return value, true
		}
	}
	return "", false
}

// lastSecond is the end of the year 9999, up to which times are told apart.
const lastSecond = 253402300799

// parseClaims reads the claims of a token's payload into t.
func parseClaims(payload []byte, t *Token) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(payload))
	if d.PeekKind() != '{' {
		return errors.New("the claims are not a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return errClaims(err)
	}
	t.Claims = make([]Claim, 0, 8)
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return errClaims(err)
		}
		if err := t.readClaim(d, token.String()); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return errClaims(err)
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return errors.New("something follows the claims")
	}
	return nil
}

// errClaims words a fault in the JSON of the claims without repeating any of it: claims may be personal.
func errClaims(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return errors.New("a claim occurs twice")
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return errors.New("the claims are not valid JSON at byte " + strconv.FormatInt(s.ByteOffset, 10))
	}
	return errors.New("the claims are not valid JSON")
}

func (t *Token) readClaim(d *jsontext.Decoder, name string) error {
	kind := d.PeekKind()
	array := kind == '['
	if array {
		if _, err := d.ReadToken(); err != nil {
			return errClaims(err)
		}
		kind = d.PeekKind()
	}
	for kind != ']' {
		value, err := readValue(d, kind)
		if err != nil {
			return err
		}
		t.Claims = append(t.Claims, Claim{name, value})
		if err := t.note(name, value, kind); err != nil {
			return err
		}
		if !array {
			return nil
		}
		kind = d.PeekKind()
	}
	if _, err := d.ReadToken(); err != nil {
		return errClaims(err)
	}
	return nil
}

// readValue reads one value as text.
func readValue(d *jsontext.Decoder, kind jsontext.Kind) (string, error) {
	if kind == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return "", errClaims(err)
		}
		return token.String(), nil
	}
	value, err := d.ReadValue()
	if err != nil {
		return "", errClaims(err)
	}
	if kind == 'n' {
		return "", nil
	}
	return string(value), nil
}

// note keeps the values of the claims that are checked later.
func (t *Token) note(name, value string, kind jsontext.Kind) error {
	switch name {
	case ClaimAudience:
		if kind != '"' {
			return errors.New("aud is not a string")
		}
		t.Audience = append(t.Audience, value)
	case ClaimExpires, ClaimNotBefore:
		seconds, err := strconv.ParseFloat(value, 64)
		if kind != '0' || err != nil && !errors.Is(err, strconv.ErrRange) {
			return errors.New(name + " is not a number")
		}
		at := time.Unix(int64(math.Floor(min(max(seconds, 0), lastSecond))), 0).UTC()
		if name == ClaimExpires {
			t.Expires, t.HasExpires = at, true
		} else {
			t.NotBefore = at
		}
	}
	return nil
}

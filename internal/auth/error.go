package auth

import (
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// Reason says why a token is refused. It is fit to be the label of a metric.
type Reason string

// The reasons there are. All of them mean 401.
const (
	// ReasonMissing: the request has no token.
	ReasonMissing Reason = "missing"
	// ReasonMalformed: the token is not one that can be read.
	ReasonMalformed Reason = "malformed"
	// ReasonSignature: no key of the instance made the signature, or the algorithm is not accepted.
	ReasonSignature Reason = "signature"
	// ReasonNoExpiration: the token would be valid for ever.
	ReasonNoExpiration Reason = "noExpiration"
	// ReasonExpired: the token has ended.
	ReasonExpired Reason = "expired"
	// ReasonNotYetValid: the token of an issuer begins later (nbf).
	ReasonNotYetValid Reason = "notYetValid"
	// ReasonIssuer: no issuer that the instance trusts made the token.
	ReasonIssuer Reason = "issuer"
	// ReasonAudience: the token was made for something else than this request.
	ReasonAudience Reason = "audience"
)

// Error is why a request is refused with 401.
type Error struct {
	// Reason is the kind of error.
	Reason Reason
	// Description is what the client is told, in the words of ASP.NET Core's JWT bearer authentication, which people
	// look for. Empty when it tells nothing.
	Description string
	detail      string
}

// Error is for the service's own log. It repeats nothing of the token but its audience or its end.
func (e *Error) Error() string {
	text := "token refused (" + string(e.Reason) + ")"
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text
}

// Header is the value of the WWW-Authenticate header of the 401 response (RFC 6750, section 3): "Bearer" alone when the
// request had no token.
func (e *Error) Header() string {
	if e.Reason == ReasonMissing {
		return "Bearer"
	}
	value := `Bearer error="invalid_token"`
	if e.Description != "" {
		value += `, error_description="` + quotedText(e.Description) + `"`
	}
	return value
}

// quotedText makes s fit for the inside of a quoted string of a header (RFC 6750 allows printable ASCII without the
// quote and the backslash), since an audience is whatever the maker of the token wrote.
func quotedText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ', r > '~', r == '\\':
			return '?'
		}
		return r
	}, s)
}

// MissingToken is the error for a request without a token.
func MissingToken() *Error {
	return &Error{Reason: ReasonMissing}
}

func malformed(detail string) *Error {
	return &Error{Reason: ReasonMalformed, detail: detail}
}

func expired(at time.Time) *Error {
	return &Error{Reason: ReasonExpired, Description: "The token expired at '" + at.UTC().Format("01/02/2006 15:04:05") + "'"}
}

// RoleError is why a request is refused with 403: who asks is known, and has none of the roles that it takes.
type RoleError struct {
	// Needs are the roles of which one would do.
	Needs []resource.Role
}

// Error names the roles. It is fit to be told to the client.
func (e *RoleError) Error() string {
	names := make([]string, len(e.Needs))
	for i, r := range e.Needs {
		names[i] = string(r)
	}
	return "the identity has none of the roles that this takes: " + strings.Join(names, ", ")
}

// maxAudienceText bounds how much of an audience is repeated, in bytes.
const maxAudienceText = 512

func wrongAudience(audience []string, want string) *Error {
	return audienceError(audience, "the audience of this request is "+strconv.Quote(want)+" on any host")
}

// issuerAudience is wrongAudience for an access token, whose audience does not depend on the request.
func issuerAudience(audience, want []string) *Error {
	return audienceError(audience, "the instance accepts "+strings.Join(want, ", "))
}

func audienceError(audience []string, detail string) *Error {
	shown := "(null)"
	if len(audience) > 0 {
		shown = strings.Join(audience, ", ")
	}
	return &Error{Reason: ReasonAudience, Description: "The audience '" + shorten(shown) + "' is invalid", detail: detail}
}

// shorten cuts what a token says of itself to a bearable length.
func shorten(text string) string {
	if len(text) > maxAudienceText {
		return strings.ToValidUTF8(text[:maxAudienceText], "") + "..."
	}
	return text
}

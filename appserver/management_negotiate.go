package appserver

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
)

// NegotiateOptions say who a client is and what it may do. The zero value is an anonymous client.
type NegotiateOptions struct {
	// User is who the client is. Nil: an anonymous client.
	User *User
	// TokenLifetime is how long the token lets the client connect, and long polls and reconnects go on. 0 means
	// ServiceManagerOptions.TokenLifetime.
	TokenLifetime time.Duration
	// Diagnostic marks a client whose messages the service traces.
	Diagnostic bool
	// DetailedErrors lets the client see the text of every error. It may hold secrets: for development only.
	DetailedErrors bool
	// CloseOnExpiration ends the connection when the token expires, not only its next request.
	CloseOnExpiration bool
}

// Negotiation tells a client where to connect. In JSON it is the answer to a negotiate request.
type Negotiation struct {
	// URL is the client's address of the service.
	URL string `json:"url"`
	// AccessToken lets it connect there. It is a secret.
	AccessToken string `json:"accessToken"`
}

// ErrTokenTooLong means that the claims of a user do not fit into a token of 4096 characters.
var ErrTokenTooLong = errors.New("the access token with the user's claims has more than 4096 characters; give the user fewer claims")

// Negotiate lets a client in. The service is not asked: the token is signed here.
func (h *ServiceHub) Negotiate(options NegotiateOptions) (Negotiation, error) {
	app := h.manager.app
	if options.TokenLifetime < 0 {
		return Negotiation{}, errors.New("options: the lifetime of the token is negative; leave it 0 for the default")
	}
	setDefault(&options.TokenLifetime, app.options.TokenLifetime)
	var claims []auth.Claim
	for _, c := range tokenClaims(options.User, options.DetailedErrors) {
		claims = append(claims, auth.Claim{Type: c.Type, Value: c.Value})
	}
	if options.Diagnostic {
		claims = append(claims, auth.Claim{Type: claimDiagnostic, Value: "true"})
	}
	now := time.Now()
	if options.CloseOnExpiration {
		expires := strconv.FormatInt(now.Add(options.TokenLifetime).Unix(), 10)
		claims = append(claims, auth.Claim{Type: claimCloseOnExpiration, Value: "true"}, auth.Claim{Type: claimExpiration, Value: expires})
	}
	token, err := app.signFor(app.connection.audience+"client/?hub="+h.wireName, claims, now, options.TokenLifetime)
	if err != nil {
		return Negotiation{}, err
	}
	if len(token) > maxTokenLength {
		return Negotiation{}, ErrTokenTooLong
	}
	return Negotiation{URL: app.connection.ClientEndpoint + "client/?hub=" + url.QueryEscape(h.wireName), AccessToken: token}, nil
}

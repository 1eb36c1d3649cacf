package dataapi

import (
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Refresher changes and tells the claims of clients, which callers name by connection token. A client of another hub than h is none.
type Refresher interface {
	RefreshAuth(h *hub.Hub, m *svcproto.RefreshAuth) *svcproto.Ack
	ConnectionClaims(h *hub.Hub, m *svcproto.GetConnectionClaims) *svcproto.Ack
}

// The values of x-ms-error-code that the Management SDK of 2026 tells apart (service-protocol §10.2).
const (
	codeNoToken   = "ConnectionNotFound"
	codeOtherUser = "ConnectionUserMismatch"
)

// refreshBody is the body of both operations; the second one looks at the token alone.
type refreshBody struct {
	ConnectionToken string       `json:"connectionToken"`
	ExpireTime      *time.Time   `json:"expireTime"` // absent keeps the old one
	Claims          []claimValue `json:"claims"`     // none keep the old ones
}

// claimValue is a claim in a body.
type claimValue struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (c *call) refreshBody() (*refreshBody, error) {
	content, binary, err := c.body()
	if err != nil {
		return nil, err
	}
	b := new(refreshBody)
	if binary || json.Unmarshal(content, b, json.MatchCaseInsensitiveNames(true)) != nil {
		return nil, invalid("body", "the body must be a JSON object with a connectionToken and, to refresh, an expireTime like 2026-07-01T12:00:00Z and claims, each with a type and a value")
	}
	if b.ConnectionToken == "" {
		return nil, invalid("connectionToken", "the body must name a client by its connectionToken")
	}
	return b, nil
}

// refreshAuth gives a client other claims and another end of its authentication.
func (c *call) refreshAuth() error {
	b, err := c.refreshBody()
	if err != nil {
		return err
	}
	m := &svcproto.RefreshAuth{ConnectionToken: b.ConnectionToken, ExpireTime: svcproto.MaxTime()}
	if b.ExpireTime != nil {
		m.ExpireTime = b.ExpireTime.UTC()
	}
	for _, claim := range b.Claims {
		if claim.Type == "" {
			return invalid("claims", "every claim must have a type")
		}
		m.Claims = append(m.Claims, svcproto.Claim(claim))
	}
	if c.Refresher == nil {
		return noToken()
	}
	return c.claims(c.Refresher.RefreshAuth(c.hub, m))
}

// connectionClaims tells the claims of a client.
func (c *call) connectionClaims() error {
	b, err := c.refreshBody()
	if err != nil {
		return err
	}
	if c.Refresher == nil {
		return noToken()
	}
	return c.claims(c.Refresher.ConnectionClaims(c.hub, &svcproto.GetConnectionClaims{ConnectionToken: b.ConnectionToken}))
}

func noToken() *problem {
	return missing(codeNoToken, "there is no connection with this token in the hub, or its claims are not known")
}

// claims answers with the claims that a client has now.
func (c *call) claims(ack *svcproto.Ack) error {
	switch ack.Status {
	case svcproto.AckOK:
	case svcproto.AckForbidden:
		p := missing(codeOtherUser, "%s", ack.Message)
		p.status = 403
		return p
	default:
		return noToken()
	}
	claims, err := svcproto.DecodeClaims(ack.Payload)
	if err != nil {
		return err
	}
	answer := struct {
		Claims []claimValue `json:"claims"`
	}{make([]claimValue, len(claims))}
	for i, claim := range claims {
		answer.Claims[i] = claimValue(claim)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return c.json(body)
}

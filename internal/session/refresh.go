package session

import (
	"bytes"
	"slices"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// This file changes who a connected client is while its transport stays (service-protocol §7.12). The client asks its app, which may be any of its
// app servers, and names itself by connection token; the app server asks the service for the claims that the client has, and gives it new ones.

// maxClaims bounds what is kept of a client's claims, in bytes. No token is that large.
const maxClaims = 64 << 10

// keepClaims keeps the claims of a client when its hub has app servers that may ask for them. What a passport holds is not kept twice.
func (c *Session) keepClaims(link hub.Link, claims []svcproto.Claim) {
	if c.passport != nil || !refreshes(link) && !slices.ContainsFunc(c.hub.Links(), refreshes) {
		return
	}
	kept := svcproto.AppendClaims(nil, claims)
	if len(kept) > maxClaims {
		return
	}
	c.mu.Lock()
	c.claims = bytes.Clone(kept) // to its very length
	c.mu.Unlock()
}

// refreshes reports whether an app server may ask for the claims of clients.
func refreshes(l hub.Link) bool {
	r, ok := l.(interface{ RefreshesAuthentication() bool })
	return ok && r.RefreshesAuthentication()
}

// claimsLocked are the claims that the client has now, in the form of [svcproto.AppendClaims]; nil when they were not kept.
func (c *Session) claimsLocked() []byte {
	if c.claims != nil {
		return c.claims
	}
	if l, ok := c.client.Link().(*serverlessLink); ok {
		return svcproto.AppendClaims(nil, l.currentClaims())
	}
	if c.passport == nil {
		return nil
	}
	open, err := c.passport.reopen("")
	if err != nil {
		return nil
	}
	return svcproto.AppendClaims(nil, open.Claims)
}

// currentClaims are those of the client as the upstream is told of them.
func (l *serverlessLink) currentClaims() []svcproto.Claim {
	switch refreshed := l.claims.Load(); {
	case refreshed != nil:
		return *refreshed
	case l.open != nil:
		return l.open.Claims
	}
	return nil
}

// reclaimLocked puts refreshed claims into the message that opens the client at another app server.
func (c *Session) reclaimLocked(open *svcproto.OpenConnection) {
	if c.claims == nil {
		return
	}
	if claims, err := svcproto.DecodeClaims(c.claims); err == nil {
		open.Claims = claims
	}
}

// connected finds the client that an app server of h means. It returns with the client's mu held, or with nil and why.
func (s *Service) connected(h *hub.Hub, token string) (c *Session, claims []byte, problem string) {
	c = s.find(token)
	if c == nil || c.hub != h {
		return nil, nil, "there is no such connection"
	}
	c.mu.Lock()
	if c.phase != attached || !c.replied {
		c.mu.Unlock()
		return nil, nil, "there is no such connection"
	}
	if claims = c.claimsLocked(); claims == nil {
		c.mu.Unlock()
		return nil, nil, "the claims of the connection are not known: it was opened when no app server of the hub could ask for them"
	}
	return c, claims, ""
}

func refreshed(id int64, status svcproto.AckStatus, text string, claims []byte) *svcproto.Ack {
	return &svcproto.Ack{AckID: id, Status: status, Message: text, Payload: claims, HasPayload: true}
}

// ConnectionClaims answers what claims a client of h has.
func (s *Service) ConnectionClaims(h *hub.Hub, m *svcproto.GetConnectionClaims) *svcproto.Ack {
	c, claims, problem := s.connected(h, m.ConnectionToken)
	if c == nil {
		return refreshed(m.AckID, svcproto.AckNotFound, problem, nil)
	}
	defer c.mu.Unlock()
	return refreshed(m.AckID, svcproto.AckOK, "", claims)
}

// RefreshAuth gives a client of h other claims and another end of its authentication. Its user must stay the same; its groups do. The app server
// that has the client is told of other claims before the answer is there.
func (s *Service) RefreshAuth(h *hub.Hub, m *svcproto.RefreshAuth) *svcproto.Ack {
	c, claims, problem := s.connected(h, m.ConnectionToken)
	if c == nil {
		return refreshed(m.AckID, svcproto.AckNotFound, problem, nil)
	}
	defer c.mu.Unlock()
	token := &auth.Token{Claims: make([]auth.Claim, 0, len(m.Claims))}
	for _, claim := range m.Claims {
		token.Claims = append(token.Claims, auth.Claim(claim))
	}
	if len(m.Claims) > 0 {
		if user, _ := token.UserID(); user != c.client.UserID {
			return refreshed(m.AckID, svcproto.AckForbidden, "the user of a connection must stay the same", nil)
		}
		next := svcproto.AppendClaims(nil, m.Claims)
		if len(next) > maxClaims {
			return refreshed(m.AckID, svcproto.AckForbidden, "the claims are too large", nil)
		}
		if !bytes.Equal(next, claims) {
			claims = bytes.Clone(next)
			link := c.client.Link()
			if _, serverless := link.(*serverlessLink); !serverless {
				c.claims = claims
			}
			if link != nil {
				_ = link.Send(&svcproto.UpdateConnectionClaims{ConnectionID: c.client.ID, Claims: m.Claims})
			}
		}
	}
	c.postponeLocked(token, m)
	return refreshed(m.AckID, svcproto.AckOK, "", claims)
}

// postponeLocked moves the moment at which the client is closed, if its authentication ends it.
func (c *Session) postponeLocked(token *auth.Token, m *svcproto.RefreshAuth) {
	settings := token.Settings()
	if c.expires.IsZero() && !settings.CloseOnExpiration {
		return
	}
	switch {
	case m.ExpireTime.IsZero(): // long ago, while the zero time stands for never here
		c.expires = time.Unix(0, 0)
	case !m.KeepsDeadline():
		c.expires = m.ExpireTime
	case c.expires.IsZero():
		c.expires = settings.Expiration
	}
	// Its end takes mu first and stops the watch after that.
	c.service.watch(c)
}

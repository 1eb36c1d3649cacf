package serverlink_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
)

// connectNegotiated connects a client that knows its connection token.
func (s *service) connectNegotiated(a *appServer, claims ...auth.Claim) (c *wsClient, token string, open *svcproto.OpenConnection) {
	s.t.Helper()
	bearer := s.clientToken("chat", claims...)
	status, body, _ := s.do(http.MethodPost, "/client/negotiate?hub=chat&negotiateVersion=1", bearer, "")
	var answer struct{ ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.ConnectionToken == "" {
		s.t.Fatalf("negotiate answers %d: %s", status, body)
	}
	s.mu.Lock()
	s.secrets = append(s.secrets, answer.ConnectionToken)
	s.mu.Unlock()
	c = s.dial("chat", answer.ConnectionToken, bearer)
	c.send(hello)
	open = a.accept()
	c.expect("{}\x1e")
	return c, answer.ConnectionToken, open
}

// refreshing is an instance that lets app servers refresh authentication.
func refreshing(t *testing.T) *service {
	t.Helper()
	s := serve(t, limits{})
	s.servers.Refresher = s.clients
	return s
}

// askClaims sends a question about claims and returns the status and the claims of the ack.
func (a *appServer) askClaims(m svcproto.Message) (svcproto.AckStatus, []svcproto.Claim) {
	a.t.Helper()
	a.send(m)
	ack := receive[*svcproto.Ack](a)
	if ack.AckID != 7 || !ack.HasPayload {
		a.t.Errorf("the ack is %+v", ack)
	}
	claims, err := svcproto.DecodeClaims(ack.Payload)
	if ack.Payload != nil && err != nil {
		a.t.Error(err)
	}
	return ack.Status, claims
}

const longNameID = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"

// newClaims are what an app server makes of a user, by long names.
func newClaims(user string) []svcproto.Claim {
	return []svcproto.Claim{{Type: longNameID, Value: user}, {Type: "tier", Value: "gold"}, {Type: "tier", Value: "silver"}}
}

// Checklist row 37: claims and the end of authentication change while the client stays.
func TestRefreshAuthentication(t *testing.T) {
	t.Parallel()
	s := refreshing(t)
	a := s.server("chat", "a")
	c, token, open := s.connectNegotiated(a, claim("nameid", "joe"), claim("tier", "bronze"))
	b := s.server("chat", "b")
	other := s.server("alerts", "a")
	a.send(&svcproto.JoinGroup{ConnectionID: open.ConnectionID, Group: "g"})

	get := &svcproto.GetConnectionClaims{ConnectionToken: token, AckID: 7}
	if status, got := b.askClaims(get); status != svcproto.AckOK || !cmp.Equal(got, open.Claims) {
		t.Errorf("status %d, claims %v, want those that the client was opened with, %v", status, got, open.Claims)
	}
	refresh := func(claims []svcproto.Claim) *svcproto.RefreshAuth {
		return &svcproto.RefreshAuth{ConnectionToken: token, Claims: claims, ExpireTime: svcproto.MaxTime(), AckID: 7}
	}
	// Any app server may ask; the one that has the client is told.
	if status, got := b.askClaims(refresh(newClaims("joe"))); status != svcproto.AckOK || !cmp.Equal(got, newClaims("joe")) {
		t.Errorf("status %d, claims %v, want the new ones", status, got)
	}
	if m := receive[*svcproto.UpdateConnectionClaims](a); m.ConnectionID != open.ConnectionID || !cmp.Equal(m.Claims, newClaims("joe")) {
		t.Errorf("the app server of the client is told %+v", m)
	}
	for _, m := range []svcproto.Message{get, refresh(newClaims("joe")), refresh(nil)} {
		if status, got := b.askClaims(m); status != svcproto.AckOK || !cmp.Equal(got, newClaims("joe")) {
			t.Errorf("after %T: status %d, claims %v, want the new ones", m, status, got)
		}
	}
	a.nothing() // no claims have changed since

	// The owner's own question: news first.
	a.send(refresh(newClaims("joe")[:1]))
	receive[*svcproto.UpdateConnectionClaims](a)
	if ack := receive[*svcproto.Ack](a); ack.Status != svcproto.AckOK {
		t.Errorf("the owner gets %+v", ack)
	}

	for name, m := range map[string]svcproto.Message{
		"another user":   refresh(newClaims("jane")),
		"no user":        refresh(newClaims("joe")[1:]),
		"another by uid": refresh(append(newClaims("joe"), svcproto.Claim{Type: "asrs.s.uid", Value: "jane"})),
		"too large":      refresh(append(newClaims("joe"), svcproto.Claim{Type: "x", Value: strings.Repeat("x", 64<<10)})),
	} {
		if status, got := b.askClaims(m); status != svcproto.AckForbidden || got != nil {
			t.Errorf("%s: status %d, claims %v", name, status, got)
		}
	}
	unknown := &svcproto.RefreshAuth{ConnectionToken: "unknown", ExpireTime: svcproto.MaxTime(), AckID: 7}
	for name, ask := range map[string]func() (svcproto.AckStatus, []svcproto.Claim){
		"an unknown token": func() (svcproto.AckStatus, []svcproto.Claim) { return a.askClaims(unknown) },
		"the connection's id": func() (svcproto.AckStatus, []svcproto.Claim) {
			return a.askClaims(&svcproto.GetConnectionClaims{ConnectionToken: open.ConnectionID, AckID: 7})
		},
		"no token": func() (svcproto.AckStatus, []svcproto.Claim) {
			return a.askClaims(&svcproto.GetConnectionClaims{AckID: 7})
		},
		"a server of other hubs": func() (svcproto.AckStatus, []svcproto.Claim) { return other.askClaims(refresh(newClaims("joe"))) },
	} {
		if status, got := ask(); status != svcproto.AckNotFound || got != nil {
			t.Errorf("%s: status %d, claims %v", name, status, got)
		}
	}
	if status, got := b.askClaims(get); status != svcproto.AckOK || !cmp.Equal(got, newClaims("joe")[:1]) {
		t.Errorf("what was refused left its mark: status %d, claims %v", status, got)
	}

	b.send(&svcproto.GroupBroadcastData{Group: []byte("g"), Payloads: []svcproto.Payload{{Protocol: []byte("json"), Data: []byte("{\"type\":6}\x1e")}}})
	c.expect("{\"type\":6}\x1e") // its groups stay
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	receive[*svcproto.CloseConnection](a)
	if status, _ := b.askClaims(get); status != svcproto.AckNotFound {
		t.Errorf("a client that is gone: status %d", status)
	}
}

// A client without an id of its own may get other claims, but no user.
func TestRefreshAnonymous(t *testing.T) {
	t.Parallel()
	s := refreshing(t)
	a := s.server("chat", "a")
	_, token, _ := s.connectNegotiated(a)
	for _, c := range []struct {
		claims []svcproto.Claim
		want   svcproto.AckStatus
	}{{newClaims("joe"), svcproto.AckForbidden}, {newClaims("joe")[1:], svcproto.AckOK}} {
		a.send(&svcproto.RefreshAuth{ConnectionToken: token, Claims: c.claims, ExpireTime: svcproto.MaxTime(), AckID: 7})
		if c.want == svcproto.AckOK {
			receive[*svcproto.UpdateConnectionClaims](a)
		}
		if ack := receive[*svcproto.Ack](a); ack.Status != c.want {
			t.Errorf("%v: status %d, want %d", c.claims, ack.Status, c.want)
		}
	}
}

func TestRefreshDeadline(t *testing.T) {
	t.Parallel()
	s := refreshing(t)
	a := s.server("chat", "a")
	end := time.Now().Add(time.Minute)
	ends := []auth.Claim{claim("nameid", "joe"), claim("asrs.s.coae", "true"), claim("asrs.s.aeo", jsonNumber(end))}
	refresh := func(token string, to time.Time, claims ...svcproto.Claim) {
		t.Helper()
		a.send(&svcproto.RefreshAuth{ConnectionToken: token, Claims: claims, ExpireTime: to, AckID: 7})
		if claims != nil {
			receive[*svcproto.UpdateConnectionClaims](a)
		}
		if ack := receive[*svcproto.Ack](a); ack.Status != svcproto.AckOK {
			t.Fatalf("status %d: %s", ack.Status, ack.Message)
		}
	}
	closed := func(c *wsClient, client *svcproto.OpenConnection) {
		t.Helper()
		c.expect(`{"type":7,"error":"The authentication of the user has expired.","allowReconnect":true}` + "\x1e")
		c.expectEnd()
		s.endOf(session.Unauthorized)
		if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != client.ConnectionID {
			t.Errorf("client %s was closed, want %s", m.ConnectionID, client.ConnectionID)
		}
	}

	c1, postponed, client1 := s.connectNegotiated(a, ends...)
	c2, kept, client2 := s.connectNegotiated(a, ends...)
	c3, sooner, client3 := s.connectNegotiated(a, ends...)
	c6, minimum, client6 := s.connectNegotiated(a, ends...)
	_, never, _ := s.connectNegotiated(a, claim("nameid", "joe"))
	c5, since, client5 := s.connectNegotiated(a, claim("nameid", "joe"))
	refresh(postponed, end.Add(time.Hour))
	refresh(kept, svcproto.MaxTime(), newClaims("joe")...)
	refresh(sooner, time.Now().Add(10*time.Second))
	refresh(never, time.Now().Add(-time.Hour)) // its authentication ends, which is not to close it
	refresh(since, end.Add(2*time.Hour), append(newClaims("joe"), svcproto.Claim{Type: "asrs.s.coae", Value: "true"})...)

	refresh(minimum, time.Time{}) // .NET's least time: over at once
	s.clients.Tick(time.Now().Add(5 * time.Second))
	closed(c6, client6)
	a.nothing()
	s.clients.Tick(time.Now().Add(20 * time.Second))
	closed(c3, client3)
	s.clients.Tick(end.Add(2 * time.Second))
	closed(c2, client2)
	s.clients.Tick(end.Add(time.Hour + 2*time.Second))
	closed(c1, client1)
	s.clients.Tick(end.Add(2*time.Hour + 2*time.Second))
	closed(c5, client5)
	a.nothing()
}

func jsonNumber(at time.Time) string {
	b, _ := json.Marshal(at.Unix())
	return string(b)
}

// Claims are memory for each client, so they are kept for app servers that may ask for them.
func TestClaimsAreKeptForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	for userAgent, want := range map[string]svcproto.AckStatus{
		"Microsoft.Azure.SignalR/1.34.0-rtm+9c449f38907b (.NET 10.0.12; Linux; X64)": svcproto.AckNotFound,
		"Microsoft.Azure.SignalR/1.33.0 (.NET 11.0.0; Linux; X64)":                   svcproto.AckNotFound,
		"Microsoft.Azure.SignalR/1.33.1 (.NET 11.0.0-preview.4; Linux; X64)":         svcproto.AckOK,
		"Microsoft.Azure.SignalR/1.34.0-rtm+9c449f38907b (.NET 11.0.1; Linux; X64)":  svcproto.AckOK,
		"Microsoft.Azure.SignalR/2.0.0 (.NET 12.0.0; Linux; X64)":                    svcproto.AckOK,
		"Microsoft.Azure.SignalR/x (.NET 12.0.0)":                                    svcproto.AckNotFound,
		"Microsoft.Azure.SignalR.Management/1.40.0 (.NET 11.0.1)":                    svcproto.AckNotFound,
		"Microsoft.Azure.SignalR/":                                                   svcproto.AckNotFound,
		"":                                                                           svcproto.AckOK,
	} {
		t.Run(userAgent, func(t *testing.T) {
			t.Parallel()
			s := refreshing(t)
			a, _ := s.open("chat", "a", s.serverToken("chat"), userAgent, svcproto.MigrationLevelOff)
			_, token, _ := s.connectNegotiated(a, claim("nameid", "joe"))
			if status, _ := a.askClaims(&svcproto.GetConnectionClaims{ConnectionToken: token, AckID: 7}); status != want {
				t.Errorf("status %d, want %d", status, want)
			}
		})
	}
	t.Run("one of two", func(t *testing.T) {
		t.Parallel()
		s := refreshing(t)
		b, _ := s.open("chat", "b", s.serverToken("chat"), "Microsoft.Azure.SignalR/1.34.0 (.NET 11.0.1)", svcproto.MigrationLevelOff)
		a, _ := s.open("chat", "a", s.serverToken("chat"), "Microsoft.Azure.SignalR/1.34.0 (.NET 10.0.1)", svcproto.MigrationLevelOff)
		_, ofB, _ := s.connectNegotiated(b, claim("nameid", "joe"))
		_, ofA, _ := s.connectNegotiated(a, claim("nameid", "joe"))
		for _, token := range []string{ofA, ofB} {
			if status, _ := b.askClaims(&svcproto.GetConnectionClaims{ConnectionToken: token, AckID: 7}); status != svcproto.AckOK {
				t.Errorf("status %d, want Ok", status)
			}
		}
	})
}

// A client that moves to another app server goes there as who it is now.
func TestRefreshedClaimsMigrate(t *testing.T) {
	t.Parallel()
	s := refreshing(t)
	const sdk = "Microsoft.Azure.SignalR/1.34.0 (.NET 10.0.1)" // such claims are kept for the migration
	a, _ := s.open("chat", "a", s.serverToken("chat"), sdk, svcproto.MigrationLevelShutdownOnly)
	_, refreshedToken, first := s.connectNegotiated(a, claim("nameid", "joe"))
	_, _, second := s.connectNegotiated(a, claim("nameid", "jane"))
	b, _ := s.open("chat", "b", s.serverToken("chat"), sdk, svcproto.MigrationLevelShutdownOnly)
	a.send(&svcproto.RefreshAuth{ConnectionToken: refreshedToken, Claims: newClaims("joe"), ExpireTime: svcproto.MaxTime(), AckID: 7})
	receive[*svcproto.UpdateConnectionClaims](a)
	receive[*svcproto.Ack](a)
	a.send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "shutdown", Value: "fin:1"}}})
	want := map[string][]svcproto.Claim{first.ConnectionID: newClaims("joe"), second.ConnectionID: second.Claims}
	for range 2 {
		open := await[*svcproto.OpenConnection](b)
		if diff := cmp.Diff(want[open.ConnectionID], open.Claims); diff != "" {
			t.Errorf("claims at the other app server (-want +got):\n%s", diff)
		}
	}
	b.send(&svcproto.GetConnectionClaims{ConnectionToken: refreshedToken, AckID: 7})
	ack := await[*svcproto.Ack](b)
	if got, err := svcproto.DecodeClaims(ack.Payload); err != nil || ack.Status != svcproto.AckOK || !cmp.Equal(got, newClaims("joe")) {
		t.Errorf("after the migration: status %d, claims %v, error %v", ack.Status, got, err)
	}
}

// await is the next message of that type; what comes before it is not looked at.
func await[M svcproto.Message](a *appServer) M {
	a.t.Helper()
	for {
		if m, ok := testkit.Receive(a.t, a.messages, "a message").(M); ok {
			return m
		}
	}
}

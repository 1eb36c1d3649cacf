package serverlink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
)

// identities is a service with an OpenID Connect provider beside it.
type identities struct {
	*service
	provider *httptest.Server
	key      *ecdsa.PrivateKey
	instance resource.SignalR
	issuers  *auth.Issuers

	mu    sync.Mutex
	block chan struct{} // the provider answers when it is closed; nil: at once
}

// trusting starts an instance that trusts its access keys and a provider.
func trusting(t *testing.T) *identities {
	t.Helper()
	s := &identities{service: serve(t, limits{})}
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Use: "sig", Key: s.key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	s.provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		block := s.block
		s.mu.Unlock()
		if block != nil {
			select {
			case <-block:
			case <-r.Context().Done():
			}
		}
		_, _ = w.Write(keys)
	}))
	s.issuers = auth.NewIssuers(auth.IssuersOptions{Logger: testkit.Logger(t)})
	t.Cleanup(func() {
		s.issuers.Close()
		s.provider.Close()
	})
	s.instance = resource.SignalR{
		ID: resource.NewID(resource.SignalRService, "signalR", "asrs1"), PrimaryKey: accessKey, SecondaryKey: "the other key of this test", Salt: "the salt of this test",
		Identity: resource.Identity{Issuers: []resource.TokenIssuer{{Issuer: "https://login.example.com", KeySetURL: s.provider.URL}}},
	}
	s.secrets = append(s.secrets, s.instance.Salt)
	s.configure(func(*resource.SignalR) {})
	return s
}

// configure does what a node does with a changed instance.
func (s *identities) configure(change func(r *resource.SignalR)) {
	change(&s.instance)
	r := &s.instance
	keys := []string{r.PrimaryKey, r.SecondaryKey}
	if r.DisableLocalAuth {
		keys = nil
	}
	temporary := auth.NewTemporaryKeys(r)
	access := &auth.Access{Keys: auth.NewVerifier(keys), Temporary: temporary}
	s.issuers.Configure(r.Identity.Issuers)
	if !r.DisableAADAuth {
		access.Issuers = s.issuers
	}
	s.servers.SetAccess(access)
	s.clients.Configure(session.Settings{Mode: resource.ModeDefault, Verifier: auth.NewVerifier(keys, auth.WithTemporaryKeys(temporary))})
}

// accessToken is a token of the provider.
func (s *identities) accessToken(roles ...resource.Role) string {
	s.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k"))
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{
		"iss": "https://login.example.com", "aud": "https://signalr.azure.com", "sub": "app", "exp": time.Now().Add(time.Hour).Unix(), "roles": roles,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		s.t.Fatal(err)
	}
	s.service.mu.Lock()
	s.secrets = append(s.secrets, token)
	s.service.mu.Unlock()
	return token
}

// open opens a server connection with a token and an SDK's name, and greets. When it is refused the status tells why.
func (s *service) open(hubName, serverID, token, userAgent string, level svcproto.MigrationLevel) (*appServer, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + token}, "X-Asrs-Server-Id": {serverID}}
	if userAgent != "" {
		header.Set("Asrs-User-Agent", userAgent)
	}
	conn, w, err := websocket.Dial(ctx, s.URL+"/server/?hub="+hubName, &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: header}) //nolint:bodyclose // an upgraded response has no body
	if err != nil {
		if w == nil {
			s.t.Fatal(err)
		}
		return nil, w.StatusCode
	}
	conn.SetReadLimit(-1)
	a := &appServer{t: s.t, conn: conn, messages: make(chan svcproto.Message, 10_000), pings: make(chan struct{}, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.read()
	}()
	s.t.Cleanup(func() {
		_ = conn.CloseNow()
		<-done
	})
	a.send(&svcproto.HandshakeRequest{Version: 1, MigrationLevel: level})
	receive[*svcproto.HandshakeResponse](a)
	a.settle()
	return a, http.StatusSwitchingProtocols
}

// Checklist rows 27 and 29: app servers come with the token of an identity.
func TestServerConnectionsByIdentity(t *testing.T) {
	t.Parallel()
	s := trusting(t)
	forged := s.accessToken(resource.RoleAppServer)
	forged = forged[:len(forged)-6] + "AAAAAA"
	try := func(token string) int {
		a, status := s.open("chat", "server", token, "", 0)
		if a != nil {
			_ = a.conn.CloseNow()
		}
		return status
	}
	for _, c := range []struct {
		name, token             string
		both, noLocal, noIssuer int
	}{
		{"an app server", s.accessToken(resource.RoleAppServer), 101, 101, 401},
		{"an owner", s.accessToken(resource.RoleServiceOwner), 101, 101, 401},
		{"a REST owner", s.accessToken(resource.RoleRESTOwner), 403, 403, 401},
		{"nobody", s.accessToken(), 403, 403, 401},
		{"a forger", forged, 401, 401, 401},
		{"an access key", s.serverToken("chat"), 101, 401, 101},
	} {
		for _, mode := range []struct {
			local, aad bool // disabled
			want       int
		}{{false, false, c.both}, {true, false, c.noLocal}, {false, true, c.noIssuer}} {
			s.configure(func(r *resource.SignalR) { r.DisableLocalAuth, r.DisableAADAuth = mode.local, mode.aad })
			if got := try(c.token); got != mode.want {
				t.Errorf("%s with disableLocalAuth %v and disableAadAuth %v: status %d, want %d", c.name, mode.local, mode.aad, got, mode.want)
			}
		}
	}
}

// keyFor asks for a temporary key on the wire.
func (s *identities) keyFor(a *appServer, token string) *svcproto.AccessKeyResponse {
	s.t.Helper()
	a.send(&svcproto.AccessKeyRequest{Token: token})
	answer := receive[*svcproto.AccessKeyResponse](a)
	s.keepSecret(answer)
	return answer
}

func (s *identities) keepSecret(answer *svcproto.AccessKeyResponse) {
	if answer.AccessKey.Value != "" {
		s.service.mu.Lock()
		s.secrets = append(s.secrets, answer.AccessKey.Value)
		s.service.mu.Unlock()
	}
}

// clientTokenBy is the token of a client, signed with a temporary key as the .NET SDK does it.
func (s *identities) clientTokenBy(key *svcproto.AccessKeyResponse) string {
	s.t.Helper()
	claims := append(auth.Lifetime(time.Now(), time.Hour), claim("asrs.s.uid", "joe"), claim(auth.ClaimAudience, s.URL+"/client/?hub=chat"))
	token, err := auth.TemporaryKey{ID: key.KeyID.Value, Key: key.AccessKey.Value}.Sign(auth.HS256, claims...)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// Checklist row 28: an app server without an access key gets one, signs a client's token with it, and the client chats.
func TestTemporaryAccessKeys(t *testing.T) {
	t.Parallel()
	s := trusting(t)
	s.configure(func(r *resource.SignalR) { r.DisableLocalAuth = true })
	a, status := s.open("chat", "server", s.accessToken(resource.RoleAppServer), "", 0)
	if a == nil {
		t.Fatalf("status %d", status)
	}
	key := s.keyFor(a, s.accessToken(resource.RoleAppServer))
	if key.KeyID.Value == "" || key.AccessKey.Value == "" || key.ErrorType.Valid || key.ErrorMessage.Valid {
		t.Fatalf("the answer is %v, error %v: %v", key.KeyID, key.ErrorType, key.ErrorMessage)
	}
	c := s.dial("chat", "", s.clientTokenBy(key))
	c.send(hello)
	open := a.accept()
	c.expect("{}\x1e")
	c.send("{\"type\":6}\x1e")
	if id, payload := a.gets(); id != open.ConnectionID || payload != "{\"type\":6}\x1e" {
		t.Errorf("the app server got %q of %s", payload, id)
	}
	if status, _, _ := s.do(http.MethodPost, "/client/negotiate?hub=chat", s.clientToken("chat"), ""); status != http.StatusUnauthorized {
		t.Errorf("a token by an access key is answered %d", status)
	}
	// A temporary key makes no server connections, and a key is nothing without its id.
	if _, status := s.open("chat", "server", strings.Replace(s.clientTokenBy(key), "client", "server", 1), "", 0); status != http.StatusUnauthorized {
		t.Errorf("a server connection by a temporary key is answered %d", status)
	}
	other := *key
	other.KeyID = svcproto.Some("-123")
	if status, _, _ := s.do(http.MethodPost, "/client/negotiate?hub=chat", s.clientTokenBy(&other), ""); status != http.StatusUnauthorized {
		t.Errorf("a temporary key under another id is answered %d", status)
	}

	for name, c := range map[string]struct{ token, want string }{
		"a reader":      {s.accessToken(resource.RoleRESTReader), "Forbidden"},
		"a broken one":  {"abc", "Unauthorized"},
		"none":          {"", "Unauthorized"},
		"an access key": {s.serverToken("chat"), "Unauthorized"},
	} {
		if got := s.keyFor(a, c.token); got.ErrorType.Value != c.want || got.ErrorMessage.Value == "" || got.KeyID.Valid || got.AccessKey.Valid {
			t.Errorf("%s gets %v, error %v: %v, want %s", name, got.KeyID, got.ErrorType, got.ErrorMessage, c.want)
		}
	}
	s.configure(func(r *resource.SignalR) { r.DisableLocalAuth, r.DisableAADAuth = false, true })
	if got := s.keyFor(a, s.accessToken(resource.RoleAppServer)); got.ErrorType.Value != "NotSupported" {
		t.Errorf("without identities: error %v", got.ErrorType)
	}
	if status, _, _ := s.do(http.MethodPost, "/client/negotiate?hub=chat", s.clientTokenBy(key), ""); status != http.StatusUnauthorized {
		t.Errorf("without identities, a temporary key is answered %d", status)
	}
}

// An app server that has a temporary key gets the next one when all of them end.
func TestTemporaryAccessKeysArePushed(t *testing.T) {
	t.Parallel()
	s := trusting(t)
	a, _ := s.open("chat", "a", s.accessToken(resource.RoleAppServer), "", 0)
	b := s.server("chat", "b") // has an access key
	old := s.keyFor(a, s.accessToken(resource.RoleServiceOwner))
	s.configure(func(r *resource.SignalR) { r.PrimaryKey = "another" }) // not what the keys are made of
	a.nothing()
	s.configure(func(r *resource.SignalR) { r.Salt = "the next salt of this test" })
	next := receive[*svcproto.AccessKeyResponse](a)
	s.keepSecret(next)
	b.nothing()
	if next.KeyID == old.KeyID || next.AccessKey == old.AccessKey {
		t.Error("the same key came again")
	}
	for key, want := range map[*svcproto.AccessKeyResponse]int{old: 401, next: 200} {
		if status, _, _ := s.do(http.MethodPost, "/client/negotiate?hub=chat", s.clientTokenBy(key), ""); status != want {
			t.Errorf("a token by key %s is answered %d, want %d", key.KeyID.Value, status, want)
		}
	}
}

// A provider that does not answer keeps no app server from its work, nor from going.
func TestTemporaryAccessKeysOfASlowProvider(t *testing.T) {
	t.Parallel()
	s := trusting(t)
	block := make(chan struct{})
	s.mu.Lock()
	s.block = block
	s.mu.Unlock()
	a := s.server("chat", "a")
	b := s.server("chat", "b")
	token := s.accessToken(resource.RoleAppServer)
	a.send(&svcproto.AccessKeyRequest{Token: token}, &svcproto.AccessKeyRequest{Token: token})
	if got := receive[*svcproto.AccessKeyResponse](a); got.ErrorType.Value != "TooManyRequests" {
		t.Errorf("a second request is answered with error %v: %v", got.ErrorType, got.ErrorMessage)
	}
	a.nothing()
	b.send(&svcproto.AccessKeyRequest{Token: token})
	b.nothing()
	_ = b.conn.CloseNow()
	close(block)
	if got := receive[*svcproto.AccessKeyResponse](a); got.AccessKey.Value == "" {
		t.Errorf("the first request is answered with error %v: %v", got.ErrorType, got.ErrorMessage)
	} else {
		s.keepSecret(got)
	}
}

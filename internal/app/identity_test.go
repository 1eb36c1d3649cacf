package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/resource"
)

// openID is an OpenID Connect provider.
type openID struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newOpenID(t *testing.T) *openID {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k", Key: key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &openID{key: key}
	mux := http.NewServeMux()
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"issuer":"`+p.URL+`","jwks_uri":"`+p.URL+`/keys"}`)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) })
	return p
}

func (p *openID) token(t *testing.T, roles ...string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": p.URL, "aud": resource.DefaultAudience, "exp": time.Now().Add(time.Hour).Unix(), "groups": roles})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A team without access keys: its app servers sign in with an identity, and their clients come with what temporary keys signed. The keys are the
// same after a restart of the node.
func TestIdentity(t *testing.T) {
	t.Parallel()
	provider := newOpenID(t)
	file := `
signalr:
  - name: asrs1
    disableLocalAuth: true
    identity:
      issuers:
        - issuer: ` + provider.URL + `
          roleClaim: groups
          roleAssignments:
            - {value: servers, role: SignalR App Server}
            - {value: owners, role: SignalR Service Owner}
`
	settings, err := config.Parse([]byte(file), "hubgate.yaml", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	start := func() (signalR string, end func()) {
		const free = "127.0.0.1:0"
		n := &node{settings: settings, log: slog.New(slog.DiscardHandler), options: Options{
			Config: settings, Logger: slog.New(slog.DiscardHandler), DataDir: directory,
			SignalRAddress: free, GatewayAddress: free, MetricsAddress: free,
		}}
		ended := false
		end = func() {
			if ended {
				return
			}
			ended = true
			if err := n.end(); err != nil {
				t.Error(err)
			}
		}
		t.Cleanup(end)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.start(ctx); err != nil {
			t.Fatal(err)
		}
		return n.url(listenSignalR), end
	}
	own := func(base string) (key auth.TemporaryKey) {
		var answer struct{ AccessKey, KeyID string }
		body := getWith(t, base+"/api/v1/auth/accessKey", provider.token(t, "servers"))
		if err := json.Unmarshal(body, &answer); err != nil || answer.AccessKey == "" {
			t.Fatalf("there is no key in the answer: %v", err)
		}
		return auth.TemporaryKey{ID: answer.KeyID, Key: answer.AccessKey}
	}
	base, end := start()
	key := own(base)
	token, err := key.Sign(auth.HS256, append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: base + "/client/?hub=chat"})...)
	if err != nil {
		t.Fatal(err)
	}
	if got := status(t, http.MethodPost, base+"/client/negotiate?hub=chat", token); got != http.StatusOK {
		t.Errorf("a client's token by a temporary key is answered %d", got)
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"an app server": {provider.token(t, "servers"), http.StatusForbidden},
		"an owner":      {provider.token(t, "owners"), http.StatusNotFound},
		"nobody":        {provider.token(t), http.StatusForbidden},
		"another's":     {newOpenID(t).token(t, "owners"), http.StatusUnauthorized},
		"a client":      {token, http.StatusUnauthorized},
	} {
		if got := status(t, http.MethodHead, base+"/api/v1/hubs/chat/users/joe", c.token); got != c.want {
			t.Errorf("%s is answered %d, want %d", name, got, c.want)
		}
	}
	for role, want := range map[string]int{"owners": http.StatusOK, "servers": http.StatusForbidden} {
		if got := status(t, http.MethodGet, base+liveTracePath, provider.token(t, role)); got != want {
			t.Errorf("the live trace answers %s with %d, want %d", role, got, want)
		}
	}
	end()
	base, _ = start()
	if got := status(t, http.MethodPost, base+"/client/negotiate?hub=chat", token); got != http.StatusOK {
		t.Errorf("after a restart a client's token is answered %d", got)
	}
}

// getWith is the body of an answer to one who has a token.
func getWith(t *testing.T, url, token string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", w.StatusCode, err)
	}
	return body
}

package dataapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/dataapi"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/testkit"
)

// withIssuer is the REST API of an instance that trusts an OpenID Connect provider.
type withIssuer struct {
	t        *testing.T
	api      http.Handler
	key      *ecdsa.PrivateKey
	instance *resource.SignalR
}

func newWithIssuer(t *testing.T, change func(r *resource.SignalR)) *withIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	if err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) }))
	r := &resource.SignalR{
		ID: resource.NewID(resource.SignalRService, "signalR", "asrs1"), PrimaryKey: primaryKey, SecondaryKey: secondaryKey, Salt: "the salt of this test",
		Identity: resource.Identity{Issuers: []resource.TokenIssuer{{Issuer: "https://login.example.com", KeySetURL: provider.URL}}},
	}
	change(r)
	issuers := auth.NewIssuers(auth.IssuersOptions{})
	issuers.Configure(r.Identity.Issuers)
	t.Cleanup(func() {
		issuers.Close()
		provider.Close()
	})
	own := []string{r.PrimaryKey, r.SecondaryKey}
	if r.DisableLocalAuth {
		own = nil
	}
	access := &auth.Access{Keys: auth.NewVerifier(own), Issuers: issuers, Temporary: auth.NewTemporaryKeys(r)}
	return &withIssuer{t: t, key: key, instance: r, api: dataapi.New(dataapi.Options{
		Registry: hub.NewRegistry("node"), Logger: testkit.Logger(t),
		Access: func() *auth.Access { return access },
		Key: func() string {
			if r.DisableLocalAuth {
				return ""
			}
			return r.PrimaryKey
		},
	})}
}

func (w *withIssuer) token(roles ...resource.Role) string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: w.key}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": "https://login.example.com", "aud": "https://signalr.azure.com", "exp": time.Now().Add(time.Hour).Unix(), "roles": roles,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *withIssuer) do(method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.api.ServeHTTP(answer, r)
	return answer
}

// Checklist row 27: what an identity may do follows from its roles.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWithIssuer(t, func(*resource.SignalR) {})
	const version = "?api-version=2024-12-01"
	operations := []struct{ method, path, body string }{
		{"HEAD", "/api/hubs/chat/users/joe" + version, ""},
		{"GET", "/api/hubs/chat/users/joe/groups/g" + version, ""},
		{"HEAD", "/api/v1/hubs/chat/connections/c", ""},
		{"GET", "/api/hubs/chat/groups/g/connections" + version, ""},
		{"POST", "/api/hubs/chat/:send" + version, `{"target":"t","arguments":[]}`},
		{"DELETE", "/api/hubs/chat/users/joe/groups" + version, ""},
		{"POST", "/api/hubs/chat/:generateToken" + version, ""},
		{"GET", "/api/auth/accessKey" + version, ""},
		{"GET", "/api/v1/auth/accessKey", ""},
	}
	for role, want := range map[resource.Role][]int{
		resource.RoleRESTReader:   {404, 404, 404, 403, 403, 403, 403, 403, 403},
		resource.RoleRESTOwner:    {404, 404, 404, 200, 202, 204, 200, 403, 403},
		resource.RoleServiceOwner: {404, 404, 404, 200, 202, 204, 200, 200, 200},
		resource.RoleAppServer:    {403, 403, 403, 403, 403, 403, 403, 200, 200},
		"SignalR Stranger":        {403, 403, 403, 403, 403, 403, 403, 403, 403},
	} {
		var got []int
		token := w.token(role)
		for _, o := range operations {
			answer := w.do(o.method, o.path, token, o.body)
			got = append(got, answer.Code)
			if answer.Code == http.StatusForbidden && o.method != http.MethodHead && !strings.Contains(answer.Body.String(), "SignalR ") {
				t.Errorf("%s %s: %q does not say which role is needed", o.method, o.path, answer.Body)
			}
			if code := answer.Header().Get("x-ms-error-code"); (code == "") != (answer.Code != http.StatusNotFound) {
				t.Errorf("%s %s: status %d with the code %q", o.method, o.path, answer.Code, code)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the answers to %s (-want +got):\n%s", role, diff)
		}
	}
	for name, token := range map[string]string{"nothing": "", "a forger": w.token(resource.RoleServiceOwner) + "A", "another's": newWithIssuer(t, func(*resource.SignalR) {}).token(resource.RoleServiceOwner)} {
		answer := w.do("GET", "/api/v1/auth/accessKey", token, "")
		if answer.Code != http.StatusUnauthorized || !strings.HasPrefix(answer.Header().Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s is answered %d, %q", name, answer.Code, answer.Header())
		}
	}
}

// Checklist row 28: the key of the REST API is the one that signs tokens of clients.
func TestAccessKey(t *testing.T) {
	t.Parallel()
	w := newWithIssuer(t, func(*resource.SignalR) {})
	for _, path := range []string{"/api/v1/auth/accessKey", "/api/auth/accessKey?api-version=2023-07-01"} {
		answer := w.do("GET", path, w.token(resource.RoleAppServer), "")
		var key map[string]string
		if err := json.Unmarshal(answer.Body.Bytes(), &key); err != nil || len(key) != 2 || answer.Code != http.StatusOK {
			t.Fatalf("%s: status %d, %v", path, answer.Code, err)
		}
		if answer.Header().Get("Cache-Control") != "no-store" {
			t.Error("the key may be kept by a cache")
		}
		token, err := auth.TemporaryKey{ID: key["KeyId"], Key: key["AccessKey"]}.Sign(auth.HS256, append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: "http://x/client/?hub=chat"})...)
		if err != nil {
			t.Fatal(err)
		}
		clients := auth.NewVerifier(nil, auth.WithTemporaryKeys(auth.NewTemporaryKeys(w.instance)))
		if _, err := clients.Verify(token, time.Now()); err != nil {
			t.Errorf("a token by the key: %v", err)
		}
		// It opens nothing else.
		if answer := w.do("HEAD", "/api/v1/hubs/chat/users/joe", token, ""); answer.Code != http.StatusUnauthorized {
			t.Errorf("the key is answered %d by the REST API", answer.Code)
		}
	}
	if answer := w.do("GET", "/api/auth/accessKey", w.token(resource.RoleAppServer), ""); answer.Code != http.StatusBadRequest {
		t.Errorf("without api-version the status is %d", answer.Code)
	}
	off := newWithIssuer(t, func(r *resource.SignalR) { r.DisableLocalAuth, r.Salt = true, "" })
	if answer := off.do("GET", "/api/v1/auth/accessKey", off.token(resource.RoleAppServer), ""); answer.Code != http.StatusForbidden {
		t.Errorf("an instance that has no temporary keys answers %d", answer.Code)
	}
}

// Checklist rows 29 and 32: without access keys tokens of clients are made all the same, and last as long as they say.
func TestGenerateTokenWithoutAccessKeys(t *testing.T) {
	t.Parallel()
	w := newWithIssuer(t, func(r *resource.SignalR) { r.DisableLocalAuth = true })
	answer := w.do("POST", "/api/hubs/chat/:generateToken?api-version=2022-11-01&userId=joe&minutesToExpire=10000", w.token(resource.RoleRESTOwner), "")
	var made struct{ Token string }
	if err := json.Unmarshal(answer.Body.Bytes(), &made); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("status %d, %v", answer.Code, err)
	}
	clients := auth.NewVerifier(nil, auth.WithTemporaryKeys(auth.NewTemporaryKeys(w.instance)))
	token, err := clients.Verify(made.Token, time.Now().Add(9_999*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.CheckClientAudience("chat"); err != nil {
		t.Error(err)
	}
	if user, _ := token.UserID(); user != "joe" {
		t.Errorf("the user is %q", user)
	}
	if answer := w.do("HEAD", "/api/v1/hubs/chat/users/joe", sign(t, "http://x/api/v1/hubs/chat/users/joe"), ""); answer.Code != http.StatusUnauthorized {
		t.Errorf("an access key is answered %d", answer.Code)
	}
}

package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/resource"
)

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	keys := signingKeys()
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(k jose.JSONWebKey) string {
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := marshal(jose.JSONWebKey{KeyID: "a", Key: keys.rsa.Public()})
	for _, c := range []struct {
		name string
		keys []string
		want int
	}{
		{"one", []string{good}, 1},
		{"a use", []string{marshal(jose.JSONWebKey{Use: "sig", Key: keys.ec.Public()})}, 1},
		{"encryption", []string{marshal(jose.JSONWebKey{Use: "enc", Key: keys.rsa.Public()}), good}, 1},
		{"a secret", []string{`{"kty":"oct","k":"AAAA"}`, good}, 1},
		{"a private key", []string{marshal(jose.JSONWebKey{Key: keys.rsa}), good}, 1},
		{"a short one", []string{marshal(jose.JSONWebKey{Key: keys.weak.Public()}), good}, 1},
		{"another curve", []string{marshal(jose.JSONWebKey{Key: large.Public()}), good}, 1},
		{"an unknown kind", []string{`{"kty":"new"}`, `{"kty":"EC","crv":"secp256k1"}`, `7`, `{}`, good}, 1},
		{"no usable one", []string{`{"kty":"oct","k":"AAAA"}`}, 0},
		{"none", nil, 0},
		{"many", strings.Split(strings.Repeat(good+"\n", maxKeys+9)+good, "\n"), maxKeys},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseKeySet([]byte(`{"more":1,"keys":[` + strings.Join(c.keys, ",") + `]}`))
			if len(got) != c.want || (err == nil) != (c.want > 0) {
				t.Errorf("%d keys and error %v, want %d keys", len(got), err, c.want)
			}
		})
	}
	for _, document := range []string{"", "[]", "{", `{"keys":7}`, `{"keys":[1`, `{"keys":[],"keys":[]}`} {
		if _, err := parseKeySet([]byte(document)); err == nil {
			t.Errorf("%q counts as a key set", document)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"not JSON":          "<html>",
		"another issuer":    `{"issuer":"https://evil.example.com","jwks_uri":"https://keys.example.com/set"}`,
		"no keys":           `{"issuer":"` + testIssuer + `"}`,
		"keys over HTTP":    `{"issuer":"` + testIssuer + `","jwks_uri":"http://keys.example.com/set"}`,
		"keys in a file":    `{"issuer":"` + testIssuer + `","jwks_uri":"file:///etc/passwd"}`,
		"the issuer twice":  `{"issuer":"x","issuer":"` + testIssuer + `","jwks_uri":"https://keys.example.com/set"}`,
		"more than 256 KiB": `{"a":"` + strings.Repeat("a", maxDocumentBytes) + `","issuer":"` + testIssuer + `","jwks_uri":"https://keys.example.com/set"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			p.metadata = document
			s := p.issuers(t, nil)
			_, err := s.Verify(t.Context(), accessToken(t, jose.RS256, signingKeys().rsa, "rsa", goodClaims(now)), now)
			if reasonOf(err) != ReasonSignature || p.fetched() != 0 {
				t.Errorf("error %v after the keys were fetched %d times, want none", err, p.fetched())
			}
		})
	}
}

// A real server, over HTTP on this machine, with what servers do.
func TestFetchOverHTTP(t *testing.T) {
	t.Parallel()
	p := newProvider()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/moved")
	})
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(p.keySet()) })
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		for range maxDocumentBytes >> 10 {
			_, _ = w.Write(make([]byte, 1<<10))
		}
		_, _ = w.Write([]byte{0})
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })

	for _, c := range []struct {
		name   string
		issuer resource.TokenIssuer
		want   string // of the error; "" for none
	}{
		{"by metadata", resource.TokenIssuer{Issuer: server.URL}, ""},
		{"by the key set's URL", resource.TokenIssuer{Issuer: server.URL, KeySetURL: server.URL + "/keys"}, ""},
		{"round and round", resource.TokenIssuer{Issuer: server.URL, KeySetURL: server.URL + "/round"}, "too many redirects"},
		{"too large", resource.TokenIssuer{Issuer: server.URL, KeySetURL: server.URL + "/large"}, "more than 262144 bytes"},
		{"broken", resource.TokenIssuer{Issuer: server.URL, KeySetURL: server.URL + "/broken"}, "status 503"},
		{"nobody there", resource.TokenIssuer{Issuer: server.URL, KeySetURL: "http://127.0.0.1:1"}, "127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			s := NewIssuers(IssuersOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			s.Configure([]resource.TokenIssuer{c.issuer})
			_, err := s.Verify(t.Context(), accessToken(t, jose.ES256, signingKeys().ec, "ec", goodClaims(now).with("iss", server.URL)), now)
			s.Close()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (reasonOf(err) != ReasonSignature || !strings.Contains(err.Error(), c.want) || !strings.Contains(log.String(), c.want)):
				t.Errorf("error %v, log %s, want %q in both", err, log.String(), c.want)
			}
		})
	}
}

func TestNoRedirectOutOfHTTPS(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	s := NewIssuers(IssuersOptions{Transport: secure.Client().Transport})
	t.Cleanup(s.Close)
	s.Configure([]resource.TokenIssuer{{Issuer: testIssuer, KeySetURL: secure.URL}})
	_, err := s.Verify(t.Context(), accessToken(t, jose.ES256, signingKeys().ec, "ec", goodClaims(now)), now)
	if err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("error %v", err)
	}
}

func TestCheckRedirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"https://a.example", "https://b.example", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "http://localhost", false},
		{"https://a.example", "file:///etc/keys", false},
		{"http://localhost:1", "http://127.0.0.1:2", true},
		{"http://localhost:1", "https://a.example", true},
		{"http://localhost:1", "http://a.example", false},
		{"http://a.example", "http://b.example", true},
		{"http://a.example", "ftp://b.example", false},
	} {
		from, errFrom := url.Parse(c.from)
		to, errTo := url.Parse(c.to)
		if errFrom != nil || errTo != nil {
			t.Fatal(errFrom, errTo)
		}
		if err := checkRedirect(from, to); (err == nil) != c.want {
			t.Errorf("from %s to %s: %v, want it to be followed: %v", c.from, c.to, err, c.want)
		}
	}
}

func TestCloseEndsAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.block = make(chan struct{})
		s := p.issuers(t, nil)
		result := make(chan error, 1)
		go func() { result <- verifyNow(t, s, signingKeys().rsa, "rsa") }()
		synctest.Wait()
		start := time.Now()
		s.Close()
		if err := <-result; err == nil || time.Since(start) > 0 {
			t.Errorf("error %v after %v, want one at once", err, time.Since(start))
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(newProvider().keySet())
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","x5c":["AA"],"x5t":"AA","n":"","e":""}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := parseKeySet(document)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys and error %v", len(keys), err)
		}
		for _, k := range keys {
			if !k.IsPublic() || !strong(k.Key) {
				t.Errorf("a key of type %T is used", k.Key)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"` + testIssuer + `","jwks_uri":"https://keys.example.com/set"}`))
	f.Add([]byte(`{"issuer":"` + testIssuer + `","jwks_uri":"http://[::1]/"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		url, err := keySetURL(document, &resource.TokenIssuer{Issuer: testIssuer})
		if err == nil && resource.KeyURLProblem(url, false) != "" {
			t.Errorf("keys would be fetched from %q", url)
		}
	})
}

func TestKeysFitAlgorithms(t *testing.T) {
	t.Parallel()
	keys := []jose.JSONWebKey{
		{KeyID: "any", Key: signingKeys().rsa.Public()},
		{KeyID: "pss", Algorithm: PS256, Key: signingKeys().rsa2.Public()},
		{KeyID: "ec", Key: signingKeys().ec.Public()},
		{KeyID: "any", Key: signingKeys().ec.Public()},
	}
	for _, c := range []struct {
		id, algorithm string
		want          int
	}{{"", RS256, 1}, {"", PS256, 2}, {"", ES256, 2}, {"pss", RS256, 0}, {"pss", PS256, 1}, {"any", RS256, 1}, {"any", ES256, 1}, {"none", ES256, 0}} {
		if got := fitting(keys, c.id, c.algorithm); len(got) != c.want {
			t.Errorf("%d keys fit %s and the id %q, want %d", len(got), c.algorithm, c.id, c.want)
		}
	}
}

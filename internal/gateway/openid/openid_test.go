package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer answers requests for metadata in process, so that a test may run on a clock of its own.
type issuer struct {
	mu      sync.Mutex
	keys    []any
	fetched int
	status  int
	text    string // instead of the configuration
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	answer := func(v any) (*http.Response, error) {
		data, err := json.Marshal(v)
		return &http.Response{StatusCode: max(i.status, 200), Body: io.NopCloser(strings.NewReader(string(data))), Header: http.Header{}, Request: r}, err
	}
	if r.URL.Path == "/keys" {
		return answer(map[string]any{"keys": i.keys})
	}
	i.fetched++
	if i.text != "" {
		return answer(json.RawMessage(i.text))
	}
	return answer(map[string]string{"issuer": "https://issuer.example/", "jwks_uri": "https://issuer.example/keys"})
}

func (i *issuer) count() int { i.mu.Lock(); defer i.mu.Unlock(); return i.fetched }

func publicKey(t *testing.T, id string) jose.JSONWebKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k.Public(), KeyID: id, Use: "sig", Algorithm: "ES256"}
}

const address = "https://issuer.example/.well-known/openid-configuration"

func TestGetKeepsAndRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: []any{publicKey(t, "one"), jose.JSONWebKey{Key: []byte("secret"), KeyID: "oct"}, map[string]string{"kty": "new"}, jose.JSONWebKey{Key: publicKey(t, "").Key, KeyID: "enc", Use: "enc"}}}
		c := NewCache(&http.Client{Transport: i})
		get := func(f func(context.Context, string) (*Metadata, error)) *Metadata {
			t.Helper()
			m, err := f(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := get(c.Get)
		if m.Issuer != "https://issuer.example/" || len(m.Keys) != 1 || len(m.Key("one")) != 1 || len(m.Key("")) != 1 || len(m.Key("two")) != 0 {
			t.Errorf("%+v", m)
		}
		get(c.Get)
		get(c.Refresh)
		if i.count() != 1 {
			t.Errorf("fetched %d times at once", i.count())
		}
		time.Sleep(RefreshInterval)
		i.mu.Lock()
		i.keys = []any{publicKey(t, "two")}
		i.mu.Unlock()
		get(c.Get)
		if i.count() != 1 {
			t.Error("fetched before its time")
		}
		if m := get(c.Refresh); len(m.Key("two")) != 1 || i.count() != 2 {
			t.Error("a missing key is not looked for")
		}
		time.Sleep(Keep)
		i.mu.Lock()
		i.status = 503
		i.mu.Unlock()
		if m := get(c.Get); len(m.Key("two")) != 1 || i.count() != 3 {
			t.Error("the old keys do not go on")
		}
		get(c.Get)
		if i.count() != 3 {
			t.Error("an issuer that fails is asked at every request")
		}
	})
}

func TestGetFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{status: 500}
		c := NewCache(&http.Client{Transport: i})
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				if _, err := c.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), "status 500") {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		before := i.count()
		time.Sleep(RetryInterval - 1)
		if _, err := c.Get(t.Context(), address); err == nil || i.count() != before {
			t.Error("tried again too early")
		}
		time.Sleep(time.Nanosecond)
		i.mu.Lock()
		i.status = 200
		i.mu.Unlock()
		if _, err := c.Get(t.Context(), address); err != nil {
			t.Error(err)
		}
	})
}

func TestDocumentsThatAreNone(t *testing.T) {
	t.Parallel()
	for fault, text := range map[string]string{"no jwks_uri": `{}`, "valid JSON": `[]`, "absolute": `{"jwks_uri":"/keys"}`, "larger": `"` + strings.Repeat("x", maxDocument) + `"`} {
		c := NewCache(&http.Client{Transport: &issuer{text: text}})
		if _, err := c.Get(t.Context(), address); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	c := NewCache(&http.Client{Transport: &issuer{}})
	if _, err := c.Get(t.Context(), "file:///etc/passwd"); err == nil {
		t.Error("a file is read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, address); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

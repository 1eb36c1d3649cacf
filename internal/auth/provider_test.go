package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/resource"
)

// testIssuer is what the provider of these tests calls itself.
const testIssuer = "https://login.example.com/tenant"

// signingKeys are made once: RSA keys take their time.
var signingKeys = sync.OnceValue(func() (k struct {
	rsa, rsa2, weak *rsa.PrivateKey
	ec              *ecdsa.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.rsa2, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.weak, _ = rsa.GenerateKey(rand.Reader, 1024)
	k.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
})

// provider is an OpenID Connect provider that is reached without a network.
type provider struct {
	mu       sync.Mutex
	keys     map[string]crypto.Signer
	down     bool
	fetches  int           // of the key set
	block    chan struct{} // nil: answer at once
	metadata string        // "" for a good one
}

func newProvider() *provider {
	return &provider{keys: map[string]crypto.Signer{"rsa": signingKeys().rsa, "ec": signingKeys().ec}}
}

func (p *provider) set(change func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *provider) fetched() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *provider) keySet() []byte {
	var set jose.JSONWebKeySet
	for id, key := range p.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: id, Use: "sig", Key: key.Public()})
	}
	b, _ := json.Marshal(set)
	return b
}

// RoundTrip answers requests for metadata and keys.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block != nil {
		block := p.block
		p.mu.Unlock()
		select {
		case <-block:
		case <-r.Context().Done():
		}
		p.mu.Lock()
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
	}
	if p.down {
		return nil, errors.New("no such host")
	}
	answer := func(status int, body []byte) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	}
	switch r.URL.String() {
	case testIssuer + "/.well-known/openid-configuration":
		if p.metadata != "" {
			return answer(http.StatusOK, []byte(p.metadata))
		}
		return answer(http.StatusOK, []byte(`{"issuer":"`+testIssuer+`","jwks_uri":"https://keys.example.com/set","other":[1]}`))
	case "https://keys.example.com/set":
		p.fetches++
		return answer(http.StatusOK, p.keySet())
	}
	return answer(http.StatusNotFound, nil)
}

// issuers makes an Issuers that trusts the provider.
func (p *provider) issuers(t testing.TB, change func(*resource.TokenIssuer)) *Issuers {
	t.Helper()
	issuer := resource.TokenIssuer{Issuer: testIssuer}
	if change != nil {
		change(&issuer)
	}
	s := NewIssuers(IssuersOptions{Transport: p})
	s.Configure([]resource.TokenIssuer{issuer})
	t.Cleanup(s.Close)
	return s
}

// claims of an access token. Nil values are left out.
type claims map[string]any

func goodClaims(at time.Time) claims {
	return claims{
		"iss": testIssuer, "aud": resource.DefaultAudience, "sub": "app-1", "iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(time.Hour).Unix(),
		"roles": []string{string(resource.RoleAppServer)},
	}
}

func (c claims) with(name string, value any) claims {
	next := claims{}
	for k, v := range c {
		next[k] = v
	}
	if value == nil {
		delete(next, name)
	} else {
		next[name] = value
	}
	return next
}

// token signs claims; an empty id leaves the kid out.
func accessToken(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id string, c claims) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

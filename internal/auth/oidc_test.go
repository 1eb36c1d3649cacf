package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	p := newProvider()
	s := p.issuers(t, func(i *resource.TokenIssuer) { i.Audiences = []string{resource.DefaultAudience, "chat"} })
	keys, good := signingKeys(), goodClaims(now)
	for _, c := range []struct {
		name  string
		token string
		want  Reason // "" is good
	}{
		{"RS256", accessToken(t, jose.RS256, keys.rsa, "rsa", good), ""},
		{"PS256", accessToken(t, jose.PS256, keys.rsa, "rsa", good), ""},
		{"ES256", accessToken(t, jose.ES256, keys.ec, "ec", good), ""},
		{"no kid", accessToken(t, jose.RS256, keys.rsa, "", good), ""},
		{"a slash behind the audience", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("aud", resource.DefaultAudience+"/")), ""},
		{"several audiences", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("aud", []string{"other", "chat"})), ""},
		{"no nbf", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("nbf", nil)), ""},
		{"a clock that is late", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("exp", now.Add(-4*time.Minute).Unix())), ""},

		{"nothing", "", ReasonMissing},
		{"three parts of nothing", "a.b.c", ReasonMalformed},
		{"a long one", strings.Repeat("a", maxTokenBytes+1), ReasonMalformed},
		{"RS384", accessToken(t, jose.RS384, keys.rsa, "rsa", good), ReasonMalformed},
		{"HS256 with the public key", accessToken(t, jose.HS256, keys.rsa.N.Bytes(), "rsa", good), ReasonMalformed},
		{"none", "eyJhbGciOiJub25lIn0." + strings.Split(accessToken(t, jose.RS256, keys.rsa, "rsa", good), ".")[1] + ".", ReasonMalformed},
		{"another's key", accessToken(t, jose.RS256, keys.rsa2, "rsa", good), ReasonSignature},
		{"another's key and no kid", accessToken(t, jose.RS256, keys.rsa2, "", good), ReasonSignature},
		{"an unknown key", accessToken(t, jose.RS256, keys.rsa, "gone", good), ReasonSignature},
		{"the key of another algorithm", accessToken(t, jose.RS256, keys.rsa, "ec", good), ReasonSignature},
		{"another issuer", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("iss", testIssuer+"/")), ReasonIssuer},
		{"no issuer", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("iss", nil)), ReasonIssuer},
		{"two issuers", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("iss", []string{testIssuer, "other"})), ReasonIssuer},
		{"no end", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("exp", nil)), ReasonNoExpiration},
		{"over", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("exp", now.Add(-6*time.Minute).Unix())), ReasonExpired},
		{"not yet", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("nbf", now.Add(6*time.Minute).Unix())), ReasonNotYetValid},
		{"for somebody else", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("aud", "https://graph.example.com")), ReasonAudience},
		{"for nobody", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("aud", nil)), ReasonAudience},
		{"an end that is a text", accessToken(t, jose.RS256, keys.rsa, "rsa", good.with("exp", "soon")), ReasonMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			identity, err := s.Verify(t.Context(), c.token, now)
			if got := reasonOf(err); got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("error %v, want reason %q", err, c.want)
			}
			if err != nil {
				return
			}
			if identity.Subject != "app-1" || identity.Issuer != testIssuer || !cmp.Equal(identity.Roles, []resource.Role{resource.RoleAppServer}) {
				t.Errorf("the identity is %+v", identity)
			}
		})
	}
}

func TestAccessTokenRoles(t *testing.T) {
	t.Parallel()
	assignments := []resource.RoleAssignment{{Value: "server", Role: resource.RoleAppServer}, {Value: "reader", Role: resource.RoleRESTReader}, {Value: "both", Role: resource.RoleAppServer}, {Value: "both", Role: resource.RoleRESTReader}}
	server, reader := resource.RoleAppServer, resource.RoleRESTReader
	for _, c := range []struct {
		name  string
		claim string
		value map[string]any
		want  []resource.Role
	}{
		{"an array", "", map[string]any{"roles": []string{"server", "other", "reader"}}, []resource.Role{server, reader}},
		{"a text", "", map[string]any{"roles": "server"}, []resource.Role{server}},
		{"words of a text", "scp", map[string]any{"scp": "openid reader server reader"}, []resource.Role{server, reader}},
		{"none", "", map[string]any{}, nil},
		{"numbers", "", map[string]any{"roles": []any{1, true, nil}}, nil},
		{"two for one value", "", map[string]any{"roles": "both"}, []resource.Role{server, reader}},
		{"a path", "realm_access.roles", map[string]any{"realm_access": map[string]any{"roles": []string{"server"}}}, []resource.Role{server}},
		{"a longer path", "a.b.c", map[string]any{"a": map[string]any{"b": map[string]any{"c": "server"}}}, []resource.Role{server}},
		{"a path to nowhere", "a.b.c", map[string]any{"a": map[string]any{"b": "server"}}, nil},
		{"a name with dots", "https://example.com/roles", map[string]any{"https://example.com/roles": []string{"reader"}}, []resource.Role{reader}},
		{"not the default one", "groups", map[string]any{"roles": "server"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newProvider().issuers(t, func(i *resource.TokenIssuer) { i.RoleClaim, i.RoleAssignments = c.claim, assignments })
			all := goodClaims(now).with("roles", nil)
			for name, value := range c.value {
				all = all.with(name, value)
			}
			identity, err := s.Verify(t.Context(), accessToken(t, jose.ES256, signingKeys().ec, "ec", all), now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, identity.Roles); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	want := map[resource.Role][]Permission{
		resource.RoleAppServer:    {OpenServer, GetTemporaryKey},
		resource.RoleServiceOwner: {OpenServer, GetTemporaryKey, CheckExistence, UseREST, ReadTrace},
		resource.RoleRESTOwner:    {CheckExistence, UseREST},
		resource.RoleRESTReader:   {CheckExistence},
		"":                        nil,
	}
	for role, may := range want {
		var got []Permission
		for _, p := range []Permission{OpenServer, GetTemporaryKey, CheckExistence, UseREST, ReadTrace} {
			err := (&Identity{Roles: []resource.Role{role}}).Check(p)
			if err == nil {
				got = append(got, p)
			} else if e, ok := errors.AsType[*RoleError](err); !ok || !strings.Contains(e.Error(), "SignalR Service Owner") {
				t.Errorf("the error %v does not say which role is needed", err)
			}
		}
		if diff := cmp.Diff(may, got); diff != "" {
			t.Errorf("what %q may do (-want +got):\n%s", role, diff)
		}
	}
}

// verifyNow checks a token that was made now, in the time of the test.
func verifyNow(t *testing.T, s *Issuers, key any, id string) error {
	t.Helper()
	at := time.Now()
	_, err := s.Verify(t.Context(), accessToken(t, jose.RS256, key, id, goodClaims(at)), at)
	return err
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	keys := signingKeys()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		s := p.issuers(t, nil)
		expect := func(id string, key any, good bool, fetches int) {
			t.Helper()
			if err := verifyNow(t, s, key, id); (err == nil) != good {
				t.Errorf("key %s: %v, want it to be good: %v", id, err, good)
			}
			if got := p.fetched(); got != fetches {
				t.Errorf("the keys were fetched %d times, want %d", got, fetches)
			}
		}
		expect("rsa", keys.rsa, true, 1)
		time.Sleep(59 * time.Minute)
		expect("rsa", keys.rsa, true, 1)

		p.set(func(p *provider) { p.keys["new"] = keys.rsa2 })
		expect("new", keys.rsa2, true, 2) // a key that is not known is asked for
		expect("made up", keys.rsa2, false, 2)
		time.Sleep(4 * time.Minute)
		expect("made up", keys.rsa2, false, 2)
		time.Sleep(2 * time.Minute)
		expect("made up", keys.rsa2, false, 3) // after five minutes again
		expect("made up", keys.rsa2, false, 3)

		p.set(func(p *provider) { delete(p.keys, "rsa") })
		expect("rsa", keys.rsa, true, 3) // until the keys are an hour old
		time.Sleep(time.Hour)
		expect("rsa", keys.rsa, false, 4)
		expect("new", keys.rsa2, true, 4)
	})
}

func TestKeysDuringAnOutage(t *testing.T) {
	t.Parallel()
	keys := signingKeys()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.down = true
		s := p.issuers(t, nil)
		if err := verifyNow(t, s, keys.rsa, "rsa"); reasonOf(err) != ReasonSignature || !strings.Contains(err.Error(), "no such host") {
			t.Errorf("without keys the error is %v", err)
		}
		p.set(func(p *provider) { p.down = false })
		if err := verifyNow(t, s, keys.rsa, "rsa"); err == nil {
			t.Error("the keys were fetched again at once")
		}
		time.Sleep(firstRetry)
		if err := verifyNow(t, s, keys.rsa, "rsa"); err != nil {
			t.Errorf("after the outage: %v", err)
		}

		p.set(func(p *provider) { p.down = true })
		for range 48 {
			time.Sleep(30 * time.Minute)
			if err := verifyNow(t, s, keys.rsa, "rsa"); err != nil {
				t.Fatalf("during the outage, with old keys: %v", err)
			}
		}
		p.set(func(p *provider) { p.down = false; p.keys = newProvider().keys; p.keys["rsa"] = keys.rsa2 })
		time.Sleep(keysRetry)
		if err := verifyNow(t, s, keys.rsa, "rsa"); err == nil {
			t.Error("the old keys stay after the outage")
		}
	})
}

func TestWaitForKeys(t *testing.T) {
	t.Parallel()
	keys := signingKeys()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.block = make(chan struct{})
		s := p.issuers(t, nil)
		at := time.Now()
		token := accessToken(t, jose.RS256, keys.rsa, "rsa", goodClaims(at))
		gaveUp, cancel := context.WithCancel(t.Context())
		results := make(chan error, 10)
		for i := range 10 {
			ctx := t.Context()
			if i == 0 {
				ctx = gaveUp
			}
			go func() {
				_, err := s.Verify(ctx, token, at)
				results <- err
			}()
		}
		synctest.Wait()
		cancel()
		if err := <-results; err == nil {
			t.Error("one who gave up got an answer")
		}
		close(p.block)
		for range 9 {
			if err := <-results; err != nil {
				t.Errorf("one who waited: %v", err)
			}
		}
		if p.fetched() != 1 {
			t.Errorf("ten at once fetched the keys %d times", p.fetched())
		}
		// A provider that says nothing keeps nobody for ever.
		p.set(func(p *provider) { p.block = make(chan struct{}) })
		time.Sleep(2 * time.Hour)
		start := time.Now()
		if err := verifyNow(t, s, keys.rsa, "rsa"); err != nil {
			t.Errorf("with old keys: %v", err)
		}
		if waited := time.Since(start); waited > fetchTimeout {
			t.Errorf("it took %v", waited)
		}
	})
}

func TestConfigureKeepsKeys(t *testing.T) {
	t.Parallel()
	p := newProvider()
	s := p.issuers(t, nil)
	token := accessToken(t, jose.RS256, signingKeys().rsa, "rsa", goodClaims(now))
	verify := func() error {
		_, err := s.Verify(t.Context(), token, now)
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	p.set(func(p *provider) { p.down = true })
	s.Configure([]resource.TokenIssuer{{Issuer: testIssuer, Audiences: []string{"https://signalr.azure.com", "b"}}, {Issuer: "https://other.example.com"}})
	if err := verify(); err != nil {
		t.Errorf("after another setting has changed: %v", err)
	}
	s.Configure([]resource.TokenIssuer{{Issuer: testIssuer, KeySetURL: "https://elsewhere.example.com"}})
	if err := verify(); reasonOf(err) != ReasonSignature {
		t.Errorf("keys of the old place are used for the new one: %v", err)
	}
	s.Configure(nil)
	if err := verify(); reasonOf(err) != ReasonIssuer {
		t.Errorf("an issuer that is trusted no more: %v", err)
	}
	s.Close()
	s.Configure([]resource.TokenIssuer{{Issuer: testIssuer}})
	if err := verify(); reasonOf(err) != ReasonSignature {
		t.Errorf("after the end: %v", err)
	}
}

func TestErrorsShowNoTokens(t *testing.T) {
	t.Parallel()
	s := newProvider().issuers(t, nil)
	token := accessToken(t, jose.RS256, signingKeys().rsa2, "rsa", goodClaims(now).with("sub", "hunter2"))
	for _, text := range []string{token, token[:len(token)-4], strings.Replace(token, ".", ".x", 1)} {
		_, err := s.Verify(t.Context(), text, now)
		if err == nil {
			t.Error("accepted")
			continue
		}
		for _, part := range append(strings.Split(text, "."), "hunter2") {
			if strings.Contains(err.Error(), part) {
				t.Errorf("the error shows a part of the token: %v", err)
			}
		}
	}
}

func FuzzAccessToken(f *testing.F) {
	p := newProvider()
	s := p.issuers(f, nil)
	good := accessToken(f, jose.RS256, signingKeys().rsa, "rsa", goodClaims(now))
	f.Add(good)
	f.Add(accessToken(f, jose.ES256, signingKeys().ec, "ec", goodClaims(now)))
	f.Add(accessToken(f, jose.ES256, signingKeys().ec, "", goodClaims(now).with("iss", "x")))
	f.Add(strings.ReplaceAll(good, ".", ""))
	f.Add("eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9.e30.AA")
	f.Add("..")
	parts := strings.Split(good, ".")
	f.Fuzz(func(t *testing.T, token string) {
		identity, err := s.Verify(t.Context(), token, now)
		if err == nil && identity.Issuer != testIssuer {
			t.Errorf("accepted for %+v", identity)
		}
		if err != nil && reasonOf(err) == "" {
			t.Errorf("the error %v is none that can be answered", err)
		}
		// Other claims or another header behind the good signature.
		for _, forged := range []string{parts[0] + "." + token + "." + parts[2], token + "." + parts[1] + "." + parts[2]} {
			if forged == good {
				continue
			}
			if _, err := s.Verify(t.Context(), forged, now); err == nil {
				t.Errorf("accepted with the signature of another: %q", forged)
			}
		}
	})
}

// FuzzRoles reads roles out of claims that an issuer signed.
func FuzzRoles(f *testing.F) {
	f.Add(`{"roles":["a","b c"]}`, "roles")
	f.Add(`{"realm_access":{"roles":["a"]}}`, "realm_access.roles")
	f.Add(`{"a":{"b":{"c":1}}}`, "a.b.c.d")
	f.Add(`{"a":"{"}`, "a.")
	f.Fuzz(func(t *testing.T, payload, name string) {
		token := &Token{}
		if parseClaims([]byte(payload), token) != nil {
			return
		}
		if values := roleValues(token.Claims, name); len(values) > 2*len(payload)+1 {
			t.Errorf("%d values come of %d bytes", len(values), len(payload))
		}
	})
}

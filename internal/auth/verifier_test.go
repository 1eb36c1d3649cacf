package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// emulatorKey is the access key that every local set-up uses.
const emulatorKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

// now is a time at which the tokens of these tests are valid.
var now = time.Unix(1700000000, 0)

// Tokens that .NET made: a hand-checked one of 2024, and two of SDK 1.34.0 as it sent them, all with emulatorKey.
const (
	netToken = "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii0xMjMiLCJ0eXAiOiJKV1QifQ.eyJhc3JzLnMudWlkIjoidTEiLCJuYW1laWQiOiJ1MSIsInJvbGUiOlsiYSIsImIiXSwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDAsImlhdCI6MTcwMDAwMDAwMCwiYXVkIjoiaHR0cDovL2xvY2FsaG9zdC9jbGllbnQvP2h1Yj1jaGF0In0.v0JBQf_F65zEQJRMhcej4PzAK4PXbebXLV87V_cLt_0"

	sdkServerToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Ii0yMDIzMjU2MDQyIn0.eyJuYW1laWQiOiJ2bV81OTFjOGQzYmZlNGU0YzgyYmY0NGViZTE0MWEwMGZhMCIsIm5iZiI6MTc5NTQ1ODkwMCwiZXhwIjoxNzk1NDYyNTAwLCJpYXQiOjE3OTU0NTg5MDAsImlzcyI6ImF6dXJlLXNpZ25hbHIiLCJhdWQiOiJodHRwOi8vbG9jYWxob3N0L3NlcnZlci8_aHViPWNvbmZvcm1hbmNlaHViIn0.NDC2om_vCs0T7tFj1VzYaOqQ3kC9TFHP6xyn8CQP7FM"
)

func mustSign(tb testing.TB, claims ...Claim) string {
	tb.Helper()
	token, err := Sign(emulatorKey, HS256, claims...)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// forge signs any header and any claims with HS256 whatever the header says.
func forge(header, claims string) string {
	e := base64.RawURLEncoding
	signed := e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(claims))
	return signed + "." + e.EncodeToString(sign(nil, HS256, []byte(emulatorKey), signed))
}

const (
	plainHeader = `{"alg":"HS256","typ":"JWT"}`
	plainClaims = `{"aud":"http://localhost/client/?hub=chat","exp":1700003600}`
)

func TestVerifyTokensOfDotNet(t *testing.T) {
	t.Parallel()
	v := NewVerifier([]string{"another", emulatorKey})
	token, err := v.Verify(netToken, now)
	if err != nil {
		t.Fatal(err)
	}
	want := &Token{
		Claims: []Claim{
			{"asrs.s.uid", "u1"}, {"nameid", "u1"}, {"role", "a"}, {"role", "b"}, {"nbf", "1700000000"},
			{"exp", "1700003600"}, {"iat", "1700000000"}, {"aud", "http://localhost/client/?hub=chat"},
		},
		Audience:   []string{"http://localhost/client/?hub=chat"},
		Expires:    time.Unix(1700003600, 0).UTC(),
		NotBefore:  time.Unix(1700000000, 0).UTC(),
		HasExpires: true,
		KeyIndex:   1,
	}
	if d := cmp.Diff(want, token); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := token.CheckClientAudience("Chat"); err != nil {
		t.Error(err)
	}

	token, err = v.Verify(sdkServerToken, time.Unix(1795458900, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.CheckServerAudience("conformancehub"); err != nil {
		t.Error(err)
	}
	if id, _ := token.First("nameid"); id != "vm_591c8d3bfe4e4c82bf44ebe141a00fa0" {
		t.Errorf("nameid %q", id)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	good := forge(plainHeader, plainClaims)
	if _, err := NewVerifier([]string{emulatorKey}).Verify(good, now); err != nil {
		t.Fatalf("the token that the cases are made of: %v", err)
	}
	e := base64.RawURLEncoding
	parts := strings.Split(good, ".")
	withHeader := func(header string) string { return forge(header, plainClaims) }
	withClaims := func(claims string) string { return forge(plainHeader, claims) }
	tests := []struct {
		name, token string
		reason      Reason
		header      string
	}{
		{"nothing", "", ReasonMissing, `Bearer`},
		{"alg none without signature", e.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", ReasonSignature, `Bearer error="invalid_token", error_description="The signature is invalid"`},
		{"alg none, signed", withHeader(`{"alg":"none"}`), ReasonSignature, ""},
		{"alg None", withHeader(`{"alg":"None"}`), ReasonSignature, ""},
		{"no alg", withHeader(`{"typ":"JWT"}`), ReasonSignature, ""},
		{"alg in small letters", withHeader(`{"alg":"hs256"}`), ReasonSignature, ""},
		{"alg RS256 with an HMAC", withHeader(`{"alg":"RS256"}`), ReasonSignature, `Bearer error="invalid_token", error_description="The signature key was not found"`},
		{"alg HS384", withHeader(`{"alg":"HS384"}`), ReasonSignature, ""},
		{"alg HS512 with a signature of HS256", withHeader(`{"alg":"HS512"}`), ReasonSignature, ""},
		{"alg twice", withHeader(`{"alg":"HS256","alg":"HS256"}`), ReasonMalformed, ""},
		{"alg as number", withHeader(`{"alg":256}`), ReasonMalformed, ""},
		{"an extension", withHeader(`{"alg":"HS256","crit":["exp"]}`), ReasonMalformed, ""},
		{"header is no object", withHeader(`"HS256"`), ReasonMalformed, ""},
		{"no signature", parts[0] + "." + parts[1] + ".", ReasonSignature, `Bearer error="invalid_token", error_description="The signature is invalid"`},
		{"no dot", "abc", ReasonMalformed, `Bearer error="invalid_token"`},
		{"two parts", parts[0] + "." + parts[1], ReasonMalformed, ""},
		{"four parts", good + ".x", ReasonMalformed, ""},
		{"truncated", good[:len(good)-3], ReasonSignature, ""},
		{"last bits changed", parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-1] + nextLetter(parts[2]), ReasonMalformed, ""},
		{"claims changed", parts[0] + "." + e.EncodeToString([]byte(`{"exp":1700009999}`)) + "." + parts[2], ReasonSignature, ""},
		{"line end inside", parts[0] + "." + parts[1] + "." + parts[2][:8] + "\n" + parts[2][8:], ReasonMalformed, ""},
		{"padding", good + "=", ReasonMalformed, ""},
		{"too long", good + strings.Repeat("x", maxTokenBytes), ReasonMalformed, ""},
		{"no exp", withClaims(`{"aud":"http://localhost/client/?hub=chat"}`), ReasonNoExpiration, `Bearer error="invalid_token", error_description="The token has no expiration"`},
		{"exp as text", withClaims(`{"exp":"1700003600"}`), ReasonMalformed, ""},
		{"exp null", withClaims(`{"exp":null}`), ReasonMalformed, ""},
		{"expired", withClaims(`{"exp":1699999699}`), ReasonExpired, `Bearer error="invalid_token", error_description="The token expired at '11/14/2023 22:08:19'"`},
		{"expired long ago", withClaims(`{"exp":-1}`), ReasonExpired, `Bearer error="invalid_token", error_description="The token expired at '01/01/1970 00:00:00'"`},
		{"aud as number", withClaims(`{"exp":1700003600,"aud":5}`), ReasonMalformed, ""},
		{"aud nested", withClaims(`{"exp":1700003600,"aud":[["http://x/client"]]}`), ReasonMalformed, ""},
		{"a claim twice", withClaims(`{"exp":1,"exp":1700003600}`), ReasonMalformed, ""},
		{"claims are no object", withClaims(`[1]`), ReasonMalformed, ""},
		{"claims are broken", withClaims(`{"exp":1700003600,"a":[1}`), ReasonMalformed, ""},
		{"claims do not end", withClaims(`{"exp":1700003600`), ReasonMalformed, ""},
		{"something behind the claims", withClaims(plainClaims + `{}`), ReasonMalformed, ""},
		{"claims are not UTF-8", withClaims("{\"exp\":1700003600,\"a\":\"\xff\"}"), ReasonMalformed, ""},
	}
	v := NewVerifier([]string{"another", emulatorKey})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			token, err := v.Verify(test.token, now)
			refusal, ok := errors.AsType[*Error](err)
			if token != nil || !ok || refusal.Reason != test.reason {
				t.Fatalf("got %+v, %v", token, err)
			}
			if test.header != "" && refusal.Header() != test.header {
				t.Errorf("header %s", refusal.Header())
			}
			for _, part := range strings.Split(test.token, ".") {
				if len(part) > 10 && (strings.Contains(err.Error(), part) || strings.Contains(refusal.Header(), part)) {
					t.Errorf("the error repeats the token: %v", err)
				}
			}
		})
	}
}

// nextLetter is a last letter for a signature that decodes to the same bytes, if one does not look closely: its unused
// bits are not zero.
func nextLetter(signature string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(letters, signature[len(signature)-1])
	return letters[i|1 : i|1+1]
}

func TestVerifyKeys(t *testing.T) {
	t.Parallel()
	token := forge(plainHeader, plainClaims)
	for _, test := range []struct {
		keys []string
		want int // -1: refused
	}{
		{[]string{emulatorKey, "b"}, 0},
		{[]string{"a", emulatorKey}, 1},
		{[]string{"", emulatorKey}, 1},
		{[]string{"a", "b", emulatorKey}, 2},
		{[]string{"a", "b"}, -1},
		{[]string{strings.ToLower(emulatorKey)}, -1},
		{nil, -1},
	} {
		got, err := NewVerifier(test.keys).Verify(token, now)
		if (err != nil) != (test.want < 0) || err == nil && got.KeyIndex != test.want {
			t.Errorf("%q: got %+v, %v", test.keys, got, err)
		}
	}

	// An empty key must verify nothing, for everybody knows it.
	e := base64.RawURLEncoding
	signed := e.EncodeToString([]byte(plainHeader)) + "." + e.EncodeToString([]byte(plainClaims))
	empty := signed + "." + e.EncodeToString(sign(nil, HS256, nil, signed))
	if _, err := NewVerifier([]string{"", ""}).Verify(empty, now); err == nil {
		t.Error("a token that was signed with the empty key is accepted")
	}

	v := NewVerifier([]string{emulatorKey})
	if text := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(text, emulatorKey) || strings.Contains(text, "0x41, 0x42") || strings.Contains(text, "65 66") {
		t.Errorf("the key can be printed: %s", text)
	}
}

func TestVerifyLifetime(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) string { return forge(plainHeader, fmt.Sprintf(`{"exp":%g}`, seconds)) }
	const skew = 300
	for _, test := range []struct {
		name  string
		token string
		skew  []Option
		ok    bool
	}{
		{"valid", at(1700000001), nil, true},
		{"expired within the skew", at(1700000000 - skew), nil, true},
		{"expired beyond the skew", at(1700000000 - skew - 1), nil, false},
		{"no skew, last second", at(1700000000), []Option{WithClockSkew(0)}, true},
		{"no skew, one second late", at(1699999999), []Option{WithClockSkew(0)}, false},
		{"negative skew is none", at(1700000000), []Option{WithClockSkew(-time.Hour)}, true},
		{"not valid yet", forge(plainHeader, `{"exp":1700003600,"nbf":1700001000}`), nil, true},
		{"exponent", forge(plainHeader, `{"exp":1.7000036e9}`), nil, true},
		{"end of time", forge(plainHeader, `{"exp":1e400}`), nil, true},
		{"beyond the year 9999", forge(plainHeader, `{"exp":99999999999999}`), nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			token, err := NewVerifier([]string{emulatorKey}, test.skew...).Verify(test.token, now)
			if (err == nil) != test.ok {
				t.Fatalf("got %v", err)
			}
			if err == nil && (!token.HasExpires || token.Expires.Year() > 9999) {
				t.Errorf("expires %v", token.Expires)
			}
		})
	}
}

// TestAgainstJose checks the signatures against an independent implementation, both ways.
func TestAgainstJose(t *testing.T) {
	t.Parallel()
	key := NewAccessKey()
	for _, algorithm := range []string{HS256, HS512} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: []byte(key)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		object, err := signer.Sign([]byte(plainClaims))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := object.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewVerifier([]string{key}).Verify(theirs, now); err != nil {
			t.Errorf("%s made by jose: %v", algorithm, err)
		}
		ours, err := Sign(key, algorithm, Claim{"a", "é"}, Claim{"exp", "1700003600"})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(ours, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := parsed.Verify([]byte(key))
		if err != nil || string(payload) != `{"a":"é","exp":1700003600}` {
			t.Errorf("%s made by Sign: %s, %v", algorithm, payload, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(netToken)
	f.Add(sdkServerToken)
	f.Add(forge(`{"alg":"HS512"}`, plainClaims))
	f.Add("..")
	v := NewVerifier([]string{emulatorKey})
	f.Fuzz(func(t *testing.T, token string) {
		got, err := v.Verify(token, now)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || got != nil {
				t.Fatalf("got %+v, %v", got, err)
			}
			return
		}
		if i := strings.LastIndexByte(token, '.'); !strings.HasSuffix(token, base64.RawURLEncoding.EncodeToString(sign(nil, HS256, []byte(emulatorKey), token[:i]))) &&
			!strings.HasSuffix(token, base64.RawURLEncoding.EncodeToString(sign(nil, HS512, []byte(emulatorKey), token[:i]))) {
			t.Fatalf("%q is accepted without its signature", token)
		}
	})
}

// FuzzClaims reads claims behind a good signature, which a fuzzer cannot make.
func FuzzClaims(f *testing.F) {
	f.Add(plainClaims)
	f.Add(`{"exp":1.7e9,"a":[1,[2],{"b":3},null,"x"],"c":{},"d":[],"aud":["x","y"],"nbf":-1}`)
	f.Add(`{"exp":1700003600,"asrs.s.cht":"99","asrs.s.htt":"5","asrs.s.coae":"true","asrs.s.aeo":"1"}`)
	v := NewVerifier([]string{emulatorKey})
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := v.Verify(forge(plainHeader, claims), now)
		if err != nil {
			header := err.(*Error).Header()
			for _, r := range header {
				if r < ' ' || r > '~' {
					t.Fatalf("header %q", header)
				}
			}
			return
		}
		s := token.Settings()
		if s.HandshakeTimeout < time.Second || s.HandshakeTimeout > 30*time.Second || s.MaxPollInterval < 0 ||
			s.MaxPollInterval > 300*time.Second || s.Transports&AllTransports == 0 || s.Transports&^AllTransports != 0 {
			t.Fatalf("settings %+v", s)
		}
		if len(token.ServiceClaims()) != len(token.Claims) {
			t.Fatal("claims were lost")
		}
		token.UserID()
		// What can be signed again reads the same.
		again, err := Sign(emulatorKey, HS256, token.Claims...)
		if err != nil {
			return // Times with a fraction, or several.
		}
		if _, err := v.Verify(again, now); err != nil {
			t.Fatalf("%q signed again: %v", claims, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	token := mustSign(b, append(Lifetime(now, time.Hour), Claim{"asrs.s.uid", "user-1"}, Claim{"asrs.s.sn", "server_0123456789"},
		Claim{"asrs.s.ssticky", "Required"}, Claim{"role", "a"}, Claim{"role", "b"}, Claim{"aud", "http://localhost/client/?hub=chat"})...)
	b.Run("primary", func(b *testing.B) { benchmarkVerify(b, NewVerifier([]string{emulatorKey, "b"}), token) })
	b.Run("secondary", func(b *testing.B) { benchmarkVerify(b, NewVerifier([]string{"b", emulatorKey}), token) })
	b.Run("signature by jose", func(b *testing.B) { // For comparison: the signature alone, claims unread.
		b.ReportAllocs()
		for b.Loop() {
			parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256, jose.HS512})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := parsed.Verify([]byte(emulatorKey)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkVerify(b *testing.B, v *Verifier, token string) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(token, now); err != nil {
			b.Fatal(err)
		}
	}
}

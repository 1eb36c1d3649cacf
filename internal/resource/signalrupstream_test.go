package resource

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecretRules(t *testing.T) {
	t.Parallel()
	rules := SecretRules{Directories: []string{"/run/secrets", "/etc/hubgate/keys/"}, Environment: []string{"CODE", "HUBGATE_SECRET_*"}}
	for text, want := range map[string]bool{
		"{@file(/run/secrets/code)}": true, "{@file(/run/secrets/a/b)}": true, "{@file(/run/secrets/..data/code)}": true, "{@file(/etc/hubgate/keys/a)}": true,
		"{@file(/run/secrets)}": false, "{@file(/run/secrets/)}": false, "{@file(/run/secrets/../code)}": false, "{@file(/run/secrets-too/code)}": false, "{@file(/etc/passwd)}": false,
		"{@env(CODE)}": true, "{@env(HUBGATE_SECRET_A)}": true, "{@env(CODES)}": false, "{@env(code)}": false, "{@env(HUBGATE_SECRET)}": false,
	} {
		ref, ok, err := ParseSecretReference(text)
		if err != nil || !ok {
			t.Errorf("%s is no reference: %v", text, err)
			continue
		}
		if err := rules.Check(ref); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %t", text, err, want)
		}
		if err := (SecretRules{}).Check(ref); err == nil {
			t.Errorf("%s is allowed without rules", text)
		}
	}
}

func TestSecretReferencesOfAnInstance(t *testing.T) {
	t.Parallel()
	identity := func(secret, token string) UpstreamIdentity {
		return UpstreamIdentity{ClientSecret: secret, Token: token}
	}
	s := &SignalR{
		Upstream: []UpstreamTemplate{
			{URLTemplate: "https://x/{@env(A)}{hub}?{@env(B)}"},
			{URLTemplate: "https://x/", Auth: UpstreamAuth{Identity: identity("{@env(C)}", "{@env(D)}")}},
		},
		UpstreamIdentity: identity("the secret itself", "{@env(E)}"),
		Events:           ClientEvents{URL: "https://x/{@env(F)}"},
	}
	want := map[string][]SecretReference{
		"upstream[0].urlTemplate":                {{Env: "A"}, {Env: "B"}},
		"upstream[1].auth.identity.clientSecret": {{Env: "C"}},
		"upstream[1].auth.identity.token":        {{Env: "D"}},
		"upstreamIdentity.token":                 {{Env: "E"}},
		"events.url":                             {{Env: "F"}},
	}
	if diff := cmp.Diff(want, s.SecretReferences()); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// FuzzUpstreamURL: no text makes the parser fall over, and its parts are the text.
func FuzzUpstreamURL(f *testing.F) {
	for _, text := range []string{
		"https://x/{hub}/{category}/{event}?code={@file(/run/secrets/code)}", "https://u:{@env(A)}@x/", "http://{event}/", "{", "{@Microsoft.KeyVault(SecretUri=https://v/)}",
		"http://x/{@file(/a/../b)}", "{@env(A)}", "http://[::1]:1/#a",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _ = ParseSecretReference(text)
		parts, err := ParseUpstreamURL(text)
		if err != nil {
			return
		}
		var b strings.Builder
		secrets := false
		for _, p := range parts {
			switch p.Parameter {
			case UpstreamText:
				b.WriteString(p.Text)
			case UpstreamHub:
				b.WriteString("{hub}")
			case UpstreamCategory:
				b.WriteString("{category}")
			case UpstreamEvent:
				b.WriteString("{event}")
			case UpstreamSecret:
				b.WriteString(p.Secret.String())
				secrets = true // whose path was made plain
			}
		}
		if !secrets && b.String() != text {
			t.Fatalf("%q became %q", text, b.String())
		}
	})
}

package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

func instanceWith(salt string) *resource.SignalR {
	return &resource.SignalR{
		ID: resource.NewID(resource.SignalRService, "signalR", "asrs1"), PrimaryKey: "primary", SecondaryKey: "secondary", Salt: salt,
		Identity: resource.Identity{Issuers: []resource.TokenIssuer{{Issuer: testIssuer}}},
	}
}

func signTemporary(t testing.TB, k TemporaryKey, algorithm string, expires time.Time) string {
	t.Helper()
	token, err := k.Sign(algorithm, Claim{ClaimAudience, "http://localhost/client/?hub=chat"}, Claim{ClaimExpires, fmt.Sprint(expires.Unix())})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTemporaryKeysAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	a, b := NewTemporaryKeys(instanceWith("salt")), NewTemporaryKeys(instanceWith("salt"))
	if a.Current(now) != b.Current(now) || a.Own() != b.Own() || !a.Same(b) {
		t.Error("two nodes have different keys")
	}
	changed := instanceWith("salt")
	changed.PrimaryKey = "another"
	if !a.Same(NewTemporaryKeys(changed)) {
		t.Error("the keys change with an access key, although they are made of the salt")
	}
	unsalted := NewTemporaryKeys(instanceWith(""))
	changed.Salt = ""
	if unsalted.Same(NewTemporaryKeys(changed)) {
		t.Error("the keys do not change with the access key that they are made of")
	}
	other := instanceWith("salt")
	other.ID = resource.NewID(resource.SignalRService, "signalR", "asrs2")
	for _, c := range []*TemporaryKeys{unsalted, NewTemporaryKeys(other), NewTemporaryKeys(instanceWith("other"))} {
		if a.Same(c) || c.Current(now).Key == a.Current(now).Key || c.Current(now).ID == a.Current(now).ID {
			t.Error("instances with other secrets have the same keys")
		}
	}
	seen := map[string]bool{a.Own().Key: true}
	for hour := range 24 {
		k := a.Current(now.Add(time.Duration(hour) * time.Hour))
		if seen[k.Key] || len(k.Key) != 44 {
			t.Errorf("hour %d: the key was there before, or has not 44 characters", hour)
		}
		seen[k.Key] = true
	}
	if start := now.Truncate(time.Hour); a.Current(start) != a.Current(start.Add(time.Hour-time.Second)) {
		t.Error("the key changes within an hour")
	}
	for _, text := range []string{fmt.Sprint(a.Current(now)), fmt.Sprintf("%#v", a.Current(now)), fmt.Sprintf("%+v", a.Own())} {
		if strings.Contains(text, a.Current(now).Key) || strings.Contains(text, a.Own().Key) {
			t.Errorf("a key shows: %s", text)
		}
	}
}

func TestWhoHasTemporaryKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(r *resource.SignalR)
		want   bool
	}{
		{"an instance with issuers", func(*resource.SignalR) {}, true},
		{"without issuers", func(r *resource.SignalR) { r.Identity = resource.Identity{} }, false},
		{"without identities", func(r *resource.SignalR) { r.DisableAADAuth = true }, false},
		{"without salt", func(r *resource.SignalR) { r.Salt = "" }, true},
		{"without access keys", func(r *resource.SignalR) { r.DisableLocalAuth = true }, true},
		// Whoever once had an access key could make the keys.
		{"without access keys and salt", func(r *resource.SignalR) { r.DisableLocalAuth, r.Salt = true, "" }, false},
	} {
		r := instanceWith("salt")
		c.change(r)
		if got := NewTemporaryKeys(r) != nil; got != c.want {
			t.Errorf("%s: has temporary keys: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestVerifyTemporaryKeys(t *testing.T) {
	t.Parallel()
	keys := NewTemporaryKeys(instanceWith("salt"))
	v := NewVerifier([]string{emulatorKey}, WithTemporaryKeys(keys))
	start := now.Truncate(time.Hour)
	key := keys.Current(start)
	forEver := start.Add(24 * 365 * time.Hour)
	for _, algorithm := range []string{HS256, HS512} {
		token := signTemporary(t, key, algorithm, forEver)
		for _, c := range []struct {
			name string
			at   time.Time
			good bool
		}{
			{"when it is handed out", start, true},
			{"by a node whose clock is late", start.Add(-4 * time.Minute), true},
			{"long before", start.Add(-time.Hour), false},
			{"two hours after it was handed out for the last time", start.Add(3 * time.Hour), true},
			{"a token of the last moment, near its end", start.Add(4*time.Hour + 4*time.Minute), true},
			{"too late", start.Add(4*time.Hour + 6*time.Minute), false},
			{"on a resume, which asks for no time", time.Time{}, true},
		} {
			got, err := v.Verify(token, c.at)
			if (err == nil) != c.good {
				t.Errorf("%s, %s: %v, want good: %v", algorithm, c.name, err, c.good)
			}
			if err == nil && got.KeyIndex != -1 {
				t.Errorf("the key counts as number %d", got.KeyIndex)
			}
			if err != nil && reasonOf(err) != ReasonSignature {
				t.Errorf("%s: %v, want a reason of the signature", c.name, err)
			}
		}
	}
	if _, err := v.Verify(signTemporary(t, keys.Own(), HS256, forEver), forEver.Add(-time.Hour)); err != nil {
		t.Errorf("the service's own token: %v", err)
	}
	if _, err := NewVerifier([]string{emulatorKey}).Verify(signTemporary(t, key, HS256, forEver), start); err == nil {
		t.Error("a verifier without temporary keys accepts one")
	}
	other := NewTemporaryKeys(instanceWith("other"))
	if _, err := v.Verify(signTemporary(t, other.Current(start), HS256, forEver), start); reasonOf(err) != ReasonSignature {
		t.Errorf("a key of another salt: %v", err)
	}
	// The claims and the end are checked as ever.
	if _, err := v.Verify(signTemporary(t, key, HS256, start.Add(-time.Hour)), start); reasonOf(err) != ReasonExpired {
		t.Errorf("a token that is over: %v", err)
	}
	for name, forged := range map[string]TemporaryKey{
		"an id with the access key":         {ID: key.ID, Key: emulatorKey},
		"another hour's id":                 {ID: keys.Current(start.Add(time.Hour)).ID, Key: key.Key},
		"the service's own id":              {ID: keys.Own().ID, Key: key.Key},
		"an empty key":                      {ID: key.ID, Key: "x"},
		"no period":                         {ID: "hubgate-t-" + strings.Repeat("A", 12), Key: key.Key},
		"a period out of all range":         {ID: "hubgate-t99999999999999999999-AAAAAAAAAAAA", Key: key.Key},
		"a negative period":                 {ID: "hubgate-t-1-AAAAAAAAAAAA", Key: key.Key},
		"another form of the same period":   {ID: strings.Replace(key.ID, "hubgate-t", "hubgate-t0", 1), Key: key.Key},
		"an id of a kind that there is not": {ID: "hubgate-x-AAAAAAAAAAAA", Key: key.Key},
	} {
		if _, err := v.Verify(signTemporary(t, forged, HS256, forEver), start); reasonOf(err) != ReasonSignature {
			t.Errorf("%s: %v, want it to be refused", name, err)
		}
	}
	// What names no key of ours may still be signed with a local key, as all tokens of .NET are.
	for _, id := range []string{"-123", "hubgate-x", "hubgate-own-AAAAAAAAAAAA", ""} {
		if _, err := v.Verify(signTemporary(t, TemporaryKey{ID: id, Key: emulatorKey}, HS256, forEver), start); err != nil {
			t.Errorf("a local key under the id %q: %v", id, err)
		}
	}
}

// Local keys must not pay for the temporary ones.
func TestTemporaryKeysCostLocalKeysNothing(t *testing.T) {
	plain := NewVerifier([]string{emulatorKey})
	both := NewVerifier([]string{emulatorKey}, WithTemporaryKeys(NewTemporaryKeys(instanceWith("salt"))))
	allocations := func(v *Verifier) float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := v.Verify(netToken, now); err != nil {
				t.Fatal(err)
			}
		})
	}
	if a, b := allocations(plain), allocations(both); b > a {
		t.Errorf("%v allocations without temporary keys, %v with them", a, b)
	}
}

func BenchmarkVerifyTemporary(b *testing.B) {
	keys := NewTemporaryKeys(instanceWith("salt"))
	v := NewVerifier([]string{emulatorKey}, WithTemporaryKeys(keys))
	token := signTemporary(b, keys.Current(now), HS256, now.Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(token, now); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTemporaryKeyID(f *testing.F) {
	keys := NewTemporaryKeys(instanceWith("salt"))
	f.Add(keys.Current(now).ID)
	f.Add(keys.Own().ID)
	f.Add("hubgate-t")
	f.Add("hubgate-t-1-")
	good := map[string]bool{keys.Own().ID: true}
	for hour := -10; hour < 10; hour++ {
		good[keys.Current(now.Add(time.Duration(hour)*time.Hour)).ID] = true
	}
	f.Fuzz(func(t *testing.T, id string) {
		if _, ok, err := keys.find(id, now, 0); ok && err == nil && !good[id] {
			t.Errorf("%q counts as the id of a key", id)
		}
	})
}

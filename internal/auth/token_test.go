package auth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func verify(tb testing.TB, claims string) *Token {
	tb.Helper()
	token, err := NewVerifier([]string{emulatorKey}).Verify(forge(plainHeader, claims), now)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// TestClaimValues reads the token that the management SDK made of claims of every kind.
func TestClaimValues(t *testing.T) {
	t.Parallel()
	token := verify(t, `{"asrs.s.uid":"u1","role":["a","b"],"sub":"x","asrs.u.sub":"y","asrs.u.aud":"z","nameid":"n","unique_name":"nm",`+
		`"email":"e@x","custom":"\u00e4","num":7,"flag":true,"obj":{"k": 1},"mixed":[1,"x",{"y":[2]},[3],null],"none":null,"empty":[],`+
		`"exp":1795463135,"aud":["http://localhost/client/?hub=chat","second"]}`)
	want := []Claim{
		{"asrs.s.uid", "u1"}, {"role", "a"}, {"role", "b"}, {"sub", "x"}, {"asrs.u.sub", "y"}, {"asrs.u.aud", "z"}, {"nameid", "n"},
		{"unique_name", "nm"}, {"email", "e@x"}, {"custom", "ä"}, {"num", "7"}, {"flag", "true"}, {"obj", `{"k": 1}`},
		{"mixed", "1"}, {"mixed", "x"}, {"mixed", `{"y":[2]}`}, {"mixed", "[3]"}, {"mixed", ""}, {"none", ""},
		{"exp", "1795463135"}, {"aud", "http://localhost/client/?hub=chat"}, {"aud", "second"},
	}
	if d := cmp.Diff(want, token.Claims); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"http://localhost/client/?hub=chat", "second"}, token.Audience); d != "" {
		t.Errorf("audience (-want +got):\n%s", d)
	}
	long := token.ServiceClaims()
	want[1].Type = identity2008 + "role"
	want[2].Type = identity2008 + "role"
	want[6].Type = longNameIdentifier // sub stays, because there is a nameid
	want[7].Type = xmlsoap2005 + "name"
	want[8].Type = xmlsoap2005 + "emailaddress"
	if d := cmp.Diff(want, long); d != "" {
		t.Errorf("for the app server (-want +got):\n%s", d)
	}
}

func TestServiceClaimsSub(t *testing.T) {
	t.Parallel()
	token := verify(t, `{"sub":"x","exp":1795463135}`)
	want := []Claim{{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "x"}, {"exp", "1795463135"}}
	if d := cmp.Diff(want, token.ServiceClaims()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if token.Claims[0].Type != "sub" {
		t.Error("the token's own claims were changed")
	}
}

// TestLongClaimTypes checks the map as .NET has it: 72 short names, of which none is long.
func TestLongClaimTypes(t *testing.T) {
	t.Parallel()
	const names = "acr actort adfs1email adfs1upn amr authmethod birthdate certapppolicy certauthoritykeyidentifier certbasicconstraints " +
		"certeku certissuer certissuername certkeyusage certnotafter certnotbefore certpolicy certpublickey certrawdata certserialnumber " +
		"certsignaturealgorithm certsubject certsubjectaltname certsubjectkeyidentifier certsubjectname certtemplateinformation " +
		"certtemplatename certthumbprint certx509version clientapplication clientip clientuseragent commonname denyonlyprimarygroupsid " +
		"denyonlyprimarysid denyonlysid devicedispname deviceid deviceismanaged deviceostype deviceosver deviceowner deviceregid email " +
		"endpointpath family_name forwardedclientip gender given_name group groupsid idp insidecorporatenetwork isregistereduser nameid " +
		"oid ppid primarygroupsid primarysid proxy pwdchgurl pwdexpdays pwdexptime relyingpartytrustid role roles scp sub tid unique_name " +
		"upn website winaccountname"
	byLong := map[string]string{}
	for _, name := range strings.Fields(names) {
		long := longClaimType(name)
		if !strings.HasPrefix(long, "http://schemas.") {
			t.Errorf("%s is not mapped: %s", name, long)
		}
		if other, twice := byLong[long]; twice && name != "roles" && name != "sub" {
			t.Errorf("%s and %s are both %s", name, other, long)
		}
		byLong[long] = name
		if longClaimType(long) != long {
			t.Errorf("%s is mapped again", long)
		}
	}
	for _, name := range []string{"", "aud", "exp", "iat", "nbf", "iss", "asrs.s.uid", "asrs.u.sub", "custom", "Role", "azp", "nonce"} {
		if got := longClaimType(name); got != name {
			t.Errorf("%s became %s", name, got)
		}
	}
}

func TestUserID(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]string{
		`{"sub":"s","nameid":"n","asrs.s.uid":"u","exp":1795463135}`:                                              "u",
		`{"sub":"s","nameid":"n","exp":1795463135}`:                                                               "n",
		`{"sub":"s","exp":1795463135}`:                                                                            "s",
		`{"nameid":"n","asrs.s.uid":"","exp":1795463135}`:                                                         "",
		`{"sub":"s","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier":"l","exp":1795463135}`: "l",
		`{"nameid":["first","second"],"exp":1795463135}`:                                                          "first",
	} {
		if got, ok := verify(t, claims).UserID(); got != want || !ok {
			t.Errorf("%s: got %q, %v", claims, got, ok)
		}
	}
	if got, ok := verify(t, `{"name":"x","exp":1795463135}`).UserID(); ok {
		t.Errorf("got %q", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	defaults := Settings{HandshakeTimeout: 15 * time.Second, Transports: AllTransports}
	with := func(change func(*Settings)) Settings { s := defaults; change(&s); return s }
	for _, test := range []struct {
		claims string
		want   Settings
	}{
		{``, defaults},
		{`"asrs.s.cht":"5"`, with(func(s *Settings) { s.HandshakeTimeout = 5 * time.Second })},
		{`"asrs.s.cht":5`, with(func(s *Settings) { s.HandshakeTimeout = 5 * time.Second })},
		{`"asrs.s.cht":"0"`, with(func(s *Settings) { s.HandshakeTimeout = time.Second })},
		{`"asrs.s.cht":"31"`, with(func(s *Settings) { s.HandshakeTimeout = 30 * time.Second })},
		{`"asrs.s.cht":"9223372036854775807"`, with(func(s *Settings) { s.HandshakeTimeout = 30 * time.Second })},
		{`"asrs.s.cht":"soon"`, defaults},
		{`"asrs.s.ttl":"90"`, with(func(s *Settings) { s.MaxPollInterval = 90 * time.Second })},
		{`"asrs.s.ttl":"-1"`, with(func(s *Settings) { s.MaxPollInterval = time.Second })},
		{`"asrs.s.ttl":"1000"`, with(func(s *Settings) { s.MaxPollInterval = 300 * time.Second })},
		{`"asrs.s.htt":"5"`, with(func(s *Settings) { s.Transports = WebSockets | LongPolling })},
		{`"asrs.s.htt":"258"`, with(func(s *Settings) { s.Transports = ServerSentEvents })},
		{`"asrs.s.htt":"0"`, defaults},
		{`"asrs.s.htt":"8"`, defaults},
		{`"asrs.s.sn":"web1","asrs.s.ssticky":"Required"`, with(func(s *Settings) { s.ServerID, s.Sticky = "web1", StickyRequired })},
		{`"asrs.s.sn":"web1","asrs.s.ssticky":"preferred"`, with(func(s *Settings) { s.ServerID, s.Sticky = "web1", StickyPreferred })},
		{`"asrs.s.sn":"web1"`, defaults},
		{`"asrs.s.ssticky":"Required"`, defaults},
		{`"asrs.s.sn":"web1","asrs.s.ssticky":"Disabled"`, defaults},
		{`"asrs.s.dc":"true"`, with(func(s *Settings) { s.Diagnostic = true })},
		{`"asrs.s.dc":"1"`, defaults},
		{`"asrs.s.derror":"True"`, with(func(s *Settings) { s.DetailedErrors = true })},
		{`"asrs.s.derror":true`, with(func(s *Settings) { s.DetailedErrors = true })},
		{`"asrs.s.coae":"true","asrs.s.aeo":"1700000123"`, with(func(s *Settings) {
			s.CloseOnExpiration, s.Expiration = true, time.Unix(1700000123, 0).UTC()
		})},
		{`"asrs.s.coae":"true"`, with(func(s *Settings) { s.CloseOnExpiration, s.Expiration = true, time.Unix(1795463135, 0).UTC() })},
		{`"asrs.s.aeo":"1700000123"`, defaults},
	} {
		token := verify(t, strings.TrimSuffix(`{"exp":1795463135,`+test.claims, ",")+"}")
		if d := cmp.Diff(test.want, token.Settings()); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.claims, d)
		}
	}
	if !AllTransports.Has(WebSockets|LongPolling) || ServerSentEvents.Has(WebSockets) {
		t.Error("sets of transports")
	}
	if StickyRequired.String() != "Required" || StickyPreferred.String() != "Preferred" || StickyDisabled.String() != "Disabled" {
		t.Error("names of sticky modes")
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	claims := append([]Claim{{"role", "a"}, {"asrs.s.uid", "ü\"<"}, {"role", "b"}}, Lifetime(now, time.Hour)...)
	token := mustSign(t, append(claims, Claim{"aud", "http://localhost/client/?hub=chat"})...)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	want := `{"role":["a","b"],"asrs.s.uid":"ü\"<","nbf":1700000000,"exp":1700003600,"iat":1700000000,"aud":"http://localhost/client/?hub=chat"}`
	if err != nil || string(payload) != want {
		t.Errorf("got %s, %v", payload, err)
	}
	read, err := NewVerifier([]string{emulatorKey}).Verify(token, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.CheckClientAudience("chat"); err != nil {
		t.Error(err)
	}

	for name, f := range map[string]func() (string, error){
		"empty key":          func() (string, error) { return Sign("", HS256, claims...) },
		"unknown algorithm":  func() (string, error) { return Sign("k", "none", claims...) },
		"exp as words":       func() (string, error) { return Sign("k", HS256, Claim{"exp", "soon"}) },
		"exp twice":          func() (string, error) { return Sign("k", HS256, Claim{"exp", "1"}, Claim{"exp", "2"}) },
		"name is not UTF-8":  func() (string, error) { return Sign("k", HS256, Claim{"\xff", "1"}) },
		"value is not UTF-8": func() (string, error) { return Sign("k", HS256, Claim{"a", "\xff"}) },
	} {
		if token, err := f(); err == nil || token != "" {
			t.Errorf("%s: got %q, %v", name, token, err)
		}
	}
}

func TestNewAccessKey(t *testing.T) {
	t.Parallel()
	a, b := NewAccessKey(), NewAccessKey()
	if a == b {
		t.Error("two keys are equal")
	}
	if decoded, err := base64.StdEncoding.DecodeString(a); err != nil || len(decoded) != accessKeyBytes || len(a) < 64 {
		t.Errorf("%d characters, %v", len(a), err)
	}
}

func TestTokenFrom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query, want string
		authorization     []string
	}{
		{"header", "", "abc", []string{"Bearer abc"}},
		{"scheme in small letters", "", "abc", []string{"bearer  abc "}},
		{"header before query", "?access_token=q", "abc", []string{"Bearer abc"}},
		{"query", "?hub=chat&access_token=q", "q", nil},
		{"query beside another scheme", "?access_token=q", "q", []string{"Basic dTpw"}},
		{"second header", "", "abc", []string{"Basic dTpw", "Bearer abc"}},
		{"nothing", "?hub=chat", "", nil},
		{"empty bearer", "", "", []string{"Bearer "}},
		{"scheme alone", "", "", []string{"Bearer"}},
		{"empty query parameter", "?access_token=", "", nil},
		{"name within another", "?my_access_token=q", "", nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "/client/"+test.query, nil)
		for _, value := range test.authorization {
			r.Header.Add("Authorization", value)
		}
		if got, ok := TokenFrom(r); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: got %q, %v", test.name, got, ok)
		}
	}
}

package resource

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func issuing(issuers ...TokenIssuer) *SignalR {
	return &SignalR{ID: NewID(SignalRService, "signalR", "asrs1"), PrimaryKey: "p", SecondaryKey: "s", Identity: Identity{Issuers: issuers}}
}

func TestIdentityValidate(t *testing.T) {
	t.Parallel()
	const good = "https://login.example.com"
	many := make([]TokenIssuer, MaxIssuers+1)
	for _, c := range []struct {
		name    string
		issuers []TokenIssuer
		want    string // of the error; "" for none
	}{
		{"none", nil, ""},
		{"the issuer alone", []TokenIssuer{{Issuer: good}}, ""},
		{"a name with keys", []TokenIssuer{{Issuer: "joe", KeySetURL: good}}, ""},
		{"this machine over HTTP", []TokenIssuer{{Issuer: "http://localhost:5556"}, {Issuer: "http://127.0.0.1:1/a"}, {Issuer: "http://[::1]/a"}}, ""},
		{"another over HTTP", []TokenIssuer{{Issuer: "http://login.example.com"}}, "allowHttp"},
		{"another over HTTP, allowed", []TokenIssuer{{Issuer: "http://login.example.com", AllowHTTP: true}}, ""},
		{"no issuer", []TokenIssuer{{KeySetURL: good}}, "iss"},
		{"twice", []TokenIssuer{{Issuer: good}, {Issuer: good}}, "twice"},
		{"both URLs", []TokenIssuer{{Issuer: good, MetadataURL: good, KeySetURL: good}}, "both"},
		{"a file", []TokenIssuer{{Issuer: good, KeySetURL: "file:///etc/keys"}}, "absolute https URL"},
		{"a relative URL", []TokenIssuer{{Issuer: good, MetadataURL: "/metadata"}}, "absolute https URL"},
		{"no URL at all", []TokenIssuer{{Issuer: good, MetadataURL: "https://%"}}, "absolute https URL"},
		{"a password", []TokenIssuer{{Issuer: good, KeySetURL: "https://joe:hunter2@login.example.com"}}, "password"},
		{"an empty audience", []TokenIssuer{{Issuer: good, Audiences: []string{""}}}, "audience"},
		{"an unknown role", []TokenIssuer{{Issuer: good, RoleAssignments: []RoleAssignment{{"a", "Owner"}}}}, `"Owner"`},
		{"a role for nothing", []TokenIssuer{{Issuer: good, RoleAssignments: []RoleAssignment{{"", RoleAppServer}}}}, "no value"},
		{"many assignments", []TokenIssuer{{Issuer: good, RoleAssignments: make([]RoleAssignment, MaxRoleAssignments+1)}}, "at most 100"},
		{"many issuers", many, "at most 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := issuing(c.issuers...).Validate()
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one with %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestRolesOf(t *testing.T) {
	t.Parallel()
	named := TokenIssuer{}
	assigned := TokenIssuer{RoleAssignments: []RoleAssignment{{"chat", RoleAppServer}, {"chat", RoleRESTReader}, {"root", RoleServiceOwner}}}
	for _, c := range []struct {
		issuer *TokenIssuer
		value  string
		want   []Role
	}{
		{&named, "SignalR App Server", []Role{RoleAppServer}},
		{&named, "signalr app server", nil},
		{&named, "chat", nil},
		{&assigned, "chat", []Role{RoleAppServer, RoleRESTReader}},
		{&assigned, "SignalR Service Owner", nil},
	} {
		if diff := cmp.Diff(c.want, c.issuer.RolesOf(c.value)); diff != "" {
			t.Errorf("the roles of %q (-want +got):\n%s", c.value, diff)
		}
	}
}

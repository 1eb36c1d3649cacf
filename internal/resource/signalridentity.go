package resource

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Role is what somebody who signs in with an identity may do on an instance's data plane. The names are those of Azure's built-in roles.
type Role string

// The roles.
const (
	// RoleAppServer opens server connections and gets temporary access keys.
	RoleAppServer Role = "SignalR App Server"
	// RoleServiceOwner may do everything.
	RoleServiceOwner Role = "SignalR Service Owner"
	// RoleRESTOwner may do everything in the data-plane REST API, except get temporary access keys.
	RoleRESTOwner Role = "SignalR REST API Owner"
	// RoleRESTReader may ask in the data-plane REST API whether a connection, a group or a user exists.
	RoleRESTReader Role = "SignalR REST API Reader"
)

// Roles lists them all.
func Roles() []Role { return []Role{RoleAppServer, RoleServiceOwner, RoleRESTOwner, RoleRESTReader} }

const (
	// DefaultAudience is what access tokens are made for unless an issuer says otherwise. The official SDKs ask for the scope
	// https://signalr.azure.com/.default.
	DefaultAudience = "https://signalr.azure.com"
	// DefaultRoleClaim is the claim with the roles unless an issuer says otherwise. It is that of Entra ID's app roles.
	DefaultRoleClaim = "roles"
	// MaxIssuers bounds how many issuers an instance may trust, and MaxRoleAssignments how many assignments an issuer may have.
	MaxIssuers         = 16
	MaxRoleAssignments = 100
)

// Identity says whose access tokens an instance takes in the place of those of Entra ID.
type Identity struct {
	Issuers []TokenIssuer `json:"issuers,omitempty"`
}

// TokenIssuer is an OpenID Connect provider.
type TokenIssuer struct {
	// Issuer is the claim iss of its tokens, to the letter.
	Issuer string `json:"issuer"`
	// MetadataURL is its metadata document (OpenID Connect Discovery 1.0, section 4). "" means Issuer with /.well-known/openid-configuration
	// behind it. KeySetURL is where its keys are (RFC 7517, section 5); with it no metadata is asked for. At most one of both is given.
	MetadataURL string `json:"metadataUrl,omitempty"`
	KeySetURL   string `json:"keySetUrl,omitempty"`
	// AllowHTTP lets keys be fetched over plain HTTP from any host. Without it that goes for this machine only.
	AllowHTTP bool `json:"allowHttp,omitempty"`
	// Audiences are those that a token may be made for, of which it needs one. Empty means DefaultAudience.
	Audiences []string `json:"audiences,omitempty"`
	// RoleClaim is the claim with the roles, or a path to it through claims that are objects, like realm_access.roles. Its value is a text, with
	// spaces between several roles, or an array of texts. "" means DefaultRoleClaim.
	RoleClaim string `json:"roleClaim,omitempty"`
	// RoleAssignments say what the values of the role claim mean. Empty means that they are the names of the roles themselves.
	RoleAssignments []RoleAssignment `json:"roleAssignments,omitempty"`
}

// RoleAssignment gives a role to those who have a value in their role claim.
type RoleAssignment struct {
	Value string `json:"value"`
	Role  Role   `json:"role"`
}

// URLs returns where the keys of the issuer come from: metadata, or the keys themselves. The other one is "".
func (t *TokenIssuer) URLs() (metadata, keySet string) {
	switch {
	case t.KeySetURL != "":
		return "", t.KeySetURL
	case t.MetadataURL != "":
		return t.MetadataURL, ""
	}
	return strings.TrimSuffix(t.Issuer, "/") + "/.well-known/openid-configuration", ""
}

// source names where the URL of the keys is from.
func (t *TokenIssuer) source() string {
	switch {
	case t.KeySetURL != "":
		return "keys (keySetUrl)"
	case t.MetadataURL != "":
		return "metadata (metadataUrl)"
	}
	return "metadata, which is below the issuer unless metadataUrl or keySetUrl says otherwise,"
}

// RolesOf returns the roles that a value of the role claim stands for.
func (t *TokenIssuer) RolesOf(value string) []Role {
	if len(t.RoleAssignments) == 0 {
		if r := Role(value); slices.Contains(Roles(), r) {
			return []Role{r}
		}
		return nil
	}
	var roles []Role
	for _, a := range t.RoleAssignments {
		if a.Value == value {
			roles = append(roles, a.Role)
		}
	}
	return roles
}

// KeyURLProblem tells why keys must not be fetched from a URL; "" means that they may. It must be an absolute https one, or an http one of
// this machine or, with allowHTTP, of any.
func KeyURLProblem(text string, allowHTTP bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "must be an absolute https URL"
	case u.User != nil:
		return "must not hold a user or a password"
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return "is not an https URL: whoever is on the way could put keys of their own in; allowHttp lets it be"
	}
	return ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && net.IP(a.Unmap().AsSlice()).IsLoopback()
}

func (s *SignalR) validateIdentity() error {
	const target = "identity.issuers"
	issuers := s.Identity.Issuers
	if len(issuers) > MaxIssuers {
		return Invalidf(s.ID, target, "at most %d issuers", MaxIssuers)
	}
	for i := range issuers {
		t := &issuers[i]
		if t.Issuer == "" {
			return Invalidf(s.ID, target, "issuer %d: needs the text that its tokens have in iss", i)
		}
		if slices.ContainsFunc(issuers[:i], func(other TokenIssuer) bool { return other.Issuer == t.Issuer }) {
			return Invalidf(s.ID, target, "issuer %d: %q is there twice; one issuer may have several audiences and role assignments", i, t.Issuer)
		}
		if t.MetadataURL != "" && t.KeySetURL != "" {
			return Invalidf(s.ID, target, "issuer %d: has both a metadataUrl and a keySetUrl; give at most one of them", i)
		}
		// The URL itself is not repeated: it may hold a password, where none belongs.
		metadata, keySet := t.URLs()
		if problem := KeyURLProblem(metadata+keySet, t.AllowHTTP); problem != "" {
			return Invalidf(s.ID, target, "issuer %d: the URL of its %s %s", i, t.source(), problem)
		}
		if slices.Contains(t.Audiences, "") {
			return Invalidf(s.ID, target, "issuer %d: an audience is empty; leave audiences out for %s", i, DefaultAudience)
		}
		if len(t.RoleAssignments) > MaxRoleAssignments {
			return Invalidf(s.ID, target, "issuer %d: at most %d role assignments", i, MaxRoleAssignments)
		}
		for k, a := range t.RoleAssignments {
			if a.Value == "" {
				return Invalidf(s.ID, target, "issuer %d: role assignment %d has no value", i, k)
			}
			if !slices.Contains(Roles(), a.Role) {
				return Invalidf(s.ID, target, "issuer %d: there is no role %q; there are SignalR App Server, SignalR Service Owner, SignalR REST API Owner and SignalR REST API Reader", i, a.Role)
			}
		}
	}
	return nil
}

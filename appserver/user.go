package appserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// Claim types that .NET uses and the service maps short names of a token to.
const (
	ClaimNameIdentifier = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
	ClaimName           = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	ClaimRole           = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
)

// Claim is one statement about a user. Types may repeat: several roles are several claims.
type Claim struct {
	Type, Value string
}

// User is who a client is: what HubOptions.Authenticate says at negotiation and Context.User says in a hub.
type User struct {
	// ID is what Clients.User addresses. Empty: the service takes the name identifier claim, if there is one.
	ID string
	// Claims in their order.
	Claims []Claim
	// AuthenticationType names the scheme that signed the user in. Empty means "Bearer".
	AuthenticationType string
	// NameClaimType and RoleClaimType say which claims Name and HasRole read. Empty means ClaimName and ClaimRole.
	NameClaimType, RoleClaimType string
}

// First is the value of the first claim of a type. It is "" when u is nil or has none.
func (u *User) First(claimType string) string {
	if u == nil {
		return ""
	}
	for _, c := range u.Claims {
		if c.Type == claimType {
			return c.Value
		}
	}
	return ""
}

// Name is the user's name: the first claim of NameClaimType.
func (u *User) Name() string {
	if u != nil && u.NameClaimType != "" {
		return u.First(u.NameClaimType)
	}
	return u.First(ClaimName)
}

// HasRole reports whether the user has a claim of RoleClaimType with that value.
func (u *User) HasRole(role string) bool {
	if u == nil {
		return false
	}
	claimType := u.RoleClaimType
	if claimType == "" {
		claimType = ClaimRole
	}
	return slices.Contains(u.Claims, Claim{claimType, role})
}

// AuthenticateFunc says who sends a negotiate request: a user, or nil for an anonymous client. An error refuses the client:
// ErrUnauthorized with status 401, any other with 500.
type AuthenticateFunc func(r *http.Request) (*User, error)

// Names of the claims that carry settings between SDK and service.
const (
	systemClaimPrefix = "asrs.s."
	userClaimPrefix   = "asrs.u." // escapes claims of the app whose names mean something in a token

	claimUserID             = systemClaimPrefix + "uid"
	claimAuthenticationType = systemClaimPrefix + "aut"
	claimNameType           = systemClaimPrefix + "nt"
	claimRoleType           = systemClaimPrefix + "rt"
	claimDetailedErrors     = systemClaimPrefix + "derror"
	claimDiagnostic         = systemClaimPrefix + "dc"
	claimCloseOnExpiration  = systemClaimPrefix + "coae"
	claimExpiration         = systemClaimPrefix + "aeo"
)

// reservedClaims are the names that belong to the token itself.
var reservedClaims = []string{"aud", "exp", "iat", "nbf", "iss", "actort", "acr", "azp", "c_hash", "jti", "nonce"}

// tokenClaims are the claims that carry u in an access token.
func tokenClaims(u *User, detailedErrors bool) []Claim {
	var claims []Claim
	if u != nil {
		for _, c := range []Claim{
			{claimUserID, u.ID},
			{claimAuthenticationType, u.AuthenticationType},
			{claimNameType, u.NameClaimType},
			{claimRoleType, u.RoleClaimType},
		} {
			if c.Value != "" && !(c.Type == claimAuthenticationType && c.Value == "Bearer") {
				claims = append(claims, c)
			}
		}
	}
	if detailedErrors {
		claims = append(claims, Claim{claimDetailedErrors, "True"})
	}
	if u == nil {
		return claims
	}
	for _, c := range u.Claims {
		// A claim that the app calls "sub" is escaped too, for the service would take it for the name identifier.
		if slices.Contains(reservedClaims, c.Type) || c.Type == "sub" {
			c.Type = userClaimPrefix + c.Type
		} else {
			c.Type = shortClaimType(c.Type)
		}
		claims = append(claims, c)
	}
	return claims
}

// userOf rebuilds the user from the claims of an OpenConnection or UpdateConnectionClaims. It is nil when there is neither
// an id nor a claim of the app's own.
func userOf(claims []svcproto.Claim) *User {
	u := &User{AuthenticationType: "Bearer"}
	for _, c := range claims {
		switch {
		case c.Type == claimUserID:
			u.ID = c.Value
		case c.Type == claimAuthenticationType:
			u.AuthenticationType = c.Value
		case c.Type == claimNameType:
			u.NameClaimType = c.Value
		case c.Type == claimRoleType:
			u.RoleClaimType = c.Value
		case strings.HasPrefix(c.Type, systemClaimPrefix), slices.Contains(reservedClaims, c.Type):
		default:
			u.Claims = append(u.Claims, Claim{strings.TrimPrefix(c.Type, userClaimPrefix), c.Value})
		}
	}
	if u.ID == "" {
		u.ID = u.First(ClaimNameIdentifier)
	}
	if u.ID == "" && len(u.Claims) == 0 {
		return nil
	}
	return u
}

// Prefixes of the claim types that have a short name in tokens.
const (
	claimsXML       = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	claimsWindows   = "http://schemas.microsoft.com/ws/2008/06/identity/claims/"
	claimsIdentity  = "http://schemas.microsoft.com/identity/claims/"
	claimsFramework = "http://schemas.xmlsoap.org/claims/"
)

// claimTypeNames are the short names that well-known claim types have in tokens, by prefix and rest of the type.
var claimTypeNames = map[string]map[string]string{
	claimsXML: {
		"nameidentifier": "nameid", "name": "unique_name", "emailaddress": "email", "givenname": "given_name",
		"surname": "family_name", "gender": "gender", "dateofbirth": "birthdate", "webpage": "website", "upn": "upn",
		"privatepersonalidentifier": "ppid", "thumbprint": "certthumbprint", "rsa": "certpublickey", "denyonlysid": "denyonlysid",
	},
	claimsWindows: {
		"role": "role", "primarysid": "primarysid", "primarygroupsid": "primarygroupsid", "groupsid": "groupsid",
		"denyonlyprimarysid": "denyonlyprimarysid", "denyonlyprimarygroupsid": "denyonlyprimarygroupsid",
		"windowsaccountname": "winaccountname", "authenticationmethod": "authmethod", "serialnumber": "certserialnumber",
	},
	claimsIdentity:  {"objectidentifier": "oid", "tenantid": "tid", "scope": "scp", "identityprovider": "idp"},
	claimsFramework: {"Group": "group", "CommonName": "commonname", "EmailAddress": "adfs1email", "UPN": "adfs1upn"},
}

// shortClaimType is the name that a well-known claim type has in a token; the service maps it back.
func shortClaimType(long string) string {
	cut := strings.LastIndexByte(long, '/') + 1
	if short, ok := claimTypeNames[long[:cut]][long[cut:]]; ok {
		return short
	}
	return long
}

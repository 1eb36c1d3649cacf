package config

import "github.com/hubgate/hubgate/internal/resource"

// Identity says whose access tokens an instance takes. App servers and REST clients come with them where they would have tokens of Entra ID.
type Identity struct {
	// Issuers are OpenID Connect providers, at most 16.
	Issuers []Issuer `yaml:"issuers"`
}

// Issuer is an OpenID Connect provider.
type Issuer struct {
	// Issuer is the claim iss of its tokens, to the letter. It is needed.
	Issuer string `yaml:"issuer"`
	// MetadataURL is its metadata document. Default: /.well-known/openid-configuration below the issuer.
	MetadataURL string `yaml:"metadataUrl"`
	// KeySetURL is where its keys are, for a provider without metadata. Default: as its metadata says.
	KeySetURL string `yaml:"keySetUrl"`
	// AllowHTTP lets the keys be fetched over plain HTTP from another machine. Default: false.
	AllowHTTP bool `yaml:"allowHttp"`
	// Audiences are those that a token may be made for. Default: https://signalr.azure.com, which the official SDKs ask for.
	Audiences []string `yaml:"audiences"`
	// RoleClaim is the claim with the roles, or a path with dots like realm_access.roles. Default: roles.
	RoleClaim string `yaml:"roleClaim"`
	// RoleAssignments say what the values of the role claim mean. Default: they are the names of the roles.
	RoleAssignments []RoleAssignment `yaml:"roleAssignments"`
}

// RoleAssignment gives a role to those who have a value in their role claim.
type RoleAssignment struct {
	// Value is a value of the role claim. It is needed.
	Value string `yaml:"value"`
	// Role is SignalR App Server, SignalR Service Owner, SignalR REST API Owner or SignalR REST API Reader. It is needed.
	Role string `yaml:"role"`
}

func (i Identity) resource() resource.Identity {
	var out resource.Identity
	for _, issuer := range i.Issuers {
		t := resource.TokenIssuer{
			Issuer: issuer.Issuer, MetadataURL: issuer.MetadataURL, KeySetURL: issuer.KeySetURL, AllowHTTP: issuer.AllowHTTP,
			Audiences: issuer.Audiences, RoleClaim: issuer.RoleClaim,
		}
		for _, a := range issuer.RoleAssignments {
			t.RoleAssignments = append(t.RoleAssignments, resource.RoleAssignment{Value: a.Value, Role: resource.Role(a.Role)})
		}
		out.Issuers = append(out.Issuers, t)
	}
	return out
}

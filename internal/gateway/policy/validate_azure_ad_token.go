package policy

import (
	"net/url"
	"regexp"
	"strings"
)

// DefaultAuthority is where the tokens of validate-azure-ad-token come from unless the document or the gateway says otherwise.
const DefaultAuthority = "https://login.microsoftonline.com/"

var guidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// tenantIssuer allows the issuers of a tenant: both versions of the tokens that Entra ID gives out.
type tenantIssuer struct{ tenant Value[string] }

func (t *tenantIssuer) matches(x *Exchange, issuer string) (bool, error) {
	tenant, err := t.tenant.Get(x)
	if err != nil {
		return false, err
	}
	tenant = strings.ToLower(tenant)
	issuer = strings.ToLower(issuer)
	if !guidPattern.MatchString(tenant) {
		return false, nil // Names of tenants are not in issuers; the metadata says which one it is.
	}
	return issuer == "https://sts.windows.net/"+tenant+"/" || issuer == "https://login.microsoftonline.com/"+tenant+"/v2.0", nil
}

// newValidateAzureADToken compiles validate-azure-ad-token (validate-azure-ad-token-policy): a validate-jwt whose keys and issuer are
// those of a tenant. The attribute authentication-endpoint, else the gateway's authority, says where the tenant is, so tokens of any
// OpenID Connect issuer with that layout do.
func newValidateAzureADToken(b *Builder) Policy {
	v := b.tokenSource("Authorization")
	tenant := b.String("tenant-id", Required)
	authority := b.authority()
	if b.Has("allow-protected-forwarded-tokens") || b.Has("allow-proof-of-possession-tokens") {
		b.Bool("allow-protected-forwarded-tokens", false, LiteralOnly)
		b.Bool("allow-proof-of-possession-tokens", false, LiteralOnly)
		b.Errorf("Protected forwarded and proof-of-possession tokens are not supported")
	}
	v.configurations = []Value[string]{tenantConfiguration(authority, tenant)}
	v.anyIssuerOf = []*tenantIssuer{{tenant: tenant}}
	for _, child := range b.Children("backend-application-ids", "client-application-ids", "audiences", "required-claims", "decryption-keys") {
		switch child.Element() {
		case "backend-application-ids":
			v.audiences = append(v.audiences, child.Values("application-id", Required)...)
		case "client-application-ids":
			v.applications = child.Values("application-id", Required)
		case "audiences":
			v.audiences = append(v.audiences, child.Values("audience", Required)...)
		case "required-claims":
			v.claims = child.requiredClaims()
		case "decryption-keys":
			v.decryptionKeys = child.keys(true)
		}
		child.Done()
	}
	return v
}

// authority is the URL below which tenants are, with a slash at its end.
func (b *Builder) authority() string {
	text := b.runtime().Authority
	if own := b.Literal("authentication-endpoint", "", 0); own != "" {
		if !strings.Contains(own, "://") {
			own = "https://" + own
		}
		if _, err := parseCallURL(own); err != nil {
			b.Errorf("The attribute 'authentication-endpoint': %s", err)
		}
		text = own
	}
	if text == "" {
		text = DefaultAuthority
	}
	return strings.TrimSuffix(text, "/") + "/"
}

// tenantConfiguration is the address of a tenant's OpenID configuration.
func tenantConfiguration(authority string, tenant Value[string]) Value[string] {
	address := func(tenant string) string {
		return authority + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration"
	}
	if text, known := tenant.Known(); known {
		return Literal(address(text))
	}
	return Value[string]{set: true, expression: tenant.expression, convert: func(x *Exchange, e Expression) (string, error) {
		text, err := e.Text(x)
		return address(text), err
	}}
}

package config

import (
	"fmt"
	"net/netip"

	"github.com/hubgate/hubgate/internal/resource"
)

// Product is a group of APIs with subscriptions and a policy document of its own.
type Product struct {
	// Name is unique in the service. It is needed.
	Name string `yaml:"name"`
	// DisplayName is what the portal shows. Default: the name.
	DisplayName string `yaml:"displayName"`
	// SubscriptionRequired says that a call in the product's context needs a key. Default: true, as in Azure.
	SubscriptionRequired *bool `yaml:"subscriptionRequired"`
	// APIs are the names of the APIs in the product.
	APIs []string `yaml:"apis"`
	// Policy is the policy document of the product.
	Policy Policy `yaml:"policy"`
}

// Subscription is a pair of keys that open APIs. It is for a product, for an API, or for all APIs when it names neither.
type Subscription struct {
	// Name is unique in the service. It is needed.
	Name string `yaml:"name"`
	// DisplayName is what the portal shows. Default: the name.
	DisplayName string `yaml:"displayName"`
	// Product is the name of the product that the keys open.
	Product string `yaml:"product"`
	// API is the name of the API that the keys open.
	API string `yaml:"api"`
	// PrimaryKey and SecondaryKey are the keys; each of them opens the same. Both are needed.
	PrimaryKey   Secret `yaml:"primaryKey"`
	SecondaryKey Secret `yaml:"secondaryKey"`
	// AllowTracing lets requests with one of the keys be traced by the header Ocp-Apim-Trace. Default: false.
	AllowTracing bool `yaml:"allowTracing"`
}

// Gateway is what the gateways of all API Management services of a node have in common.
type Gateway struct {
	// Region is what context.Deployment.Region shows to policies. Default: local.
	Region string `yaml:"region"`
	// CacheSize is how much the cache of policies holds on this node. Default: 64MiB.
	CacheSize Size `yaml:"cacheSize"`
	// RequestLog writes one line for each request into the log, with the names of Azure's ApiManagementGatewayLogs. Default: false.
	RequestLog bool `yaml:"requestLog"`
	// TrustedProxies are addresses and CIDR ranges of the proxies in front of the gateways. From them the client's address is taken
	// from X-Forwarded-For: the right-most one there that is not listed here. Default: none, and the header is believed from nobody.
	TrustedProxies []string `yaml:"trustedProxies"`
	// Identity is where the tokens of the policy authentication-managed-identity come from. Default: nowhere, and the policy fails.
	Identity GatewayIdentity `yaml:"identity"`
}

// GatewayIdentity is a source of access tokens; one of tokenUrl, endpoint and tokenFile is given.
type GatewayIdentity struct {
	// TokenURL is the token endpoint of an OAuth 2.0 server, for client credentials: for Entra ID https://login.microsoftonline.com/TENANT/oauth2/v2.0/token.
	TokenURL string `yaml:"tokenUrl"`
	// ClientID and ClientSecret are the credentials at TokenURL.
	ClientID     string `yaml:"clientId"`
	ClientSecret Secret `yaml:"clientSecret"`
	// Endpoint is a token endpoint of this machine, like http://169.254.169.254/metadata/identity/oauth2/token on Azure.
	Endpoint string `yaml:"endpoint"`
	// TokenFile is a file with a token that something else keeps fresh.
	TokenFile string `yaml:"tokenFile"`
}

// Given says whether there is any source of tokens.
func (i GatewayIdentity) Given() bool {
	return i.TokenURL != "" || i.Endpoint != "" || i.TokenFile != ""
}

// maxTrustedProxies bounds what each request is compared with.
const maxTrustedProxies = 1000

// Proxies are the TrustedProxies of a configuration that is valid.
func (g Gateway) Proxies() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range g.TrustedProxies {
		if p, err := resource.ParsePrefix(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func (g Gateway) validate(report reporter) {
	if g.CacheSize < 0 {
		report("gateway.cacheSize", "must be above 0")
	}
	if len(g.TrustedProxies) > maxTrustedProxies {
		report("gateway.trustedProxies", "has %d entries, and %d are allowed; ranges like 10.0.0.0/8 cover many addresses", len(g.TrustedProxies), maxTrustedProxies)
	}
	for i, text := range g.TrustedProxies {
		p, err := resource.ParsePrefix(text)
		switch path := fmt.Sprintf("gateway.trustedProxies[%d]", i); {
		case err != nil:
			report(path, "%q is neither an IP address nor a range like 10.0.0.0/8", text)
		case p.Addr().Is4In6():
			report(path, "write the range %q in the form of IPv4, like 10.0.0.0/8", text)
		}
	}
	given := 0
	for _, s := range []string{g.Identity.TokenURL, g.Identity.Endpoint, g.Identity.TokenFile} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1:
		report("gateway.identity", "give one of tokenUrl, endpoint and tokenFile")
	case g.Identity.TokenURL != "" && (g.Identity.ClientID == "" || !g.Identity.ClientSecret.IsSet()):
		report("gateway.identity", "tokenUrl needs clientId and clientSecret")
	case g.Identity.TokenURL == "" && (g.Identity.ClientID != "" || g.Identity.ClientSecret.IsSet()):
		report("gateway.identity", "clientId and clientSecret need tokenUrl")
	}
}

// validateProducts reports names of products and APIs that are not there: the gateway would find them out only when it compiles.
func (s Service) validateProducts(path string, report reporter) {
	apis, products := make(map[string]bool), make(map[string]bool)
	for _, a := range s.APIs {
		apis[a.Name] = true
	}
	for i, p := range s.Products {
		products[p.Name] = true
		for k, name := range p.APIs {
			if !apis[name] {
				report(fmt.Sprintf("%s.products[%d].apis[%d]", path, i, k), "the service has no API %q", name)
			}
		}
	}
	for i, sub := range s.Subscriptions {
		at := fmt.Sprintf("%s.subscriptions[%d]", path, i)
		switch {
		case sub.Product != "" && sub.API != "":
			report(at, "has both a product and an api; give one of them, or neither for all APIs")
		case sub.Product != "" && !products[sub.Product]:
			report(at+".product", "the service has no product %q", sub.Product)
		case sub.API != "" && !apis[sub.API]:
			report(at+".api", "the service has no API %q", sub.API)
		}
	}
}

// products are the products and subscriptions of a service.
func (s Service) products(path string, id resource.ID) []placed {
	var all []placed
	for i, p := range s.Products {
		path := fmt.Sprintf("%s.products[%d]", path, i)
		product := id.Child("products", p.Name)
		all = append(all, placed{path, &resource.Product{
			ID: product, DisplayName: orElse(p.DisplayName, p.Name), State: resource.ProductPublished,
			SubscriptionRequired: p.SubscriptionRequired == nil || *p.SubscriptionRequired,
		}, map[string]string{"id": "name"}})
		for k, name := range p.APIs {
			all = append(all, placed{fmt.Sprintf("%s.apis[%d]", path, k), &resource.ProductAPI{ID: product.Child("apis", name)}, nil})
		}
		all = appendPolicy(all, path, product, p.Policy)
	}
	for i, sub := range s.Subscriptions {
		scope := "/apis"
		switch {
		case sub.Product != "":
			scope = "/products/" + sub.Product
		case sub.API != "":
			scope = "/apis/" + sub.API
		}
		all = append(all, placed{fmt.Sprintf("%s.subscriptions[%d]", path, i), &resource.Subscription{
			ID: id.Child("subscriptions", sub.Name), DisplayName: orElse(sub.DisplayName, sub.Name), Scope: scope,
			PrimaryKey: sub.PrimaryKey.Reveal(), SecondaryKey: sub.SecondaryKey.Reveal(), AllowTracing: sub.AllowTracing,
		}, map[string]string{"id": "name"}})
	}
	return all
}

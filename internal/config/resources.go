package config

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// placed is a resource and the path of the file that it comes from.
type placed struct {
	path string
	res  resource.Resource
	// targets are those fields of the resource that have another place in the file, where it is not the same name. "*" is what all others are in.
	targets map[string]string
}

func (p placed) field(target string) string {
	if field, ok := p.targets[target]; ok {
		return field
	}
	return p.targets["*"] + target
}

// Resources are the SignalR instances and the API Management services of the file with all that belongs to them, those above before those
// below. stored returns an instance as the store has it, or nil: an instance for which the file gives no keys keeps those. One that has none there either
// gets new random ones. The same goes for the salt, which no file gives.
func (c *Config) Resources(stored func(id resource.ID) *resource.SignalR) ([]resource.Resource, error) {
	all := c.resources(func(s *resource.SignalR) {
		kept := stored(s.ID)
		if kept == nil {
			kept = &resource.SignalR{PrimaryKey: newAccessKey(), SecondaryKey: newAccessKey()}
		}
		if s.PrimaryKey == "" {
			s.PrimaryKey = kept.PrimaryKey
		}
		if s.SecondaryKey == "" {
			s.SecondaryKey = kept.SecondaryKey
		}
		if s.Salt = kept.Salt; s.Salt == "" && len(s.Identity.Issuers) > 0 {
			s.Salt = newAccessKey()
		}
	})
	resources := make([]resource.Resource, 0, len(all))
	for _, p := range all {
		if err := p.res.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		resources = append(resources, p.res)
	}
	return resources, nil
}

// newAccessKey makes a key of 32 random bytes in base64, as Azure's are.
func newAccessKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

func (c *Config) resources(fillKeys func(*resource.SignalR)) []placed {
	var all []placed
	for i, s := range c.SignalR {
		instance := c.instance(s)
		fillKeys(instance)
		all = append(all, placed{fmt.Sprintf("signalr[%d]", i), instance, map[string]string{
			"id": "name", "allowedOrigins": "cors.allowedOrigins", "keepAliveSeconds": "keepAlive", "clientTimeoutSeconds": "clientTimeout",
			"networkACLs.defaultAction": "access.defaultAction", "networkACLs.publicNetwork": "access", "networkACLs.ipRules": "access.ipRules",
			"upstreamRequests.timeoutInSeconds": "upstreamRequests.timeout", "upstreamRequests.retryDelayInMilliseconds": "upstreamRequests.retryDelay",
			"upstreamRequests.maxRetryDelayInMilliseconds": "upstreamRequests.maxRetryDelay",
			"quotas.maxClientConnectionLifetimeInSeconds":  "quotas.connectionLifetime",
			"quotas.clientConnectionCountRules":            "quotas.connectionRules", "quotas.clientTrafficControlRules": "quotas.trafficRules",
		}})
	}
	for i, s := range c.APIManagement {
		all = append(all, c.service(fmt.Sprintf("apiManagement[%d]", i), s)...)
	}
	return all
}

func (c *Config) instance(s Instance) *resource.SignalR {
	instance := &resource.SignalR{
		ID:                   resource.NewID(resource.SignalRService, "signalR", s.Name),
		Mode:                 resource.ServiceMode(s.Mode),
		PrimaryKey:           s.PrimaryKey.Reveal(),
		SecondaryKey:         s.SecondaryKey.Reveal(),
		HostNames:            append([]string{strings.ToLower(s.Name) + ".service.signalr." + c.Domain}, s.HostNames...),
		AllowedOrigins:       s.CORS.AllowedOrigins,
		KeepAliveSeconds:     seconds(s.KeepAlive),
		ClientTimeoutSeconds: seconds(s.ClientTimeout),
		UpstreamIdentity:     s.UpstreamIdentity.resource(),
		UpstreamRequests:     s.UpstreamRequests.resource(),
		Events:               s.Events.resource(),
		DisableLocalAuth:     s.DisableLocalAuth,
		DisableAADAuth:       s.DisableAADAuth,
		Identity:             s.Identity.resource(),
		NetworkACLs:          s.Access.resource(),
		Quotas:               s.Quotas.resource(),
		Logs:                 resource.ResourceLogs(s.Logs),
	}
	for _, u := range s.Upstream {
		instance.Upstream = append(instance.Upstream, u.resource())
	}
	return instance
}

func seconds(d Duration) int { return int(d.Std() / time.Second) }

func (c *Config) service(path string, s Service) []placed {
	id := resource.NewID(resource.ApiManagement, "service", s.Name)
	all := []placed{{path, &resource.ApiManagementService{
		ID:        id,
		HostNames: append([]string{strings.ToLower(s.Name) + ".azure-api." + c.Domain}, s.HostNames...),
	}, map[string]string{"id": "name"}}}
	for i, n := range s.NamedValues {
		all = append(all, placed{fmt.Sprintf("%s.namedValues[%d]", path, i), &resource.NamedValue{
			ID:          id.Child("namedValues", n.Name),
			DisplayName: n.Name,
			Value:       n.Value.Reveal(),
			Secret:      n.Value.File != "" || n.Value.Env != "",
		}, map[string]string{"id": "name", "displayName": "name"}})
	}
	all = appendPolicy(all, path, id, s.Policy)
	all = appendDiagnostic(all, path, id, s.Diagnostic)
	for i, a := range s.APIs {
		path := fmt.Sprintf("%s.apis[%d]", path, i)
		id := id.Child("apis", a.Name)
		all = append(all, placed{path, &resource.API{
			ID:                   id,
			DisplayName:          orElse(a.DisplayName, a.Name),
			Description:          a.Description,
			Type:                 resource.APIType(a.Type),
			Path:                 a.Path,
			ServiceURL:           a.ServiceURL,
			SubscriptionRequired: a.SubscriptionRequired == nil || *a.SubscriptionRequired,
		}, map[string]string{"id": "name"}})
		all = appendPolicy(all, path, id, a.Policy)
		for k, schema := range a.Schemas {
			path := orElse(schema.place, fmt.Sprintf("%s.schemas[%d]", path, k))
			all = append(all, placed{path, schema.resource(id), map[string]string{"id": "name"}})
		}
		all = appendDiagnostic(all, path, id, a.Diagnostic)
		for k, o := range a.Operations {
			path := orElse(o.place, fmt.Sprintf("%s.operations[%d]", path, k))
			template := orElse(o.URLTemplate, "/")
			id := id.Child("operations", orElse(o.Name, operationName(o.Method, template)))
			all = append(all, placed{path, &resource.Operation{
				ID:          id,
				DisplayName: orElse(o.DisplayName, o.Method+" "+template),
				Description: o.Description,
				Method:      o.Method,
				URLTemplate: template,
				// A template's parameters need no declaration to match.
				TemplateParameters: each(o.TemplateParameters, Parameter.resource),
				Request:            o.Request.resource(),
				Responses:          each(o.Responses, Response.resource),
			}, map[string]string{"id": "name"}})
			all = appendPolicy(all, path, id, o.Policy)
		}
	}
	for i, raw := range s.Resources {
		all = append(all, placed{fmt.Sprintf("%s.resources[%d]", path, i), raw.resource, map[string]string{"id": "id", "*": "properties."}})
	}
	return append(all, s.products(path, id)...)
}

func appendPolicy(all []placed, path string, scope resource.ID, p Policy) []placed {
	if p.Text == "" {
		return all
	}
	return append(all, placed{path + ".policy", &resource.Policy{
		ID:     scope.Child("policies", "policy"),
		Format: resource.PolicyFormat(orElse(p.Format, string(resource.PolicyRawXML))),
		Value:  p.Text,
	}, map[string]string{"value": "text"}})
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// operationName makes the name of an operation that has none of its own: "post-negotiate", "get-orders-id", "get" for the root.
func operationName(method, template string) string {
	words := strings.FieldsFunc(template, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
	name := strings.ToLower(strings.Join(append([]string{method}, words...), "-"))
	if strings.HasSuffix(template, "*") {
		name += "-all"
	}
	return name[:min(len(name), 80)]
}

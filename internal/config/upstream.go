package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// SecretReferences say which secrets the URLs and identities of instances may refer to by {@file(/run/secrets/NAME)} and {@env(NAME)}. Whoever may
// change an instance can send these to any URL.
type SecretReferences struct {
	// Directories are those whose files, and the files of whose directories, may be referred to. Default: [/run/secrets].
	Directories []string `yaml:"directories"`
	// Environment lists environment variables; one that ends in * stands for all that begin like it. Default: [HUBGATE_SECRET_*].
	Environment []string `yaml:"environment"`
}

// Rules are the references in the form of the part that holds to them.
func (s SecretReferences) Rules() resource.SecretRules {
	return resource.SecretRules{Directories: s.Directories, Environment: s.Environment}
}

// Upstream is one template of a serverless instance. Each pattern is "*" for all, or names separated by commas. Default: "*".
type Upstream struct {
	HubPattern      string `yaml:"hubPattern"`
	CategoryPattern string `yaml:"categoryPattern"`
	EventPattern    string `yaml:"eventPattern"`
	// URLTemplate is an http or https URL; {hub}, {category} and {event} stand for what the event has, {@file(…)} and {@env(…)} for secrets. It is needed.
	URLTemplate string `yaml:"urlTemplate"`
	// Auth says how requests authenticate, beside the signature that each of them has.
	Auth UpstreamAuth `yaml:"auth"`
}

// UpstreamAuth says how requests authenticate.
type UpstreamAuth struct {
	// Type is None, or ManagedIdentity for a bearer token. Default: None.
	Type string `yaml:"type"`
	// Resource is what the token is asked for. It is needed, unless the identity has a scope or a token.
	Resource string `yaml:"resource"`
	// Identity is in the place of the instance's upstreamIdentity.
	Identity UpstreamIdentity `yaml:"identity"`
}

// UpstreamIdentity stands in for the managed identity that an instance has in Azure: either the first four fields, or a token.
type UpstreamIdentity struct {
	// TokenEndpoint is an https URL, or an http one of this machine, that gives tokens for client credentials (RFC 6749, section 4.4).
	TokenEndpoint string `yaml:"tokenEndpoint"`
	// ClientID and ClientSecret are the credentials.
	ClientID     string `yaml:"clientId"`
	ClientSecret Secret `yaml:"clientSecret"`
	// Scope is asked for in the place of the resource.
	Scope string `yaml:"scope"`
	// Token is sent as it is.
	Token Secret `yaml:"token"`
	// AllowHTTP lets the credentials go to another machine over plain HTTP. Default: false.
	AllowHTTP bool `yaml:"allowHttp"`
}

// UpstreamRequests says how long an upstream endpoint may take and how often it is asked.
type UpstreamRequests struct {
	// Timeout bounds one request: 1s to 5m in whole seconds. Default: 30s.
	Timeout Duration `yaml:"timeout"`
	// MaxAttempts is how often an event is sent at most, 1 to 10, when there is no response or status 408, 429, 502, 503 or 504. Default: 1.
	MaxAttempts int `yaml:"maxAttempts"`
	// RetryDelay is the pause before the second attempt; it doubles with each that follows up to MaxRetryDelay. 10ms to 1m. Defaults: 500ms and 10s.
	RetryDelay    Duration `yaml:"retryDelay"`
	MaxRetryDelay Duration `yaml:"maxRetryDelay"`
}

// Events is where events go that tell of serverless clients who come and go, as Azure's go to Event Grid.
type Events struct {
	// URL is a web hook for CloudEvents 1.0, an http or https URL; {@file(…)} and {@env(…)} stand for secrets. Default: none, no events are sent.
	URL string `yaml:"url"`
	// Auth says how requests authenticate.
	Auth EventsAuth `yaml:"auth"`
	// MaxEventsPerBatch is how many events a request has at most: 1 to 5000. Default: 1, and the request is the event itself.
	MaxEventsPerBatch int `yaml:"maxEventsPerBatch"`
	// MaxDeliveryAttempts is how often a request is made at most, 1 to 30, until it is accepted. Default: 10.
	MaxDeliveryAttempts int `yaml:"maxDeliveryAttempts"`
}

// EventsAuth says how requests to the web hook authenticate, with the identity in upstreamIdentity.
type EventsAuth struct {
	// Type is None or ManagedIdentity. Default: None.
	Type string `yaml:"type"`
	// Resource is as in an UpstreamAuth.
	Resource string `yaml:"resource"`
}

// secrets lists the secrets of an instance with their fields.
func (s *Instance) secrets() map[string]*Secret {
	all := map[string]*Secret{
		"primaryKey": &s.PrimaryKey, "secondaryKey": &s.SecondaryKey,
		"upstreamIdentity.clientSecret": &s.UpstreamIdentity.ClientSecret, "upstreamIdentity.token": &s.UpstreamIdentity.Token,
	}
	for i := range s.Upstream {
		identity := &s.Upstream[i].Auth.Identity
		path := fmt.Sprintf("upstream[%d].auth.identity.", i)
		all[path+"clientSecret"], all[path+"token"] = &identity.ClientSecret, &identity.Token
	}
	return all
}

// validateUpstream reports what a resource cannot tell: durations that are no whole numbers, and references that this node does not allow.
func (c *Config) validateUpstream(report reporter, path string, s *Instance) {
	for _, d := range []struct {
		name  string
		value Duration
		unit  time.Duration
		text  string
	}{
		{"timeout", s.UpstreamRequests.Timeout, time.Second, "seconds"},
		{"retryDelay", s.UpstreamRequests.RetryDelay, time.Millisecond, "milliseconds"},
		{"maxRetryDelay", s.UpstreamRequests.MaxRetryDelay, time.Millisecond, "milliseconds"},
	} {
		if d.value.Std()%d.unit != 0 {
			report(path+".upstreamRequests."+d.name, "must be a whole number of %s", d.text)
		}
	}
	rules := c.SecretReferences.Rules()
	references := c.instance(*s).SecretReferences()
	for _, field := range slices.Sorted(maps.Keys(references)) {
		for _, ref := range references[field] {
			if err := rules.Check(ref); err != nil {
				report(path+"."+field, "%v", err)
			}
		}
	}
}

func (s SecretReferences) validate(report reporter) {
	for i, dir := range s.Directories {
		if !filepath.IsAbs(dir) && dir != DefaultSecretDirectory {
			report(fmt.Sprintf("secretReferences.directories[%d]", i), "%q is not an absolute path", dir)
		}
	}
	for i, name := range s.Environment {
		if name == "" || name == "*" {
			report(fmt.Sprintf("secretReferences.environment[%d]", i), "%q would allow every variable; give a name, or the beginning of one and *", name)
		}
	}
}

func (u Upstream) resource() resource.UpstreamTemplate {
	return resource.UpstreamTemplate{
		HubPattern: u.HubPattern, CategoryPattern: u.CategoryPattern, EventPattern: u.EventPattern, URLTemplate: u.URLTemplate,
		Auth: resource.UpstreamAuth{Type: u.Auth.Type, Resource: u.Auth.Resource, Identity: u.Auth.Identity.resource()},
	}
}

func (i UpstreamIdentity) resource() resource.UpstreamIdentity {
	return resource.UpstreamIdentity{
		TokenEndpoint: i.TokenEndpoint, ClientID: i.ClientID, ClientSecret: i.ClientSecret.Reveal(), Scope: i.Scope, Token: i.Token.Reveal(), AllowHTTP: i.AllowHTTP,
	}
}

func (r UpstreamRequests) resource() resource.UpstreamRequests {
	milliseconds := func(d Duration) int { return int(min(d.Std()/time.Millisecond, time.Duration(1)<<30)) }
	return resource.UpstreamRequests{
		TimeoutSeconds: seconds(r.Timeout), MaxAttempts: r.MaxAttempts,
		RetryDelayMilliseconds: milliseconds(r.RetryDelay), MaxRetryDelayMilliseconds: milliseconds(r.MaxRetryDelay),
	}
}

func (e Events) resource() resource.ClientEvents {
	return resource.ClientEvents{
		URL: e.URL, Auth: resource.UpstreamAuth{Type: e.Auth.Type, Resource: e.Auth.Resource},
		MaxEventsPerBatch: e.MaxEventsPerBatch, MaxDeliveryAttempts: e.MaxDeliveryAttempts,
	}
}

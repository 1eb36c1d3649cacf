package resource

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// How requests to an upstream endpoint authenticate (properties.upstream.templates[].auth.type).
const (
	UpstreamAuthNone            = "None"
	UpstreamAuthManagedIdentity = "ManagedIdentity"
)

// UpstreamAuth says how requests authenticate, beside the signature that each of them has.
type UpstreamAuth struct {
	// Type is UpstreamAuthNone or UpstreamAuthManagedIdentity; "" means UpstreamAuthNone.
	Type string `json:"type,omitempty"`
	// Resource is what the token is asked for, and so its audience (auth.managedIdentity.resource). It is needed with UpstreamAuthManagedIdentity
	// unless the identity has a token or a scope.
	Resource string `json:"resource,omitempty"`
	// Identity is in the place of the instance's. The zero value is the instance's.
	Identity UpstreamIdentity `json:"identity,omitzero"`
}

// UpstreamIdentity stands in for the managed identity that an instance has in Azure: the client credentials of a token endpoint (RFC 6749, section
// 4.4), or a token that does not change. ClientSecret and Token are the text itself, or a reference like {@file(/run/secrets/name)} or {@env(NAME)}.
type UpstreamIdentity struct {
	// TokenEndpoint is an absolute https URL, or an http one of this machine or, with AllowHTTP, of any.
	TokenEndpoint string `json:"tokenEndpoint,omitempty"`
	ClientID      string `json:"clientId,omitempty"`
	ClientSecret  string `json:"clientSecret,omitempty"`
	// Scope is asked for in the place of the resource, as by version 2.0 of Entra ID's endpoint: api://chat/.default. "" asks for the resource.
	Scope string `json:"scope,omitempty"`
	// Token is sent as it is, in the place of one from a token endpoint.
	Token string `json:"token,omitempty"`
	// AllowHTTP lets the secret go to any host over plain HTTP.
	AllowHTTP bool `json:"allowHttp,omitempty"`
}

// UpstreamRequests says how long an upstream endpoint may take and how often it is asked. Zero values are the defaults.
type UpstreamRequests struct {
	// TimeoutSeconds bounds one request: 1 to 300; 0 means 30.
	TimeoutSeconds int `json:"timeoutInSeconds,omitempty"`
	// MaxAttempts is how often an event is sent at most: 1 to 10; 0 means 1, as in Azure.
	MaxAttempts int `json:"maxAttempts,omitempty"`
	// RetryDelayMilliseconds is the pause before the second attempt, which doubles with each that follows up to MaxRetryDelayMilliseconds:
	// 10 to 60,000 each; 0 means 500 and 10,000.
	RetryDelayMilliseconds    int `json:"retryDelayInMilliseconds,omitempty"`
	MaxRetryDelayMilliseconds int `json:"maxRetryDelayInMilliseconds,omitempty"`
}

// ClientEvents is where events go that tell of serverless clients who come and go, as Azure's go to Event Grid: Microsoft.SignalRService.ClientConnectionConnected
// and .ClientConnectionDisconnected.
type ClientEvents struct {
	// URL is the web hook, an absolute http or https URL. It may hold references to secrets. "" sends none.
	URL string `json:"url,omitempty"`
	// Auth says how deliveries authenticate.
	Auth UpstreamAuth `json:"auth,omitzero"`
	// MaxEventsPerBatch is how many events a request holds at most: 1 to 5000; 0 means 1.
	MaxEventsPerBatch int `json:"maxEventsPerBatch,omitempty"`
	// MaxDeliveryAttempts is how often a request is made at most: 1 to 30; 0 means 10.
	MaxDeliveryAttempts int `json:"maxDeliveryAttempts,omitempty"`
}

// SecretReference says where a secret is. It has either a file or an environment variable.
type SecretReference struct {
	File string // an absolute path
	Env  string // the name of an environment variable
}

// String is the reference as it is written, which shows no secret.
func (r SecretReference) String() string {
	if r.File != "" {
		return "{@file(" + r.File + ")}"
	}
	return "{@env(" + r.Env + ")}"
}

// SecretRules say what may be referred to. Whoever may change an instance could else read any file of the node, and have it sent to any URL.
type SecretRules struct {
	Directories []string // absolute paths; what is below them may be referred to
	Environment []string // names of environment variables; one that ends in * stands for all that begin like it
}

// Check reports a reference that is not allowed.
func (r SecretRules) Check(ref SecretReference) error {
	if ref.File != "" {
		for _, dir := range r.Directories {
			if below, err := filepath.Rel(dir, ref.File); err == nil && filepath.IsLocal(below) && below != "." {
				return nil
			}
		}
		return fmt.Errorf("%s is in none of the directories that secrets may be read from; secretReferences.directories of the configuration lists them", ref)
	}
	for _, name := range r.Environment {
		if begin, any := strings.CutSuffix(name, "*"); name == ref.Env || any && strings.HasPrefix(ref.Env, begin) {
			return nil
		}
	}
	return fmt.Errorf("%s is none of the environment variables that may be referred to; secretReferences.environment of the configuration lists them", ref)
}

const referenceHelp = "put the secret into a file or an environment variable and refer to it as {@file(/run/secrets/NAME)} or {@env(NAME)}"

// ParseSecretReference reads a text that is one reference. ok is false for any other text, which is then the secret itself.
func ParseSecretReference(text string) (ref SecretReference, ok bool, err error) {
	inside, begins := strings.CutPrefix(text, "{@")
	if !begins {
		return SecretReference{}, false, nil
	}
	inside, ends := strings.CutSuffix(inside, "}")
	if !ends {
		return SecretReference{}, true, errors.New("a reference to a secret has no } at its end")
	}
	ref, err = parseReference(inside)
	return ref, true, err
}

// parseReference reads what stands between {@ and }. Errors do not repeat it: it may be a secret in the wrong place.
func parseReference(inside string) (SecretReference, error) {
	kind, rest, _ := strings.Cut(inside, "(")
	value, closed := strings.CutSuffix(rest, ")")
	if strings.EqualFold(kind, "Microsoft.KeyVault") {
		return SecretReference{}, errors.New("a Key Vault reference cannot be resolved here; " + referenceHelp)
	}
	switch {
	case kind != "file" && kind != "env" || !closed:
		return SecretReference{}, errors.New("a reference to a secret is {@file(/run/secrets/NAME)} or {@env(NAME)}")
	case value == "" || strings.ContainsAny(value, "\x00\n\r"):
		return SecretReference{}, errors.New("a reference to a secret names no file or variable")
	case kind == "env" && strings.Contains(value, "="):
		return SecretReference{}, errors.New("the name of an environment variable has no =")
	case kind == "env":
		return SecretReference{Env: value}, nil
	case !filepath.IsAbs(value):
		return SecretReference{}, errors.New("the file of a secret needs an absolute path")
	}
	return SecretReference{File: filepath.Clean(value)}, nil
}

// UpstreamParameter is what a part of an upstream's URL stands for.
type UpstreamParameter uint8

// The parameters of a URL template.
const (
	UpstreamText     UpstreamParameter = iota // none, it is a text
	UpstreamHub                               // {hub}
	UpstreamCategory                          // {category}
	UpstreamEvent                             // {event}
	UpstreamSecret                            // {@file(…)} or {@env(…)}
)

// UpstreamURLPart is a piece of the URL template of an upstream.
type UpstreamURLPart struct {
	Parameter UpstreamParameter
	Text      string          // of UpstreamText
	Secret    SecretReference // of UpstreamSecret
}

// MaxURLTemplateBytes is the longest URL template.
const MaxURLTemplateBytes = 8 << 10

// ParseUpstreamURL cuts a URL template at its parameters. The URL must be an absolute http or https one whose host depends neither on the event,
// which a client chooses, nor on a secret. Errors show nothing of the text, which may hold a key, but the name of a parameter that does not exist.
func ParseUpstreamURL(text string) ([]UpstreamURLPart, error) {
	if len(text) > MaxURLTemplateBytes {
		return nil, fmt.Errorf("has more than %d bytes", MaxURLTemplateBytes)
	}
	var parts []UpstreamURLPart
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			parts = append(parts, UpstreamURLPart{Text: before})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("a { has no }")
		}
		p := UpstreamURLPart{}
		switch reference, is := strings.CutPrefix(name, "@"); {
		case name == "hub":
			p.Parameter = UpstreamHub
		case name == "category":
			p.Parameter = UpstreamCategory
		case name == "event":
			p.Parameter = UpstreamEvent
		case is:
			ref, err := parseReference(reference)
			if err != nil {
				return nil, err
			}
			p.Parameter, p.Secret = UpstreamSecret, ref
		default:
			return nil, fmt.Errorf("there is no parameter {%s}; use {hub}, {category} or {event}", name)
		}
		parts = append(parts, p)
		rest = behind
	}
	return parts, checkUpstreamURL(parts)
}

// checkUpstreamURL fills parameters in with two values each, to see what depends on them.
func checkUpstreamURL(parts []UpstreamURLPart) error {
	with := func(event, secret string) (*url.URL, error) {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(map[UpstreamParameter]string{UpstreamText: p.Text, UpstreamHub: "h", UpstreamCategory: "messages", UpstreamEvent: event, UpstreamSecret: secret}[p.Parameter])
		}
		u, err := url.Parse(b.String())
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("must be an absolute http or https URL")
		}
		if u.Fragment != "" {
			return nil, errors.New("must not have a fragment")
		}
		return u, nil
	}
	first, err := with("a", "a")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		event, secret string
		text          string
	}{{"b", "a", "{event} must not be part of the host: clients choose it"}, {"a", "b", "a secret must not be part of the host"}} {
		u, err := with(c.event, c.secret)
		if err != nil {
			return err
		}
		sameUser := u.User.String() == first.User.String() || c.secret == "b" // a password may be a secret
		if u.Host != first.Host || u.Scheme != first.Scheme || !sameUser {
			return errors.New(c.text)
		}
	}
	return nil
}

// ParseUpstreamPattern reads a pattern of an upstream template: nil for "" and "*", which match anything, else the names of a list with commas.
func ParseUpstreamPattern(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "*" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
			return nil, fmt.Errorf("the list %q has an empty name", text)
		case "*":
			return nil, fmt.Errorf("the list %q holds *, which stands alone or not at all", text)
		}
		names = append(names, name)
	}
	return names, nil
}

// SecretReferences lists what an instance's upstream and events refer to, with the field that each is in.
func (s *SignalR) SecretReferences() map[string][]SecretReference {
	all := make(map[string][]SecretReference)
	add := func(target string, refs ...SecretReference) {
		if len(refs) > 0 {
			all[target] = append(all[target], refs...)
		}
	}
	inURL := func(target, text string) {
		parts, _ := ParseUpstreamURL(text) // what is wrong with it is Validate's to say
		for _, p := range parts {
			if p.Parameter == UpstreamSecret {
				add(target, p.Secret)
			}
		}
	}
	identity := func(target string, i UpstreamIdentity) {
		for name, text := range map[string]string{"clientSecret": i.ClientSecret, "token": i.Token} {
			if ref, ok, err := ParseSecretReference(text); ok && err == nil {
				add(target+"."+name, ref)
			}
		}
	}
	for i, t := range s.Upstream {
		target := fmt.Sprintf("upstream[%d]", i)
		inURL(target+".urlTemplate", t.URLTemplate)
		identity(target+".auth.identity", t.Auth.Identity)
	}
	identity("upstreamIdentity", s.UpstreamIdentity)
	inURL("events.url", s.Events.URL)
	identity("events.auth.identity", s.Events.Auth.Identity)
	return all
}

func (s *SignalR) validateUpstream() error {
	for i := range s.Upstream {
		if field, err := s.Upstream[i].problem(); err != nil {
			return Invalidf(s.ID, fmt.Sprintf("upstream[%d].%s", i, field), "%v", err)
		}
		if err := s.validateAuth(fmt.Sprintf("upstream[%d].auth", i), s.Upstream[i].Auth); err != nil {
			return err
		}
	}
	if err := s.validateUpstreamIdentity("upstreamIdentity", s.UpstreamIdentity); err != nil {
		return err
	}
	r, e := s.UpstreamRequests, s.Events
	for _, c := range []struct {
		target          string
		value, min, max int
	}{
		{"upstreamRequests.timeoutInSeconds", r.TimeoutSeconds, 1, 300},
		{"upstreamRequests.maxAttempts", r.MaxAttempts, 1, 10},
		{"upstreamRequests.retryDelayInMilliseconds", r.RetryDelayMilliseconds, 10, 60_000},
		{"upstreamRequests.maxRetryDelayInMilliseconds", r.MaxRetryDelayMilliseconds, 10, 60_000},
		{"events.maxEventsPerBatch", e.MaxEventsPerBatch, 1, 5000},
		{"events.maxDeliveryAttempts", e.MaxDeliveryAttempts, 1, 30},
	} {
		if c.value != 0 && (c.value < c.min || c.value > c.max) {
			unit := ""
			if strings.HasSuffix(c.target, "InSeconds") {
				unit = " seconds"
			} else if strings.HasSuffix(c.target, "InMilliseconds") {
				unit = " milliseconds"
			}
			return Invalidf(s.ID, c.target, "must be %d to %d%s, or 0 for the default", c.min, c.max, unit)
		}
	}
	if e == (ClientEvents{}) {
		return nil
	}
	if e.URL == "" {
		return Invalidf(s.ID, "events.url", "is missing; without it no events are sent")
	}
	parts, err := ParseUpstreamURL(e.URL)
	if err != nil {
		return Invalidf(s.ID, "events.url", "%v", err)
	}
	if slices.ContainsFunc(parts, func(p UpstreamURLPart) bool { return p.Parameter != UpstreamText && p.Parameter != UpstreamSecret }) {
		return Invalidf(s.ID, "events.url", "must not hold {hub}, {category} or {event}: a request may be about several hubs")
	}
	return s.validateAuth("events.auth", e.Auth)
}

// problem tells what is wrong with a template, and with which field.
func (t *UpstreamTemplate) problem() (field string, err error) {
	for _, p := range []struct{ name, text string }{
		{"hubPattern", t.HubPattern}, {"categoryPattern", t.CategoryPattern}, {"eventPattern", t.EventPattern},
	} {
		names, err := ParseUpstreamPattern(p.text)
		if err != nil {
			return p.name, err
		}
		for _, name := range names {
			if p.name == "categoryPattern" && !strings.EqualFold(name, "connections") && !strings.EqualFold(name, "messages") {
				return p.name, fmt.Errorf("there is no category %q; use connections, messages or *", name)
			}
		}
	}
	_, err = ParseUpstreamURL(t.URLTemplate)
	return "urlTemplate", err
}

func (s *SignalR) validateAuth(target string, a UpstreamAuth) error {
	switch a.Type {
	case "", UpstreamAuthNone:
		if a.Resource != "" || a.Identity != (UpstreamIdentity{}) {
			return Invalidf(s.ID, target+".type", "is None, but there is a resource or an identity; write ManagedIdentity, or leave these out")
		}
		return nil
	case UpstreamAuthManagedIdentity:
	default:
		return Invalidf(s.ID, target+".type", "is None or ManagedIdentity, not %q", a.Type)
	}
	if err := s.validateUpstreamIdentity(target+".identity", a.Identity); err != nil {
		return err
	}
	identity := s.IdentityOf(a)
	if identity == (UpstreamIdentity{}) {
		return Invalidf(s.ID, target+".type", "is ManagedIdentity, but there is no identity here and none of the instance; give one a tokenEndpoint or a token")
	}
	if a.Resource == "" && identity.Scope == "" && identity.Token == "" {
		return Invalidf(s.ID, target+".resource", "is missing; it is what the token is asked for")
	}
	return nil
}

// IdentityOf is the identity that requests with this authentication have.
func (s *SignalR) IdentityOf(a UpstreamAuth) UpstreamIdentity {
	if a.Identity != (UpstreamIdentity{}) {
		return a.Identity
	}
	return s.UpstreamIdentity
}

func (s *SignalR) validateUpstreamIdentity(target string, i UpstreamIdentity) error {
	if i == (UpstreamIdentity{}) {
		return nil
	}
	for _, secret := range []struct{ name, text string }{{"clientSecret", i.ClientSecret}, {"token", i.Token}} {
		if _, _, err := ParseSecretReference(secret.text); err != nil {
			return Invalidf(s.ID, target+"."+secret.name, "%v", err)
		}
	}
	if i.Token != "" {
		if i.TokenEndpoint+i.ClientID+i.ClientSecret+i.Scope != "" || i.AllowHTTP {
			return Invalidf(s.ID, target+".token", "stands beside fields of a token endpoint; give either a token or an endpoint")
		}
		return nil
	}
	if i.TokenEndpoint == "" || i.ClientID == "" || i.ClientSecret == "" {
		return Invalidf(s.ID, target, "needs a tokenEndpoint, a clientId and a clientSecret, or a token")
	}
	if problem := KeyURLProblem(i.TokenEndpoint, true); problem != "" {
		return Invalidf(s.ID, target+".tokenEndpoint", "%s", problem)
	}
	if !i.AllowHTTP && KeyURLProblem(i.TokenEndpoint, false) != "" {
		return Invalidf(s.ID, target+".tokenEndpoint", "is not an https URL: whoever is on the way could read the secret; allowHttp lets it be")
	}
	return nil
}

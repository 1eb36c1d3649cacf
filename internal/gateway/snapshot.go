package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/cache"
	"github.com/hubgate/hubgate/internal/gateway/match"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// snapshot is the compiled configuration of a service. It is immutable.
type snapshot struct {
	other        collection
	backends     map[string]*resource.Backend // by name in lower case
	eventLoggers map[string]policy.EventLogger
	table        *match.Table
	apis         []api
	global       *policy.Pipeline
	external     cache.Cache               // of this configuration; nil without one
	keys         map[[sha256.Size]byte]key // by the hash of the key, so that no comparison takes time by the key's text
}

// api is an API with what is compiled for it.
type api struct {
	resource   *resource.API
	diagnosis  diagnosis
	backend    *url.URL // nil when the API has no serviceUrl
	operations []operation
	pipeline   *policy.Pipeline // of the API's scope, for requests that match no operation
	products   []product        // that contain the API
	open       int              // index of the product without subscription in products, or -1

	keyHeader, keyQuery string // where the subscription key is; the header in canonical form
}

// operation is an operation with its effective policies.
type operation struct {
	resource   *resource.Operation
	pipeline   *policy.Pipeline   // without a product
	inProducts []*policy.Pipeline // for each of api.products
}

type product struct{ resource *resource.Product }

// key is what a subscription key opens.
type key struct {
	subscription *resource.Subscription
	scope        resource.SubscriptionScope
	user         *resource.User // its owner, nil for none
	groups       []*resource.Group
}

// builder collects the resources of a service and compiles them.
type builder struct {
	collection
	g    *Gateway
	errs []error

	policies    map[string]*resource.Policy // by the key of their scope
	versionSets map[string]*resource.APIVersionSet
	operations  map[string][]*resource.Operation // by the key of their API
	apis        []*resource.API
	products    map[string]*resource.Product // by name in lower case
	productAPIs map[string][]string          // from the API's name in lower case to product names
	subs        []*resource.Subscription
	caches      []*resource.Cache
	environment policy.Environment

	compiled  map[documentKey]*policy.Document
	reported  map[string]bool // faults by resource and text: a document that is compiled in both ways has most of them twice
	flattened map[[4]*policy.Document]*policy.Pipeline
}

// documentKey tells apart the two ways in which a document is compiled.
type documentKey struct {
	scope     string
	handshake bool
}

func (b *builder) report(err error) { b.errs = append(b.errs, err) }

// build compiles a snapshot of the service's resources.
func (g *Gateway) build(resources []resource.Resource) (*snapshot, error) {
	b := &builder{
		collection: newCollection(),
		g:          g, policies: map[string]*resource.Policy{}, versionSets: map[string]*resource.APIVersionSet{}, operations: map[string][]*resource.Operation{},
		products: map[string]*resource.Product{}, productAPIs: map[string][]string{},
		environment: policy.Environment{
			Policies: policy.Policies(), NamedValues: map[string]string{}, Fragments: map[string]*resource.PolicyFragment{}, Backends: map[string]*resource.Backend{},
			Expressions: g.options.Expressions, Runtime: g.runtime, Schemas: policy.NewSchemaSet(), Loggers: map[string]policy.EventLogger{},
		},
		compiled: map[documentKey]*policy.Document{}, reported: map[string]bool{}, flattened: map[[4]*policy.Document]*policy.Pipeline{},
	}
	service := g.options.Service.Key()
	for _, r := range resources {
		if k := r.ResourceID().Key(); k != service && !strings.HasPrefix(k, service+"/") {
			continue
		}
		if err := r.Validate(); err != nil {
			b.report(err)
			continue
		}
		b.collect(r)
	}
	s := b.compile()
	return s, errors.Join(b.errs...)
}

func (b *builder) collect(r resource.Resource) {
	switch r := r.(type) {
	case *resource.Policy:
		b.policies[r.Scope().Key()] = r
	case *resource.API:
		b.apis = append(b.apis, r)
	case *resource.APIVersionSet:
		b.versionSets[r.ID.Key()] = r
	case *resource.Operation:
		k := r.ID.Parent().Key()
		b.operations[k] = append(b.operations[k], r)
	case *resource.Product:
		b.products[strings.ToLower(r.ID.Name())] = r
	case *resource.ProductAPI:
		name := strings.ToLower(r.ID.Name())
		b.productAPIs[name] = append(b.productAPIs[name], strings.ToLower(r.ID.Parent().Name()))
	case *resource.Subscription:
		b.subs = append(b.subs, r)
	case *resource.NamedValue:
		if _, taken := b.environment.NamedValues[r.DisplayName]; taken {
			b.report(&resource.Error{Kind: resource.Conflict, ID: r.ID, Target: "displayName", Message: fmt.Sprintf("the display name %q is taken by another named value", r.DisplayName)})
		}
		b.environment.NamedValues[r.DisplayName] = r.Value
	case *resource.Backend:
		b.environment.Backends[strings.ToLower(r.ID.Name())] = r
	case *resource.Cache:
		b.caches = append(b.caches, r)
	case *resource.PolicyFragment:
		b.environment.Fragments[strings.ToLower(r.ID.Name())] = r
	default:
		b.collectOther(r)
	}
}

func (b *builder) compile() *snapshot {
	// The order in which a store lists resources must not decide which of two faults is reported.
	slices.SortFunc(b.apis, func(x, y *resource.API) int { return strings.Compare(x.ID.Key(), y.ID.Key()) })
	s := &snapshot{apis: make([]api, 0, len(b.apis)), keys: map[[sha256.Size]byte]key{}}
	external, err := b.g.external.pick(b.caches)
	if err != nil {
		b.report(err)
	}
	s.external = external
	b.environment.Runtime = b.g.runtime.With(external, b.certificate)
	b.finishOther()
	s.other, s.backends, s.eventLoggers = b.collection, b.environment.Backends, b.environment.Loggers
	for _, f := range b.environment.Fragments {
		if err := policy.CheckFragment(f); err != nil {
			b.reportPolicy(f.ID, err)
		}
	}
	s.global = b.flatten(b.document(b.g.options.Service, policy.Global, false, nil), nil, nil, nil)
	matched := make([]match.API, 0, len(b.apis))
	for _, a := range b.apis {
		if !a.Online() {
			// Its documents are checked when it comes online.
			continue
		}
		m, compiled := b.api(a)
		matched = append(matched, m)
		s.apis = append(s.apis, compiled)
	}
	table, errs := match.New(matched)
	s.table = table
	for _, err := range errs {
		b.reportMatch(s, err)
	}
	b.subscriptions(s)
	b.orphans()
	return s
}

// reportMatch turns an error of the matcher into one of the resource at fault.
func (b *builder) reportMatch(s *snapshot, err error) {
	var conflict *match.ConflictError
	var template *match.TemplateError
	switch {
	case errors.As(err, &conflict) && conflict.Operation >= 0:
		o := s.apis[conflict.API].operations[conflict.Operation].resource
		b.report(&resource.Error{Kind: resource.Conflict, ID: o.ID, Target: "urlTemplate", Message: conflict.Message})
	case errors.As(err, &conflict):
		b.report(&resource.Error{Kind: resource.Conflict, ID: s.apis[conflict.API].resource.ID, Target: "path", Message: conflict.Message})
	case errors.As(err, &template):
		o := s.apis[template.API].operations[template.Operation].resource
		b.report(resource.Invalidf(o.ID, "urlTemplate", "%s", template.Err))
	default:
		b.report(err)
	}
}

// reportPolicy reports each fault of a document as an error of its resource.
func (b *builder) reportPolicy(id resource.ID, err error) {
	var faults policy.Errors
	if !errors.As(err, &faults) {
		b.report(&resource.Error{Kind: resource.Invalid, ID: id, Target: "value", Message: err.Error()})
		return
	}
	for _, fault := range faults {
		text := fault.Error()
		if k := id.Key() + "\n" + text; !b.reported[k] {
			b.reported[k] = true
			b.report(&resource.Error{Kind: resource.Invalid, ID: id, Target: "value", Message: text})
		}
	}
}

// document compiles the policy document of a scope, or returns nil when there is none.
func (b *builder) document(scope resource.ID, kind policy.Scope, handshake bool, o *resource.Operation) *policy.Document {
	k := documentKey{scope: scope.Key(), handshake: handshake}
	if d, done := b.compiled[k]; done {
		return d
	}
	source := b.policies[k.scope]
	if source == nil {
		return nil
	}
	d, err := policy.Compile(policy.Source{Text: source.Value, Format: source.Format, Scope: kind, Owner: scope, Handshake: handshake, Operation: o}, &b.environment)
	if err != nil {
		b.reportPolicy(source.ID, err)
		d = nil
	}
	b.compiled[k] = d
	return d
}

// flatten is the effective policy of documents, shared by all operations that have the same.
func (b *builder) flatten(global, product, api, operation *policy.Document) *policy.Pipeline {
	k := [4]*policy.Document{global, product, api, operation}
	p := b.flattened[k]
	if p == nil {
		p = policy.Flatten(k[:]...)
		b.flattened[k] = p
	}
	return p
}

func (b *builder) api(a *resource.API) (match.API, api) {
	webSocket := a.Kind() == resource.APITypeWebSocket
	compiled := api{resource: a, open: -1, diagnosis: b.diagnosisOf(a)}
	compiled.keyHeader, compiled.keyQuery = a.KeyNames()
	compiled.keyHeader = http.CanonicalHeaderKey(compiled.keyHeader)
	if a.ServiceURL != "" {
		u, err := url.Parse(a.ServiceURL)
		if err != nil { // Validate has parsed it.
			b.report(resource.Invalidf(a.ID, "serviceUrl", "cannot be parsed"))
		}
		compiled.backend = u
	}
	m := match.API{Name: a.BaseName(), Suffix: a.Suffix(), WebSocket: webSocket, Revision: a.Revision(), Current: a.Current(), Version: b.version(a)}
	m.Plain, m.TLS = b.schemes(a)
	b.inProducts(a, &compiled)

	service := b.g.options.Service
	global := b.document(service, policy.Global, webSocket, nil)
	own := b.document(a.ID, policy.APIScope, webSocket, nil)
	compiled.pipeline = b.flatten(global, nil, own, nil)
	for _, o := range b.apiOperations(a, webSocket) {
		d := b.document(o.ID, policy.OperationScope, webSocket, o)
		c := operation{resource: o, pipeline: b.flatten(global, nil, own, d)}
		for _, p := range compiled.products {
			c.inProducts = append(c.inProducts, b.flatten(global, b.document(p.resource.ID, policy.ProductScope, webSocket, nil), own, d))
		}
		compiled.operations = append(compiled.operations, c)
		if !webSocket {
			m.Operations = append(m.Operations, match.Operation{Name: o.ID.Name(), Method: o.Method, Template: o.URLTemplate})
		}
	}
	return m, compiled
}

// apiOperations are the operations of an API: those that there are, or the automatic one of a WebSocket API.
func (b *builder) apiOperations(a *resource.API, webSocket bool) []*resource.Operation {
	list := b.operations[a.ID.Key()]
	if !webSocket {
		slices.SortFunc(list, func(x, y *resource.Operation) int { return strings.Compare(x.ID.Key(), y.ID.Key()) })
		return list
	}
	for _, o := range list {
		if !strings.EqualFold(o.ID.Name(), resource.OnHandshake) {
			b.report(resource.Invalidf(o.ID, "name", "a WebSocket API has the operation %s only, which is there by itself", resource.OnHandshake))
		}
	}
	return []*resource.Operation{{ID: a.ID.Child("operations", resource.OnHandshake), DisplayName: resource.OnHandshake, Method: http.MethodGet, URLTemplate: "/"}}
}

func (b *builder) version(a *resource.API) match.Version {
	if a.APIVersionSetID == "" {
		return match.Version{}
	}
	id := string(a.APIVersionSetID)
	if !strings.Contains(id, "/providers/") { // The short form, /apiVersionSets/NAME.
		id = string(b.g.options.Service) + "/" + strings.Trim(id, "/")
	}
	set := b.versionSets[strings.ToLower(id)]
	if set == nil {
		b.report(resource.Invalidf(a.ID, "apiVersionSetId", "there is no API version set %q", a.APIVersionSetID))
		return match.Version{}
	}
	v := match.Version{Set: set.ID.Key(), Value: a.APIVersion}
	switch set.VersioningScheme {
	case resource.VersioningSegment:
		v.Scheme = match.SegmentVersion
	case resource.VersioningQuery:
		v.Scheme, v.Name = match.QueryVersion, set.VersionQueryName
	case resource.VersioningHeader:
		v.Scheme, v.Name = match.HeaderVersion, http.CanonicalHeaderKey(set.VersionHeaderName)
	}
	return v
}

// schemes says whether calls without and with TLS match.
func (b *builder) schemes(a *resource.API) (plain, overTLS bool) {
	if len(a.Protocols) == 0 || b.g.options.AnyScheme {
		return true, true
	}
	for _, p := range a.Protocols {
		switch strings.ToLower(p) {
		case "http", "ws":
			plain = true
		case "https", "wss":
			overTLS = true
		}
	}
	return plain, overTLS
}

func (b *builder) inProducts(a *resource.API, compiled *api) {
	names := b.productAPIs[strings.ToLower(a.BaseName())]
	slices.Sort(names)
	for _, name := range names {
		p := b.products[name]
		if p == nil {
			continue // orphans reports it.
		}
		if !p.SubscriptionRequired {
			if compiled.open >= 0 {
				b.report(&resource.Error{Kind: resource.Conflict, ID: p.ID, Target: "subscriptionRequired", Message: fmt.Sprintf(
					"API '%s' is in the product '%s', which needs no subscription either; an API can be in one such product only", a.BaseName(), compiled.products[compiled.open].resource.ID.Name())})
			}
			compiled.open = len(compiled.products)
		}
		compiled.products = append(compiled.products, product{resource: p})
	}
}

func (b *builder) subscriptions(s *snapshot) {
	for _, sub := range b.subs {
		scope, _ := sub.ScopeParts()
		for target, text := range map[string]string{"primaryKey": sub.PrimaryKey, "secondaryKey": sub.SecondaryKey} {
			h := sha256.Sum256([]byte(text))
			if _, taken := s.keys[h]; taken {
				b.report(&resource.Error{Kind: resource.Conflict, ID: sub.ID, Target: target, Message: "the key is another subscription's too"})
			}
			k := key{subscription: sub, scope: scope}
			if u := b.owner(sub); u != nil {
				k.user, k.groups = u.resource, u.groups
			}
			s.keys[h] = k
		}
	}
}

// orphans reports operations, links and documents whose parent is not there.
func (b *builder) orphans() {
	known := map[string]bool{b.g.options.Service.Key(): true}
	names := map[string]bool{}
	for _, a := range b.apis {
		known[a.ID.Key()] = true
		names[strings.ToLower(a.BaseName())] = true
		if a.Kind() == resource.APITypeWebSocket {
			known[a.ID.Child("operations", resource.OnHandshake).Key()] = true
		}
	}
	for parent, list := range b.operations {
		for _, o := range list {
			known[o.ID.Key()] = true
			if !known[parent] {
				b.report(resource.Invalidf(o.ID, "id", "there is no API %q", o.ID.Parent().Name()))
			}
		}
	}
	for _, p := range b.products {
		known[p.ID.Key()] = true
	}
	for name, products := range b.productAPIs {
		for _, p := range products {
			if b.products[p] == nil || !names[name] {
				b.report(resource.Invalidf(b.g.options.Service.Child("products", p, "apis", name), "id", "the product %q or the API %q does not exist", p, name))
			}
		}
	}
	for scope, p := range b.policies {
		if !known[scope] {
			b.report(resource.Invalidf(p.ID, "id", "the policy's scope %q does not exist", p.Scope()))
		}
	}
}

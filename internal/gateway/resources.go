package gateway

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/balance"
	"github.com/hubgate/hubgate/internal/gateway/certificate"
	"github.com/hubgate/hubgate/internal/gateway/eventhub"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// collection is the resources of a service beside its APIs, products and policies.
type collection struct {
	certificates map[string]*tls.Certificate // by name in lower case and by thumbprint in capitals
	loggers      map[string]*resource.Logger // by name in lower case
	diagnostics  map[string]*resource.Diagnostic
	users        map[string]*user // by name in lower case
	groups       map[string]*resource.Group
	members      map[string][]string // from the user's name to the groups' names
}

// user is a developer with the groups that contain them.
type user struct {
	resource *resource.User
	groups   []*resource.Group
}

func newCollection() collection {
	return collection{
		certificates: map[string]*tls.Certificate{}, loggers: map[string]*resource.Logger{}, diagnostics: map[string]*resource.Diagnostic{},
		users: map[string]*user{}, groups: map[string]*resource.Group{}, members: map[string][]string{},
	}
}

// collectOther takes in a resource that [builder.collect] has nothing to do with.
func (b *builder) collectOther(r resource.Resource) {
	switch r := r.(type) {
	case *resource.Schema:
		b.environment.Schemas.Add(r)
	case *resource.APISchema:
		b.environment.Schemas.AddAPI(r)
	case *resource.Certificate:
		parsed, err := certificate.Parse(r.Data, r.Password)
		if err != nil {
			b.report(resource.Invalidf(r.ID, "data", "%s", err))
			return
		}
		b.certificates[strings.ToLower(r.ID.Name())] = parsed
		b.certificates[certificate.Thumbprint(parsed.Leaf)] = parsed
	case *resource.Logger:
		b.loggers[strings.ToLower(r.ID.Name())] = r
	case *resource.Diagnostic:
		b.diagnostic(r)
	case *resource.User:
		b.users[strings.ToLower(r.ID.Name())] = &user{resource: r}
	case *resource.Group:
		b.groups[strings.ToLower(r.ID.Name())] = r
	case *resource.Link:
		if strings.EqualFold(r.ID.Type(), resource.ApiManagement+"/service/groups/users") {
			name := strings.ToLower(r.ID.Name())
			b.members[name] = append(b.members[name], strings.ToLower(r.ID.Parent().Name()))
		}
	}
}

// diagnostic keeps the one of a scope's diagnostics that decides what the gateway logs: local before azuremonitor before the others.
func (b *builder) diagnostic(d *resource.Diagnostic) {
	rank := func(d *resource.Diagnostic) int {
		return slices.Index([]string{"applicationinsights", "azuremonitor", "local"}, strings.ToLower(d.ID.Name()))
	}
	k := d.Scope().Key()
	if old := b.diagnostics[k]; old == nil || rank(d) > rank(old) {
		b.diagnostics[k] = d
	}
}

// finishOther compiles what collectOther took in, before any policy is compiled.
func (b *builder) finishOther() {
	b.errs = append(b.errs, balance.Check(b.environment.Backends)...)
	for _, r := range b.environment.Backends {
		if c := r.Credentials; c != nil {
			for _, id := range slices.Concat(c.CertificateIDs, c.Certificate) {
				if found := b.certificate(id); found == nil || found.PrivateKey == nil {
					b.report(resource.Invalidf(r.ID, "credentials.certificateIds", "there is no certificate %q with a private key", balance.Name(id)))
				}
			}
		}
	}
	for name, r := range b.loggers {
		if r.LoggerType != resource.LoggerEventHub {
			continue
		}
		connection, err := eventhub.ParseConnection(b.named(r, r.Credentials["connectionString"]), b.named(r, r.Credentials["name"]))
		if err != nil {
			b.report(resource.Invalidf(r.ID, "credentials.connectionString", "%s", err))
			continue
		}
		b.environment.Loggers[name] = b.g.eventLogger(r.ID.Name(), connection)
	}
	for name, groups := range b.members {
		for _, g := range groups {
			if b.users[name] == nil || b.groups[g] == nil {
				b.report(resource.Invalidf(b.g.options.Service.Child("groups", g, "users", name), "id", "the group %q or the user %q does not exist", g, name))
				continue
			}
			b.users[name].groups = append(b.users[name].groups, b.groups[g])
		}
	}
	for _, u := range b.users {
		slices.SortFunc(u.groups, func(x, y *resource.Group) int { return strings.Compare(x.ID.Key(), y.ID.Key()) })
	}
}

// named puts named values into a setting of a logger.
func (b *builder) named(r *resource.Logger, text string) string {
	expanded, missing := policy.ExpandNamedValues(text, b.environment.NamedValues)
	if missing != "" {
		b.report(resource.Invalidf(r.ID, "credentials", "there is no named value %q", missing))
	}
	return expanded
}

// certificate finds a certificate by its name, an id that ends in it, or its thumbprint.
func (c *collection) certificate(nameOrThumbprint string) *tls.Certificate {
	if found := c.certificates[balance.Name(nameOrThumbprint)]; found != nil {
		return found
	}
	return c.certificates[strings.ToUpper(strings.ReplaceAll(nameOrThumbprint, " ", ""))]
}

// eventLogger is the logger that events of this connection go to. One that an earlier configuration made goes on.
func (g *Gateway) eventLogger(name string, c *eventhub.Connection) *eventhub.Logger {
	g.loggers.Lock()
	defer g.loggers.Unlock()
	if g.loggers.byConnection == nil {
		g.loggers.byConnection = map[eventhub.Connection]*eventhub.Logger{}
	}
	k := c.Key()
	l := g.loggers.byConnection[k]
	if l == nil {
		l = eventhub.New(name, c, nil, g.options.Logger)
		g.loggers.byConnection[k] = l
	}
	return l
}

// owner is the user whom a subscription belongs to; nil for a standalone one.
func (c *collection) owner(s *resource.Subscription) *user {
	if s.OwnerID == "" {
		return nil
	}
	return c.users[balance.Name(s.OwnerID)]
}

// diagnosisOf is what is logged of requests to an API: what its own diagnostic says, else that of the service.
func (b *builder) diagnosisOf(a *resource.API) diagnosis {
	d := b.diagnostics[a.ID.Key()]
	if d == nil {
		d = b.diagnostics[b.g.options.Service.Key()]
	}
	return newDiagnosis(d)
}

// keepLoggers gives up the connections to event hubs that the configuration does not name any more, once they have sent what they have.
func (g *Gateway) keepLoggers(s *snapshot) {
	used := map[policy.EventLogger]bool{}
	for _, l := range s.eventLoggers {
		used[l] = true
	}
	g.loggers.Lock()
	defer g.loggers.Unlock()
	for k, l := range g.loggers.byConnection {
		if !used[l] {
			delete(g.loggers.byConnection, k)
		}
	}
}

// closeLoggerTime is how long a gateway that closes waits for the events that are on their way.
const closeLoggerTime = 5 * time.Second

// closeLoggers sends what waits for event hubs.
func (g *Gateway) closeLoggers() {
	ctx, cancel := context.WithTimeout(context.Background(), closeLoggerTime)
	defer cancel()
	g.loggers.Lock()
	defer g.loggers.Unlock()
	for _, l := range g.loggers.byConnection {
		if err := l.Close(ctx); err != nil {
			g.options.Logger.Warn("events for an event hub are lost, for it did not take them in time", "error", err)
		}
	}
}

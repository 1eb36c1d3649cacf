package gateway

import (
	"crypto/tls"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/identity"
	"github.com/hubgate/hubgate/internal/gateway/openid"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// environment is what all gateways' expressions may name. It never changes.
var environment = sync.OnceValue(expr.NewEnvironment)

// startRuntime makes what policies work with and what outlives configurations.
func (g *Gateway) startRuntime() {
	o := &g.options
	compiler := newExpressions(environment().WithLimits(o.ExpressionLimits), g.deployment())
	if o.Expressions == nil {
		o.Expressions = compiler.compile
	}
	g.memory = cache.NewMemory(o.CacheSize)
	g.sender = newSender(g)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Proxy.RootCAs}, Proxy: http.ProxyFromEnvironment,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}
	g.issuers = &http.Client{Transport: transport, Timeout: 15 * time.Second}
	r := policy.NewRuntime()
	r.Logger, r.Internal, r.Values, r.Sender = o.Logger, g.memory, newValueCodec(compiler), g.sender
	r.OpenID, r.Authority, r.ClientRoots = openid.NewCache(g.issuers), o.Authority, o.ClientRoots
	if o.Counters != nil {
		r.Counters = o.Counters
	}
	if o.Identity != nil {
		source, err := identity.New(*o.Identity, g.issuers)
		if err != nil {
			// The policy says so at each request; everything else works.
			o.Logger.Error("the managed identity is not configured rightly", "error", err)
		} else {
			r.Tokens = source
		}
	}
	g.runtime = r
	g.external.prefix = "hubgate:" + strings.ToLower(o.Service.Name()) + ":"
}

// deployment is what context.Deployment shows.
func (g *Gateway) deployment() *expr.Deployment {
	o := &g.options
	d := &expr.Deployment{Region: o.Region, GatewayID: o.GatewayID, InstanceID: o.InstanceID, ServiceID: o.Service.Name(), ServiceName: o.Service.Name()}
	if d.Region == "" {
		d.Region = "local"
	}
	if d.GatewayID == "" {
		d.GatewayID = "managed"
	}
	d.IsManaged = d.GatewayID == "managed"
	if d.InstanceID == "" {
		// A host without a name leaves it empty.
		d.InstanceID, _ = os.Hostname()
	}
	return d
}

// externalCaches are the connections to external caches. They stay from one configuration to the next while that names them.
type externalCaches struct {
	prefix string // of keys

	mu   sync.Mutex
	open map[string]*cache.Redis // by connection string
}

// pick is the cache of a configuration: the one named default, else the first by name; nil without any.
func (c *externalCaches) pick(resources []*resource.Cache) (cache.Cache, error) {
	if len(resources) == 0 {
		return nil, nil
	}
	slices.SortFunc(resources, func(a, b *resource.Cache) int { return strings.Compare(a.ID.Key(), b.ID.Key()) })
	chosen := resources[0]
	for _, r := range resources {
		if strings.EqualFold(r.ID.Name(), "default") {
			chosen = r
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.open[chosen.ConnectionString]; found != nil {
		return found, nil
	}
	opened, err := cache.NewRedis(chosen.ConnectionString, c.prefix)
	if err != nil {
		return nil, resource.Invalidf(chosen.ID, "connectionString", "%s", err)
	}
	if c.open == nil {
		c.open = map[string]*cache.Redis{}
	}
	c.open[chosen.ConnectionString] = opened
	return opened, nil
}

// keep closes the connections that no configuration names any more.
func (c *externalCaches) keep(used cache.Cache) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for text, opened := range c.open {
		if cache.Cache(opened) != used {
			opened.Close()
			delete(c.open, text)
		}
	}
}

func (c *externalCaches) close() { c.keep(nil) }

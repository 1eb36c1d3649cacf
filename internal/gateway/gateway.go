package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hubgate/hubgate/internal/gateway/balance"
	"github.com/hubgate/hubgate/internal/gateway/cache"
	"github.com/hubgate/hubgate/internal/gateway/eventhub"
	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/identity"
	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
	"github.com/hubgate/hubgate/internal/resource"
)

// StatusPath answers an empty 200 on every gateway; load balancers and Kubernetes probes of API Management use it.
const StatusPath = "/status-0123456789abcdef"

// Metrics counts what the gateway does. Its methods are called from many goroutines.
type Metrics interface {
	// RequestStarted is called once a request has matched or not.
	RequestStarted()
	// RequestDone is called at the end of each request; a WebSocket's that is relayed ends when it closes. The names are those of
	// the resources, "" when the request matched none; status is 0 when the client went before there was one.
	RequestDone(api, operation string, status int, total time.Duration)
	// Reloaded is called for each [Gateway.Update], with whether the new configuration was taken.
	Reloaded(ok bool)
}

// BackendMetrics is what [Options].Metrics may implement too, to hear of requests to backends.
type BackendMetrics interface {
	// BackendDone is called once a backend has answered or failed. backend is the name of its resource, "" for a plain URL; status
	// is 0 when there is no response.
	BackendDone(api, backend string, status int, took time.Duration)
}

// Options are what a gateway needs.
type Options struct {
	// Service is the API Management service whose resources it serves.
	Service resource.ID
	// Logger receives what goes wrong, and at debug level one line a request.
	Logger *slog.Logger
	// Local is the handler of a backend on the same node, or nil when the URL is another's. A nil Local means that there are none.
	Local func(u *url.URL) http.Handler
	// Metrics may be nil.
	Metrics Metrics
	// Expressions compiles policy expressions; nil means Hubgate's own C# subset.
	Expressions policy.ExpressionCompiler
	// ExpressionLimits bound each evaluation of an expression; zero fields have defaults.
	ExpressionLimits expr.Limits
	// Region, GatewayID and InstanceID are what context.Deployment shows; "" means local, managed and the host's name.
	Region, GatewayID, InstanceID string
	// Counters keep the counts of rate limits and quotas; nil means in memory of this node.
	Counters limit.Counters
	// CacheSize is how many bytes the internal cache holds; 0 means [cache.DefaultMemory].
	CacheSize int
	// Identity says where the tokens of authentication-managed-identity come from; nil means that there are none.
	Identity *identity.Options
	// Authority is where the tenants of validate-azure-ad-token are; "" means [policy.DefaultAuthority].
	Authority string
	// ClientRoots sign the certificates of clients that validate-client-certificate trusts; nil means the system's.
	ClientRoots *x509.CertPool
	// AnyScheme lets every API be called over HTTP and HTTPS, whatever its protocols say: for a gateway behind a proxy that ends TLS.
	AnyScheme bool
	// TrustedProxies are the proxies in front of the gateway whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Proxy are the limits of forwarding.
	Proxy proxy.Options
	// RequestLog receives one record a request with the names of Azure's ApiManagementGatewayLogs, as diagnostics say; nil: none.
	RequestLog *slog.Logger
	// Spans makes OpenTelemetry spans of requests and of their way to backends; nil: none.
	Spans trace.Tracer
	// DebugKey signs debug credentials. Nodes that share it take each other's; nil means a random one.
	DebugKey []byte
}

// Gateway serves the APIs of one API Management service.
type Gateway struct {
	options        Options
	proxy          *proxy.Proxy
	balancer       *balance.Balancer
	traces         *traces
	meter          policy.Meter   // Metrics, when it can; else nil
	backendMetrics BackendMetrics // likewise
	loggers        struct {
		sync.Mutex
		byConnection map[eventhub.Connection]*eventhub.Logger // guarded
	}
	runtime      *policy.Runtime
	sender       *sender
	memory       *cache.Memory
	external     externalCaches
	issuers      *http.Client // for OpenID configurations and tokens
	snapshot     atomic.Pointer[snapshot]
	transactions sync.Pool
}

// New makes a gateway without any API.
func New(o Options) *Gateway {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{options: o, proxy: proxy.New(o.Proxy), balancer: balance.New(), traces: newTraces(o.DebugKey)}
	g.meter, _ = o.Metrics.(policy.Meter)
	g.backendMetrics, _ = o.Metrics.(BackendMetrics)
	g.startRuntime()
	g.transactions.New = func() any { return &transaction{g: g} }
	empty, err := g.build(nil)
	if err != nil { // Nothing cannot be wrong.
		panic(err)
	}
	g.snapshot.Store(empty)
	return g
}

// Update compiles a new snapshot from the whole current set of resources and switches to it; on error the old one stays.
// Resources of other services and providers are passed over. The error joins one *resource.Error for each fault.
func (g *Gateway) Update(resources []resource.Resource) error {
	s, err := g.build(resources)
	if g.options.Metrics != nil {
		g.options.Metrics.Reloaded(err == nil)
	}
	if err != nil {
		return err
	}
	g.balancer.Configure(s.backends)
	g.snapshot.Store(s)
	g.keepLoggers(s)
	g.external.keep(s.external)
	return nil
}

// Check reports what [Gateway.Update] would, and changes nothing.
func (g *Gateway) Check(resources []resource.Resource) error {
	_, err := g.build(resources)
	return err
}

// Drain ends the WebSockets that are relayed to backends on other nodes: both sides are told that the gateway goes away and have some
// seconds to answer, at most until ctx ends. None begins any more. Other requests go on.
func (g *Gateway) Drain(ctx context.Context) { g.proxy.Drain(ctx) }

// Close cuts the WebSockets that are relayed to backends on other nodes, and ends the requests that nobody waits for and the caches, and
// drops unused connections.
func (g *Gateway) Close() {
	g.sender.close()
	g.proxy.Close()
	g.closeLoggers()
	g.memory.Close()
	g.external.close()
	g.issuers.CloseIdleConnections()
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == StatusPath {
		w.WriteHeader(http.StatusOK)
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, TracePath); ok {
		g.serveTrace(w, r, id)
		return
	}
	t := g.transactions.Get().(*transaction)
	t.begin(w, r)
	if g.options.Metrics != nil {
		g.options.Metrics.RequestStarted()
	}
	// A panic skips the release: what still refers to the transaction is not known then.
	if t.serve(g.snapshot.Load()) {
		t.release()
	}
}

// serve runs the transaction and says whether it may be used again.
func (t *transaction) serve(s *snapshot) (reusable bool) {
	defer func() {
		if p := recover(); p != nil {
			t.done()
			t.abandon()
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			t.g.options.Logger.Error("a request panicked", "panic", p, "stack", string(debug.Stack()))
			if t.wrote || t.hijacked {
				panic(http.ErrAbortHandler)
			}
			http.Error(t.w, string(policy.ErrorBody(http.StatusInternalServerError, "Internal server error", t.x.RequestID())), http.StatusInternalServerError)
		}
	}()
	s.handle(t)
	t.write()
	t.done()
	return true
}

// done counts and logs the request.
func (t *transaction) done() {
	x := &t.x
	var api, operation string
	if x.API != nil {
		api = x.API.BaseName()
	}
	if x.Operation != nil {
		operation = x.Operation.ID.Name()
	}
	total := time.Since(x.Start)
	if t.received != nil {
		x.RequestSize = t.received.n.Load()
	}
	x.ResponseSize = t.sent
	x.Finish()
	t.endSpan()
	t.record(total)
	if m := t.g.options.Metrics; m != nil {
		m.RequestDone(api, operation, x.Response.Status, total)
	}
	logger := t.g.options.Logger
	if e := x.LastError; e != nil && x.Response.Status >= http.StatusInternalServerError {
		level := slog.LevelWarn
		if e.Reason == policy.ReasonClientConnectionFailure {
			level = slog.LevelDebug // clients of event streams and long polls leave like that
		}
		logger.Log(x.Context, level, "a request failed", "api", api, "operation", operation, "status", x.Response.Status, "source", e.Source, "reason", e.Reason,
			"section", e.Section, "error", t.failure(), "correlationId", x.RequestID())
		return
	}
	if logger.Enabled(x.Context, slog.LevelDebug) {
		logger.Debug("request", "api", api, "operation", operation, "method", x.Inbound.Method, "status", x.Response.Status, "duration", total, "correlationId", x.RequestID())
	}
}

var _ http.Handler = (*Gateway)(nil)

package app

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/dataapi"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/upstream"
)

// observer is what an instance counts with.
type observer interface {
	session.Observer
	serverlink.Observer
}

// instance is one running SignalR instance.
type instance struct {
	resource *resource.SignalR
	limits   limits
	registry *hub.Registry
	clients  *session.Service
	servers  *serverlink.Server
	upstream *upstream.Dispatcher
	log      *slog.Logger
	trace    *telemetry.Trace
	network  atomic.Pointer[auth.Network]
	verifier atomic.Pointer[auth.Verifier]
	access   atomic.Pointer[auth.Access] // to all but the clients' side
	issuers  *auth.Issuers
	key      atomic.Pointer[string] // that signs the tokens of the REST API; empty when keys are not accepted
	direct   http.Handler           // for requests from the network
	local    http.Handler           // for requests that a gateway in this process passes on
}

// newInstance makes an instance that answers requests as soon as it is configured.
func newInstance(nodeID string, pool *message.Pool, o observer, l limits, log *slog.Logger) *instance {
	i := &instance{registry: hub.NewRegistry(nodeID), limits: l, log: log, trace: telemetry.NewTrace(log)}
	i.verifier.Store(auth.NewVerifier(nil))
	i.access.Store(&auth.Access{Keys: auth.NewVerifier(nil)})
	i.issuers = auth.NewIssuers(auth.IssuersOptions{Logger: log})
	i.key.Store(new(string))
	i.upstream = upstream.New(upstream.Options{Logger: log, Secrets: l.secrets})
	i.clients = session.New(session.Options{Upstream: i.upstream, Registry: i.registry, Pool: pool, Observer: o, Logger: log, Trace: i.trace, NodeID: nodeID})
	i.servers = serverlink.New(serverlink.Options{Registry: i.registry, Pool: pool, Observer: o, Logger: log, Trace: i.trace, Limits: l.servers, MaySend: i.clients.Sent, Refresher: i.clients})
	api := dataapi.New(dataapi.Options{
		Registry: i.registry, Pool: pool, Observer: o, Logger: log, Verifier: i.verifier.Load, Access: i.access.Load,
		MaySend: i.clients.Sent, Refresher: i.clients, Key: func() string { return *i.key.Load() },
	})
	live := http.HandlerFunc(i.liveTrace)
	i.direct = i.traceHTTP(routes{
		clients: i.guard(resource.ClientConnection, i.clients),
		servers: i.guard(resource.ServerConnection, i.servers),
		api:     i.guard(resource.RESTAPI, api),
		health:  api, // a probe may come from anywhere
		live:    i.guard(resource.Trace, live),
	})
	i.local = i.traceHTTP(routes{clients: i.clients, servers: i.servers, api: api, health: api, live: live})
	return i
}

// routes are the URL spaces of an instance (signalr-service §0.3). Paths are compared as they came: a path that was cleaned up first would name
// another resource of the REST API than the token does.
type routes struct{ clients, servers, api, health, live http.Handler }

// ServeHTTP hands a request to whom its path belongs to.
func (s routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/client" || path == "/client/" || path == "/client/negotiate" || path == "/client/negotiate/":
		s.clients.ServeHTTP(w, r)
	case path == "/server" || path == "/server/":
		s.servers.ServeHTTP(w, r)
	case path == "/api/health" || path == "/api/v1/health":
		s.health.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/api/"):
		s.api.ServeHTTP(w, r)
	case path == liveTracePath:
		s.live.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// configure takes over a changed resource. Nobody who is connected notices, unless the service mode is another one.
func (i *instance) configure(r *resource.SignalR) {
	keys := []string{r.PrimaryKey, r.SecondaryKey}
	if r.DisableLocalAuth {
		keys = nil
	}
	v := auth.NewVerifier(keys)
	i.verifier.Store(v)
	signing := ""
	if !r.DisableLocalAuth {
		signing = r.PrimaryKey
	}
	i.key.Store(&signing)
	if err := i.upstream.Configure(r); err != nil {
		i.log.Error("the upstream settings cannot be used; the old ones stay", "reason", err)
	}
	temporary := auth.NewTemporaryKeys(r)
	access := &auth.Access{Keys: v, Temporary: temporary}
	i.issuers.Configure(r.Identity.Issuers)
	if len(r.Identity.Issuers) > 0 && !r.DisableAADAuth {
		access.Issuers = i.issuers
	}
	i.access.Store(access)
	i.network.Store(auth.NewNetwork(r.NetworkACLs))
	i.trace.Configure(tracesOf(r))
	i.servers.SetAccess(access)
	ofClients := auth.NewVerifier(keys, auth.WithTemporaryKeys(temporary))
	i.clients.Configure(session.Settings{Mode: r.Mode, Verifier: ofClients, AllowedOrigins: r.AllowedOrigins, Limits: i.limits.clients, Quotas: r.Quotas,
		KeepAlive: time.Duration(r.KeepAliveSeconds) * time.Second, ClientTimeout: time.Duration(r.ClientTimeoutSeconds) * time.Second,
	})
	i.servers.SetMode(r.Mode) // after the clients, who would else be told that their app server went away
	i.resource = r
}

func (i *instance) tick(now time.Time) {
	i.registry.Tick(now)
	i.clients.Tick(now)
}

// shutdown sends the clients away first, so that their app servers hear of it, and then the app servers.
func (i *instance) shutdown() {
	i.clients.Shutdown()
	i.upstream.Close()
	i.servers.Shutdown()
	i.issuers.Close()
}

package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hubgate/hubgate/internal/bus"
	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/gateway"
	"github.com/hubgate/hubgate/internal/gateway/identity"
	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// state is what runs on a node because of what is stored: it follows the store.
type state struct {
	nodeID  string
	codec   *store.Codec
	pool    *message.Pool
	metrics *metrics
	limits  limits
	log     *slog.Logger

	userGroups *userGroups // nil: groups of users live as long as the node

	signalR  hosts // by host name, for requests from the network
	local    hosts // the same instances, for requests of a gateway in this process
	gateways hosts

	// Names of the defaults; "" means the first by id.
	defaultInstance, defaultService string

	localMu        sync.RWMutex
	localAddresses map[string]bool // "host:port" under which the SignalR listener is reached
	localSecure    bool            // over TLS

	gateway     config.Gateway
	debugKeys   map[string][]byte // that sign debug credentials, by the name of the service in lower case
	spans       trace.Tracer      // of gateway requests; nil without a collector
	clientRoots *x509.CertPool    // that sign the certificates of the gateways' clients; nil means the system's

	anyScheme bool // the gateway's listener speaks plain HTTP, whatever the APIs say: somebody else ends TLS

	// Owned by follow.
	records   map[string]store.Record
	instances map[string]*instance
	services  map[string]*gateway.Gateway

	bus        bus.Bus     // to the other nodes; nil when there can be none
	quotaStore store.Store // where the counts of quotas are kept; nil keeps them in memory
	countersMu sync.Mutex
	counters   map[string]*limit.Local // by service, in lower case

	mu      sync.Mutex
	running []*instance        // for tick, readiness and shutdown
	serving []*gateway.Gateway // for shutdown
}

func newState(nodeID string, pool *message.Pool, m *metrics, l limits, log *slog.Logger) *state {
	return &state{
		nodeID: nodeID, codec: store.NewCodec(resource.Types()), pool: pool, metrics: m, limits: l, log: log,
		records: make(map[string]store.Record), instances: make(map[string]*instance), services: make(map[string]*gateway.Gateway),
		counters: make(map[string]*limit.Local),
	}
}

// settle is how long a change waits for others that belong to it, so that a service with many APIs is compiled once.
const settle = 20 * time.Millisecond

// follow applies what is stored, and then every change, until ctx ends. synced is called once, when what was stored at the start runs.
func (s *state) follow(ctx context.Context, st store.Store, synced func()) error {
	events, err := st.Watch(ctx, "")
	if err != nil {
		return err
	}
	changed := make(map[string]bool) // keys of top-level resources
	take := func(e store.Event) {
		key := e.Record.ID.Key()
		if e.Deleted {
			delete(s.records, key)
		} else {
			s.records[key] = e.Record
		}
		changed[topLevel(e.Record.ID)] = true
	}
	ready := false
	for {
		e, ok := <-events
		if !ok {
			return ctx.Err()
		}
		if e.Synced {
			ready = true
		} else {
			take(e)
		}
		if !ready {
			continue
		}
		timer := time.NewTimer(settle)
	collect:
		for {
			select {
			case e, ok := <-events:
				if !ok {
					timer.Stop()
					return ctx.Err()
				}
				take(e)
			case <-timer.C:
				break collect
			}
		}
		for key := range changed {
			s.apply(key)
		}
		clear(changed)
		s.publish()
		if synced != nil {
			synced()
			synced = nil
		}
	}
}

// topLevel is the key of the instance or service that a resource belongs to.
func topLevel(id resource.ID) string {
	for parent := id.Parent(); parent != ""; parent = id.Parent() {
		id = parent
	}
	return id.Key()
}

// apply takes over what is stored of one instance or service. What cannot be used is reported, and the old one goes on.
func (s *state) apply(key string) {
	record, there := s.records[key]
	kind := strings.ToLower(record.Kind)
	switch {
	case kind == strings.ToLower(resource.SignalRService+"/signalR"):
		s.applyInstance(key, record)
	case kind == strings.ToLower(resource.ApiManagement+"/service"):
		s.applyService(key, record)
	case !there:
		if i := s.instances[key]; i != nil {
			delete(s.instances, key)
			go i.shutdown()
		}
		if g := s.services[key]; g != nil {
			delete(s.services, key)
			go func() { // It is bounded, and changes do not wait for it.
				g.Drain(context.Background())
				g.Close()
			}()
		}
	}
}

func (s *state) applyInstance(key string, record store.Record) {
	r, err := s.codec.Decode(record)
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		s.log.Error("a SignalR instance cannot be used as it is stored; it goes on as before", "id", record.ID, "reason", err)
		return
	}
	res := r.(*resource.SignalR)
	i := s.instances[key]
	if i == nil {
		i = newInstance(s.nodeID, s.pool, s.metrics.of(res.ID.Name()), s.limits, s.log.With("instance", res.ID.Name()))
		if s.userGroups != nil {
			if err := s.userGroups.of(context.Background(), res.ID.Name(), i.registry); err != nil {
				s.log.Error("the kept groups of users cannot be read", "id", record.ID, "reason", err)
			}
		}
		s.instances[key] = i
	}
	i.configure(res)
}

func (s *state) applyService(key string, record store.Record) {
	var own []store.Record
	for k, r := range s.records {
		if k == key || strings.HasPrefix(k, key+"/") {
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b store.Record) int { return cmp.Compare(a.ID.Key(), b.ID.Key()) })
	resources, err := s.codec.DecodeAll(own)
	g := s.services[key]
	if g == nil {
		log := s.log.With("service", record.ID.Name())
		o := gateway.Options{Service: record.ID, Logger: log, Local: s.localHandler, AnyScheme: s.anyScheme,
			Spans: s.spans, DebugKey: s.debugKeys[strings.ToLower(record.ID.Name())],
			Region: s.gateway.Region, InstanceID: s.nodeID, CacheSize: int(s.gateway.CacheSize), Identity: identityOf(s.gateway.Identity),
			ClientRoots: s.clientRoots, TrustedProxies: s.gateway.Proxies(), Counters: s.countersOf(record.ID.Name()),
			Metrics: s.metrics.gateways.Service(record.ID.Name())}
		if s.gateway.RequestLog {
			o.RequestLog = log
		}
		g = gateway.New(o)
		s.services[key] = g
	}
	if err == nil {
		err = g.Update(resources)
	}
	if err != nil {
		s.log.Error("an API Management service cannot be used as it is stored; it goes on as before", "id", record.ID, "reason", err)
	}
}

// identityOf is the source of tokens that a configuration names, or nil.
func identityOf(c config.GatewayIdentity) *identity.Options {
	switch {
	case c.TokenURL != "":
		return &identity.Options{ClientCredentials: &identity.ClientCredentials{TokenURL: c.TokenURL, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal()}}
	case c.Endpoint != "":
		return &identity.Options{Endpoint: &identity.Endpoint{URL: c.Endpoint}}
	case c.TokenFile != "":
		return &identity.Options{File: c.TokenFile}
	}
	return nil
}

// publish makes the host names of all instances and services known.
func (s *state) publish() {
	direct, local, gates := newTable(), newTable(), newTable()
	var running []*instance
	for _, key := range slices.Sorted(maps.Keys(s.instances)) {
		i := s.instances[key]
		running = append(running, i)
		first := strings.EqualFold(i.resource.ID.Name(), s.defaultInstance)
		add(direct, i.resource.HostNames, i.direct, first)
		add(local, i.resource.HostNames, i.local, first)
	}
	for _, key := range slices.Sorted(maps.Keys(s.services)) {
		record := s.records[key]
		r, err := s.codec.Decode(record)
		if err != nil {
			continue // applyService has said so
		}
		res := r.(*resource.ApiManagementService)
		add(gates, res.HostNames, s.services[key], strings.EqualFold(res.ID.Name(), s.defaultService))
	}
	s.signalR.set(direct)
	s.local.set(local)
	s.gateways.set(gates)
	s.mu.Lock()
	s.running, s.serving = running, slices.Collect(maps.Values(s.services))
	s.mu.Unlock()
}

func newTable() *hostTable { return &hostTable{byName: make(map[string]http.Handler)} }

func add(t *hostTable, names []string, h http.Handler, isDefault bool) {
	for _, name := range names {
		t.byName[strings.ToLower(name)] = h
	}
	if t.fallback == nil || isDefault {
		t.fallback = h
	}
}

// listening says under which address the SignalR listener is reached, so that a gateway knows which backends are here.
func (s *state) listening(address net.Addr, secure bool) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return
	}
	port := fmt.Sprint(tcp.Port)
	s.localMu.Lock()
	defer s.localMu.Unlock()
	s.localSecure = secure
	s.localAddresses = map[string]bool{net.JoinHostPort(tcp.IP.String(), port): true}
	if tcp.IP.IsLoopback() || tcp.IP.IsUnspecified() {
		for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
			s.localAddresses[net.JoinHostPort(host, port)] = true
		}
	}
}

// localHandler is the instance behind a backend's URL when it runs on this node, else nil.
func (s *state) localHandler(u *url.URL) http.Handler {
	secure := u.Scheme == "https" || u.Scheme == "wss"
	port := u.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "80"
	}
	host := strings.ToLower(u.Hostname())
	s.localMu.RLock()
	here := s.localAddresses[net.JoinHostPort(host, port)]
	if !here && s.named(host) {
		here = slices.ContainsFunc(slices.Collect(maps.Keys(s.localAddresses)), func(a string) bool { return strings.HasSuffix(a, ":"+port) })
	}
	here = here && secure == s.localSecure
	s.localMu.RUnlock()
	if !here {
		return nil
	}
	// The instance is looked up for each request: which one has the name may change while a gateway's snapshot stays.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := s.local.find(host)
		if handler == nil {
			http.Error(w, "no SignalR instance has this host name", http.StatusNotFound)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// named reports whether an instance has that host name.
func (s *state) named(host string) bool {
	t := s.local.table.Load()
	return t != nil && t.byName[host] != nil
}

// all lists the instances that run.
func (s *state) all() []*instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.running)
}

// allGateways are those of the services that run.
func (s *state) allGateways() []*gateway.Gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.serving)
}

// tick looks after time once a second until ctx ends.
func (s *state) tick(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, i := range s.all() {
				i.tick(now)
			}
		}
	}
}

// Package app wires a node: configuration, store, instances, gateways, listeners, and their end.
package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/hubgate/hubgate/internal/bus/natsbus"
	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/natskv"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// Version is what this build calls itself; the linker may set it.
var Version = "dev"

// Run runs a node until ctx ends, and then ends it gracefully: clients are told to come back, app servers that the service goes down. ready
// is called once, when everything answers.
func Run(ctx context.Context, o Options, ready func(Addresses)) (err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	settings := o.Config
	if settings == nil {
		settings = config.Default()
	}
	if o.DataDir == "" && o.NATSURL == "" {
		dir, err := os.MkdirTemp("", "hubgate-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o.DataDir = dir
	}
	n := &node{options: o, settings: settings, log: o.Logger}
	defer func() { err = errors.Join(err, n.end()) }()
	if err := n.start(ctx); err != nil {
		return err
	}
	addresses, err := n.addresses(ctx)
	if err != nil {
		return err
	}
	ready(addresses)
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.failed:
		return err
	}
}

// node is what Run starts and ends.
type node struct {
	options  Options
	settings *config.Config
	log      *slog.Logger

	nats       *natsd.Server
	store      store.Store
	groupStore store.Store // of the groups of users
	quotaStore store.Store // of the counts of quotas
	state      *state
	health     telemetry.Health
	pool       *message.Pool
	room       *chatRoom
	spans      *telemetry.Spans // nil without a collector

	listeners map[string]net.Listener
	secure    map[string]*certificates     // of those listeners that speak TLS
	proofs    map[string]*acmeCertificates // of those listeners that answer challenges of ACME servers over plain HTTP
	servers   []*http.Server
	background
}

// background are the goroutines that run as long as the node.
type background struct {
	failed chan error
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// names of listeners
const (
	listenSignalR  = "SignalR"
	listenGateway  = "gateway"
	listenMetrics  = "metrics"
	listenChatRoom = "chat room"
)

func (n *node) start(ctx context.Context) error {
	nodeID, err := newNodeID()
	if err != nil {
		return err
	}
	if err := n.listen(); err != nil {
		return err
	}
	if t := n.settings.Telemetry.Tracing; t.On() {
		if n.spans, err = telemetry.NewSpans(ctx, spanOptions(t, nodeID, n.log)); err != nil {
			return fmt.Errorf("telemetry.tracing: %w", err)
		}
	}
	if n.nats, err = natsd.Start(ctx, natsd.Options{URL: n.options.NATSURL, Dir: n.options.DataDir, Name: nodeID, Logger: n.log}); err != nil {
		return err
	}
	if n.store, err = n.openStore(ctx, natskv.DefaultBucket); err != nil {
		return err
	}
	if err := n.write(ctx); err != nil {
		return err
	}
	registry := telemetry.NewRegistry(Version)
	n.pool = message.NewPool()
	limits := newLimits(n.settings.Limits)
	limits.secrets = n.settings.SecretReferences.Rules()
	n.state = newState(nodeID, n.pool, newMetrics(registry), limits, n.log)
	if n.groupStore, err = n.openStore(ctx, userGroupsBucket); err != nil {
		return err
	}
	n.state.userGroups = newUserGroups(n.groupStore, n.log)
	if n.quotaStore, err = n.openStore(ctx, quotasBucket); err != nil {
		return err
	}
	n.state.quotaStore = n.quotaStore
	if !n.nats.Embedded() { // which no other node reaches
		n.state.bus = natsbus.New(n.nats.Conn())
	}
	n.state.gateway = n.settings.Gateway
	n.state.debugKeys = debugKeys(n.settings.APIManagement)
	if n.spans != nil {
		n.state.spans = n.spans.Tracer("github.com/hubgate/hubgate/internal/gateway")
	}
	if c := n.secure[listenGateway]; c != nil {
		n.state.clientRoots = c.authorities()
	}
	n.state.anyScheme = n.secure[listenGateway] == nil
	n.defaults()
	if l := n.listeners[listenSignalR]; l != nil {
		n.state.listening(l.Addr(), n.secure[listenSignalR] != nil)
	}
	n.health.Add("store", n.nats.Check)

	// What runs in the background ends by itself only when it fails.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	n.failed = make(chan error, 8)
	synced := make(chan struct{})
	n.spawn(func() error { return n.state.follow(background, n.store, func() { close(synced) }) })
	n.spawn(func() error { n.state.tick(background); return nil })
	select {
	case <-synced:
	case err := <-n.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	n.serve(listenSignalR, &n.state.signalR)
	n.serve(listenGateway, &n.state.gateways)
	n.serve(listenMetrics, telemetry.NewHandler(registry, &n.health))
	n.obtainCertificates(background)
	if n.options.Demo {
		return n.startChatRoom(ctx)
	}
	return nil
}

// openStore opens a bucket. Without one it gives no store, not an empty one, which end would close.
func (n *node) openStore(ctx context.Context, bucket string) (store.Store, error) {
	s, err := natskv.Open(ctx, n.nats.Conn(), natskv.Options{Bucket: bucket, Logger: n.log})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newNodeID makes the part of connection ids that says which node they are of.
func newNodeID() (string, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// write stores what the configuration and the demo bring.
func (n *node) write(ctx context.Context) error {
	var resources []resource.Resource
	if n.options.Config != nil {
		fromFile, err := n.options.Config.Resources(func(id resource.ID) *resource.SignalR {
			stored, _, err := store.Get[resource.SignalR](ctx, n.store, id)
			if err != nil {
				return nil
			}
			return stored
		})
		if err != nil {
			return err
		}
		resources = fromFile
	}
	if n.options.Demo {
		story, err := n.demoResources(ctx)
		if err != nil {
			return err
		}
		resources = append(resources, story...)
	}
	if _, err := store.Apply(ctx, n.store, resources); err != nil || n.options.Config == nil {
		return err
	}
	return removeLeftOver(ctx, n.store, n.options.Config.Described(), resources)
}

// removeLeftOver deletes the operations of APIs with an OpenAPI document that are stored but no longer said, with what is below them. A
// second import does the same in Azure ("API import restrictions and known issues"): the client of a document relies on what is in it, and one
// operation under an old and a new name would be refused.
func removeLeftOver(ctx context.Context, s store.Store, apis []resource.ID, said []resource.Resource) error {
	wanted := make(map[string]bool, len(said))
	for _, r := range said {
		wanted[r.ResourceID().Key()] = true
	}
	for _, api := range apis {
		records, err := s.List(ctx, api)
		if err != nil {
			return err
		}
		below := api.Key() + "/operations/"
		for _, r := range slices.Backward(records) { // what is below a record comes after it
			rest, ok := strings.CutPrefix(r.ID.Key(), below)
			name, _, _ := strings.Cut(rest, "/")
			if !ok || wanted[below+name] {
				continue
			}
			if err := s.Delete(ctx, r.ID, store.AnyRevision); err != nil && resource.KindOf(err) != resource.NotFound {
				return err
			}
		}
	}
	return nil
}

// defaults are those that answer under a host name which nobody has.
func (n *node) defaults() {
	if n.options.Demo {
		n.state.defaultInstance, n.state.defaultService = demoInstance, demoService
		return
	}
	if all := n.settings.SignalR; len(all) > 0 {
		n.state.defaultInstance = all[0].Name
	}
	if all := n.settings.APIManagement; len(all) > 0 {
		n.state.defaultService = all[0].Name
	}
}

// listen takes all ports before anything else happens, so that one that is taken is an error at once.
func (n *node) listen() error {
	n.listeners = make(map[string]net.Listener)
	for name, address := range map[string]string{
		listenSignalR:  n.options.SignalRAddress,
		listenGateway:  n.options.GatewayAddress,
		listenMetrics:  n.options.MetricsAddress,
		listenChatRoom: n.options.ChatRoomAddress,
	} {
		if config.Off(address) || name == listenChatRoom && !n.options.Demo {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("the %s listener: %w; choose another address", name, err)
		}
		n.listeners[name] = l
	}
	return n.secureListeners()
}

// serve answers on a listener, if there is one of that name.
func (n *node) serve(name string, h http.Handler) {
	l := n.listeners[name]
	if l == nil {
		return
	}
	limits := n.settings.Limits
	if a := n.proofs[name]; a != nil {
		h = a.overHTTP(h)
	}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.RequestHeaderTimeout.Std(),
		MaxHeaderBytes:    int(limits.RequestHeader),
		ErrorLog:          slog.NewLogLogger(n.log.With("listener", name).Handler(), slog.LevelDebug),
	}
	if name == listenGateway {
		// gRPC clients without TLS begin with HTTP/2 at once (RFC 9113, section 3.3).
		s.Protocols = &http.Protocols{}
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetHTTP2(true)
		s.Protocols.SetUnencryptedHTTP2(true)
	}
	n.servers = append(n.servers, s)
	n.spawn(func() error {
		serve := s.Serve
		if c := n.secure[name]; c != nil {
			s.TLSConfig = c.server()
			serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("the %s listener: %w", name, err)
		}
		return nil
	})
}

func (n *node) spawn(f func() error) {
	n.done.Go(func() {
		if err := f(); err != nil && !errors.Is(err, context.Canceled) {
			select {
			case n.failed <- err:
			default: // the node ends already, because of another one
			}
		}
	})
}

// url is the address of a listener as others write it, or "".
func (n *node) url(name string) string {
	l := n.listeners[name]
	if l == nil {
		return ""
	}
	if n.secure[name] != nil {
		return "https://" + n.hostPort(name)
	}
	return "http://" + n.hostPort(name)
}

// hostPort is how a listener is reached: with a certificate for certain hosts only, that is the first of them.
func (n *node) hostPort(name string) string {
	l := n.listeners[name]
	if c := n.secure[name]; c != nil && c.acme != nil {
		if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
			return net.JoinHostPort(c.acme.settings.HostNames[0], port)
		}
	}
	return hostPort(l.Addr())
}

// hostPort names this machine where an address names all or the loopback.
func hostPort(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func (n *node) addresses(ctx context.Context) (Addresses, error) {
	a := Addresses{
		SignalR: n.url(listenSignalR),
		Gateway: n.url(listenGateway),
		Metrics: n.url(listenMetrics),
	}
	if n.room != nil {
		a.ChatRoom = n.url(listenChatRoom)
	}
	s, err := n.connectionString(ctx)
	a.ConnectionString = s
	return a, err
}

// connectionString is that of the default instance; its ClientEndpoint is the gateway, when one runs and has a service.
func (n *node) connectionString(ctx context.Context) (string, error) {
	if n.listeners[listenSignalR] == nil {
		return "", nil
	}
	records, err := n.store.List(ctx, "")
	if err != nil {
		return "", err
	}
	resources, err := n.state.codec.DecodeAll(records)
	if err != nil {
		return "", err
	}
	var instance *resource.SignalR
	hasService := false
	for _, r := range resources {
		switch r := r.(type) {
		case *resource.SignalR:
			if instance == nil || r.ID.Name() == n.state.defaultInstance {
				instance = r
			}
		case *resource.ApiManagementService:
			hasService = true
		}
	}
	if instance == nil {
		return "", nil
	}
	host, port, err := net.SplitHostPort(n.hostPort(listenSignalR))
	if err != nil {
		return "", err
	}
	scheme, _, _ := strings.Cut(n.url(listenSignalR), ":")
	s := fmt.Sprintf("Endpoint=%s://%s;Port=%s;AccessKey=%s;Version=1.0;", scheme, host, port, instance.PrimaryKey)
	if hasService && n.url(listenGateway) != "" {
		s += "ClientEndpoint=" + n.url(listenGateway) + ";"
	}
	return s, nil
}

// end stops everything, in the order in which parts need each other.
func (n *node) end() error {
	n.health.Drain()
	timeout := n.settings.ShutdownTimeout.Std()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var errs []error
	// Listeners close first, so that clients which are told to come back do not come back here.
	var closing sync.WaitGroup
	for _, s := range n.servers {
		closing.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				_ = s.Close() // whoever is still there has had the time
			}
		})
	}
	if n.room != nil {
		n.room.stop()
	}
	if n.state != nil {
		for _, i := range n.state.all() {
			i.shutdown()
		}
		// After the instances, which say goodbye to their clients in their own words.
		for _, g := range n.state.allGateways() {
			closing.Go(func() { g.Drain(ctx) })
		}
	}
	closing.Wait()
	for _, l := range n.listeners {
		_ = l.Close() // those that nobody served
	}
	if n.stop != nil {
		n.stop()
	}
	n.done.Wait()
	for _, c := range n.secure {
		if c.acme != nil {
			c.acme.close()
		}
	}
	n.secure = nil
	if n.state != nil {
		for _, g := range n.state.services {
			g.Close()
		}
	}
	if n.spans != nil {
		n.endSpans()
	}
	if n.pool != nil {
		n.pool.Close()
	}
	if n.state != nil && n.state.userGroups != nil {
		n.state.userGroups.close()
	}
	if n.state != nil {
		last, cancel := context.WithTimeout(context.Background(), countersTimeout)
		n.state.closeCounters(last)
		cancel()
	}
	if n.quotaStore != nil {
		errs = append(errs, n.quotaStore.Close())
	}
	if n.groupStore != nil {
		errs = append(errs, n.groupStore.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.nats != nil {
		n.nats.Close()
	}
	return errors.Join(errs...)
}

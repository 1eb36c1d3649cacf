// Package session is the client's side of an instance: negotiate, the three transports, authentication, the handshake, and one client's
// life from its first request to its close reason.
package session

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/upstream"
)

// Settings is what of an instance's configuration concerns its clients. A Settings is never changed; [Service.Configure] replaces it whole.
type Settings struct {
	Mode           resource.ServiceMode
	Verifier       *auth.Verifier
	AllowedOrigins []string // as in resource.SignalR
	Limits         Limits
	Quotas         resource.Quotas

	// KeepAlive is how often a serverless client is pinged: 15 s. ClientTimeout is how long it may be silent: 30 s. Both are at most 120 s.
	KeepAlive, ClientTimeout time.Duration
}

// Limits bound what clients may do. The zero value means the defaults.
type Limits struct {
	transport.Limits
	// ConnectTimeout is how long a negotiated connection waits for its transport: 15 s.
	ConnectTimeout time.Duration
	// HandshakeTimeout is how long a client may take for its hub protocol handshake unless its token says otherwise: 15 s.
	HandshakeTimeout time.Duration
	// PollTimeout is how long a poll without messages is held: 90 s.
	PollTimeout time.Duration
	// PollGap is how long a long-polling client may stay away between two polls unless its token says otherwise: 15 s.
	PollGap time.Duration
	// PostBytes is the largest body of a POST: 16 MiB.
	PostBytes int64
	// Connections is how many clients the instance takes, negotiated ones included; more are answered 429. 0 means no limit.
	Connections int
}

func (c Settings) withDefaults() Settings {
	c.Limits = c.Limits.withDefaults()
	if c.Mode == "" {
		c.Mode = resource.ModeDefault
	}
	if c.KeepAlive <= 0 {
		c.KeepAlive = 15 * time.Second
	}
	if c.ClientTimeout <= 0 {
		c.ClientTimeout = 30 * time.Second
	}
	return c
}

func (l Limits) withDefaults() Limits {
	l.Limits = l.Limits.WithDefaults()
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&l.ConnectTimeout, 15*time.Second)
	set(&l.HandshakeTimeout, 15*time.Second)
	set(&l.PollTimeout, 90*time.Second)
	set(&l.PollGap, 15*time.Second)
	if l.PostBytes == 0 {
		l.PostBytes = 16 << 20
	}
	return l
}

// Observer counts what happens; its methods are called concurrently and must be quick.
type Observer interface {
	// ClientOpened is called when a transport opens, ClientClosed when the connection is over.
	ClientOpened(k transport.Kind)
	ClientClosed(k transport.Kind, c Category)
	// Inbound counts bytes from a client.
	Inbound(bytes int)
	// Outbound counts messages to clients and their payload bytes.
	Outbound(messages, bytes int)
}

// Options are what a Service cannot work without.
type Options struct {
	Registry *hub.Registry
	Pool     *message.Pool // shares the work of large broadcasts; nil works in place
	Observer Observer
	Logger   *slog.Logger
	Trace    *telemetry.Trace // nil: nobody wants events
	NodeID   string           // short and URL-safe; it begins every connection id, so that any node can tell whose a connection is
	// Upstream takes the events of serverless clients; without it they are dropped.
	Upstream *upstream.Dispatcher
}

// Service answers /client and what is below it, for one instance.
type Service struct {
	Options
	settings atomic.Pointer[Settings]

	sessions [64]sessionShard // by connection token
	count    atomic.Int64

	quotas quotas

	timedMu sync.Mutex
	timed   map[*Session]struct{} // those that wait for something with a deadline

	serverless serverless
}

type sessionShard struct {
	mu sync.Mutex
	m  map[string]*Session
}

// New makes a Service. It refuses everybody until it is configured.
func New(o Options) *Service {
	s := &Service{Options: o, timed: make(map[*Session]struct{})}
	s.settings.Store(&Settings{Verifier: auth.NewVerifier(nil)})
	s.serverless.start()
	return s
}

// Configure replaces the settings. Clients that are connected stay, unless the service mode is another one.
func (s *Service) Configure(c Settings) {
	c = c.withDefaults()
	s.quotas.configure(c.Quotas)
	old := s.settings.Swap(&c).withDefaults()
	if old.Mode != c.Mode {
		s.switchMode()
	}
	if old.KeepAlive != c.KeepAlive || old.ClientTimeout != c.ClientTimeout {
		s.retime(time.Now())
	}
}

func (s *Service) shard(token string) *sessionShard {
	h := uint32(2166136261)
	for i := range len(token) {
		h = (h ^ uint32(token[i])) * 16777619
	}
	return &s.sessions[h%uint32(len(s.sessions))]
}

func (s *Service) find(token string) *Session {
	sh := s.shard(token)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.m[token]
}

func (s *Service) add(c *Session) {
	sh := s.shard(c.token)
	sh.mu.Lock()
	if sh.m == nil {
		sh.m = make(map[string]*Session)
	}
	sh.m[c.token] = c
	sh.mu.Unlock()
	s.count.Add(1)
	s.watch(c)
}

func (s *Service) remove(c *Session) {
	sh := s.shard(c.token)
	sh.mu.Lock()
	_, there := sh.m[c.token]
	delete(sh.m, c.token)
	sh.mu.Unlock()
	if there {
		s.count.Add(-1)
		s.quotas.leave(c.counted)
	}
	s.unwatch(c)
}

// watch has the session looked at once a second.
func (s *Service) watch(c *Session) {
	s.timedMu.Lock()
	defer s.timedMu.Unlock()
	s.timed[c] = struct{}{}
}

func (s *Service) unwatch(c *Session) {
	s.timedMu.Lock()
	defer s.timedMu.Unlock()
	delete(s.timed, c)
}

// Tick ends what has waited too long. It is called about once a second.
func (s *Service) Tick(now time.Time) {
	s.timedMu.Lock()
	due := make([]*Session, 0, len(s.timed))
	for c := range s.timed {
		due = append(due, c)
	}
	s.timedMu.Unlock()
	b := message.Batch{Pool: s.Pool}
	for _, c := range due {
		c.tick(now, &b)
	}
	s.tickServerless(now, &b)
	s.quotas.tick(now)
	b.Flush()
}

// Connections is how many clients there are, negotiated ones included.
func (s *Service) Connections() int { return int(s.count.Load()) }

// Shutdown tells every client to come back elsewhere or later, and ends it. It waits up to 5 s for an upstream that has yet to hear of it.
func (s *Service) Shutdown() {
	b := message.Batch{Pool: s.Pool}
	for _, c := range s.all() {
		c.reload(&b)
	}
	b.Flush()
	s.serverless.drain()
}

// newID makes an id that cannot be guessed and stands in a URL as it is (client-protocol: both ids are URL-safe).
func (s *Service) newID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return s.NodeID + base64.RawURLEncoding.EncodeToString(random[:])
}

// ServeHTTP answers /client, /client/, and /client/negotiate.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	settings := s.settings.Load()
	if allowOrigin(w, r, settings.AllowedOrigins) {
		return
	}
	q := request{Service: s, settings: settings, w: w, r: r, query: r.URL.Query()}
	if strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/negotiate") {
		q.negotiate()
		return
	}
	q.connect()
}

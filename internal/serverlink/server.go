// Package serverlink is the app servers' side of an instance: the server connections, what is said on them, and which client is carried by
// which.
package serverlink

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/transport/websocket"
)

// Observer counts what happens on server connections.
type Observer interface {
	ServerOpened()
	ServerClosed()
	// Outbound counts messages that were sent to clients, and their payload bytes.
	Outbound(messages, bytes int)
}

// Options are what a Server cannot work without.
type Options struct {
	Registry *hub.Registry
	Pool     *message.Pool // shares the work of large broadcasts; nil works in place
	Observer Observer
	Logger   *slog.Logger
	Trace    *telemetry.Trace // nil: nobody wants events
	Limits   Limits
	// MaySend counts messages to clients against a quota; false drops what an app server sends next. Nil has no quota.
	MaySend func(messages int) bool
	// Refresher refreshes the authentication of clients. Nil refreshes none.
	Refresher Refresher
}

// Limits bound what app servers may do. The zero value means the defaults.
type Limits struct {
	// FrameBytes is the largest service protocol message: 64 MiB.
	FrameBytes int
	// QueueBytes is how much may wait for an app server before its clients are read no further: 4 MiB. At sixteen times as much the link is cut.
	QueueBytes int
	// PingInterval is how often the service pings: 5 s. Timeout is how long an app server may be silent: 30 s.
	PingInterval, Timeout time.Duration
	// HandshakeTimeout is how long an app server may take for its first message: 15 s.
	HandshakeTimeout time.Duration
	// ClientsPerLink is how many clients a link carries before its app server is asked for one more link: 2,000.
	ClientsPerLink int
}

func (l Limits) withDefaults() Limits {
	if l.FrameBytes == 0 {
		l.FrameBytes = 64 << 20
	}
	if l.QueueBytes == 0 {
		l.QueueBytes = 4 << 20
	}
	if l.PingInterval == 0 {
		l.PingInterval = 5 * time.Second
	}
	if l.Timeout == 0 {
		l.Timeout = 30 * time.Second
	}
	if l.HandshakeTimeout == 0 {
		l.HandshakeTimeout = 15 * time.Second
	}
	if l.ClientsPerLink == 0 {
		l.ClientsPerLink = 2000
	}
	return l
}

// Server answers /server for one instance.
type Server struct {
	Options
	access     atomic.Pointer[auth.Access]
	serverless atomic.Bool

	mu     sync.Mutex
	links  map[*Link]struct{}
	closed bool
	done   sync.WaitGroup
}

// New makes a Server. It refuses everybody until it is configured.
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	s := &Server{Options: o, links: make(map[*Link]struct{})}
	s.access.Store(&auth.Access{Keys: auth.NewVerifier(nil)})
	return s
}

// Configure is [Server.SetAccess] for an instance that trusts its access keys alone.
func (s *Server) Configure(v *auth.Verifier) { s.SetAccess(&auth.Access{Keys: v}) }

// ServeHTTP takes a server connection: an authenticated WebSocket for one hub.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	hubs := query["hub"]
	if len(hubs) != 1 || hubs[0] == "" {
		http.Error(w, "'hub' query parameter is required, once.", http.StatusBadRequest)
		return
	}
	name := strings.ToLower(hubs[0])
	token, err := s.authenticate(r, name)
	if err != nil {
		if e, ok := errors.AsType[*auth.Error](err); ok {
			w.Header().Set("WWW-Authenticate", e.Header())
		}
		s.Logger.Warn("server connection refused", "hub", name, "reason", err)
		if e, ok := errors.AsType[*auth.RoleError](err); ok {
			http.Error(w, e.Error(), http.StatusForbidden)
			return
		}
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	if s.refusedByMode(r) {
		s.Logger.Warn("server connection refused", "hub", name, "reason", textServerless)
		http.Error(w, textServerless, http.StatusForbidden)
		return
	}
	serverID := r.Header.Get("X-ASRS-Server-Id")
	if serverID == "" {
		serverID, _ = token.First("nameid")
	}
	id := query.Get("cid")
	if id == "" {
		id = uuid.NewString()
	}
	if !websocket.IsUpgrade(r) {
		http.Error(w, "A server connection is a WebSocket.", http.StatusBadRequest)
		return
	}
	conn, rest, err := websocket.Upgrade(w, r)
	if err != nil {
		s.Logger.Warn("server connection refused", "hub", name, "reason", err)
		return
	}
	l := newLink(s, s.Registry.Hub(name), conn, id, serverID)
	userAgent := r.Header.Get("Asrs-User-Agent")
	l.refreshes = refreshesAuthentication(userAgent)
	l.settles = strings.HasPrefix(userAgent, "Microsoft.Azure.SignalR")
	l.address, _, _ = net.SplitHostPort(r.RemoteAddr)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.links[l] = struct{}{}
	s.done.Add(1)
	s.mu.Unlock()
	s.Observer.ServerOpened()
	go func() {
		defer s.done.Done()
		l.run(rest)
		s.mu.Lock()
		delete(s.links, l)
		s.mu.Unlock()
		s.Observer.ServerClosed()
	}()
}

func (s *Server) authenticate(r *http.Request, hubName string) (*auth.Token, error) {
	bearer, ok := auth.TokenFrom(r)
	if !ok {
		return nil, auth.MissingToken()
	}
	return s.access.Load().AuthorizeServer(r.Context(), bearer, hubName, time.Now())
}

// Shutdown says good-bye to all app servers and waits until their links are over.
func (s *Server) Shutdown() {
	s.mu.Lock()
	s.closed = true
	all := make([]*Link, 0, len(s.links))
	for l := range s.links {
		all = append(all, l)
	}
	s.mu.Unlock()
	for _, l := range all {
		l.end(1001, "the service shuts down")
	}
	s.done.Wait()
}

// String names a link in logs.
func (l *Link) String() string { return fmt.Sprintf("%s of %s", l.id, l.serverID) }

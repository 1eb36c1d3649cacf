// Package natsd gives a node its NATS: an embedded server that only this process reaches, or a connection to an outside one.
package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// MaxPayload is the largest message of the embedded server, in bytes: the largest stored resource (4 MiB) and room for its id and headers.
const MaxPayload = 5 << 20

// Options says which NATS to use.
type Options struct {
	// URL is an outside NATS with JetStream, like nats://user:password@host:4222; several are separated by commas. "" runs the embedded server.
	URL string
	// CredentialsFile is a NATS credentials file for URL; "" uses none.
	CredentialsFile string
	// Dir is where the embedded server keeps its data; it is made when it is not there, for this user alone. It is needed when URL is "".
	// One process at a time uses a directory.
	Dir string
	// Name is that of this node, as NATS shows it.
	Name string
	// StartTimeout bounds the start of the embedded server and the first connection to an outside one. 0 means 30 s.
	StartTimeout time.Duration
	// Logger takes what NATS has to say; nil drops it.
	Logger *slog.Logger
}

// Server is a running NATS, or the connection to one.
type Server struct {
	conn   *nats.Conn
	server *server.Server // nil with an outside NATS
	lock   *dirLock       // nil with an outside NATS

	closed   chan struct{} // when conn has closed for good
	stopOnce sync.Once
}

// Start starts the embedded server, or connects to the outside one, and returns when it can be used. The caller closes it.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 30 * time.Second
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Server{closed: make(chan struct{})}
	if o.URL == "" {
		if err := s.startEmbedded(o); err != nil {
			return nil, err
		}
	}
	if err := s.connect(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Conn is the connection to NATS. It reconnects by itself without end, and belongs to the Server: the caller does not close it.
func (s *Server) Conn() *nats.Conn { return s.conn }

// Embedded says whether the server runs in this process.
func (s *Server) Embedded() bool { return s.server != nil }

// Check is the readiness of NATS: nil when it is reached.
func (s *Server) Check(context.Context) error {
	if status := s.conn.Status(); status != nats.CONNECTED {
		return fmt.Errorf("the connection to NATS is %s", status)
	}
	return nil
}

// Close closes the connection and stops the embedded server, when there is one, once its data is on disk.
func (s *Server) Close() {
	s.stopOnce.Do(func() {
		if s.conn != nil {
			s.conn.Close()
			<-s.closed
		}
		if s.server != nil {
			s.server.Shutdown()
			s.server.WaitForShutdown()
		}
		if s.lock != nil {
			s.lock.release()
		}
	})
}

func (s *Server) startEmbedded(o Options) (err error) {
	if o.Dir == "" {
		return errors.New("the embedded NATS server needs a data directory")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	srv, err := server.NewServer(&server.Options{
		ServerName: o.Name,
		DontListen: true,
		NoSigs:     true, // signals belong to the process, which ends this server when it has drained
		MaxPayload: MaxPayload,
		// A client may queue two of the largest messages.
		MaxPending: 4 * MaxPayload,
		JetStream:  true,
		StoreDir:   filepath.Join(o.Dir, "nats"),
		// Without this, JetStream acknowledges a write before it is on disk, and a power cut within the next two minutes loses it.
		SyncAlways:             true,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	log := &serverLogger{logger: o.Logger.With("part", "nats")}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(o.StartTimeout) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		if last := log.lastError(); last != "" {
			return fmt.Errorf("embedded NATS server did not start within %s: %s", o.StartTimeout, last)
		}
		return fmt.Errorf("embedded NATS server did not start within %s", o.StartTimeout)
	}
	s.server, s.lock = srv, lock
	return nil
}

func (s *Server) connect(ctx context.Context, o Options) error {
	closed := sync.OnceFunc(func() { close(s.closed) })
	options := []nats.Option{
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 500*time.Millisecond),
		nats.Timeout(min(o.StartTimeout, 5*time.Second)), // for each server and attempt
		// What cannot be sent fails at once. Sent after a reconnection, a write whose caller was told that it failed would still happen.
		nats.ReconnectBufSize(-1),
		nats.ClosedHandler(func(*nats.Conn) { closed() }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Logger.Warn("lost the connection to NATS", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Logger.Info("connected to NATS again") }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			o.Logger.Warn("NATS reports an error", "error", err, "subject", subject)
		}),
	}
	if s.server != nil {
		conn, err := nats.Connect("", append(options, nats.InProcessServer(s.server))...)
		if err != nil {
			return fmt.Errorf("connecting to the embedded NATS server: %w", err)
		}
		s.conn = conn
		return nil
	}
	if o.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(o.CredentialsFile))
	}
	return s.connectOutside(ctx, o, options)
}

// connectOutside repeats the first connection until StartTimeout, so that a node and its NATS may be started in any order.
// Errors do not show the URL, which may hold a password.
func (s *Server) connectOutside(ctx context.Context, o Options, options []nats.Option) error {
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	for {
		conn, err := nats.Connect(o.URL, options...)
		if err == nil {
			s.conn = conn
			return nil
		}
		if !errors.Is(err, nats.ErrNoServers) && !errors.Is(err, nats.ErrTimeout) {
			return fmt.Errorf("connecting to NATS: %w", withoutURL(err))
		}
		o.Logger.Info("NATS does not answer yet", "error", withoutURL(err))
		select {
		case <-ctx.Done():
			return fmt.Errorf("connecting to NATS: %w; check that it runs and that the address is right", withoutURL(err))
		case <-time.After(250 * time.Millisecond):
		}
	}
}

package appserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hubproto"
)

// ShutdownMode says what becomes of the clients when App.Run ends.
type ShutdownMode int

const (
	// ShutdownOff closes them.
	ShutdownOff ShutdownMode = iota
	// ShutdownWaitForClients waits until they have gone by themselves, at most Options.ShutdownTimeout.
	ShutdownWaitForClients
	// ShutdownMigrateClients lets the service move them to other app servers of the hub, within Options.ShutdownTimeout.
	// Clients notice nothing; the hub there sees OnConnected with Context.MigratedFrom set.
	ShutdownMigrateClients
)

// Options are the options of an App. The zero value is good.
type Options struct {
	// ApplicationName is put in front of the hubs' names at the service, so that several applications can share one: a
	// letter, then letters, digits and underscores. Empty: none.
	ApplicationName string
	// ServerConnections is the number of connections to the service that each hub keeps. 0 means 5.
	ServerConnections int
	// MaxServerConnections bounds the connections of a hub, those included that the service asks for to balance its load.
	// 0 means twice ServerConnections.
	MaxServerConnections int
	// ShutdownMode says what becomes of the clients when Run ends.
	ShutdownMode ShutdownMode
	// ShutdownTimeout bounds the graceful part of the end of Run. 0 means 30 seconds.
	ShutdownTimeout time.Duration
	// TokenLifetime is how long the tokens are valid that clients and server connections get. 0 means one hour.
	TokenLifetime time.Duration
	// TokenAlgorithm signs tokens: HS256 or HS512. Empty means HS256.
	TokenAlgorithm string
	// HTTPClient opens the connections to the service. Nil means http.DefaultClient. Its Timeout must be 0.
	HTTPClient *http.Client
	// Logger gets what happens to the connections. Nil: nothing is logged.
	Logger *slog.Logger
}

// App is the app server: hubs and their connections to the service.
type App struct {
	options    Options
	connection ConnectionString
	log        *slog.Logger
	serverID   string
	userAgent  string
	dial       dialFunc
	msgpack    msgpackCodec
	acks       ackTable

	mu      sync.Mutex
	hubs    []*Hub
	running bool
}

var (
	applicationPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	hubPattern         = regexp.MustCompile("^[A-Za-z][A-Za-z0-9_`,.\\[\\]]{0,127}$")
)

// New makes an app server for the service of a connection string. Nothing is connected before Run.
func New(connectionString string, options Options) (*App, error) {
	connection, err := ParseConnectionString(connectionString)
	if err != nil {
		return nil, err
	}
	if options.ApplicationName != "" && !applicationPattern.MatchString(options.ApplicationName) {
		return nil, fmt.Errorf("the application name %q should be a letter and then letters, digits and underscores", options.ApplicationName)
	}
	if options.ServerConnections < 0 || options.MaxServerConnections < 0 || options.ShutdownTimeout < 0 || options.TokenLifetime < 0 {
		return nil, errors.New("options: a number of connections or a time is negative; leave it 0 for the default")
	}
	setDefault(&options.ServerConnections, 5)
	setDefault(&options.MaxServerConnections, 2*options.ServerConnections)
	setDefault(&options.ShutdownTimeout, 30*time.Second)
	setDefault(&options.TokenLifetime, time.Hour)
	setDefault(&options.TokenAlgorithm, auth.HS256)
	if options.TokenAlgorithm != auth.HS256 && options.TokenAlgorithm != auth.HS512 {
		return nil, fmt.Errorf("options: the token algorithm %q is neither HS256 nor HS512", options.TokenAlgorithm)
	}
	setDefault(&options.HTTPClient, http.DefaultClient)
	setDefault(&options.Logger, slog.New(slog.DiscardHandler))
	for name, base := range map[string]string{"ClientEndpoint": connection.ClientEndpoint, "ServerEndpoint": connection.ServerEndpoint} {
		if !strings.HasSuffix(base, "/") {
			options.Logger.Warn("an endpoint of the connection string does not end with '/', so what follows is glued to its path", "property", name, "value", base)
		}
	}
	host, _ := os.Hostname() // Without a name the id is still unique.
	return &App{
		options: options, connection: connection, log: options.Logger, serverID: host + "_" + randomID(),
		userAgent: fmt.Sprintf("Hubgate.AppServer/1.0 (%s; %s; %s)", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		dial:      webSocketDialer(options.HTTPClient),
	}, nil
}

// ConnectionString is the parsed connection string.
func (a *App) ConnectionString() ConnectionString { return a.connection }

// ServerID names this app server to the service; it is new in each process.
func (a *App) ServerID() string { return a.serverID }

// Handle adds a hub: its name as clients' tokens and the service have it, and the value whose methods clients may invoke
// (see the package documentation). One value serves all clients at once. Handle must be called before Run.
func (a *App) Handle(name string, hub any, options HubOptions) (*Hub, error) {
	if err := checkHubName(name); err != nil {
		return nil, err
	}
	methods, err := methodsOf(hub)
	if err != nil {
		return nil, fmt.Errorf("hub %s: %w", name, err)
	}
	if options, err = options.withDefaults(); err != nil {
		return nil, fmt.Errorf("hub %s: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running {
		return nil, fmt.Errorf("hub %s: Handle must be called before Run", name)
	}
	h := newHub(a, name, hub, methods, options)
	for _, other := range a.hubs {
		if other.wireName == h.wireName {
			return nil, fmt.Errorf("hub %s: there is a hub %s already, and the service does not tell case apart", name, other.name)
		}
	}
	a.hubs = append(a.hubs, h)
	return h, nil
}

func checkHubName(name string) error {
	if !hubPattern.MatchString(name) {
		return fmt.Errorf("the hub name %q should be a letter and then up to 127 letters, digits or any of _ ` , . [ ]", name)
	}
	return nil
}

// Run connects the hubs and serves their clients until ctx is done, then shuts down as Options.ShutdownMode says. A service
// that cannot be reached is no error: it is tried again, with growing delays, for as long as Run runs. Run can be called
// once.
func (a *App) Run(ctx context.Context) error {
	if a.connection.Credential == CredentialEntra {
		return ErrEntraUnsupported
	}
	a.mu.Lock()
	if a.running || len(a.hubs) == 0 {
		defer a.mu.Unlock()
		if a.running {
			return errors.New("Run can be called once")
		}
		return errors.New("there is no hub to run; add one with Handle")
	}
	a.running = true
	a.mu.Unlock()
	var hubs sync.WaitGroup
	for _, h := range a.hubs {
		hubs.Go(func() { h.run(ctx) })
	}
	hubs.Wait()
	return nil
}

// WaitConnected returns when every hub has a server connection, or ctx is done.
func (a *App) WaitConnected(ctx context.Context) error {
	a.mu.Lock()
	hubs := a.hubs
	a.mu.Unlock()
	for _, h := range hubs {
		if err := h.waitConnected(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sign makes a token for an audience.
func (a *App) sign(audience string, claims []auth.Claim) (string, error) {
	return a.signFor(audience, claims, time.Now(), a.options.TokenLifetime)
}

// signFor makes a token for an audience that is valid from now for a lifetime.
func (a *App) signFor(audience string, claims []auth.Claim, now time.Time, lifetime time.Duration) (string, error) {
	claims = append(claims, auth.Lifetime(now, lifetime)...)
	claims = append(claims, auth.Claim{Type: "iss", Value: "azure-signalr"}, auth.Claim{Type: "aud", Value: audience})
	return auth.Sign(a.connection.accessKey, a.options.TokenAlgorithm, claims...)
}

// encode writes a value in the form of a hub protocol.
func (a *App) encode(protocol hubproto.Protocol, v any) (hubproto.RawValue, error) {
	if protocol == hubproto.JSON {
		return encodeJSON(v)
	}
	return a.msgpack.append(nil, v)
}

// decode reads a value of a hub protocol into what target points to.
func (a *App) decode(protocol hubproto.Protocol, raw hubproto.RawValue, target reflect.Value) error {
	switch {
	case raw == nil: // null
		target.Elem().SetZero()
		return nil
	case protocol == hubproto.JSON:
		return decodeJSON(raw, target.Interface())
	}
	return a.msgpack.decode(raw, target)
}

// wireName is the name that a hub has at the service: in lower case, behind the application's name.
func (a *App) wireName(hub string) string {
	if a.options.ApplicationName != "" {
		hub = a.options.ApplicationName + "_" + hub
	}
	return strings.ToLower(hub)
}

// setDefault gives a zero value its default.
func setDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}

// randomID is 32 random hexadecimal digits.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // It never returns an error (crypto/rand).
	return hex.EncodeToString(b[:])
}

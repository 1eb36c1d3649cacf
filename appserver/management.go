package appserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// ServiceTransport is how a ServiceManager reaches the service.
type ServiceTransport int

const (
	// Transient makes one REST request for each call, and holds nothing in between. It is for what sends now and then.
	Transient ServiceTransport = iota
	// Persistent keeps server connections to each hub that is used, which carry no clients. It is for what sends much, or
	// wants an order. A message that Send took is lost when its connection breaks before the service has it.
	Persistent
)

// String is "transient" or "persistent".
func (t ServiceTransport) String() string {
	if t == Persistent {
		return "persistent"
	}
	return "transient"
}

// ServiceManagerOptions are the options of a ServiceManager. The zero value is good.
type ServiceManagerOptions struct {
	// Transport is how the service is reached. The zero value is Transient.
	Transport ServiceTransport
	// ApplicationName separates the hubs of applications that share a service, as Options.ApplicationName does.
	ApplicationName string
	// ServerConnections is the number of connections that each hub keeps over Persistent. 0 means 1. Messages to one group,
	// user or connection take the same one for as long as it is up.
	ServerConnections int
	// Timeout bounds a call over Transient: a send with all its tries, and each try of any other call. 0 means 100 seconds.
	Timeout time.Duration
	// Retry makes calls over Transient again that the service could not do at the moment. Nil: none is.
	Retry *RetryOptions
	// TokenLifetime is how long the tokens are valid that clients get, unless NegotiateOptions say otherwise, and those of
	// requests and server connections. 0 means one hour.
	TokenLifetime time.Duration
	// TokenAlgorithm signs tokens: HS256 or HS512. Empty means HS256.
	TokenAlgorithm string
	// HTTPClient makes the requests and opens the server connections. Nil means http.DefaultClient. Its Timeout must be 0.
	// Redirects are not followed, for they would lose the token.
	HTTPClient *http.Client
	// Logger gets what happens to server connections. Nil: nothing is logged.
	Logger *slog.Logger
}

// RetryOptions say when a call over Transient is made again. The zero value is what the .NET SDK does when retries are on.
//
// Sends are made again after a status above 500 only, because a message that was answered with 500 may have been delivered;
// questions to a client never. All other calls do no harm when they are made twice, so they are made again after 408, 500 and
// above, and when they had no answer within ServiceManagerOptions.Timeout.
type RetryOptions struct {
	// MaxRetries is how often a call is made again. 0 means 3.
	MaxRetries int
	// Delay is waited before a retry. 0 means 0.8 seconds.
	Delay time.Duration
	// MaxDelay bounds the delays. 0 means one minute.
	MaxDelay time.Duration
	// Exponential doubles the delay with each retry.
	Exponential bool
}

// ServiceManager does from anywhere what an app server can do to the clients of the service: it sends to them, changes groups,
// closes connections and lets clients in. It is what serverless apps and background jobs use, and serves no clients itself. It is
// safe for concurrent use.
type ServiceManager struct {
	app       *App
	transport ServiceTransport
	rest      *restClient
	ctx       context.Context // done when the manager is closed
	stop      context.CancelFunc
	running   sync.WaitGroup

	mu   sync.Mutex
	hubs map[string]*ServiceHub
}

// NewServiceManager makes a manager for the service of a connection string, which must have an access key. Nothing is connected
// before a hub is used.
func NewServiceManager(connectionString string, options ServiceManagerOptions) (*ServiceManager, error) {
	if options.Timeout < 0 {
		return nil, errors.New("options: the timeout is negative; leave it 0 for the default")
	}
	if options.Transport != Transient && options.Transport != Persistent {
		return nil, fmt.Errorf("options: there is no transport %d; use Transient or Persistent", int(options.Transport))
	}
	setDefault(&options.Timeout, 100*time.Second)
	setDefault(&options.ServerConnections, 1)
	app, err := New(connectionString, Options{
		ApplicationName: options.ApplicationName, ServerConnections: options.ServerConnections, MaxServerConnections: options.ServerConnections,
		TokenLifetime: options.TokenLifetime, TokenAlgorithm: options.TokenAlgorithm, HTTPClient: options.HTTPClient, Logger: options.Logger,
	})
	if err != nil {
		return nil, err
	}
	if app.connection.Credential == CredentialEntra {
		return nil, ErrEntraUnsupported
	}
	app.userAgent = fmt.Sprintf("Hubgate.Management/1.0 (%s; %s; %s)", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	m := &ServiceManager{app: app, transport: options.Transport, hubs: map[string]*ServiceHub{}}
	if m.rest, err = newRESTClient(app, options); err != nil {
		return nil, err
	}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m, nil
}

// Hub is the hub of a name, which is compared without regard to case; the service makes hubs as they are used. Over Persistent
// its server connections are opened now and tried again for as long as the manager is open.
func (m *ServiceManager) Hub(name string) (*ServiceHub, error) {
	if err := checkHubName(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return nil, errClosed
	}
	wireName := m.app.wireName(name)
	if h, ok := m.hubs[wireName]; ok {
		return h, nil
	}
	h := &ServiceHub{manager: m, name: name, wireName: wireName}
	if m.transport == Persistent {
		options, err := HubOptions{}.withDefaults()
		if err != nil {
			return nil, err
		}
		connected := newHub(m.app, name, nil, nil, options)
		connected.weak = true
		h.connected, h.operations = connected, operations{connected}
		m.running.Go(func() { connected.run(m.ctx) })
	} else {
		h.operations = operations{m.rest.hub(name)}
	}
	m.hubs[wireName] = h
	return h, nil
}

var errClosed = errors.New("the service manager is closed")

// Healthy reports whether the service says that it is healthy. It is an error when the service cannot be reached, or is none. The
// access key is not looked at.
func (m *ServiceManager) Healthy(ctx context.Context) (bool, error) { return m.rest.healthy(ctx) }

// Close closes the server connections once what was sent has been written, and waits for their end. Calls over Transient that are
// under way are not interrupted.
func (m *ServiceManager) Close() {
	m.mu.Lock()
	m.stop()
	m.mu.Unlock()
	m.running.Wait()
}

// ServiceHub is a hub of the service as seen by a ServiceManager.
type ServiceHub struct {
	operations
	manager   *ServiceManager
	name      string
	wireName  string
	connected *Hub // nil over Transient
}

// Name is the name that ServiceManager.Hub was given.
func (h *ServiceHub) Name() string { return h.name }

// WaitConnected returns when the hub has a server connection, or ctx is done. Before that, sends over Persistent give
// ErrNotConnected. Over Transient it returns at once.
func (h *ServiceHub) WaitConnected(ctx context.Context) error {
	if h.connected == nil {
		return nil
	}
	return h.connected.waitConnected(ctx)
}

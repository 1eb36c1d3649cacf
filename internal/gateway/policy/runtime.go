package policy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
	"github.com/hubgate/hubgate/internal/gateway/identity"
	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/gateway/openid"
)

// Runtime is what policies work with beside the exchange. It outlives configurations, so counters and caches do too. A field may
// be nil when the policies that need it are never run.
type Runtime struct {
	Logger      *slog.Logger
	Counters    limit.Counters     // of rate limits and quotas
	Concurrency *limit.Concurrency // of limit-concurrency
	Internal    cache.Cache
	// External is the external cache of this configuration; nil without one.
	External cache.Cache
	Values   ValueCodec
	Sender   Sender
	// Tokens are those of the gateway's managed identity; nil when none is configured.
	Tokens identity.Source
	OpenID *openid.Cache
	// Authority is where the tenants of validate-azure-ad-token are; "" means [DefaultAuthority].
	Authority string
	// ClientRoots sign the certificates of clients; nil: the system's.
	ClientRoots *x509.CertPool
	// Certificate finds a certificate with its private key, if it has one, by its resource name or thumbprint; nil finds none.
	Certificate func(nameOrThumbprint string) *tls.Certificate

	refreshing *sync.Map // keys of values that a cache-value is making anew
}

// NewRuntime makes a runtime whose counters and caches are in this process. Its owner fills in the rest.
func NewRuntime() *Runtime {
	return &Runtime{Counters: limit.NewLocal(), Concurrency: &limit.Concurrency{}, Internal: cache.NewMemory(0), refreshing: &sync.Map{}}
}

// With is the runtime with what belongs to one configuration; counters and caches are shared.
func (r *Runtime) With(external cache.Cache, certificate func(nameOrThumbprint string) *tls.Certificate) *Runtime {
	c := *r
	c.External, c.Certificate = external, certificate
	return &c
}

// ValueCodec turns the values of variables into bytes and back for the cache, types included.
type ValueCodec interface {
	Encode(v any) ([]byte, error)
	Decode(b []byte) (any, error)
}

// Sender sends the requests that policies make on their own.
type Sender interface {
	// Send returns the response with its whole body in memory. The error is a *[Failure].
	Send(ctx context.Context, c *Call) (*Response, error)
}

// Call is a request that a policy makes on its own.
type Call struct {
	Method      string
	URL         *url.URL
	Host        string // of the Host header; "" means the URL's
	Header      http.Header
	Body        []byte
	Timeout     time.Duration    // for the whole response
	Certificate *tls.Certificate // of the client; nil for none
	Proxy       *url.URL         // nil for none
}

// runtime is what the compiled policies will work with.
func (b *Builder) runtime() *Runtime {
	if r := b.c.environment.Runtime; r != nil {
		return r
	}
	return &Runtime{}
}

// warn logs what went wrong without being the request's failure.
func (r *Runtime) warn(x *Exchange, message string, err error) {
	if r.Logger != nil {
		r.Logger.WarnContext(x.Context, message, "error", err, "correlationId", x.RequestID())
	}
}

// Package dataapi answers the data-plane REST API of a SignalR instance: messages to clients, groups, users and connections for anyone who
// holds a key.
package dataapi

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
)

// Observer counts what happens; its method is called concurrently and must be quick.
type Observer interface {
	// Outbound counts messages to clients and their payload bytes.
	Outbound(messages, bytes int)
}

// Options are what a Handler cannot work without.
type Options struct {
	Registry *hub.Registry
	Pool     *message.Pool // shares the work of large broadcasts; nil works in place
	Observer Observer
	Logger   *slog.Logger // nil logs nothing
	// Verifier checks tokens that are signed with an access key. It is asked for each request, so that keys may change at any time.
	Verifier func() *auth.Verifier
	// Access is asked in the place of Verifier by an instance that trusts more than its access keys. nil: it does not.
	Access func() *auth.Access
	// Key is the text of the access key that signs the tokens of :generateToken. It is "" when local authentication is disabled; then they are
	// signed with a key of Access that is handed out to nobody, or refused. nil means the same.
	Key func() string
	// Healthy is why the instance is not healthy, or nil. A nil function means that it always is.
	Healthy func() error
	// MaySend counts messages to clients against a quota; false means that it is used up, and sends are answered 429. nil has no quota.
	MaySend func(messages int) bool
	// Refresher refreshes the authentication of clients. nil refreshes none.
	Refresher Refresher
	Limits    Limits
}

// Limits bound what a request may ask for. The zero value means the defaults.
type Limits struct {
	// BodyBytes is the largest body: 1 MiB. A larger one is answered 413.
	BodyBytes int64
	// InvokeTimeout is how long a client may take to give a result: 60 s.
	InvokeTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.BodyBytes <= 0 {
		l.BodyBytes = 1 << 20
	}
	if l.InvokeTimeout <= 0 {
		l.InvokeTimeout = time.Minute
	}
	return l
}

// Handler answers /api and what is below it. It is safe for concurrent use.
//
// Paths are taken apart as they stand in the request line, still escaped, and are never cleaned or redirected: a group may be named "..",
// "a/b" or "%2F". Whatever is in front of a Handler must not clean them either.
type Handler struct {
	options Options
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.withDefaults()
	return &Handler{options: o}
}

// ServeHTTP answers a request: first whether there is such an operation, then who asks, then what is asked for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{Options: &h.options, w: w, r: r}
	if err := c.serve(); err != nil {
		p, ok := errors.AsType[*problem](err)
		if !ok {
			p = &problem{status: http.StatusInternalServerError, text: "the service could not do what was asked"}
			h.options.Logger.Error("a data-plane request failed", "method", r.Method, "operation", c.operation(), "reason", err)
		}
		c.fail(p)
	}
}

func (c *call) serve() error {
	route, arguments, err := find(c.r.Method, c.r.URL.EscapedPath())
	if err != nil {
		// A request that lost a name on its way, so that its path is another one, is told so by its token's audience.
		if _, hasToken := auth.TokenFrom(c.r); hasToken && err.status == http.StatusMethodNotAllowed {
			if err := c.authenticate(auth.CheckExistence); err != nil {
				return err
			}
		}
		return err
	}
	c.route, c.arguments = route, arguments
	if route.open {
		return route.do(c)
	}
	if err := c.authenticate(route.permission()); err != nil {
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	return route.do(c)
}

// access is who may do what.
func (c *call) access() *auth.Access {
	if c.Access != nil {
		return c.Access()
	}
	return &auth.Access{Keys: c.Verifier()}
}

// authenticate checks the token, that it was made for this very request, and that its roles allow what is asked for.
func (c *call) authenticate(needs auth.Permission) error {
	bearer, ok := auth.TokenFrom(c.r)
	if !ok {
		return unauthorized(auth.MissingToken())
	}
	_, err := c.access().AuthorizeREST(c.r.Context(), bearer, c.r.URL.EscapedPath(), c.r.URL.RawQuery, needs, time.Now())
	if err != nil {
		return unauthorized(err)
	}
	return nil
}

var _ http.Handler = (*Handler)(nil)

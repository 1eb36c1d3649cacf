// Package upstream sends the events of serverless clients to the web hook endpoints of an instance, and brings back what they answer.
package upstream

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// The categories of events; a template's category pattern names them.
const (
	CategoryConnections = "connections"
	CategoryMessages    = "messages"
)

// The events of the category connections. Those of the category messages are named for the hub method that is called.
const (
	EventConnected    = "connected"
	EventDisconnected = "disconnected"
)

// The content types of the body of an event.
const (
	ContentTypeJSON        = "application/json"
	ContentTypeMessagePack = "application/x-msgpack"
)

// Event is one thing that happened to a serverless client (upstream settings, "Payload format and protocol").
type Event struct {
	Hub          string
	ConnectionID string
	UserID       string // counts when HasUser is true
	HasUser      bool
	Claims       []Claim // the user's, in the order of the token
	Query        string  // of the client's connect request, with its leading "?"
	Category     string  // CategoryConnections or CategoryMessages
	Name         string  // EventConnected, EventDisconnected or the hub method
	ContentType  string
	Body         []byte
}

// Claim is one claim of a client's user. Several may have one type.
type Claim struct{ Type, Value string }

// Response is what an endpoint answered.
type Response struct {
	Status int // HTTP status code
	Body   []byte
}

// OK reports whether the endpoint took the event.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Why an event has no response. Any other error means that no endpoint could be reached.
var (
	// ErrNoTemplate: no template matches the event.
	ErrNoTemplate = errors.New("no upstream template matches the event")
	// ErrTooLarge: the endpoint answered more than MaxResponseBytes.
	ErrTooLarge = errors.New("the upstream's response is too large")
)

// MaxResponseBytes is the largest body of a response: 16 MiB.
const MaxResponseBytes = 16 << 20

// Policy says how long an endpoint may take and how often it is asked. The zero value means the defaults.
type Policy struct {
	// Timeout bounds one request, from connecting to the last byte of the response: 30 s.
	Timeout time.Duration
	// Attempts is how often an event is sent at most: 1, for an endpoint that has had an event may have acted on it. More attempts follow a
	// failure to get a response, and the statuses 408, 429, 502, 503 and 504.
	Attempts int
	// Delay is the pause before the second attempt; it doubles with each that follows, up to MaxDelay, and varies by a fifth: 500 ms and 10 s.
	Delay, MaxDelay time.Duration
	// Concurrent is how many requests of an instance may be under way; more events wait: 1024.
	Concurrent int
}

func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&p.Timeout, 30*time.Second)
	set(&p.Delay, 500*time.Millisecond)
	set(&p.MaxDelay, 10*time.Second)
	if p.Attempts <= 0 {
		p.Attempts = 1
	}
	if p.Concurrent <= 0 {
		p.Concurrent = 1024
	}
	return p
}

// Options are what a Dispatcher cannot work without.
type Options struct {
	Logger *slog.Logger
	Policy Policy
	// Secrets say what references to secrets may name; the zero value means nothing.
	Secrets resource.SecretRules
	// Transport makes the requests; nil means one of the dispatcher's own, which keeps connections to endpoints open.
	Transport http.RoundTripper
}

// Dispatcher sends events of one instance. It is safe for concurrent use.
type Dispatcher struct {
	logger   *slog.Logger
	policy   Policy
	rules    resource.SecretRules
	client   *http.Client
	slots    chan struct{}
	settings atomic.Pointer[settings]
	warned   atomic.Int64 // Unix seconds of the last warning about an endpoint
	events   publisher
}

// settings are what of an instance's configuration concerns its upstream, compiled.
type settings struct {
	templates []*template
	keys      [][]byte
	policy    Policy
}

// New makes a Dispatcher without templates; Configure gives it some.
func New(o Options) *Dispatcher {
	d := &Dispatcher{logger: o.Logger, policy: o.Policy.withDefaults(), rules: o.Secrets}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	transport := o.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 128
		transport = t
	}
	d.client = &http.Client{
		Transport: transport,
		// A redirect of a POST may end as a GET without the event, and the answer would look like one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	d.slots = make(chan struct{}, d.policy.Concurrent)
	d.settings.Store(&settings{policy: d.policy})
	d.events.start(d)
	return d
}

// Configure takes what of an instance concerns its upstream: templates, keys, credentials, how requests are made, and where events about clients go.
// On an error, which names the field, all stays as it was. Events that are under way are not affected.
func (d *Dispatcher) Configure(r *resource.SignalR) error {
	s := &settings{policy: d.policy.with(r.UpstreamRequests)}
	found := &secrets{rules: d.rules, logger: d.logger}
	for i, t := range r.Upstream {
		compiled, err := compile(t, found)
		if err == nil {
			compiled.credential, err = newCredential(d.client, r, t.Auth, found)
		}
		if err != nil {
			return resource.Invalidf(r.ID, fmt.Sprintf("upstream[%d]", i), "%v", err)
		}
		s.templates = append(s.templates, compiled)
	}
	events, err := d.events.compile(r, found)
	if err != nil {
		return resource.Invalidf(r.ID, "events", "%v", err)
	}
	for _, key := range []string{r.PrimaryKey, r.SecondaryKey} {
		if key != "" {
			s.keys = append(s.keys, []byte(key))
		}
	}
	d.settings.Store(s)
	d.events.settings.Store(events)
	return nil
}

// with is the policy that an instance asks for.
func (p Policy) with(r resource.UpstreamRequests) Policy {
	set := func(d *time.Duration, n int, unit time.Duration) {
		if n > 0 {
			*d = time.Duration(n) * unit
		}
	}
	set(&p.Timeout, r.TimeoutSeconds, time.Second)
	set(&p.Delay, r.RetryDelayMilliseconds, time.Millisecond)
	set(&p.MaxDelay, r.MaxRetryDelayMilliseconds, time.Millisecond)
	if r.MaxAttempts > 0 {
		p.Attempts = r.MaxAttempts
	}
	return p
}

// Configured reports whether there is any template.
func (d *Dispatcher) Configured() bool { return len(d.settings.Load().templates) > 0 }

// Close waits up to 5 s until events about clients have gone out, and gives the connections back that wait for a next event.
func (d *Dispatcher) Close() {
	d.events.close()
	d.client.CloseIdleConnections()
}

// Dispatch sends an event to the first template that matches it, and waits for the answer. It tries again as the policy says.
func (d *Dispatcher) Dispatch(ctx context.Context, e *Event) (*Response, error) {
	s := d.settings.Load()
	t := s.match(e)
	if t == nil {
		return nil, ErrNoTemplate
	}
	header := s.header(e)
	delay := min(s.policy.Delay, s.policy.MaxDelay)
	for attempt := 1; ; attempt++ {
		response, err := d.try(ctx, s, t, e, header)
		switch {
		case err == nil && !response.OK():
			d.warn(ctx, "an upstream endpoint refused an event", e, slog.Int("status", response.Status))
		case err != nil && !errors.Is(err, context.Canceled):
			d.warn(ctx, "an upstream endpoint gave no response", e, slog.Any("reason", err))
		}
		if attempt >= s.policy.Attempts || ctx.Err() != nil || !again(response, err) {
			return response, err
		}
		pause := time.NewTimer(jitter(delay))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return response, err
		}
		delay = min(2*delay, s.policy.MaxDelay)
	}
}

// again reports whether another attempt may come to something else, without an endpoint acting twice on an event that it has answered.
func again(r *Response, err error) bool {
	if err != nil {
		return !errors.Is(err, ErrTooLarge) && !errors.Is(err, errDots)
	}
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// jitter varies a pause by up to a fifth, so that clients which failed together do not come back together.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(rand.Int64N(int64(d)*2/5+1))
}

// try sends an event once. It waits for its turn first.
func (d *Dispatcher) try(ctx context.Context, s *settings, t *template, e *Event, header http.Header) (*Response, error) {
	target, err := t.url(e)
	if err != nil {
		return nil, err
	}
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.slots }()
	ctx, cancel := context.WithTimeout(ctx, s.policy.Timeout)
	defer cancel()
	if err := t.credential.authorize(ctx, header); err != nil {
		return nil, err
	}
	return d.post(ctx, target, header, e.Body)
}

// post makes one request.
func (d *Dispatcher) post(ctx context.Context, target string, header http.Header, body []byte) (*Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the upstream's URL cannot be used") // the error would repeat the URL, which may hold a key
	}
	request.Header = header
	response, err := d.client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, MaxResponseBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the upstream's response: %w", withoutURL(err))
	}
	if len(content) > MaxResponseBytes {
		return nil, ErrTooLarge
	}
	return &Response{Status: response.StatusCode, Body: content}, nil
}

// withoutURL takes the URL, whose query often is a key, out of an error.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// warnGap is the least time between two warnings: an endpoint that is down fails with every event.
const warnGap = 10 * time.Second

// warn logs a failure, as a warning when the last one is long ago, else for debugging alone.
func (d *Dispatcher) warn(ctx context.Context, text string, e *Event, why slog.Attr) {
	level := slog.LevelDebug
	now, last := time.Now().Unix(), d.warned.Load()
	if now-last >= int64(warnGap/time.Second) && d.warned.CompareAndSwap(last, now) {
		level = slog.LevelWarn
	}
	d.logger.LogAttrs(ctx, level, text, slog.String("hub", e.Hub), slog.String("category", e.Category), slog.String("event", e.Name),
		slog.String("connection", e.ConnectionID), why)
}

// header makes the headers of an event.
func (s *settings) header(e *Event) http.Header {
	h := make(http.Header, 10)
	set := func(name, value string) { h[name] = []string{headerText(value)} }
	// These names are not in the canonical form of HTTP/1, in which the service has always sent them; receivers compare without regard to case.
	set("X-ASRS-Connection-Id", e.ConnectionID)
	set("X-ASRS-Hub", e.Hub)
	set("X-ASRS-Category", e.Category)
	set("X-ASRS-Event", e.Name)
	if len(s.keys) > 0 {
		set("X-ASRS-Signature", s.signature(e.ConnectionID))
	}
	if e.HasUser {
		set("X-ASRS-User-Id", e.UserID)
	}
	if len(e.Claims) > 0 {
		parts := make([]string, len(e.Claims))
		for i, c := range e.Claims {
			parts[i] = c.Type + ": " + c.Value
		}
		set("X-ASRS-User-Claims", strings.Join(parts, ", "))
	}
	if e.Query != "" {
		set("X-ASRS-Client-Query", e.Query)
	}
	set("Content-Type", e.ContentType)
	set("User-Agent", "hubgate")
	return h
}

// signature is what a receiver checks the connection id against: one value for each key, so that it may know either.
func (s *settings) signature(connectionID string) string {
	var b strings.Builder
	for i, key := range s.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(connectionID))
		b.WriteString("sha256=")
		b.WriteString(hex.EncodeToString(mac.Sum(nil)))
	}
	return b.String()
}

// headerText makes text fit for a header's value: a client chooses its method names, and an app its claims. What is not ASCII stays, as UTF-8.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

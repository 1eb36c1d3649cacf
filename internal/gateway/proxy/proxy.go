package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync"
	"time"
)

// Options are the limits of a [Proxy]. A zero field means the default.
type Options struct {
	DialTimeout       time.Duration  // for a connection to a backend, its TLS handshake included; default 30 s
	IdleTimeout       time.Duration  // how long an unused connection to a backend is kept; default 90 s
	MaxIdlePerHost    int            // unused connections kept for each backend; default 256
	MaxPerHost        int            // connections to each backend; default 2048, API Management's limit for each unit
	MaxResponseHeader int64          // bytes of a response's head; default 256 KiB
	WebSocketIdle     time.Duration  // a relayed WebSocket without a byte for so long is closed; default 4 minutes, negative: never
	MaxWebSockets     int            // relayed WebSockets at once; default 60,000, negative: no limit
	HalfCloseTimeout  time.Duration  // how long one direction goes on after the other has ended; default 15 s
	CloseTimeout      time.Duration  // how long the peers of a WebSocket have to answer the close frame of Drain; default 5 s
	RootCAs           *x509.CertPool // that sign backends' certificates; nil: the system's
}

func (o Options) withDefaults() Options {
	setDefault(&o.DialTimeout, 30*time.Second)
	setDefault(&o.IdleTimeout, 90*time.Second)
	setDefault(&o.MaxIdlePerHost, 256)
	setDefault(&o.MaxPerHost, 2048)
	setDefault(&o.MaxResponseHeader, 256<<10)
	setDefault(&o.WebSocketIdle, 4*time.Minute)
	setDefault(&o.MaxWebSockets, 60_000)
	setDefault(&o.HalfCloseTimeout, 15*time.Second)
	setDefault(&o.CloseTimeout, 5*time.Second)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Proxy sends requests to backends. It may be used by any number of goroutines.
type Proxy struct {
	options Options

	mu struct {
		sync.Mutex
		closed     bool
		transports map[transportKey]*http.Transport
		relays     map[*relay]struct{}
		drained    chan struct{} // closed when no relay is left; nil before Drain
	}
}

// transportKey is what connections of one pool have in common.
type transportKey struct {
	version           string // 1, 2or1 or 2
	skipChain, skipID bool   // of certificate checks
	certificate       [sha256.Size]byte
	proxy             string
}

// maxTransports bounds the pools of connections: proxies may be chosen by what is in requests.
const maxTransports = 512

// New makes a proxy.
func New(o Options) *Proxy {
	p := &Proxy{options: o.withDefaults()}
	p.mu.transports = map[transportKey]*http.Transport{}
	p.mu.relays = map[*relay]struct{}{}
	return p
}

// Close cuts the relayed WebSockets, which [Proxy.Drain] ends gracefully, and drops unused connections. Requests on their way go on.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.mu.closed = true
	relays := p.relaying()
	for _, t := range p.mu.transports {
		t.CloseIdleConnections()
	}
	p.mu.Unlock()
	for _, r := range relays {
		r.close()
	}
}

// Request is a request to a backend.
type Request struct {
	Method string
	URL    *url.URL // http, https, ws or wss
	Host   string   // of the Host header; "" means the URL's
	Header http.Header
	// Body is the body, nil for none; Length its bytes, -1 when not known. GetBody, when not nil, gives it again.
	Body    io.ReadCloser
	Length  int64
	GetBody func() (io.ReadCloser, error)
	Trailer http.Header // announced trailers, whose values are there once the body is read; nil for none

	Timeout          time.Duration // until the head of the response
	HTTPVersion      string        // 1, 2or1 or 2; "" means 1
	FollowRedirects  bool
	SkipVerifyChain  bool // of the backend's certificate
	SkipVerifyName   bool
	WebSocketUpgrade bool // Header holds a WebSocket handshake

	// Interim is told of interim responses but 100 and 101 (RFC 9110, section 15.2) while Send waits; nil drops them.
	Interim func(status int, header http.Header)

	ClientCertificate *tls.Certificate // that the gateway shows to the backend; nil for none
	Proxy             *url.URL         // HTTP proxy on the way, with its user and password; nil for none
}

// FailureKind says at which side an exchange with a backend broke.
type FailureKind uint8

// The kinds of failure.
const (
	BackendFailure FailureKind = iota + 1 // the backend cannot be reached or broke off
	TimeoutFailure                        // the backend did not send the head of its response in time
	ClientFailure                         // the client went, or its body broke off
)

// Error is why there is no response.
type Error struct {
	Kind FailureKind
	Err  error
}

// Error is the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

var errTimeout = errors.New("the backend did not send the head of its response in time")

// maxRedirects is how many redirects in a row are followed.
const maxRedirects = 10

// Send sends the request and returns once the head of the response is there. The caller closes the body. The error is an
// *[Error]. The response's header has lost what belongs to the connection to the backend.
func (p *Proxy) Send(ctx context.Context, r *Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(r.Timeout, func() { cancel(errTimeout) })
	sent := ctx
	if r.Interim != nil {
		var seen interim
		sent = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: seen.pass(r.Interim)})
		defer seen.end()
	}
	out := outgoing(sent, r)
	transport := p.transport(r)
	var response *http.Response
	var err error
	if r.FollowRedirects && !r.WebSocketUpgrade {
		client := http.Client{Transport: transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("the backend redirected more than %d times", maxRedirects)
			}
			return nil
		}}
		response, err = client.Do(out)
	} else {
		response, err = transport.RoundTrip(out)
	}
	timer.Stop()
	if err != nil {
		cause := context.Cause(ctx)
		cancel(nil)
		return nil, classify(err, cause)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		// The connection is the caller's now, and its life is no matter of the context any more.
		cancel(nil)
	} else {
		response.Body = &body{ReadCloser: response.Body, cancel: cancel}
	}
	removeHopByHop(response.Header)
	return response, nil
}

// interim passes interim responses on as long as the call that waits for the final one has not returned.
type interim struct {
	mu   sync.Mutex
	over bool
}

func (i *interim) pass(to func(int, http.Header)) func(int, textproto.MIMEHeader) error {
	return func(status int, header textproto.MIMEHeader) error {
		i.mu.Lock()
		defer i.mu.Unlock()
		if !i.over && status != http.StatusContinue && status != http.StatusSwitchingProtocols {
			h := http.Header(header)
			removeHopByHop(h)
			to(status, h)
		}
		return nil
	}
}

func (i *interim) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}

// body is a response's body that gives its context up when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close closes the body.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

func classify(err, cause error) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err // The URL's query may hold a token, and errors are logged.
	}
	switch {
	case errors.Is(cause, errTimeout):
		return &Error{Kind: TimeoutFailure, Err: errTimeout}
	case cause != nil:
		return &Error{Kind: ClientFailure, Err: err}
	}
	var fromBody *bodyError
	if errors.As(err, &fromBody) {
		return &Error{Kind: ClientFailure, Err: err}
	}
	return &Error{Kind: BackendFailure, Err: err}
}

// outgoing makes the request of net/http.
func outgoing(ctx context.Context, r *Request) *http.Request {
	u := *r.URL
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	out := (&http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: r.Header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if r.Body != nil && r.Length != 0 {
		out.Body, out.ContentLength, out.GetBody, out.Trailer = &requestBody{r.Body}, r.Length, r.GetBody, r.Trailer
	}
	if _, there := r.Header["User-Agent"]; !there {
		r.Header["User-Agent"] = nil // else net/http adds its own
	}
	return out
}

// requestBody marks errors of the client's body as such.
type requestBody struct{ io.ReadCloser }

type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// Read reads from the client.
func (b *requestBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &bodyError{err}
	}
	return n, err
}

func (p *Proxy) transport(r *Request) *http.Transport {
	key := transportKey{version: r.HTTPVersion, skipChain: r.SkipVerifyChain, skipID: r.SkipVerifyName}
	if key.version == "" {
		key.version = "1"
	}
	if c := r.ClientCertificate; c != nil && len(c.Certificate) > 0 {
		key.certificate = sha256.Sum256(c.Certificate[0])
	}
	if r.Proxy != nil {
		key.proxy = r.Proxy.String()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.mu.transports[key]
	if t == nil {
		if len(p.mu.transports) >= maxTransports {
			for k, other := range p.mu.transports {
				// Its requests go on; what is idle then ends by itself.
				other.CloseIdleConnections()
				delete(p.mu.transports, k)
				break
			}
		}
		t = p.newTransport(key, r)
		p.mu.transports[key] = t
	}
	return t
}

func (p *Proxy) newTransport(key transportKey, r *Request) *http.Transport {
	o := &p.options
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(key.version != "2")
	protocols.SetHTTP2(key.version != "1")
	protocols.SetUnencryptedHTTP2(key.version == "2")
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		Protocols:              protocols,
		TLSHandshakeTimeout:    o.DialTimeout,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true, // The client's Accept-Encoding is the one that counts.
		IdleConnTimeout:        o.IdleTimeout,
		MaxIdleConnsPerHost:    o.MaxIdlePerHost,
		MaxConnsPerHost:        o.MaxPerHost,
		MaxResponseHeaderBytes: o.MaxResponseHeader,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
	}
	if c := r.ClientCertificate; c != nil {
		t.TLSClientConfig.Certificates = []tls.Certificate{*c}
	}
	if r.Proxy != nil {
		t.Proxy = http.ProxyURL(r.Proxy)
	}
	if key.skipChain || key.skipID {
		if r.Proxy != nil {
			// Through a proxy net/http makes the TLS connection itself, and knows the name from the URL only.
			t.TLSClientConfig.InsecureSkipVerify = true
			t.TLSClientConfig.VerifyConnection = func(state tls.ConnectionState) error { return verify(state, state.ServerName, o.RootCAs, key) }
			return t
		}
		// The connection's state does not tell an IP address that was dialed, so each connection has a configuration of its own.
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			config := t.TLSClientConfig.Clone()
			config.ServerName, config.NextProtos, config.InsecureSkipVerify = host, key.protocols(), true
			config.VerifyConnection = func(state tls.ConnectionState) error { return verify(state, host, o.RootCAs, key) }
			return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address)
		}
	}
	return t
}

// protocols are the names for the TLS handshake (RFC 7301).
func (k transportKey) protocols() []string {
	switch k.version {
	case "2":
		return []string{"h2"}
	case "2or1":
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// verify makes the one of the two certificate checks that is not switched off.
func verify(state tls.ConnectionState, host string, roots *x509.CertPool, key transportKey) error {
	leaf := state.PeerCertificates[0]
	if !key.skipID {
		return leaf.VerifyHostname(host)
	}
	if key.skipChain {
		return nil
	}
	intermediates := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}

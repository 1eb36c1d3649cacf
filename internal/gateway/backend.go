package gateway

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/balance"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// backendCalls is what became of a transaction's requests to backends.
type backendCalls struct {
	target *resource.Backend // whose credentials and settings the next request has; nil for a plain URL
	cookie string            // Set-Cookie that keeps the client at a pool's member; "" for none

	calls         int
	took          time.Duration // of all of them, up to the heads of the responses
	status        int           // of the last
	header        http.Header   // of the last response: what the diagnostic wants of it
	id            string
	url, protocol string // of the last, filled in when somebody wants to know
}

// ReasonCircuitOpen is the reason of failures because a backend's circuit breaker is open, or those of all members of a pool.
const ReasonCircuitOpen = "CircuitBreakerOpen"

// Forward sends the exchange's request to its backend, or to a member of the pool that it chose, and fills in the response.
func (t *transaction) Forward(x *policy.Exchange, o *policy.ForwardOptions) error {
	b := &t.backend
	b.target, b.cookie = x.Request.Credentials, ""
	choice := balance.Choice{}
	if x.Request.Credentials != nil {
		var err error
		if choice, err = t.g.balancer.Choose(x.Request.Credentials, t.cookie, time.Now()); err != nil {
			return &policy.Failure{Status: http.StatusServiceUnavailable, Public: "Service Unavailable", Reason: ReasonCircuitOpen,
				Message: "The backend '" + x.Request.Credentials.ID.Name() + "' takes no requests: " + err.Error() + ".", Err: err}
		}
		b.target = choice.Backend
		if choice.URL != nil {
			x.Request.Backend = choice.URL
		}
		if choice.CookieName != "" {
			b.cookie = choice.CookieName + "=" + choice.CookieValue + "; Path=/; HttpOnly"
			if x.Inbound.TLS != nil {
				b.cookie += "; Secure; SameSite=None"
			}
		}
		b.id = choice.Backend.ID.Name()
	}
	var u *url.URL
	if t.observed() {
		u = x.Request.URL()
	}
	var endSpan func(int, string)
	if u != nil && t.g.options.Spans != nil {
		endSpan = t.startBackendSpan(u)
	}
	t.sampleBackend()
	began := time.Now()
	err := t.forward(x, o)
	now := time.Now()
	b.calls++
	b.took += now.Sub(began)
	b.status = t.backendStatus(err)
	reason := ""
	if f, ok := errors.AsType[*policy.Failure](err); ok {
		reason = f.Reason
	}
	choice.Done(b.status, reason, retryAfter(x.Response.Header, now), now)
	if t.diagnosis != nil && len(t.diagnosis.backendResponse) > 0 {
		b.header = http.Header{}
		for _, name := range t.diagnosis.backendResponse {
			if values, there := x.Response.Header[name]; there {
				b.header[name] = slices.Clone(values)
			}
		}
	}
	if err == nil && !x.Completed() {
		t.stick(x.Response.Header)
	}
	if m := t.g.backendMetrics; m != nil {
		api := ""
		if x.API != nil {
			api = x.API.BaseName()
		}
		m.BackendDone(api, b.id, b.status, now.Sub(began))
	}
	if u != nil {
		b.url, b.protocol = u.Scheme+"://"+u.Host+u.EscapedPath(), "HTTP/1.1"
		if o.HTTPVersion == "2" {
			b.protocol = "HTTP/2"
		}
		if endSpan != nil {
			if err != nil && reason == "" {
				reason = policy.ReasonBackendConnectionFailure
			}
			endSpan(b.status, reason)
		}
		if t.recording != nil {
			t.recording.forwarded(u, b.status, now.Sub(began), err)
		}
	}
	return err
}

// observed says whether somebody wants to know the address of the backend.
func (t *transaction) observed() bool {
	return t.recording != nil || t.g.options.Spans != nil || t.g.options.RequestLog != nil
}

// backendStatus is the status that the backend answered with, 0 for none.
func (t *transaction) backendStatus(err error) int {
	switch {
	case err != nil && !t.x.Response.FromBackend:
		return 0
	case t.local.decided:
		return t.local.status
	}
	return t.x.Response.Status
}

// stick puts the cookie of session affinity into a response's header, once.
func (t *transaction) stick(header http.Header) {
	if t.backend.cookie != "" && header != nil {
		header["Set-Cookie"] = append(slices.Clip(header["Set-Cookie"]), t.backend.cookie)
		t.backend.cookie = ""
	}
}

// cookie is the value of a cookie of the client.
func (t *transaction) cookie(name string) string {
	c, err := t.x.Inbound.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// maxRetryAfter is how long a backend may ask to be left alone: an hour.
const maxRetryAfter = time.Hour

// retryAfter is what a response's Retry-After asks for: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), maxRetryAfter)
	}
	return 0
}

// backendCertificate is the certificate that the backend's credentials name, nil for none.
func (t *transaction) backendCertificate() *tls.Certificate {
	b := t.backend.target
	if b == nil || b.Credentials == nil {
		return nil
	}
	s := t.g.snapshot.Load()
	for _, id := range slices.Concat(b.Credentials.CertificateIDs, b.Credentials.Certificate) {
		if c := s.other.certificate(id); c != nil && c.PrivateKey != nil {
			return c
		}
	}
	return nil
}

// backendProxy is the proxy on the way to the backend that its resource names, nil for none.
func (t *transaction) backendProxy() *url.URL {
	b := t.backend.target
	if b == nil || b.Proxy == nil {
		return nil
	}
	u, err := url.Parse(b.Proxy.URL)
	if err != nil { // Validate has parsed it.
		return nil
	}
	if b.Proxy.Username != "" {
		u.User = url.UserPassword(b.Proxy.Username, b.Proxy.Password)
	}
	return u
}

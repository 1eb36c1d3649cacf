package gateway

import (
	"cmp"
	"crypto/tls"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// diagnosis is what is logged of the requests to an API, from its diagnostic or the service's. The zero value logs all of them.
type diagnosis struct {
	off        bool
	percentage float64 // of requests that succeeded; 0 means 100
	errorsToo  bool    // requests that failed are logged whatever the percentage is
	errorsOnly bool
	hideIP     bool
	request    []string // headers of the client's request, in canonical form
	response   []string

	backendRequest, backendResponse []string
	bodies                          bodyLimits
}

// bodyLimits are how many bytes of each body are logged.
type bodyLimits struct{ request, response, backendRequest, backendResponse int }

// bodySample is the beginning of a body, taken on its way. A nil one takes nothing. A transport may still read a body when its request is
// answered.
type bodySample struct {
	limit int

	mu   sync.Mutex
	data []byte // guarded by mu
}

func newBodySample(limit int) *bodySample {
	if limit <= 0 {
		return nil
	}
	return &bodySample{limit: limit}
}

func (s *bodySample) take(p []byte) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, p[:min(len(p), s.limit-len(s.data))]...)
}

// of is a body that the sample is taken of while it is read.
func (s *bodySample) of(body io.ReadCloser) io.ReadCloser {
	if s == nil {
		return body
	}
	return &sampledBody{ReadCloser: body, sample: s}
}

// text is at most limit bytes of the sample.
func (s *bodySample) text(limit int) string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ToValidUTF8(string(s.data[:min(len(s.data), limit)]), "\uFFFD")
}

// sampledBody takes a sample of what is read.
type sampledBody struct {
	io.ReadCloser
	sample *bodySample
}

// Read reads the body.
func (b *sampledBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sample.take(p[:n])
	return n, err
}

// bodySamples are those of one transaction.
type bodySamples struct {
	request                                   *bodySample // what the client sends; also what the backend gets of a body that no policy holds
	response, backendRequest, backendResponse *bodySample
	passed                                    bool // the backend gets the client's body
}

// sampleBodies begins to take samples of the bodies that the diagnostic asks for.
func (t *transaction) sampleBodies() {
	if t.g.options.RequestLog == nil || t.diagnosis == nil || t.diagnosis.bodies == (bodyLimits{}) {
		return
	}
	l := t.diagnosis.bodies
	t.bodies = bodySamples{request: newBodySample(max(l.request, l.backendRequest)), response: newBodySample(l.response)}
}

// sampleBackend takes a sample of what a backend is sent, and makes place for one of what it answers.
func (t *transaction) sampleBackend() {
	if t.g.options.RequestLog == nil || t.diagnosis == nil {
		return
	}
	l := t.diagnosis.bodies
	t.bodies.backendRequest, t.bodies.backendResponse, t.bodies.passed = newBodySample(l.backendRequest), newBodySample(l.backendResponse), false
	if l.backendRequest == 0 {
		return
	}
	body := &t.x.Request.Body
	if !body.InMemory() {
		t.bodies.passed = true
		return
	}
	if body.Length() > 0 {
		// Reading bytes in memory never fails, and leaves them there.
		r := body.Reader()
		buffer := make([]byte, min(int64(l.backendRequest), body.Length()))
		n, _ := io.ReadFull(r, buffer)
		t.bodies.backendRequest.take(buffer[:n])
	}
}

func newDiagnosis(d *resource.Diagnostic) diagnosis {
	if d == nil {
		return diagnosis{}
	}
	o := diagnosis{errorsToo: d.AlwaysLog == "allErrors", errorsOnly: d.Verbosity == "error", hideIP: !d.LogClientIP}
	if d.Sampling != nil {
		o.percentage = d.Sampling.Percentage
		o.off = o.percentage == 0
	}
	o.request, o.response = canonicalNames(d.Frontend.Request.Headers), canonicalNames(d.Frontend.Response.Headers)
	o.bodies = bodyLimits{d.Frontend.Request.Body.Bytes, d.Frontend.Response.Body.Bytes, d.Backend.Request.Body.Bytes, d.Backend.Response.Body.Bytes}
	o.backendRequest, o.backendResponse = canonicalNames(d.Backend.Request.Headers), canonicalNames(d.Backend.Response.Headers)
	return o
}

func canonicalNames(names []string) []string {
	var canonical []string
	for _, name := range names {
		canonical = append(canonical, http.CanonicalHeaderKey(name))
	}
	return canonical
}

// wants says whether a request is logged.
func (d *diagnosis) wants(failed bool) bool {
	if failed && d.errorsToo {
		return true
	}
	if d.off || d.errorsOnly && !failed {
		return false
	}
	return d.percentage == 0 || d.percentage >= 100 || rand.Float64()*100 < d.percentage
}

// record writes the gateway's log record of the request, with the names of the table ApiManagementGatewayLogs. Of the URL, the query is
// left out, for it may hold keys; headers and bodies are logged when a diagnostic asks for them.
func (t *transaction) record(total time.Duration) {
	log := t.g.options.RequestLog
	x := &t.x
	if log == nil || !log.Enabled(x.Context, slog.LevelInfo) {
		return
	}
	d := t.diagnosis
	if d == nil {
		d = &diagnosis{}
	}
	success := x.Response.Status >= 200 && x.Response.Status < 400 || x.Response.Status == http.StatusSwitchingProtocols
	if !d.wants(!success) {
		return
	}
	attrs := make([]slog.Attr, 0, 40)
	text := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	milliseconds := func(name string, d time.Duration) {
		attrs = append(attrs, slog.Float64(name, float64(d.Microseconds())/1000))
	}
	r := x.Inbound
	text("correlationId", x.RequestID())
	text("region", cmp.Or(t.g.options.Region, "local"))
	text("method", r.Method)
	text("url", scheme(r)+"://"+r.Host+r.URL.EscapedPath())
	text("clientProtocol", r.Proto)
	if r.TLS != nil {
		text("clientTlsVersion", tls.VersionName(r.TLS.Version))
	}
	if caller, ok := x.CallerAddress(); ok && !d.hideIP {
		text("callerIpAddress", caller.String())
	}
	attrs = append(attrs, slog.Int("responseCode", x.Response.Status), slog.Int64("requestSize", x.RequestSize), slog.Int64("responseSize", x.ResponseSize))
	milliseconds("totalTime", total)
	if t.backend.calls > 0 {
		milliseconds("backendTime", t.backend.took)
		milliseconds("clientTime", total-t.backend.took)
		text("backendMethod", x.Request.Method)
		text("backendUrl", t.backend.url)
		text("backendProtocol", t.backend.protocol)
		text("backendId", t.backend.id)
		if t.backend.status != 0 {
			attrs = append(attrs, slog.Int("backendResponseCode", t.backend.status))
		}
	} else {
		milliseconds("clientTime", total)
	}
	cached := "none"
	if hit, looked := x.Cached(); hit {
		cached = "hit"
	} else if looked {
		cached = "miss"
	}
	text("cache", cached)
	if x.API != nil {
		text("apiId", x.API.BaseName())
		text("apiRevision", x.API.Revision())
	}
	if x.Operation != nil {
		text("operationId", x.Operation.ID.Name())
	}
	if x.Product != nil {
		text("productId", x.Product.ID.Name())
	}
	if x.Subscription != nil {
		text("apimSubscriptionId", x.Subscription.ID.Name())
		text("userId", x.Subscription.OwnerID[strings.LastIndexByte(x.Subscription.OwnerID, '/')+1:])
	}
	attrs = append(attrs, slog.Bool("isRequestSuccess", success))
	if e := x.LastError; e != nil {
		text("lastErrorSource", e.Source)
		text("lastErrorSection", e.Section)
		text("lastErrorScope", e.Scope)
		text("lastErrorReason", e.Reason)
		text("lastErrorMessage", t.failure())
	}
	for _, h := range []struct {
		group  string
		names  []string
		header http.Header
	}{{"requestHeaders", d.request, r.Header}, {"responseHeaders", d.response, x.Response.Header},
		{"backendRequestHeaders", d.backendRequest, x.Request.Header}, {"backendResponseHeaders", d.backendResponse, t.backend.header}} {
		var list []any
		for _, name := range h.names {
			if values, there := h.header[name]; there {
				value := strings.Join(values, ",")
				if secretName(name) {
					value = masked
				}
				list = append(list, slog.String(name, value))
			}
		}
		if len(list) > 0 {
			attrs = append(attrs, slog.Group(h.group, list...))
		}
	}
	text("requestBody", t.bodies.request.text(d.bodies.request))
	text("responseBody", t.bodies.response.text(d.bodies.response))
	backendRequest := t.bodies.backendRequest
	if t.bodies.passed {
		backendRequest = t.bodies.request
	}
	text("backendRequestBody", backendRequest.text(d.bodies.backendRequest))
	text("backendResponseBody", t.bodies.backendResponse.text(d.bodies.backendResponse))
	log.LogAttrs(x.Context, slog.LevelInfo, "GatewayLogs", attrs...)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

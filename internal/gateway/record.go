package gateway

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/policy"
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
// left out, for it may hold keys; headers are logged when a diagnostic names them.
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
	if caller, ok := policy.CallerAddress(r); ok && !d.hideIP {
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
	log.LogAttrs(x.Context, slog.LevelInfo, "GatewayLogs", attrs...)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

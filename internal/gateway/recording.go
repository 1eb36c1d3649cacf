package gateway

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// maxEntries is how many steps of a request are recorded; a loop makes many.
const maxEntries = 2000

// recording is the trace of one request.
type recording struct {
	id                  string
	start               time.Time
	keyHeader, keyQuery string
	api                 string // name of the API, without its revision
	guarded             bool   // debug credentials asked for it, and it takes them to read it

	mu      sync.Mutex
	entries []*traceEntry // guarded by mu
	dropped int           // guarded by mu
}

// traceEntry is one step: a statement, a message of a trace statement, or what the gateway itself did.
type traceEntry struct {
	section string
	source  string
	at      time.Time
	data    map[string]any

	before *view // what the statement found; nil once it has run
}

// view is what statements can change, as it was at some time.
type view struct {
	method, url      string
	status           int
	request, respond http.Header
	variables        map[string]any
}

func look(x *policy.Exchange) *view {
	v := &view{method: x.Request.Method, status: x.Response.Status, request: x.Request.Header.Clone(), respond: x.Response.Header.Clone(), variables: maps.Clone(x.Variables)}
	if u := x.Request.URL(); u != nil {
		v.url = u.String()
	}
	return v
}

func (r *recording) add(e *traceEntry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) >= maxEntries {
		r.dropped++
		return -1
	}
	r.entries = append(r.entries, e)
	return len(r.entries) - 1
}

// received notes what the client sent and what it matched.
func (r *recording) received(x *policy.Exchange) {
	request := map[string]any{"method": x.Inbound.Method, "url": r.maskURL(x.Inbound.Host + x.Inbound.URL.RequestURI()), "headers": r.maskHeader(x.Inbound.Header)}
	r.add(&traceEntry{section: "inbound", source: "api-inspector", at: x.Start, data: map[string]any{"request": request}})
	configuration := map[string]any{}
	if x.API != nil {
		configuration["api"] = map[string]any{"id": x.API.BaseName(), "from": "/" + x.API.Suffix(), "revision": x.API.Revision(), "version": x.API.APIVersion}
	}
	if x.Operation != nil {
		configuration["operation"] = map[string]any{"id": x.Operation.ID.Name(), "method": x.Operation.Method, "uriTemplate": x.Operation.URLTemplate}
	}
	if x.Product != nil {
		configuration["product"] = map[string]any{"id": x.Product.ID.Name()}
	}
	if x.Subscription != nil {
		configuration["subscription"] = map[string]any{"id": x.Subscription.ID.Name()}
	}
	r.add(&traceEntry{section: "inbound", source: "api-inspector", at: time.Now(), data: map[string]any{"configuration": configuration}})
}

// Begin notes that a statement runs.
func (r *recording) Begin(x *policy.Exchange, p *policy.Place) int {
	data := map[string]any{"path": p.Path, "scope": p.Scope.String(), "line": p.Line, "column": p.Column}
	if p.ID != "" {
		data["policyId"] = p.ID
	}
	return r.add(&traceEntry{section: p.Section.String(), source: p.Name, at: time.Now(), data: data, before: look(x)})
}

// End notes what a statement did.
func (r *recording) End(x *policy.Exchange, number int, outcome policy.Outcome, err error) {
	if number < 0 {
		return
	}
	after := look(x)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[number]
	e.data["duration"] = timeSpan(time.Since(e.at))
	if err != nil {
		e.data["error"] = err.Error()
	}
	if outcome == policy.End && err == nil {
		e.data["ended"] = true
	}
	before := e.before
	e.before = nil
	changed := func(name string, from, to any) {
		if from != to {
			e.data[name] = to
		}
	}
	changed("method", before.method, after.method)
	changed("url", before.url, r.maskURL(after.url))
	if before.url == after.url {
		delete(e.data, "url")
	}
	changed("status", before.status, after.status)
	if d := r.headerChanges(before.request, after.request); d != nil {
		e.data["requestHeaders"] = d
	}
	if d := r.headerChanges(before.respond, after.respond); d != nil {
		e.data["responseHeaders"] = d
	}
	variables := map[string]any{}
	for name, v := range after.variables {
		if old, there := before.variables[name]; !there || fmt.Sprint(old) != fmt.Sprint(v) {
			variables[name] = showVariable(name, v)
		}
	}
	if len(variables) > 0 {
		e.data["variables"] = variables
	}
}

// headerChanges are the headers that a statement set, with nil for those that it removed.
func (r *recording) headerChanges(before, after http.Header) map[string]any {
	var changes map[string]any
	note := func(name string, v any) {
		if changes == nil {
			changes = map[string]any{}
		}
		changes[name] = v
	}
	for name, values := range after {
		if !slices.Equal(before[name], values) {
			note(name, r.maskValue(name, strings.Join(values, ",")))
		}
	}
	for name := range before {
		if _, there := after[name]; !there {
			note(name, nil)
		}
	}
	return changes
}

const masked = "***"

// secretName says whether what has this name is likely a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"authorization", "cookie", "token", "secret", "password", "pwd", "key", "credential", "signature", "jwt"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func (r *recording) maskValue(name, value string) string {
	if secretName(name) || strings.EqualFold(name, r.keyHeader) {
		return masked
	}
	return value
}

func (r *recording) maskHeader(h http.Header) map[string]string {
	m := make(map[string]string, len(h))
	for name, values := range h {
		m[name] = r.maskValue(name, strings.Join(values, ","))
	}
	return m
}

// maskURL takes the values of secret parameters out of a URL's query. The order and spelling of the others stay.
func (r *recording) maskURL(text string) string {
	before, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if secretName(plain) || plain == r.keyQuery || plain == "code" || plain == "sig" {
			parts[i] = name + "=" + masked
		}
	}
	return before + "?" + strings.Join(parts, "&")
}

// maxShown is how many characters of a variable are shown.
const maxShown = 1024

func showVariable(name string, v any) any {
	if secretName(name) {
		return masked
	}
	switch v := v.(type) {
	case nil, bool, int, int32, int64, float64:
		return v
	case string:
		if len(v) > maxShown {
			return strings.ToValidUTF8(v[:maxShown], "") + "…"
		}
		return v
	}
	return fmt.Sprintf("%T", v)
}

// message notes what a trace statement says, or an expression by context.Trace.
func (r *recording) message(x *policy.Exchange, source, severity, text string) {
	section := "inbound"
	if p := x.Current(); p != nil {
		section = p.Section.String()
	}
	r.add(&traceEntry{section: section, source: source, at: time.Now(), data: map[string]any{"severity": severity, "message": text}})
}

// forwarded notes how a backend answered.
func (r *recording) forwarded(u *url.URL, status int, took time.Duration, err error) {
	data := map[string]any{"url": r.maskURL(u.String()), "duration": timeSpan(took)}
	if status != 0 {
		data["status"] = status
	}
	if err != nil {
		data["error"] = err.Error()
	}
	r.add(&traceEntry{section: "backend", source: "transport", at: time.Now(), data: data})
}

// traceDocument is a trace as listTrace shows it.
type traceDocument struct {
	ServiceName  string                      `json:"serviceName"`
	TraceID      string                      `json:"traceId"`
	TraceEntries map[string][]traceEntryJSON `json:"traceEntries"`
	Dropped      int                         `json:"droppedEntries,omitzero"`
}

type traceEntryJSON struct {
	Source    string         `json:"source"`
	Timestamp time.Time      `json:"timestamp"`
	Elapsed   string         `json:"elapsed"` // since the request came
	Data      map[string]any `json:"data"`
}

func (r *recording) document(service string) traceDocument {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := traceDocument{ServiceName: service, TraceID: r.id, TraceEntries: map[string][]traceEntryJSON{}, Dropped: r.dropped}
	for _, e := range r.entries {
		d.TraceEntries[e.section] = append(d.TraceEntries[e.section], traceEntryJSON{Source: e.source, Timestamp: e.at.UTC(), Elapsed: timeSpan(e.at.Sub(r.start)), Data: maps.Clone(e.data)})
	}
	return d
}

// timeSpan is a duration as .NET's TimeSpan.ToString shows it.
func timeSpan(d time.Duration) string {
	d = max(d, 0)
	text := fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	if ticks := d % time.Second / 100; ticks != 0 {
		text += fmt.Sprintf(".%07d", ticks)
	}
	return text
}

var _ policy.Recorder = (*recording)(nil)

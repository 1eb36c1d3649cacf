package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// liveTracePath is where an instance's events can be watched. Azure publishes no path for its live trace tool, so this one is our own.
const liveTracePath = "/livetrace"

// traceKinds are the values of the query parameter "categories".
var traceKinds = map[string]telemetry.TraceKind{
	"connectivity": telemetry.Connectivity,
	"messaging":    telemetry.Messaging,
	"http":         telemetry.HTTPRequest,
}

// liveTrace streams events as JSON, one a line, until the client goes away. It takes an access key's token whose audience is the URL, or the access
// token of a service owner.
func (i *instance) liveTrace(w http.ResponseWriter, r *http.Request) {
	bearer, ok := auth.TokenFrom(r)
	err := error(auth.MissingToken())
	if ok {
		_, err = i.access.Load().AuthorizeREST(r.Context(), bearer, liveTracePath, "", auth.ReadTrace, time.Now())
	}
	if e, ok := errors.AsType[*auth.RoleError](err); ok {
		http.Error(w, e.Error(), http.StatusForbidden)
		return
	}
	if err != nil {
		if e, ok := errors.AsType[*auth.Error](err); ok {
			w.Header().Set("WWW-Authenticate", e.Header())
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	kinds := telemetry.AllTraces
	if asked := r.URL.Query().Get("categories"); asked != "" {
		kinds = 0
		for name := range strings.SplitSeq(asked, ",") {
			kind, known := traceKinds[strings.TrimSpace(name)]
			if !known {
				http.Error(w, fmt.Sprintf("there is no category %q; there are connectivity, messaging and http", name), http.StatusBadRequest)
				return
			}
			kinds |= kind
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	flusher := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	if flusher.Flush() != nil {
		return
	}
	events, dropped := i.trace.Watch(r.Context(), kinds)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	missed := uint64(0)
	for e := range events {
		if err := encoder.Encode(e); err != nil {
			return
		}
		if n := dropped(); n > missed {
			missed = n
			if _, err := fmt.Fprintf(w, `{"operationName":"EventsDropped","message":"%d events so far came too fast to be shown"}`+"\n", n); err != nil {
				return
			}
		}
		if len(events) == 0 && flusher.Flush() != nil {
			return
		}
	}
}

// traceHTTP tells of requests, when somebody wants to know.
func (i *instance) traceHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !i.trace.Enabled(telemetry.HTTPRequest) {
			next.ServeHTTP(w, r)
			return
		}
		s := &statusWriter{ResponseWriter: w}
		start := time.Now()
		next.ServeHTTP(s, r)
		i.trace.Emit(telemetry.TraceEvent{
			Kind: telemetry.HTTPRequest, Collection: "HttpRequest", OperationName: "HttpRequest", CallerIP: peer(r).String(), HubName: r.URL.Query().Get("hub"),
			// The query is left out: it may hold a token.
			Message: fmt.Sprintf("%s %s answered %d in %d ms", r.Method, r.URL.Path, s.status, time.Since(start).Milliseconds()),
		})
	})
}

// statusWriter notes the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Write makes the status 200 when none was written.
func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Head passes on the news that a handler writes the head itself.
func (s *statusWriter) Head(status int) {
	s.status = status
	if h, ok := s.ResponseWriter.(interface{ Head(int) }); ok {
		h.Head(status)
	}
}

// Unwrap lets a handler flush or take over the connection.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// tracesOf are the kinds of events that a resource wants in the log.
func tracesOf(r *resource.SignalR) telemetry.TraceKind {
	var k telemetry.TraceKind
	for _, s := range []struct {
		on   bool
		kind telemetry.TraceKind
	}{{r.Logs.Connectivity, telemetry.Connectivity}, {r.Logs.Messaging, telemetry.Messaging}, {r.Logs.HTTPRequest, telemetry.HTTPRequest}} {
		if s.on {
			k |= s.kind
		}
	}
	return k
}

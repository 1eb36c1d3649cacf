package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// Headers of the request tracer (api-management-howto-api-inspector).
const (
	debugHeader        = "Apim-Debug-Authorization"
	debugExpiredHeader = "Apim-Debug-Authorization-Expired"
	debugWrongHeader   = "Apim-Debug-Authorization-Wrongapi"
	traceIDHeader      = "Apim-Trace-Id"
	legacyTraceHeader  = "Ocp-Apim-Trace"
	locationHeader     = "Ocp-Apim-Trace-Location"
)

// TracePath is where the traces that Ocp-Apim-Trace asked for are read, followed by their ids. An id cannot be guessed, as the
// addresses of Azure's blobs cannot.
const TracePath = "/trace-0123456789abcdef/"

// MaxDebugCredentials is how long debug credentials may be valid: an hour.
const MaxDebugCredentials = time.Hour

// keptTraces is how many traces a gateway keeps.
const keptTraces = 100

// traces are the last traces, and the key that debug credentials are signed with.
type traces struct {
	key []byte

	mu   sync.Mutex
	ring [keptTraces]*recording // guarded by mu
	next int                    // guarded by mu
}

func newTraces(key []byte) *traces {
	if len(key) == 0 {
		key = make([]byte, 32)
		rand.Read(key) // It never fails.
	}
	return &traces{key: key}
}

// debugClaims is what debug credentials say.
type debugClaims struct {
	API     string    `json:"api"` // name of the API
	Expires time.Time `json:"exp"`
}

// DebugCredentials makes a token for [debugHeader] that allows to trace requests to an API until it expires, which is after at most
// [MaxDebugCredentials]. api is the API's name, without its revision.
func (g *Gateway) DebugCredentials(api string, expireAfter time.Duration) (string, error) {
	if expireAfter <= 0 || expireAfter > MaxDebugCredentials {
		return "", fmt.Errorf("debug credentials are valid for up to %s, not %s", MaxDebugCredentials, expireAfter)
	}
	claims, err := json.Marshal(debugClaims{API: strings.ToLower(api), Expires: time.Now().Add(expireAfter).UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(g.traces.sign(text)), nil
}

func (s *traces) sign(text string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(text)) // It never fails.
	return mac.Sum(nil)
}

var errCredentials = errors.New("these are no debug credentials of this gateway")

func (s *traces) verify(token string) (debugClaims, error) {
	var claims debugClaims
	text, signature, found := strings.Cut(token, ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if !found || err != nil || !hmac.Equal(given, s.sign(text)) {
		return claims, errCredentials
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return claims, errCredentials
	}
	return claims, json.Unmarshal(data, &claims)
}

// Trace is the trace with this id as JSON: traceId, serviceName and traceEntries, a list for each section that ran. ok is false when
// it is not among the last hundred, or was made by another node.
func (g *Gateway) Trace(id string) (document []byte, ok bool) {
	s := g.traces
	s.mu.Lock()
	var found *recording
	for _, r := range s.ring {
		if r != nil && r.id == id {
			found = r
		}
	}
	s.mu.Unlock()
	if found == nil {
		return nil, false
	}
	document, err := json.Marshal(found.document(g.options.Service.Name()), json.Deterministic(true))
	return document, err == nil
}

func (s *traces) keep(r *recording) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring[s.next] = r
	s.next = (s.next + 1) % keptTraces
}

// startTrace begins to record the request when it asks for that and may: with debug credentials for its API, or with the key of a
// subscription that allows tracing.
func (t *transaction) startTrace() {
	x := &t.x
	header := x.Inbound.Header
	token, legacy := header.Get(debugHeader), strings.EqualFold(header.Get(legacyTraceHeader), "true")
	if token == "" && !legacy {
		return
	}
	if x.Request.Header != nil { // The backend has no business with either.
		delete(x.Request.Header, debugHeader)
		delete(x.Request.Header, legacyTraceHeader)
	}
	switch {
	case token != "":
		claims, err := t.g.traces.verify(token)
		switch {
		case err != nil:
			return
		case x.Start.After(claims.Expires):
			x.Promise(debugExpiredHeader, claims.Expires.Format(time.RFC3339))
			return
		case x.API == nil || !strings.EqualFold(claims.API, x.API.BaseName()):
			x.Promise(debugWrongHeader, claims.API)
			return
		}
	case x.Subscription == nil || !x.Subscription.AllowTracing:
		return
	}
	var id [16]byte
	rand.Read(id[:]) // It never fails.
	r := &recording{id: hex.EncodeToString(id[:]), start: x.Start}
	if x.API != nil {
		r.keyHeader, r.keyQuery = x.API.KeyNames()
	}
	t.recording, x.Recorder, x.Tracer = r, r, t
	if token != "" {
		x.Promise(traceIDHeader, r.id)
	} else {
		scheme := "http"
		if x.Inbound.TLS != nil {
			scheme = "https"
		}
		x.Promise(locationHeader, scheme+"://"+x.Inbound.Host+TracePath+r.id)
	}
	r.received(x)
	t.g.traces.keep(r)
}

// serveTrace answers a request for a trace.
func (g *Gateway) serveTrace(w http.ResponseWriter, id string) {
	document, ok := g.Trace(id)
	if !ok {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.WriteHeader(http.StatusNotFound)
		// An error is the client's, which hears of nothing any more.
		_, _ = w.Write(policy.ErrorBody(http.StatusNotFound, "Resource not found", ""))
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Cache-Control"] = []string{"no-store"}
	_, _ = w.Write(document)
}

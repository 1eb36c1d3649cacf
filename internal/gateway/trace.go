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

// DebugHeader is the header for debug credentials.
const DebugHeader = "Apim-Debug-Authorization"

// Other headers of the request tracer (api-management-howto-api-inspector).
const (
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

// DebugPurpose is what debug credentials are for.
type DebugPurpose string

// The purposes of debug credentials.
const (
	// PurposeTracing is Azure's one purpose: requests to an API are traced, and those traces may be read.
	PurposeTracing DebugPurpose = "tracing"
	// PurposeReading lets the traces of requests to any API of the service be read. It is our own, in the place of a right at the management plane.
	PurposeReading DebugPurpose = "reading"
)

// DebugCredentials say what whoever has them may do (the contract of listDebugCredentials, and the service that Azure takes from the URL).
type DebugCredentials struct {
	Service string       `json:"service"`      // name of the service, in lower case
	API     string       `json:"api,omitzero"` // name of the API in lower case, without its revision; "" for those that only read
	Purpose DebugPurpose `json:"purpose"`
	Expires time.Time    `json:"exp"`
}

// NewDebugCredentials makes a token for [DebugHeader]. api is the API's name without its revision, expireAfter at most [MaxDebugCredentials].
// A gateway of the service takes it when it has the same key.
func NewDebugCredentials(key []byte, service, api string, purpose DebugPurpose, expireAfter time.Duration) (string, error) {
	switch {
	case expireAfter < time.Second || expireAfter > MaxDebugCredentials:
		return "", fmt.Errorf("debug credentials are valid for 1s to %s, not %s", MaxDebugCredentials, expireAfter)
	case purpose != PurposeTracing && purpose != PurposeReading:
		return "", fmt.Errorf("debug credentials are for %s or %s, not %q", PurposeTracing, PurposeReading, purpose)
	case purpose == PurposeTracing && api == "":
		return "", errors.New("debug credentials for tracing need the name of an API")
	case strings.Contains(api, ";"):
		return "", fmt.Errorf("debug credentials are for all revisions of an API; give its name without %s", api[strings.IndexByte(api, ';'):])
	}
	claims, err := json.Marshal(DebugCredentials{Service: strings.ToLower(service), API: strings.ToLower(api), Purpose: purpose, Expires: time.Now().Add(expireAfter).UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(sign(key, text)), nil
}

// DebugCredentials makes a token for tracing requests to an API, as [NewDebugCredentials] does.
func (g *Gateway) DebugCredentials(api string, expireAfter time.Duration) (string, error) {
	return NewDebugCredentials(g.traces.key, g.options.Service.Name(), api, PurposeTracing, expireAfter)
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text)) // It never fails.
	return mac.Sum(nil)
}

var errCredentials = errors.New("these are no debug credentials of this gateway")

// verify reads a token that was made with the gateway's key for its service. Whether it has expired is the caller's matter.
func (g *Gateway) verify(token string) (DebugCredentials, error) {
	var claims DebugCredentials
	text, signature, found := strings.Cut(token, ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if !found || err != nil || !hmac.Equal(given, sign(g.traces.key, text)) {
		return claims, errCredentials
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &claims)
	}
	if err != nil || !strings.EqualFold(claims.Service, g.options.Service.Name()) {
		return DebugCredentials{}, errCredentials
	}
	return claims, nil
}

// Trace is the trace with this id as JSON: traceId, serviceName and traceEntries, a list for each section that ran. ok is false when
// it is not among the last hundred, or was made by another node.
func (g *Gateway) Trace(id string) (document []byte, ok bool) {
	found := g.traces.find(id)
	if found == nil {
		return nil, false
	}
	document, err := json.Marshal(found.document(g.options.Service.Name()), json.Deterministic(true))
	return document, err == nil
}

func (s *traces) find(id string) *recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.ring {
		if r != nil && r.id == id {
			return r
		}
	}
	return nil
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
	token, legacy := header.Get(DebugHeader), strings.EqualFold(header.Get(legacyTraceHeader), "true")
	if token == "" && !legacy {
		return
	}
	if x.Request.Header != nil { // The backend has no business with either.
		delete(x.Request.Header, DebugHeader)
		delete(x.Request.Header, legacyTraceHeader)
	}
	switch {
	case token != "":
		claims, err := t.g.verify(token)
		switch {
		case err != nil || claims.Purpose != PurposeTracing:
			t.g.options.Logger.Debug("a request is not traced: its debug credentials are none of this gateway's, or not for tracing", "correlationId", x.RequestID())
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
		r.api = x.API.BaseName()
	}
	t.recording, x.Recorder, x.Tracer = r, r, t
	if token != "" {
		r.guarded = true
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

// serveTrace answers a request for a trace. The address of one that Ocp-Apim-Trace asked for is all that it takes to read it, as in Azure.
// The id of one that debug credentials asked for is not: it takes credentials for the same API, or for reading.
func (g *Gateway) serveTrace(w http.ResponseWriter, r *http.Request, id string) {
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Cache-Control"] = []string{"no-store"}
	found := g.traces.find(id)
	status, message := http.StatusOK, ""
	switch {
	case found == nil:
		status, message = http.StatusNotFound, "Resource not found"
	case found.guarded:
		status, message = g.mayRead(w.Header(), r.Header.Get(DebugHeader), found)
	}
	var document []byte
	if status == http.StatusOK {
		var err error
		if document, err = json.Marshal(found.document(g.options.Service.Name()), json.Deterministic(true)); err != nil {
			g.options.Logger.Error("a trace cannot be written", "reason", err)
			status, message = http.StatusInternalServerError, "Internal server error"
		}
	}
	if status != http.StatusOK {
		document = policy.ErrorBody(status, message, "")
	}
	w.WriteHeader(status)
	// An error is the client's, which hears of nothing any more.
	_, _ = w.Write(document)
}

// mayRead says whether debug credentials let a trace be read; the header of the answer gets what tells why not.
func (g *Gateway) mayRead(header http.Header, token string, r *recording) (status int, message string) {
	claims, err := g.verify(token)
	switch {
	case token == "":
		message = "Access denied due to missing debug credentials. The trace is read with credentials in the header " + DebugHeader + "."
	case err != nil:
		message = "Access denied due to invalid debug credentials. They must be made for this service with its debug key."
	case time.Now().After(claims.Expires):
		header[debugExpiredHeader] = []string{claims.Expires.Format(time.RFC3339)}
		message = "Access denied due to expired debug credentials. New ones let the trace be read while it is kept."
	case claims.Purpose == PurposeTracing && !strings.EqualFold(claims.API, r.api):
		header[debugWrongHeader] = []string{claims.API}
		return http.StatusForbidden, "Access denied. The debug credentials are for another API than the traced request."
	default:
		return http.StatusOK, ""
	}
	header["Www-Authenticate"] = []string{`AzureApiManagementDebug name="` + DebugHeader + `",type="header"`}
	return http.StatusUnauthorized, message
}

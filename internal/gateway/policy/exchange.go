package policy

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/gateway/match"
	"github.com/hubgate/hubgate/internal/resource"
)

// Exchange is one request on its way through the gateway, and its response. One goroutine owns it at a time.
type Exchange struct {
	Context context.Context // ends when the client goes
	Inbound *http.Request   // what the client sent; policies never change it
	Start   time.Time
	Client  netip.Addr // the client's address behind trusted proxies; the zero value when it is the peer's

	API          *resource.API       // nil when none matched
	Operation    *resource.Operation // nil when none matched
	Product      *resource.Product   // nil without the context of a product
	Subscription *resource.Subscription
	User         *resource.User    // whom the subscription belongs to; nil for none
	Groups       []*resource.Group // of the user
	Match        match.Match
	Handshake    bool // the request opens a WebSocket on a WebSocket API

	Request  Request
	Response Response
	// Variables are what set-variable stored: any value that an expression gave. Nil until the first is set.
	Variables map[string]any
	LastError *LastError // what went wrong; nil until something did

	Forwarder Forwarder // sends Request to its backend
	Tracer    Tracer    // receives trace messages; may be nil
	Meter     Meter     // receives the metrics of emit-metric; may be nil
	Recorder  Recorder  // receives each statement that runs; may be nil
	Pipeline  *Pipeline

	// Tail is true while the statement that runs is the last that the backend section will run. A forwarder may then
	// write the response itself, for nothing but the outbound section comes after it.
	Tail bool

	// Key is the subscription key that the client sent; "" when it sent none that counts.
	Key string
	// Evaluation is what the compiler of expressions keeps for the exchange, across resets too.
	Evaluation any

	// RequestSize and ResponseSize are the bytes of the bodies that came from and went to the client, known at the end only.
	RequestSize, ResponseSize int64

	generation uint64 // of requests that used this memory

	id        string
	cors      *corsGrant // headers that every response from now on gets
	promised  []headerLine
	counted   []limit.Key   // counters that this request has counted in
	responded []Afterwards  // run once the response is decided
	finished  []Afterwards  // run once the response is out
	caching   *cacheAttempt // what cache-lookup looked for; nil without it
	baton     *sync.Mutex   // held by the one of several goroutines that may touch the exchange; nil while there is one only
	corsRan   bool
	current   *Place // of the statement that runs
	completed bool
	ended     bool
}

// Request is the request as the backend will get it.
type Request struct {
	Method  string
	Backend *url.URL // base URL: the API's serviceUrl or what set-backend-service chose; nil when there is none
	// Credentials go with each request to the backend that set-backend-service chose by id.
	Credentials *resource.Backend
	// Certificate is the client's certificate for the backend, nil for none.
	Certificate *tls.Certificate
	Path        string // escaped, below Backend's path: "" or with a leading slash
	RawQuery    string
	Host        string      // "" means the backend's
	Header      http.Header // a copy of the client's
	Body        Body
	// Proxy is the HTTP proxy on the way to the backend; nil for none.
	Proxy *url.URL
}

// URL is the address that the request goes to, or nil when there is no backend. It is made anew by each call.
func (r *Request) URL() *url.URL {
	if r.Backend == nil {
		return nil
	}
	u := *r.Backend
	u.RawQuery = r.RawQuery
	base := u.EscapedPath()
	if r.Path != "" || base == "" || base == "/" {
		for len(base) > 0 && base[len(base)-1] == '/' {
			base = base[:len(base)-1]
		}
		base += r.Path
	} else if base[len(base)-1] == '/' {
		// The client wrote no slash after the suffix, so the backend gets none: both sides treat one at the end of a
		// configured URL as no part of the name.
		base = base[:len(base)-1]
	}
	if base == "" {
		base = "/"
	}
	u.Path, u.RawPath = base, ""
	if decoded, err := url.PathUnescape(base); err == nil && decoded != base {
		u.Path, u.RawPath = decoded, base
	}
	return &u
}

// Response is the response as the client will get it.
type Response struct {
	// Status is 0 until there is a response.
	Status  int
	Reason  string // for expressions only: the gateway writes the standard one
	Header  http.Header
	Body    Body
	Trailer *http.Header // the backend's, whole once its body is read: what is not announced appears only then; nil for none

	// FromBackend says that a backend gave the response, not a policy.
	FromBackend bool
}

// Forwarder sends the exchange's request to its backend and fills in the response up to its head. When the exchange's Tail
// is set it may instead call [Exchange.Complete] and write the whole response itself.
type Forwarder interface {
	Forward(x *Exchange, o *ForwardOptions) error
}

// ForwardOptions are the settings of a forward-request statement.
type ForwardOptions struct {
	Timeout            time.Duration // until the response's head; 0 means the default, 300 s
	HTTPVersion        string        // 1, 2or1 or 2
	FollowRedirects    bool
	BufferRequestBody  bool
	BufferResponse     BufferMode
	FailOnErrorStatus  bool
	DefaultHTTPVersion bool // the statement names no version
}

// BufferMode says when parts of a response's body go out.
type BufferMode uint8

// The buffer modes.
const (
	BufferAutomatic BufferMode = iota // at once for event streams and bodies of unknown length, else as they fill a buffer
	BufferOn                          // as they fill a buffer, but event streams at once
	BufferOff                         // at once
)

// Tracer receives what policies have to tell about a request.
type Tracer interface {
	Trace(x *Exchange, source, severity, message string)
}

// LastError is context.LastError (api-management-error-handling-policies).
type LastError struct {
	Source        string // the policy's element name, or configuration or authorization
	Reason        string
	Message       string
	Scope         string // global, product, api or operation
	Section       string // inbound, backend, outbound or on-error
	Path          string // like choose[3]/when[2]
	PolicyID      string
	HTTPErrorCode int

	failure error
}

// Reset makes the exchange ready for another request, keeping what memory it can.
func (x *Exchange) Reset() {
	m := x.Match
	m.Reset()
	clear(x.Variables)
	clear(x.promised)
	clear(x.counted)
	clear(x.responded[:cap(x.responded)])
	clear(x.finished[:cap(x.finished)])
	*x = Exchange{Match: m, Variables: x.Variables, Evaluation: x.Evaluation, generation: x.generation + 1, promised: x.promised[:0], counted: x.counted[:0], responded: x.responded[:0], finished: x.finished[:0]}
}

// Generation tells apart the requests that used the same exchange one after the other.
func (x *Exchange) Generation() uint64 { return x.generation }

// RequestID is the id of the request, a random GUID: context.RequestId and the activityId of error bodies.
func (x *Exchange) RequestID() string {
	if x.id == "" {
		var b [16]byte
		rand.Read(b[:]) // It never fails: crypto/rand ends the program first.
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		var text [36]byte
		hex.Encode(text[0:8], b[0:4])
		hex.Encode(text[9:13], b[4:6])
		hex.Encode(text[14:18], b[6:8])
		hex.Encode(text[19:23], b[8:10])
		hex.Encode(text[24:36], b[10:16])
		text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
		x.id = string(text[:])
	}
	return x.id
}

// SetVariable stores a value under a name. Names are compared exactly.
func (x *Exchange) SetVariable(name string, value any) {
	if x.Variables == nil {
		x.Variables = map[string]any{}
	}
	x.Variables[name] = value
}

// Respond begins a response of the gateway's own, dropping the one there was. Headers that cors granted are in it.
func (x *Exchange) Respond(status int) {
	x.Response.Body.Close()
	x.Response = Response{Status: status, Header: http.Header{}}
	x.decorate(x.Response.Header)
}

// decorate puts into a response's head what policies granted and promised before there was one.
func (x *Exchange) decorate(header http.Header) {
	x.cors.apply(header)
	for _, line := range x.promised {
		header[line.name] = []string{line.value}
	}
}

// headerLine is a header with a canonical name.
type headerLine struct{ name, value string }

// promise puts a header into the response, whichever it will be. The name is canonical; a later promise of it counts.
func (x *Exchange) promise(name, value string) {
	if x.HasResponse() {
		x.Response.Header[name] = []string{value}
	}
	for i := range x.promised {
		if x.promised[i].name == name {
			x.promised[i].value = value
			return
		}
	}
	x.promised = append(x.promised, headerLine{name, value})
}

// Afterwards is what a policy has to do later in the life of an exchange.
type Afterwards interface {
	// Afterwards runs once. The response is decided; whether it is out depends on where it was noted.
	Afterwards(x *Exchange)
}

// respond runs what waits for the response to be decided.
func (x *Exchange) respond() {
	for i := 0; i < len(x.responded); i++ {
		x.responded[i].Afterwards(x)
	}
	x.responded = x.responded[:0]
}

// Finish runs what policies have to do after the response is out. The owner of the exchange calls it last.
func (x *Exchange) Finish() {
	for i := 0; i < len(x.finished); i++ {
		x.finished[i].Afterwards(x)
	}
	x.finished = x.finished[:0]
}

// blocking runs what waits for the network without touching the exchange. While several goroutines share the exchange, another
// may have it meanwhile.
func (x *Exchange) blocking(wait func()) {
	if baton := x.baton; baton != nil {
		baton.Unlock()
		defer baton.Lock()
	}
	wait()
}

// ReceiveHead notes the head of the backend's response and grants it the headers of cors.
func (x *Exchange) ReceiveHead(status int, header http.Header) {
	x.Response.Status, x.Response.Reason, x.Response.Header, x.Response.FromBackend = status, "", header, true
	x.decorate(header)
}

// Completed says whether the outbound or on-error section has run, after which the response may be written.
func (x *Exchange) Completed() bool { return x.completed }

// HasResponse says whether there is a response.
func (x *Exchange) HasResponse() bool { return x.Response.Status != 0 }

func (x *Exchange) trace(source, severity, message string) {
	if x.Tracer != nil {
		x.Tracer.Trace(x, source, severity, message)
	}
}

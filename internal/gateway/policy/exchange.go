package policy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/match"
	"github.com/hubgate/hubgate/internal/resource"
)

// Exchange is one request on its way through the gateway, and its response. One goroutine owns it at a time.
type Exchange struct {
	Context context.Context // ends when the client goes
	Inbound *http.Request   // what the client sent; policies never change it
	Start   time.Time

	API          *resource.API       // nil when none matched
	Operation    *resource.Operation // nil when none matched
	Product      *resource.Product   // nil without the context of a product
	Subscription *resource.Subscription
	Match        match.Match
	Handshake    bool // the request opens a WebSocket on a WebSocket API

	Request  Request
	Response Response
	// Variables are what set-variable stored: any value that an expression gave. Nil until the first is set.
	Variables map[string]any
	LastError *LastError // what went wrong; nil until something did

	Forwarder Forwarder // sends Request to its backend
	Tracer    Tracer    // receives trace messages; may be nil
	Pipeline  *Pipeline

	// Tail is true while the statement that runs is the last that the backend section will run. A forwarder may then
	// write the response itself, for nothing but the outbound section comes after it.
	Tail bool

	id        string
	cors      *corsGrant // headers that every response from now on gets
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
	Path        string // escaped, below Backend's path: "" or with a leading slash
	RawQuery    string
	Host        string      // "" means the backend's
	Header      http.Header // a copy of the client's
	Body        Body
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
	Trailer http.Header // filled in by the backend while the body is read; nil when it announced none

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
	variables := x.Variables
	clear(variables)
	*x = Exchange{Match: m, Variables: variables}
}

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
	x.cors.apply(x.Response.Header)
}

// ReceiveHead notes the head of the backend's response and grants it the headers of cors.
func (x *Exchange) ReceiveHead(status int, header http.Header) {
	x.Response.Status, x.Response.Reason, x.Response.Header, x.Response.FromBackend = status, "", header, true
	x.cors.apply(header)
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

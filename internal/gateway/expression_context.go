package gateway

import (
	"crypto/x509"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// evaluation is what the expressions of one exchange see. The exchange keeps it; it points to what the exchange holds and copies
// nothing that an expression does not ask for.
type evaluation struct {
	expressions *expressions
	x           *policy.Exchange
	generation  uint64 // of the exchange, to tell apart two requests that used the same memory

	context      expr.Context
	api          expr.API
	operation    expr.Operation
	product      expr.Product
	subscription expr.Subscription
	lastError    expr.LastError
	serviceURL   expr.URL
}

func newEvaluation(c *expressions) *evaluation {
	s := &evaluation{expressions: c}
	s.context.Trace = s.trace
	return s
}

// begin shows another exchange.
func (s *evaluation) begin(x *policy.Exchange) {
	s.x, s.generation = x, x.Generation()
	trace := s.context.Trace
	s.context = expr.Context{
		Timestamp: x.Start, Tracing: x.Tracer != nil, Trace: trace,
		Deployment: s.expressions.deployment,
		Request:    (*currentRequest)(s), Variables: (*variables)(s),
	}
	if a := x.API; a != nil {
		header, query := a.KeyNames()
		s.api = expr.API{ID: a.BaseName(), Name: a.DisplayName, Path: a.Suffix(), Version: a.APIVersion, Revision: a.Revision(), IsCurrentRevision: a.Current(), Protocols: a.Protocols, KeyHeader: header, KeyQuery: query}
		s.context.API = &s.api
	}
	if o := x.Operation; o != nil {
		s.operation = expr.Operation{ID: o.ID.Name(), Method: o.Method, Name: o.DisplayName, URLTemplate: o.URLTemplate}
		s.context.Operation = &s.operation
	}
	if p := x.Product; p != nil {
		s.product = expr.Product{ID: p.ID.Name(), Name: p.DisplayName, ApprovalRequired: p.ApprovalRequired, SubscriptionRequired: p.SubscriptionRequired, Published: p.State == resource.ProductPublished}
		if n := p.SubscriptionsLimit; n != nil {
			most := int32(*n)
			s.product.SubscriptionLimit = &most
		}
		s.context.Product = &s.product
	}
	if u := x.Subscription; u != nil {
		s.subscription = expr.Subscription{ID: u.ID.Name(), Name: u.DisplayName, Key: x.Key, PrimaryKey: u.PrimaryKey, SecondaryKey: u.SecondaryKey, CreatedDate: u.CreatedDate, StartDate: u.StartDate, EndDate: u.ExpirationDate}
		s.context.Subscription = &s.subscription
	}
}

// showUser makes context.User, whose groups are lists of their own.
func (s *evaluation) showUser() {
	u := s.x.User
	if u == nil || s.context.User != nil {
		return
	}
	user := &expr.User{ID: u.ID.Name(), Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, Note: u.Note, RegistrationDate: u.RegistrationDate}
	for _, g := range s.x.Groups {
		user.Groups = append(user.Groups, expr.Group{ID: g.ID.Name(), Name: g.DisplayName})
	}
	for _, i := range u.Identities {
		user.Identities = append(user.Identities, expr.Identity{ID: i.ID, Provider: i.Provider})
	}
	s.context.User = user
}

// showService makes context.Api.ServiceUrl, which few expressions ask for.
func (s *evaluation) showService() {
	if s.x.API == nil || s.api.ServiceURL != nil || s.x.API.ServiceURL == "" {
		return
	}
	u, err := url.Parse(s.x.API.ServiceURL)
	if err != nil { // Validate has parsed it.
		return
	}
	s.serviceURL = expressionURL(u)
	s.api.ServiceURL = &s.serviceURL
}

func (s *evaluation) trace(message string) {
	if t := s.x.Tracer; t != nil {
		t.Trace(s.x, "context.Trace", "verbose", message)
	}
}

// expressionURL is a URL as an IUrl shows it.
func expressionURL(u *url.URL) expr.URL {
	e := expr.URL{Scheme: u.Scheme, Host: u.Hostname(), Path: u.EscapedPath()}
	if e.Port, _ = strconv.Atoi(u.Port()); e.Port == 0 {
		e.Port = 80
		if u.Scheme == "https" || u.Scheme == "wss" {
			e.Port = 443
		}
	}
	if u.RawQuery != "" {
		e.QueryString = "?" + u.RawQuery
	}
	return e
}

// currentRequest is context.Request.
type currentRequest evaluation

// Method is the method of the request to the backend.
func (r *currentRequest) Method() string {
	if r.x.Request.Method == "" {
		return r.x.Inbound.Method // No policy has a request to work on when none matched.
	}
	return r.x.Request.Method
}

// IPAddress is the client's, or null when it has none.
func (r *currentRequest) IPAddress() string {
	a, ok := r.x.CallerAddress()
	if !ok {
		return ""
	}
	return a.String()
}

// URL is where the request goes; without a backend it is what the client asked for.
func (r *currentRequest) URL() *expr.URL {
	u := r.x.Request.URL()
	if u == nil {
		return r.OriginalURL()
	}
	e := expressionURL(u)
	return &e
}

// OriginalURL is what the client asked for.
func (r *currentRequest) OriginalURL() *expr.URL {
	u := url.URL{Scheme: "http", Host: r.x.Inbound.Host, Path: r.x.Inbound.URL.Path, RawPath: r.x.Inbound.URL.RawPath, RawQuery: r.x.Inbound.URL.RawQuery}
	if r.x.Inbound.TLS != nil {
		u.Scheme = "https"
	}
	if r.x.Handshake {
		u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	}
	e := expressionURL(&u)
	return &e
}

// MatchedParameters are the parameters of the operation's URL template.
func (r *currentRequest) MatchedParameters() map[string]string {
	m := make(map[string]string, r.x.Match.Len())
	for i := range r.x.Match.Len() {
		name, value := r.x.Match.Parameter(i)
		m[name] = value
	}
	return m
}

// Headers are those of the request to the backend, with the Host that the client sent unless a policy set another.
func (r *currentRequest) Headers() expr.Headers { return (*requestHeaders)(r) }

// Body is the body of the request, null when there is none.
func (r *currentRequest) Body() expr.Body {
	if r.x.Request.Body.Length() == 0 && !r.x.Request.Body.Replaced() {
		return nil
	}
	return (*currentBody)(&r.x.Request.Body)
}

// Certificate is the client's.
func (r *currentRequest) Certificate() *x509.Certificate {
	if state := r.x.Inbound.TLS; state != nil && len(state.PeerCertificates) > 0 {
		return state.PeerCertificates[0]
	}
	return nil
}

// PrivateEndpointConnection is null: there are no private endpoints.
func (r *currentRequest) PrivateEndpointConnection() *expr.PrivateEndpointConnection { return nil }

// requestHeaders are context.Request.Headers.
type requestHeaders currentRequest

func (h *requestHeaders) header() http.Header {
	if h.x.Request.Header == nil {
		return h.x.Inbound.Header
	}
	return h.x.Request.Header
}

// Values are the values of a header.
func (h *requestHeaders) Values(name string) []string {
	canonical := http.CanonicalHeaderKey(name)
	if canonical == "Host" {
		host := h.x.Request.Host
		if host == "" {
			host = h.x.Inbound.Host
		}
		return []string{host}
	}
	return h.header()[canonical]
}

// Names are the names of the headers, sorted.
func (h *requestHeaders) Names() []string {
	names := slices.Collect(maps.Keys(h.header()))
	if !slices.Contains(names, "Host") {
		names = append(names, "Host")
	}
	slices.Sort(names)
	return names
}

// currentBody is the body of context.Request or context.Response.
type currentBody policy.Body

// Bytes reads the body into memory. A body that is not preserved is gone afterwards.
func (b *currentBody) Bytes(preserve bool) ([]byte, error) {
	body := (*policy.Body)(b)
	data, err := body.Bytes()
	if err == nil && !preserve {
		body.Consume()
	}
	return data, err
}

// currentResponse is context.Response.
type currentResponse evaluation

// StatusCode is the status.
func (r *currentResponse) StatusCode() int { return r.x.Response.Status }

// StatusReason is the reason phrase.
func (r *currentResponse) StatusReason() string { return reason(&r.x.Response) }

func reason(r *policy.Response) string {
	if r.Reason != "" {
		return r.Reason
	}
	return http.StatusText(r.Status)
}

// Headers are those of the response.
func (r *currentResponse) Headers() expr.Headers { return expr.HeaderMap(r.x.Response.Header) }

// Body is the body of the response.
func (r *currentResponse) Body() expr.Body { return (*currentBody)(&r.x.Response.Body) }

// heldResponse is a response that send-request put into a variable. It is in memory, and reading it leaves it there.
type heldResponse struct{ response *policy.Response }

// StatusCode is the status.
func (r *heldResponse) StatusCode() int { return r.response.Status }

// StatusReason is the reason phrase.
func (r *heldResponse) StatusReason() string { return reason(r.response) }

// Headers are those of the response.
func (r *heldResponse) Headers() expr.Headers { return expr.HeaderMap(r.response.Header) }

// Body is the body of the response.
func (r *heldResponse) Body() expr.Body { return (*heldBody)(&r.response.Body) }

type heldBody policy.Body

// Bytes is the body.
func (b *heldBody) Bytes(bool) ([]byte, error) { return (*policy.Body)(b).Bytes() }

// variables are context.Variables.
type variables evaluation

// Variable is the value of a variable.
func (v *variables) Variable(name string) (expr.Value, bool) {
	value, ok := v.x.Variables[name]
	return v.expressions.toExpression(value), ok
}

// VariableNames are the names, sorted.
func (v *variables) VariableNames() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(v.x.Variables)))
}

var (
	_ expr.Request   = (*currentRequest)(nil)
	_ expr.Response  = (*currentResponse)(nil)
	_ expr.Response  = (*heldResponse)(nil)
	_ expr.Headers   = (*requestHeaders)(nil)
	_ expr.Body      = (*currentBody)(nil)
	_ expr.Body      = (*heldBody)(nil)
	_ expr.Variables = (*variables)(nil)
)

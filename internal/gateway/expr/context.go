package expr

import (
	"crypto/x509"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Context is what `context` shows to an expression. A gateway fills it with pointers to what its snapshot and the request hold already;
// nothing is read or converted before an expression asks for it. A nil pointer or interface is null to the expression.
type Context struct {
	// RequestID is context.RequestId.
	RequestID Guid
	// Timestamp is when the request arrived.
	Timestamp time.Time
	// Elapsed returns the time since then; nil stands for the clock's difference to Timestamp.
	Elapsed func() time.Duration
	// Tracing is whether the request is traced.
	Tracing bool
	// Trace takes the messages of context.Trace; nil drops them.
	Trace func(message string)

	API          *API
	Operation    *Operation
	Product      *Product
	Subscription *Subscription
	User         *User
	Deployment   *Deployment
	LastError    *LastError
	Request      Request
	Response     Response
	Variables    Variables
}

// API is context.Api, and an entry of context.Product.Apis, which shows ID, Name and Path only.
type API struct {
	ID, Name, Path, Version, Revision string
	IsCurrentRevision                 bool
	ServiceURL                        *URL
	Protocols                         []string
	// KeyHeader and KeyQuery name where the subscription key is expected.
	KeyHeader, KeyQuery string
}

// Operation is context.Operation.
type Operation struct{ ID, Method, Name, URLTemplate string }

// Product is context.Product.
type Product struct {
	ID, Name                               string
	ApprovalRequired, SubscriptionRequired bool
	// SubscriptionLimit is nil where there is no limit.
	SubscriptionLimit *int32
	// Published is whether context.Product.State is Published.
	Published bool
	APIs      []*API
	Groups    []Group
}

// Group is a group of a product or a user.
type Group struct{ ID, Name string }

// Subscription is context.Subscription. A zero StartDate or EndDate is null.
type Subscription struct {
	ID, Name, Key, PrimaryKey, SecondaryKey string
	CreatedDate, StartDate, EndDate         time.Time
}

// User is context.User.
type User struct {
	ID, Email, FirstName, LastName, Note string
	RegistrationDate                     time.Time
	Groups                               []Group
	Identities                           []Identity
}

// Identity is an entry of context.User.Identities.
type Identity struct{ ID, Provider string }

// Deployment is context.Deployment.
type Deployment struct {
	GatewayID, Region, ServiceID, ServiceName string
	// InstanceID and IsManaged are shown under Gateway, whose Id is GatewayID.
	InstanceID   string
	IsManaged    bool
	Certificates map[string]*x509.Certificate
}

// LastError is context.LastError.
type LastError struct {
	Source, Reason, Message, Scope, Section, Path, PolicyID string
	HTTPErrorCode                                           int32
}

// URL is an IUrl. The query is decoded from QueryString when an expression asks for it.
type URL struct {
	Scheme, Host string
	Port         int
	Path         string
	// QueryString begins with a question mark, or is empty.
	QueryString string
}

// Headers are the headers of a request or response.
type Headers interface {
	// Values returns the values of a header, whose name ignores case; nil if there is none.
	Values(name string) []string
	// Names returns the names in a stable order.
	Names() []string
}

// Body is a message body.
type Body interface {
	// Bytes reads the body. Unless preserve is set the body is used up by it. An error is an InvalidOperationException to the expression.
	Bytes(preserve bool) ([]byte, error)
}

// Request is context.Request.
type Request interface {
	Method() string
	IPAddress() string
	URL() *URL
	OriginalURL() *URL
	MatchedParameters() map[string]string
	Headers() Headers
	// Body returns nil where the request has none.
	Body() Body
	// Certificate returns the client's certificate or nil.
	Certificate() *x509.Certificate
	// PrivateEndpointConnection returns nil for a public request.
	PrivateEndpointConnection() *PrivateEndpointConnection
}

// PrivateEndpointConnection is context.Request.PrivateEndpointConnection.
type PrivateEndpointConnection struct{ Name, GroupID, MemberName string }

// Response is context.Response, and the IResponse that send-request stores in a variable.
type Response interface {
	StatusCode() int
	StatusReason() string
	Headers() Headers
	// Body returns nil where the response has none.
	Body() Body
}

// Variables are the variables of the request by name. Names are case-sensitive.
type Variables interface {
	Variable(name string) (Value, bool)
	VariableNames() iter.Seq[string]
}

// VariableMap is Variables held in a map.
type VariableMap map[string]Value

// Variable implements Variables.
func (v VariableMap) Variable(name string) (Value, bool) { x, ok := v[name]; return x, ok }

// VariableNames implements Variables; names come sorted.
func (v VariableMap) VariableNames() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(v)))
}

// HeaderMap is Headers over an http.Header.
type HeaderMap http.Header

// Values implements Headers.
func (h HeaderMap) Values(name string) []string {
	if v := http.Header(h).Values(name); v != nil {
		return v
	}
	for k, v := range h {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// Names implements Headers; names come sorted.
func (h HeaderMap) Names() []string { return slices.Sorted(maps.Keys(h)) }

// BodyBytes is a Body that is held in memory and may be read any number of times.
type BodyBytes []byte

// Bytes implements Body.
func (b BodyBytes) Bytes(bool) ([]byte, error) { return b, nil }

var (
	_ Variables = VariableMap(nil)
	_ Headers   = HeaderMap(nil)
	_ Body      = BodyBytes(nil)
)

// headerTable is a dictionary of header, query or claim values.
type headerTable struct {
	headers Headers
	values  map[string][]string
	names   []string
}

// parameterTable is a dictionary of texts.
type parameterTable map[string]string

// variableTable is a context seen as its Variables, which saves an allocation.
type variableTable Context

// certificateTable is context.Deployment.Certificates.
type certificateTable map[string]*x509.Certificate

func (t *headerTable) typeIn(e *Environment) *netType { return e.named("IHeaders") }
func (t parameterTable) typeIn(e *Environment) *netType {
	return construct(e.generic("IReadOnlyDictionary", 2), e.primitives[primString], e.primitives[primString])
}
func (t *variableTable) typeIn(e *Environment) *netType { return e.named("IVariables") }
func (t certificateTable) typeIn(e *Environment) *netType {
	return construct(e.generic("IReadOnlyDictionary", 2), e.primitives[primString], e.named("X509Certificate2"))
}

// find returns the values of a name.
func (t *headerTable) find(name string) []string {
	if t.headers != nil {
		return t.headers.Values(name)
	}
	return t.values[name]
}

func (t *headerTable) keys() []string {
	if t.headers != nil {
		return t.headers.Names()
	}
	return t.names
}

func (t *headerTable) lookup(m *machine, key string) (Value, bool) {
	v := t.find(key)
	if v == nil {
		return nil, false
	}
	return m.stringArray(v), true
}

func (t *headerTable) eachItem(m *machine, visit func(Value) bool) {
	pair := m.env.pairType(m.env.primitives[primString], m.env.arrayOf(m.env.primitives[primString]))
	for _, k := range t.keys() {
		m.step(1)
		if !visit(&keyValue{pair, k, m.stringArray(t.find(k))}) {
			return
		}
	}
}

func (t parameterTable) lookup(_ *machine, key string) (Value, bool) {
	if v, ok := t[key]; ok {
		return v, true
	}
	for k, v := range t {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return nil, false
}

func (t parameterTable) eachItem(m *machine, visit func(Value) bool) {
	pair := m.env.pairType(m.env.primitives[primString], m.env.primitives[primString])
	for _, k := range slices.Sorted(maps.Keys(t)) {
		if !visit(&keyValue{pair, k, t[k]}) {
			return
		}
	}
}

func (t *variableTable) lookup(_ *machine, key string) (Value, bool) {
	if t.Variables == nil {
		return nil, false
	}
	return t.Variables.Variable(key)
}

func (t *variableTable) eachItem(m *machine, visit func(Value) bool) {
	if t.Variables == nil {
		return
	}
	pair := m.env.pairType(m.env.primitives[primString], m.env.primitives[primObject])
	for k := range t.Variables.VariableNames() {
		m.step(1)
		v, _ := t.Variables.Variable(k)
		if !visit(&keyValue{pair, k, v}) {
			return
		}
	}
}

func (t certificateTable) lookup(_ *machine, key string) (Value, bool) {
	c, ok := t[key]
	if !ok {
		return nil, false
	}
	return &certificate{c}, true
}

func (t certificateTable) eachItem(m *machine, visit func(Value) bool) {
	pair := m.env.pairType(m.env.primitives[primString], m.env.named("X509Certificate2"))
	for _, k := range slices.Sorted(maps.Keys(t)) {
		if !visit(&keyValue{pair, k, &certificate{t[k]}}) {
			return
		}
	}
}

func (c *Context) typeIn(e *Environment) *netType      { return e.contextual }
func (a *API) typeIn(e *Environment) *netType          { return e.named("IApi") }
func (o *Operation) typeIn(e *Environment) *netType    { return e.named("IOperation") }
func (p *Product) typeIn(e *Environment) *netType      { return e.named("IProduct") }
func (s *Subscription) typeIn(e *Environment) *netType { return e.named("ISubscription") }
func (u *User) typeIn(e *Environment) *netType         { return e.named("IUser") }
func (d *Deployment) typeIn(e *Environment) *netType   { return e.named("IDeployment") }
func (l *LastError) typeIn(e *Environment) *netType    { return e.named("ILastError") }
func (u *URL) typeIn(e *Environment) *netType          { return e.named("IUrl") }
func (g *Group) typeIn(e *Environment) *netType        { return e.named("IGroup") }
func (i *Identity) typeIn(e *Environment) *netType     { return e.named("IUserIdentity") }
func (p *PrivateEndpointConnection) typeIn(e *Environment) *netType {
	return e.named("IPrivateEndpointConnection")
}

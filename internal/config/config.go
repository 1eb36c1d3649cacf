// Package config is the configuration file of a node: its fields, how it is read, and what makes it valid.
package config

// Config is the whole file. Every field may be left out. The instances and the API Management services in it are
// created, or replaced when they are there already, each time the node starts; others that the store holds stay.
type Config struct {
	// Listeners are the addresses that the node listens on.
	Listeners Listeners `yaml:"listeners"`

	// Domain ends the host names that instances and services get by themselves: "asrs1.service.signalr.DOMAIN" and
	// "apim1.azure-api.DOMAIN". Default: localhost.
	Domain string `yaml:"domain"`

	// DataDirectory is where the node keeps its resources. It is made when it is not there; one process at a time uses
	// it. A relative one is meant from the directory of the configuration file. Default: hubgate-data.
	DataDirectory string `yaml:"dataDirectory"`

	// NATS is what the node stores its resources in and meets other nodes over.
	NATS NATS `yaml:"nats"`

	// SignalR lists the SignalR instances. The first one is the default: it answers requests whose Host header names none.
	SignalR []Instance `yaml:"signalr"`

	// APIManagement lists the API Management services. The first one is the default, as with SignalR.
	APIManagement []Service `yaml:"apiManagement"`

	// Gateway is what the gateways of all services have in common.
	Gateway Gateway `yaml:"gateway"`

	// Limits bound what others may ask of the node.
	Limits Limits `yaml:"limits"`

	// SecretReferences say which files and environment variables the URLs and identities of instances may refer to.
	SecretReferences SecretReferences `yaml:"secretReferences"`

	// ShutdownTimeout is how long the node waits for its clients when it is told to end. Default: 30s. 0s closes them at once.
	ShutdownTimeout Duration `yaml:"shutdownTimeout"`

	// Log says what is logged and how.
	Log Log `yaml:"log"`

	// Telemetry is what the node tells other systems about its work, beside the log and the metrics.
	Telemetry Telemetry `yaml:"telemetry"`
}

// Listeners are addresses: host:port, where port 0 takes a free one. "" or "off" leaves the listener out. A host that is not
// this machine's loopback, or an empty one as in ":8888", lets other machines in.
type Listeners struct {
	// SignalR is for clients, app servers and the data-plane REST API. Default: 127.0.0.1:8888.
	SignalR string `yaml:"signalr"`
	// Gateway is for the gateways of the API Management services. Default: 127.0.0.1:8080.
	Gateway string `yaml:"gateway"`
	// Management is for the management plane and the portal. Default: 127.0.0.1:9000.
	Management string `yaml:"management"`
	// Metrics is for /metrics, /healthz and /readyz. Default: 127.0.0.1:9100.
	Metrics string `yaml:"metrics"`

	// SignalRTLS and GatewayTLS are the certificates of those listeners. Default: none, they speak plain HTTP.
	SignalRTLS TLS `yaml:"signalrTls"`
	GatewayTLS TLS `yaml:"gatewayTls"`
}

// NATS says which NATS a node uses.
type NATS struct {
	// URL is an outside NATS, 2.11 or later with JetStream, like nats://host:4222; several addresses are separated by commas.
	// It may hold a user and a password, so it is a secret. Default: the node runs one of its own, which no other process reaches.
	URL Secret `yaml:"url"`
}

// Instance is a SignalR instance.
type Instance struct {
	// Name has 3 to 63 letters, digits and hyphens. It is needed.
	Name string `yaml:"name"`

	// Mode is Default, Serverless or Classic. Default: Default.
	Mode string `yaml:"mode"`

	// PrimaryKey and SecondaryKey are the access keys. Default: those that the instance has in the store, or new random ones.
	PrimaryKey   Secret `yaml:"primaryKey"`
	SecondaryKey Secret `yaml:"secondaryKey"`

	// HostNames are further names that pick the instance, beside the one that it gets by itself.
	HostNames []string `yaml:"hostNames"`

	// CORS says which web pages may use the instance.
	CORS CORS `yaml:"cors"`

	// Upstream lists where a serverless instance sends its clients' events; the first template that matches wins.
	Upstream []Upstream `yaml:"upstream"`

	// UpstreamIdentity is what requests authenticate with where a template, or events, says so.
	UpstreamIdentity UpstreamIdentity `yaml:"upstreamIdentity"`

	// UpstreamRequests says how long an upstream endpoint may take and how often it is asked.
	UpstreamRequests UpstreamRequests `yaml:"upstreamRequests"`

	// Events is where events go that tell of serverless clients who come and go.
	Events Events `yaml:"events"`

	// KeepAlive and ClientTimeout hold for serverless clients: 1s to 120s in whole seconds. Defaults: 15s and 30s.
	KeepAlive     Duration `yaml:"keepAlive"`
	ClientTimeout Duration `yaml:"clientTimeout"`

	// DisableLocalAuth refuses tokens signed with the access keys. Default: false.
	DisableLocalAuth bool `yaml:"disableLocalAuth"`

	// DisableAADAuth refuses access tokens of the issuers in identity, and what was signed with temporary access keys. Default: false.
	DisableAADAuth bool `yaml:"disableAadAuth"`

	// Identity says whose access tokens the instance takes, in the place of those of Entra ID.
	Identity Identity `yaml:"identity"`

	// Access says which requests the instance takes. Default: all.
	Access Access `yaml:"access"`

	// Quotas bound what the instance does for its clients.
	Quotas Quotas `yaml:"quotas"`

	// Logs says which resource logs are written.
	Logs Logs `yaml:"logs"`
}

// CORS says which web pages may use an instance.
type CORS struct {
	// AllowedOrigins are origins like https://app.example, or "*" for every origin. Default: "*".
	AllowedOrigins []string `yaml:"allowedOrigins"`
}

// Service is an API Management service.
type Service struct {
	// Name has 1 to 50 letters, digits and hyphens. It is needed.
	Name string `yaml:"name"`
	// HostNames are further names that pick the service, beside the one that it gets by itself.
	HostNames []string `yaml:"hostNames"`
	// DebugKey signs debug credentials, with which requests are traced. It has 16 characters or more. Nodes that share it take each other's
	// credentials. Default: none, nobody can make any.
	DebugKey Secret `yaml:"debugKey"`
	// Diagnostic says what the gateway log has of requests.
	Diagnostic Diagnostic `yaml:"diagnostic"`
	// Policy is the policy document of all APIs.
	Policy Policy `yaml:"policy"`
	// NamedValues are texts that policies hold as {{name}}.
	NamedValues []NamedValue `yaml:"namedValues"`
	// APIs are the APIs of the service.
	APIs []API `yaml:"apis"`
	// Products are the products of the service.
	Products []Product `yaml:"products"`
	// Subscriptions are the keys that open its APIs.
	Subscriptions []Subscription `yaml:"subscriptions"`
	// Resources are what the service has besides, in Azure's own words.
	Resources []RawResource `yaml:"resources"`
}

// NamedValue is a text that policies hold as {{name}}. It is stored as a secret when it is read from a file or the environment.
type NamedValue struct {
	// Name has 1 to 256 letters, digits, dots, hyphens and underscores. It is needed.
	Name string `yaml:"name"`
	// Value is the text, of at most 4096 characters. It is needed.
	Value Secret `yaml:"value"`
}

// API is an API of a service.
type API struct {
	// Name is unique in the service. It is needed.
	Name string `yaml:"name"`
	// DisplayName is what the portal shows. Default: the title of the OpenAPI document, else the name.
	DisplayName string `yaml:"displayName"`
	// Description is a text of any length. Default: that of the OpenAPI document.
	Description string `yaml:"description"`
	// Type is http or websocket. Default: http.
	Type string `yaml:"type"`
	// OpenAPI is a document that says what an HTTP API has. What stands beside it goes before it, field by field.
	OpenAPI OpenAPI `yaml:"openapi"`
	// Path is the API URL suffix. An HTTP API and a WebSocket API may have the same one. Default: the root.
	Path string `yaml:"path"`
	// ServiceURL is the backend: an http or https URL, for a WebSocket API a ws or wss one. An HTTP API may have none when its policies answer.
	// Default: the first https server of the OpenAPI document.
	ServiceURL string `yaml:"serviceUrl"`
	// SubscriptionRequired says that a call needs a subscription key. Default: true, as in Azure.
	SubscriptionRequired *bool `yaml:"subscriptionRequired"`
	// Operations are what an HTTP API answers; it answers 404 to everything else. A WebSocket API has none but onHandshake, which is there by itself.
	// Beside an OpenAPI document, one with the name of an operation there, or with its method and template, changes that operation.
	Operations []Operation `yaml:"operations"`
	// Schemas hold the definitions that operations refer to.
	Schemas []Schema `yaml:"schemas"`
	// Policy is the policy document of the API.
	Policy Policy `yaml:"policy"`
	// Diagnostic is in the place of the service's.
	Diagnostic Diagnostic `yaml:"diagnostic"`
}

// Operation is an operation of an HTTP API.
type Operation struct {
	// Name is unique in the API. Default: made of the method and the template, like post-negotiate.
	Name string `yaml:"name"`
	// DisplayName is what the portal shows. Default: the method and the template.
	DisplayName string `yaml:"displayName"`
	// Description is a text of any length.
	Description string `yaml:"description"`
	// Method is an HTTP method like POST. It is needed.
	Method string `yaml:"method"`
	// URLTemplate is the path below the API's, with {parameters} and /* at the end. Default: /.
	URLTemplate string `yaml:"urlTemplate"`
	// TemplateParameters describe the parameters of the template; matching does not need it.
	TemplateParameters []Parameter `yaml:"templateParameters"`
	// Request says what the operation takes, for validate-parameters and validate-content.
	Request Request `yaml:"request"`
	// Responses say what it answers, for mock-response and the policies that validate.
	Responses []Response `yaml:"responses"`
	// Policy is the policy document of the operation.
	Policy Policy `yaml:"policy"`

	// place is where in the file it comes from, when that is not its place in the list.
	place string
}

// Limits bound what others may ask of the node. Sizes are numbers of bytes or have a unit: KiB, MiB or GiB. Each must be above 0 unless it says otherwise.
type Limits struct {
	// Connections is how many client connections an instance takes on this node, negotiated ones included. More are answered 429. Default: 1000000. 0: no limit.
	Connections int `yaml:"connections"`
	// ClientQueue is how many bytes may wait for one client. A client that is slower is closed. Default: 8MiB.
	ClientQueue Size `yaml:"clientQueue"`
	// ClientMessage is the largest message of a client over WebSockets. Default: 16MiB.
	ClientMessage Size `yaml:"clientMessage"`
	// ClientPost is the largest body of a client's POST, with server-sent events and long polling. Default: 16MiB.
	ClientPost Size `yaml:"clientPost"`
	// ServerMessage is the largest message of an app server. Default: 64MiB.
	ServerMessage Size `yaml:"serverMessage"`
	// ConnectTimeout is how long a negotiated connection waits for its transport. Default: 15s.
	ConnectTimeout Duration `yaml:"connectTimeout"`
	// HandshakeTimeout is how long a client or an app server may take for its handshake, unless the client's token says otherwise. Default: 15s.
	HandshakeTimeout Duration `yaml:"handshakeTimeout"`
	// PollTimeout is how long a long poll without messages is held. Default: 90s.
	PollTimeout Duration `yaml:"pollTimeout"`
	// PollGap is how long a long-polling client may stay away between two polls, unless its token says otherwise. Default: 15s.
	PollGap Duration `yaml:"pollGap"`
	// RequestHeader is the largest head of an HTTP request on any listener. Default: 64KiB.
	RequestHeader Size `yaml:"requestHeader"`
	// RequestHeaderTimeout is how long the head of an HTTP request may take to arrive. Default: 10s.
	RequestHeaderTimeout Duration `yaml:"requestHeaderTimeout"`
}

// Log says what is logged and how.
type Log struct {
	// Level is debug, info, warn or error. Default: info.
	Level string `yaml:"level"`
	// Format is text or json. Default: text.
	Format string `yaml:"format"`
}

package resource

import (
	"strings"
)

// LoggerType says where a logger keeps what it gets.
type LoggerType string

// The types of logger.
const (
	LoggerEventHub            LoggerType = "azureEventHub"       // an event hub, for log-to-eventhub
	LoggerApplicationInsights LoggerType = "applicationInsights" // stored for templates that have one; the node's own telemetry takes its place
	LoggerAzureMonitor        LoggerType = "azureMonitor"        // stored for templates that have one; the node's own log takes its place
)

// Logger is Microsoft.ApiManagement/service/loggers: a place for logs that policies and diagnostics name.
type Logger struct {
	ID          ID         `json:"id"`
	LoggerType  LoggerType `json:"loggerType"`
	Description string     `json:"description,omitempty"`
	// Credentials of an event hub are name, the hub's, and connectionString. Values may be named values {{name}}.
	Credentials map[string]string `json:"credentials,omitempty"` // values are secret
	IsBuffered  *bool             `json:"isBuffered,omitempty"`
	Resource    string            `json:"resourceId,omitempty"` // of the Azure resource; for information
}

// ResourceID is the id of the logger.
func (l *Logger) ResourceID() ID { return l.ID }

// Validate checks the id, the type and that an event hub has its credentials.
func (l *Logger) Validate() error {
	if err := checkType(l.ID, "service/loggers", "a logger", "APIM1", "loggers", "NAME"); err != nil {
		return err
	}
	if err := checkName(l.ID, l.ID.Name(), 256); err != nil {
		return err
	}
	switch l.LoggerType {
	case LoggerApplicationInsights, LoggerAzureMonitor:
		return nil
	case LoggerEventHub:
	default:
		return Invalidf(l.ID, "loggerType", "the type of a logger is azureEventHub, applicationInsights or azureMonitor, not %q", l.LoggerType)
	}
	if l.Credentials["name"] == "" {
		return Invalidf(l.ID, "credentials.name", "a logger of an event hub needs the hub's name")
	}
	if l.Credentials["connectionString"] == "" {
		return Invalidf(l.ID, "credentials.connectionString", "a logger of an event hub needs the connection string of its namespace; managed identities are not supported")
	}
	return nil
}

// MaxDiagnosticBody is how many bytes of a body are logged at most.
const MaxDiagnosticBody = 8192

// DiagnosticMessage says which headers of a message are logged and how much of its body (HttpMessageDiagnostic).
type DiagnosticMessage struct {
	Headers []string       `json:"headers,omitempty"`
	Body    DiagnosticBody `json:"body,omitzero"`
}

// DiagnosticBody says how many bytes of a body are logged, from its beginning: 0 to [MaxDiagnosticBody].
type DiagnosticBody struct {
	Bytes int `json:"bytes,omitzero"`
}

// DiagnosticSide are the two directions of one side of the gateway.
type DiagnosticSide struct {
	Request  DiagnosticMessage `json:"request,omitzero"`
	Response DiagnosticMessage `json:"response,omitzero"`
}

// DiagnosticSampling says how many requests are logged.
type DiagnosticSampling struct {
	SamplingType string  `json:"samplingType,omitempty"` // fixed
	Percentage   float64 `json:"percentage"`             // 0 to 100
}

// Diagnostic is Microsoft.ApiManagement/service/diagnostics, or of one API: what is logged of requests. That of an API takes the place
// of the service's.
type Diagnostic struct {
	ID        ID                  `json:"id"`
	LoggerID  string              `json:"loggerId,omitempty"`  // for information: records go to the node's own log
	AlwaysLog string              `json:"alwaysLog,omitempty"` // allErrors: requests that failed are logged whatever the sampling says
	Sampling  *DiagnosticSampling `json:"sampling,omitempty"`  // nil means all
	Verbosity string              `json:"verbosity,omitempty"` // verbose, information or error, which logs requests that failed only
	// LogClientIP says whether the client's address is logged.
	LogClientIP bool           `json:"logClientIp,omitempty"`
	Frontend    DiagnosticSide `json:"frontend,omitzero"` // towards the client
	Backend     DiagnosticSide `json:"backend,omitzero"`
	// HTTPCorrelationProtocol is None, Legacy or W3C; for information: whether a node traces decides what backends are told.
	HTTPCorrelationProtocol string `json:"httpCorrelationProtocol,omitempty"`
	// Metrics says that emit-metric works; it always does.
	Metrics *bool `json:"metrics,omitempty"`
}

// ResourceID is the id of the diagnostic.
func (d *Diagnostic) ResourceID() ID { return d.ID }

// Scope is the id of the service or API that the diagnostic belongs to.
func (d *Diagnostic) Scope() ID { return d.ID.Parent() }

// Validate checks the id, the name and the settings.
func (d *Diagnostic) Validate() error {
	switch strings.ToLower(strings.TrimPrefix(d.ID.Type(), ApiManagement+"/")) {
	case "service/diagnostics", "service/apis/diagnostics":
	default:
		return Invalidf(d.ID, "id", "%q is not the id of a diagnostic; it should be the id of a service or API and /diagnostics/azuremonitor", d.ID)
	}
	switch strings.ToLower(d.ID.Name()) {
	case "applicationinsights", "azuremonitor", "local":
	default:
		return Invalidf(d.ID, "name", "a diagnostic is named applicationinsights, azuremonitor or local, not %q", d.ID.Name())
	}
	switch d.Verbosity {
	case "", "verbose", "information", "error":
	default:
		return Invalidf(d.ID, "verbosity", "is verbose, information or error, not %q", d.Verbosity)
	}
	if d.AlwaysLog != "" && d.AlwaysLog != "allErrors" {
		return Invalidf(d.ID, "alwaysLog", "is allErrors or absent, not %q", d.AlwaysLog)
	}
	if s := d.Sampling; s != nil && (s.Percentage < 0 || s.Percentage > 100 || s.SamplingType != "" && s.SamplingType != "fixed") {
		return Invalidf(d.ID, "sampling", "the sampling type is fixed and the percentage 0 to 100")
	}
	for _, m := range []struct {
		path    string
		message DiagnosticMessage
	}{{"frontend.request", d.Frontend.Request}, {"frontend.response", d.Frontend.Response}, {"backend.request", d.Backend.Request}, {"backend.response", d.Backend.Response}} {
		if n := m.message.Body.Bytes; n < 0 || n > MaxDiagnosticBody {
			return Invalidf(d.ID, m.path+".body.bytes", "is 0 to %d, not %d", MaxDiagnosticBody, n)
		}
	}
	switch d.HTTPCorrelationProtocol {
	case "", "None", "Legacy", "W3C":
	default:
		return Invalidf(d.ID, "httpCorrelationProtocol", "is None, Legacy or W3C, not %q", d.HTTPCorrelationProtocol)
	}
	return nil
}

var (
	_ Resource = (*Logger)(nil)
	_ Resource = (*Diagnostic)(nil)
)

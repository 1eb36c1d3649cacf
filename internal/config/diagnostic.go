package config

import (
	"reflect"

	"github.com/hubgate/hubgate/internal/resource"
)

// Diagnostic says what the gateway log has of requests, see [Gateway].RequestLog. That of an API takes the place of the service's. Without
// any, each request is logged, with the client's address and without headers and bodies.
type Diagnostic struct {
	// SamplingPercentage is how many of a hundred requests are logged: 1 to 100. Default: 100.
	SamplingPercentage int `yaml:"samplingPercentage"`
	// AlwaysLog is allErrors to log all requests that failed, whatever the percentage is.
	AlwaysLog string `yaml:"alwaysLog"`
	// Verbosity is verbose, information or error, which logs requests that failed only. Default: information.
	Verbosity string `yaml:"verbosity"`
	// LogClientIP says whether the client's address is logged. Default: false.
	LogClientIP bool `yaml:"logClientIp"`
	// Frontend is about the messages from and to the client, Backend about those to and from the backend.
	Frontend DiagnosticSide `yaml:"frontend"`
	Backend  DiagnosticSide `yaml:"backend"`
}

// DiagnosticSide are the two directions of one side of the gateway.
type DiagnosticSide struct {
	Request  DiagnosticMessage `yaml:"request"`
	Response DiagnosticMessage `yaml:"response"`
}

// DiagnosticMessage says what is logged of a message.
type DiagnosticMessage struct {
	// Headers are the names of the headers that are logged. Values of those that are likely secrets are masked.
	Headers []string `yaml:"headers"`
	// Body says how much of the body is logged.
	Body DiagnosticBody `yaml:"body"`
}

// DiagnosticBody says how much of a body is logged.
type DiagnosticBody struct {
	// Bytes is how many, from the beginning, at most 8192. Default: 0.
	Bytes int `yaml:"bytes"`
}

func (s DiagnosticSide) resource() resource.DiagnosticSide {
	message := func(m DiagnosticMessage) resource.DiagnosticMessage {
		return resource.DiagnosticMessage{Headers: m.Headers, Body: resource.DiagnosticBody(m.Body)}
	}
	return resource.DiagnosticSide{Request: message(s.Request), Response: message(s.Response)}
}

// appendDiagnostic adds the diagnostic of a service or an API, if it has one.
func appendDiagnostic(all []placed, path string, scope resource.ID, d Diagnostic) []placed {
	if reflect.ValueOf(d).IsZero() {
		return all
	}
	r := &resource.Diagnostic{
		ID: scope.Child("diagnostics", "azuremonitor"), AlwaysLog: d.AlwaysLog, Verbosity: d.Verbosity, LogClientIP: d.LogClientIP,
		Frontend: d.Frontend.resource(), Backend: d.Backend.resource(),
	}
	if d.SamplingPercentage != 0 {
		r.Sampling = &resource.DiagnosticSampling{SamplingType: "fixed", Percentage: float64(d.SamplingPercentage)}
	}
	return append(all, placed{path + ".diagnostic", r, map[string]string{"sampling": "samplingPercentage"}})
}

// validate reports one that would do nothing.
func (d Diagnostic) validate(report reporter, path string, logged bool) {
	if !logged && !reflect.ValueOf(d).IsZero() {
		report(path+".diagnostic", "does nothing while gateway.requestLog is false; set it to true")
	}
}

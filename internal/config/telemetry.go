package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Telemetry is what the node tells other systems about its work.
type Telemetry struct {
	// Tracing sends spans of gateway requests to an OpenTelemetry collector.
	Tracing Tracing `yaml:"tracing"`
}

// The protocols that spans are sent by (OTLP specification).
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http"
)

// minDebugKey is how many characters a debug key has at least.
const minDebugKey = 16

// Tracing says where the spans of gateway requests go. Messages of SignalR have none.
type Tracing struct {
	// Endpoint is the URL of a collector, http or https, like http://localhost:4317. For the protocol http it may have a path; by default that is
	// /v1/traces. Default: none, no spans are made.
	Endpoint string `yaml:"endpoint"`
	// Protocol is grpc or http, for OTLP over the one or the other. Default: grpc.
	Protocol string `yaml:"protocol"`
	// Headers are sent along, as for a token that the collector wants.
	Headers []Header `yaml:"headers"`
	// CAFile holds the authorities that sign the collector's certificate, PEM. Default: those of the system.
	CAFile string `yaml:"caFile"`
	// AllowHTTP lets headers go to another machine over plain HTTP. Default: false.
	AllowHTTP bool `yaml:"allowHttp"`
	// SamplingRatio is the share of requests that have spans, from 0 to 1. A client's header traceparent decides for its own requests. Default: 1.
	SamplingRatio Ratio `yaml:"samplingRatio"`
	// ServiceName is whose spans they are, service.name. Default: hubgate.
	ServiceName string `yaml:"serviceName"`
}

// Header is a header of a request.
type Header struct {
	// Name is its name. It is needed.
	Name string `yaml:"name"`
	// Value is its value. It is needed.
	Value Secret `yaml:"value"`
}

// On says whether spans are made.
func (t Tracing) On() bool { return t.Endpoint != "" }

// Ratio is a number from 0 to 1.
type Ratio float64

// String is the number.
func (r Ratio) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) }

func (r *Ratio) setScalar(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) { // NaN is neither.
		return fmt.Errorf("%q is not a number from 0 to 1", text)
	}
	*r = Ratio(v)
	return nil
}

func (t Tracing) validate(report reporter) {
	const path = "telemetry.tracing"
	oneOf(report, path+".protocol", t.Protocol, ProtocolGRPC, ProtocolHTTP)
	if !(t.SamplingRatio >= 0 && t.SamplingRatio <= 1) {
		report(path+".samplingRatio", "must be from 0 to 1")
	}
	if t.ServiceName == "" {
		report(path+".serviceName", "is empty; without the field it is hubgate")
	}
	seen := make(map[string]bool)
	for i, h := range t.Headers {
		at := fmt.Sprintf("%s.headers[%d]", path, i)
		name := strings.ToLower(h.Name)
		switch {
		case !isToken(h.Name):
			report(at+".name", "%q is not the name of a header", h.Name)
		case seen[name]:
			report(at+".name", "the header %s is there twice", h.Name)
		case !h.Value.IsSet():
			report(at+".value", "is needed")
		case strings.ContainsFunc(h.Value.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }):
			report(at+".value", "must be printable ASCII characters of one line")
		}
		seen[name] = true
	}
	if !t.On() {
		return
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		report(path+".endpoint", "must be an http or https URL like http://localhost:4317")
		return
	}
	switch {
	case u.User != nil:
		report(path+".endpoint", "must not hold a user or a password; give them in headers")
	case u.RawQuery != "" || u.Fragment != "":
		report(path+".endpoint", "must not have a query or a fragment; give tokens in headers")
	case t.Protocol == ProtocolGRPC && strings.Trim(u.Path, "/") != "":
		report(path+".endpoint", "has a path, which gRPC does not know; is the protocol %s meant?", ProtocolHTTP)
	case u.Scheme == "http" && len(t.Headers) > 0 && !t.AllowHTTP && !onThisMachine(u.Hostname()):
		report(path+".endpoint", "would send the headers over plain HTTP to another machine; use https, or set allowHttp")
	}
}

// onThisMachine says whether a host is the loopback.
func onThisMachine(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// isToken says whether a text can be the name of a header (RFC 9110, section 5.6.2).
func isToken(text string) bool {
	const others = "!#$%&'*+-.^_`|~"
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(others, r))
	})
}

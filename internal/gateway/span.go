package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
)

// propagator reads and writes the headers traceparent and tracestate (W3C Trace Context).
var propagator = propagation.TraceContext{}

// startSpan begins the span of the request, as a part of the client's trace when it names one. Without a tracer there is none.
func (t *transaction) startSpan() {
	tracer := t.g.options.Spans
	if tracer == nil {
		return
	}
	r := t.x.Inbound
	ctx := propagator.Extract(t.x.Context, propagation.HeaderCarrier(r.Header))
	attributes := append(requestAttributes(r.Method, r.Host, r.URL), label("hubgate.service", t.g.options.Service.Name()),
		label("url.scheme", scheme(r)), label("network.protocol.version", strings.TrimPrefix(r.Proto, "HTTP/")))
	t.x.Context, t.span = tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
}

// label is an attribute. One that is no UTF-8 would make the collector refuse the whole batch.
func label(name, value string) attribute.KeyValue {
	return attribute.String(name, strings.ToValidUTF8(value, "\uFFFD"))
}

// requestAttributes are those that spans of both kinds have (OpenTelemetry, semantic conventions for HTTP). The query is left out, for it may
// hold keys; the path is as it was escaped.
func requestAttributes(method, authority string, u *url.URL) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.Trim(authority, "[]")
	}
	attributes := []attribute.KeyValue{label("http.request.method", method), label("server.address", host), label("url.path", u.EscapedPath())}
	if number, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, attribute.Int("server.port", number))
	}
	return attributes
}

// endWith notes how a request was answered. reason says why it failed, "" when it did not.
func endWith(span trace.Span, status int, reason string) {
	if status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if reason != "" {
		span.SetAttributes(label("error.type", reason))
	}
}

// endSpan ends the span of the request.
func (t *transaction) endSpan() {
	if t.span == nil {
		return
	}
	x := &t.x
	if x.API != nil {
		t.span.SetAttributes(label("hubgate.api", x.API.BaseName()))
	}
	if x.Operation != nil {
		route := "/" + x.API.Suffix() + x.Operation.URLTemplate
		t.span.SetName(strings.ToValidUTF8(x.Inbound.Method+" "+route, "\uFFFD"))
		t.span.SetAttributes(label("hubgate.operation", x.Operation.ID.Name()), label("http.route", route))
	}
	reason := ""
	switch e := x.LastError; {
	case e != nil:
		reason = e.Reason
	case x.Response.Status >= http.StatusInternalServerError:
		reason = strconv.Itoa(x.Response.Status)
	}
	endWith(t.span, x.Response.Status, reason)
	if x.Response.Status >= http.StatusInternalServerError {
		t.span.SetStatus(codes.Error, "")
	}
	t.span.End()
	t.span = nil
}

// startBackendSpan begins the span of a request to a backend and tells the backend of it. The function ends it; reason is that of a failure,
// "" when there is none.
func (t *transaction) startBackendSpan(u *url.URL) (end func(status int, reason string)) {
	span := startClientSpan(t.x.Context, t.g.options.Spans, t.x.Request.Method, u, t.x.Request.Header)
	return func(status int, reason string) {
		if t.backend.id != "" {
			span.SetAttributes(label("hubgate.backend", t.backend.id))
		}
		endClientSpan(span, status, reason)
	}
}

// startSpan begins the span of a request of a policy. One that nobody waits for belongs to no trace and has none.
func (s *sender) startSpan(ctx context.Context, r *proxy.Request) (end func(status int, err error)) {
	if s.g.options.Spans == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return func(int, error) {}
	}
	if r.Header = r.Header.Clone(); r.Header == nil {
		r.Header = http.Header{}
	}
	span := startClientSpan(ctx, s.g.options.Spans, r.Method, r.URL, r.Header)
	return func(status int, err error) {
		reason := ""
		if err != nil {
			reason = policy.ReasonBackendConnectionFailure
		}
		if f, ok := errors.AsType[*policy.Failure](err); ok {
			reason = f.Reason
		}
		endClientSpan(span, status, reason)
	}
}

func startClientSpan(ctx context.Context, tracer trace.Tracer, method string, u *url.URL, header http.Header) trace.Span {
	ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(append(requestAttributes(method, u.Host, u), label("url.scheme", u.Scheme))...))
	propagator.Inject(ctx, propagation.HeaderCarrier(header))
	return span
}

func endClientSpan(span trace.Span, status int, reason string) {
	if reason == "" && status >= http.StatusBadRequest {
		reason = strconv.Itoa(status)
	}
	endWith(span, status, reason)
	if reason != "" {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

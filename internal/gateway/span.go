package gateway

import (
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
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
	t.x.Context, t.span = tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("url.scheme", scheme(r)), attribute.String("url.path", r.URL.Path),
		attribute.String("server.address", r.Host), attribute.String("network.protocol.version", r.Proto[len("HTTP/"):])))
}

// endSpan ends the span of the request.
func (t *transaction) endSpan() {
	if t.span == nil {
		return
	}
	x := &t.x
	if x.API != nil {
		t.span.SetAttributes(attribute.String("hubgate.api", x.API.BaseName()))
	}
	if x.Operation != nil {
		route := "/" + x.API.Suffix() + x.Operation.URLTemplate
		t.span.SetName(x.Inbound.Method + " " + route)
		t.span.SetAttributes(attribute.String("hubgate.operation", x.Operation.ID.Name()), attribute.String("http.route", route))
	}
	t.span.SetAttributes(attribute.Int("http.response.status_code", x.Response.Status))
	if e := x.LastError; e != nil {
		t.span.SetAttributes(attribute.String("error.type", e.Reason))
	}
	if x.Response.Status >= 500 {
		t.span.SetStatus(codes.Error, "")
	}
	t.span.End()
	t.span = nil
}

// startBackendSpan begins the span of a request to a backend and tells the backend of it. The function ends it.
func (t *transaction) startBackendSpan(u *url.URL) (end func(status int, err error)) {
	tracer := t.g.options.Spans
	if tracer == nil {
		return func(int, error) {}
	}
	ctx, span := tracer.Start(t.x.Context, t.x.Request.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", t.x.Request.Method), attribute.String("server.address", u.Host), attribute.String("url.path", u.Path)))
	propagator.Inject(ctx, propagation.HeaderCarrier(t.x.Request.Header))
	return func(status int, err error) {
		if status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		if err != nil || status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

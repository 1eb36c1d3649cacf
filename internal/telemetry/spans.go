package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/credentials"
)

// SpanOptions say where OpenTelemetry spans go and which are kept.
type SpanOptions struct {
	// Endpoint is the URL of an OpenTelemetry collector: http or https, for OTLP over HTTP with or without a path.
	Endpoint string
	// GRPC sends OTLP over gRPC; otherwise it goes over HTTP.
	GRPC bool
	// Headers are sent with each request. Their values are secret.
	Headers map[string]string
	// CAFile holds the authorities that sign the collector's certificate; "" means those of the system.
	CAFile string
	// SamplingRatio is the share of traces that are kept, 0 to 1. A client that names its trace decides by itself.
	SamplingRatio float64
	// ServiceName, Version and NodeID say whose spans they are (service.name, service.version, service.instance.id).
	ServiceName, Version, NodeID string
	// Logger hears of spans that cannot be sent.
	Logger *slog.Logger
}

// The bounds of sending spans.
const (
	spanTimeout   = 10 * time.Second // of one request to the collector
	spanAttempts  = 30 * time.Second // of all requests for one batch
	spanPath      = "/v1/traces"     // OTLP specification, "OTLP/HTTP Request"
	spanQueue     = 2048             // spans that wait; more are dropped
	spanDelay     = 5 * time.Second  // between two batches that are not full
	spanComplaint = time.Minute      // between two lines of the log about a collector that does not answer
)

// Spans sends spans to a collector, in batches and in the background. A collector that is slow or away costs spans, never a request: at most
// [spanQueue] of them wait.
type Spans struct {
	provider *sdktrace.TracerProvider
	exporter *spanExporter
}

// NewSpans starts to send spans. It does not wait for the collector.
func NewSpans(ctx context.Context, o SpanOptions) (*Spans, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		data, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		if secure.RootCAs = x509.NewCertPool(); !secure.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("%s holds no certificate", o.CAFile)
		}
	}
	e := &spanExporter{log: o.Logger, endpoint: u.Scheme + "://" + u.Host, ended: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if o.GRPC {
		err = e.overGRPC(u, o.Headers, secure)
	} else {
		err = e.overHTTP(u, o.Headers, secure)
	}
	if err != nil {
		e.cancel()
		return nil, err
	}
	attributes := resource.NewSchemaless(attribute.String("service.name", o.ServiceName), attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.NodeID), attribute.String("telemetry.sdk.language", "go"), attribute.String("telemetry.sdk.name", "opentelemetry"))
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(e, sdktrace.WithExportTimeout(spanAttempts), sdktrace.WithMaxQueueSize(spanQueue), sdktrace.WithBatchTimeout(spanDelay)),
		sdktrace.WithResource(attributes),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(o.SamplingRatio))),
	)
	return &Spans{provider: provider, exporter: e}, nil
}

// Tracer makes the spans of a part of the node.
func (s *Spans) Tracer(name string) trace.Tracer { return s.provider.Tracer(name) }

// Close sends what waits, until ctx ends at the latest, and gives up the rest.
func (s *Spans) Close(ctx context.Context) error {
	err := s.provider.Shutdown(ctx)
	// The provider leaves a request behind that still runs when its time is over.
	s.exporter.cancel()
	<-s.exporter.ended
	if err != nil {
		return fmt.Errorf("the last spans were not sent to %s: %w", s.exporter.endpoint, err)
	}
	return nil
}

// spanExporter sends batches. It tells the log of failures, for the SDK would write them to the standard error.
type spanExporter struct {
	sdktrace.SpanExporter // of the SDK
	idle                  func()
	endpoint              string
	log                   *slog.Logger

	ctx    context.Context // of all requests; it ends when the last ones are given up
	cancel context.CancelFunc
	end    sync.Once
	ended  chan struct{} // closed once nothing is sent any more

	// Owned by ExportSpans, which is not called twice at once.
	failing    bool
	complained time.Time
	lost       int
}

func (e *spanExporter) overGRPC(u *url.URL, headers map[string]string, secure *tls.Config) error {
	host := u.Host
	if u.Port() == "" && u.Scheme == "http" {
		host += ":4317" // gRPC would take 443
	}
	options := []otlptracegrpc.Option{otlptracegrpc.WithEndpoint(host), otlptracegrpc.WithHeaders(headers), otlptracegrpc.WithTimeout(spanTimeout)}
	if u.Scheme == "https" {
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(secure)))
	} else {
		options = append(options, otlptracegrpc.WithInsecure())
	}
	exporter, err := otlptracegrpc.New(e.ctx, options...)
	e.SpanExporter, e.idle = exporter, func() {}
	return err
}

func (e *spanExporter) overHTTP(u *url.URL, headers map[string]string, secure *tls.Config) error {
	path := u.EscapedPath()
	if strings.Trim(path, "/") == "" {
		path = spanPath
	}
	transport := &http.Transport{TLSClientConfig: secure, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: spanTimeout, IdleConnTimeout: 90 * time.Second}
	client := &http.Client{Transport: transport, Timeout: spanTimeout,
		// Elsewhere nobody is to learn the headers.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// The scheme is given with the address, or a variable of the environment could take TLS away.
	exporter, err := otlptracehttp.New(e.ctx, otlptracehttp.WithEndpointURL(u.Scheme+"://"+u.Host), otlptracehttp.WithURLPath(path),
		otlptracehttp.WithHeaders(headers), otlptracehttp.WithHTTPClient(client))
	e.SpanExporter, e.idle = exporter, transport.CloseIdleConnections
	return err
}

// ExportSpans sends a batch. It never fails: a batch that cannot be sent is lost, and the log says so now and then.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil:
		e.lost += len(spans)
		if now := time.Now(); !e.failing || now.Sub(e.complained) >= spanComplaint {
			e.log.Warn("spans cannot be sent and are lost; look at telemetry.tracing and the collector", "endpoint", e.endpoint, "lost", e.lost, "reason", err)
			e.complained, e.lost = now, 0
		}
		e.failing = true
	case e.failing:
		e.log.Info("spans are sent again", "endpoint", e.endpoint, "lost", e.lost)
		e.failing, e.lost = false, 0
	}
	return nil
}

// Shutdown ends the connection to the collector.
func (e *spanExporter) Shutdown(ctx context.Context) error {
	err := e.SpanExporter.Shutdown(ctx)
	e.idle()
	e.end.Do(func() { close(e.ended) })
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err()
	}
	return err
}

var _ sdktrace.SpanExporter = (*spanExporter)(nil)

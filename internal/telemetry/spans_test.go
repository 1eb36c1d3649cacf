package telemetry_test

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/testkit"
)

// startSpans starts to send spans with a log that can be read after Close.
func startSpans(t *testing.T, o telemetry.SpanOptions) (*telemetry.Spans, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Headers, o.ServiceName = map[string]string{"X-Token": "hunter2"}, "test"
	s, err := telemetry.NewSpans(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

// makeSpan makes one span, and says whether it is sampled.
func makeSpan(s *telemetry.Spans, name string) bool {
	_, span := s.Tracer("test").Start(context.Background(), name, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	return span.SpanContext().IsSampled()
}

func closeSpans(t *testing.T, s *telemetry.Spans, within time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return s.Close(ctx)
}

// grpcCollector takes spans over gRPC.
type grpcCollector struct {
	collector.UnimplementedTraceServiceServer
	requests chan *collector.ExportTraceServiceRequest
	tokens   chan []string
}

func (g *grpcCollector) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	header, _ := metadata.FromIncomingContext(ctx)
	g.tokens <- header.Get("x-token")
	g.requests <- r
	return &collector.ExportTraceServiceResponse{}, nil
}

func TestSpansOverGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &grpcCollector{requests: make(chan *collector.ExportTraceServiceRequest, 1), tokens: make(chan []string, 1)}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		server.Stop()
		if err := testkit.Receive(t, served, "the end of the collector"); err != nil {
			t.Error(err)
		}
	}()
	s, _ := startSpans(t, telemetry.SpanOptions{Endpoint: "http://" + l.Addr().String(), GRPC: true, SamplingRatio: 1})
	makeSpan(s, "over gRPC")
	if err := closeSpans(t, s, testkit.Patience); err != nil {
		t.Fatal(err)
	}
	if got := testkit.Receive(t, g.tokens, "a header"); len(got) != 1 || got[0] != "hunter2" {
		t.Errorf("the collector gets the header %q", got)
	}
	if got := testkit.Receive(t, g.requests, "spans").ResourceSpans[0].ScopeSpans[0].Spans[0].Name; got != "over gRPC" {
		t.Errorf("the collector gets the span %q", got)
	}
}

// TestSpansOverTLS has a collector below a path, with a certificate that only caFile knows.
func TestSpansOverTLS(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := startSpans(t, telemetry.SpanOptions{Endpoint: server.URL + "/otlp/v1/traces", CAFile: file, SamplingRatio: 1})
	makeSpan(s, "over TLS")
	if err := closeSpans(t, s, testkit.Patience); err != nil {
		t.Fatal(err)
	}
	if got := testkit.Receive(t, paths, "spans"); got != "/otlp/v1/traces" {
		t.Errorf("the spans go to %s", got)
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "missing.pem"), "spans_test.go"} {
		if _, err := telemetry.NewSpans(t.Context(), telemetry.SpanOptions{Endpoint: server.URL, CAFile: bad}); err == nil || !strings.Contains(err.Error(), filepath.Base(bad)) {
			t.Errorf("the authorities in %s give the error %v", bad, err)
		}
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	for ratio, bounds := range map[float64][2]int{0: {0, 0}, 1: {1000, 1000}, 0.5: {350, 650}} { // the last ones are nine standard deviations away
		s, _ := startSpans(t, telemetry.SpanOptions{Endpoint: "http://127.0.0.1:1", SamplingRatio: ratio})
		sampled := 0
		for range 1000 {
			if makeSpan(s, "x") {
				sampled++
			}
		}
		if sampled < bounds[0] || sampled > bounds[1] {
			t.Errorf("of 1000 requests %d are sampled at the ratio %v", sampled, ratio)
		}
		_ = closeSpans(t, s, time.Millisecond) // nobody is there to take them
	}
}

// TestCollectorRefuses has a collector that sends elsewhere: nobody else gets the headers, the log says it, and nothing else happens.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the spans go elsewhere") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	s, log := startSpans(t, telemetry.SpanOptions{Endpoint: server.URL, SamplingRatio: 1})
	makeSpan(s, "x")
	if err := closeSpans(t, s, testkit.Patience); err != nil {
		t.Error(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "spans cannot be sent and are lost") || !strings.Contains(got, server.URL) || strings.Contains(got, "hunter2") {
		t.Errorf("the log is %s", got)
	}
}

// TestCloseIsBounded has collectors that take a request and never answer, and none at all: the end of a node does not wait for them, and
// nothing of them is left, which the leak check sees.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts by itself, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, o := range map[string]telemetry.SpanOptions{
		"hanging over HTTP": {Endpoint: server.URL}, "hanging over gRPC": {Endpoint: "http://" + silent.Addr().String(), GRPC: true},
		"away over HTTP": {Endpoint: "http://127.0.0.1:1"}, "away over gRPC": {Endpoint: "http://127.0.0.1:1", GRPC: true},
	} {
		o.SamplingRatio = 1
		s, _ := startSpans(t, o)
		for range 2000 { // several batches
			makeSpan(s, "x")
		}
		began := time.Now()
		err := closeSpans(t, s, 200*time.Millisecond)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: Close takes %s", name, took)
		}
		if strings.HasPrefix(name, "hanging") && err == nil {
			t.Errorf("%s: Close says that all was sent", name)
		}
	}
}

package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/hubgate/hubgate/internal/config"
)

// greeter is the configuration of docs/gateway.md for google's health service.
const greeter = `
apiManagement:
  - name: APIM1
    apis:
      - name: health
        path: grpc.health.v1.Health
        serviceUrl: http://%s/grpc.health.v1.Health
        subscriptionRequired: false
        operations: [{method: POST, urlTemplate: "/{method}"}]
        policy: <policies><backend><forward-request http-version="2" /></backend></policies>
`

// TestGRPCThroughTheListener calls a gRPC server through the node's gateway listener, with TLS and without.
func TestGRPCThroughTheListener(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := issue(t, dir, "gateway", 1)
	data, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		t.Fatal("the certificate cannot be read")
	}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend, states := healthServer(t)
			c, err := config.Parse(fmt.Appendf(nil, greeter, backend), "hubgate.yaml", nil)
			if err != nil {
				t.Fatal(err)
			}
			transport := insecure.NewCredentials()
			if secure {
				c.Listeners.GatewayTLS = config.TLS{CertificateFile: certificate, KeyFile: key}
				transport = credentials.NewTLS(&tls.Config{RootCAs: roots})
			} else {
				c.Limits.RequestHeaderTimeout = config.Duration(2 * time.Second) // which must not be one for calls
			}
			a, _ := run(t, Options{Config: c})
			_, address, _ := strings.Cut(a.Gateway, "://")
			conn, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(transport))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			watchHealth(t, grpc_health_v1.NewHealthClient(conn), states)
		})
	}
}

func healthServer(t *testing.T) (string, *health.Server) {
	t.Helper()
	states := health.NewServer()
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, states)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), states
}

// watchHealth makes a call with one answer, and one whose answers come as the backend has them.
func watchHealth(t *testing.T, client grpc_health_v1.HealthClient, states *health.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("Check gives %v and the error %v", answer, err)
	}
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if answer, err := watch.Recv(); err != nil || answer.GetStatus() != want {
			t.Fatalf("Watch gives %v and the error %v, want %v", answer, err, want)
		}
	}
	next(grpc_health_v1.HealthCheckResponse_SERVING)
	time.Sleep(2200 * time.Millisecond) // longer than a request's head may take
	states.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	next(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
}

package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/hubgate/hubgate/internal/gateway/proxy"
	"github.com/hubgate/hubgate/internal/resource"
)

// bytesCodec lets a message be the bytes that go over the wire, so that no code has to be generated.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

func (bytesCodec) Name() string { return "bytes" }

// grpcBackend is a gRPC service whose methods show what came and how it ended.
type grpcBackend struct {
	server *grpc.Server
	ended  chan error // of the calls of Wait: why the context ended
}

const grpcService = "hubgate.test.Echo"

func (b *grpcBackend) description() *grpc.ServiceDesc {
	stream := func(name string, client, server bool, f func(grpc.ServerStream) error) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ClientStreams: client, ServerStreams: server, Handler: func(_ any, s grpc.ServerStream) error { return f(s) }}
	}
	return &grpc.ServiceDesc{
		ServiceName: grpcService,
		Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var said []byte
			if err := decode(&said); err != nil {
				return nil, err
			}
			return b.say(ctx, said)
		}}},
		Streams: []grpc.StreamDesc{
			stream("Count", false, true, b.count), stream("Join", true, false, b.join), stream("Talk", true, true, b.talk), stream("Wait", true, true, b.wait),
			stream("Crash", true, true, b.crash),
		},
	}
}

// say answers with the same bytes and metadata; "refuse" gets an error with a detail.
func (b *grpcBackend) say(ctx context.Context, said []byte) (any, error) {
	asked, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("seen", strings.Join(asked["asked"], "|"), "seen-bin", strings.Join(asked["asked-bin"], "|")))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("after", "1", "after", "2", "after-bin", "\x00\xff\n"))
	if string(said) == "refuse" {
		refused, err := status.New(codes.FailedPrecondition, "not now: 100% – later").WithDetails(&grpc_health_v1.HealthCheckRequest{Service: "detail"})
		if err != nil {
			return nil, err
		}
		return nil, refused.Err()
	}
	return &said, nil
}

// count sends as many messages as the length of the first, and then fails when that was odd.
func (b *grpcBackend) count(s grpc.ServerStream) error {
	var first []byte
	if err := s.RecvMsg(&first); err != nil {
		return err
	}
	for i := range first {
		part := fmt.Appendf(nil, "part %d", i)
		if err := s.SendMsg(&part); err != nil {
			return err
		}
	}
	if len(first)%2 == 1 {
		return status.Error(codes.DataLoss, "odd")
	}
	return nil
}

// join answers all messages in one.
func (b *grpcBackend) join(s grpc.ServerStream) error {
	var all []byte
	for {
		var part []byte
		err := s.RecvMsg(&part)
		if errors.Is(err, io.EOF) {
			return s.SendMsg(&all)
		}
		if err != nil {
			return err
		}
		all = append(all, part...)
	}
}

// talk answers each message before the next one comes; "enough" ends the call while the client could go on.
func (b *grpcBackend) talk(s grpc.ServerStream) error {
	for {
		var said []byte
		err := s.RecvMsg(&said)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if string(said) == "enough" {
			return status.Error(codes.ResourceExhausted, "enough")
		}
		if err := s.SendMsg(&said); err != nil {
			return err
		}
	}
}

// wait sends whether there is a deadline and waits for the end of the call.
func (b *grpcBackend) wait(s grpc.ServerStream) error {
	at, there := s.Context().Deadline()
	said := []byte("no deadline")
	if there {
		said = []byte("later")
		if time.Until(at) < 20*time.Second {
			said = []byte("soon")
		}
	}
	if err := s.SendMsg(&said); err != nil {
		return err
	}
	<-s.Context().Done()
	b.ended <- s.Context().Err()
	return s.Context().Err()
}

// crash sends a message and breaks all connections.
func (b *grpcBackend) crash(s grpc.ServerStream) error {
	said := []byte("still here")
	if err := s.SendMsg(&said); err != nil {
		return err
	}
	var seen []byte
	_ = s.RecvMsg(&seen) // The client has the message when it says so.
	go b.server.Stop()
	<-s.Context().Done()
	return s.Context().Err()
}

// startGRPCBackend serves the backend with google's server and returns its address without scheme, and the backend.
func startGRPCBackend(t *testing.T, secure *tls.Config) (string, *grpcBackend) {
	t.Helper()
	options := []grpc.ServerOption{grpc.ForceServerCodec(bytesCodec{}), grpc.MaxRecvMsgSize(64 << 20)}
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	b := &grpcBackend{ended: make(chan error, 1)}
	s := grpc.NewServer(options...)
	b.server = s
	s.RegisterService(b.description(), nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String(), b
}

// grpcPolicy is how an API is told to speak HTTP/2 to its backend.
const grpcPolicy = `<policies><backend><forward-request http-version="2" timeout="5"/></backend></policies>`

// grpcAPI is an API for the service, at the root as gRPC clients want it.
func grpcAPI(backend string) []resource.Resource {
	resources := httpAPI("grpc", grpcService, backend+"/"+grpcService, "POST /{method}")
	return append(resources, policyOf(testService.Child("apis", "grpc"), grpcPolicy))
}

// startGRPC serves a gRPC backend behind a gateway. The client's way to the gateway and the gateway's to the backend are over TLS
// with HTTP/2 by its handshake, or over plain connections where both sides know that it is HTTP/2.
func startGRPC(t *testing.T, secureClient, secureBackend bool) (*grpc.ClientConn, *grpcBackend) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	if secureClient {
		server.EnableHTTP2 = true
	} else {
		server.Config.Protocols = &http.Protocols{}
		server.Config.Protocols.SetHTTP1(true)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	certificates := httptest.NewTLSServer(nil) // for its certificate alone
	certificates.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certificates.Certificate())
	var backendTLS *tls.Config
	scheme := "http://"
	if secureBackend {
		backendTLS, scheme = &tls.Config{Certificates: certificates.TLS.Certificates}, "https://"
	}
	address, b := startGRPCBackend(t, backendTLS)
	g := New(Options{Service: testService, Proxy: proxy.Options{RootCAs: roots}})
	if err := g.Update(grpcAPI(scheme + address)); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = g
	transport := insecure.NewCredentials()
	if secureClient {
		server.StartTLS()
		transport = credentials.NewTLS(&tls.Config{RootCAs: roots})
	} else {
		server.Start()
	}
	conn, err := grpc.NewClient("passthrough:///"+server.Listener.Addr().String(), grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		g.Close()
		server.Close()
	})
	return conn, b
}

func grpcMethod(name string) string { return "/" + grpcService + "/" + name }

// TestGRPC calls a gRPC server through the gateway with google's client: all kinds of calls, over all kinds of connections.
func TestGRPC(t *testing.T) {
	t.Parallel()
	names := map[bool]string{false: "h2c", true: "TLS"}
	for _, client := range []bool{false, true} {
		for _, backend := range []bool{false, true} {
			t.Run(names[client]+" to "+names[backend], func(t *testing.T) {
				t.Parallel()
				conn, b := startGRPC(t, client, backend)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
				defer cancel()
				t.Run("unary", func(t *testing.T) { grpcUnary(ctx, t, conn) })
				t.Run("error", func(t *testing.T) { grpcError(ctx, t, conn) })
				t.Run("large", func(t *testing.T) { grpcLarge(ctx, t, conn) })
				t.Run("server streaming", func(t *testing.T) { grpcServerStream(ctx, t, conn) })
				t.Run("client streaming", func(t *testing.T) { grpcClientStream(ctx, t, conn) })
				t.Run("both ways", func(t *testing.T) { grpcTalk(ctx, t, conn) })
				t.Run("deadline", func(t *testing.T) { grpcDeadline(ctx, t, conn, b) })
				t.Run("cancellation", func(t *testing.T) { grpcCancellation(ctx, t, conn, b) })
				t.Run("no operation", func(t *testing.T) {
					var answer []byte
					err := conn.Invoke(ctx, "/hubgate.test.Other/Say", &[]byte{}, &answer)
					if status.Code(err) != codes.Unimplemented {
						t.Errorf("a service without an API gets %v", err)
					}
				})
				t.Run("crash", func(t *testing.T) {
					s := openStream(ctx, t, conn, "Crash")
					grpcReceive(t, s, "still here")
					grpcSend(t, s, "seen")
					grpcEnd(t, s, codes.Unavailable)
				})
			})
		}
	}
}

func grpcUnary(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	ctx = metadata.AppendToOutgoingContext(ctx, "asked", "one", "asked", "two", "asked-bin", "\x00\x01\xfe,=")
	said := []byte("hello")
	var answer []byte
	var header, trailer metadata.MD
	if err := conn.Invoke(ctx, grpcMethod("Say"), &said, &answer, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
		t.Fatal(err)
	}
	if string(answer) != "hello" {
		t.Errorf("the answer is %q", answer)
	}
	checkMetadata(t, header, "seen", "one|two")
	checkMetadata(t, header, "seen-bin", "\x00\x01\xfe,=")
	checkMetadata(t, trailer, "after", "1", "2")
	checkMetadata(t, trailer, "after-bin", "\x00\xff\n")
}

func checkMetadata(t *testing.T, got metadata.MD, name string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got[name]); diff != "" {
		t.Errorf("the metadata %s (-want +got):\n%s", name, diff)
	}
}

// grpcError gets a status with details in the trailer; a server sends such an answer without a body, in one block of headers.
func grpcError(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	said := []byte("refuse")
	var answer []byte
	var trailer metadata.MD
	err := conn.Invoke(ctx, grpcMethod("Say"), &said, &answer, grpc.Trailer(&trailer))
	s := status.Convert(err)
	if s.Code() != codes.FailedPrecondition || s.Message() != "not now: 100% – later" {
		t.Errorf("got %v", err)
	}
	checkMetadata(t, trailer, "after-bin", "\x00\xff\n")
	details := s.Details()
	if len(details) != 1 {
		t.Fatalf("got the details %v", details)
	}
	if d, ok := details[0].(*grpc_health_v1.HealthCheckRequest); !ok || d.GetService() != "detail" {
		t.Errorf("got the detail %v", details[0])
	}
}

func grpcLarge(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	said := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	var answer []byte
	if err := conn.Invoke(ctx, grpcMethod("Say"), &said, &answer); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(said, answer) {
		t.Errorf("the answer has %d bytes and is another", len(answer))
	}
}

// openStream starts a call of a method that streams both ways, as far as the client is concerned.
func openStream(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string) grpc.ClientStream {
	t.Helper()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, grpcMethod(method))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func grpcSend(t *testing.T, s grpc.ClientStream, said string) {
	t.Helper()
	data := []byte(said)
	if err := s.SendMsg(&data); err != nil {
		t.Fatal(err)
	}
}

func grpcReceive(t *testing.T, s grpc.ClientStream, want string) {
	t.Helper()
	var got []byte
	if err := s.RecvMsg(&got); err != nil || string(got) != want {
		t.Fatalf("got %q and the error %v, want %q", got, err, want)
	}
}

// grpcEnd wants the call to be over with the status.
func grpcEnd(t *testing.T, s grpc.ClientStream, want codes.Code) {
	t.Helper()
	var got []byte
	err := s.RecvMsg(&got)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if status.Code(err) != want {
		t.Errorf("the call ends with %v and the message %q, want %s", err, got, want)
	}
}

func grpcServerStream(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	for first, want := range map[string]codes.Code{"four": codes.OK, "three": codes.DataLoss, "": codes.OK} {
		s := openStream(ctx, t, conn, "Count")
		grpcSend(t, s, first)
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		for i := range first {
			grpcReceive(t, s, fmt.Sprintf("part %d", i))
		}
		grpcEnd(t, s, want)
	}
}

func grpcClientStream(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	s := openStream(ctx, t, conn, "Join")
	for i := range 100 {
		grpcSend(t, s, fmt.Sprint(i%10))
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	grpcReceive(t, s, strings.Repeat("0123456789", 10))
	grpcEnd(t, s, codes.OK)
}

// grpcTalk sends the next message only when the last one was answered, so that a part that is held back anywhere stops it.
func grpcTalk(ctx context.Context, t *testing.T, conn *grpc.ClientConn) {
	s := openStream(ctx, t, conn, "Talk")
	for i := range 50 {
		said := strings.Repeat("x", i*100)
		grpcSend(t, s, said)
		grpcReceive(t, s, said)
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	grpcEnd(t, s, codes.OK)

	s = openStream(ctx, t, conn, "Talk")
	grpcSend(t, s, "one")
	grpcReceive(t, s, "one")
	grpcSend(t, s, "enough")
	grpcEnd(t, s, codes.ResourceExhausted)
}

// over waits until the backend has noticed that a call is over.
func (b *grpcBackend) over(t *testing.T, want error) {
	t.Helper()
	select {
	case err := <-b.ended:
		if want != nil && !errors.Is(err, want) {
			t.Errorf("the backend's call ends with %v, want %v", err, want)
		}
	case <-time.After(15 * time.Second):
		t.Error("the backend's call goes on")
	}
}

func grpcDeadline(ctx context.Context, t *testing.T, conn *grpc.ClientConn, b *grpcBackend) {
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s := openStream(short, t, conn, "Wait")
	grpcReceive(t, s, "soon")
	grpcEnd(t, s, codes.DeadlineExceeded)
	b.over(t, nil) // by its own deadline or by the client's end, whichever is first
}

func grpcCancellation(ctx context.Context, t *testing.T, conn *grpc.ClientConn, b *grpcBackend) {
	left, leave := context.WithCancel(ctx)
	defer leave()
	s := openStream(left, t, conn, "Wait")
	grpcReceive(t, s, "later")
	leave()
	grpcEnd(t, s, codes.Canceled)
	b.over(t, context.Canceled)
}

func TestGRPCTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"100m": 100 * time.Millisecond, "99999999S": 99999999 * time.Second, "2H": 2 * time.Hour, "3M": 3 * time.Minute, "4u": 4 * time.Microsecond, "5n": 5, "0S": 0,
		"": -1, "S": -1, "10": -1, "10x": -1, "-1S": -1, "+1S": -1, "123456789S": -1, "99999999H": -1,
	} {
		got, ok := grpcTimeout(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q gives %v and %v, want %v", text, got, ok, want)
		}
	}
}

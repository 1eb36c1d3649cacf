package appserver

import (
	"context"
	"net/http"
	"testing"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// BenchmarkInvocation is the way of one call through the hub and back, without a network.
func BenchmarkInvocation(b *testing.B) {
	app, err := New(testConnectionString, Options{ServerConnections: 1})
	if err != nil {
		b.Fatal(err)
	}
	hub, err := app.Handle("test", probeHub{}, HubOptions{})
	if err != nil {
		b.Fatal(err)
	}
	sink := &sinkStream{opened: make(chan struct{}), answers: make(chan struct{}, 1)}
	app.dial = func(context.Context, string, http.Header) (stream, error) { return sink, nil }
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	defer func() { stop(); <-done }()
	if err := app.WaitConnected(ctx); err != nil {
		b.Fatal(err)
	}
	link := hub.links()[0]
	hub.open(link, &svcproto.OpenConnection{ConnectionID: "c"})
	client := hub.client("c")
	client.feed(hubproto.AppendHandshakeRequest(nil, hubproto.HandshakeRequest{Protocol: "json", Version: 1}))
	<-sink.answers
	call := []byte(`{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}` + "\x1e")
	b.ReportAllocs()
	for b.Loop() {
		client.feed(call)
		<-sink.answers
	}
}

// sinkStream accepts the handshake and tells of every write behind it.
type sinkStream struct {
	opened  chan struct{}
	answers chan struct{}
	shaken  bool
}

func (s *sinkStream) Read(ctx context.Context, into []byte) (int, error) {
	select {
	case <-s.opened:
		if !s.shaken {
			s.shaken = true
			return copy(into, (&svcproto.HandshakeResponse{}).Append(nil)), nil
		}
		<-ctx.Done()
	case <-ctx.Done():
	}
	return 0, ctx.Err()
}

func (s *sinkStream) Write(context.Context, []byte) error {
	select {
	case <-s.opened:
		select {
		case s.answers <- struct{}{}:
		default:
		}
	default:
		close(s.opened)
	}
	return nil
}

func (s *sinkStream) Close(bool) {}

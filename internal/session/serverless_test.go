package session

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/upstream"
)

// FuzzUpstreamResponse makes a completion of whatever an endpoint answers: the client must be able to read it, and must get its answer.
func FuzzUpstreamResponse(f *testing.F) {
	f.Add([]byte(`{"type":3,"invocationId":"1","result":{"a":[1]}}`+"\x1e"), 200, false)
	f.Add([]byte(`{"type":3,"invocationId":"1"}`), 200, false)
	f.Add([]byte("\x06\x94\x03\x80\xa11\x02"), 200, true)
	f.Add([]byte("\x94\x03\x80\xa11\x02"), 200, true)
	f.Add([]byte(nil), 204, true)
	f.Add([]byte("{}"), 500, false)
	service := &Service{Options: Options{Logger: slog.New(slog.DiscardHandler)}}
	service.serverless.start()
	f.Cleanup(service.serverless.cancel)
	f.Fuzz(func(t *testing.T, body []byte, status int, binary bool) {
		l := &serverlessLink{service: service, session: &Session{hub: hub.NewRegistry("node").Hub("chat")}}
		if binary {
			l.protocol = hubproto.MessagePack
		}
		if answer := l.completion("1", &upstream.Response{Status: status, Body: body}, nil); !l.completes(answer, "1") {
			t.Fatalf("%d %q became %q", status, body, answer)
		}
	})
}

// appServer is a link that takes everything.
type appServer struct{ hub.Link }

func (appServer) ServerID() string                                   { return "app server" }
func (appServer) Load() int                                          { return 0 }
func (appServer) Add(int)                                            {}
func (appServer) Send(svcproto.Message) error                        { return nil }
func (appServer) Data(_, _ []byte, _ svcproto.DataMessageType) error { return nil }

func TestWhoHasTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode       resource.ServiceMode
		hasServer  bool
		serverless bool
		err        error
	}{
		{resource.ModeDefault, true, false, nil},
		{resource.ModeDefault, false, false, hub.ErrNoServer},
		{resource.ModeServerless, true, true, nil},
		{resource.ModeServerless, false, true, nil},
		{resource.ModeClassic, true, false, nil},
		{resource.ModeClassic, false, true, nil},
		{"", false, false, hub.ErrNoServer},
	} {
		s := New(Options{Registry: hub.NewRegistry("node"), Logger: slog.New(slog.DiscardHandler)})
		s.Configure(Settings{Mode: c.mode})
		h := s.Registry.Hub("chat")
		if c.hasServer {
			h.AddLink(appServer{})
		}
		client := &Session{service: s, hub: h, client: hub.Client{ID: "c"}}
		link, err := client.attach(&greeting{})
		if _, serverless := link.(*serverlessLink); serverless != c.serverless || !errors.Is(err, c.err) {
			t.Errorf("%s, app server %v: %T %v", c.mode, c.hasServer, link, err)
		}
		s.serverless.cancel()
	}
}

// Pings are one message for all clients, so that keeping many alive makes no garbage.
func TestPingsAllocateNothing(t *testing.T) {
	s := New(Options{Registry: hub.NewRegistry("node"), Logger: slog.New(slog.DiscardHandler)})
	s.Configure(Settings{})
	defer s.serverless.cancel()
	l := newServerlessLink(&Session{service: s, phase: over})
	b := message.Batch{}
	now := l.heard
	if n := testing.AllocsPerRun(100, func() {
		l.heard, l.pingAt = now, now
		l.check(now, &b)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

package appserver

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/svcproto"
)

type (
	emptyHub         struct{}
	variadicHub      struct{}
	wrongEventHub    struct{}
	twoResultsHub    struct{}
	lateContextHub   struct{}
	functionHub      struct{}
	interfaceHub     struct{}
	channelHub       struct{}
	seqUploadHub     struct{}
	wrongGoodbyeHub  struct{}
	caseHub          struct{}
	pointerMethodHub struct{}
)

func (variadicHub) Say(...string)                      {}
func (wrongEventHub) OnConnected()                     {}
func (wrongEventHub) Say()                             {}
func (wrongGoodbyeHub) OnDisconnected(context.Context) {}
func (twoResultsHub) Say() (int, int)                  { return 0, 0 }
func (lateContextHub) Say(int, context.Context)        {}
func (functionHub) Say(func())                         {}
func (interfaceHub) Say(error)                         {}
func (channelHub) Say(chan<- int)                      {}
func (seqUploadHub) Say(iter.Seq[int])                 {}
func (caseHub) Say()                                   {}
func (caseHub) SAY()                                   {}
func (*pointerMethodHub) Say()                         {}

func TestHubsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hub  any
		want string
	}{
		{"chat", nil, "the hub is nil"},
		{"chat", (*pointerMethodHub)(nil), "the hub is nil"},
		{"chat", emptyHub{}, "no exported method"},
		{"chat", pointerMethodHub{}, "pass a pointer"},
		{"chat", variadicHub{}, "variadic"},
		{"chat", wrongEventHub{}, "OnConnected"},
		{"chat", wrongGoodbyeHub{}, "OnDisconnected"},
		{"chat", twoResultsHub{}, "at most one value"},
		{"chat", lateContextHub{}, "first parameter"},
		{"chat", functionHub{}, "func()"},
		{"chat", interfaceHub{}, "interface error"},
		{"chat", channelHub{}, "chan<- int"},
		{"chat", seqUploadHub{}, "iter.Seq2"},
		{"chat", caseHub{}, "differ in case only"},
		{"", probeHub{}, "hub name"},
		{"1chat", probeHub{}, "hub name"},
		{"chat/room", probeHub{}, "hub name"},
		{"TAKEN", probeHub{}, "already"},
	} {
		app, err := New(testConnectionString, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Handle("taken", probeHub{}, HubOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := app.Handle(c.name, c.hub, HubOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %T: %v, want %q", c.name, c.hub, err, c.want)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, options := range []Options{{ApplicationName: "1x"}, {ApplicationName: "a-b"}, {ServerConnections: -1}, {TokenAlgorithm: "none"}, {ShutdownTimeout: -1}} {
		if _, err := New(testConnectionString, options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
	if _, err := New("", Options{}); err == nil {
		t.Error("an empty connection string was accepted")
	}
}

func TestRunRefusals(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	app, err := New("Endpoint=https://a.b;AuthType=azure.msi", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Handle("chat", probeHub{}, HubOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := app.Run(ctx); !errors.Is(err, ErrEntraUnsupported) {
		t.Errorf("Entra: %v", err)
	}
	app, err = New(testConnectionString, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Run(ctx); err == nil || !strings.Contains(err.Error(), "no hub") {
		t.Errorf("no hub: %v", err)
	}
}

func TestRefusedUpgrade(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{401: "AccessKey", 404: "status 404", 500: "status 500"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		_, err := webSocketDialer(server.Client())(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"), nil)
		server.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestOverAWebSocket runs the whole way to a service over TCP.
func TestOverAWebSocket(t *testing.T) {
	t.Parallel()
	type request struct {
		path   string
		header http.Header
	}
	requests := make(chan request, 10)
	frames := make(chan svcproto.Message, 10)
	closed := make(chan websocket.StatusCode, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- request{r.URL.Path, r.Header}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		reader := &frameReader{stream: &webSocketStream{conn: conn}}
		next := func() svcproto.Message {
			body, err := reader.next(r.Context())
			if err != nil {
				closed <- websocket.CloseStatus(err)
				return nil
			}
			m, err := svcproto.Decode(append([]byte(nil), body...))
			if err != nil {
				t.Error(err)
			}
			frames <- m
			return m
		}
		next()
		// Frames and messages of the WebSocket have nothing to do with each other.
		data := (&svcproto.HandshakeResponse{}).Append(nil)
		data = (&svcproto.OpenConnection{ConnectionID: "c", Protocol: "json"}).Append(data)
		data = (&svcproto.ConnectionData{ConnectionID: []byte("c"), Payload: []byte(`{"protocol":"json","version":1}` + "\x1e")}).Append(data)
		for len(data) > 0 {
			n := min(7, len(data))
			if err := conn.Write(r.Context(), websocket.MessageBinary, data[:n]); err != nil {
				return
			}
			data = data[n:]
		}
		for next() != nil {
		}
	}))
	defer server.Close()
	host, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	app, err := New("Endpoint=http://"+host+";Port="+port+";AccessKey=key;Version=1.0;", Options{
		ServerConnections: 1, Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)), HTTPClient: server.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Handle("Chat", probeHub{}, HubOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	if r := <-requests; r.path != "/server/" || r.header.Get("X-ASRS-Server-Id") != app.ServerID() {
		t.Errorf("request %v", r)
	}
	for m := range frames {
		if data, ok := m.(*svcproto.ConnectionData); ok {
			if string(data.Payload) != "{}\x1e" || data.DataMessageType != svcproto.DataMessageTypeHandshake {
				t.Errorf("data %q %v", data.Payload, data.DataMessageType)
			}
			break
		}
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Run does not end")
	}
	if code := <-closed; code != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", code)
	}
}

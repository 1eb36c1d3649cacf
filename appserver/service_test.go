package appserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/dataapi"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/upstream"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

const serviceKey = "the key of the service that these tests run against"

// service is a whole SignalR instance behind a real listener.
type service struct {
	*httptest.Server
	t       *testing.T
	clients *session.Service
	http    *http.Client
}

// uncounted is an observer that counts nothing.
type uncounted struct{}

func (uncounted) ClientOpened(transport.Kind)                   {}
func (uncounted) ClientClosed(transport.Kind, session.Category) {}
func (uncounted) ServerOpened()                                 {}
func (uncounted) ServerClosed()                                 {}
func (uncounted) Inbound(int)                                   {}
func (uncounted) Outbound(int, int)                             {}

func newService(t *testing.T, mode resource.ServiceMode) *service {
	t.Helper()
	registry, log := hub.NewRegistry("node"), testkit.Logger(t)
	events := upstream.New(upstream.Options{Logger: log})
	if err := events.Configure(&resource.SignalR{PrimaryKey: serviceKey}); err != nil {
		t.Fatal(err)
	}
	verifier := auth.NewVerifier([]string{serviceKey})
	clients := session.New(session.Options{Registry: registry, Observer: uncounted{}, Logger: log, NodeID: "node", Upstream: events})
	clients.Configure(session.Settings{Mode: mode, Verifier: verifier})
	servers := serverlink.New(serverlink.Options{Registry: registry, Observer: uncounted{}, Logger: log})
	servers.Configure(verifier)
	servers.SetMode(mode)
	api := dataapi.New(dataapi.Options{Registry: registry, Observer: uncounted{}, Logger: log, Verifier: func() *auth.Verifier { return verifier }})
	s := &service{t: t, clients: clients, http: &http.Client{Transport: &http.Transport{}}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"):
			api.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/server/"):
			servers.ServeHTTP(w, r)
		default:
			clients.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		clients.Shutdown()
		events.Close()
		servers.Shutdown()
		s.http.CloseIdleConnections()
		s.Close()
	})
	return s
}

func (s *service) connectionString() string {
	return "Endpoint=" + s.URL + ";AccessKey=" + serviceKey + ";Version=1.0;"
}

// manager makes a manager with a hub that is connected.
func (s *service) manager(options appserver.ServiceManagerOptions, name string) *appserver.ServiceHub {
	s.t.Helper()
	options.HTTPClient, options.Logger = s.http, testkit.Logger(s.t)
	m, err := appserver.NewServiceManager(s.connectionString(), options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.Close)
	h, err := m.Hub(name)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), testkit.Patience)
	defer cancel()
	if err := h.WaitConnected(ctx); err != nil {
		s.t.Fatal(err)
	}
	return h
}

// runApp runs an app server with one hub.
func (s *service) runApp(name string, receiver any) {
	s.t.Helper()
	app, err := appserver.New(s.connectionString(), appserver.Options{ServerConnections: 1, HTTPClient: s.http, Logger: testkit.Logger(s.t)})
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := app.Handle(name, receiver, appserver.HubOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		if err := testkit.Receive(s.t, ended, "end of the app server"); err != nil {
			s.t.Error(err)
		}
	})
	waiting, cancel := context.WithTimeout(ctx, testkit.Patience)
	defer cancel()
	if err := app.WaitConnected(waiting); err != nil {
		s.t.Fatal(err)
	}
	// Once the service answers on the connection, it also sends clients there.
	if _, err := h.UserExists(waiting, "nobody"); err != nil {
		s.t.Fatal(err)
	}
}

// client is a SignalR client over a WebSocket.
type client struct {
	t        *testing.T
	conn     *websocket.Conn
	protocol hubproto.Protocol
	id       string
	rest     []byte
}

// connect lets a client in as a negotiate answer says.
func (s *service) connect(n appserver.Negotiation, protocol hubproto.Protocol) *client {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), testkit.Patience)
	defer cancel()
	base, query, _ := strings.Cut(n.URL, "?")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+"/negotiate?negotiateVersion=1&"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	header := http.Header{"Authorization": {"Bearer " + n.AccessToken}}
	request.Header = header
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ ConnectionID, ConnectionToken string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		s.t.Fatalf("negotiate: status %d, %v", response.StatusCode, err)
	}
	conn, _, err := websocket.Dial(ctx, n.URL+"&id="+url.QueryEscape(answer.ConnectionToken), &websocket.DialOptions{HTTPClient: s.http, HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &client{t: s.t, conn: conn, protocol: protocol, id: answer.ConnectionID}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	c.write(hubproto.AppendHandshakeRequest(nil, hubproto.HandshakeRequest{Protocol: protocol.String(), Version: 1}))
	for {
		record, rest, ok := hubproto.SplitRecord(c.rest)
		if ok {
			if text, err := hubproto.ParseHandshakeResponse(record); err != nil || text != "" {
				s.t.Fatalf("handshake: %q %v", text, err)
			}
			c.rest = rest
			return c
		}
		c.read()
	}
}

func (c *client) write(b []byte) {
	c.t.Helper()
	kind := websocket.MessageText
	if c.protocol.Binary() {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), testkit.Patience)
	defer cancel()
	if err := c.conn.Write(ctx, kind, b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), testkit.Patience)
	defer cancel()
	_, b, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	c.rest = append(bytes.Clone(c.rest), b...)
}

// next is the next message that is no ping.
func (c *client) next() *hubproto.Message {
	c.t.Helper()
	for {
		body, size, err := c.protocol.Next(c.rest, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		if size == 0 {
			c.read()
			continue
		}
		c.rest = c.rest[size:]
		m, err := c.protocol.Parse(body)
		if err != nil {
			c.t.Fatal(err)
		}
		if m.Type != hubproto.Ping {
			return m
		}
	}
}

// want checks that the next message invokes a method, and returns its arguments.
func (c *client) want(target string) []hubproto.RawValue {
	c.t.Helper()
	m := c.next()
	if m.Type != hubproto.Invocation || m.Target != target {
		c.t.Fatalf("the client got %v %q, want %q", m.Type, m.Target, target)
	}
	return m.Arguments
}

// wantClose checks that the next message closes the connection.
func (c *client) wantClose(text string) {
	c.t.Helper()
	if m := c.next(); m.Type != hubproto.Close || m.Error != text {
		c.t.Fatalf("the client got %v %q, want a close with %q", m.Type, m.Error, text)
	}
}

// answer answers an invocation that wants a result.
func (c *client) answer(m *hubproto.Message, result, failure string) {
	c.t.Helper()
	completion := &hubproto.Message{Type: hubproto.Completion, InvocationID: m.InvocationID, HasInvocationID: true}
	if failure != "" {
		completion.Error, completion.HasError = failure, true
	} else {
		completion.Result, completion.HasResult = hubproto.RawValue(result), true
	}
	b, err := c.protocol.Append(nil, completion)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(b)
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	t.Cleanup(cancel)
	return ctx
}

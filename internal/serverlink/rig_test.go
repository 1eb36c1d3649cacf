package serverlink_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

const accessKey = "a secret of this test, which no log may show"

// service is a whole instance in Default mode behind a real listener.
type service struct {
	userAgent string // of the clients
	*httptest.Server
	t        *testing.T
	registry *hub.Registry
	clients  *session.Service
	servers  *serverlink.Server
	client   *http.Client
	log      *logBuffer

	mu      sync.Mutex
	secrets []string
	closed  map[session.Category]int
	begun   chan transport.Kind   // of clients' transports
	ended   chan session.Category // of clients
}

// ClientOpened and the rest are what the service counts with.
func (s *service) ClientOpened(k transport.Kind) { s.begun <- k }

func (s *service) ClientClosed(_ transport.Kind, c session.Category) {
	s.mu.Lock()
	s.closed[c]++
	s.mu.Unlock()
	s.ended <- c
}
func (s *service) ServerOpened()     {}
func (s *service) ServerClosed()     {}
func (s *service) Inbound(int)       {}
func (s *service) Outbound(int, int) {}

// logBuffer keeps the log, down to debug level.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type limits struct {
	clients session.Limits
	servers serverlink.Limits
}

// serve starts an instance. When the test is over no log line may show a secret, and no goroutine may be left.
func serve(t *testing.T, l limits) *service {
	t.Helper()
	s := &service{
		t: t, registry: hub.NewRegistry("node1"), log: new(logBuffer), secrets: []string{accessKey},
		closed: make(map[session.Category]int), begun: make(chan transport.Kind, 1000), ended: make(chan session.Category, 1000),
	}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pool := message.NewPool()
	s.clients = session.New(session.Options{Registry: s.registry, Pool: pool, Observer: s, Logger: log, NodeID: "node1"})
	s.servers = serverlink.New(serverlink.Options{Registry: s.registry, Pool: pool, Observer: s, Logger: log, Limits: l.servers})
	verifier := auth.NewVerifier([]string{accessKey, "the other key of this test"})
	s.servers.Configure(verifier)
	s.clients.Configure(session.Settings{Mode: resource.ModeDefault, Verifier: verifier, Limits: l.clients})
	mux := http.NewServeMux()
	mux.Handle("/client/", s.clients)
	mux.Handle("/server/", s.servers)
	s.Server = httptest.NewServer(mux)
	s.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		s.clients.Shutdown()
		s.servers.Shutdown()
		s.client.CloseIdleConnections()
		s.Close()
		pool.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		log := s.log.String()
		for _, secret := range s.secrets {
			if strings.Contains(log, secret) {
				t.Errorf("the log shows a secret: %s", log)
			}
		}
	})
	return s
}

// sign makes a token; what it is signed with must never be seen in a log.
func (s *service) sign(key, audience string, expires time.Time, claims ...auth.Claim) string {
	s.t.Helper()
	claims = append([]auth.Claim{
		{Type: auth.ClaimAudience, Value: audience}, {Type: auth.ClaimExpires, Value: fmt.Sprint(expires.Unix())},
	}, claims...)
	token, err := auth.Sign(key, auth.HS256, claims...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.secrets = append(s.secrets, token)
	s.mu.Unlock()
	return token
}

func claim(name, value string) auth.Claim { return auth.Claim{Type: name, Value: value} }

// clientToken is a good one.
func (s *service) clientToken(hubName string, claims ...auth.Claim) string {
	return s.sign(accessKey, s.URL+"/client/?hub="+hubName, time.Now().Add(time.Hour), claims...)
}

func (s *service) serverToken(hubName string) string {
	return s.sign(accessKey, s.URL+"/server/?hub="+hubName, time.Now().Add(time.Hour))
}

// do makes a request; its answer's body is read and closed.
func (s *service) do(method, path, token, body string) (status int, answer string, header http.Header) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = w.Body.Close() }()
	b, err := io.ReadAll(w.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return w.StatusCode, string(b), w.Header
}

// appServer is a server connection, seen from the app server.
type appServer struct {
	t        *testing.T
	conn     *websocket.Conn
	messages chan svcproto.Message // all but pings without a word; closed at the end
	pings    chan struct{}         // those
	err      error                 // why it ended; read it after messages is closed
}

// dialServer opens a server connection without a word on it.
func (s *service) dialServer(hubName, serverID string) *appServer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.URL+"/server/?hub="+hubName+"&cid="+serverID+"-connection", &websocket.DialOptions{ //nolint:bodyclose // an upgraded response has no body
		HTTPClient: s.client,
		HTTPHeader: http.Header{"Authorization": {"Bearer " + s.serverToken(hubName)}, "X-ASRS-Server-Id": {serverID}},
	})
	if err != nil {
		s.t.Fatalf("dialling as app server %s: %v", serverID, err)
	}
	conn.SetReadLimit(-1)
	a := &appServer{t: s.t, conn: conn, messages: make(chan svcproto.Message, 10_000), pings: make(chan struct{}, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.read()
	}()
	s.t.Cleanup(func() {
		_ = conn.Close(websocket.StatusNormalClosure, "")
		_ = conn.CloseNow()
		<-done
	})
	return a
}

func (a *appServer) read() {
	defer close(a.messages)
	var stream []byte
	for {
		_, b, err := a.conn.Read(context.Background())
		if err != nil {
			a.err = err
			return
		}
		stream = append(stream, b...)
		for {
			body, size, _, err := svcproto.Split(stream, len(stream))
			if err != nil {
				a.err = err
				return
			}
			if size == 0 {
				break
			}
			m, err := svcproto.Decode(bytes.Clone(body))
			if err != nil {
				a.err = err
				return
			}
			if ping, ok := m.(*svcproto.Ping); ok && len(ping.Values) == 0 {
				select {
				case a.pings <- struct{}{}:
				default:
				}
			} else {
				a.messages <- m
			}
			stream = stream[size:]
		}
	}
}

// server opens a server connection, and greets.
func (s *service) server(hubName, serverID string) *appServer {
	s.t.Helper()
	a := s.dialServer(hubName, serverID)
	a.send(&svcproto.HandshakeRequest{Version: 1})
	if m := receive[*svcproto.HandshakeResponse](a); m.Error != "" || m.ConnectionID.Value != serverID+"-connection" {
		s.t.Fatalf("the handshake was answered with %+v", m)
	}
	return a
}

func (a *appServer) sendBytes(b []byte) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := a.conn.Write(ctx, websocket.MessageBinary, b); err != nil {
		a.t.Fatalf("an app server cannot send: %v", err)
	}
}

// send sends messages, all in one piece.
func (a *appServer) send(messages ...svcproto.Message) {
	a.t.Helper()
	var b []byte
	for _, m := range messages {
		b = m.Append(b)
	}
	a.sendBytes(b)
}

// receive is the next message, which must be of that type.
func receive[M svcproto.Message](a *appServer) M {
	a.t.Helper()
	m := testkit.Receive(a.t, a.messages, fmt.Sprintf("a %T", *new(M)))
	got, ok := m.(M)
	if !ok {
		a.t.Fatalf("the service sent %T %+v, want %T", m, m, *new(M))
	}
	return got
}

// settle waits until the service has done all that was sent before.
func (a *appServer) settle() {
	a.t.Helper()
	a.send(&svcproto.CheckGroupExistenceWithAck{Group: "settled?", AckID: 999_999})
	if ack := receive[*svcproto.Ack](a); ack.AckID != 999_999 {
		a.t.Fatalf("the ack %+v came before that of the question", ack)
	}
}

// nothing checks that no other message is there once all is done.
func (a *appServer) nothing() {
	a.t.Helper()
	a.settle()
}

// over waits for the connection's end and returns why.
func (a *appServer) over() error {
	a.t.Helper()
	for range 1000 {
		select {
		case _, ok := <-a.messages:
			if !ok {
				return a.err
			}
		case <-time.After(testkit.Patience):
			a.t.Fatal("the server connection does not end")
		}
	}
	a.t.Fatal("the server connection goes on and on")
	return nil
}

// accept takes the next client: its opening and its handshake, which is answered.
func (a *appServer) accept() *svcproto.OpenConnection {
	a.t.Helper()
	open := receive[*svcproto.OpenConnection](a)
	hello := receive[*svcproto.ConnectionData](a)
	if string(hello.ConnectionID) != open.ConnectionID || hello.DataMessageType != svcproto.DataMessageTypeHandshake {
		a.t.Fatalf("behind the opening of %s comes %+v", open.ConnectionID, hello)
	}
	a.data(open.ConnectionID, "{}\x1e")
	return open
}

// data sends a client something.
func (a *appServer) data(client, payload string) {
	a.t.Helper()
	a.send(&svcproto.ConnectionData{ConnectionID: []byte(client), Payload: []byte(payload)})
}

// gets is the next thing that a client has sent.
func (a *appServer) gets() (client, payload string) {
	a.t.Helper()
	m := receive[*svcproto.ConnectionData](a)
	return string(m.ConnectionID), string(m.Payload)
}

// wsClient is a client over a WebSocket.
type wsClient struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial opens a WebSocket; id is a connection token of negotiate, or "" to skip that.
func (s *service) dial(hubName, id, token string) *wsClient {
	s.t.Helper()
	c, status := s.tryDial(hubName, id, token)
	if c == nil {
		s.t.Fatalf("a client cannot connect: status %d", status)
	}
	return c
}

func (s *service) tryDial(hubName, id, token string) (*wsClient, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	query := url.Values{"hub": {hubName}, "access_token": {token}}
	if id != "" {
		query.Set("id", id)
	}
	conn, w, err := websocket.Dial(ctx, s.URL+"/client/?"+query.Encode(), &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: http.Header{"User-Agent": {s.userAgent}}}) //nolint:bodyclose // an upgraded response has no body
	if err != nil {
		if w == nil {
			s.t.Fatal(err)
		}
		return nil, w.StatusCode
	}
	conn.SetReadLimit(-1)
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return &wsClient{s.t, conn}, http.StatusSwitchingProtocols
}

func (c *wsClient) send(text string) {
	c.t.Helper()
	if err := c.trySend(text); err != nil {
		c.t.Fatalf("a client cannot send: %v", err)
	}
}

// trySend is send for other goroutines than the test's own.
func (c *wsClient) trySend(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, []byte(text))
}

func (c *wsClient) read() string {
	c.t.Helper()
	text, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("a client cannot read: %v", err)
	}
	return text
}

func (c *wsClient) tryRead() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	_, b, err := c.conn.Read(ctx)
	return string(b), err
}

func (c *wsClient) expect(want string) {
	c.t.Helper()
	if got := c.read(); got != want {
		c.t.Errorf("a client got %q, want %q", got, want)
	}
}

// expectEnd expects the proper end of the WebSocket.
func (c *wsClient) expectEnd() {
	c.t.Helper()
	if text, err := c.tryRead(); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		c.t.Errorf("a client got %q, error %v, want the close frame", text, err)
	}
}

const hello = `{"protocol":"json","version":1}` + "\x1e"

// client connects to hub "chat" and shakes hands, as user unless that is "".
func (s *service) connect(a *appServer, user string) (c *wsClient, id string) {
	s.t.Helper()
	var claims []auth.Claim
	if user != "" {
		claims = append(claims, claim("asrs.s.uid", user))
	}
	c = s.dial("chat", "", s.clientToken("chat", claims...))
	c.send(hello)
	id = a.accept().ConnectionID
	c.expect("{}\x1e")
	return c, id
}

// endOf waits for the end of one client and checks why.
func (s *service) endOf(want session.Category) {
	s.t.Helper()
	if got := testkit.Receive(s.t, s.ended, "the end of a client"); got != want {
		s.t.Errorf("a client's connection was counted as %s, want %s", got, want)
	}
}

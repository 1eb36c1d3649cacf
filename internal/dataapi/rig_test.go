package dataapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/dataapi"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/upstream"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

const (
	primaryKey   = "primary-key-of-the-tests-0123456789abcdef"
	secondaryKey = "secondary-key-of-the-tests-0123456789abcde"
)

// rig is an instance in Serverless mode: clients and the REST API under one server.
type rig struct {
	t        testing.TB
	registry *hub.Registry
	clients  *session.Service
	upstream *upstream.Dispatcher
	server   *httptest.Server
	http     *http.Client
}

type silent struct{}

func (silent) ClientOpened(transport.Kind)                   {}
func (silent) ClientClosed(transport.Kind, session.Category) {}
func (silent) Inbound(int)                                   {}
func (silent) Outbound(int, int)                             {}

func newRig(t testing.TB, templates ...resource.UpstreamTemplate) *rig {
	t.Helper()
	r := &rig{t: t, registry: hub.NewRegistry("node")}
	r.upstream = upstream.New(upstream.Options{Logger: testkit.Logger(t)})
	err := r.upstream.Configure(&resource.SignalR{PrimaryKey: primaryKey, SecondaryKey: secondaryKey, Upstream: templates})
	if err != nil {
		t.Fatal(err)
	}
	r.clients = session.New(session.Options{Registry: r.registry, Observer: silent{}, Logger: testkit.Logger(t), NodeID: "n", Upstream: r.upstream})
	verifier := auth.NewVerifier([]string{primaryKey, secondaryKey})
	r.clients.Configure(session.Settings{Mode: resource.ModeServerless, Verifier: verifier})
	api := dataapi.New(dataapi.Options{
		Registry: r.registry, Observer: silent{}, Logger: testkit.Logger(t),
		Verifier: func() *auth.Verifier { return verifier },
		Key:      func() string { return primaryKey }, Refresher: r.clients,
	})
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/api/") {
			api.ServeHTTP(w, q)
			return
		}
		r.clients.ServeHTTP(w, q)
	}))
	r.http = r.server.Client()
	t.Cleanup(func() {
		r.clients.Shutdown()
		r.upstream.Close()
		r.http.CloseIdleConnections()
		r.server.Close()
	})
	return r
}

func sign(t testing.TB, audience string, claims ...auth.Claim) string {
	t.Helper()
	all := append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: audience})
	token, err := auth.Sign(primaryKey, auth.HS256, append(all, claims...)...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// answer is a response that has been read.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// do makes a request of the REST API with a token for exactly its URL.
func (r *rig) do(method, path, contentType, body string) answer {
	r.t.Helper()
	return r.doAs(sign(r.t, "http://instance"+path), method, path, contentType, body)
}

func (r *rig) doAs(token, method, path, contentType, body string) answer {
	r.t.Helper()
	q, err := http.NewRequest(method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	response, err := r.http.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

// rest is do for the newest version, with a message in JSON; it fails the test unless the status is want.
func (r *rig) rest(method, path, body string, want int) answer {
	r.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	a := r.do(method, path+separator+"api-version=2024-12-01", kind, body)
	if a.Status != want {
		r.t.Fatalf("%s %s: status %d, want %d; %s", method, path, a.Status, want, a.Body)
	}
	return a
}

// client is a WebSocket client that speaks the hub protocol by itself.
type client struct {
	t        testing.TB
	conn     *websocket.Conn
	protocol hubproto.Protocol
	id       string
	token    string // names the connection as well, to app servers
	rest     []byte
}

// connect negotiates, opens a WebSocket and shakes hands.
func (r *rig) connect(hubName string, p hubproto.Protocol, claims ...auth.Claim) *client {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	token := sign(r.t, "http://instance/client/?hub="+hubName, claims...)
	a := r.doAs(token, http.MethodPost, "/client/negotiate?negotiateVersion=1&hub="+hubName, "", "")
	var negotiated struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal([]byte(a.Body), &negotiated); err != nil || a.Status != 200 {
		r.t.Fatalf("negotiate: %d %s", a.Status, a.Body)
	}
	conn, _, err := websocket.Dial(ctx, r.server.URL+"/client/?room=7&hub="+hubName+"&id="+negotiated.ConnectionToken+"&access_token="+token,
		&websocket.DialOptions{HTTPClient: r.http})
	if err != nil {
		r.t.Fatal(err)
	}
	conn.SetReadLimit(32 << 20)
	c := &client{t: r.t, conn: conn, protocol: p, id: negotiated.ConnectionID, token: negotiated.ConnectionToken}
	r.t.Cleanup(func() { _ = conn.CloseNow() })
	c.write(hubproto.AppendHandshakeRequest(nil, hubproto.HandshakeRequest{Protocol: p.String(), Version: 1}))
	record, rest, ok := []byte(nil), []byte(nil), false
	for !ok {
		c.rest = append(c.rest, c.read()...)
		record, rest, ok = hubproto.SplitRecord(c.rest)
	}
	if text, err := hubproto.ParseHandshakeResponse(record); err != nil || text != "" {
		r.t.Fatalf("handshake: %q %v", text, err)
	}
	c.rest = rest
	return c
}

func (c *client) write(b []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	kind := websocket.MessageText
	if c.protocol.Binary() {
		kind = websocket.MessageBinary
	}
	if err := c.conn.Write(ctx, kind, b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() []byte {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	_, b, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *client) send(m *hubproto.Message) {
	c.t.Helper()
	b, err := c.protocol.Append(nil, m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(b)
}

// raw is the next hub message that is not a ping, without its framing.
func (c *client) raw() []byte {
	c.t.Helper()
	for {
		m, size, err := c.protocol.Next(c.rest, 0)
		if err != nil {
			c.t.Fatal(err)
		}
		if size == 0 {
			c.rest = append(bytes.Clone(c.rest), c.read()...)
			continue
		}
		c.rest = c.rest[size:]
		if t, err := c.protocol.TypeOf(m); err != nil {
			c.t.Fatal(err)
		} else if t != hubproto.Ping {
			return m
		}
	}
}

func (c *client) next() *hubproto.Message {
	c.t.Helper()
	m, err := c.protocol.Parse(c.raw())
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (r *rig) setMode(mode resource.ServiceMode) {
	r.clients.Configure(session.Settings{Mode: mode, Verifier: auth.NewVerifier([]string{primaryKey, secondaryKey})})
}

func user(id string) auth.Claim { return auth.Claim{Type: auth.ClaimNameID, Value: id} }

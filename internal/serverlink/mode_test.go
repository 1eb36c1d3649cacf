package serverlink_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
)

const modeKey = "the-access-key-of-these-tests-0123456789"

// modeObserver counts nothing.
type modeObserver struct{}

func (modeObserver) ServerOpened()     {}
func (modeObserver) ServerClosed()     {}
func (modeObserver) Outbound(int, int) {}

// listenMode starts a server for app servers.
func listenMode(t *testing.T) (*serverlink.Server, *httptest.Server) {
	s := serverlink.New(serverlink.Options{Registry: hub.NewRegistry("node"), Observer: modeObserver{}, Logger: testkit.Logger(t)})
	s.Configure(auth.NewVerifier([]string{modeKey}))
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Shutdown()
		h.Client().CloseIdleConnections()
		h.Close()
	})
	return s, h
}

// dialMode opens a server connection as an SDK that names itself product would, up to the answer to its handshake.
func dialMode(t *testing.T, h *httptest.Server, product string, kind svcproto.ServiceConnectionType) (*websocket.Conn, *svcproto.HandshakeResponse, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	token, err := auth.Sign(modeKey, auth.HS256, append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: "http://x/server/?hub=chat"})...)
	if err != nil {
		t.Fatal(err)
	}
	conn, response, err := websocket.Dial(ctx, h.URL+"/server/?hub=chat", &websocket.DialOptions{HTTPClient: h.Client(), HTTPHeader: http.Header{
		"Authorization": {"Bearer " + token}, "Asrs-User-Agent": {product}, "X-Asrs-Server-Id": {"server"},
	}})
	if err != nil {
		return nil, nil, response
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if err := conn.Write(ctx, websocket.MessageBinary, (&svcproto.HandshakeRequest{Version: 1, ConnectionType: kind}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	var reply svcproto.HandshakeResponse
	if err := reply.Decode(nextMode(t, conn)); err != nil {
		t.Fatal(err)
	}
	return conn, &reply, response
}

// nextMode is the body of the next service message, pings left out.
func nextMode(t *testing.T, conn *websocket.Conn) []byte {
	t.Helper()
	for {
		b, err := readMode(conn)
		if err != nil {
			t.Fatal(err)
		}
		body, size, _, err := svcproto.Split(b, 1<<20)
		if err != nil || size != len(b) {
			t.Fatalf("%x: %v", b, err)
		}
		if kind, err := svcproto.TypeOf(body); err != nil || kind != svcproto.TypePing {
			return body
		}
	}
}

func readMode(conn *websocket.Conn) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	_, b, err := conn.Read(ctx)
	return b, err
}

const modeRefusal = "Server connections are not allowed in the Serverless service mode."

func TestServerlessRefusesAppServers(t *testing.T) {
	t.Parallel()
	s, h := listenMode(t)
	s.SetMode(resource.ModeServerless)
	for _, product := range []string{"Microsoft.Azure.SignalR/1.34.0 (.NET 10)", "Microsoft.Azure.SignalR.AspNet/1.34.0"} {
		conn, _, response := dialMode(t, h, product, svcproto.ConnectionDefault)
		if conn != nil || response == nil || response.StatusCode != http.StatusForbidden {
			t.Fatalf("%s: %+v", product, response)
		}
		if body, err := io.ReadAll(response.Body); err != nil || strings.TrimSpace(string(body)) != modeRefusal {
			t.Errorf("%s: %q %v", product, body, err)
		}
	}
	if _, reply, _ := dialMode(t, h, "Another.SDK/1", svcproto.ConnectionDefault); reply == nil || reply.Error != modeRefusal {
		t.Errorf("an unknown SDK got %+v", reply)
	}
	conn, reply, _ := dialMode(t, h, "Microsoft.Azure.SignalR.Management/1.25.1", svcproto.ConnectionWeak)
	if reply == nil || reply.Error != "" {
		t.Fatalf("a weak connection got %+v", reply)
	}
	if n := len(s.Registry.Hub("chat").Links()); n != 0 {
		t.Errorf("%d connections take clients", n)
	}
	askMode(t, conn)
}

// askMode checks that a server connection is served.
func askMode(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageBinary, (&svcproto.CheckGroupExistenceWithAck{Group: "g", AckID: 7}).Append(nil)); err != nil {
		t.Fatal(err)
	}
	var ack svcproto.Ack
	if err := ack.Decode(nextMode(t, conn)); err != nil || ack.AckID != 7 || ack.Status != svcproto.AckNotFound {
		t.Errorf("%+v %v", ack, err)
	}
}

func TestSwitchToServerlessEndsAppServers(t *testing.T) {
	t.Parallel()
	s, h := listenMode(t)
	app, _, _ := dialMode(t, h, "Microsoft.Azure.SignalR/1.34.0", svcproto.ConnectionDefault)
	weak, _, _ := dialMode(t, h, "Microsoft.Azure.SignalR.Management/1.25.1", svcproto.ConnectionWeak)
	askMode(t, app) // it is among those that take clients by then
	s.SetMode(resource.ModeServerless)
	for {
		if _, err := readMode(app); err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation || closed.Reason != modeRefusal {
				t.Errorf("%v", err)
			}
			break
		}
	}
	askMode(t, weak)
	s.SetMode(resource.ModeDefault)
	again, reply, _ := dialMode(t, h, "Microsoft.Azure.SignalR/1.34.0", svcproto.ConnectionDefault)
	if again == nil || reply.Error != "" {
		t.Errorf("back in Default mode: %+v", reply)
	}
}

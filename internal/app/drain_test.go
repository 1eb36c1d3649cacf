package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/config"
)

const relayedWebSocket = `
apiManagement:
  - name: APIM1
    apis:
      - {name: echo, type: websocket, path: echo, serviceUrl: "ws%s", subscriptionRequired: false}
`

// ended is a node that was told to end.
func ended(t *testing.T, n *node) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- n.end() }()
	return done
}

// wantNodeEnd waits for it.
func wantNodeEnd(t *testing.T, n *node, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the node does not end")
	}
	n.servers, n.listeners, n.room, n.state, n.pool, n.store, n.groupStore, n.nats = nil, nil, nil, nil, nil, nil, nil, nil // the clean-up has nothing left to do
}

// TestShutdownTellsRelayedWebSockets ends a node under a WebSocket that it relays to a backend elsewhere.
func TestShutdownTellsRelayedWebSockets(t *testing.T) {
	t.Parallel()
	told := make(chan error, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte("welcome"))
		_, _, err = c.Read(r.Context())
		told <- err
	}))
	defer backend.Close()
	c, err := config.Parse(fmt.Appendf(nil, relayedWebSocket, strings.TrimPrefix(backend.URL, "http")), "hubgate.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, n := run(t, Options{Config: c})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, _, err := websocket.Dial(ctx, a.Gateway+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseNow()
	if _, data, err := client.Read(ctx); err != nil || string(data) != "welcome" {
		t.Fatalf("got %q and the error %v", data, err)
	}
	done := ended(t, n)
	if _, _, err := client.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client is told %v", err)
	}
	if err := <-told; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the backend is told %v", err)
	}
	wantNodeEnd(t, n, done)
}

// TestShutdownClosesOnce counts the close frames of a client whose SignalR instance is on the gateway's own node: the instance says
// goodbye, and the gateway adds nothing.
func TestShutdownClosesOnce(t *testing.T) {
	t.Parallel()
	a, n := run(t, Options{Demo: true})
	address, token := negotiate(t, a.ChatRoom+"/chat")
	if !strings.HasPrefix(address, a.Gateway) {
		t.Fatalf("the client does not go through the gateway but to %s", address)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP{"Authorization": {"Bearer " + token}}}
	conn, buffered, _, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(address, "http"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var from io.Reader = conn
	if buffered != nil {
		from = buffered
	}
	if err := ws.WriteFrame(conn, ws.MaskFrame(ws.NewTextFrame([]byte("{\"protocol\":\"json\",\"version\":1}\x1e")))); err != nil {
		t.Fatal(err)
	}
	if f, err := readFrame(from); err != nil || string(f.Payload) != "{}\x1e" {
		t.Fatalf("the handshake is answered with %q and the error %v", f.Payload, err)
	}
	done := ended(t, n)
	reconnect, closes := false, 0
	for {
		f, err := readFrame(from)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		reconnect = reconnect || strings.Contains(string(f.Payload), `"allowReconnect":true`)
		if f.Header.OpCode == ws.OpClose {
			closes++
			if err := ws.WriteFrame(conn, ws.MaskFrame(f)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !reconnect || closes != 1 {
		t.Errorf("the client is told to come back: %v, and gets %d close frames", reconnect, closes)
	}
	wantNodeEnd(t, n, done)
}

// readFrame reads a frame, which a test bounds by what it sends.
func readFrame(from io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(from)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, min(h.Length, 1<<20))}
	_, err = io.ReadFull(from, f.Payload)
	return f, err
}

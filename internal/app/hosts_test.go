package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/examples/chatroom/room"
	"github.com/hubgate/hubgate/internal/config"
)

// shakeHands does the handshake of the JSON hub protocol on a new connection and returns it as a client.
func shakeHands(t *testing.T, conn *websocket.Conn) *client {
	t.Helper()
	c := &client{t: t, conn: conn}
	c.send(`{"protocol":"json","version":1}`)
	if got := c.next(); got != "{}" {
		t.Fatalf("the handshake is answered with %s", got)
	}
	return c
}

// TestCustomDomains runs an app under the host name of the second instance: negotiate sends its clients there, they and their app server meet
// there, and other host names are other instances.
func TestCustomDomains(t *testing.T) {
	t.Parallel()
	const domain = "chat.example.com"
	c := config.Default()
	c.SignalR = []config.Instance{
		{Name: "first", Mode: "Serverless", PrimaryKey: config.NewSecret("the-key-of-the-first-instance-0123456789")},
		{Name: "second", HostNames: []string{domain}, PrimaryKey: config.NewSecret(guardedKey)},
	}
	a, n := run(t, Options{Config: c})
	address := n.listeners[listenSignalR].Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	// As if DNS led every name to the node.
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	anywhere := &http.Client{Transport: transport}

	app, err := appserver.New("Endpoint=http://"+domain+";Port="+port+";AccessKey="+guardedKey+";Version=1.0;", appserver.Options{HTTPClient: anywhere, ServerConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := room.New(app)
	if err != nil {
		t.Fatal(err)
	}
	page := httptest.NewServer(handler)
	t.Cleanup(page.Close)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	connected, giveUp := context.WithTimeout(ctx, 20*time.Second)
	defer giveUp()
	if err := app.WaitConnected(connected); err != nil {
		t.Fatal(err)
	}

	var redirect struct{ URL, AccessToken string }
	post(t, page.URL+"/chat/negotiate?negotiateVersion=1", "", &redirect)
	if want := "http://" + net.JoinHostPort(domain, port) + "/client/?hub=chat"; !strings.HasPrefix(redirect.URL, want) {
		t.Fatalf("negotiate sends clients to %s, want %s", redirect.URL, want)
	}
	// ask negotiates with the service under a host name.
	ask := func(host, token string) (status int, id string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/client/negotiate?hub=chat&negotiateVersion=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := anywhere.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var answer struct{ ConnectionToken string }
		_ = json.NewDecoder(res.Body).Decode(&answer) // a refusal has no connection, and may be no JSON
		return res.StatusCode, answer.ConnectionToken
	}
	_, id := ask(net.JoinHostPort(domain, port), redirect.AccessToken)
	conn, _, err := websocket.Dial(ctx, redirect.URL+"&id="+id, &websocket.DialOptions{HTTPClient: anywhere, HTTPHeader: http.Header{"Authorization": {"Bearer " + redirect.AccessToken}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	ann := shakeHands(t, conn)
	ann.send(`{"type":1,"target":"BroadcastMessage","arguments":["ann","hello"]}`)
	ann.until(`"target":"broadcastMessage","arguments":["ann","hello"]`)
	if want := `signalr_connection_count{endpoint="Client",instance="second",transport="WebSockets"} 1`; !strings.Contains(get(t, a.Metrics+"/metrics"), want) {
		t.Errorf("metrics have no line %s", want)
	}

	// The token is good for the second instance alone, so it tells which one answers.
	for host, want := range map[string]int{
		domain:                             http.StatusOK,
		"CHAT.Example.com:8443":            http.StatusOK,
		"second.service.signalr.localhost": http.StatusOK,
		"first.service.signalr.localhost":  http.StatusUnauthorized,
		"other.example.com":                http.StatusUnauthorized, // nobody's: the first instance answers
		"sub." + domain:                    http.StatusUnauthorized,
	} {
		if got, _ := ask(host, redirect.AccessToken); got != want {
			t.Errorf("the token of the second instance is answered %d under %s, want %d", got, host, want)
		}
	}
}

// TestHostNamesWithoutInstances asks a node that has no instance: no host name is anybody's.
func TestHostNamesWithoutInstances(t *testing.T) {
	t.Parallel()
	a, _ := run(t, Options{Config: config.Default()})
	if got := status(t, http.MethodPost, a.SignalR+"/client/negotiate?hub=chat", ""); got != http.StatusNotFound {
		t.Errorf("a node without instances answers %d", got)
	}
}

package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// run starts a node on free ports and ends it with the test.
func run(t *testing.T, o Options) (Addresses, *node) {
	t.Helper()
	const free = "127.0.0.1:0"
	if o.SignalRAddress == "" {
		o.SignalRAddress = free
	}
	if o.GatewayAddress == "" {
		o.GatewayAddress = free
	}
	o.MetricsAddress, o.ChatRoomAddress = free, free
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	settings := o.Config
	if settings == nil {
		settings = config.Default()
	}
	settings.ShutdownTimeout = config.Duration(5 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := &node{options: o, settings: settings, log: o.Logger}
	t.Cleanup(func() {
		if err := n.end(); err != nil {
			t.Error(err)
		}
	})
	if err := n.start(ctx); err != nil {
		t.Fatal(err)
	}
	a, err := n.addresses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a, n
}

// client is a SignalR client of the JSON hub protocol over a WebSocket, as far as these tests need one.
type client struct {
	t    *testing.T
	conn *websocket.Conn
	rest []string
}

// negotiate follows an app's negotiate answer to the service and returns the URL to connect to, with its token.
func negotiate(t *testing.T, app string) (url, token string) {
	t.Helper()
	var redirect struct{ URL, AccessToken string }
	post(t, app+"/negotiate?negotiateVersion=1", "", &redirect)
	base, query, _ := strings.Cut(redirect.URL, "?")
	var answer struct{ ConnectionToken, Error string }
	post(t, base+"negotiate?"+query, redirect.AccessToken, &answer)
	if answer.ConnectionToken == "" {
		t.Fatalf("negotiate gives no connection: %+v", answer)
	}
	return redirect.URL + "&id=" + answer.ConnectionToken, redirect.AccessToken
}

func post(t *testing.T, url, token string, answer any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("POST %s: %s %s %v", url, res.Status, body, err)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		t.Fatalf("POST %s: %s: %v", url, body, err)
	}
}

func connect(t *testing.T, app string) *client {
	t.Helper()
	url, token := negotiate(t, app)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &client{t: t, conn: conn}
	c.send(`{"protocol":"json","version":1}`)
	if got := c.next(); got != "{}" {
		t.Fatalf("the handshake is answered with %s", got)
	}
	return c
}

func (c *client) send(record string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(record+"\x1e")); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next hub message that is no ping.
func (c *client) next() string {
	c.t.Helper()
	for {
		for len(c.rest) > 0 {
			m := c.rest[0]
			c.rest = c.rest[1:]
			if m != `{"type":6}` && m != "" {
				return m
			}
		}
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		_, data, err := c.conn.Read(ctx)
		cancel()
		if err != nil {
			c.t.Fatalf("no message comes: %v", err)
		}
		c.rest = strings.Split(string(data), "\x1e")
	}
}

// until is the next message that contains some text; others are passed over.
func (c *client) until(text string) string {
	c.t.Helper()
	for {
		if m := c.next(); strings.Contains(m, text) {
			return m
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	a, n := run(t, Options{Demo: true})

	for _, part := range []string{"Endpoint=http://localhost;", "AccessKey=", "ClientEndpoint=" + a.Gateway + ";"} {
		if !strings.Contains(a.ConnectionString, part) {
			t.Errorf("the connection string has no %s", part)
		}
	}
	url, _ := negotiate(t, a.ChatRoom+"/chat")
	if !strings.HasPrefix(url, a.Gateway+"/client/") {
		t.Errorf("the chat room sends its clients to %s and not to the gateway %s", url, a.Gateway)
	}
	ann, bob := connect(t, a.ChatRoom+"/chat"), connect(t, a.ChatRoom+"/chat")
	ann.send(`{"type":1,"target":"BroadcastMessage","arguments":["ann","hello"]}`)
	for _, c := range []*client{ann, bob} {
		c.until(`"target":"broadcastMessage","arguments":["ann","hello"]`)
	}

	// Keys are replaced: who is connected stays, and what was signed with the old key is refused.
	id := resource.NewID(resource.SignalRService, "signalR", demoInstance)
	instance, revision, err := store.Get[resource.SignalR](t.Context(), n.store, id)
	if err != nil {
		t.Fatal(err)
	}
	changed := *instance
	changed.PrimaryKey, changed.SecondaryKey = "another-primary-key-0123456789", "another-secondary-key-0123456789"
	if _, err := store.Put(t.Context(), n.store, &changed, revision); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old key is refused", func() bool {
		return status(t, http.MethodPost, a.SignalR+"/client/negotiate?hub=chat", url) == http.StatusUnauthorized
	})
	ann.send(`{"type":1,"target":"BroadcastMessage","arguments":["ann","still here"]}`)
	bob.until("still here")

	// A policy is replaced while clients are connected.
	policy := resource.NewID(resource.ApiManagement, "service", demoService).Child("apis", "signalr", "policies", "policy")
	document := `<policies><inbound><base/><return-response><set-status code="418" reason="I'm a teapot"/></return-response></inbound></policies>`
	if _, err := store.Put(t.Context(), n.store, &resource.Policy{ID: policy, Format: resource.PolicyRawXML, Value: document}, store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new policy holds", func() bool {
		return status(t, http.MethodPost, a.Gateway+"/client/negotiate?hub=chat", "") == http.StatusTeapot
	})
	// A bad one leaves it in place.
	if _, err := store.Put(t.Context(), n.store, &resource.Policy{ID: policy, Format: resource.PolicyRawXML, Value: "<policies><inbound><no-such-policy/></inbound></policies>"}, store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	ann.send(`{"type":1,"target":"BroadcastMessage","arguments":["ann","and still"]}`)
	bob.until("and still")
	if got := status(t, http.MethodPost, a.Gateway+"/client/negotiate?hub=chat", ""); got != http.StatusTeapot {
		t.Errorf("after a bad policy the gateway answers %d", got)
	}

	metrics := get(t, a.Metrics+"/metrics")
	if want := `signalr_connection_count{endpoint="Client",instance="ASRS1",transport="WebSockets"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("metrics have no line %s", want)
	}
	for _, path := range []string{a.Metrics + "/healthz", a.Metrics + "/readyz", a.SignalR + "/api/health"} {
		if got := status(t, http.MethodGet, path, ""); got != http.StatusOK {
			t.Errorf("GET %s is answered with %d", path, got)
		}
	}
}

// TestShutdown ends a node under a client: it is told to come back, and the node ends by itself.
func TestShutdown(t *testing.T) {
	t.Parallel()
	a, n := run(t, Options{Demo: true})
	c := connect(t, a.ChatRoom+"/chat")
	done := ended(t, n)
	if got := c.until(`"type":7`); !strings.Contains(got, `"allowReconnect":true`) {
		t.Errorf("the client is told %s", got)
	}
	wantNodeEnd(t, n, done)
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	a, _ := run(t, Options{Demo: true})
	taken := strings.TrimPrefix(strings.Replace(a.SignalR, "localhost", "127.0.0.1", 1), "http://")
	err := Run(t.Context(), Options{SignalRAddress: taken, DataDir: t.TempDir()}, func(Addresses) { t.Error("it says that it is ready") })
	if err == nil || !strings.Contains(err.Error(), "SignalR listener") || !strings.Contains(err.Error(), taken) {
		t.Errorf("a port that is taken gives the error %v", err)
	}
}

func status(t *testing.T, method, url, with string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if with != "" {
		r.Header.Set("Authorization", "Bearer "+with)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("in ten seconds it did not come true that %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

package app

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/config"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestServerlessFromAFile is rows 51, 52, 53 and 55 of the feature table on a whole node: a configuration file gives an instance an identity, a secret
// in its URL, attempts and a web hook, and a client makes use of all of them.
func TestServerlessFromAFile(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 32)
	failures := 2
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/token":
			fmt.Fprint(w, `{"access_token":"token-of-the-instance","token_type":"Bearer","expires_in":3600}`)
			return
		case "/hook":
			requests <- "hook " + r.Header.Get("Content-Type") + " " + r.Header.Get("Authorization")
			return
		}
		if r.Header.Get("X-ASRS-Event") == "add" && failures > 0 {
			failures-- // one event after another, as the client's are
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		requests <- r.URL.String() + " " + r.Header.Get("Authorization") + " " + string(body)
		if r.Header.Get("X-ASRS-Event") == "add" {
			fmt.Fprint(w, `{"type":3,"invocationId":"1","result":3}`)
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"code":   "hunter2&more\n",
		"secret": "hunter3",
		"hubgate.yaml": strings.ReplaceAll(`
secretReferences: {directories: [.]}
signalr:
  - name: asrs1
    mode: Serverless
    primaryKey: a-primary-key-of-the-tests-0123456789abcdef
    upstream:
      - urlTemplate: ENDPOINT/{hub}/{category}/{event}?code={@file(DIR/code)}
        auth: {type: ManagedIdentity, resource: "api://chat"}
    upstreamIdentity: {tokenEndpoint: ENDPOINT/token, clientId: asrs1, clientSecret: "{@file(DIR/secret)}"}
    upstreamRequests: {timeout: 10s, maxAttempts: 3, retryDelay: 10ms}
    events: {url: ENDPOINT/hook, auth: {type: ManagedIdentity, resource: "api://hook"}}
`, "ENDPOINT", endpoint.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := config.Load(filepath.Join(dir, "hubgate.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	a, _ := run(t, Options{Config: settings, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	token, err := auth.Sign("a-primary-key-of-the-tests-0123456789abcdef", auth.HS256, append(auth.Lifetime(time.Now(), time.Hour), auth.Claim{Type: auth.ClaimAudience, Value: a.SignalR + "/client/?hub=chat"})...)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), a.SignalR+"/client/?hub=chat", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	c := &client{t: t, conn: conn}
	c.send(`{"protocol":"json","version":1}`)
	c.until("{}")
	c.send(`{"type":1,"invocationId":"1","target":"add","arguments":[1,2]}`)
	if got := c.until(`"invocationId":"1"`); got != `{"type":3,"invocationId":"1","result":3}` {
		t.Errorf("the third attempt is answered with %s", got)
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	const authorized = "Bearer token-of-the-instance"
	want := map[string]int{
		"/chat/connections/connected?code=hunter2%26more " + authorized + ` {"type":10}`:                                           1,
		"/chat/messages/add?code=hunter2%26more " + authorized + ` {"type":1,"invocationId":"1","target":"add","arguments":[1,2]}`: 1,
		"/chat/connections/disconnected?code=hunter2%26more " + authorized + ` {"type":11,"error":null}`:                           1,
		"hook application/cloudevents+json; charset=utf-8 " + authorized:                                                           2,
	}
	for range 5 {
		select {
		case got := <-requests:
			if want[got]--; want[got] < 0 {
				t.Errorf("unexpected request: %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("requests are missing: %v", want)
		}
	}
	if text := log.String(); strings.Contains(text, "hunter") || strings.Contains(text, "token-of-the-instance") {
		t.Errorf("a secret is in the log:\n%s", text)
	}
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/testkit"
)

// tracedNode is the configuration of TestTraceOfANode: two services, whose second one is picked by its host name alone.
// They have the same key, which must not make the credentials of one good for the other.
const tracedNode = `
listeners: {signalr: off, gateway: "%[1]s", management: off, metrics: off}
shutdownTimeout: 1s
apiManagement:
  - name: first
    debugKey: {env: HUBGATE_TEST_DEBUG_KEY}
    apis:
      - {name: orders, path: orders, serviceUrl: "%[2]s", subscriptionRequired: false, operations: [{method: GET, urlTemplate: "/{id}"}]}
  - name: second
    debugKey: a-debug-key-of-a-test
    apis:
      - name: orders
        path: orders
        serviceUrl: %[2]s
        operations: [{method: GET, urlTemplate: "/{id}"}]
        policy: <policies><inbound><base/><set-header name="X-Step" exists-action="override"><value>one</value></set-header></inbound></policies>
      - {name: parcels, path: parcels, serviceUrl: "%[2]s", subscriptionRequired: false, operations: [{method: GET, urlTemplate: "/{id}"}]}
    subscriptions:
      - {name: all, primaryKey: the-subscription-key, secondaryKey: another-key, allowTracing: true}
`

// TestTraceOfANode runs a node, gets debug credentials from the command line, sends a request with them and reads its trace.
// It is not parallel: it sets an environment variable.
func TestTraceOfANode(t *testing.T) {
	t.Setenv("HUBGATE_TEST_DEBUG_KEY", "a-debug-key-of-a-test")
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Apim-Debug-Authorization") != "" {
			t.Error("the backend gets the debug credentials")
		}
		fmt.Fprint(w, "an order")
	}))
	defer backend.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hubgate.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, tracedNode, address, backend.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	var log bytes.Buffer // read once the node has ended
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"serve", "--config", file, "--json", "--log-level", "debug"}, strings.NewReader(""), write, &log)
		_ = write.Close() // it never fails
	}()
	defer func() {
		stop()
		if code := testkit.Receive(t, ended, "the end of the node"); code != ExitOK {
			t.Errorf("the node ends with %d: %s", code, &log)
		}
		for _, secret := range []string{"a-debug-key-of-a-test", "the-subscription-key"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log shows %s", secret)
			}
		}
	}()
	var ready struct{ Ready bool }
	if err := json.NewDecoder(read).Decode(&ready); err != nil || !ready.Ready {
		t.Fatalf("the node is not ready: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()

	command := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		var out, errors bytes.Buffer
		code = Run(t.Context(), append([]string{"apim"}, args...), strings.NewReader(""), &out, &errors)
		return code, strings.TrimSpace(out.String()), errors.String()
	}
	credentials := func(service, api string) string {
		t.Helper()
		code, token, stderr := command("debug-credentials", "--config", file, "--service", service, "--api", api)
		if code != ExitOK {
			t.Fatal(stderr)
		}
		return token
	}
	request := func(path, host string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		response.Status = string(body)
		return response
	}
	const second = "second.azure-api.localhost"
	token := credentials("second", "orders")
	response := request("/orders/7?subscription-key=the-subscription-key", second, "Apim-Debug-Authorization", token)
	id := response.Header.Get("Apim-Trace-Id")
	if response.StatusCode != http.StatusOK || id == "" {
		t.Fatal(response.StatusCode, response.Header)
	}
	code, trace, stderr := command("trace", "--config", file, "--service", "second", "--trace-id", id)
	if code != ExitOK {
		t.Fatal(stderr)
	}
	var document struct {
		ServiceName, TraceID string
		TraceEntries         map[string][]struct{ Source string }
	}
	if err := json.Unmarshal([]byte(trace), &document); err != nil || document.ServiceName != "second" || document.TraceID != id || len(document.TraceEntries["backend"]) == 0 {
		t.Errorf("the trace is %s: %v", trace, err)
	}
	if !strings.Contains(trace, `"X-Step": "one"`) {
		t.Errorf("the trace does not show what the policy did: %s", trace)
	}
	for _, secret := range []string{"the-subscription-key", token} {
		if strings.Contains(trace, secret) {
			t.Errorf("the trace shows %s", secret)
		}
	}

	// The id is not enough to read it; credentials of its API are, others are not.
	path := "/trace-0123456789abcdef/" + id
	for name, c := range map[string]struct {
		host, token string
		status      int
		text        string
	}{
		"none":                     {second, "", 401, "missing debug credentials"},
		"nonsense":                 {second, "x.y", 401, "invalid debug credentials"},
		"another API's":            {second, credentials("second", "parcels"), 403, "for another API"},
		"another service's":        {second, credentials("first", "orders"), 401, "invalid debug credentials"},
		"its API's":                {second, token, 200, id},
		"at another service":       {"first.azure-api.localhost", token, 404, "Resource not found"},
		"at the default service":   {"localhost", token, 404, "Resource not found"},
		"a trace that is not here": {second, token, 404, "Resource not found"},
	} {
		at := path
		if name == "a trace that is not here" {
			at = "/trace-0123456789abcdef/" + strings.Repeat("0", 32)
		}
		response := request(at, c.host, "Apim-Debug-Authorization", c.token)
		if response.StatusCode != c.status || !strings.Contains(response.Status, c.text) {
			t.Errorf("%s: %d %s", name, response.StatusCode, response.Status)
		}
	}

	// Nothing is traced with credentials of another service or API.
	if h := request("/orders/7", "first.azure-api.localhost", "Apim-Debug-Authorization", token).Header; h.Get("Apim-Trace-Id") != "" {
		t.Error("credentials of another service trace:", h)
	}
	if h := request("/parcels/7", second, "Apim-Debug-Authorization", token).Header; h.Get("Apim-Trace-Id") != "" || h.Get("Apim-Debug-Authorization-WrongAPI") != "orders" {
		t.Error("credentials of another API trace:", h)
	}

	// The older way: the address of the trace is all that it takes.
	location := request("/orders/7", second, "Ocp-Apim-Trace", "true", "Ocp-Apim-Subscription-Key", "the-subscription-key").Header.Get("Ocp-Apim-Trace-Location")
	_, legacy, _ := strings.Cut(location, "/trace-0123456789abcdef/")
	if got := request("/trace-0123456789abcdef/"+legacy, second); legacy == "" || got.StatusCode != http.StatusOK {
		t.Errorf("the trace at %q is answered with %d", location, got.StatusCode)
	}

	// The command says what is wrong.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer other.Close()
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"--service", "second", "--trace-id", strings.Repeat("0", 32)}, "has no trace " + strings.Repeat("0", 32)},
		{[]string{"--service", "first", "--trace-id", id}, "has no trace"},
		{[]string{"--service", "second", "--trace-id", id, "--endpoint", other.URL}, "is no trace; is it a gateway?"},
	} {
		code, stdout, stderr := command(append([]string{"trace", "--config", file}, c.args...)...)
		if code != ExitFailure || stdout != "" || !strings.Contains(stderr, c.text) {
			t.Errorf("%v: %d %s%s", c.args, code, stdout, stderr)
		}
	}
	// With a key that is not the node's.
	t.Setenv("HUBGATE_TEST_DEBUG_KEY", "the-key-of-somebody-else")
	first := request("/orders/7", "localhost", "Apim-Debug-Authorization", credentials("first", "orders"))
	if first.StatusCode != http.StatusOK || first.Header.Get("Apim-Trace-Id") != "" {
		t.Error("credentials of another key trace:", first.Header)
	}
}

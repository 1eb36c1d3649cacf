package app

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// otlpReceiver is an OpenTelemetry collector as far as OTLP over HTTP with protobuf goes.
type otlpReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	raw   []byte // all that came
	spans []*spans.Span
	of    map[string]string // attributes of the resource
}

func newOTLPReceiver(t *testing.T) *otlpReceiver {
	t.Helper()
	o := &otlpReceiver{of: make(map[string]string)}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Error(r.Method, r.URL.Path, r.Header, err)
		}
		if got := r.Header.Get("X-Collector-Token"); got != "token-of-the-collector" {
			t.Errorf("the collector gets the token %q", got)
		}
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.raw = append(o.raw, body...)
		for _, of := range request.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				o.of[a.Key] = a.Value.GetStringValue()
			}
			for _, scope := range of.ScopeSpans {
				o.spans = append(o.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(o.Close)
	return o
}

// attributesOf are the attributes of a span, as texts.
func attributesOf(list []*common.KeyValue) map[string]string {
	all := make(map[string]string)
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_IntValue:
			all[a.Key] = fmt.Sprint(v.IntValue)
		default:
			all[a.Key] = a.Value.GetStringValue()
		}
	}
	return all
}

const observedNode = `
log: {level: debug, format: json}
gateway: {requestLog: true, region: west}
telemetry:
  tracing:
    endpoint: %[1]s
    protocol: http
    serviceName: the-gateway
    headers: [{name: x-collector-token, value: token-of-the-collector}]
apiManagement:
  - name: APIM1
    apis:
      - name: orders
        path: orders
        serviceUrl: %[2]s/base
        operations:
          - {name: one, method: GET, urlTemplate: "/{id}"}
          - name: asks
            method: POST
            urlTemplate: /ask
            policy: |
              <policies>
                <inbound>
                  <base />
                  <send-request mode="new" response-variable-name="r"><set-url>%[2]s/asked?code=secret-in-query</set-url><set-method>PUT</set-method></send-request>
                </inbound>
              </policies>
      - {name: away, path: away, serviceUrl: "http://127.0.0.1:1", subscriptionRequired: false, operations: [{name: get, method: GET}]}
    subscriptions:
      - {name: web, primaryKey: web-primary-key, secondaryKey: web-secondary-key}
`

// secretsOfRequests are what must be nowhere in spans and logs.
var secretsOfRequests = []string{"web-primary-key", "secret-in-query", "secret-in-header", "token-of-the-collector"}

// observedBackend answers, and notes the header traceparent of each request by its method.
type observedBackend struct {
	*httptest.Server
	mu      sync.Mutex
	parents map[string]string
}

func newObservedBackend(t *testing.T) *observedBackend {
	t.Helper()
	b := &observedBackend{parents: make(map[string]string)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.parents[r.Method] = r.Header.Get("Traceparent")
		fmt.Fprint(w, "hello")
	}))
	t.Cleanup(b.Close)
	return b
}

// parent is the traceparent of the last request with a method.
func (b *observedBackend) parent(method string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.parents[method]
}

// end ends a node before its test does, so that all is sent and written.
func end(t *testing.T, n *node) {
	t.Helper()
	if err := n.end(); err != nil {
		t.Error(err)
	}
	n.servers, n.listeners, n.room, n.state, n.pool, n.store, n.groupStore, n.nats = nil, nil, nil, nil, nil, nil, nil, nil // the clean-up has nothing left to do
}

// send sends a request to the gateway and returns the answer's status.
func send(t *testing.T, method, url string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// TestSpansAreExported sends requests through a node and reads what its collector got.
func TestSpansAreExported(t *testing.T) {
	t.Parallel()
	receiver, backend := newOTLPReceiver(t), newObservedBackend(t)
	c, err := config.Parse(fmt.Appendf(nil, observedNode, receiver.URL, backend.URL), "hubgate.yaml", noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	a, n := run(t, Options{Config: c})
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	if got := send(t, "GET", a.Gateway+"/orders/7%ff?subscription-key=web-primary-key&sig=secret-in-query", "Authorization", "Bearer secret-in-header",
		"Traceparent", "00-"+trace+"-"+parent+"-01"); got != http.StatusOK {
		t.Fatal(got)
	}
	if got := send(t, "POST", a.Gateway+"/orders/ask", "Ocp-Apim-Subscription-Key", "web-primary-key"); got != http.StatusOK {
		t.Fatal(got)
	}
	if got := send(t, "GET", a.Gateway+"/away"); got != http.StatusInternalServerError {
		t.Fatal(got)
	}
	if got := send(t, "GET", a.Gateway+"/status-0123456789abcdef"); got != http.StatusOK {
		t.Fatal(got)
	}
	// A client's trace that is not sampled has no spans, and the backend is told so.
	if got := send(t, "GET", a.Gateway+"/orders/8", "Ocp-Apim-Subscription-Key", "web-primary-key", "Traceparent", "00-"+strings.Repeat("a", 32)+"-"+parent+"-00"); got != http.StatusOK {
		t.Fatal(got)
	}
	if got := backend.parent("GET"); !strings.HasPrefix(got, "00-"+strings.Repeat("a", 32)) || !strings.HasSuffix(got, "-00") {
		t.Errorf("the backend of a request that is not sampled gets traceparent %q", got)
	}
	end(t, n)

	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	if receiver.of["service.name"] != "the-gateway" || receiver.of["service.version"] != Version || len(receiver.of["service.instance.id"]) != 8 {
		t.Error("the resource is", receiver.of)
	}
	for _, secret := range secretsOfRequests {
		if strings.Contains(string(receiver.raw), secret) {
			t.Errorf("%s is in the spans", secret)
		}
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(backend.URL, "http://"), ":")
	_, gatewayPort, _ := strings.Cut(strings.TrimPrefix(a.Gateway, "http://"), ":")
	server := func(method, path, api, operation, route, status string) map[string]string {
		return map[string]string{"http.request.method": method, "server.address": "localhost", "server.port": gatewayPort, "url.scheme": "http", "url.path": path,
			"network.protocol.version": "1.1", "hubgate.service": "APIM1", "hubgate.api": api, "hubgate.operation": operation, "http.route": route, "http.response.status_code": status}
	}
	client := func(method, path string) map[string]string {
		return map[string]string{"http.request.method": method, "server.address": host, "server.port": port, "url.scheme": "http", "url.path": path, "http.response.status_code": "200"}
	}
	failedServer := server("GET", "/away", "away", "get", "/away/", "500")
	failedServer["error.type"] = "BackendConnectionFailure"
	want := map[string]map[string]string{
		"server GET /orders/{id}": server("GET", "/orders/7%ff", "orders", "one", "/orders/{id}", "200"),
		"client GET /base/7%ff":   client("GET", "/base/7%ff"),
		"server POST /orders/ask": server("POST", "/orders/ask", "orders", "asks", "/orders/ask", "200"),
		"client PUT /asked":       client("PUT", "/asked"),
		"client POST /base/ask":   client("POST", "/base/ask"),
		"server GET /away/":       failedServer,
		"client GET /": {"http.request.method": "GET", "server.address": "127.0.0.1", "server.port": "1", "url.scheme": "http", "url.path": "/",
			"error.type": "BackendConnectionFailure"},
	}
	got := make(map[string]map[string]string)
	byName := make(map[string]*spans.Span)
	for _, s := range receiver.spans {
		all := attributesOf(s.Attributes)
		name := "server " + s.Name
		if s.Kind == spans.Span_SPAN_KIND_CLIENT {
			name = "client " + s.Name + " " + all["url.path"]
		}
		got[name], byName[name] = all, s
	}
	if diff := cmp.Diff(want, got); diff != "" || len(receiver.spans) != len(want) {
		t.Fatalf("%d spans (-want +got):\n%s", len(receiver.spans), diff)
	}
	first, below := byName["server GET /orders/{id}"], byName["client GET /base/7%ff"]
	if fmt.Sprintf("%x %x", first.TraceId, first.ParentSpanId) != trace+" "+parent || !slices.Equal(below.TraceId, first.TraceId) || !slices.Equal(below.ParentSpanId, first.SpanId) {
		t.Error("the spans are not below the client's")
	}
	for _, name := range []string{"client PUT /asked", "client POST /base/ask"} {
		if s := byName[name]; !slices.Equal(s.ParentSpanId, byName["server POST /orders/ask"].SpanId) {
			t.Errorf("%s is not below the request", name)
		} else if parent := backend.parent(strings.Fields(name)[1]); !strings.Contains(parent, fmt.Sprintf("%x-%x", s.TraceId, s.SpanId)) {
			t.Errorf("the backend gets traceparent %q for the span %x", parent, s.SpanId)
		}
	}
	for name, s := range byName {
		if failed := strings.Contains(name, "away") || name == "client GET /"; (s.Status.GetCode() == spans.Status_STATUS_CODE_ERROR) != failed {
			t.Errorf("%s has the status %s", name, s.Status.GetCode())
		}
	}
}

// TestGatewayLogOfANode reads the log of a node whose requests are logged.
func TestGatewayLogOfANode(t *testing.T) {
	t.Parallel()
	backend := newObservedBackend(t)
	text := strings.Replace(fmt.Sprintf(observedNode, "http://127.0.0.1:1", backend.URL), "endpoint: http://127.0.0.1:1", `endpoint: ""`, 1)
	for _, on := range []bool{true, false} {
		c, err := config.Parse([]byte(text), "hubgate.yaml", noEnvironment)
		if err != nil {
			t.Fatal(err)
		}
		c.Gateway.RequestLog = on
		var out lockedBuffer
		log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: c.Log.Level, Format: c.Log.Format})
		if err != nil {
			t.Fatal(err)
		}
		a, n := run(t, Options{Config: c, Logger: log})
		if got := send(t, "GET", a.Gateway+"/orders/7?subscription-key=web-primary-key&sig=secret-in-query", "Authorization", "Bearer secret-in-header"); got != http.StatusOK {
			t.Fatal(got)
		}
		if got := send(t, "GET", a.Gateway+"/orders/7"); got != http.StatusUnauthorized {
			t.Fatal(got)
		}
		end(t, n)
		for _, secret := range secretsOfRequests {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
		var records []map[string]any
		for line := range strings.Lines(out.String()) {
			var record map[string]any
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("no line of JSON: %s", line)
			}
			if record["msg"] != "GatewayLogs" {
				continue
			}
			for _, name := range []string{"time", "correlationId", "totalTime", "clientTime"} {
				if record[name] == nil || record[name] == "" {
					t.Errorf("a record has no %s: %s", name, line)
				}
				delete(record, name)
			}
			delete(record, "backendTime")
			records = append(records, record)
		}
		if !on {
			if len(records) > 0 {
				t.Errorf("requests are logged without having been asked for: %v", records)
			}
			continue
		}
		host := strings.Replace(a.Gateway, "127.0.0.1", "localhost", 1)
		want := []map[string]any{
			{"level": slog.LevelInfo.String(), "msg": "GatewayLogs", "service": "APIM1", "region": "west", "method": "GET", "url": host + "/orders/7", "clientProtocol": "HTTP/1.1",
				"callerIpAddress": "127.0.0.1", "responseCode": 200.0, "requestSize": 0.0, "responseSize": 5.0, "backendMethod": "GET", "backendUrl": backend.URL + "/base/7",
				"backendProtocol": "HTTP/1.1", "backendResponseCode": 200.0, "apiId": "orders", "apiRevision": "1", "operationId": "one", "apimSubscriptionId": "web", "cache": "none", "isRequestSuccess": true},
			{"level": slog.LevelInfo.String(), "msg": "GatewayLogs", "service": "APIM1", "region": "west", "method": "GET", "url": host + "/orders/7", "clientProtocol": "HTTP/1.1",
				"callerIpAddress": "127.0.0.1", "responseCode": 401.0, "requestSize": 0.0, "responseSize": 152.0, "apiId": "orders", "apiRevision": "1", "operationId": "one", "cache": "none", "isRequestSuccess": false,
				"lastErrorSource": "authorization", "lastErrorReason": "SubscriptionKeyNotFound",
				"lastErrorMessage": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to this API."},
		}
		if diff := cmp.Diff(want, records); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	}
}

func noEnvironment(string) (string, bool) { return "", false }

// TestBodiesInTheLogOfANode has a diagnostic in the configuration that asks for bodies. Tokens in them do not reach the log.
func TestBodiesInTheLogOfANode(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"url":"http://localhost/client/?hub=chat","accessToken":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"}`)
	}))
	defer backend.Close()
	text := strings.NewReplacer("endpoint: http://127.0.0.1:1", `endpoint: ""`, "name: APIM1",
		"name: APIM1\n    diagnostic: {frontend: {response: {body: {bytes: 90}}}, backend: {response: {body: {bytes: 8192}}}}").Replace(fmt.Sprintf(observedNode, "http://127.0.0.1:1", backend.URL))
	c, err := config.Parse([]byte(text), "hubgate.yaml", noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	log, err := telemetry.NewLogger(&out, telemetry.LogOptions{Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	a, n := run(t, Options{Config: c, Logger: log})
	if got := send(t, "GET", a.Gateway+"/orders/7", "Ocp-Apim-Subscription-Key", "web-primary-key"); got != http.StatusOK {
		t.Fatal(got)
	}
	end(t, n)
	for _, want := range []string{`"responseBody":"{\"url\":\"http://localhost/client/?hub=chat\",\"accessToken\":\"[redacted]`, `\"accessToken\":\"[redacted]\"}"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log has no %s: %s", want, out.String())
		}
	}
	for _, secret := range []string{"eyJhbGci", "eyJzdWIi", "c2lnbmF0"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hubgate/hubgate/internal/gateway/certificate"
	"github.com/hubgate/hubgate/internal/resource"
)

// lockedBuffer is a buffer that a server and a test may use at once.
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

// observed is a gateway in front of a backend that answers with a body and notes what it got.
type observed struct {
	gateway *Gateway
	server  *httptest.Server
	backend *httptest.Server

	mu   sync.Mutex
	last *http.Request
}

const observedPolicy = `<policies><inbound><base/>
<set-header name="Authorization" exists-action="override"><value>Bearer hidden</value></set-header>
<set-header name="X-Seen" exists-action="override"><value>yes</value></set-header>
<set-variable name="who" value="ann"/><set-variable name="token" value="hidden"/>
<trace source="mine" severity="information"><message>a message</message></trace>
<choose><when condition="@(context.Request.Method == "GET")"><set-query-parameter name="q" exists-action="override"><value>1</value></set-query-parameter></when></choose>
</inbound><backend><base/></backend><outbound><base/><set-status code="202" reason="Fine"/></outbound><on-error><base/></on-error></policies>`

func newObserved(t *testing.T, o Options, extra ...resource.Resource) *observed {
	t.Helper()
	s := &observed{}
	s.backend = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.last = r.Clone(t.Context())
		s.mu.Unlock()
		w.Header().Set("Set-Cookie", "session=hidden")
		w.Write([]byte("hello"))
	}))
	t.Cleanup(s.backend.Close)
	o.Service = testService
	s.gateway = New(o)
	t.Cleanup(s.gateway.Close)
	api := httpAPI("api", "api", s.backend.URL+"/base", "GET /things/{id}", "POST /things")
	subscription := &resource.Subscription{ID: testService.Child("subscriptions", "s1"), Scope: "/apis", PrimaryKey: "key-1", SecondaryKey: "key-2", AllowTracing: true, OwnerID: "/users/u1"}
	list := append(api, subscription, policyOf(testService.Child("apis", "api"), observedPolicy))
	if err := s.gateway.Update(append(list, extra...)); err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(s.gateway)
	t.Cleanup(s.server.Close)
	return s
}

func (s *observed) get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response
}

func (s *observed) received() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

type entryOfTrace struct {
	Source    string         `json:"source"`
	Timestamp time.Time      `json:"timestamp"`
	Elapsed   string         `json:"elapsed"`
	Data      map[string]any `json:"data"`
}

type documentOfTrace struct {
	ServiceName  string                    `json:"serviceName"`
	TraceID      string                    `json:"traceId"`
	TraceEntries map[string][]entryOfTrace `json:"traceEntries"`
}

func TestTraceWithDebugCredentials(t *testing.T) {
	t.Parallel()
	s := newObserved(t, Options{})
	token, err := s.gateway.DebugCredentials("API", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	response := s.get(t, "/api/things/7?subscription-key=key-1&x=2", "Apim-Debug-Authorization", token, "X-Api-Key", "hidden")
	id := response.Header.Get("Apim-Trace-Id")
	if id == "" || response.StatusCode != 202 {
		t.Fatal(response.StatusCode, response.Header)
	}
	if got := s.received().Header.Get("Apim-Debug-Authorization"); got != "" {
		t.Error("the backend gets the debug credentials")
	}
	text, ok := s.gateway.Trace(id)
	if !ok {
		t.Fatal("there is no trace")
	}
	if bytes.Contains(text, []byte("hidden")) || bytes.Contains(text, []byte("key-1")) || bytes.Contains(text, []byte(token)) {
		t.Errorf("a secret is in the trace: %s", text)
	}
	var d documentOfTrace
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.TraceID != id || d.ServiceName != testService.Name() {
		t.Error(d.TraceID, d.ServiceName)
	}
	var sources []string
	for _, section := range []string{"inbound", "backend", "outbound"} {
		for _, e := range d.TraceEntries[section] {
			sources = append(sources, section+" "+e.Source)
			if !regexp.MustCompile(`^\d\d:\d\d:\d\d(\.\d{7})?$`).MatchString(e.Elapsed) || e.Timestamp.IsZero() {
				t.Error(e.Elapsed, e.Timestamp)
			}
		}
	}
	want := []string{"inbound api-inspector", "inbound api-inspector", "inbound set-header", "inbound set-header", "inbound set-variable", "inbound set-variable",
		"inbound trace", "inbound mine", "inbound choose", "inbound set-query-parameter", "backend forward-request", "backend transport", "outbound set-status"}
	if diff := cmp.Diff(want, sources); diff != "" {
		t.Error(diff)
	}
	inbound := d.TraceEntries["inbound"]
	for _, c := range []struct {
		entry int
		name  string
		want  any
	}{
		{2, "requestHeaders", map[string]any{"Authorization": "***"}},
		{3, "requestHeaders", map[string]any{"X-Seen": "yes"}},
		{4, "variables", map[string]any{"who": "ann"}},
		{5, "variables", map[string]any{"token": "***"}},
		{7, "message", "a message"},
		{9, "path", "choose[1]/when[1]/set-query-parameter[1]"},
	} {
		if diff := cmp.Diff(c.want, inbound[c.entry].Data[c.name]); diff != "" {
			t.Errorf("entry %d, %s: %s", c.entry, c.name, diff)
		}
	}
	if got := d.TraceEntries["outbound"][0].Data["status"]; got != 202.0 {
		t.Error(d.TraceEntries["outbound"][0].Data)
	}
}

func TestTraceIsRefused(t *testing.T) {
	t.Parallel()
	s := newObserved(t, Options{DebugKey: []byte("a key")})
	other, err := s.gateway.DebugCredentials("other", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"service":"` + strings.ToLower(testService.Name()) + `","api":"api","purpose":"tracing","exp":"2020-01-01T00:00:00Z"}`))
	expired := claims + "." + base64.RawURLEncoding.EncodeToString(sign([]byte("a key"), claims))
	forged := claims + "." + base64.RawURLEncoding.EncodeToString([]byte("no signature"))
	for name, c := range map[string]struct{ token, header, value string }{
		"other API": {other, "Apim-Debug-Authorization-Wrongapi", "other"},
		"expired":   {expired, "Apim-Debug-Authorization-Expired", "2020-01-01T00:00:00Z"},
		"forged":    {forged, "", ""},
		"nonsense":  {"x", "", ""},
	} {
		response := s.get(t, "/api/things/7?subscription-key=key-1", "Apim-Debug-Authorization", c.token)
		if response.StatusCode != 202 || response.Header.Get("Apim-Trace-Id") != "" || c.header != "" && response.Header.Get(c.header) != c.value {
			t.Errorf("%s: %d %v", name, response.StatusCode, response.Header)
		}
	}
	if _, err := s.gateway.DebugCredentials("api", 2*time.Hour); err == nil {
		t.Error("credentials for two hours")
	}
}

func TestLegacyTrace(t *testing.T) {
	t.Parallel()
	s := newObserved(t, Options{})
	response := s.get(t, "/api/things/7", "Ocp-Apim-Subscription-Key", "key-1", "Ocp-Apim-Trace", "true")
	location := response.Header.Get("Ocp-Apim-Trace-Location")
	u, err := url.Parse(location)
	if err != nil || location == "" {
		t.Fatal(err, response.Header)
	}
	if got := s.get(t, u.Path); got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Error(got.StatusCode, got.Header)
	}
	if got := s.get(t, TracePath+"nobody"); got.StatusCode != 404 {
		t.Error(got.StatusCode)
	}
	if response := s.get(t, "/api/things/7", "Ocp-Apim-Trace", "true"); response.Header.Get("Ocp-Apim-Trace-Location") != "" {
		t.Error("a request without a key is traced")
	}
}

func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	s := newTraces(nil)
	for range 3 * keptTraces {
		s.keep(&recording{})
	}
	r := &recording{}
	for range maxEntries + 5 {
		r.add(&traceEntry{section: "inbound"})
	}
	if d := r.document("s"); len(d.TraceEntries["inbound"]) != maxEntries || d.Dropped != 5 {
		t.Error(len(d.TraceEntries["inbound"]), d.Dropped)
	}
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	diagnostic := &resource.Diagnostic{ID: testService.Child("diagnostics", "azuremonitor"), LogClientIP: true}
	diagnostic.Frontend.Request.Headers = []string{"x-client", "Authorization"}
	diagnostic.Backend.Request.Headers = []string{"X-Seen", "X-Nothing"}
	diagnostic.Backend.Response.Headers = []string{"Set-Cookie", "Content-Length"}
	var out lockedBuffer
	s := newObserved(t, Options{RequestLog: slog.New(slog.NewJSONHandler(&out, nil))}, diagnostic)
	s.get(t, "/api/things/7?subscription-key=key-1", "X-Client", "c", "Authorization", "hidden")
	s.get(t, "/nowhere")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatal(out.String())
	}
	var got []map[string]any
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"time", "totalTime", "backendTime", "clientTime"} {
			delete(m, name)
		}
		if id, _ := m["correlationId"].(string); !guid.MatchString(id) {
			t.Error(m)
		}
		delete(m, "correlationId")
		got = append(got, m)
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "GatewayLogs", "region": "local", "cache": "none", "method": "GET", "url": s.server.URL + "/api/things/7", "clientProtocol": "HTTP/1.1", "callerIpAddress": "127.0.0.1",
			"responseCode": 202.0, "requestSize": 0.0, "responseSize": 5.0, "backendMethod": "GET", "backendUrl": s.backend.URL + "/base/things/7", "backendProtocol": "HTTP/1.1",
			"backendResponseCode": 200.0, "apiId": "api", "apiRevision": "1", "operationId": "op0", "apimSubscriptionId": "s1", "userId": "u1", "isRequestSuccess": true,
			"requestHeaders": map[string]any{"X-Client": "c", "Authorization": "***"}, "backendRequestHeaders": map[string]any{"X-Seen": "yes"},
			"backendResponseHeaders": map[string]any{"Set-Cookie": "***", "Content-Length": "5"}},
		{"level": "INFO", "msg": "GatewayLogs", "region": "local", "cache": "none", "method": "GET", "url": s.server.URL + "/nowhere", "clientProtocol": "HTTP/1.1", "callerIpAddress": "127.0.0.1",
			"responseCode": 404.0, "requestSize": 0.0, "responseSize": 54.0, "isRequestSuccess": false, "lastErrorSource": "configuration", "lastErrorReason": "OperationNotFound",
			"lastErrorMessage": "Unable to match incoming request to an operation."},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiagnosis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d          *resource.Diagnostic
		good, fail bool
	}{
		"none":        {nil, true, true},
		"no sampling": {&resource.Diagnostic{}, true, true},
		"nothing":     {&resource.Diagnostic{Sampling: &resource.DiagnosticSampling{}}, false, false},
		"errors only": {&resource.Diagnostic{Sampling: &resource.DiagnosticSampling{}, AlwaysLog: "allErrors"}, false, true},
		"verbosity":   {&resource.Diagnostic{Verbosity: "error"}, false, true},
		"all":         {&resource.Diagnostic{Sampling: &resource.DiagnosticSampling{Percentage: 100}}, true, true},
	} {
		d := newDiagnosis(c.d)
		if d.wants(false) != c.good || d.wants(true) != c.fail {
			t.Errorf("%s: %v %v", name, d.wants(false), d.wants(true))
		}
	}
	half := newDiagnosis(&resource.Diagnostic{Sampling: &resource.DiagnosticSampling{Percentage: 50}})
	n := 0
	for range 10000 {
		if half.wants(false) {
			n++
		}
	}
	if n < 4000 || n > 6000 { // 20 standard deviations
		t.Errorf("%d of 10000 are logged, want about half", n)
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	s := newObserved(t, Options{Spans: provider.Tracer("test")})
	const parent = "4bf92f3577b34da6a3ce929d0e0e4736"
	s.get(t, "/api/things/7?subscription-key=key-1", "Traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
	s.server.Close() // waits for the request's end
	spans := recorder.Ended()
	var names []string
	for _, span := range spans {
		names = append(names, span.Name())
		if span.SpanContext().TraceID().String() != parent {
			t.Error("a span is not in the client's trace:", span.SpanContext().TraceID())
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"GET", "GET /api/things/{id}"}, names); diff != "" {
		t.Fatal(diff)
	}
	for _, span := range spans {
		if span.Name() == "GET" && !strings.Contains(s.received().Header.Get("Traceparent"), span.SpanContext().SpanID().String()) {
			t.Error("the backend is not told of the span:", s.received().Header)
		}
		for _, a := range span.Attributes() {
			if strings.Contains(a.Value.String(), "key-1") {
				t.Error("the key is in an attribute:", a)
			}
		}
	}
}

func TestUserOfSubscription(t *testing.T) {
	t.Parallel()
	group, user := testService.Child("groups", "g1"), testService.Child("users", "u1")
	s := newObserved(t, Options{}, &resource.Group{ID: group, DisplayName: "Group One"}, &resource.User{ID: user, Email: "ann@example.com"}, &resource.Link{ID: group.Child("users", "u1")})
	snapshot := s.gateway.snapshot.Load()
	for _, k := range snapshot.keys {
		if k.user == nil || k.user.Email != "ann@example.com" || len(k.groups) != 1 || k.groups[0].DisplayName != "Group One" {
			t.Error(k.user, k.groups)
		}
	}
	err := s.gateway.Check([]resource.Resource{&resource.Group{ID: group, DisplayName: "Group One"}, &resource.Link{ID: group.Child("users", "nobody")}})
	if err == nil || !strings.Contains(err.Error(), `the user "nobody" does not exist`) {
		t.Error(err)
	}
}

// clientPEM is a self-signed client certificate with its key.
func clientPEM(t *testing.T) (text string, leaf *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "gateway"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	return base64.StdEncoding.EncodeToString(both), leaf
}

func TestClientCertificateOfBackend(t *testing.T) {
	t.Parallel()
	data, leaf := clientPEM(t)
	shown := make(chan string, 1)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown <- r.TLS.PeerCertificates[0].Subject.CommonName
	}))
	backend.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	backend.StartTLS()
	defer backend.Close()
	roots := x509.NewCertPool()
	roots.AddCert(backend.Certificate())
	o := Options{}
	o.Proxy.RootCAs = roots
	b := &resource.Backend{ID: testService.Child("backends", "b"), URL: backend.URL, Credentials: &resource.BackendCredentials{CertificateIDs: []string{string(testService.Child("certificates", "c1"))}}}
	s := newObserved(t, o, &resource.Certificate{ID: testService.Child("certificates", "c1"), Data: data}, b,
		policyOf(testService.Child("apis", "api", "operations", "op0"), `<policies><inbound><set-backend-service backend-id="b"/></inbound></policies>`))
	if response := s.get(t, "/api/things/7?subscription-key=key-1"); response.StatusCode != 202 {
		t.Fatal(response.StatusCode)
	}
	if got := <-shown; got != "gateway" {
		t.Error(got)
	}
	if s.gateway.snapshot.Load().other.certificate(strings.ToLower(certificate.Thumbprint(leaf))) == nil {
		t.Error("a certificate is not found by its thumbprint")
	}
	b.Credentials.CertificateIDs = []string{"c2"}
	if err := s.gateway.Check([]resource.Resource{b}); err == nil || !strings.Contains(err.Error(), `no certificate "c2"`) {
		t.Error(err)
	}
}

func TestProxyPolicy(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Clone(t.Context())
		w.WriteHeader(http.StatusTeapot)
	}))
	defer proxy.Close()
	s := newObserved(t, Options{}, policyOf(testService.Child("apis", "api", "operations", "op0"),
		`<policies><inbound><proxy url="`+proxy.URL+`" username="ann" password="secret"/></inbound><outbound/></policies>`))
	if response := s.get(t, "/api/things/7?subscription-key=key-1"); response.StatusCode != http.StatusTeapot {
		t.Fatal(response.StatusCode)
	}
	r := <-asked
	credentials := strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic ")
	if text, err := base64.StdEncoding.DecodeString(credentials); err != nil || string(text) != "ann:secret" || r.URL.Host != strings.TrimPrefix(s.backend.URL, "http://") {
		t.Error(string(text), err, r.URL)
	}
}

func TestCheckPolicy(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`<policies><inbound><base/><set-backend-service backend-id="b"/><include-fragment fragment-id="f"/></inbound></policies>`: "",
		`<fragment><set-status code="200"/></fragment>`:                                                                          "",
		`<fragment><cors><allowed-origins><origin>*</origin></allowed-origins></cors></fragment>`:                                "",
		`<policies><inbound><rate-limit calls="{{n}}" renewal-period="{{p}}"/></inbound></policies>`:                             "",
		`<policies><inbound><set-variable name="a" value="@({{n}} + 1)"/></inbound></policies>`:                                  "",
		`<policies><inbound><set-variable name="a" value="@("{{n}}".Length)"/></inbound></policies>`:                             "",
		`<policies><inbound><ip-filter action="allow"><address-range from="{{a}}" to="{{b}}"/></ip-filter></inbound></policies>`: "",
		`<policies><inbound><cross-domain><cross-domain-policy/></cross-domain></inbound></policies>`:                            "",
		`<!--> odd <--><policies/>`:                           "",
		`<policies><inbound><nonsense/></inbound></policies>`: "Error in element 'nonsense' on line 1, column 21: There is no policy 'nonsense', or it is not supported yet",
		`<fragment><inbound/></fragment>`:                     "Error in element 'inbound' on line 1, column 12: There is no policy 'inbound', or it is not supported yet",
		`<policies><inbound>`:                                 "Error on line 1, column 20: the document is not well-formed: unexpected EOF",
		`<other/>`:                                            "Error in element 'other' on line 1, column 2: The root element of a policy document must be 'policies'",
	} {
		got := ""
		if faults := CheckPolicy(text, CheckOptions{}); len(faults) > 0 {
			got = faults.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
	template := `<policies><inbound><base/>%{ if x ~}<set-header name="A"><value>${a}</value></set-header>%{ endif ~}<rate-limit calls="${n}" renewal-period="{p}"/></inbound></policies>`
	if faults := CheckPolicy(template, CheckOptions{Templates: true}); len(faults) > 0 {
		t.Error(faults)
	}
	if faults := CheckPolicy(template, CheckOptions{}); len(faults) == 0 {
		t.Error("a template is taken for a document")
	}
}

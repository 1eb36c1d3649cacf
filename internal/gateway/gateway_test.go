package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/resource"
)

var testService = resource.NewID(resource.ApiManagement, "service", "APIM1")

// httpAPI is an API of type http with operations like "POST /negotiate".
func httpAPI(name, suffix, backend string, operations ...string) []resource.Resource {
	a := &resource.API{ID: testService.Child("apis", name), Path: suffix, ServiceURL: backend}
	list := []resource.Resource{a}
	for i, o := range operations {
		method, template, _ := strings.Cut(o, " ")
		list = append(list, &resource.Operation{ID: a.ID.Child("operations", fmt.Sprintf("op%d", i)), Method: method, URLTemplate: template})
	}
	return list
}

func webSocketAPI(name, suffix, backend string) resource.Resource {
	return &resource.API{ID: testService.Child("apis", name), Type: resource.APITypeWebSocket, Path: suffix, ServiceURL: backend}
}

func policyOf(scope resource.ID, document string) *resource.Policy {
	return &resource.Policy{ID: scope.Child("policies", "policy"), Format: resource.PolicyRawXML, Value: document}
}

// startGateway serves the resources on a real socket and returns the gateway's address.
func startGateway(t testing.TB, o Options, resources ...resource.Resource) (*Gateway, string) {
	t.Helper()
	o.Service = testService
	g := New(o)
	if err := g.Update(resources); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(func() { g.Close(); server.Close() })
	return g, server.URL
}

// signalRBackend behaves like the client endpoint of a SignalR service as far as a gateway can tell.
func signalRBackend(t testing.TB) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/client/negotiate", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"method":%q,"query":%q,"host":%q,"forwarded":%q,"origin":%q}`, r.Method, r.URL.RawQuery, r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("Origin"))
	})
	mux.HandleFunc("/client/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Upgrade") != "":
			if h, ok := w.(interface{ Head(status int) }); ok {
				h.Head(http.StatusSwitchingProtocols)
			}
			c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			c.SetReadLimit(1 << 22)
			for {
				kind, data, err := c.Read(r.Context())
				if err != nil {
					return
				}
				if string(data) == "close" {
					c.Close(4001, "as asked")
					return
				}
				if err := c.Write(r.Context(), kind, data); err != nil {
					return
				}
			}
		case r.Header.Get("Accept") == "text/event-stream":
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				http.NewResponseController(w).Flush()
				select { // The next event comes only when the client has told that it has this one.
				case <-eventSeen:
				case <-r.Context().Done():
					return
				}
			}
		case r.Method == http.MethodPost:
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%d bytes", n)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	return mux
}

// eventSeen is how the tests of server-sent events tell the backend to go on: unbuffered, so one of them runs at a time.
var eventSeen = make(chan struct{})

const corsPolicy = `<policies><inbound><base /><cors allow-credentials="true">
  <allowed-origins><origin>http://localhost:5000/</origin></allowed-origins>
  <allowed-methods><method>GET</method><method>POST</method><method>DELETE</method></allowed-methods>
  <allowed-headers><header>*</header></allowed-headers>
</cors></inbound></policies>`

// stories are the two ways to put a SignalR instance behind the gateway.
func stories(scheme, webSocketScheme string) map[string][]resource.Resource {
	shared := append(httpAPI("shared", "client", scheme+"/client", "OPTIONS /negotiate", "POST /negotiate", "OPTIONS /", "POST /", "GET /", "DELETE /"),
		webSocketAPI("connect", "client", webSocketScheme+"/client"))
	two := append(httpAPI("negotiate", "client/negotiate/", scheme+"/client/negotiate/", "OPTIONS /", "POST /"),
		webSocketAPI("connect", "client/", webSocketScheme+"/client/"))
	return map[string][]resource.Resource{"shared suffix": shared, "two suffixes": two}
}

func TestSignalRBehindTheGateway(t *testing.T) { // Not parallel: the event stream's tests share a channel.
	backend := httptest.NewServer(signalRBackend(t))
	defer backend.Close()
	host := strings.TrimPrefix(backend.URL, "http://")
	for where, local := range map[string]bool{"on the network": false, "in process": true} {
		for name, resources := range stories("http://"+host, "ws://"+host) {
			t.Run(name+" "+where, func(t *testing.T) {
				o := Options{}
				if local {
					h := signalRBackend(t)
					o.Local = func(u *url.URL) http.Handler {
						if u.Host == host {
							return h
						}
						return nil
					}
				}
				_, address := startGateway(t, o, resources...)
				testNegotiate(t, address, host)
				testWebSocket(t, address)
				if name == "shared suffix" {
					testEventStream(t, address)
					testSend(t, address)
				}
			})
		}
	}
}

func testNegotiate(t *testing.T, address, host string) {
	t.Helper()
	response, err := http.Post(address+"/client/negotiate?hub=chat&negotiateVersion=1", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	want := fmt.Sprintf(`{"method":"POST","query":"hub=chat&negotiateVersion=1","host":%q,"forwarded":"127.0.0.1","origin":""}`, host)
	if string(body) != want {
		t.Errorf("negotiate: got %s, want %s", body, want)
	}
}

func testWebSocket(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(address, "http")+"/client/?hub=chat&id=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 22)
	for _, message := range []string{"hello", strings.Repeat("x", 1<<20)} {
		if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		_, data, err := c.Read(ctx)
		if err != nil || string(data) != message {
			t.Fatalf("got %d bytes and the error %v, want the %d that were sent", len(data), err, len(message))
		}
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("close")); err != nil {
		t.Fatal(err)
	}
	if _, _, err = c.Read(ctx); websocket.CloseStatus(err) != 4001 {
		t.Errorf("got %v, want the backend's close code 4001", err)
	}
}

func testEventStream(t *testing.T, address string) {
	t.Helper()
	request, _ := http.NewRequest(http.MethodGet, address+"/client?id=1", nil)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body)
	for i := range 3 {
		line, err := reader.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", i); line != want || err != nil {
			t.Fatalf("got %q and the error %v, want %q", line, err, want)
		}
		reader.ReadString('\n')
		eventSeen <- struct{}{}
	}
	if rest, err := io.ReadAll(reader); err != nil || len(rest) > 0 {
		t.Errorf("after the last event came %q and the error %v", rest, err)
	}
}

func testSend(t *testing.T, address string) {
	t.Helper()
	response, err := http.Post(address+"/client?id=1", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if string(body) != "1048576 bytes" {
		t.Errorf("the backend got %s", body)
	}
	request, _ := http.NewRequest(http.MethodDelete, address+"/client/?id=1", nil)
	response, err = http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("DELETE: got status %d", response.StatusCode)
	}
}

// exchange sends raw bytes to the gateway and returns all that comes back until the connection closes.
func exchange(t *testing.T, address, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, answer)
	}
	return string(answer)
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	dead := backend.URL
	backend.Close()
	resources := httpAPI("a", "a/b", dead, "GET /x")
	resources = append(resources, httpAPI("keyed", "keyed", dead, "GET /x")...)
	resources[2].(*resource.API).SubscriptionRequired = true
	resources[2].(*resource.API).SubscriptionKeyParameterNames.Header = "X-Partner-Token"
	resources = append(resources, webSocketAPI("w", "w", "ws"+strings.TrimPrefix(dead, "http")))
	_, address := startGateway(t, Options{}, resources...)
	host := strings.TrimPrefix(address, "http://")
	upgrade := map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		status             int
		body, authenticate string
	}{
		{"no API", "GET", "/nowhere", nil, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"no operation", "GET", "/a/b/y", nil, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"wrong method", "POST", "/a/b/x", nil, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"no operation wins over no key", "GET", "/keyed/y", nil, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"no WebSocket API", "GET", "/a/b/x", upgrade, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"no handshake at a WebSocket API", "GET", "/w", nil, 404, `{ "statusCode": 404, "message": "Resource not found" }`, ""},
		{"no key", "GET", "/keyed/x", nil, 401, `{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }`,
			`AzureApiManagementKey realm="http://` + host + `/keyed",name="X-Partner-Token",type="header"`},
		{"wrong key", "GET", "/keyed/x?subscription-key=no", nil, 401, `{ "statusCode": 401, "message": "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription." }`,
			`AzureApiManagementKey realm="http://` + host + `/keyed",name="X-Partner-Token",type="header"`},
		{"status page", "GET", StatusPath, nil, 200, "", ""},
		{"long segment", "GET", "/a/" + strings.Repeat("b", 1025), nil, 400, `{ "statusCode": 400, "message": "Bad Request" }`, ""},
		{"dead backend", "GET", "/a/b/x", nil, 500, `{ "statusCode": 500, "message": "Internal server error", "activityId": "GUID" }`, ""},
		{"dead WebSocket backend", "GET", "/w", upgrade, 500, `{ "statusCode": 500, "message": "Internal server error", "activityId": "GUID" }`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			request, _ := http.NewRequest(c.method, address+c.path, nil)
			for name, value := range c.header {
				request.Header.Set(name, value)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			got := string(body)
			if before, after, found := strings.Cut(got, `"activityId": "`); found && len(after) > 36 {
				got = before + `"activityId": "GUID` + after[36:]
			}
			if response.StatusCode != c.status || got != c.body {
				t.Errorf("got %d %s, want %d %s", response.StatusCode, got, c.status, c.body)
			}
			if a := response.Header.Get("WWW-Authenticate"); a != c.authenticate {
				t.Errorf("WWW-Authenticate is %q, want %q", a, c.authenticate)
			}
			if kind := response.Header.Get("Content-Type"); c.body != "" && kind != "application/json" {
				t.Errorf("the content type is %q", kind)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Product")) }))
	defer backend.Close()
	resources := append(httpAPI("keyed", "keyed", backend.URL, "GET /"), httpAPI("other", "other", backend.URL, "GET /")...)
	resources = append(resources, httpAPI("opened", "opened", backend.URL, "GET /")...)
	for _, r := range resources {
		if a, ok := r.(*resource.API); ok {
			a.SubscriptionRequired = true
		}
	}
	product := func(name string, required bool, apis ...string) {
		id := testService.Child("products", name)
		resources = append(resources, &resource.Product{ID: id, SubscriptionRequired: required},
			policyOf(id, `<policies><inbound><base/><set-header name="X-Product"><value>`+name+`</value></set-header></inbound></policies>`))
		for _, a := range apis {
			resources = append(resources, &resource.ProductAPI{ID: id.Child("apis", a)})
		}
	}
	product("starter", true, "keyed")
	product("free", false, "opened")
	subscribe := func(name, scope string, state resource.SubscriptionState) {
		resources = append(resources, &resource.Subscription{ID: testService.Child("subscriptions", name), Scope: scope, State: state, PrimaryKey: name + "-1", SecondaryKey: name + "-2"})
	}
	subscribe("product", "/products/Starter", "")
	subscribe("api", string(testService)+"/apis/keyed", resource.SubscriptionActive)
	subscribe("all", "/apis", "")
	subscribe("master", string(testService)+"/", "")
	subscribe("suspended", "/apis", resource.SubscriptionSuspended)
	_, address := startGateway(t, Options{}, resources...)
	for _, c := range []struct {
		path, header string
		status       int
		product      string
	}{
		{"/keyed", "product-1", 200, "starter"},
		{"/keyed?subscription-key=product-2", "", 200, "starter"},
		{"/keyed?subscription-key=product-2", "wrong", 401, ""},
		{"/keyed", "api-2", 200, ""},
		{"/keyed", "all-1", 200, ""},
		{"/keyed", "master-1", 200, ""},
		{"/keyed", "suspended-1", 401, ""},
		{"/keyed", "", 401, ""},
		{"/other", "product-1", 401, ""},
		{"/other", "api-1", 401, ""},
		{"/other", "all-2", 200, ""},
		{"/opened", "", 200, "free"},
		{"/opened", "all-1", 200, ""},
		{"/opened", "wrong", 401, ""},
	} {
		request, _ := http.NewRequest(http.MethodGet, address+c.path, nil)
		if c.header != "" {
			request.Header.Set("Ocp-Apim-Subscription-Key", c.header)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.status || c.status == 200 && string(body) != c.product {
			t.Errorf("%s with %q: got %d %q, want %d %q", c.path, c.header, response.StatusCode, body, c.status, c.product)
		}
	}
}

func TestUpdateKeepsTheOldSnapshot(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }))
	defer backend.Close()
	good := httpAPI("a", "a", backend.URL, "GET /")
	g, address := startGateway(t, Options{}, good...)
	get := func(path string) int {
		response, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	bad := append(httpAPI("b", "A/", backend.URL, "GET /{x"), good...)
	bad = append(bad, policyOf(testService, "<policies>\n  <inbound><teleport/></inbound></policies>"), webSocketAPI("w", "a", "ws://w"),
		policyOf(testService.Child("apis", "w"), `<policies><inbound><cors><allowed-origins><origin>*</origin></allowed-origins></cors></inbound></policies>`),
		policyOf(testService.Child("apis", "ghost"), `<policies/>`))
	err := g.Update(bad)
	for _, want := range []string{
		"b: path: Cannot create API 'b' with the same Path 'A' as API 'a' unless it's a part of the same version set",
		`op0: urlTemplate: the URL template "/{x": a { has no }`,
		"policy: value: Error in element 'teleport' on line 2, column 13: There is no policy 'teleport', or it is not supported yet",
		"policy: value: Error in element 'cors' on line 1, column 21: The policy is not supported by WebSocket APIs",
		"policy: id: the policy's scope \"" + string(testService.Child("apis", "ghost")) + "\" does not exist",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if status := get("/a"); status != 200 {
		t.Errorf("after a bad change /a answers %d", status)
	}
	if err := g.Update(httpAPI("b", "b", backend.URL, "GET /")); err != nil {
		t.Fatal(err)
	}
	if a, b := get("/a"), get("/b"); a != 404 || b != 200 {
		t.Errorf("after a good change /a answers %d and /b %d", a, b)
	}
}

// TestFaultsOfBothKinds shows that a document's faults come out when the policy at fault is left out for WebSocket APIs, which are
// compiled first here.
func TestFaultsOfBothKinds(t *testing.T) {
	t.Parallel()
	product := testService.Child("products", "p")
	resources := append(httpAPI("z", "z", "http://z", "GET /"), webSocketAPI("a", "a", "ws://a"), &resource.Product{ID: product},
		&resource.ProductAPI{ID: product.Child("apis", "a")}, &resource.ProductAPI{ID: product.Child("apis", "z")},
		policyOf(product, `<policies><inbound><set-method/><set-header/></inbound></policies>`))
	err := New(Options{Service: testService}).Update(resources)
	for _, want := range []string{"element 'set-method'", "'name' is missing"} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%q is not there once:\n%v", want, err)
		}
	}
}

// TestReplacedHandshake shows that a policy can answer in the place of a backend that has switched protocols.
func TestReplacedHandshake(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(signalRBackend(t))
	defer backend.Close()
	for name, o := range map[string]Options{"on the network": {}, "in process": localOptions(signalRBackend(t))} {
		a := webSocketAPI("c", "client", "ws"+strings.TrimPrefix(backend.URL, "http")+"/client")
		o.Proxy.MaxWebSockets = 1
		_, address := startGateway(t, o, a, policyOf(a.ResourceID(), `<policies><outbound><return-response><set-status code="403" reason="x"/></return-response></outbound></policies>`))
		for range 3 { // More often than there are places for relayed WebSockets.
			_, response, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(address, "http")+"/client/", nil)
			if err == nil || response == nil || response.StatusCode != http.StatusForbidden {
				t.Fatalf("%s: got %v and the error %v", name, response, err)
			}
		}
	}
}

func TestUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-A")+r.Header.Get("X-B"))
	})
	o := localOptions(h)
	resources := httpAPI("a", "a", "http://local", "GET /")
	version := func(n int) []resource.Resource {
		return append(resources[:2:2], policyOf(testService.Child("apis", "a"), fmt.Sprintf(
			`<policies><inbound><set-header name="X-A"><value>%d</value></set-header><set-header name="X-B"><value>%d</value></set-header></inbound></policies>`, n, n)))
	}
	g, address := startGateway(t, o, version(0)...)
	stop := make(chan struct{})
	updated := make(chan struct{})
	go func() {
		defer close(updated)
		for n := 0; ; n = (n + 1) % 10 {
			select {
			case <-stop:
				return
			default:
				if err := g.Update(version(n)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for range 200 {
		response, err := http.Get(address + "/a")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if len(body) != 2 || body[0] != body[1] {
			t.Fatalf("a request saw two configurations: %q", body)
		}
	}
	close(stop)
	<-updated
}

// TestCORSWithCredentialsOnTheSharedSuffix is the story as a browser on another origin sees it.
func TestCORSWithCredentialsOnTheSharedSuffix(t *testing.T) {
	t.Parallel()
	h := signalRBackend(t)
	resources := append(httpAPI("shared", "client", "http://local/client", "POST /negotiate", "OPTIONS /", "POST /", "GET /", "DELETE /"), webSocketAPI("connect", "client", "ws://local/client"))
	// The cors policy stands at the global scope: a WebSocket API inherits it and leaves it out.
	_, address := startGateway(t, localOptions(h), append(resources, policyOf(testService, strings.Replace(corsPolicy, "</inbound>", "</inbound><backend><forward-request/></backend>", 1)))...)
	send := func(method, path string, header ...string) *http.Response {
		request, _ := http.NewRequest(method, address+path, nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response
	}
	const origin = "http://localhost:5000"
	r := send("OPTIONS", "/client/negotiate?hub=chat", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-requested-with,x-signalr-user-agent")
	if r.StatusCode != 200 || r.Header.Get("Access-Control-Allow-Origin") != origin || r.Header.Get("Access-Control-Allow-Credentials") != "true" ||
		r.Header.Get("Access-Control-Allow-Headers") != "x-requested-with,x-signalr-user-agent" || !strings.Contains(r.Header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("the preflight got %d %v", r.StatusCode, r.Header)
	}
	r = send("POST", "/client/negotiate?hub=chat", "Origin", origin)
	if r.Header.Get("Access-Control-Allow-Origin") != origin || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("negotiate got %v", r.Header)
	}
	r = send("POST", "/client/negotiate?hub=chat", "Origin", "http://evil.example")
	if r.StatusCode != 200 || r.Header.Get("Access-Control-Allow-Origin") != "" || r.ContentLength != 0 {
		t.Errorf("negotiate from a foreign origin got %d %v", r.StatusCode, r.Header)
	}
	c, _, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(address, "http")+"/client/?hub=chat", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
}

package gateway

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/identity"
	"github.com/hubgate/hubgate/internal/resource"
)

var update = flag.Bool("update", false, "write what the golden tests got into their files")

// TestPolicies runs testdata/policies/*.txtar. A file holds, each where needed:
//
//	global.xml, product.xml, api.xml, operation.xml   policy documents (rawxml); the operation's is for all of them
//	fragments/NAME.xml, named-values (NAME=VALUE), backends (NAME=PATH below the backend)
//	operations        lines like "GET /{id}"; "GET /things/{id}" and "POST /things" by default
//	protocol          "websocket" for a WebSocket API, whose backend refuses the handshake with a plain response
//	subscriptions     lines like "NAME=/products/x": subscriptions whose keys are NAME-key and NAME-other
//	schemas/NAME.json, api-schemas/NAME.json          schemas of the service and OpenAPI components of the API
//	operation.json    what all operations have beside method and template: templateParameters, request, responses
//	backends/NAME.json                                a backend; ${BACKEND} in it is the backend's URL
//	logger            any text: there is a logger "hub" of an event hub; what it gets is in "events"
//	request           the request, its head as on the wire; the API's suffix is "api". "request 2" and so on come after it
//	backend           the backend's response; an empty 200 by default. "backend 2" and so on answer the next requests, the last
//	                  of them all further ones. "backend /path" answers requests for that path, for what policies send themselves
//
// and, written by -update, "backend request" with all requests that came to the backend, "response", "response 2" and so on,
// "events" and "metrics" (of emit-metric), or "error" when the configuration is refused. The named value backend is the backend's URL. Each file runs twice: with the
// backend on the network and in process, and both must give the same.
func TestPolicies(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/policies/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			remote, local := runGolden(t, archive, false), runGolden(t, archive, true)
			if diff := cmp.Diff(remote, local); diff != "" {
				t.Errorf("in process it is not as on the network (-network +process):\n%s", diff)
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return isOutput(f.Name) })
				archive.Files = append(archive.Files, remote...)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			var want []txtar.File
			for _, f := range archive.Files {
				if isOutput(f.Name) {
					want = append(want, f)
				}
			}
			if diff := cmp.Diff(texts(want), texts(remote)); diff != "" {
				t.Errorf("(-want +got; -update writes it)\n%s", diff)
			}
		})
	}
}

func isOutput(name string) bool {
	return name == "backend request" || name == "response" || strings.HasPrefix(name, "response ") || name == "error" || name == "events" || name == "metrics"
}

func texts(files []txtar.File) map[string]string {
	m := map[string]string{}
	for _, f := range files {
		m[f.Name] = string(f.Data)
	}
	return m
}

// golden collects what a run of a golden file shows.
type golden struct {
	mu       sync.Mutex
	received string
	answers  map[string][][]byte // by path; "" for all others
}

// answers are the responses in a golden file, in the order in which they are given.
func goldenAnswers(archive *txtar.Archive, url string) map[string][][]byte {
	answers := map[string][][]byte{}
	for _, f := range archive.Files {
		rest, ok := strings.CutPrefix(f.Name, "backend")
		if !ok || isOutput(f.Name) || rest != "" && rest[0] != ' ' {
			continue
		}
		path, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if !strings.HasPrefix(path, "/") {
			path = ""
		}
		answers[path] = append(answers[path], wire(strings.ReplaceAll(string(f.Data), "{{backend}}", url)))
	}
	if answers[""] == nil {
		answers[""] = [][]byte{[]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}
	}
	return answers
}

func (g *golden) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\nHost: %s\n", r.Method, r.URL.RequestURI(), r.Host)
	writeHeader(&b, r.Header)
	if len(body) > 0 {
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	g.mu.Lock()
	g.received += b.String()
	path := r.URL.Path
	if g.answers[path] == nil {
		path = ""
	}
	answer := g.answers[path][0]
	if len(g.answers[path]) > 1 {
		g.answers[path] = g.answers[path][1:]
	}
	g.mu.Unlock()
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		panic(err)
	}
	data, _ := io.ReadAll(response.Body)
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil
	}
	w.WriteHeader(response.StatusCode)
	w.Write(bytes.TrimSuffix(data, []byte("\n")))
}

func writeHeader(b *strings.Builder, h http.Header) {
	var lines []string
	for name, values := range h {
		for _, v := range values {
			if name != "Date" {
				lines = append(lines, name+": "+v)
			}
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
}

var (
	guid     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	loopback = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	// waits are those of rate limits, which a slow machine makes shorter; tests with a clock of their own check them.
	waits = regexp.MustCompile(`(Try again in|Retry-After:|X-Wait:) [0-9]+`)
)

func runGolden(t *testing.T, archive *txtar.Archive, local bool) []txtar.File {
	t.Helper()
	input := texts(archive.Files)
	backend := &golden{}
	server := httptest.NewServer(backend)
	defer server.Close()
	backend.answers = goldenAnswers(archive, server.URL)
	observed := &goldenObserver{}
	events := httptest.NewServer(observed)
	defer events.Close()
	o := Options{Service: testService, Metrics: observed, Identity: &identity.Options{Endpoint: &identity.Endpoint{URL: server.URL + "/token"}}, Authority: server.URL,
		ExpressionLimits: expr.Limits{Steps: 200_000, Memory: 16 << 20, Duration: time.Minute}}
	if local {
		o.Local = func(u *url.URL) http.Handler {
			if u.Host == strings.TrimPrefix(server.URL, "http://") {
				return backend
			}
			return nil
		}
	}
	g := New(o)
	defer g.Close()
	if err := g.Update(append(goldenResources(input, server.URL), goldenContent(t, input, server.URL, events.URL)...)); err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	var handlers sync.WaitGroup
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		g.ServeHTTP(w, r)
	}))
	defer gateway.Close()
	mask := func(s string) []byte {
		return []byte(waits.ReplaceAllString(guid.ReplaceAllString(loopback.ReplaceAllString(s, "backend"), "GUID"), "$1 NN"))
	}
	var responses []txtar.File
	for number := 1; ; number++ {
		suffix := ""
		if number > 1 {
			suffix = fmt.Sprintf(" %d", number)
		}
		request, ok := input["request"+suffix]
		if !ok {
			break
		}
		responses = append(responses, txtar.File{Name: "response" + suffix, Data: mask(goldenExchange(t, gateway.URL, request))})
		handlers.Wait() // What a request does after its response is out counts for the next one.
	}
	var out []txtar.File
	if backend.received != "" {
		out = append(out, txtar.File{Name: "backend request", Data: mask(backend.received)})
	}
	g.Close() // sends what waits for the event hub
	return append(append(out, responses...), observed.files(mask)...)
}

func goldenExchange(t *testing.T, address, request string) string {
	t.Helper()
	answer := exchange(t, address, string(wire(request)))
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Fatalf("%v in %q", err, answer)
	}
	body, _ := io.ReadAll(response.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", response.StatusCode)
	response.Header.Del("Connection")
	writeHeader(&b, response.Header)
	if len(body) > 0 {
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	return b.String()
}

// wire makes a message of a text: head and body with the length that HTTP needs.
func wire(text string) []byte {
	head, body, _ := strings.Cut(text, "\n\n")
	head = strings.TrimRight(head, "\n")
	body = strings.TrimSuffix(body, "\n")
	head = strings.ReplaceAll(head, "\n", "\r\n")
	if !strings.HasPrefix(head, "HTTP/") {
		head += "\r\nHost: gateway.example\r\nConnection: close"
	}
	if body != "" || strings.HasPrefix(head, "HTTP/") {
		head += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	if strings.Contains(head, "Upgrade: websocket") {
		head = strings.ReplaceAll(head, "Connection: close", "Connection: close, Upgrade")
	}
	return []byte(head + "\r\n\r\n" + body)
}

func goldenResources(input map[string]string, backend string) []resource.Resource {
	operations := input["operations"]
	if operations == "" {
		operations = "GET /things/{id}\nPOST /things"
	}
	var list []resource.Resource
	scopes := map[string][]resource.ID{"global.xml": {testService}}
	if input["protocol"] == "websocket\n" {
		a := webSocketAPI("api", "api", "ws"+strings.TrimPrefix(backend, "http")+"/base/")
		list = append(list, a)
		scopes["api.xml"] = []resource.ID{a.ResourceID()}
		scopes["operation.xml"] = []resource.ID{a.ResourceID().Child("operations", resource.OnHandshake)}
	} else {
		list = httpAPI("api", "api", backend+"/base/", strings.Split(strings.TrimSpace(operations), "\n")...)
		for _, r := range list {
			switch r := r.(type) {
			case *resource.API:
				scopes["api.xml"] = []resource.ID{r.ID}
			case *resource.Operation:
				if text := input["operation.json"]; text != "" {
					if err := json.Unmarshal([]byte(text), r); err != nil {
						panic(err)
					}
					scopes["operation.xml"] = append(scopes["operation.xml"], r.ID)
					continue
				}
				r.Responses = []resource.OperationResponse{{StatusCode: 200, Representations: []resource.Representation{
					{ContentType: "application/json", Examples: []string{`{"example":1}`, `{"example":2}`}}, {ContentType: "text/plain", Examples: []string{"example"}}}}}
				scopes["operation.xml"] = append(scopes["operation.xml"], r.ID)
			}
		}
	}
	if text := input["product.xml"]; text != "" {
		id := testService.Child("products", "open")
		list = append(list, &resource.Product{ID: id}, &resource.ProductAPI{ID: id.Child("apis", "api")})
		scopes["product.xml"] = []resource.ID{id}
	}
	for name, text := range input {
		for _, scope := range scopes[name] {
			list = append(list, policyOf(scope, text))
		}
		if fragment, ok := strings.CutPrefix(name, "fragments/"); ok {
			list = append(list, &resource.PolicyFragment{ID: testService.Child("policyFragments", strings.TrimSuffix(fragment, ".xml")), Format: resource.PolicyRawXML, Value: text})
		}
	}
	for line := range strings.Lines(input["named-values"]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, &resource.NamedValue{ID: testService.Child("namedValues", name), DisplayName: name, Value: value})
	}
	list = append(list, &resource.NamedValue{ID: testService.Child("namedValues", "backend"), DisplayName: "backend", Value: backend})
	for line := range strings.Lines(input["subscriptions"]) {
		name, scope, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, &resource.Subscription{ID: testService.Child("subscriptions", name), DisplayName: "The " + name, Scope: scope, PrimaryKey: name + "-key", SecondaryKey: name + "-other", CreatedDate: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	}
	for line := range strings.Lines(input["backends"]) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, &resource.Backend{ID: testService.Child("backends", name), URL: backend + path,
			Credentials: &resource.BackendCredentials{Authorization: &resource.BackendAuthorization{Scheme: "Bearer", Parameter: "secret"}, Query: map[string][]string{"code": {"c d"}}}})
	}
	return list
}

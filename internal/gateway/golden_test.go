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

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/resource"
)

var update = flag.Bool("update", false, "write what the golden tests got into their files")

// TestPolicies runs testdata/policies/*.txtar. A file holds, each where needed:
//
//	global.xml, product.xml, api.xml, operation.xml   policy documents (rawxml); the operation's is for all of them
//	fragments/NAME.xml, named-values (NAME=VALUE), backends (NAME=PATH below the backend)
//	operations        lines like "GET /{id}"; "GET /things/{id}" and "POST /things" by default
//	protocol          "websocket" for a WebSocket API, whose backend refuses the handshake with a plain response
//	request           the request, its head as on the wire; the API's suffix is "api"
//	backend           the backend's response; an empty 200 by default
//
// and, written by -update, "backend request" and "response", or "error" when the configuration is refused. Each file runs
// twice: with the backend on the network and in process, and both must give the same.
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
	return name == "backend request" || name == "response" || name == "error"
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
	answer   []byte
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
	answer := g.answer
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
)

func runGolden(t *testing.T, archive *txtar.Archive, local bool) []txtar.File {
	t.Helper()
	input := texts(archive.Files)
	backend := &golden{answer: []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}
	if text, ok := input["backend"]; ok {
		backend.answer = wire(text)
	}
	server := httptest.NewServer(backend)
	defer server.Close()
	o := Options{Service: testService, Expressions: compileTestExpression}
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
	if err := g.Update(goldenResources(input, server.URL)); err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	gateway := httptest.NewServer(g)
	defer gateway.Close()
	answer := exchange(t, gateway.URL, string(wire(input["request"])))
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
	mask := func(s string) []byte {
		return []byte(guid.ReplaceAllString(loopback.ReplaceAllString(s, "backend"), "GUID"))
	}
	var out []txtar.File
	if backend.received != "" {
		out = append(out, txtar.File{Name: "backend request", Data: mask(backend.received)})
	}
	return append(out, txtar.File{Name: "response", Data: mask(b.String())})
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
	for line := range strings.Lines(input["backends"]) {
		name, path, _ := strings.Cut(strings.TrimSpace(line), "=")
		list = append(list, &resource.Backend{ID: testService.Child("backends", name), URL: backend + path,
			Credentials: &resource.BackendCredentials{Authorization: &resource.BackendAuthorization{Scheme: "Bearer", Parameter: "secret"}, Query: map[string][]string{"code": {"c d"}}}})
	}
	return list
}

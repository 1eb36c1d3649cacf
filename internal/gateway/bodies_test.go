package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

// TestBodiesInTheLog sends the same requests with a backend on the network and in process, and reads which bodies the records have.
func TestBodiesInTheLog(t *testing.T) {
	t.Parallel()
	limits := func(request, response, backendRequest, backendResponse int) *resource.Diagnostic {
		d := &resource.Diagnostic{ID: testService.Child("diagnostics", "azuremonitor")}
		d.Frontend.Request.Body.Bytes, d.Frontend.Response.Body.Bytes = request, response
		d.Backend.Request.Body.Bytes, d.Backend.Response.Body.Bytes = backendRequest, backendResponse
		return d
	}
	const changes = `<policies><inbound><set-body>@("to " + context.Request.Body.As<string>())</set-body></inbound>
<outbound><set-body>@("from " + context.Response.Body.As<string>())</set-body></outbound></policies>`
	const answers = `<policies><inbound><return-response><set-body>mine</set-body></return-response></inbound></policies>`
	const passes = `<policies><inbound/></policies>`
	const outbound = `<policies><inbound/><outbound><set-header name="X" exists-action="override"><value>y</value></set-header></outbound></policies>`
	const retries = `<policies><inbound/><backend><retry condition="@(context.Response.StatusCode == 200)" count="1" interval="0"><forward-request buffer-request-body="true"/></retry></backend></policies>`
	for name, c := range map[string]struct {
		document   string
		diagnostic *resource.Diagnostic
		body       string
		want       map[string]string
	}{
		"passed on":        {passes, limits(100, 100, 100, 100), "hello", map[string]string{"requestBody": "hello", "responseBody": "got hello", "backendRequestBody": "hello", "backendResponseBody": "got hello"}},
		"head changed":     {outbound, limits(100, 100, 100, 100), "hello", map[string]string{"requestBody": "hello", "responseBody": "got hello", "backendRequestBody": "hello", "backendResponseBody": "got hello"}},
		"cut":              {passes, limits(2, 5, 4, 1), "hello", map[string]string{"requestBody": "he", "responseBody": "got h", "backendRequestBody": "hell", "backendResponseBody": "g"}},
		"changed":          {changes, limits(100, 100, 100, 100), "hello", map[string]string{"requestBody": "hello", "responseBody": "from got to hello", "backendRequestBody": "to hello", "backendResponseBody": "got to hello"}},
		"changed, cut":     {changes, limits(3, 6, 5, 4), "hello", map[string]string{"requestBody": "hel", "responseBody": "from g", "backendRequestBody": "to he", "backendResponseBody": "got "}},
		"no backend":       {answers, limits(100, 100, 100, 100), "hello", map[string]string{"responseBody": "mine"}},
		"sent twice":       {retries, limits(0, 0, 100, 100), "hello", map[string]string{"backendRequestBody": "hello", "backendResponseBody": "got hello"}},
		"one of four":      {passes, limits(0, 0, 0, 3), "hello", map[string]string{"backendResponseBody": "got"}},
		"none":             {passes, limits(0, 0, 0, 0), "hello", map[string]string{}},
		"no diagnostic":    {passes, nil, "hello", map[string]string{}},
		"more than a page": {passes, limits(8192, 8192, 8192, 8192), strings.Repeat("x", 20000), map[string]string{"requestBody": strings.Repeat("x", 8192), "responseBody": "got " + strings.Repeat("x", 8188), "backendRequestBody": strings.Repeat("x", 8192), "backendResponseBody": "got " + strings.Repeat("x", 8188)}},
		"no text":          {passes, limits(100, 0, 0, 0), "a\xff\x00b", map[string]string{"requestBody": "a\uFFFD\x00b"}},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in process %t", name, local), func(t *testing.T) {
				t.Parallel()
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					fmt.Fprintf(w, "got %s", body)
				})
				backend := httptest.NewServer(handler)
				defer backend.Close()
				var out lockedBuffer
				o := Options{Service: testService, RequestLog: slog.New(slog.NewJSONHandler(&out, nil))}
				if local {
					o.Local = func(*url.URL) http.Handler { return handler }
				}
				g := New(o)
				defer g.Close()
				list := append(httpAPI("api", "api", backend.URL, "POST /things"), policyOf(testService.Child("apis", "api"), c.document),
					&resource.Subscription{ID: testService.Child("subscriptions", "s1"), Scope: "/apis", PrimaryKey: "key-1", SecondaryKey: "key-2"})
				if c.diagnostic != nil {
					list = append(list, c.diagnostic)
				}
				if err := g.Update(list); err != nil {
					t.Fatal(err)
				}
				server := httptest.NewServer(g)
				response, err := http.Post(server.URL+"/api/things?subscription-key=key-1", "text/plain", strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					t.Fatal(response.StatusCode, err)
				}
				_ = response.Body.Close()
				server.Close() // waits for the record
				var record map[string]any
				if err := json.Unmarshal([]byte(out.String()), &record); err != nil {
					t.Fatal(err, out.String())
				}
				got := map[string]string{}
				for _, field := range []string{"requestBody", "responseBody", "backendRequestBody", "backendResponseBody"} {
					if text, ok := record[field].(string); ok {
						got[field] = text
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("bodies (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestCacheInTheLog looks a response up twice.
func TestCacheInTheLog(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	s := newObserved(t, Options{RequestLog: slog.New(slog.NewJSONHandler(&out, nil))}, policyOf(testService.Child("apis", "api", "operations", "op0"),
		`<policies><inbound><cache-lookup vary-by-developer="false" vary-by-developer-groups="false"/></inbound><outbound><cache-store duration="60"/></outbound></policies>`))
	for range 2 {
		s.get(t, "/api/things/7", "Ocp-Apim-Subscription-Key", "key-1")
	}
	s.server.Close()
	var got []any
	for line := range strings.Lines(out.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		got = append(got, record["cache"])
	}
	if diff := cmp.Diff([]any{"miss", "hit"}, got); diff != "" {
		t.Error(diff)
	}
}

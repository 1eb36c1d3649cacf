package match

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

func api(name, suffix string, operations ...string) API {
	a := API{Name: name, Suffix: suffix, Plain: true, TLS: true, Revision: "1", Current: true}
	for _, o := range operations {
		method, template, _ := strings.Cut(o, " ")
		a.Operations = append(a.Operations, Operation{Name: o, Method: method, Template: template})
	}
	return a
}

func webSocket(name, suffix string) API {
	a := api(name, suffix)
	a.WebSocket = true
	return a
}

func mustTable(t testing.TB, apis []API) *Table {
	t.Helper()
	table, errs := New(apis)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return table
}

// describe is a match in one line: API, revision, operation, rest of the path, parameters.
func describe(apis []API, m *Match) string {
	if m.API < 0 {
		return "-"
	}
	a := apis[m.API]
	text := a.Name
	if a.Version.Set != "" {
		text += "@" + a.Version.Value
	}
	if a.Revision != "1" {
		text += ";" + a.Revision
	}
	switch {
	case m.Operation < 0:
		text += " -"
	case a.WebSocket:
		text += " onHandshake"
	default:
		text += " [" + a.Operations[m.Operation].Name + "]"
	}
	text += " " + m.Path
	for i := range m.Len() {
		name, value := m.Parameter(i)
		text += " " + name + "=" + value
	}
	return text
}

func TestMatch(t *testing.T) {
	t.Parallel()
	segment := func(name, value string) API {
		a := api(name, "seg", "GET /x", "GET /v2/y")
		a.Version = Version{Set: "s", Scheme: SegmentVersion, Value: value}
		return a
	}
	query := api("q", "qry", "GET /x")
	query.Version = Version{Set: "q", Scheme: QueryVersion, Name: "api-version", Value: "2024-01-01"}
	header := api("h", "hdr", "GET /x")
	header.Version = Version{Set: "h", Scheme: HeaderVersion, Name: "X-Version", Value: "1"}
	headerOriginal := api("ho", "hdr", "GET /x")
	headerOriginal.Version = Version{Set: "h", Scheme: HeaderVersion, Name: "X-Version"}
	revision := api("shared", "client", "GET /new")
	revision.Revision, revision.Current = "3", false
	secure := api("secure", "secure", "GET /")
	secure.Plain = false
	apis := []API{
		api("negotiate", "client/negotiate/", "OPTIONS /", "POST /"),
		webSocket("connect", "/client/"),
		api("shared", "client", "OPTIONS /negotiate", "POST /negotiate", "GET /", "DELETE /"),
		revision,
		api("orders", "Shop/Orders", "GET /", "GET /{id}", "POST /{id}", "GET /{id}/items/{item}", "GET /all", "GET /{id}.json", "GET /by({key})",
			"GET /files/*", "GET /find?q={text}", "GET /find?q={text}&kind=open", "GET /find", "GET /trees/{*path}", "* /any", "GET /any"),
		segment("seg0", ""), segment("seg1", "v1"), segment("seg2", "v2"),
		query, header, headerOriginal, secure,
		webSocket("only", "socket"),
	}
	table := mustTable(t, apis)
	for _, c := range []struct{ request, want string }{
		{"POST /client/negotiate?hub=chat", "negotiate [POST /] "},
		{"POST /client/negotiate/", "negotiate [POST /] /"},
		{"OPTIONS /CLIENT/Negotiate", "negotiate [OPTIONS /] "},
		{"GET /client/negotiate", "negotiate - "},
		{"WS /client/?hub=chat", "connect onHandshake /"},
		{"WS /client", "connect onHandshake "},
		{"WS /client/deep/er", "connect onHandshake /deep/er"},
		{"GET /client/?id=1", "shared [GET /] /"},
		{"DELETE /client", "shared [DELETE /] "},
		{"PUT /client", "shared - "},
		{"GET /client/other", "shared - /other"},
		{"GET /client;rev=3/new", "shared;3 [GET /new] /new"},
		{"GET /client;rev=1/", "shared [GET /] /"},
		{"GET /client;rev=2/new", "-"},
		{"GET /client;rev=x/new", "-"},
		{"GET /clientele", "-"},
		{"GET /", "-"},
		{"GET /shop/orders", "orders [GET /] "},
		{"GET /shop/orders/", "orders [GET /] /"},
		{"GET /shop/orders/17", "orders [GET /{id}] /17 id=17"},
		{"GET /shop/orders/17/", "orders [GET /{id}] /17/ id=17"},
		{"GET /shop/orders/a%20b", "orders [GET /{id}] /a%20b id=a b"},
		{"GET /shop/orders/all", "orders [GET /all] /all"},
		{"GET /shop/orders/%61LL", "orders [GET /all] /%61LL"},
		{"POST /shop/orders/all", "orders [POST /{id}] /all id=all"},
		{"GET /shop/orders/9.json", "orders [GET /{id}.json] /9.json id=9"},
		{"GET /shop/orders/.json", "orders [GET /{id}] /.json id=.json"},
		{"GET /shop/orders/by(a.b)", "orders [GET /by({key})] /by(a.b) key=a.b"},
		{"GET /shop/orders/17/items/3", "orders [GET /{id}/items/{item}] /17/items/3 id=17 item=3"},
		{"GET /shop/orders/17/items", "orders - /17/items"},
		{"GET /shop/orders/files/a/b/c?x=1", "orders [GET /files/*] /files/a/b/c *=a/b/c"},
		{"GET /shop/orders/files", "orders [GET /files/*] /files *="},
		{"GET /shop/orders/trees/a//b", "orders [GET /trees/{*path}] /trees/a//b path=a//b"},
		{"GET /shop/orders/find?Q=a+b", "orders [GET /find?q={text}] /find text=a b"},
		{"GET /shop/orders/find?kind=open&q=%41", "orders [GET /find?q={text}&kind=open] /find text=A"},
		{"GET /shop/orders/find?kind=closed", "orders [GET /find] /find"},
		{"PATCH /shop/orders/any", "orders [* /any] /any"},
		{"GET /shop/orders/any", "orders [GET /any] /any"},
		{"GET /shop/../client/./negotiate/../../shop/orders/all", "orders [GET /all] /all"},
		{"GET /shop/orders/files/%2e%2E/all", "orders [GET /all] /all"},
		{"GET /shop/orders/files/../../../../../etc", "-"},
		{"GET /shop//orders", "-"},
		{"GET /seg/x", "seg0@ [GET /x] /x"},
		{"GET /seg/v1/x", "seg1@v1 [GET /x] /x"},
		{"GET /seg/V2/x", "seg2@v2 [GET /x] /x"},
		{"GET /seg/v3/x", "seg0@ - /v3/x"},
		{"GET /qry/x?api-version=2024-01-01", "q@2024-01-01 [GET /x] /x"},
		{"GET /qry/x?api-version=2023-01-01", "-"},
		{"GET /qry/x", "-"},
		{"GET /hdr/x", "ho@ [GET /x] /x"},
		{"GET /hdr/x X-Version:1", "h@1 [GET /x] /x"},
		{"GET /hdr/x X-Version:2", "-"},
		{"GET /secure", "-"},
		{"GET /secure tls:", "secure [GET /] "},
		{"GET /socket", "-"},
		{"WS /shop/orders", "-"},
		{"GET *", "-"},
	} {
		t.Run(c.request, func(t *testing.T) {
			t.Parallel()
			r := parseRequest(c.request)
			m := &Match{}
			table.Match(r, m)
			if got := describe(apis, m); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func parseRequest(text string) *Request {
	fields := strings.Fields(text)
	r := &Request{Method: fields[0], Header: http.Header{}}
	if r.Method == "WS" {
		r.Method, r.WebSocket = "GET", true
	}
	r.Path, r.RawQuery, _ = strings.Cut(fields[1], "?")
	for _, f := range fields[2:] {
		name, value, _ := strings.Cut(f, ":")
		if name == "tls" {
			r.TLS = true
		} else {
			r.Header.Set(name, value)
		}
	}
	return r
}

func TestRootAPI(t *testing.T) {
	t.Parallel()
	root, second := api("root", "", "GET /", "GET /a/{b}"), api("root", "/", "GET /new")
	second.Revision, second.Current = "2", false
	apis := []API{root, second, api("other", "other", "GET /")}
	table := mustTable(t, apis)
	for request, want := range map[string]string{
		"GET /":            "root [GET /] /",
		"GET /a/1":         "root [GET /a/{b}] /a/1 b=1",
		"GET /other":       "other [GET /] ",
		"GET /other/x":     "other - /x",
		"GET /;rev=2/new":  "root;2 [GET /new] /new",
		"GET /otherwise/x": "root - /otherwise/x",
	} {
		m := &Match{}
		table.Match(parseRequest(request), m)
		if got := describe(apis, m); got != want {
			t.Errorf("%s: got %q, want %q", request, got, want)
		}
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	versionA, versionB := api("va", "v", "GET /"), api("vb", "v", "GET /")
	versionA.Version = Version{Set: "one", Scheme: SegmentVersion, Value: "v1"}
	versionB.Version = Version{Set: "one", Scheme: SegmentVersion, Value: "V1"}
	for name, c := range map[string]struct {
		apis []API
		want string
	}{
		"one suffix":                {[]API{api("b", "p"), api("a", "/P/")}, "Cannot create API 'a' with the same Path 'P' as API 'b' unless it's a part of the same version set"},
		"two WebSocket APIs":        {[]API{webSocket("b", "p"), webSocket("a", "p")}, "Cannot create API 'a' with the same Path 'p' as API 'b' unless it's a part of the same version set"},
		"an HTTP and a WebSocket":   {[]API{webSocket("b", "p"), api("a", "p")}, ""},
		"one version twice":         {[]API{versionA, versionB}, "API 'vb' has the same version 'V1' in the same version set as API 'va'"},
		"one operation twice":       {[]API{api("a", "p", "GET /x/{a}", "GET /X/{b}/")}, "operation 'GET /X/{b}/' has the same method and URL template as operation 'GET /x/{a}': GET /X/{b}/"},
		"two current revisions":     {[]API{api("a", "p"), func() API { a := api("a", "p"); a.Revision = "2"; return a }()}, "API 'a' has two current revisions, 1 and 2"},
		"a bad template":            {[]API{api("a", "p", "GET /x/{a")}, `the URL template "/x/{a": a { has no }`},
		"versioned and unversioned": {[]API{versionA, api("a", "v")}, "Cannot create API 'a' with the same Path 'v' as API 'va' unless it's a part of the same version set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errs := New(c.apis)
			got := ""
			if len(errs) > 0 {
				got = errs[0].Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"/a/{}", "/a/{b", "/a/b}", "/*/a", "/a*", "/{a}{b}", "/{a}/{A}", "/a?b={a}&c={a}", "/a//b", "/a?={b}", "/a?b=x{c}", "/a#b", "/a\n", "/{a?b}", "/%zz", "/" + strings.Repeat("a", resource.MaxURLTemplate),
	} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// largeTable has 1,000 APIs of 20 operations, and a request that is costly to match.
func largeTable(tb testing.TB) (*Table, *Request) {
	var apis []API
	for i := range 1000 {
		a := api(fmt.Sprintf("api%d", i), fmt.Sprintf("team%d/service%d/v1", i%40, i))
		for j := range 10 {
			a.Operations = append(a.Operations,
				Operation{Name: fmt.Sprintf("get%d", j), Method: "GET", Template: fmt.Sprintf("/things/{thing}/kind%d/{id}", j)},
				Operation{Name: fmt.Sprintf("put%d", j), Method: "PUT", Template: fmt.Sprintf("/things/{thing}/kind%d/{id}", j)})
		}
		apis = append(apis, a)
	}
	return mustTable(tb, apis), &Request{Method: "PUT", Path: "/Team39/service999/v1/things/4711/kind7/abc", RawQuery: "a=1&b=2"}
}

func TestMatchAllocatesNothing(t *testing.T) { // Not parallel: it counts allocations.
	table, r := largeTable(t)
	m := &Match{}
	table.Match(r, m)
	if m.Operation < 0 {
		t.Fatal("the request does not match")
	}
	if n := testing.AllocsPerRun(100, func() { table.Match(r, m) }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	table, r := largeTable(b)
	m := &Match{}
	b.ReportAllocs()
	for b.Loop() {
		table.Match(r, m)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range [][2]string{
		{"/orders/{id}/items/*", "/orders/1/items/2/3"}, {"/a/{b}.json?x={y}", "/a/b.json?x=1"}, {"/{*all}", "/%2e%2e/x"}, {"/by({k})", "/by(1)"}, {"/x;rev=2", "/x;rev=2"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, template, target string) {
		a := api("a", "base")
		a.Operations = []Operation{{Name: "one", Method: "GET", Template: template}, {Name: "two", Method: "GET", Template: "/{x}/{y}"}}
		table, _ := New([]API{a})
		r := &Request{Method: "GET"}
		r.Path, r.RawQuery, _ = strings.Cut("/base"+target, "?")
		m := &Match{}
		table.Match(r, m)
		for i := range m.Len() {
			m.Parameter(i)
		}
		if m.API >= 0 && strings.Contains(m.Path, "/../") {
			t.Errorf("the path below the suffix, %q, climbs", m.Path)
		}
	})
}

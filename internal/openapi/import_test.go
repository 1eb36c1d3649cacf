package openapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

func TestNormalizeOperationID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"listPets", "listpets"},
		{"GET-/foo/{bar}?buzz={quix}", "get-foo-bar-buzz-quix"},
		{"__a__b__", "a-b"},
		{"Ünïcode", "n-code"},
		{"注文", ""},
		{strings.Repeat("a", 80), strings.Repeat("a", 76)},
		{strings.Repeat("a", 75) + "-b", strings.Repeat("a", 75)},
		{strings.Repeat("a", 74) + "-bcd", strings.Repeat("a", 74) + "-b"},
	} {
		if got := NormalizeOperationID(c.in); got != c.want {
			t.Errorf("NormalizeOperationID(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{OpenAPIYAML, OpenAPIJSON, SwaggerJSON} {
		if got, err := ParseFormat(strings.ToUpper(string(f))); got != f || err != nil {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
	for _, c := range []struct{ name, want string }{
		{"openapi-link", "nothing is fetched"},
		{"swagger-link-json", "nothing is fetched"},
		{"wsdl", `the format "wsdl" cannot be imported`},
		{"", `the format "" cannot be imported`},
	} {
		if _, err := ParseFormat(c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseFormat(%q) = %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTargetIsChecked(t *testing.T) {
	t.Parallel()
	document := []byte(`{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{}}`)
	socket := shopAPI()
	socket.Type = resource.APITypeWebSocket
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{}, "has no API"},
		{Target{API: socket}, "cannot be imported into an API of the type websocket"},
		{Target{API: shopAPI(), RequiredQuery: "both"}, `become template or query, not "both"`},
		{Target{API: &resource.API{ID: "nonsense"}}, "is not the id of an API"},
	} {
		if _, err := Import(document, "", c.target); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestTargetStays makes sure that an import changes nothing of the caller's.
func TestTargetStays(t *testing.T) {
	t.Parallel()
	api := shopAPI()
	if _, err := Import([]byte(largeDocument(1)), "", Target{API: api}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shopAPI(), api); diff != "" {
		t.Errorf("the target's API was changed (-before +after):\n%s", diff)
	}
}

func TestServiceURL(t *testing.T) {
	t.Parallel()
	const three, two = `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{},`, `{"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{},`
	const from = "http://docs.example.com/a/openapi.json"
	for _, c := range []struct{ document, url, want, warning string }{
		{three + `"servers":[]}`, "", "", ""},
		{three + `"servers":[{"url":"http://a.example"},{"url":"https://b.example/x/"},{"url":"https://c.example"}]}`, "", "https://b.example/x/", ""},
		{three + `"servers":[{"url":"HTTPS://b.example"}]}`, "", "HTTPS://b.example", ""},
		{three + `"servers":[{"url":"http://a.example"}]}`, "", "", "none of the servers has an https URL"},
		{three + `"servers":[{"url":"/v1"}]}`, "", "", `"/v1" is relative`},
		{three + `"servers":[{"url":"/v1"}]}`, "https://docs.example.com/a/b.json", "https://docs.example.com/v1", ""},
		{three + `"servers":[{"url":"https://{host}/{v}","variables":{"host":{"default":"d.example"}}}]}`, "", "", "is not valid"},
		{three + `"servers":[{"url":"https://u:p@b.example"}]}`, "", "", "must not hold a user"},
		{three + `"servers":[{"url":"https://b.example?x=1"}]}`, "", "", "must not have a query"},
		{two + `"host":"a.example","basePath":"/v1/","schemes":["http","https"]}`, "", "https://a.example/v1", ""},
		{two + `"host":"a.example","schemes":["http"]}`, "", "http://a.example", ""},
		{two + `"host":"a.example","schemes":["wss"]}`, "", "", "none of the schemes"},
		{two + `"host":"a.example","basePath":"v1"}`, "", "https://a.example/v1", ""},
		{two + `"host":"a.example"}`, from, "http://a.example", ""},
		{two + `"basePath":"/v1"}`, from, "http://docs.example.com/v1", ""},
		{two + `"basePath":"/v1"}`, "", "", "basePath without a host"},
		{two + `"host":"a.example","x-servers":[{"url":"https://x.example"}]}`, "", "https://x.example", ""},
	} {
		r, err := Import([]byte(c.document), "", Target{API: shopAPI(), DocumentURL: c.url})
		if err != nil {
			t.Errorf("%s: %v", c.document, err)
			continue
		}
		if r.API.ServiceURL != c.want {
			t.Errorf("%s: got %q, want %q", c.document, r.API.ServiceURL, c.want)
		}
		var text strings.Builder
		for _, w := range r.Warnings {
			if !strings.Contains(w.Message, "version of info") {
				fmt.Fprintln(&text, w)
			}
		}
		if c.warning == "" && text.Len() > 0 || !strings.Contains(text.String(), c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.document, text.String(), c.warning)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const head = `{"openapi":"3.0.0","info":{"title":"t","version":"1"},`
	deep := strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1)
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	// Each of many operations refers to one long example.
	var expanding strings.Builder
	expanding.WriteString(head + `"components":{"responses":{"R":{"description":"","content":{"text/plain":{"example":"` + strings.Repeat("x", 1<<20) + `"}}}}},"paths":{`)
	for i := range 100 {
		fmt.Fprintf(&expanding, `"/p%d":{"get":{"responses":{"200":{"$ref":"#/components/responses/R"}}}},`, i)
	}
	expanding.WriteString(`"/":{}}}`)
	var query strings.Builder
	for i := range 200 {
		fmt.Fprintf(&query, `{"name":"parameter%d","in":"query","required":true},`, i)
	}
	// A chain of definitions, each of which refers to the next.
	var chain strings.Builder
	for i := range maxTrail + 2 {
		fmt.Fprintf(&chain, `"D%d":{"items":{"$ref":"#/components/schemas/D%d"}},`, i, i+1)
	}
	fmt.Fprintf(&chain, `"D%d":{"type":"string"}`, maxTrail+2)
	for _, c := range []struct{ name, document, want string }{
		{"empty", " \n", "the document is empty"},
		{"comments", "# nothing\n", "the document is empty"},
		{"size", head + `"x":"` + strings.Repeat("x", MaxDocument) + `"}`, "bytes; at most 4194304 are allowed"},
		{"depth", deep, "nests deeper than 100 levels"},
		{"depth in YAML", strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2), "nests deeper than 100 levels"},
		{"values", "[" + strings.Repeat("0,", maxNodes+1) + "0]", "more than 500000 values"},
		{"aliases", bomb, "those repeated by aliases included"},
		{"circle of aliases", "a: &a [*a]\n", "nests deeper than 100 levels"},
		{"expansion", expanding.String(), "the document becomes larger than"},
		{"path", head + `"paths":{"/` + strings.Repeat("x", resource.MaxURLTemplate) + `":{"get":{"responses":{}}}}}`, "at most 1000 are allowed"},
		{"query", head + `"paths":{"/a":{"get":{"responses":{},"parameters":[` + strings.TrimSuffix(query.String(), ",") + `]}}}}`, "the URL template has more than 1000 characters"},
		{"chain", head + `"paths":{},"components":{"schemas":{` + chain.String() + `}}}`, "more than 200 definitions refer to one another"},
		{"duplicate in JSON", `{"a":1,"a":2}`, "duplicate"},
		{"duplicate in YAML", "a: 1\na: 2\n", `line 2, column 1: there is a second member "a"`},
		{"two documents", "a: 1\n---\nb: 2\n", "second YAML document"},
		{"something after it", `{} {}`, "after the end of the document"},
		{"keys", "? [a]\n: 1\n", "the name of a member must be a text"},
		{"merge", "<<: 1\n", "<< takes a mapping"},
	} {
		_, err := Import([]byte(c.document), "", Target{API: shopAPI()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			text := fmt.Sprint(err)
			t.Errorf("%s: got %.300q, want %q", c.name, text, c.want)
		}
	}
}

func TestManyProblems(t *testing.T) {
	t.Parallel()
	document := `{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{` + strings.Repeat(" ", 10)
	for i := range 3 * MaxProblems {
		document += fmt.Sprintf(`"p%d":{},`, i)
	}
	document += `"/":{}}}`
	_, err := Import([]byte(document), "", Target{API: shopAPI()})
	problems, ok := errors.AsType[*Error](err)
	if !ok || len(problems.Problems) != MaxProblems {
		t.Fatalf("got %v", err)
	}
	if want := "(and 49 more problems)"; !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %q, want it to end in %q", err, want)
	}
}

func TestManyWarnings(t *testing.T) {
	t.Parallel()
	var document strings.Builder
	document.WriteString(`{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{}`)
	for i := range 2 * maxWarnings {
		fmt.Fprintf(&document, `,"x-%d":1`, i)
	}
	document.WriteString("}")
	r, err := Import([]byte(document.String()), "", Target{API: shopAPI()})
	if err != nil {
		t.Fatal(err)
	}
	last := r.Warnings[len(r.Warnings)-1]
	// The warning about info.version is one of them.
	if len(r.Warnings) != maxWarnings+1 || last.Count != maxWarnings+1 || !strings.Contains(last.Message, "further warnings") {
		t.Errorf("got %d warnings, the last one %v", len(r.Warnings), last)
	}
}

// TestTooManyOfOneName has a thousand and one operations with one operationId.
func TestTooManyOfOneName(t *testing.T) {
	t.Parallel()
	document := func(n int) []byte {
		var b strings.Builder
		b.WriteString(`{"openapi":"3.0.0","info":{"title":"t","version":"1"},"paths":{"/":{}`)
		for i := range n {
			fmt.Fprintf(&b, `,"/p%d":{"get":{"operationId":"same","responses":{}}}`, i)
		}
		b.WriteString("}}")
		return []byte(b.String())
	}
	r, err := Import(document(1000), "", Target{API: shopAPI()})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Operations[999].ID.Name(); got != "same-999" {
		t.Errorf("the last operation is named %s", got)
	}
	if _, err := Import(document(1001), "", Target{API: shopAPI()}); err == nil || !strings.Contains(err.Error(), "more than 999 operations are named same") {
		t.Errorf("got %v", err)
	}
}

// largeDocument is a document with n resources, each with five operations and three definitions.
func largeDocument(n int) string {
	var paths, schemas strings.Builder
	for i := range n {
		fmt.Fprintf(&paths, `
  /resources%[1]d:
    get:
      operationId: Resources%[1]d_List
      summary: List the resources of the kind %[1]d
      parameters:
        - $ref: '#/components/parameters/Version'
        - {name: $filter, in: query, schema: {type: string}}
        - {name: $top, in: query, schema: {type: integer, format: int32, minimum: 1, maximum: %[2]d}}
      responses:
        '200': {description: A page., content: {application/json: {schema: {$ref: '#/components/schemas/Resource%[1]dPage'}}}}
        '500': {$ref: '#/components/responses/Problem'}
    post:
      operationId: Resources%[1]d_Create
      parameters: [{$ref: '#/components/parameters/Version'}]
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Resource%[1]d'}, example: {name: r%[1]d, parts: [{id: 1}]}}}}
      responses:
        '201': {description: Created., headers: {location: {schema: {type: string}}}, content: {application/json: {schema: {$ref: '#/components/schemas/Resource%[1]d'}}}}
  /resources%[1]d/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string, maxLength: 80}}
      - $ref: '#/components/parameters/Version'
    get: {operationId: Resources%[1]d_Get, responses: {'200': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Resource%[1]d'}}}}}}
    patch:
      operationId: Resources%[1]d_Update
      requestBody: {content: {application/merge-patch+json: {schema: {type: object, properties: {name: {type: string}, kind: {type: string, enum: [k%[1]d]}}}}}}
      responses: {'200': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Resource%[1]d'}}}}}
    delete: {operationId: Resources%[1]d_Delete, responses: {'204': {description: Gone.}}}`, i, 10+i%7)
		fmt.Fprintf(&schemas, `
    Resource%[1]d: {type: object, required: [name], properties: {name: {type: string}, parts: {type: array, items: {$ref: '#/components/schemas/Part%[1]d'}}}}
    Part%[1]d: {type: object, properties: {id: {type: integer}, note: {type: string, nullable: true}}}
    Resource%[1]dPage: {type: object, properties: {value: {type: array, items: {$ref: '#/components/schemas/Resource%[1]d'}}, nextLink: {type: string}}}`, i)
	}
	return `openapi: 3.0.2
info: {title: Many resources, version: '2024-05-01'}
servers: [{url: 'https://many.example.com/api'}]
paths:` + paths.String() + `
components:
  parameters:
    Version: {name: api-version, in: query, required: true, description: The version., schema: {type: string, default: '2024-05-01'}}
  responses:
    Problem: {description: What went wrong., content: {application/json: {schema: {type: object, properties: {error: {type: string}}}}}}
  schemas:` + schemas.String() + "\n"
}

func TestLargeDocument(t *testing.T) {
	t.Parallel()
	target := Target{API: shopAPI()}
	r, err := Import([]byte(largeDocument(100)), OpenAPIYAML, target)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Operations) != 500 || len(r.Schemas) != 1 {
		t.Fatalf("got %d operations and %d schemas", len(r.Operations), len(r.Schemas))
	}
	if got, want := r.Operations[499].ID.Name(), "resources99-delete"; got != want {
		t.Errorf("the last operation is %s, want %s", got, want)
	}
	if got, want := r.Operations[0].URLTemplate, "/resources0?api-version={api-version}"; got != want {
		t.Errorf("the first template is %s, want %s", got, want)
	}
	checkTemplates(t, r)
	for _, format := range []Format{OpenAPIYAML, OpenAPIJSON} {
		text, warnings, err := Export(describe(r), format)
		if err != nil || len(warnings) > 0 {
			t.Fatal(err, warnings)
		}
		checkExport(t, text, format)
		checkRoundTrip(t, r, text, format, target, false)
	}
}

// TestPlaces makes sure that JSON and YAML give the same places.
func TestPlaces(t *testing.T) {
	t.Parallel()
	document := `{
  "openapi": "3.0.0", "info": {"title": "t", "version": "1"},
  "paths": {
    "/a": {
      "get": {"parameters": [
        {"name": "é", "in": "query"}, {"$ref": "#/components/parameters/None"}
      ]}
    }
  }
}`
	for _, format := range []Format{OpenAPIJSON, OpenAPIYAML} {
		text := document
		if format == OpenAPIYAML {
			text = "# A comment makes it YAML.\n" + document
		}
		_, err := Import([]byte(text), format, Target{API: shopAPI()})
		problems, ok := errors.AsType[*Error](err)
		if !ok || len(problems.Problems) != 1 {
			t.Fatalf("%s: %v", format, err)
		}
		p := problems.Problems[0]
		if format == OpenAPIYAML {
			p.Line--
		}
		if want := "/paths/~1a/get/parameters/1/$ref"; p.Pointer != want || p.Line != 6 || p.Column != 48 {
			t.Errorf("%s: got %+v", format, p)
		}
	}
}

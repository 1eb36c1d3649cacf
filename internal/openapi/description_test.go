package openapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/resource"
)

// handmade is an API as it is made by hand, with what documents cannot say.
func handmade() Description {
	api := shopAPI()
	operation := func(name, method, template string) *resource.Operation {
		return &resource.Operation{ID: api.ID.Child("operations", name), Method: method, URLTemplate: template}
	}
	find := operation("find", "GET", "find?q={text}&kind=open")
	list := operation("list", "GET", "/orders/{id}?page={page}")
	list.TemplateParameters = []resource.TemplateParameter{{Name: "id", Type: "Guid", Required: true}}
	list.Responses = []resource.OperationResponse{{StatusCode: 200, Representations: []resource.Representation{
		{ContentType: "application/json", SchemaID: "one", TypeName: "Order", Examples: []string{"not JSON"}},
		{ContentType: "application/xml", SchemaID: "two", TypeName: "#/components/schemas/Order"},
		{ContentType: "text/plain", SchemaID: "two", TypeName: "Missing"},
	}}}
	schema := func(name, contentType, document string) *resource.APISchema {
		return &resource.APISchema{ID: api.ID.Child("schemas", name), ContentType: contentType, Document: []byte(document)}
	}
	return Description{
		API: api,
		Operations: []*resource.Operation{find, list, operation("all", "*", "/"), operation("purge", "PURGE", "/"), operation("trace", "TRACE", "/t"),
			operation("same", "GET", "/orders/{id}?page={page}&size={size}"), operation("rest", "GET", "/rest/{*path}")},
		Schemas: []*resource.APISchema{
			schema("one", resource.SchemaOpenAPIComponents, `{"components":{"schemas":{"Order":{"type":"object","properties":{"of":{"$ref":"#/components/schemas/Who%20is"}}},"Who is":{"type":"string"}}}}`),
			schema("two", resource.SchemaSwaggerDefinitions, `{"definitions":{"Order":{"type":"object","discriminator":"kind","required":["kind"],"properties":{"kind":{"type":"string"},"data":{"type":"file"}}}}}`),
			schema("three", "application/vnd.ms-azure-apim.xsd+xml", `{}`),
		},
		Servers: []string{"https://apim1.example.com/shop", "http://apim1.example.com/shop", "https://other.example.com/shop"},
	}
}

func TestExportOfHandmadeAPI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format           Format
		has, hasNot, say []string
	}{
		{
			format: OpenAPIJSON,
			has: []string{`"/find?q={text}&kind=open"`, `"/orders/{id}"`, `"/orders/{id}?page={page}&size={size}"`, `"trace"`, `"/rest/{*path}"`, `"*path"`,
				`"$ref": "#/components/schemas/Order"`, `"$ref": "#/components/schemas/Order-1"`, `"#/components/schemas/Who_is"`, `"propertyName": "kind"`, `"format": "binary"`,
				`"example": "not JSON"`, `"title": "shop"`, `"https://other.example.com/shop"`},
			hasNot: []string{"PURGE", "purge", "Guid"},
			say: []string{"the operation all is left out: the method * cannot be described", "the operation purge is left out", "the type Guid of parameters",
				"the definition Missing of the schema two does not exist", "the schema three has the content type"},
		},
		{
			format: SwaggerJSON,
			has:    []string{`"host": "apim1.example.com"`, `"basePath": "/shop"`, `"$ref": "#/definitions/Order"`, `"#/definitions/Who%20is"`, `"discriminator": "kind"`},
			hasNot: []string{`"trace"`, "components"},
			say:    []string{"the server https://other.example.com/shop is left out", "the operation trace is left out", "of the response 200 of list the schema Order-1 is left out"},
		},
	} {
		text, warnings, err := Export(handmade(), c.format)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.has {
			if !strings.Contains(string(text), s) {
				t.Errorf("%s lacks %s:\n%s", c.format, s, text)
			}
		}
		for _, s := range c.hasNot {
			if strings.Contains(string(text), s) {
				t.Errorf("%s has %s:\n%s", c.format, s, text)
			}
		}
		for _, s := range c.say {
			if !slices.ContainsFunc(warnings, func(w Warning) bool { return strings.Contains(w.Message, s) }) {
				t.Errorf("%s has no warning %q: %v", c.format, s, warnings)
			}
		}
		if c.format == OpenAPIJSON {
			checkExport(t, text, c.format)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	socket := shopAPI()
	socket.Type = resource.APITypeWebSocket
	for _, c := range []struct {
		d      Description
		format Format
		want   string
	}{
		{Description{}, OpenAPIJSON, "there is no API"},
		{Description{API: shopAPI()}, "wadl", `the format "wadl" cannot be exported`},
		{Description{API: socket}, OpenAPIJSON, "an API of the type websocket cannot be exported"},
		{Description{API: shopAPI(), Schemas: []*resource.APISchema{{ID: shopAPI().ID.Child("schemas", "bad"), Document: []byte("{")}}}, OpenAPIJSON, "the schema bad of the API shop"},
	} {
		if _, _, err := Export(c.d, c.format); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestNamesOfDefinitions keeps the names that OpenAPI 2 allows and later versions do not.
func TestNamesOfDefinitions(t *testing.T) {
	t.Parallel()
	target := Target{API: shopAPI()}
	document := `{"swagger":"2.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"","schema":{"$ref":"#/definitions/Page«Pet»"}}}}}},
		"definitions":{"Pet":{"type":"object"},"Page«Pet»":{"type":"array","items":{"$ref":"#/definitions/a b~1c%25"}},"a b/c%":{"type":"string"}}}`
	r, err := Import([]byte(document), SwaggerJSON, target)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Operations[0].Responses[0].Representations[0].TypeName; got != "Page«Pet»" {
		t.Errorf("the type is named %q", got)
	}
	text, _, err := Export(describe(r), SwaggerJSON)
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, r, text, SwaggerJSON, target, false)
	if text, _, err = Export(describe(r), OpenAPIYAML); err != nil {
		t.Fatal(err)
	}
	checkExport(t, text, OpenAPIYAML)
	if !strings.Contains(string(text), "'#/components/schemas/Page_Pet'") || !strings.Contains(string(text), "'#/components/schemas/a_b_c'") {
		t.Errorf("got\n%s", text)
	}
}

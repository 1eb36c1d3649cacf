package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/resource"
)

// Description is an API as clients see it, to be written as a document.
type Description struct {
	API        *resource.API
	Operations []*resource.Operation
	// Schemas are those of the API; what operations refer to by schemaId and typeName is looked up here.
	Schemas []*resource.APISchema
	// Servers are the URLs under which the gateway serves the API, suffix and version included. None: the suffix alone, relative
	// to where the document is.
	Servers []string
}

// Export writes an API as OpenAPI 3.0 in YAML or JSON, or as OpenAPI 2 in JSON. The names of operations become operationIds, display
// names become summaries, and the subscription key is the security scheme, as API Management exports them. Warnings name what the
// format has no place for.
func Export(d Description, format Format) ([]byte, []Warning, error) {
	x := &exporter{d: d, swagger: format == SwaggerJSON, names: map[typeKey]string{}, definitions: newObject(), sources: map[string]*node{}}
	switch {
	case format != OpenAPIYAML && format != OpenAPIJSON && format != SwaggerJSON:
		return nil, nil, fmt.Errorf("the format %q cannot be exported; the formats are %s, %s and %s", format, OpenAPIYAML, OpenAPIJSON, SwaggerJSON)
	case d.API == nil:
		return nil, nil, fmt.Errorf("there is no API to export")
	case d.API.Kind() != resource.APITypeHTTP:
		return nil, nil, fmt.Errorf("an API of the type %s cannot be exported; OpenAPI describes HTTP APIs", d.API.Kind())
	}
	if err := x.readSchemas(); err != nil {
		return nil, nil, err
	}
	document := x.document()
	var text []byte
	var err error
	if format == OpenAPIYAML {
		text, err = document.yaml()
	} else if text, err = document.json("  "); err == nil {
		text = append(text, '\n')
	}
	if err != nil {
		return nil, nil, fmt.Errorf("write the API %s as %s: %w", d.API.ID.Name(), format, err)
	}
	return text, x.warnings, nil
}

// exporter writes one document.
type exporter struct {
	report
	d       Description
	swagger bool

	// names are the names of definitions in the document; two schemas may have the same ones.
	names       map[typeKey]string
	definitions *node
	sources     map[string]*node // by name in the document, as they are written there
}

type typeKey struct{ schemaID, typeName string }

func (x *exporter) document() *node {
	doc := newObject()
	if x.swagger {
		doc.setText("swagger", "2.0")
	} else {
		doc.setText("openapi", "3.0.1")
	}
	info := newObject()
	title := x.d.API.DisplayName
	if title == "" {
		title = x.d.API.BaseName()
	}
	info.setText("title", title)
	if x.d.API.Description != "" {
		info.setText("description", x.d.API.Description)
	}
	infoVersion := x.d.API.APIVersion
	if infoVersion == "" {
		infoVersion = "1.0"
	}
	info.setText("version", infoVersion)
	doc.set("info", info)

	x.servers(doc)
	paths, more := newObject(), newObject()
	for _, o := range x.d.Operations {
		x.operation(o, paths, more)
	}
	doc.set("paths", paths)
	if len(more.names) > 0 {
		doc.set("x-ms-paths", more)
	}
	x.components(doc)
	return doc
}

// servers writes where the API is.
func (x *exporter) servers(doc *node) {
	servers := x.d.Servers
	if len(servers) == 0 {
		servers = []string{"/" + x.d.API.Suffix()}
	}
	if !x.swagger {
		list := newArray()
		for _, s := range servers {
			server := newObject()
			server.setText("url", s)
			list.items = append(list.items, server)
		}
		doc.set("servers", list)
		return
	}
	// OpenAPI 2 has one host and base path, with several schemes.
	first, err := url.Parse(servers[0])
	if err != nil {
		x.warnf(nil, "the server %q is no URL and is left out", servers[0])
		return
	}
	schemes := newArray()
	for _, s := range servers {
		u, err := url.Parse(s)
		if err != nil || u.Host != first.Host || u.Path != first.Path {
			x.warnf(nil, "OpenAPI 2 has one host and base path; the server %s is left out", s)
			continue
		}
		if u.Scheme != "" {
			schemes.items = append(schemes.items, newText(u.Scheme))
		}
	}
	if first.Host != "" {
		doc.setText("host", first.Host)
	}
	if path := strings.TrimSuffix(first.EscapedPath(), "/"); path != "" {
		doc.setText("basePath", path)
	}
	if len(schemes.items) > 0 {
		doc.set("schemes", schemes)
	}
}

// components writes the definitions and how the subscription key is sent.
func (x *exporter) components(doc *node) {
	var schemes, security *node
	if x.d.API.SubscriptionRequired {
		header, query := x.d.API.KeyNames()
		schemes, security = newObject(), newArray()
		for _, key := range [][3]string{{"apiKeyHeader", header, "header"}, {"apiKeyQuery", query, "query"}} {
			scheme, requirement := newObject(), newObject()
			scheme.setText("type", "apiKey")
			scheme.setText("name", key[1])
			scheme.setText("in", key[2])
			schemes.set(key[0], scheme)
			requirement.set(key[0], newArray())
			security.items = append(security.items, requirement)
		}
	}
	at, schemas, securitySchemes := doc, "definitions", "securityDefinitions"
	if !x.swagger {
		at, schemas, securitySchemes = newObject(), "schemas", "securitySchemes"
	}
	if len(x.definitions.names) > 0 {
		at.set(schemas, x.definitions)
	}
	if schemes != nil {
		at.set(securitySchemes, schemes)
	}
	if !x.swagger && len(at.names) > 0 {
		doc.set("components", at)
	}
	if security != nil {
		doc.set("security", security)
	}
}

// operation writes an operation into paths, or into x-ms-paths when its query tells it from another one.
func (x *exporter) operation(o *resource.Operation, paths, more *node) {
	method := strings.ToLower(o.Method)
	if !slices.Contains(methods, method) && (method != "trace" || x.swagger) {
		x.warnf(nil, "the operation %s is left out: the method %s cannot be described", o.ID.Name(), o.Method)
		return
	}
	path, query, _ := resource.CutURLTemplate(o.URLTemplate)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	parts := parseTemplateQuery(query)
	constant := slices.ContainsFunc(parts, func(p queryPart) bool { return !strings.HasPrefix(p.value, "{") })
	at, key := paths, path
	if constant || len(parts) > 0 && paths.get(path).has(method) {
		at, key = more, path+"?"+query
	}
	item := at.get(key)
	if item == nil {
		item = newObject()
		at.set(key, item)
	}
	if item.has(method) {
		x.warnf(nil, "the operation %s is left out: another one has the same method and path", o.ID.Name())
		return
	}
	item.set(method, x.describe(o, path, parts))
}

func (x *exporter) describe(o *resource.Operation, path string, query []queryPart) *node {
	n := newObject()
	if o.DisplayName != "" {
		n.setText("summary", o.DisplayName)
	}
	if o.Description != "" {
		n.setText("description", o.Description)
	}
	n.setText("operationId", o.ID.Name())
	request := o.Request
	if request == nil {
		request = &resource.OperationRequest{}
	}
	if x.swagger {
		x.mediaTypeLists(n, o, request)
	}
	if parameters := x.parameters(o, request, path, query); len(parameters.items) > 0 {
		n.set("parameters", parameters)
	}
	if !x.swagger && len(request.Representations) > 0 {
		body := newObject()
		if request.Description != "" {
			body.setText("description", request.Description)
		}
		body.set("content", x.content(request.Representations))
		n.set("requestBody", body)
	}
	n.set("responses", x.responses(o))
	return n
}

// parameters writes those of the URL template, the query and the headers and, in OpenAPI 2, the body.
func (x *exporter) parameters(o *resource.Operation, request *resource.OperationRequest, path string, query []queryPart) *node {
	list := newArray()
	add := func(p resource.TemplateParameter, name, in string, required bool) {
		n := newObject()
		n.setText("name", name)
		n.setText("in", in)
		if p.Description != "" {
			n.setText("description", p.Description)
		}
		if required {
			n.set("required", newBoolean(true))
		}
		x.schemaOf(n, p, in)
		list.items = append(list.items, n)
	}
	inPath, _ := templateNames(path)
	// A document must name a parameter as the path does, and the path may name a wildcard {*rest}.
	pathName := func(name string) string {
		if strings.HasSuffix(path, "/{*"+name+"}") {
			return "*" + name
		}
		return name
	}
	described := map[string]bool{}
	for _, p := range o.TemplateParameters {
		name := strings.TrimPrefix(p.Name, "*")
		switch i := slices.IndexFunc(query, func(q queryPart) bool { return q.value == "{"+p.Name+"}" }); {
		case name == "" || described[name]:
			continue // The wildcard has no name in a path of OpenAPI.
		case i >= 0:
			add(p, query[i].name, "query", true)
		case slices.Contains(inPath, name):
			add(p, pathName(name), "path", true)
		default:
			continue
		}
		described[name] = true
	}
	for _, name := range inPath {
		if !described[name] && name != "*" {
			add(resource.TemplateParameter{Type: "string"}, pathName(name), "path", true)
		}
	}
	for _, q := range query {
		if name := strings.Trim(q.value, "{}"); name != q.value && !described[name] {
			add(resource.TemplateParameter{Type: "string"}, q.name, "query", true)
		}
	}
	for _, p := range request.QueryParameters {
		add(p, p.Name, "query", p.Required)
	}
	for _, p := range request.Headers {
		add(p, p.Name, "header", p.Required)
	}
	if x.swagger && len(request.Representations) > 0 {
		body := newObject()
		body.setText("name", "body")
		body.setText("in", "body")
		if request.Description != "" {
			body.setText("description", request.Description)
		}
		body.set("schema", x.sharedSchema(request.Representations, o, "body"))
		for _, r := range request.Representations {
			if len(r.Examples) > 0 {
				x.warnf(nil, "OpenAPI 2 has no examples of requests; they are left out")
			}
		}
		list.items = append(list.items, body)
	}
	return list
}

var jsonTypes = []string{"string", "integer", "number", "boolean", "array", "object"}

// schemaOf writes what is known of the values of a parameter or header.
func (x *exporter) schemaOf(n *node, p resource.TemplateParameter, in string) {
	at := n
	if !x.swagger {
		at = newObject()
		n.set("schema", at)
	}
	if name, ok := x.typeName(p.SchemaID, p.TypeName); ok {
		if !x.swagger {
			at.setText("$ref", "#/components/schemas/"+name)
			return
		}
		// Parameters of OpenAPI 2 say it themselves, and they are plain values or lists of them.
		source := x.sources[name]
		if typ, ok := source.get("type").scalar(); ok && typ != "object" {
			for i, field := range source.names {
				if isOneOf(field, definitionFields2) || field == "x-nullable" {
					at.set(field, source.items[i])
				}
			}
			if typ == "array" && in == "query" {
				at.setText("collectionFormat", "multi")
			}
			return
		}
		x.warnf(nil, "OpenAPI 2 has no parameters like the definition %s; they are written as texts", name)
	}
	typ := strings.ToLower(p.Type)
	if !isOneOf(typ, jsonTypes) {
		if typ != "" {
			x.warnf(nil, "the type %s of parameters is none of OpenAPI's; it is written as string", p.Type)
		}
		if typ != "" || x.swagger {
			typ = "string"
		}
	}
	if typ == "object" && x.swagger {
		typ = "string"
	}
	if typ != "" {
		at.setText("type", typ)
	}
	if typ == "array" {
		items := newObject()
		if x.swagger {
			items.setText("type", "string")
			if in == "query" {
				at.setText("collectionFormat", "multi")
			}
		}
		at.set("items", items)
	}
	if len(p.Values) > 0 {
		values := newArray()
		for _, v := range p.Values {
			values.items = append(values.items, typedValue(v, typ))
		}
		at.set("enum", values)
	}
	if p.DefaultValue != "" {
		at.set("default", typedValue(p.DefaultValue, typ))
	}
}

// typedValue is a value in the form that its type has in JSON; one that does not fit stays a text.
func typedValue(value, typ string) *node {
	v := jsontext.Value(value)
	switch typ {
	case "integer", "number":
		if v.Kind() == '0' && v.IsValid() {
			return newNumber(strings.TrimSpace(value))
		}
	case "boolean":
		if value == "true" || value == "false" {
			return newBoolean(value == "true")
		}
	case "array", "object":
		if n, err := readJSON([]byte(value)); err == nil {
			return n
		}
	}
	return newText(value)
}

// content writes representations as the media types of OpenAPI 3.
func (x *exporter) content(representations []resource.Representation) *node {
	content := newObject()
	for _, r := range representations {
		if content.has(r.ContentType) {
			x.warnf(nil, "there are two representations of the type %s; the second one is left out", r.ContentType)
			continue
		}
		media := newObject()
		if name, ok := x.typeName(r.SchemaID, r.TypeName); ok {
			schema := newObject()
			schema.setText("$ref", "#/components/schemas/"+name)
			media.set("schema", schema)
		}
		if len(r.Examples) == 1 {
			media.set("example", exampleNode(r.Examples[0], r.ContentType))
		} else if len(r.Examples) > 1 {
			examples := newObject()
			for i, e := range r.Examples {
				example := newObject()
				example.set("value", exampleNode(e, r.ContentType))
				examples.set("example-"+strconv.Itoa(i+1), example)
			}
			media.set("examples", examples)
		}
		content.set(r.ContentType, media)
	}
	return content
}

// exampleNode is an example as a value when it is JSON, else as a text.
func exampleNode(example, contentType string) *node {
	if isJSON(contentType) {
		if n, err := readJSON([]byte(example)); err == nil {
			return n
		}
	}
	return newText(example)
}

func (x *exporter) responses(o *resource.Operation) *node {
	responses := newObject()
	for _, r := range o.Responses {
		code := strconv.Itoa(r.StatusCode)
		if responses.has(code) {
			continue
		}
		n := newObject()
		n.setText("description", r.Description)
		if len(r.Headers) > 0 {
			headers := newObject()
			for _, h := range r.Headers {
				header := newObject()
				if h.Description != "" {
					header.setText("description", h.Description)
				}
				if h.Required && !x.swagger {
					header.set("required", newBoolean(true))
				}
				x.schemaOf(header, h, "header")
				if !headers.has(h.Name) {
					headers.set(h.Name, header)
				}
			}
			n.set("headers", headers)
		}
		switch {
		case len(r.Representations) == 0:
		case x.swagger:
			schema := x.sharedSchema(r.Representations, o, "response "+code)
			if len(schema.names) == 0 {
				schema.setText("type", "file") // Without a schema the response would have no body.
			}
			n.set("schema", schema)
			if examples := x.swaggerExamples(r.Representations); len(examples.names) > 0 {
				n.set("examples", examples)
			}
		default:
			n.set("content", x.content(r.Representations))
		}
		responses.set(code, n)
	}
	if len(responses.names) == 0 {
		// A document must have a response; an import takes none from this one.
		n := newObject()
		n.setText("description", "")
		responses.set("default", n)
	}
	return responses
}

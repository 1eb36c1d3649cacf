package openapi

import (
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

const exampleNotKept = "is not kept: only bodies have examples"

var (
	parameterFields3 = fields{"$ref": "", "name": "", "in": "", "description": "", "required": "", "schema": "", "content": "", "style": "", "explode": "",
		"deprecated": notKept, "allowEmptyValue": notKept, "allowReserved": notKept, "example": exampleNotKept, "examples": exampleNotKept}
	// parameterFields2 are the fields of a parameter of OpenAPI 2 that are no part of its definition.
	parameterFields2 = fields{"$ref": "", "name": "", "in": "", "description": "", "required": "", "schema": "", "collectionFormat": "", "allowEmptyValue": notKept}
	// definitionFields2 are those that are.
	definitionFields2 = []string{"type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength",
		"pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf"}
)

// parameters reads the parameters of the path item and of the operation; the operation's own go before the path item's of the same
// name and place. What they make of the URL template is written then.
func (r *operationReader) parameters(item *node) {
	type key struct{ name, in string }
	var order []key
	merged := map[key]*node{}
	for _, list := range []*node{item.get("parameters"), r.node.get("parameters")} {
		seen := map[key]bool{}
		for _, n := range r.list(list, "parameters") {
			p := r.follow(n, "a parameter")
			if p == nil || r.stopped {
				continue
			}
			k := key{r.text(p, "name"), r.text(p, "in")}
			if k.name == "" {
				r.errorf(n, "the parameter has no name")
				continue
			}
			if seen[k] {
				r.errorf(n, "there is a second parameter %q in %s", k.name, k.in)
				continue
			}
			seen[k] = true
			if _, there := merged[k]; !there {
				order = append(order, k)
			}
			merged[k] = p
		}
	}
	for _, k := range order {
		if r.stopped {
			return
		}
		r.place(merged[k], k.name, k.in)
	}
	// A parameter of the path that nothing describes is a text.
	for _, name := range r.order {
		if !r.declared[name] && name != "*" {
			r.warnf(r.node, "a parameter of the path is not described; it is taken as a text")
			r.operation.TemplateParameters = append(r.operation.TemplateParameters, resource.TemplateParameter{Name: name, Type: "string", Required: true})
		}
	}
	r.operation.URLTemplate = r.urlPath
	for i, part := range r.query {
		separator := "&"
		if i == 0 {
			separator = "?"
		}
		r.operation.URLTemplate += separator + part.raw
	}
}

// place puts a parameter where it belongs.
func (r *operationReader) place(p *node, name, in string) {
	known := parameterFields3
	if r.version == openAPI2 {
		known = fields{}
		for f, reason := range parameterFields2 {
			known[f] = reason
		}
		for _, f := range definitionFields2 {
			known[f] = ""
		}
	}
	r.check(p, "a parameter", known)
	switch in {
	case "path":
		r.pathParameter(p, name)
	case "query":
		r.queryParameter(p, name)
	case "header":
		r.serialization(p, "simple")
		r.request.Headers = append(r.request.Headers, r.parameter(p, name, r.name+pascal(name)+"Header"))
	case "cookie":
		r.warnf(p, "parameters in cookies are ignored; a policy can read the header Cookie")
	case "body":
		if r.version == openAPI2 {
			r.body = p
			return
		}
		r.errorf(p, "a parameter is in path, query, header or cookie, not in %q; a body is written as requestBody", in)
	case "formData":
		if r.version == openAPI2 {
			r.warnf(p, "parameters in form data are ignored; a policy can read the body")
			return
		}
		r.errorf(p, "a parameter is in path, query, header or cookie, not in %q; a form is written as requestBody", in)
	default:
		r.errorf(p, "a parameter is in path, query, header or cookie, not in %q", in)
	}
}

func (r *operationReader) pathParameter(p *node, name string) {
	name = strings.TrimPrefix(name, "*")
	if name == "" {
		name = "*"
	}
	if _, there := r.declared[name]; !there {
		r.errorf(p, "the path %s has no parameter {%s}; names are compared with regard to case", r.path, name)
		return
	}
	r.serialization(p, "simple")
	r.declared[name] = true
	out := r.parameter(p, name, r.name+pascal(name)+"Parameter")
	out.Required = true
	r.operation.TemplateParameters = append(r.operation.TemplateParameters, out)
}

func (r *operationReader) queryParameter(p *node, name string) {
	r.serialization(p, "form")
	out := r.parameter(p, name, r.name+pascal(name)+"Parameter")
	// In x-ms-paths the path may name the parameter, or fix its value.
	for _, part := range r.query {
		if part.name != name {
			continue
		}
		if inTemplate := strings.Trim(part.value, "{}"); inTemplate != part.value {
			out.Name, out.Required = inTemplate, true
			r.declared[inTemplate] = true
			r.operation.TemplateParameters = append(r.operation.TemplateParameters, out)
		}
		return
	}
	if !out.Required || r.target.RequiredQuery == RequiredQueryQuery {
		r.request.QueryParameters = append(r.request.QueryParameters, out)
		return
	}
	if !parameterName(name) {
		r.warnf(p, "the required query parameter %q cannot be part of a URL template because of its name; it stays a query parameter", name)
		r.request.QueryParameters = append(r.request.QueryParameters, out)
		return
	}
	if r.lower[strings.ToLower(name)] {
		r.errorf(p, "the required query parameter %q has the name of another parameter of the URL template %s; rename one of them, or import required query parameters as query parameters", name, r.path)
		return
	}
	part := queryPart{name: name, value: "{" + name + "}", raw: escapeQueryName(name) + "={" + name + "}"}
	if r.length += len(part.raw) + 1; r.length > resource.MaxURLTemplate {
		r.errorf(p, "with its required query parameters the URL template has more than %d characters; import required query parameters as query parameters", resource.MaxURLTemplate)
		return
	}
	r.declared[name], r.lower[strings.ToLower(name)] = true, true
	r.query = append(r.query, part)
	r.operation.TemplateParameters = append(r.operation.TemplateParameters, out)
}

// serialization warns of the ways to write lists and objects that are not the default ones.
func (r *operationReader) serialization(p *node, style string) {
	if s, ok := p.get("style").scalar(); ok && s != style {
		r.warnf(p.get("style"), "the style %s of a parameter is ignored; only %s is understood", s, style)
	}
	if explode := p.get("explode"); !explode.isNull() && explode.isTrue() != (style == "form") {
		r.warnf(explode, "explode %s of a parameter with the style %s is ignored", explode.value, style)
	}
	if s, ok := p.get("collectionFormat").scalar(); ok && s != "multi" {
		r.warnf(p.get("collectionFormat"), "the collectionFormat %s of a parameter is ignored; only multi is understood", s)
	}
}

// parameter describes a parameter or a header. suggested names its definition when it needs one.
func (im *importer) parameter(p *node, name, suggested string) resource.TemplateParameter {
	im.spend(p, 2*len(name))
	out := resource.TemplateParameter{Name: name, Description: im.text(p, "description"), Required: p.get("required").isTrue()}
	schema := p.get("schema")
	if im.version == openAPI2 && schema == nil {
		schema = &node{kind: object, parent: p.parent, key: p.key, line: p.line, column: p.column}
		for i, field := range p.names {
			if isOneOf(field, definitionFields2) || field == "x-nullable" {
				schema.set(field, p.items[i])
			}
		}
	}
	if schema.isNull() {
		out.Type = "string"
		if content := p.get("content"); !content.isNull() {
			im.warnf(content, "content of a parameter is ignored; the parameter is taken as a text")
		}
		return out
	}
	definition := im.definitions.follow(im, schema)
	if definition == nil {
		return out
	}
	im.spend(p, len(definition.names)+len(definition.get("type").elements())+len(definition.get("anyOf").elements())+len(definition.get("oneOf").elements())+len(definition.get("allOf").elements()))
	out.Type = schemaType(definition)
	if value := definition.get("default"); !value.isNull() {
		out.DefaultValue = im.valueText(value)
	}
	for _, value := range im.list(definition.get("enum"), "enum") {
		if !value.isNull() {
			out.Values = append(out.Values, im.valueText(value))
		}
	}
	if schema.has("$ref") || !simple(definition) {
		out.SchemaID, out.TypeName = im.definitions.use(im, schema, suggested)
		return out
	}
	for _, field := range []string{"example", "examples"} {
		if e := definition.get(field); e != nil {
			im.warnf(e, "%s of a parameter %s", field, exampleNotKept)
		}
	}
	return out
}

// valueText is a value as it stands in a URL or header: plain values as they are, others as JSON.
func (im *importer) valueText(n *node) string {
	s, ok := n.scalar()
	if !ok {
		b, err := n.json("")
		if err != nil {
			im.errorf(n, "the value cannot be written as JSON: %s", err)
		}
		s = string(b)
	}
	im.spend(n, len(s))
	return s
}

// schemaType is the type that a definition states, the first one that is not null, or "". A choice between a type and null, as tools
// write optional parameters in OpenAPI 3.1, is that type.
func schemaType(definition *node) string {
	t := definition.get("type")
	if s, ok := t.scalar(); ok {
		return s
	}
	if t != nil && t.kind == array {
		for _, item := range t.items {
			if s, ok := item.scalar(); ok && s != "null" {
				return s
			}
		}
	}
	found := ""
	for _, name := range []string{"anyOf", "oneOf", "allOf"} {
		for _, choice := range definition.get(name).elements() {
			s, ok := choice.get("type").scalar()
			switch {
			case ok && s == "null" || ok && s == found:
			case ok && found == "":
				found = s
			default:
				return ""
			}
		}
	}
	return found
}

// simple says whether a parameter's own fields hold all that a definition says.
func simple(definition *node) bool {
	if t := definition.get("type"); t != nil && t.kind != text {
		return false
	}
	for _, name := range definition.names {
		switch name {
		case "type", "enum", "default", "description", "title", "example", "examples", "deprecated":
		default:
			if !strings.HasPrefix(name, "x-") {
				return false
			}
		}
	}
	return true
}

func isOneOf(s string, list []string) bool {
	for _, other := range list {
		if s == other {
			return true
		}
	}
	return false
}

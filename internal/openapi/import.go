package openapi

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hubgate/hubgate/internal/resource"
)

// Format is how a document is written, under the names that the management plane has for it.
type Format string

// The formats.
const (
	// OpenAPIYAML is YAML. JSON, which is nearly all YAML as well, is read too, and so is OpenAPI 2.
	OpenAPIYAML Format = "openapi"
	// OpenAPIJSON is JSON with OpenAPI 3 in it.
	OpenAPIJSON Format = "openapi+json"
	// SwaggerJSON is JSON with OpenAPI 2 in it.
	SwaggerJSON Format = "swagger-json"
)

// ParseFormat takes the name of a format in an import. The names of formats that API Management has and this package has not are
// refused with a reason.
func ParseFormat(name string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case OpenAPIYAML, OpenAPIJSON, SwaggerJSON:
		return f, nil
	case "openapi-link", "openapi+json-link", "swagger-link-json", "swagger-link":
		return "", fmt.Errorf("the format %s names a document by its URL, and nothing is fetched here; send the document itself with the format %s, %s or %s",
			f, OpenAPIYAML, OpenAPIJSON, SwaggerJSON)
	}
	return "", fmt.Errorf("the format %q cannot be imported; the formats are %s, %s and %s", name, OpenAPIYAML, OpenAPIJSON, SwaggerJSON)
}

// RequiredQuery says what becomes of required query parameters: the property translateRequiredQueryParameters of an import.
type RequiredQuery string

// The two ways with required query parameters.
const (
	RequiredQueryTemplate RequiredQuery = "template" // they become part of the URL template; the default
	RequiredQueryQuery    RequiredQuery = "query"    // they stay query parameters, which matching does not look at
)

// Target is the API that a document is imported into.
type Target struct {
	// API is what is known of the API beforehand: its id, its suffix, and fields that go before what the document says
	// (displayName, description, serviceUrl). It is not changed.
	API *resource.API
	// RequiredQuery says what becomes of required query parameters; "" means template.
	RequiredQuery RequiredQuery
	// DocumentURL is where the document came from, for server URLs that are relative to it; "" when that is not known.
	DocumentURL string
}

// Result is what a document says, as resources that are valid by themselves.
type Result struct {
	// API is the target's with the gaps filled from the document.
	API *resource.API
	// Operations are in the order of the document.
	Operations []*resource.Operation
	// Schemas holds the document's definitions: one schema, or none when there are no definitions.
	Schemas []*resource.APISchema
	// Warnings name what API Management has no place for and what was changed on the way.
	Warnings []Warning
}

// The names of the schema that holds an imported document's definitions.
const (
	ComponentsSchema  = "openapi-components"  // of OpenAPI 3
	DefinitionsSchema = "swagger-definitions" // of OpenAPI 2
)

// version is a family of versions of OpenAPI.
type version uint8

const (
	openAPI2 version = 2 + iota
	openAPI30
	openAPI31
)

// importer reads one document.
type importer struct {
	report
	root    *node
	version version
	target  Target
	api     resource.API

	operations []*resource.Operation
	// names are the operation names in use.
	names map[string]bool
	// templates are the first operations with a method and template, in the form in which two that match alike are equal.
	templates map[string]*node

	definitions definitions
	// spent counts what was written, for references let a small document say a lot.
	spent int
}

// maxSpent bounds what a document may expand to: about 32 MiB of texts.
const maxSpent = 32 << 20

// spend counts bytes of output, and stops the import when there are too many.
func (im *importer) spend(n *node, bytes int) {
	im.spent += bytes + 16
	if im.spent > maxSpent && !im.stopped {
		im.stopped = true
		im.errorf(n, "the document becomes larger than %d bytes when its references are followed; use fewer or smaller shared parts", maxSpent)
	}
}

// Import reads a document in the given format, or in whichever it is when format is "". A document with anything wrong gives an
// *[Error] and no result; what API Management ignores gives warnings. It never opens files or connections.
func Import(document []byte, format Format, target Target) (*Result, error) {
	if target.API == nil {
		return nil, fmt.Errorf("the target of an import has no API")
	}
	switch target.RequiredQuery {
	case "", RequiredQueryTemplate, RequiredQueryQuery:
	default:
		return nil, fmt.Errorf("required query parameters become %s or %s, not %q", RequiredQueryTemplate, RequiredQueryQuery, target.RequiredQuery)
	}
	switch format {
	case "", OpenAPIYAML, OpenAPIJSON, SwaggerJSON:
	default:
		_, err := ParseFormat(string(format))
		return nil, err
	}
	if target.API.Kind() != resource.APITypeHTTP {
		return nil, fmt.Errorf("an OpenAPI document cannot be imported into an API of the type %s; only HTTP APIs have operations of their own", target.API.Kind())
	}
	root, err := read(document, format)
	if err != nil {
		return nil, err
	}
	im := &importer{root: root, target: target, api: *target.API, names: map[string]bool{}, templates: map[string]*node{}}
	im.api.Protocols = slices.Clone(target.API.Protocols)
	im.document(format)
	if err := im.err(); err != nil {
		return nil, err
	}
	result := &Result{API: &im.api, Operations: im.operations, Warnings: im.warnings}
	if schema := im.definitions.schema; schema != nil {
		result.Schemas = []*resource.APISchema{schema}
	}
	return result, nil
}

// fields are the members of an object that are read (""), or ignored for a reason that a warning tells.
type fields map[string]string

const notKept = "is not kept: API Management has no place for it"

// check warns of the members of an object that are ignored.
func (im *importer) check(n *node, what string, known fields) {
	im.spend(n, len(n.names))
	for i, name := range n.names {
		reason, ok := known[name]
		value := n.items[i]
		switch {
		case ok && reason == "":
		case ok && reason == notKept && (value.kind == boolean && value.value == "false" || value.kind >= array && len(value.items) == 0):
			// Nothing is lost.
		case ok:
			im.warnf(value, "%s of %s %s", name, what, reason)
		case strings.HasPrefix(name, "x-"):
			im.warnf(value, "the extension %s is ignored", name)
		default:
			im.warnf(value, "%s has no field %s; it is ignored", what, name)
		}
	}
}

// object is the node when it is an object. Nothing at all, and null, is nil without an error.
func (im *importer) object(n *node, what string) *node {
	if n.isNull() {
		return nil
	}
	if n.kind != object {
		im.errorf(n, "%s must be an object", what)
		return nil
	}
	return n
}

// list is the node's items when it is an array. Nothing at all, and null, is nil without an error.
func (im *importer) list(n *node, what string) []*node {
	if n.isNull() {
		return nil
	}
	if n.kind != array {
		im.errorf(n, "%s must be an array", what)
		return nil
	}
	return n.items
}

// text is a member that should be a text. Nothing at all, and null, is "".
func (im *importer) text(n *node, name string) string {
	member := n.get(name)
	if member.isNull() {
		return ""
	}
	s, ok := member.scalar()
	if !ok {
		im.errorf(member, "%s must be a text", name)
		return ""
	}
	im.spend(member, len(s))
	return s
}

// maxReferences is how many references may lead to one another before something is found.
const maxReferences = 16

// follow is what a node stands for: the node itself, or what its $ref names within the document. It is nil after an error.
func (im *importer) follow(n *node, what string) *node {
	start := n
	for range maxReferences {
		if n = im.object(n, what); n == nil {
			return nil
		}
		ref := n.get("$ref")
		if ref == nil {
			return n
		}
		im.spend(n, 0)
		if n = im.referenced(ref); n == nil || im.stopped {
			return nil
		}
	}
	im.errorf(start, "the references that begin here lead in a circle, or through more than %d others", maxReferences)
	return nil
}

// referenced is the node that a $ref names, or nil after an error.
func (im *importer) referenced(ref *node) *node {
	if ref.kind != text || ref.value == "" {
		im.errorf(ref, "$ref must be a text like #/components/schemas/Pet")
		return nil
	}
	fragment, local := strings.CutPrefix(ref.value, "#")
	switch {
	case !local:
		im.errorf(ref, "$ref points to another document, %q; put what it names into this document and refer to it by #/…", ref.value)
		return nil
	case !strings.HasPrefix(fragment, "/"):
		im.errorf(ref, "$ref %q is no JSON pointer; write it like %s", ref.value, im.definitionExample())
		return nil
	}
	found := im.root.lookup(fragment)
	if found == nil {
		im.errorf(ref, "$ref %q names nothing in this document", ref.value)
	}
	return found
}

func (im *importer) definitionExample() string {
	if im.version == openAPI2 {
		return "#/definitions/Pet"
	}
	return "#/components/schemas/Pet"
}

// document reads the whole document.
func (im *importer) document(format Format) {
	if im.root.kind != object {
		im.errorf(im.root, "an OpenAPI document is an object with the field openapi or swagger")
		return
	}
	if !im.readVersion(format) {
		return
	}
	if im.version == openAPI2 {
		im.check(im.root, "an OpenAPI 2 document", fields{"swagger": "", "info": "", "host": "", "basePath": "", "schemes": "", "consumes": "", "produces": "",
			"paths": "", "definitions": "", "parameters": "", "responses": "", "x-ms-paths": "", "x-servers": "",
			"securityDefinitions": "is ignored; use policies and subscriptions", "security": "is ignored; use policies and subscriptions",
			"tags": notKept, "externalDocs": notKept})
	} else {
		im.check(im.root, "an OpenAPI document", fields{"openapi": "", "info": "", "servers": "", "paths": "", "components": "", "x-ms-paths": "",
			"security": "is ignored; use policies and subscriptions", "tags": notKept, "externalDocs": notKept,
			"webhooks": "is ignored: a gateway takes calls and makes none", "jsonSchemaDialect": "is ignored; definitions are read as OpenAPI's own dialect"})
		if components := im.object(im.root.get("components"), "components"); components != nil {
			im.check(components, "components", fields{"schemas": "", "responses": "", "parameters": "", "examples": "", "requestBodies": "", "headers": "", "pathItems": "",
				"securitySchemes": "is ignored; use policies and subscriptions", "links": notKept, "callbacks": notKept})
		}
	}
	im.info()
	im.serviceURL()
	im.definitions.collect(im)
	im.paths()
	im.definitions.finish(im)
	if len(im.problems) > 0 {
		return
	}
	if err := im.api.Validate(); err != nil {
		im.invalid(im.root.get("info"), err)
	}
}

// invalid notes that a resource which the document led to is not valid.
func (im *importer) invalid(n *node, err error) {
	im.errorf(n, "what this leads to is not valid: %s", err)
}

func (im *importer) readVersion(format Format) bool {
	swagger, isSwagger := im.root.get("swagger").scalar()
	openapi, isOpenAPI := im.root.get("openapi").scalar()
	switch {
	case isSwagger && isOpenAPI:
		im.errorf(im.root, "the document has both swagger and openapi; it can be of one version only")
		return false
	case isSwagger && swagger == "2.0":
		im.version = openAPI2
	case isSwagger:
		im.errorf(im.root.get("swagger"), "the version %q is not supported; swagger must be 2.0", swagger)
		return false
	case isOpenAPI && (strings.HasPrefix(openapi, "3.0.") || openapi == "3.0"):
		im.version = openAPI30
	case isOpenAPI && (strings.HasPrefix(openapi, "3.1.") || openapi == "3.1"):
		im.version = openAPI31
	case isOpenAPI:
		im.errorf(im.root.get("openapi"), "the version %q is not supported; the versions are 2.0, 3.0 and 3.1", openapi)
		return false
	default:
		im.errorf(im.root, "the document says no version; it needs openapi: 3.0.3 or swagger: 2.0, or the like")
		return false
	}
	switch {
	case format == SwaggerJSON && im.version != openAPI2:
		im.errorf(im.root.get("openapi"), "the format %s is OpenAPI 2, and this is OpenAPI %s; import it with the format %s", SwaggerJSON, openapi, OpenAPIJSON)
		return false
	case format == OpenAPIJSON && im.version == openAPI2:
		im.errorf(im.root.get("swagger"), "the format %s is OpenAPI 3, and this is OpenAPI 2; import it with the format %s", OpenAPIJSON, SwaggerJSON)
		return false
	}
	return true
}

// maxDisplayName is the most bytes of a display name (API Management: 300 characters).
const maxDisplayName = 300

// info reads the title and the description, for fields that the target leaves open.
func (im *importer) info() {
	info := im.object(im.root.get("info"), "info")
	if info == nil {
		info = newObject()
	}
	im.check(info, "info", fields{"title": "", "description": "", "version": "is not kept: the versions of an API are in its version set",
		"summary": notKept, "termsOfService": notKept, "contact": notKept, "license": notKept})
	title, description := im.text(info, "title"), im.text(info, "description")
	if im.api.DisplayName == "" {
		im.api.DisplayName = im.truncate(info.get("title"), strings.TrimSpace(title))
	}
	if im.api.DisplayName == "" {
		im.errorf(im.root, "info.title is missing; it becomes the API's display name")
	}
	if im.api.Description == "" {
		im.api.Description = description
	}
}

// truncate cuts a display name that is too long.
func (im *importer) truncate(n *node, name string) string {
	if len(name) <= maxDisplayName {
		return name
	}
	im.warnf(n, "the display name is cut to %d bytes", maxDisplayName)
	cut := maxDisplayName
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return strings.TrimSpace(name[:cut])
}

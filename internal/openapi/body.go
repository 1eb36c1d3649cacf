package openapi

import (
	"mime"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/resource"
)

var (
	requestBodyFields = fields{"$ref": "", "description": "", "content": "", "required": notKept}
	mediaTypeFields   = fields{"schema": "", "example": "", "examples": "", "encoding": notKept}
	exampleFields     = fields{"$ref": "", "value": "", "summary": notKept, "description": notKept, "externalValue": "is ignored: nothing is fetched"}
)

// requestBody reads the body that the operation takes. GET, HEAD and OPTIONS have none, whatever the document says (API Management
// discards it).
func (r *operationReader) requestBody() {
	body := r.node.get("requestBody")
	if r.version == openAPI2 {
		body = r.body
	}
	if body.isNull() {
		return
	}
	switch r.operation.Method {
	case "GET", "HEAD", "OPTIONS":
		r.warnf(body, "the body of an operation with the method %s is ignored", r.operation.Method)
		return
	}
	if body = r.follow(body, "a body"); body == nil {
		return
	}
	suggest := func(string) string { return r.name + "Request" }
	if r.version == openAPI2 {
		if body.get("required").isTrue() {
			r.warnf(body, "required of a body %s", notKept)
		}
		r.request.Representations = r.mediaTypes("consumes", body.get("schema"), nil, suggest)
	} else {
		r.check(body, "a requestBody", requestBodyFields)
		r.request.Representations = r.content(body, suggest)
	}
	// A description without a body would describe nothing.
	if len(r.request.Representations) > 0 {
		r.request.Description = r.text(body, "description")
	}
}

// content reads the media types of a body of OpenAPI 3.
func (r *operationReader) content(body *node, suggest func(contentType string) string) []resource.Representation {
	content := r.object(body.get("content"), "content")
	if content == nil {
		return nil
	}
	var list []resource.Representation
	for i, contentType := range content.names {
		if r.stopped {
			return nil
		}
		if strings.HasPrefix(contentType, "x-") {
			r.warnf(content.items[i], "the extension %s is ignored", contentType)
			continue
		}
		out := resource.Representation{ContentType: contentType}
		r.spend(content, len(contentType))
		media := content.items[i]
		if media.kind == null {
			list = append(list, out)
			continue
		}
		if media = r.object(media, "a media type"); media == nil {
			continue
		}
		r.check(media, "a media type", mediaTypeFields)
		if schema := media.get("schema"); !schema.isNull() {
			out.SchemaID, out.TypeName = r.definitions.use(r.importer, schema, suggest(contentType))
		}
		if example := media.get("example"); example != nil {
			out.Examples = append(out.Examples, r.exampleText(example, contentType))
		}
		out.Examples = append(out.Examples, r.examples(media, contentType)...)
		list = append(list, out)
	}
	return list
}

// examples reads the named examples of a media type of OpenAPI 3, in the order of the document.
func (r *operationReader) examples(media *node, contentType string) []string {
	examples := r.object(media.get("examples"), "examples")
	if examples == nil {
		return nil
	}
	var list []string
	for _, n := range examples.items {
		example := r.follow(n, "an example")
		if example == nil || r.stopped {
			continue
		}
		r.check(example, "an example", exampleFields)
		if value := example.get("value"); value != nil {
			list = append(list, r.exampleText(value, contentType))
		}
	}
	return list
}

// exampleText is an example as the bytes of a body. A text that holds a JSON object or array is meant as that.
func (r *operationReader) exampleText(n *node, contentType string) string {
	if n.kind == text && (!isJSON(contentType) || isJSONContainer(n.value)) {
		r.spend(n, len(n.value))
		return n.value
	}
	if !isJSON(contentType) && (n.kind == object || n.kind == array) {
		r.warnf(n, "an example of %s is no text; it is kept as JSON", contentType)
	}
	b, err := n.json("  ")
	if err != nil {
		r.errorf(n, "the example cannot be written as JSON: %s", err)
	}
	r.spend(n, len(b))
	return string(b)
}

// isJSON says whether bodies of a content type are JSON.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = strings.ToLower(strings.TrimSpace(contentType))
	}
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func isJSONContainer(s string) bool {
	v := jsontext.Value(strings.TrimSpace(s))
	return len(v) > 0 && (v[0] == '{' || v[0] == '[') && v.IsValid()
}

// swaggerResponse reads the body of a response of OpenAPI 2: its schema in each of the types that the operation produces, and its examples.
func (r *operationReader) swaggerResponse(response *node, suggest func(contentType string) string) []resource.Representation {
	schema, examples := response.get("schema"), r.object(response.get("examples"), "examples")
	if schema.isNull() && examples == nil {
		return nil
	}
	return r.mediaTypes("produces", schema, examples, suggest)
}

// mediaTypes are the representations of a body of OpenAPI 2 in the types that consumes or produces list, and those that have examples.
func (r *operationReader) mediaTypes(field string, schema, examples *node, suggest func(contentType string) string) []resource.Representation {
	listed := r.node.get(field)
	if listed.isNull() {
		listed = r.root.get(field)
	}
	var types []string
	seen := map[string]bool{}
	if !schema.isNull() {
		r.spend(listed, len(listed.elements()))
		for _, n := range r.list(listed, field) {
			if s, ok := n.scalar(); ok && s != "" && !seen[s] {
				seen[s] = true
				types = append(types, s)
			}
		}
		if len(types) == 0 && examples == nil {
			types = []string{"application/json"}
		}
	}
	if examples != nil {
		for _, name := range examples.names {
			if !seen[name] {
				types = append(types, name)
			}
		}
	}
	// A file is bytes without a definition.
	file := r.object(schema, "a schema")
	if s, ok := file.get("type").scalar(); ok && s == "file" {
		schema = nil
	}
	var list []resource.Representation
	for _, contentType := range types {
		if r.stopped {
			return nil
		}
		out := resource.Representation{ContentType: contentType}
		r.spend(r.node, len(contentType))
		if !schema.isNull() {
			out.SchemaID, out.TypeName = r.definitions.use(r.importer, schema, suggest(contentType))
		}
		if example := examples.get(contentType); example != nil {
			out.Examples = []string{r.exampleText(example, contentType)}
		}
		list = append(list, out)
	}
	return list
}

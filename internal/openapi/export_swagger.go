package openapi

import (
	"net/url"

	"github.com/hubgate/hubgate/internal/resource"
)

// mediaTypeLists writes the types that an operation consumes and produces in OpenAPI 2, which has one list for all responses.
func (x *exporter) mediaTypeLists(n *node, o *resource.Operation, request *resource.OperationRequest) {
	list := func(name string, representations []resource.Representation) {
		types, seen := newArray(), map[string]bool{}
		for _, r := range representations {
			if !seen[r.ContentType] {
				seen[r.ContentType] = true
				types.items = append(types.items, newText(r.ContentType))
			}
		}
		if len(types.items) > 0 {
			n.set(name, types)
		}
	}
	list("consumes", request.Representations)
	var produced []resource.Representation
	for _, r := range o.Responses {
		produced = append(produced, r.Representations...)
	}
	list("produces", produced)
}

// sharedSchema is the schema of a body in OpenAPI 2, which has one for all types.
func (x *exporter) sharedSchema(representations []resource.Representation, o *resource.Operation, what string) *node {
	schema := newObject()
	first := ""
	for _, r := range representations {
		name, ok := x.typeName(r.SchemaID, r.TypeName)
		switch {
		case !ok || name == first:
		case first == "":
			first = name
			schema.setText("$ref", "#/definitions/"+url.PathEscape(escapePointer.Replace(name)))
		default:
			x.warnf(nil, "OpenAPI 2 has one schema for a body; of the %s of %s the schema %s is left out", what, o.ID.Name(), name)
		}
	}
	return schema
}

func (x *exporter) swaggerExamples(representations []resource.Representation) *node {
	examples := newObject()
	for _, r := range representations {
		for i, e := range r.Examples {
			if i > 0 || examples.has(r.ContentType) {
				x.warnf(nil, "OpenAPI 2 has one example for a type; further ones are left out")
				break
			}
			examples.set(r.ContentType, exampleNode(e, r.ContentType))
		}
	}
	return examples
}

package openapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// definitions are the schemas of a document. They become one schema of the API, to which operations refer by schemaId and typeName.
// A schema that stands in an operation gets a name there, as API Management gives it: PetsGet200ApplicationJsonResponse. Equal ones
// share the first one's name.
type definitions struct {
	section *node // components.schemas, or definitions
	taken   map[string]bool
	named   *node // what finish writes: the section's schemas, then the ones that got a name

	byNode    map[*node]string
	byContent map[string]string
	// ofSection are the section's own definitions by what they say, for an exported document that is imported again; made when first wanted.
	ofSection map[string][]string
	// next is the number to try for a name that is taken.
	next  map[string]int
	state map[*node]visitState
	// trail are the definitions between a visit's start and its current place.
	trail []string

	schema *resource.APISchema
}

type visitState uint8

const (
	unvisited visitState = iota
	visiting
	visited
)

// The members of a schema that hold schemas themselves.
var (
	schemaMembers = []string{"items", "additionalProperties", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties", "contentSchema"}
	schemaLists = []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"}
	schemaMaps  = []string{"properties", "patternProperties", "definitions", "$defs", "dependentSchemas"}
)

// collect reads the section of definitions.
func (d *definitions) collect(im *importer) {
	d.taken, d.next, d.named = map[string]bool{}, map[string]int{}, newObject()
	d.byNode, d.byContent, d.state = map[*node]string{}, map[string]string{}, map[*node]visitState{}
	if im.version == openAPI2 {
		d.section = im.object(im.root.get("definitions"), "definitions")
	} else {
		d.section = im.object(im.root.get("components").get("schemas"), "components.schemas")
	}
	if d.section == nil {
		return
	}
	for i, name := range d.section.names {
		if im.stopped {
			return
		}
		if name == "" {
			im.errorf(d.section.items[i], "the definition has no name")
			continue
		}
		d.taken[name] = true
		d.trail = []string{name}
		d.visit(im, d.section.items[i])
		if len(im.problems) == 0 {
			d.named.set(name, d.clean(im, d.section.items[i]))
		}
	}
}

// schemaID is the name of the schema resource.
func (d *definitions) schemaID(im *importer) string {
	if im.version == openAPI2 {
		return DefinitionsSchema
	}
	return ComponentsSchema
}

// follow is the schema that another one stands for by its $ref, or itself; nil after an error.
func (d *definitions) follow(im *importer, schema *node) *node {
	if schema.kind == boolean && im.version == openAPI31 {
		return newObject()
	}
	return im.follow(schema, "a schema")
}

// use is the name of a schema that stands in an operation: that of the definition which it refers to, or a new one like suggested.
func (d *definitions) use(im *importer, schema *node, suggested string) (schemaID, typeName string) {
	if im.stopped {
		return "", ""
	}
	// A reference alone is as good as what it names. From OpenAPI 3.1 on, what stands beside it counts.
	for range maxReferences {
		ref := schema.get("$ref")
		if ref == nil || im.version == openAPI31 && slices.ContainsFunc(schema.names, constrains) {
			break
		}
		if schema = im.referenced(ref); schema == nil {
			return "", ""
		}
		if schema.parent == d.section && d.section != nil {
			return d.schemaID(im), schema.key
		}
	}
	if name, ok := d.byNode[schema]; ok {
		return d.schemaID(im), name
	}
	d.trail = []string{suggested}
	d.visit(im, schema)
	if len(im.problems) > 0 {
		return "", ""
	}
	cleaned := d.clean(im, schema)
	if cleaned.kind == object && len(cleaned.names) == 0 {
		return "", "" // It allows everything.
	}
	content, err := cleaned.json("")
	if err != nil {
		im.errorf(schema, "the schema cannot be written as JSON: %s", err)
		return "", ""
	}
	im.spend(schema, len(content))
	name, known := d.byContent[string(content)]
	if !known {
		if name = d.exported(im, string(content), suggested); name == "" {
			name = d.newName(suggested)
			d.named.set(name, cleaned)
		}
		d.byContent[string(content)] = name
	}
	d.byNode[schema] = name
	return d.schemaID(im), name
}

// exported is the name of a definition of the section that says the same and has the suggested name, with or without a number: an
// earlier import made it, and the document is an export of that. It is "" when there is none.
func (d *definitions) exported(im *importer, content, suggested string) string {
	if d.ofSection == nil {
		d.ofSection = map[string][]string{}
		if d.section != nil {
			for _, name := range d.section.names {
				if text, err := d.named.get(name).json(""); err == nil {
					d.ofSection[string(text)] = append(d.ofSection[string(text)], name)
				}
			}
		}
	}
	for _, name := range d.ofSection[content] {
		rest, ok := strings.CutPrefix(name, suggested)
		if ok && (rest == "" || rest[0] == '-' && strings.Trim(rest[1:], "0123456789") == "") {
			return name
		}
	}
	return ""
}

// newName is a name that no definition has.
func (d *definitions) newName(suggested string) string {
	name := suggested
	for d.taken[name] {
		d.next[suggested]++
		name = suggested + "-" + strconv.Itoa(d.next[suggested])
	}
	d.taken[name] = true
	return name
}

// constrains says whether a member beside a $ref changes what is valid.
func constrains(name string) bool {
	return name != "$ref" && name != "description" && name != "summary" && name != "title" && name != "deprecated" && name != "example" && name != "examples" && !strings.HasPrefix(name, "x-")
}

// maxTrail is the most definitions that refer to one another in a row.
const maxTrail = 200

// visit checks a schema and all that it refers to. A reference to a schema that is being visited is a recursion, which API Management
// does not take.
func (d *definitions) visit(im *importer, n *node) {
	if im.stopped {
		return
	}
	switch d.state[n] {
	case visited:
		return
	case visiting:
		return // The reference that led here has said so.
	}
	if n.kind == boolean && im.version == openAPI31 {
		return
	}
	if n.kind != object {
		im.errorf(n, "a schema must be an object")
		return
	}
	d.state[n] = visiting
	defer func() { d.state[n] = visited }()
	for _, name := range []string{"$dynamicRef", "$recursiveRef"} {
		if found := n.get(name); found != nil {
			im.errorf(found, "%s is not supported; refer to a definition by $ref", name)
		}
	}
	if t := n.get("type"); t != nil && t.kind != text && t.kind != array {
		im.errorf(t, "type must be a text like string or object")
	}
	if ref := n.get("$ref"); ref != nil {
		d.reference(im, ref)
		if im.version != openAPI31 {
			return // The fields beside a $ref do not count.
		}
	}
	for i, name := range n.names {
		child := n.items[i]
		switch {
		case child.kind == array && isOneOf(name, schemaLists):
			for _, item := range child.items {
				d.visit(im, item)
			}
		case isOneOf(name, schemaMaps):
			if members := im.object(child, name); members != nil {
				for _, item := range members.items {
					d.visit(im, item)
				}
			}
		case isOneOf(name, schemaLists) && name != "items":
			im.list(child, name)
		case isOneOf(name, schemaMembers) && child.kind != boolean:
			d.visit(im, child)
		}
	}
}

// reference checks a $ref in a schema and visits what it names.
func (d *definitions) reference(im *importer, ref *node) {
	target := im.referenced(ref)
	if target == nil {
		return
	}
	var definition string
	for n := target; n.parent != nil; n = n.parent {
		if n.parent == d.section {
			definition = n.key
		}
	}
	if d.section == nil || definition == "" {
		im.errorf(ref, "$ref %q names no definition; schemas refer to definitions like %s", ref.value, im.definitionExample())
		return
	}
	if len(d.trail) >= maxTrail {
		im.errorf(ref, "more than %d definitions refer to one another in a row", maxTrail)
		return
	}
	if d.state[target] == visiting {
		trail := append(slices.Clone(d.trail), definition)
		if i := slices.Index(trail[:len(trail)-1], definition); i > 0 {
			trail = trail[i:]
		}
		im.errorf(ref, "the definition refers to itself (%s), which API Management does not support; leave out the $ref, or allow any object there", strings.Join(trail, " -> "))
		return
	}
	d.trail = append(d.trail, definition)
	d.visit(im, target)
	d.trail = d.trail[:len(d.trail)-1]
}

// clean copies a schema without what is not kept. Its depth is bounded by that of the document.
func (d *definitions) clean(im *importer, n *node) *node {
	if n.kind != object {
		return n
	}
	out := newObject()
	if ref := n.get("$ref"); ref != nil {
		out.setText("$ref", canonicalReference(ref.value))
		if im.version != openAPI31 {
			for i, name := range n.names {
				if constrains(name) {
					im.warnf(n.items[i], "%s beside a $ref does not count in OpenAPI before 3.1", name)
				}
			}
			return out
		}
	}
	for i, name := range n.names {
		child := n.items[i]
		switch {
		case name == "$ref":
		case name == "x-nullable" && im.version == openAPI2:
			out.set("nullable", child)
		case name == "$id" || name == "$schema" || name == "$anchor" || name == "$dynamicAnchor" || name == "$comment":
			im.warnf(child, "%s of a schema is ignored", name)
		case strings.HasPrefix(name, "x-"):
			im.warnf(child, "the extension %s is ignored", name)
		case child.kind == array && isOneOf(name, schemaLists):
			list := newArray()
			for _, item := range child.items {
				list.items = append(list.items, d.clean(im, item))
			}
			out.set(name, list)
		case child.kind == object && isOneOf(name, schemaMaps):
			members := newObject()
			for j, member := range child.names {
				members.set(member, d.clean(im, child.items[j]))
			}
			out.set(name, members)
		case isOneOf(name, schemaMembers):
			out.set(name, d.clean(im, child))
		default:
			out.set(name, child)
		}
	}
	return out
}

// canonicalReference escapes a reference as a URL's fragment, for validators are stricter than the tools that write documents.
func canonicalReference(ref string) string {
	var b strings.Builder
	b.WriteString("#")
	for _, part := range pointerParts(strings.TrimPrefix(ref, "#")) {
		b.WriteString("/")
		b.WriteString(url.PathEscape(escapePointer.Replace(part)))
	}
	return b.String()
}

// finish makes the schema resource.
func (d *definitions) finish(im *importer) {
	if len(d.named.names) == 0 || len(im.problems) > 0 {
		return
	}
	document, contentType := newObject(), resource.SchemaOpenAPIComponents
	if im.version == openAPI2 {
		contentType = resource.SchemaSwaggerDefinitions
		document.set("definitions", d.named)
	} else {
		components := newObject()
		components.set("schemas", d.named)
		document.set("components", components)
	}
	text, err := document.json("")
	if err != nil {
		im.errorf(d.section, "the definitions cannot be written as JSON: %s", err)
		return
	}
	d.schema = &resource.APISchema{ID: im.api.ID.Child("schemas", d.schemaID(im)), ContentType: contentType, Document: text}
	if err := d.schema.Validate(); err != nil {
		im.invalid(d.section, err)
	}
}

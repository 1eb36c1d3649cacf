package openapi

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// typeName is the name in the document of a definition that an operation refers to.
func (x *exporter) typeName(schemaID, typeName string) (string, bool) {
	if typeName == "" {
		return "", false
	}
	bare := strings.TrimPrefix(strings.TrimPrefix(typeName, "#/components/schemas/"), "#/definitions/")
	name, ok := x.names[typeKey{strings.ToLower(schemaID), bare}]
	if !ok {
		x.warnf(nil, "the definition %s of the schema %s does not exist; references to it are left out", typeName, schemaID)
	}
	return name, ok
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// readSchemas reads the definitions of the API's schemas and gives each a name that is unique in the document.
func (x *exporter) readSchemas() error {
	type source struct {
		schemaID string
		section  *node
	}
	var sources []source
	taken := map[string]bool{}
	for _, s := range x.d.Schemas {
		parsed, err := readJSON(s.Document)
		if err != nil {
			return fmt.Errorf("the schema %s of the API %s: %w", s.ID.Name(), x.d.API.ID.Name(), err)
		}
		var section *node
		switch strings.ToLower(s.ContentType) {
		case resource.SchemaOpenAPIComponents:
			section = parsed.get("components").get("schemas")
		case resource.SchemaSwaggerDefinitions:
			section = parsed.get("definitions")
		default:
			x.warnf(nil, "the schema %s has the content type %s and is left out; only definitions of OpenAPI are written", s.ID.Name(), s.ContentType)
			continue
		}
		if section == nil || section.kind != object {
			continue
		}
		id := strings.ToLower(s.ID.Name())
		sources = append(sources, source{id, section})
		for _, name := range section.names {
			plain := name
			if !x.swagger { // OpenAPI 2 allows any name.
				plain = strings.Trim(notInNames.ReplaceAllString(name, "_"), "_")
			}
			if plain == "" {
				plain = "Definition"
			}
			unique := plain
			for i := 1; taken[unique]; i++ {
				unique = plain + "-" + strconv.Itoa(i)
			}
			taken[unique] = true
			x.names[typeKey{id, name}] = unique
		}
	}
	for _, s := range sources {
		c := &converter{exporter: x, schemaID: s.schemaID}
		for i, name := range s.section.names {
			exported := x.names[typeKey{s.schemaID, name}]
			converted := c.convert(s.section.items[i])
			x.definitions.set(exported, converted)
			x.sources[exported] = converted
		}
	}
	return nil
}

// converter writes the definitions of one schema in the dialect of the document: of OpenAPI 2, 3.0 or 3.1 before.
type converter struct {
	*exporter
	schemaID string
}

// The keywords of schemas in OpenAPI 3.0, and those of them that OpenAPI 2 lacks.
var (
	keywords = []string{"title", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
		"uniqueItems", "maxProperties", "minProperties", "required", "enum", "type", "allOf", "oneOf", "anyOf", "not", "items", "properties", "additionalProperties",
		"description", "format", "default", "nullable", "discriminator", "readOnly", "writeOnly", "xml", "externalDocs", "example", "deprecated", "x-nullable"}
	keywordsOnly3 = []string{"oneOf", "anyOf", "not", "writeOnly", "deprecated"}
)

func (c *converter) dialect() string {
	if c.swagger {
		return "OpenAPI 2"
	}
	return "OpenAPI 3.0"
}

// convert copies a schema. Its depth is bounded by that of the document.
func (c *converter) convert(n *node) *node {
	out := newObject()
	if n.kind == boolean {
		if n.value == "false" && !c.swagger {
			out.set("not", newObject())
		} else if n.value == "false" {
			c.warnf(nil, "%s has no schema that allows nothing; it is written as one that allows all", c.dialect())
		}
		return out
	}
	if n.kind != object {
		return out
	}
	if ref, ok := n.get("$ref").scalar(); ok {
		reference := newObject()
		reference.setText("$ref", c.reference(ref))
		if !slices.ContainsFunc(n.names, constrains) {
			return reference
		}
		out.set("allOf", newArray(reference))
	}
	nullable := false
	for i, name := range n.names {
		child := n.items[i]
		switch name {
		case "$ref":
		case "type":
			nullable = c.types(out, child) || nullable
		case "nullable", "x-nullable":
			if c.swagger {
				out.set("x-nullable", child)
			} else {
				out.set("nullable", child)
			}
		case "const":
			out.set("enum", newArray(child))
		case "exclusiveMinimum", "exclusiveMaximum":
			c.exclusive(out, n, name, child)
		case "minimum", "maximum":
			if limit := n.get("exclusive" + strings.ToUpper(name[:1]) + name[1:]); limit == nil || limit.kind != number {
				out.set(name, child)
			}
		case "examples":
			if child.kind == array && len(child.items) > 0 && !n.has("example") {
				out.set("example", child.items[0])
			}
		case "allOf", "anyOf", "oneOf":
			nullable = c.list(out, name, child) || nullable
		case "properties":
			members := newObject()
			if child.kind == object {
				for j, member := range child.names {
					members.set(member, c.convert(child.items[j]))
				}
			}
			out.set(name, members)
		case "items", "not":
			if c.keeps(name) {
				out.set(name, c.convert(child))
			}
		case "additionalProperties":
			switch {
			case n.has("patternProperties"): // Without the patterns it would refuse what they allow.
			case child.kind == boolean:
				out.set(name, child)
			default:
				out.set(name, c.convert(child))
			}
		case "discriminator":
			c.discriminator(out, child)
		default:
			if c.keeps(name) {
				out.set(name, child)
			}
		}
	}
	if nullable && !out.has("nullable") && !out.has("x-nullable") {
		if c.swagger {
			out.set("x-nullable", newBoolean(true))
		} else {
			out.set("nullable", newBoolean(true))
		}
	}
	if t, ok := out.get("type").scalar(); ok && t == "array" && !out.has("items") {
		out.set("items", newObject())
	}
	return out
}

// keeps says whether the document's dialect has a keyword, and warns when it has not.
func (c *converter) keeps(name string) bool {
	if isOneOf(name, keywords) && !(c.swagger && isOneOf(name, keywordsOnly3)) {
		return true
	}
	c.warnf(nil, "%s of definitions is left out: %s does not have it", name, c.dialect())
	return false
}

// reference points to the definition under its name in the document.
func (c *converter) reference(ref string) string {
	parts := pointerParts(strings.TrimPrefix(ref, "#"))
	prefix := 2 // components, schemas
	if len(parts) > 0 && parts[0] == "definitions" {
		prefix = 1
	}
	target := "#/components/schemas/"
	if c.swagger {
		target = "#/definitions/"
	}
	if len(parts) <= prefix {
		return ref
	}
	name, ok := c.names[typeKey{c.schemaID, parts[prefix]}]
	if !ok {
		c.warnf(nil, "the definition %s does not exist", parts[prefix])
		name = parts[prefix]
	}
	target += url.PathEscape(escapePointer.Replace(name))
	for _, part := range parts[prefix+1:] {
		target += "/" + url.PathEscape(escapePointer.Replace(part))
	}
	return target
}

// types writes a type, or the several of OpenAPI 3.1. It says whether null is one of them.
func (c *converter) types(out, child *node) (nullable bool) {
	list := []*node{child}
	if child.kind == array {
		list = child.items
	}
	var types []string
	for _, n := range list {
		s, ok := n.scalar()
		switch {
		case !ok:
		case s == "null":
			nullable = true
		default:
			types = append(types, s)
		}
	}
	switch {
	case len(types) == 1 && types[0] == "file" && !c.swagger:
		out.setText("type", "string")
		out.setText("format", "binary")
	case len(types) == 1:
		out.setText("type", types[0])
	case len(types) == 0 && nullable:
		out.set("enum", newArray(&node{kind: null}))
	case len(types) > 1 && c.swagger:
		c.warnf(nil, "several types of one definition are left out: %s does not have it", c.dialect())
	case len(types) > 1:
		choices := newArray()
		for _, t := range types {
			choice := newObject()
			choice.setText("type", t)
			if t == "array" {
				choice.set("items", newObject())
			}
			choices.items = append(choices.items, choice)
		}
		out.set("anyOf", choices)
	}
	return nullable
}

// exclusive writes a limit that does not count itself: beside the limit a boolean, where OpenAPI 3.1 has the limit itself.
func (c *converter) exclusive(out, n *node, name string, child *node) {
	if child.kind != number {
		out.set(name, child)
		return
	}
	limit := strings.ToLower(strings.TrimPrefix(name, "exclusive"))
	out.set(limit, child)
	out.set(name, newBoolean(true))
}

// list writes alternatives. In OpenAPI 3.1 null is one of them; before it is a mark beside them.
func (c *converter) list(out *node, name string, child *node) (nullable bool) {
	list := newArray()
	for _, item := range child.items {
		if t, ok := item.get("type").scalar(); ok && t == "null" && name != "allOf" && len(item.names) == 1 {
			nullable = true
			continue
		}
		list.items = append(list.items, c.convert(item))
	}
	if nullable && len(list.items) == 1 {
		name = "allOf"
	}
	if out.has(name) { // The reference beside which it stands.
		existing := out.get(name)
		existing.items = append(existing.items, list.items...)
		return nullable
	}
	if c.keeps(name) && len(list.items) > 0 {
		out.set(name, list)
	}
	return nullable
}

// discriminator writes the property that tells types apart: by its name in OpenAPI 2, as an object later.
func (c *converter) discriminator(out, child *node) {
	property, isText := child.scalar()
	switch {
	case isText && c.swagger:
		out.setText("discriminator", property)
	case isText:
		n := newObject()
		n.setText("propertyName", property)
		out.set("discriminator", n)
	case c.swagger:
		if property, ok := child.get("propertyName").scalar(); ok {
			out.setText("discriminator", property)
		}
		if child.has("mapping") {
			c.warnf(nil, "mapping of discriminators is left out: %s does not have it", c.dialect())
		}
	default:
		n := newObject()
		for i, name := range child.names {
			mapping := child.items[i]
			if name == "mapping" && mapping.kind == object {
				renamed := newObject()
				for j, value := range mapping.names {
					target, _ := mapping.items[j].scalar()
					if strings.HasPrefix(target, "#/") {
						target = c.reference(target)
					}
					renamed.setText(value, target)
				}
				mapping = renamed
			}
			n.set(name, mapping)
		}
		out.set("discriminator", n)
	}
}

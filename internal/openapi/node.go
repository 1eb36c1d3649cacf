package openapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// kind is what a node of a document is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// node is a value of a JSON or YAML document with its place.
type node struct {
	kind  kind
	value string   // the text, the literal of a number, "true" or "false"
	items []*node  // of an array, or the values of an object's members
	names []string // of an object's members, in the order of the document

	// index finds a member of a large object; small ones are searched.
	index map[string]int

	parent *node
	key    string // name or position in the parent
	line   int    // from 1; 0 for a node that does not come from a document
	column int
}

// indexFrom is the number of members from which a map is faster than a search.
const indexFrom = 12

func newObject() *node         { return &node{kind: object} }
func newText(s string) *node   { return &node{kind: text, value: s} }
func newNumber(s string) *node { return &node{kind: number, value: s} }
func newBoolean(b bool) *node  { return &node{kind: boolean, value: strconv.FormatBool(b)} }
func newArray(items ...*node) *node {
	return &node{kind: array, items: items}
}

// set appends a member. Nodes without a parent get this one; others stay where they are in their document.
func (n *node) set(name string, value *node) {
	if n.index != nil {
		n.index[name] = len(n.names)
	}
	n.names = append(n.names, name)
	n.items = append(n.items, value)
	if value.parent == nil {
		value.parent, value.key = n, name
	}
	if n.index == nil && len(n.names) >= indexFrom {
		n.index = make(map[string]int, 2*indexFrom)
		for i, name := range n.names {
			n.index[name] = i
		}
	}
}

func (n *node) setText(name, value string) { n.set(name, newText(value)) }

// get returns a member of an object, or nil. It may be asked of nil and of what is no object.
func (n *node) get(name string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return n.items[i]
		}
		return nil
	}
	if i := slices.Index(n.names, name); i >= 0 {
		return n.items[i]
	}
	return nil
}

func (n *node) has(name string) bool { return n.get(name) != nil }

// elements are the items of an array; other nodes have none.
func (n *node) elements() []*node {
	if n == nil || n.kind != array {
		return nil
	}
	return n.items
}

// isNull says whether there is nothing: no node, or the value null.
func (n *node) isNull() bool { return n == nil || n.kind == null }

// isTrue says whether the node is the boolean true.
func (n *node) isTrue() bool { return n != nil && n.kind == boolean && n.value == "true" }

// scalar is the value as text. YAML makes a number of a version like 1.0, so numbers and booleans pass for texts.
func (n *node) scalar() (string, bool) {
	if n == nil || n.kind != text && n.kind != number && n.kind != boolean {
		return "", false
	}
	return n.value, true
}

// pointer is the JSON pointer of the node in its document (RFC 6901).
func (n *node) pointer() string {
	var parts []string
	for ; n != nil && n.parent != nil; n = n.parent {
		parts = append(parts, escapePointer.Replace(n.key))
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Reverse(parts)
	return "/" + strings.Join(parts, "/")
}

var (
	escapePointer   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")
)

// lookup follows a JSON pointer that was written as the fragment of a URL, or returns nil.
func (n *node) lookup(fragment string) *node {
	for _, part := range pointerParts(fragment) {
		switch {
		case n == nil:
			return nil
		case n.kind == array:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n.items) {
				return nil
			}
			n = n.items[i]
		default:
			n = n.get(part)
		}
	}
	return n
}

// pointerParts are the names in a JSON pointer that was written as the fragment of a URL. A fragment that is not escaped as it should
// be is taken as it is: many tools write definition names with spaces and braces raw.
func pointerParts(fragment string) []string {
	fragment = strings.TrimPrefix(fragment, "/")
	if fragment == "" {
		return nil
	}
	parts := strings.Split(fragment, "/")
	for i, part := range parts {
		if decoded, err := url.PathUnescape(part); err == nil {
			part = decoded
		}
		parts[i] = unescapePointer.Replace(part)
	}
	return parts
}

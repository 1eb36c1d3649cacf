package transform

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// JSONToXMLOptions are the settings of json-to-xml.
type JSONToXMLOptions struct {
	// ParseDate brings texts that are dates of ISO 8601 into the form of XML Schema, as Newtonsoft's reader makes DateTime values of them.
	ParseDate bool
	// NamespaceSeparator stands in names between prefix and local name; "" means _.
	NamespaceSeparator string
	// NamespacePrefix begins the names that declare namespaces; "" means xmlns.
	NamespacePrefix string
	// AttributeBlockName is the member whose own members become attributes; "" means that there is none.
	AttributeBlockName string
	// AttributePrefix begins the names of members that become attributes; "" means @.
	AttributePrefix string
}

const xsiNamespace = "http://www.w3.org/2001/XMLSchema-instance"

// The element names for what JSON leaves without one.
const (
	documentElement = "Document" // the root of an object that has not exactly one member
	itemElement     = "Item"     // a member of an array that is the whole document
)

// JSONToXML converts a JSON document to XML without a declaration. The root is the one member of the outermost object, else an
// element Document. Arrays become elements of one name in a row, null becomes xsi:nil, and true becomes True, as API
// Management writes them.
func JSONToXML(data []byte, o JSONToXMLOptions) ([]byte, error) {
	v, err := parseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if o.NamespaceSeparator == "" {
		o.NamespaceSeparator = "_"
	}
	if o.NamespacePrefix == "" {
		o.NamespacePrefix = "xmlns"
	}
	if o.AttributePrefix == "" {
		o.AttributePrefix = "@"
	}
	w := &xmlWriter{o: o}
	switch {
	case v.kind == '{' && len(v.members) == 1 && v.members[0].value.kind != '[' && !w.isAttribute(v.members[0]):
		err = w.element(v.members[0].name, &v.members[0].value, nil)
	case v.kind == '[':
		root := value{kind: '{', members: []member{{name: itemElement, value: v}}}
		err = w.element(documentElement, &root, nil)
	default:
		err = w.element(documentElement, &v, nil)
	}
	return w.out, err
}

// xmlWriter writes the elements of one document.
type xmlWriter struct {
	o   JSONToXMLOptions
	out []byte
}

// scope is the namespace prefixes that are declared around an element.
type scope struct {
	prefix string
	outer  *scope
}

func (s *scope) declares(prefix string) bool {
	for ; s != nil; s = s.outer {
		if s.prefix == prefix {
			return true
		}
	}
	return prefix == "xml"
}

// declaration says whether a member declares a namespace, and for which prefix, "" for the default one.
func (w *xmlWriter) declaration(m member) (prefix string, ok bool) {
	if m.value.kind != '"' {
		return "", false
	}
	rest, ok := strings.CutPrefix(strings.TrimPrefix(m.name, "@"), w.o.NamespacePrefix)
	if !ok {
		return "", false
	}
	if rest == "" {
		return "", true
	}
	for _, separator := range []string{w.o.NamespaceSeparator, ":"} {
		if prefix, found := strings.CutPrefix(rest, separator); found && prefix != "" {
			return prefix, true
		}
	}
	return "", false
}

func scalar(v *value) bool { return v.kind != '{' && v.kind != '[' }

func (w *xmlWriter) isAttribute(m member) bool {
	if _, ok := w.declaration(m); ok {
		return true
	}
	return scalar(&m.value) && strings.HasPrefix(m.name, w.o.AttributePrefix) && len(m.name) > len(w.o.AttributePrefix)
}

// name is a member's name as a qualified name of XML. A prefix counts only when it is declared.
func (w *xmlWriter) name(name string, s *scope) string {
	for _, separator := range []string{w.o.NamespaceSeparator, ":"} {
		prefix, local, found := strings.Cut(name, separator)
		if found && prefix != "" && local != "" && s.declares(prefix) {
			return encodeName(prefix) + ":" + encodeName(local)
		}
	}
	return encodeName(name)
}

func (w *xmlWriter) element(name string, v *value, s *scope) error {
	if v.kind == '[' {
		if len(v.items) == 0 {
			w.out = append(append(append(w.out, '<'), w.name(name, s)...), " />"...)
			return nil
		}
		for i := range v.items {
			item := &v.items[i]
			if item.kind == '[' { // An array of arrays has a level of elements for each.
				item = &value{kind: '{', members: []member{{name: name, value: *item}}}
			}
			if err := w.element(name, item, s); err != nil {
				return err
			}
		}
		return nil
	}
	var attributes []member
	var children []member
	for _, m := range v.members {
		switch prefix, declares := w.declaration(m); {
		case declares:
			s = &scope{prefix: prefix, outer: s}
			attributes = append(attributes, m)
		case w.o.AttributeBlockName != "" && m.name == w.o.AttributeBlockName && m.value.kind == '{':
			for _, a := range m.value.members {
				if !scalar(&a.value) {
					return fmt.Errorf("the member %q of %q is no plain value, so it cannot be an attribute", a.name, m.name)
				}
				if prefix, ok := w.declaration(a); ok {
					s = &scope{prefix: prefix, outer: s}
				}
				attributes = append(attributes, a)
			}
		case w.isAttribute(m):
			m.name = strings.TrimPrefix(m.name, w.o.AttributePrefix)
			attributes = append(attributes, m)
		default:
			children = append(children, m)
		}
	}
	tag := w.name(name, s)
	w.out = append(append(w.out, '<'), tag...)
	for _, a := range attributes {
		w.attribute(a, s)
	}
	content := w.text(v)
	switch {
	case v.kind == 'n':
		w.out = append(w.out, ` xsi:nil="true" xmlns:xsi="`+xsiNamespace+`" />`...)
		return nil
	case len(children) == 0 && content == "" && v.kind != '"':
		w.out = append(w.out, " />"...)
		return nil
	}
	w.out = append(w.out, '>')
	w.out = append(w.out, content...)
	for _, m := range children {
		if m.name == "#text" && scalar(&m.value) {
			w.out = append(w.out, w.text(&m.value)...)
			continue
		}
		if err := w.element(m.name, &m.value, s); err != nil {
			return err
		}
	}
	w.out = append(append(append(w.out, "</"...), tag...), '>')
	return nil
}

func (w *xmlWriter) attribute(a member, s *scope) {
	name := ""
	if prefix, ok := w.declaration(a); ok {
		name = "xmlns"
		if prefix != "" {
			name += ":" + encodeName(prefix)
		}
	} else {
		name = w.name(a.name, s)
	}
	w.out = append(append(append(w.out, ' '), name...), `="`...)
	w.out = append(w.out, strings.ReplaceAll(w.text(&a.value), `"`, "&quot;")...)
	w.out = append(w.out, '"')
}

// text is a plain value as escaped text.
func (w *xmlWriter) text(v *value) string {
	switch v.kind {
	case '"':
		s := v.text
		if w.o.ParseDate {
			s = roundTripDate(s)
		}
		return escapeText(s)
	case '0':
		return v.text
	case 't':
		return "True"
	case 'f':
		return "False"
	}
	return ""
}

var textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")

// escapeText escapes what is special, and drops what no XML 1.0 document may hold.
func escapeText(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !xmlCharacter(r) }) >= 0 {
		s = strings.Map(func(r rune) rune {
			if xmlCharacter(r) {
				return r
			}
			return -1
		}, s)
	}
	return textEscaper.Replace(s)
}

func xmlCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// encodeName makes a name of XML of any text, as .NET's XmlConvert.EncodeLocalName does: _xHHHH_ for each character that is not allowed.
func encodeName(name string) string {
	if name == "" {
		return "_"
	}
	plain := true
	for i, r := range name {
		plain = plain && nameCharacter(r, i == 0)
	}
	if plain {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		switch {
		case nameCharacter(r, i == 0):
			b.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&b, "_x%08X_", r)
		default:
			fmt.Fprintf(&b, "_x%04X_", r)
		}
	}
	return b.String()
}

// nameCharacter says whether a character may stand in a local name (XML 1.0, fifth edition, production 4, without the colon).
func nameCharacter(r rune, first bool) bool {
	switch {
	case r == utf8.RuneError:
		return false
	case r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		return true
	case r == '-' || r == '.' || '0' <= r && r <= '9' || r == 0xB7 || 0x300 <= r && r <= 0x36F || r == 0x203F || r == 0x2040:
		return !first
	}
	return 0xC0 <= r && r <= 0x2FF && r != 0xD7 && r != 0xF7 || 0x370 <= r && r <= 0x1FFF && r != 0x37E || r == 0x200C || r == 0x200D ||
		0x2070 <= r && r <= 0x218F || 0x2C00 <= r && r <= 0x2FEF || 0x3001 <= r && r <= 0xD7FF || 0xF900 <= r && r <= 0xFDCF ||
		0xFDF0 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0xEFFFF
}

// isoDate is what Newtonsoft's reader takes for a date by default.
var isoDate = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?(Z|[+-]\d{2}:\d{2})?$`)

// roundTripDate writes a date as .NET's XmlConvert does in the round-trip mode: without zeros at the end of the fraction, and with
// an offset turned into the gateway's time zone, which is UTC. Other texts stay.
func roundTripDate(s string) string {
	if !isoDate.MatchString(s) {
		return s
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05-07:00", "2006-01-02T15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		zone := ""
		switch {
		case strings.HasSuffix(s, "Z"):
			zone = "Z"
		case len(layout) > len("2006-01-02T15:04:05"):
			zone = "+00:00"
		}
		return t.UTC().Format("2006-01-02T15:04:05.9999999") + zone
	}
	return s
}

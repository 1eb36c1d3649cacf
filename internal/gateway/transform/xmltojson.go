package transform

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// XMLToJSONOptions are the settings of xml-to-json.
type XMLToJSONOptions struct {
	// Friendly gives names that JavaScript takes after a dot: attributes without @, text beside attributes as $t, and neither the
	// declaration nor namespace declarations. Else the document is converted as it stands, with @ and #text.
	Friendly bool
	// AlwaysArray makes an array of child elements even when there is one of a name.
	AlwaysArray bool
	// PreserveWhitespace keeps text that is nothing but space.
	PreserveWhitespace bool
}

// XMLToJSON converts an XML document to JSON without any space. The colon of a qualified name becomes $, several elements of a name
// become an array at the place of the first, <a/> is null and <a></a> is "".
func XMLToJSON(data []byte, o XMLToJSONOptions) ([]byte, error) {
	data, err := toUTF8(data)
	if err != nil {
		return nil, err
	}
	r := &xmlReader{o: o, data: data, d: newXMLDecoder(data)}
	v, err := r.document()
	if err != nil {
		return nil, fmt.Errorf("the body is not XML that can be converted: %w", err)
	}
	return v.append(nil), nil
}

var encodingName = regexp.MustCompile(`^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// toUTF8 is the document in UTF-8, whatever its declaration says it is in.
func toUTF8(data []byte) ([]byte, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	found := encodingName.FindSubmatch(data[:min(len(data), 256)])
	if found == nil {
		return data, nil
	}
	switch name := strings.ToLower(string(found[1])); name {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return data, nil
	case "iso-8859-1", "latin1":
		out := make([]byte, 0, len(data)+len(data)/8)
		for _, c := range data {
			out = utf8.AppendRune(out, rune(c))
		}
		return out, nil
	default:
		return nil, fmt.Errorf("the encoding %q is not supported; UTF-8 and ISO-8859-1 are", name)
	}
}

func newXMLDecoder(data []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // toUTF8 has done it.
	return d
}

// xmlReader reads tokens without resolving namespaces, for prefixes are part of the names that JSON gets. It therefore checks
// itself that tags match and prefixes are declared.
type xmlReader struct {
	o    XMLToJSONOptions
	data []byte
	d    *xml.Decoder
}

func (r *xmlReader) document() (value, error) {
	root := value{kind: '{'}
	found := false
	for {
		token, err := r.d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return root, err
		}
		switch token := token.(type) {
		case xml.ProcInst:
			if token.Target == "xml" && !r.o.Friendly {
				root.members = append(root.members, declaration(string(token.Inst))...)
			}
		case xml.Directive:
			return root, errors.New("a document type declaration is not allowed")
		case xml.StartElement:
			if found {
				return root, errors.New("there is a second root element")
			}
			found = true
			v, err := r.element(token, nil, 0)
			if err != nil {
				return root, err
			}
			root.members = append(root.members, member{name: jsonName(token.Name), value: v})
		case xml.EndElement:
			return root, fmt.Errorf("</%s> closes nothing", qualified(token.Name))
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return root, errors.New("there is text outside the root element")
			}
		}
	}
	if !found {
		return root, errors.New("there is no root element")
	}
	return root, nil
}

// declaration is the pseudo-attributes of <?xml … ?>.
func declaration(instruction string) []member {
	var members []member
	for _, name := range []string{"version", "encoding", "standalone"} {
		_, rest, found := strings.Cut(instruction, name)
		rest, ok := strings.CutPrefix(strings.TrimSpace(rest), "=")
		rest = strings.TrimSpace(rest)
		if !found || !ok || rest == "" {
			continue
		}
		if v, _, closed := strings.Cut(rest[1:], rest[:1]); closed {
			members = append(members, member{name: name, value: text(v)})
		}
	}
	return members
}

func qualified(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func jsonName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + "$" + n.Local
	}
	return n.Local
}

// declares is the prefix that an attribute declares, "" for the default namespace.
func declares(a xml.Name) (prefix string, ok bool) {
	switch {
	case a.Space == "xmlns":
		return a.Local, true
	case a.Space == "" && a.Local == "xmlns":
		return "", true
	}
	return "", false
}

func (r *xmlReader) element(start xml.StartElement, s *scope, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errTooDeep
	}
	selfClosing := r.selfClosing()
	v := value{kind: '{'}
	names := map[string]bool{}
	for _, a := range start.Attr {
		if names[qualified(a.Name)] {
			return v, fmt.Errorf("the attribute %s is there twice", qualified(a.Name))
		}
		names[qualified(a.Name)] = true
		prefix, isDeclaration := declares(a.Name)
		if isDeclaration {
			s = &scope{prefix: prefix, outer: s}
			if r.o.Friendly {
				continue
			}
		}
		name := jsonName(a.Name)
		if !r.o.Friendly {
			name = "@" + name
		}
		v.members = append(v.members, member{name: name, value: text(a.Value)})
	}
	for _, n := range append([]xml.Name{start.Name}, attributeNames(start.Attr)...) {
		if n.Space != "" && n.Space != "xmlns" && !s.declares(n.Space) {
			return v, fmt.Errorf("the namespace prefix %q is not declared", n.Space)
		}
	}
	var content strings.Builder
	at := map[string]int{}
	for i := range v.members { // A friendly attribute may have the name of a child.
		at[v.members[i].name] = i
	}
	hasChildren := false
	for {
		token, err := r.d.RawToken()
		if errors.Is(err, io.EOF) {
			return v, fmt.Errorf("<%s> is not closed", qualified(start.Name))
		}
		if err != nil {
			return v, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			hasChildren = true
			child, err := r.element(token, s, depth+1)
			if err != nil {
				return v, err
			}
			r.addChild(&v, at, jsonName(token.Name), child)
		case xml.CharData:
			content.Write(token)
		case xml.Directive:
			return v, errors.New("a document type declaration is not allowed")
		case xml.EndElement:
			if token.Name != start.Name {
				return v, fmt.Errorf("</%s> closes <%s>", qualified(token.Name), qualified(start.Name))
			}
			return r.finish(v, content.String(), hasChildren, selfClosing), nil
		}
	}
}

// selfClosing says whether the start tag that was just read ends in />.
func (r *xmlReader) selfClosing() bool {
	offset := int(r.d.InputOffset())
	return offset >= 2 && offset <= len(r.data) && r.data[offset-2] == '/'
}

func attributeNames(list []xml.Attr) []xml.Name {
	names := make([]xml.Name, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names
}

func (r *xmlReader) addChild(v *value, at map[string]int, name string, child value) {
	i, there := at[name]
	if !there {
		at[name] = len(v.members)
		if r.o.AlwaysArray {
			child = value{kind: '[', items: []value{child}}
		}
		v.members = append(v.members, member{name: name, value: child})
		return
	}
	old := &v.members[i].value
	if old.kind != '[' {
		*old = value{kind: '[', items: []value{*old}}
	}
	old.items = append(old.items, child)
}

// finish makes the value of an element whose content is read.
func (r *xmlReader) finish(v value, content string, hasChildren, selfClosing bool) value {
	if !r.o.PreserveWhitespace && (hasChildren || len(v.members) > 0) && strings.TrimSpace(content) == "" {
		content = ""
	}
	if len(v.members) == 0 {
		if selfClosing {
			return value{kind: 'n'}
		}
		return text(content)
	}
	if content != "" {
		name := "#text"
		if r.o.Friendly {
			name = "$t"
		}
		v.members = append(v.members, member{name: name, value: text(content)})
	}
	return v
}

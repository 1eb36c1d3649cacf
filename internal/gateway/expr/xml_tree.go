package expr

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"unicode"
)

const (
	xmlnsURI = "http://www.w3.org/2000/xmlns/"
	xmlURI   = "http://www.w3.org/XML/1998/namespace"
)

// xName is XName, xNamespace XNamespace.
type (
	xName      struct{ space, local string }
	xNamespace struct{ uri string }
)

func (n *xName) typeIn(e *Environment) *netType      { return e.named("XName") }
func (n *xNamespace) typeIn(e *Environment) *netType { return e.named("XNamespace") }
func (n *xNamespace) text(*machine) string           { return n.uri }
func (n *xName) text(*machine) string {
	if n.space != "" {
		return "{" + n.space + "}" + n.local
	}
	return n.local
}

func (n *xName) equals(other Value) bool { o, ok := other.(*xName); return ok && *o == *n }
func (n *xName) hashKey() any            { return *n }
func (n *xNamespace) equals(other Value) bool {
	o, ok := other.(*xNamespace)
	return ok && o.uri == n.uri
}
func (n *xNamespace) hashKey() any { return *n }

// xNode is an element, document, text, comment, instruction or document type.
type xNode struct {
	is         xmlKind
	parent     *xNode
	name       xName // of an element; the target of an instruction is in name.local
	data       string
	attributes []*xAttribute
	filled     bool // an element without children that is written with an end tag
	children   []*xNode
	declared   *xDeclaration // of a document
}

type xmlKind uint8

const (
	xmlElement xmlKind = iota + 1
	xmlDocument
	xmlText
	xmlCData
	xmlComment
	xmlInstruction
	xmlDocumentType
)

// xAttribute is XAttribute; a namespace declaration is one in the namespace of xmlns.
type xAttribute struct {
	parent *xNode
	name   xName
	value  string
}

// xDeclaration is XDeclaration.
type xDeclaration struct{ version, encoding, standalone string }

var xmlClass = map[xmlKind]string{xmlElement: "XElement", xmlDocument: "XDocument", xmlText: "XText", xmlCData: "XCData", xmlComment: "XComment", xmlInstruction: "XProcessingInstruction", xmlDocumentType: "XDocumentType"}

func (n *xNode) typeIn(e *Environment) *netType        { return e.named(xmlClass[n.is]) }
func (a *xAttribute) typeIn(e *Environment) *netType   { return e.named("XAttribute") }
func (d *xDeclaration) typeIn(e *Environment) *netType { return e.named("XDeclaration") }

func (d *xDeclaration) text(*machine) string {
	s := "<?xml"
	if d.version != "" {
		s += ` version="` + d.version + `"`
	}
	if d.encoding != "" {
		s += ` encoding="` + d.encoding + `"`
	}
	if d.standalone != "" {
		s += ` standalone="` + d.standalone + `"`
	}
	return s + "?>"
}

func throwXML(message string) { throwFull("System.Xml.XmlException", message) }

// checkName throws where a text is not an XML name.
func checkName(s string) string {
	if s == "" {
		throwArgument("The value cannot be an empty string. (Parameter 'name')")
	}
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (r == '-' || r == '.' || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || r == 0xB7) {
			continue
		}
		h := strings.ToUpper(formatNumber(int32(r), "X2"))
		if i == 0 {
			throwXML("Name cannot begin with the '" + string(r) + "' character, hexadecimal value 0x" + h + ".")
		}
		throwXML("The '" + string(r) + "' character, hexadecimal value 0x" + h + ", cannot be included in a name.")
	}
	return s
}

// nameFrom reads local or {uri}local.
func nameFrom(s string) *xName {
	if rest, ok := strings.CutPrefix(s, "{"); ok {
		space, local, found := strings.Cut(rest, "}")
		if !found {
			throwArgument("'" + s + "' is an invalid expanded name.")
		}
		return &xName{space, checkName(local)}
	}
	return &xName{"", checkName(s)}
}

// parseXML reads a document. White space between elements is dropped unless preserve is set.
func parseXML(m *machine, src string, preserve bool) *xNode {
	m.charge(2 * len(src))
	src = strings.TrimPrefix(src, "\ufeff")
	d := xml.NewDecoder(strings.NewReader(src))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	document := &xNode{is: xmlDocument}
	current := document
	depth := 0
	fail := func(err error) {
		line, column := d.InputPos()
		throwXML(err.Error() + " Line " + itoa(line) + ", position " + itoa(column) + ".")
	}
	var opened []xml.Name
	for {
		m.step(1)
		start := d.InputOffset()
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			fail(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > 500 {
				throwXML("The document is nested too deeply.")
			}
			if current == document && document.root() != nil {
				throwXML("There are multiple root elements.")
			}
			n := &xNode{is: xmlElement}
			opened = append(opened, t.Name)
			n.read(m, t, current)
			current.append(n)
			current = n
		case xml.EndElement:
			if len(opened) == 0 || opened[len(opened)-1] != t.Name {
				throwXML("The start tag does not match the end tag of '" + rawName(t.Name) + "'.")
			}
			opened = opened[:len(opened)-1]
			depth--
			current.filled = d.InputOffset() > start && len(current.children) == 0
			current = current.parent
		case xml.CharData:
			text := string(t)
			kind := xmlText
			if strings.HasPrefix(src[start:], "<![CDATA[") {
				kind = xmlCData
			}
			blank := strings.Trim(text, " \t\r\n") == ""
			if current == document {
				if !blank {
					throwXML("Data at the root level is invalid.")
				}
				continue
			}
			if kind == xmlText && blank && !preserve && !strings.Contains(src[start:d.InputOffset()], "&") {
				continue
			}
			current.append(&xNode{is: kind, data: text})
		case xml.Comment:
			current.append(&xNode{is: xmlComment, data: string(t)})
		case xml.ProcInst:
			if t.Target == "xml" {
				document.declared = readDeclaration(string(t.Inst))
				continue
			}
			current.append(&xNode{is: xmlInstruction, name: xName{local: t.Target}, data: string(t.Inst)})
		case xml.Directive:
			throwXML("For security reasons DTD is prohibited in this XML document.")
		}
	}
	if current != document {
		throwXML("Unexpected end of file has occurred. The following elements are not closed: " + current.name.local + ".")
	}
	if document.root() == nil {
		throwXML("Root element is missing.")
	}
	return document
}

func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// readDeclaration reads the attributes of <?xml …?>.
func readDeclaration(s string) *xDeclaration {
	get := func(name string) string {
		_, rest, ok := strings.Cut(s, name+"=")
		if !ok || rest == "" {
			return ""
		}
		value, _, _ := strings.Cut(rest[1:], rest[:1])
		return value
	}
	return &xDeclaration{get("version"), get("encoding"), get("standalone")}
}

// read takes name and attributes of a start tag, whose prefixes are resolved.
func (n *xNode) read(m *machine, t xml.StartElement, parent *xNode) {
	n.parent = parent
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			n.attributes = append(n.attributes, &xAttribute{n, xName{xmlnsURI, a.Name.Local}, a.Value})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			n.attributes = append(n.attributes, &xAttribute{n, xName{"", "xmlns"}, a.Value})
		default:
			n.attributes = append(n.attributes, &xAttribute{n, xName{a.Name.Space, a.Name.Local}, a.Value})
		}
		m.charge(valueSize * 2)
	}
	resolve := func(prefix string) string {
		space, ok := n.namespaceOf(prefix)
		if !ok {
			throwXML("'" + prefix + "' is an undeclared prefix.")
		}
		return space
	}
	seen := map[xName]bool{}
	for _, a := range n.attributes {
		if a.name.space != "" && a.name.space != xmlnsURI {
			a.name.space = resolve(a.name.space)
		}
		if seen[a.name] {
			throwXML("'" + a.name.local + "' is a duplicate attribute name.")
		}
		seen[a.name] = true
	}
	n.name = xName{resolve(t.Name.Space), t.Name.Local}
}

// namespaceOf looks a prefix up in the element and those around it.
func (n *xNode) namespaceOf(prefix string) (string, bool) {
	if prefix == "xml" {
		return xmlURI, true
	}
	for e := n; e != nil; e = e.parent {
		for _, a := range e.attributes {
			if a.isDeclaration() && (prefix == "" && a.name.local == "xmlns" && a.name.space == "" || prefix != "" && a.name == xName{xmlnsURI, prefix}) {
				return a.value, true
			}
		}
	}
	return "", prefix == ""
}

func (a *xAttribute) isDeclaration() bool {
	return a.name.space == xmlnsURI || a.name.space == "" && a.name.local == "xmlns"
}

func (n *xNode) root() *xNode {
	for _, c := range n.children {
		if c.is == xmlElement {
			return c
		}
	}
	return nil
}

func (n *xNode) append(c *xNode) {
	c.parent = n
	n.children = append(n.children, c)
}

func (n *xNode) detach() {
	if n.parent == nil {
		return
	}
	i := slices.Index(n.parent.children, n)
	n.parent.children = slices.Delete(n.parent.children, i, i+1)
	n.parent.filled = false
	n.parent = nil
}

// value is XElement.Value: all text below.
func (n *xNode) value(m *machine) string {
	if n.is == xmlText || n.is == xmlCData || n.is == xmlComment || n.is == xmlInstruction {
		return n.data
	}
	m.enterCall()
	defer m.leaveCall()
	if len(n.children) == 1 && (n.children[0].is == xmlText || n.children[0].is == xmlCData) {
		return n.children[0].data
	}
	var out builder
	for _, c := range n.children {
		m.step(1)
		if c.is == xmlElement || c.is == xmlText || c.is == xmlCData {
			out.write(m, c.value(m))
		}
	}
	return out.String()
}

// clone copies a node with all below.
func (n *xNode) clone(m *machine) *xNode {
	m.enterCall()
	defer m.leaveCall()
	m.charge(8 * valueSize)
	c := &xNode{is: n.is, name: n.name, data: n.data, declared: n.declared, filled: n.filled}
	for _, a := range n.attributes {
		c.attributes = append(c.attributes, &xAttribute{c, a.name, a.value})
	}
	for _, x := range n.children {
		c.append(x.clone(m))
	}
	return c
}

// content adds constructor content: nodes, attributes, sequences, and the text of anything else.
func (n *xNode) content(m *machine, v Value, at int) int {
	switch x := v.(type) {
	case nil:
		return at
	case *xNode:
		m.charge(valueSize)
		if x.parent != nil || n.isBelow(x) {
			x = x.clone(m)
		}
		x.parent = n
		if n.is == xmlDocument && x.is == xmlElement && n.root() != nil {
			throw("InvalidOperationException", "This operation would create an incorrectly structured document.")
		}
		n.children = slices.Insert(n.children, at, x)
		return at + 1
	case *xAttribute:
		if x.parent != nil {
			x = &xAttribute{name: x.name, value: x.value}
		}
		for _, a := range n.attributes {
			if a.name == x.name {
				throw("InvalidOperationException", "Duplicate attribute.")
			}
		}
		x.parent = n
		n.attributes = append(n.attributes, x)
		return at
	case *xDeclaration:
		n.declared = x
		return at
	case string:
	case *array, *list, *sequence, *hashSet, *queue, *group:
		m.enterCall()
		iterate(m, v, func(item Value) bool { at = n.content(m, item, at); return true })
		m.leaveCall()
		return at
	}
	text := xmlTextOf(m, v)
	if text == "" {
		n.filled = n.filled || len(n.children) == 0
		return at
	}
	if at > 0 && n.children[at-1].is == xmlText {
		n.children[at-1].data = m.concat(n.children[at-1].data, text)
		return at
	}
	m.charge(valueSize + len(text))
	n.children = slices.Insert(n.children, at, &xNode{is: xmlText, data: text, parent: n})
	return at + 1
}

// isBelow reports whether n is x or stands below it.
func (n *xNode) isBelow(x *xNode) bool {
	for p := n; p != nil; p = p.parent {
		if p == x {
			return true
		}
	}
	return false
}

// xmlTextOf is the text of a value as XML Schema writes it.
func xmlTextOf(m *machine, v Value) string {
	switch x := v.(type) {
	case bool:
		if x {
			return "true"
		}
		return "false"
	case float64, float32:
		s := formatNumber(x, "")
		return strings.NewReplacer("Infinity", "INF").Replace(s)
	case DateTime:
		return jsonDateText(x.ticks, map[dateKind]string{utcKind: "Z", localKind: "+00:00"}[x.kind])
	case DateTimeOffset:
		return jsonDateText(x.ticks, strings.Replace(offsetText(int(x.offset), 3), "+00:00", "Z", 1))
	case TimeSpan:
		return durationText(x)
	case *xName:
		return x.text(m)
	}
	return m.text(v)
}

// durationText is a span as ISO 8601 writes it.
func durationText(s TimeSpan) string {
	if s == 0 {
		return "PT0S"
	}
	out := "P"
	n := int64(s)
	if n < 0 {
		out, n = "-P", -n
	}
	if d := n / ticksPerDay; d > 0 {
		out += itoa(int(d)) + "D"
	}
	rest := n % ticksPerDay
	if rest == 0 {
		return out
	}
	out += "T"
	if h := rest / ticksPerHour; h > 0 {
		out += itoa(int(h)) + "H"
	}
	if min := rest / ticksPerMinute % 60; min > 0 {
		out += itoa(int(min)) + "M"
	}
	if sec, f := rest/ticksPerSecond%60, rest%ticksPerSecond; sec > 0 || f > 0 {
		out += itoa(int(sec))
		if f > 0 {
			out += "." + strings.TrimRight(padNumber(int(f), 7), "0")
		}
		out += "S"
	}
	return out
}

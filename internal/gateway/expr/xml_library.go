package expr

import (
	"slices"
	"strings"
)

// nodeOrNil makes an *xNode a value that is null where it is nil.
func nodeOrNil(n *xNode) Value {
	if n == nil {
		return nil
	}
	return n
}

func attributeOrNil(a *xAttribute) Value {
	if a == nil {
		return nil
	}
	return a
}

// xmlSequence is a lazy sequence of nodes.
func xmlSequence(m *machine, element string, each func(m *machine, visit func(Value) bool)) Value {
	return &sequence{element: m.env.named(element), each: each}
}

// walk visits the nodes below n.
func (n *xNode) walk(m *machine, visit func(*xNode) bool) bool {
	m.enterCall()
	defer m.leaveCall()
	for _, c := range slices.Clone(n.children) {
		m.step(1)
		if !visit(c) || !c.walk(m, visit) {
			return false
		}
	}
	return true
}

// elements visits the elements among the children, of a name if one is given.
func (n *xNode) elements(name Value, visit func(Value) bool) bool {
	for _, c := range slices.Clone(n.children) {
		if c.is == xmlElement && named(c, name) && !visit(c) {
			return false
		}
	}
	return true
}

func named(n *xNode, name Value) bool {
	want, ok := name.(*xName)
	return !ok || n.name == *want
}

func (n *xNode) attribute(name xName) *xAttribute {
	for _, a := range n.attributes {
		if a.name == name {
			return a
		}
	}
	return nil
}

// nameArgument is an argument of type XName.
func nameArgument(v Value) xName {
	n, ok := v.(*xName)
	if !ok {
		throwArgumentNull("name")
	}
	return *n
}

// xml declares names, attributes and the conversions of elements and attributes.
func (b *library) xml() {
	text := b.env.primitives[primString]
	b.on("XName")
	b.current.conversions = append(b.current.conversions, &userConversion{from: text, to: b.current, implicit: true, apply: func(_ *machine, a []Value) Value {
		if a[0] == nil {
			return nil
		}
		return nameFrom(a[0].(string))
	}})
	b.property("string LocalName", func(v Value) Value { return v.(*xName).local })
	b.property("string NamespaceName", func(v Value) Value { return v.(*xName).space })
	b.property("XNamespace Namespace", func(v Value) Value { return &xNamespace{v.(*xName).space} })
	b.method("static XName Get(string expandedName)", func(a []Value) Value { return nameFrom(textArgument(a[0], "expandedName")) })
	b.method("static XName Get(string localName, string namespaceName)", func(a []Value) Value { return &xName{optionalText(a[1]), checkName(textArgument(a[0], "localName"))} })
	b.on("XNamespace").add("static XNamespace None", &xNamespace{}).add("static XNamespace Xml", &xNamespace{xmlURI}).add("static XNamespace Xmlns", &xNamespace{xmlnsURI})
	b.current.conversions = append(b.current.conversions, &userConversion{from: text, to: b.current, implicit: true, apply: func(_ *machine, a []Value) Value {
		if a[0] == nil {
			return nil
		}
		return &xNamespace{a[0].(string)}
	}})
	b.property("string NamespaceName", func(v Value) Value { return v.(*xNamespace).uri })
	b.method("static XNamespace Get(string namespaceName)", func(a []Value) Value { return &xNamespace{textArgument(a[0], "namespaceName")} })
	b.method("XName GetName(string localName)", func(a []Value) Value { return &xName{a[0].(*xNamespace).uri, checkName(a[1].(string))} })
	b.method("static XName operator +(XNamespace ns, string localName)", func(a []Value) Value {
		ns, ok := a[0].(*xNamespace)
		if !ok {
			throwArgumentNull("ns")
		}
		return &xName{ns.uri, checkName(textArgument(a[1], "localName"))}
	})
	for _, k := range []string{"XName", "XNamespace"} {
		b.on(k)
		b.method("static bool operator ==("+k+" a, "+k+" b)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
		b.method("static bool operator !=("+k+" a, "+k+" b)", func(a []Value) Value { return !equalsValue(a[0], a[1]) })
	}
	b.attributes()
	for _, k := range []string{"XElement", "XAttribute"} {
		b.xmlConversions(k)
	}
}

func (b *library) attributes() {
	b.on("XAttribute")
	b.native("new(XName name, object value)", func(m *machine, a []Value) Value {
		if a[1] == nil {
			throwArgumentNull("value")
		}
		return &xAttribute{name: nameArgument(a[0]), value: xmlTextOf(m, a[1])}
	})
	b.property("XName Name", func(v Value) Value { n := v.(*xAttribute).name; return &n })
	b.property("string Value", func(v Value) Value { return v.(*xAttribute).value })
	b.set("Value", nativeFunc(func(_ *machine, a []Value) Value { a[0].(*xAttribute).value = textArgument(a[1], "value"); return nil }))
	b.native("void SetValue(object value)", func(m *machine, a []Value) Value { a[0].(*xAttribute).value = xmlTextOf(m, a[1]); return nil })
	b.property("bool IsNamespaceDeclaration", func(v Value) Value { return v.(*xAttribute).isDeclaration() })
	b.property("XElement Parent", func(v Value) Value { return nodeOrNil(v.(*xAttribute).parent) })
	b.method("void Remove()", func(a []Value) Value {
		x := a[0].(*xAttribute)
		if x.parent == nil {
			throw("InvalidOperationException", "The parent is missing.")
		}
		x.parent.attributes = slices.DeleteFunc(x.parent.attributes, func(y *xAttribute) bool { return x == y })
		x.parent = nil
		return nil
	})
	sibling := func(step int) func(v Value) Value {
		return func(v Value) Value {
			x := v.(*xAttribute)
			if x.parent == nil {
				return nil
			}
			if i := slices.Index(x.parent.attributes, x) + step; i >= 0 && i < len(x.parent.attributes) {
				return x.parent.attributes[i]
			}
			return nil
		}
	}
	b.property("XAttribute NextAttribute", sibling(1))
	b.property("XAttribute PreviousAttribute", sibling(-1))
}

// xmlConversions declares the explicit operators of elements and attributes, which read the text as XML Schema types.
func (b *library) xmlConversions(k string) {
	b.on(k)
	e, from := b.env, b.current
	parameter := strings.ToLower(k[1:])
	for _, t := range []*netType{e.primitives[primString], e.primitives[primBool], e.primitives[primInt], e.primitives[primUInt], e.primitives[primLong], e.primitives[primULong],
		e.primitives[primFloat], e.primitives[primDouble], e.primitives[primDecimal], e.named("DateTime"), e.named("DateTimeOffset"), e.named("TimeSpan"), e.named("Guid")} {
		for _, to := range []*netType{t, e.nullableOf(t)} {
			if to == t && t.prim == primString || to != t || t.isValueType() {
				nullable := to != t || t.prim == primString
				from.conversions = append(from.conversions, &userConversion{from: from, to: to, apply: func(m *machine, a []Value) Value {
					if a[0] == nil {
						if nullable {
							return nil
						}
						throwArgumentNull(parameter)
					}
					if x, ok := a[0].(*xAttribute); ok {
						return readXML(x.value, t)
					}
					return readXML(a[0].(*xNode).value(m), t)
				}})
			}
			if t.prim == primString {
				break
			}
		}
	}
}

// readXML reads a text as a type.
func readXML(s string, t *netType) Value {
	trimmed := strings.Trim(s, " \t\r\n")
	switch {
	case t.prim == primString:
		return s
	case t.prim == primBool:
		switch strings.ToLower(trimmed) {
		case "true", "1":
			return true
		case "false", "0":
			return false
		}
		throwFormat("The string '" + s + "' is not a valid Boolean value.")
	case t.prim == primDecimal:
		return mustParse(trimmed, styleLeadingSign|styleTrailingSign|stylePoint, t.prim)
	case t.prim == primDouble || t.prim == primFloat:
		switch trimmed {
		case "INF":
			trimmed = "Infinity"
		case "-INF":
			trimmed = "-Infinity"
		}
		return mustParse(trimmed, styleFloat, t.prim)
	case t.prim.numeric():
		return mustParse(trimmed, styleInteger, t.prim)
	}
	switch t.name {
	case "DateTime":
		return mustParseDate(trimmed, dateRoundtripKind)
	case "DateTimeOffset":
		p, ok := parseDateText(trimmed)
		if !ok {
			failDate(trimmed, p)
		}
		d, _ := p.offsetTime(0)
		return d
	case "Guid":
		return mustParseGuid(trimmed)
	}
	return readDuration(trimmed)
}

// readDuration reads P1DT2H3M4.5S.
func readDuration(s string) Value {
	rest, negative := s, false
	if strings.HasPrefix(rest, "-") {
		rest, negative = rest[1:], true
	}
	rest, ok := strings.CutPrefix(rest, "P")
	total, clock := 0.0, false
	for ok && rest != "" {
		if strings.HasPrefix(rest, "T") {
			clock, rest = true, rest[1:]
			continue
		}
		i := strings.IndexAny(rest, "YMDHS")
		if i <= 0 {
			ok = false
			break
		}
		v, result := parseFloat(rest[:i], stylePoint, primDouble)
		if result != parsed {
			ok = false
			break
		}
		unit := map[byte]float64{'Y': 365 * ticksPerDay, 'M': 30 * ticksPerDay, 'D': ticksPerDay, 'H': ticksPerHour, 'S': ticksPerSecond}[rest[i]]
		if rest[i] == 'M' && clock {
			unit = ticksPerMinute
		}
		total += v.(float64) * unit
		rest = rest[i+1:]
	}
	if !ok || total > 9e18 {
		throwFormat("The string '" + s + "' is not a valid TimeSpan value.")
	}
	if negative {
		total = -total
	}
	return TimeSpan(total)
}

// xmlContainers declares nodes, elements and documents.
func (b *library) xmlContainers() {
	node := func(v Value) *xNode { return v.(*xNode) }
	kinds := b.env.named("XmlNodeType")
	numbers := map[xmlKind]int64{xmlElement: 1, xmlText: 3, xmlCData: 4, xmlInstruction: 7, xmlComment: 8, xmlDocument: 9, xmlDocumentType: 10}
	b.on("XObject")
	b.property("XmlNodeType NodeType", func(v Value) Value {
		if n, ok := v.(*xNode); ok {
			return Enum{kinds, numbers[n.is]}
		}
		return Enum{kinds, 2}
	})
	b.property("XElement Parent", func(v Value) Value {
		var p *xNode
		switch x := v.(type) {
		case *xNode:
			p = x.parent
		case *xAttribute:
			p = x.parent
		}
		if p == nil || p.is != xmlElement {
			return nil
		}
		return p
	})
	b.property("XDocument Document", func(v Value) Value {
		n, ok := v.(*xNode)
		for ok && n.parent != nil {
			n = n.parent
		}
		if !ok || n.is != xmlDocument {
			return nil
		}
		return n
	})
	b.on("XNode")
	b.native("string ToString(SaveOptions options)", func(m *machine, a []Value) Value { return xmlString(m, node(a[0]), a[1].(Enum).n&1 == 0) })
	b.native("static bool DeepEquals(XNode n1, XNode n2)", func(m *machine, a []Value) Value {
		x, _ := a[0].(*xNode)
		y, _ := a[1].(*xNode)
		return deepEqualXML(m, x, y)
	})
	place := func(v Value) (*xNode, int) {
		n := node(v)
		if n.parent == nil {
			throw("InvalidOperationException", "The parent is missing.")
		}
		return n, slices.Index(n.parent.children, n)
	}
	b.method("void Remove()", func(a []Value) Value { n, _ := place(a[0]); n.detach(); return nil })
	for _, params := range []string{"object content", "params object[] content"} {
		b.native("void ReplaceWith("+params+")", func(m *machine, a []Value) Value {
			n, i := place(a[0])
			parent := n.parent
			n.detach()
			parent.content(m, a[1], i)
			return nil
		})
		b.native("void AddAfterSelf("+params+")", func(m *machine, a []Value) Value { n, i := place(a[0]); n.parent.content(m, a[1], i+1); return nil })
		b.native("void AddBeforeSelf("+params+")", func(m *machine, a []Value) Value { n, i := place(a[0]); n.parent.content(m, a[1], i); return nil })
	}
	sibling := func(step int) func(v Value) Value {
		return func(v Value) Value {
			if node(v).parent == nil {
				return nil
			}
			n, i := place(v)
			if i += step; i >= 0 && i < len(n.parent.children) {
				return n.parent.children[i]
			}
			return nil
		}
	}
	b.property("XNode NextNode", sibling(1))
	b.property("XNode PreviousNode", sibling(-1))
	// axis declares an axis with and without a name.
	axis := func(signature, element string, walk func(m *machine, n *xNode, visit func(*xNode) bool)) {
		for _, filter := range []string{"", "XName name"} {
			b.native("IEnumerable<"+element+"> "+signature+"("+filter+")", func(m *machine, a []Value) Value {
				n := node(a[0])
				var name Value
				if len(a) > 1 {
					name = a[1]
				}
				return xmlSequence(m, element, func(m *machine, visit func(Value) bool) {
					walk(m, n, func(x *xNode) bool {
						if element == "XElement" && x.is != xmlElement || !named(x, name) {
							return true
						}
						return visit(x)
					})
				})
			})
		}
	}
	axis("Ancestors", "XElement", func(_ *machine, n *xNode, visit func(*xNode) bool) {
		for p := n.parent; p != nil && visit(p); p = p.parent {
		}
	})
	after := func(_ *machine, n *xNode, visit func(*xNode) bool) {
		if n.parent != nil {
			for _, x := range slices.Clone(n.parent.children[slices.Index(n.parent.children, n)+1:]) {
				if !visit(x) {
					return
				}
			}
		}
	}
	before := func(_ *machine, n *xNode, visit func(*xNode) bool) {
		if n.parent != nil {
			for _, x := range slices.Clone(n.parent.children[:slices.Index(n.parent.children, n)]) {
				if !visit(x) {
					return
				}
			}
		}
	}
	axis("ElementsAfterSelf", "XElement", after)
	axis("ElementsBeforeSelf", "XElement", before)
	axis("NodesAfterSelf", "XNode", after)
	axis("NodesBeforeSelf", "XNode", before)
	b.on("XContainer")
	axis("Elements", "XElement", func(_ *machine, n *xNode, visit func(*xNode) bool) {
		n.elements(nil, func(v Value) bool { return visit(v.(*xNode)) })
	})
	axis("Descendants", "XElement", func(m *machine, n *xNode, visit func(*xNode) bool) { n.walk(m, visit) })
	axis("DescendantNodes", "XNode", func(m *machine, n *xNode, visit func(*xNode) bool) { n.walk(m, visit) })
	axis("Nodes", "XNode", func(_ *machine, n *xNode, visit func(*xNode) bool) {
		for _, c := range slices.Clone(n.children) {
			if !visit(c) {
				return
			}
		}
	})
	b.method("XElement Element(XName name)", func(a []Value) Value {
		var found *xNode
		node(a[0]).elements(a[1], func(v Value) bool { found = v.(*xNode); return false })
		return nodeOrNil(found)
	})
	end := func(last bool) func(v Value) Value {
		return func(v Value) Value {
			c := node(v).children
			if len(c) == 0 {
				return nil
			}
			if last {
				return c[len(c)-1]
			}
			return c[0]
		}
	}
	b.property("XNode FirstNode", end(false))
	b.property("XNode LastNode", end(true))
	for _, params := range []string{"object content", "params object[] content"} {
		b.native("void Add("+params+")", func(m *machine, a []Value) Value { n := node(a[0]); n.content(m, a[1], len(n.children)); return nil })
		b.native("void AddFirst("+params+")", func(m *machine, a []Value) Value { node(a[0]).content(m, a[1], 0); return nil })
		b.native("void ReplaceNodes("+params+")", func(m *machine, a []Value) Value { node(a[0]).clear(); node(a[0]).content(m, a[1], 0); return nil })
	}
	b.method("void RemoveNodes()", func(a []Value) Value { node(a[0]).clear(); return nil })
	b.elementMembers()
	b.documents()
}

// clear removes all children.
func (n *xNode) clear() {
	for _, c := range n.children {
		c.parent = nil
	}
	n.children, n.filled = nil, false
}

func (b *library) elementMembers() {
	node := func(v Value) *xNode { return v.(*xNode) }
	b.on("XElement")
	create := func(m *machine, name Value, content Value) Value {
		n := &xNode{is: xmlElement, name: nameArgument(name)}
		m.charge(4 * valueSize)
		n.content(m, content, 0)
		return n
	}
	b.native("new(XName name)", func(m *machine, a []Value) Value { return create(m, a[0], nil) })
	b.native("new(XName name, object content)", func(m *machine, a []Value) Value { return create(m, a[0], a[1]) })
	b.native("new(XName name, params object[] content)", func(m *machine, a []Value) Value { return create(m, a[0], a[1]) })
	b.native("new(XElement other)", func(m *machine, a []Value) Value { return node(a[0]).clone(m) })
	root := func(m *machine, text Value, preserve bool) Value {
		r := parseXML(m, textArgument(text, "text"), preserve).root()
		r.detach()
		return r
	}
	b.native("static XElement Parse(string text)", func(m *machine, a []Value) Value { return root(m, a[0], false) })
	b.native("static XElement Parse(string text, LoadOptions options)", func(m *machine, a []Value) Value { return root(m, a[0], a[1].(Enum).n&1 != 0) })
	b.property("XName Name", func(v Value) Value { n := node(v).name; return &n })
	b.set("Name", nativeFunc(func(_ *machine, a []Value) Value { node(a[0]).name = nameArgument(a[1]); return nil }))
	b.native("string Value", func(m *machine, a []Value) Value { return node(a[0]).value(m) })
	setValue := func(m *machine, n *xNode, v Value) {
		n.clear()
		n.content(m, xmlTextOf(m, v), 0)
	}
	b.set("Value", nativeFunc(func(m *machine, a []Value) Value {
		if a[1] == nil {
			throwArgumentNull("value")
		}
		setValue(m, node(a[0]), a[1])
		return nil
	}))
	b.native("void SetValue(object value)", func(m *machine, a []Value) Value { setValue(m, node(a[0]), a[1]); return nil })
	b.property("bool IsEmpty", func(v Value) Value { return len(node(v).children) == 0 && !node(v).filled })
	b.property("bool HasElements", func(v Value) Value { return !node(v).elements(nil, func(Value) bool { return false }) })
	b.property("bool HasAttributes", func(v Value) Value { return len(node(v).attributes) > 0 })
	b.method("XAttribute Attribute(XName name)", func(a []Value) Value { return attributeOrNil(node(a[0]).attribute(nameArgument(a[1]))) })
	for _, filter := range []string{"", "XName name"} {
		b.native("IEnumerable<XAttribute> Attributes("+filter+")", func(m *machine, a []Value) Value {
			n := node(a[0])
			var name Value
			if len(a) > 1 {
				name = a[1]
			}
			return xmlSequence(m, "XAttribute", func(_ *machine, visit func(Value) bool) {
				for _, x := range slices.Clone(n.attributes) {
					if want, ok := name.(*xName); (!ok || *want == x.name) && !visit(x) {
						return
					}
				}
			})
		})
	}
	b.native("IEnumerable<XElement> DescendantsAndSelf()", func(m *machine, a []Value) Value {
		n := node(a[0])
		return xmlSequence(m, "XElement", func(m *machine, visit func(Value) bool) {
			if visit(n) {
				n.walk(m, func(x *xNode) bool { return x.is != xmlElement || visit(x) })
			}
		})
	})
	b.native("void SetAttributeValue(XName name, object value)", func(m *machine, a []Value) Value {
		n, name := node(a[0]), nameArgument(a[1])
		x := n.attribute(name)
		switch {
		case a[2] == nil:
			n.attributes = slices.DeleteFunc(n.attributes, func(y *xAttribute) bool { return x == y })
		case x != nil:
			x.value = xmlTextOf(m, a[2])
		default:
			n.attributes = append(n.attributes, &xAttribute{n, name, xmlTextOf(m, a[2])})
		}
		return nil
	})
	b.native("void SetElementValue(XName name, object value)", func(m *machine, a []Value) Value {
		n, name := node(a[0]), nameArgument(a[1])
		var x *xNode
		n.elements(a[1], func(v Value) bool { x = v.(*xNode); return false })
		switch {
		case a[2] == nil:
			if x != nil {
				x.detach()
			}
		case x != nil:
			setValue(m, x, a[2])
		default:
			x = &xNode{is: xmlElement, name: name}
			x.content(m, a[2], 0)
			n.append(x)
		}
		return nil
	})
	b.method("void RemoveAttributes()", func(a []Value) Value { node(a[0]).attributes = nil; return nil })
	b.method("void RemoveAll()", func(a []Value) Value { node(a[0]).attributes = nil; node(a[0]).clear(); return nil })
	b.native("void ReplaceAttributes(params object[] content)", func(m *machine, a []Value) Value {
		node(a[0]).attributes = nil
		node(a[0]).content(m, a[1], 0)
		return nil
	})
	b.method("XNamespace GetDefaultNamespace()", func(a []Value) Value { uri, _ := node(a[0]).namespaceOf(""); return &xNamespace{uri} })
	b.method("XNamespace GetNamespaceOfPrefix(string prefix)", func(a []Value) Value {
		uri, ok := node(a[0]).namespaceOf(textArgument(a[1], "prefix"))
		if !ok {
			return nil
		}
		return &xNamespace{uri}
	})
	b.method("string GetPrefixOfNamespace(XNamespace ns)", func(a []Value) Value {
		for e := node(a[0]); e != nil; e = e.parent {
			for _, x := range e.attributes {
				if x.name.space == xmlnsURI && x.value == a[1].(*xNamespace).uri {
					return x.name.local
				}
			}
		}
		return nil
	})
}

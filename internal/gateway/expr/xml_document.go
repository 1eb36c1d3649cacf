package expr

import (
	"slices"
)

func (b *library) documents() {
	node := func(v Value) *xNode { return v.(*xNode) }
	b.on("XDocument")
	for _, params := range []string{"", "params object[] content", "XDeclaration declaration, params object[] content"} {
		b.native("new("+params+")", func(m *machine, a []Value) Value {
			n := &xNode{is: xmlDocument}
			for _, v := range a {
				n.content(m, v, len(n.children))
			}
			return n
		})
	}
	b.native("static XDocument Parse(string text)", func(m *machine, a []Value) Value { return parseXML(m, textArgument(a[0], "text"), false) })
	b.native("static XDocument Parse(string text, LoadOptions options)", func(m *machine, a []Value) Value {
		return parseXML(m, textArgument(a[0], "text"), a[1].(Enum).n&1 != 0)
	})
	b.property("XElement Root", func(v Value) Value { return nodeOrNil(node(v).root()) })
	b.property("XDeclaration Declaration", func(v Value) Value {
		if d := node(v).declared; d != nil {
			return d
		}
		return nil
	})
	b.set("Declaration", nativeFunc(func(_ *machine, a []Value) Value { node(a[0]).declared, _ = a[1].(*xDeclaration); return nil }))
	b.on("XDeclaration")
	b.method("new(string version, string encoding, string standalone)", func(a []Value) Value {
		return &xDeclaration{optionalText(a[0]), optionalText(a[1]), optionalText(a[2])}
	})
	b.property("string Version", func(v Value) Value { return v.(*xDeclaration).version })
	b.property("string Encoding", func(v Value) Value { return v.(*xDeclaration).encoding })
	b.property("string Standalone", func(v Value) Value { return v.(*xDeclaration).standalone })
	for k, kind := range map[string]xmlKind{"XText": xmlText, "XCData": xmlCData, "XComment": xmlComment} {
		b.on(k)
		b.method("new(string value)", func(a []Value) Value { return &xNode{is: kind, data: textArgument(a[0], "value")} })
		b.property("string Value", func(v Value) Value { return node(v).data })
		b.set("Value", nativeFunc(func(_ *machine, a []Value) Value { node(a[0]).data = textArgument(a[1], "value"); return nil }))
	}
	b.on("XProcessingInstruction")
	b.method("new(string target, string data)", func(a []Value) Value {
		return &xNode{is: xmlInstruction, name: xName{local: checkName(textArgument(a[0], "target"))}, data: textArgument(a[1], "data")}
	})
	b.property("string Target", func(v Value) Value { return node(v).name.local })
	b.property("string Data", func(v Value) Value { return node(v).data })
	b.on("Extensions")
	each := func(signature, element string, walk func(m *machine, n *xNode, visit func(Value) bool) bool) {
		for _, filter := range []string{"", ", XName name"} {
			b.native("static IEnumerable<"+element+"> "+signature+"<T>(this IEnumerable<T> source"+filter+")", func(m *machine, a []Value) Value {
				source := sourceOf(a[0])
				var name Value
				if len(a) > 1 {
					name = a[1]
				}
				return xmlSequence(m, element, func(m *machine, visit func(Value) bool) {
					iterate(m, source, func(v Value) bool {
						return walk(m, node(v), func(x Value) bool {
							if n, ok := x.(*xNode); ok && !named(n, name) {
								return true
							}
							return visit(x)
						})
					})
				})
			})
		}
	}
	each("Elements", "XElement", func(_ *machine, n *xNode, visit func(Value) bool) bool { return n.elements(nil, visit) })
	each("Descendants", "XElement", func(m *machine, n *xNode, visit func(Value) bool) bool {
		return n.walk(m, func(x *xNode) bool { return x.is != xmlElement || visit(x) })
	})
	each("Attributes", "XAttribute", func(_ *machine, n *xNode, visit func(Value) bool) bool {
		for _, x := range slices.Clone(n.attributes) {
			if !visit(x) {
				return false
			}
		}
		return true
	})
	b.native("static void Remove(this IEnumerable<XNode> source)", func(m *machine, a []Value) Value {
		for _, v := range collect(m, sourceOf(a[0])) {
			node(v).detach()
		}
		return nil
	})
	b.native("static void Remove(this IEnumerable<XAttribute> source)", func(m *machine, a []Value) Value {
		for _, v := range collect(m, sourceOf(a[0])) {
			x := v.(*xAttribute)
			if x.parent != nil {
				x.parent.attributes = slices.DeleteFunc(x.parent.attributes, func(y *xAttribute) bool { return x == y })
				x.parent = nil
			}
		}
		return nil
	})
}

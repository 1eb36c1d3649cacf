package expr

import (
	"strings"
)

// xmlWriter writes nodes.
type xmlWriter struct {
	m        *machine
	out      builder
	indented bool
	spaces   []map[string]string // prefix -> uri, by element
	// preferred are prefixes by uri that elements around the written one declare.
	preferred map[string]string
}

// xmlString is ToString(SaveOptions).
func xmlString(m *machine, n *xNode, indented bool) string {
	w := &xmlWriter{m: m, indented: indented}
	if n.is == xmlDocument {
		for i, c := range n.children {
			if i > 0 && indented {
				w.out.write(m, "\n")
			}
			w.node(c, 0, indented)
		}
		return w.out.String()
	}
	w.outer(n)
	w.node(n, 0, indented)
	return w.out.String()
}

// outer notes the prefixes that elements around n declare: n printed alone declares those that it uses again.
func (w *xmlWriter) outer(n *xNode) {
	w.preferred = map[string]string{}
	for p := n.parent; p != nil; p = p.parent {
		for _, a := range p.attributes {
			if a.name.space == xmlnsURI && w.preferred[a.value] == "" {
				w.preferred[a.value] = a.name.local
			}
		}
	}
}

func escapeXML(s string, attribute bool) string {
	if !strings.ContainsAny(s, "&<>\"\r\n\t") {
		return s
	}
	pairs := []string{"&", "&amp;", "<", "&lt;", ">", "&gt;"}
	if attribute {
		pairs = append(pairs, `"`, "&quot;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;")
	} else {
		pairs = append(pairs, "\r", "&#xD;")
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// uriOf finds the uri of a prefix, prefixOf a prefix of a uri.
func (w *xmlWriter) uriOf(prefix string) (string, bool) {
	for i := len(w.spaces) - 1; i >= 0; i-- {
		if uri, ok := w.spaces[i][prefix]; ok {
			return uri, true
		}
	}
	return "", prefix == ""
}

func (w *xmlWriter) prefixOf(uri string, attribute bool) (string, bool) {
	if uri == xmlURI {
		return "xml", true
	}
	for i := len(w.spaces) - 1; i >= 0; i-- {
		best, found := "", false
		for p, u := range w.spaces[i] {
			if u != uri || attribute && p == "" {
				continue
			}
			if now, _ := w.uriOf(p); now != uri {
				continue
			}
			if !found || p < best {
				best, found = p, true
			}
		}
		if found {
			return best, true
		}
	}
	return "", uri == "" && !attribute
}

func (w *xmlWriter) node(n *xNode, depth int, indented bool) {
	w.m.enterCall()
	defer w.m.leaveCall()
	w.m.step(1)
	switch n.is {
	case xmlText:
		w.out.write(w.m, escapeXML(n.data, false))
	case xmlCData:
		w.out.write(w.m, "<![CDATA["+n.data+"]]>")
	case xmlComment:
		w.out.write(w.m, "<!--"+n.data+"-->")
	case xmlInstruction:
		w.out.write(w.m, "<?"+n.name.local+" "+n.data+"?>")
	case xmlElement:
		w.element(n, depth, indented)
	}
}

func (w *xmlWriter) element(n *xNode, depth int, indented bool) {
	local := map[string]string{}
	for _, a := range n.attributes {
		if a.isDeclaration() {
			if a.name.space == "" {
				local[""] = a.value
			} else {
				local[a.name.local] = a.value
			}
		}
	}
	w.spaces = append(w.spaces, local)
	var extra []string
	name := n.name.local
	if prefix, ok := w.prefixOf(n.name.space, false); ok && (prefix != "" || n.name.space == w.defaultSpace()) {
		if prefix != "" {
			name = prefix + ":" + name
		}
	} else if prefix := w.preferred[n.name.space]; prefix != "" {
		local[prefix] = n.name.space
		extra = append(extra, "xmlns:"+prefix+`="`+escapeXML(n.name.space, true)+`"`)
		name = prefix + ":" + name
	} else {
		local[""] = n.name.space
		extra = append(extra, `xmlns="`+escapeXML(n.name.space, true)+`"`)
	}
	text := "<" + name
	for _, a := range n.attributes {
		attribute := a.name.local
		switch {
		case a.name.space == xmlnsURI:
			attribute = "xmlns:" + attribute
		case a.name.space != "":
			prefix, ok := w.prefixOf(a.name.space, true)
			if !ok {
				for i := 1; ; i++ {
					prefix = "p" + itoa(i)
					if _, used := w.uriOf(prefix); !used {
						break
					}
				}
				local[prefix] = a.name.space
				extra = append(extra, "xmlns:"+prefix+`="`+escapeXML(a.name.space, true)+`"`)
			}
			attribute = prefix + ":" + attribute
		}
		text += " " + attribute + `="` + escapeXML(a.value, true) + `"`
	}
	for _, x := range extra {
		text += " " + x
	}
	w.out.write(w.m, text)
	if len(n.children) == 0 && n.filled {
		w.out.write(w.m, "></"+name+">")
	} else if len(n.children) == 0 {
		w.out.write(w.m, " />")
	} else {
		w.out.write(w.m, ">")
		w.children(n, depth, indented)
		w.out.write(w.m, "</"+name+">")
	}
	w.spaces = w.spaces[:len(w.spaces)-1]
}

func (w *xmlWriter) defaultSpace() string {
	uri, _ := w.uriOf("")
	return uri
}

// children writes content; an element with text in it is not indented.
func (w *xmlWriter) children(n *xNode, depth int, indented bool) {
	for _, c := range n.children {
		if c.is == xmlText || c.is == xmlCData {
			indented = false
		}
	}
	for _, c := range n.children {
		if indented {
			w.out.write(w.m, "\n"+strings.Repeat("  ", depth+1))
		}
		w.node(c, depth+1, indented)
	}
	if indented {
		w.out.write(w.m, "\n"+strings.Repeat("  ", depth))
	}
}

func (n *xNode) text(m *machine) string { return xmlString(m, n, true) }

func (a *xAttribute) text(*machine) string {
	name := a.name.local
	if a.name.space == xmlnsURI {
		name = "xmlns:" + name
	}
	return name + `="` + escapeXML(a.value, true) + `"`
}

// deepEqualXML is XNode.DeepEquals: attribute order counts.
func deepEqualXML(m *machine, a, b *xNode) bool {
	if a == nil || b == nil {
		return a == b
	}
	m.enterCall()
	defer m.leaveCall()
	m.step(1)
	if a.is != b.is || a.name != b.name || a.data != b.data || len(a.attributes) != len(b.attributes) || len(a.children) != len(b.children) || len(a.children) == 0 && a.filled != b.filled {
		return false
	}
	for i := range a.attributes {
		if a.attributes[i].name != b.attributes[i].name || a.attributes[i].value != b.attributes[i].value {
			return false
		}
	}
	for i := range a.children {
		if !deepEqualXML(m, a.children[i], b.children[i]) {
			return false
		}
	}
	return true
}

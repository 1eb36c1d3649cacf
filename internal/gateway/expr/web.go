package expr

import (
	"html"
	"strconv"
	"strings"
)

// web declares WebUtility, Uri and IPAddress.
func (b *library) web() {
	b.urls()
	b.addresses()
	b.on("WebUtility")
	change := func(name string, apply func(string) string) {
		b.native("static string "+name+"(string value)", func(m *machine, a []Value) Value {
			s, ok := a[0].(string)
			if !ok {
				return nil
			}
			m.charge(3 * len(s))
			return apply(s)
		})
	}
	change("UrlEncode", encodeForm)
	change("UrlDecode", decodeForm)
	change("HtmlEncode", encodeHTML)
	change("HtmlDecode", html.UnescapeString)
}

// encodeForm is WebUtility.UrlEncode: a space is a plus sign, and !*()-_. stay.
func encodeForm(s string) string {
	var b strings.Builder
	s = wellFormed(s)
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.!*()", c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			writeEscape(&b, c)
		}
	}
	return b.String()
}

// decodeForm is WebUtility.UrlDecode; what is no escape stays.
func decodeForm(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var data []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			data = append(data, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			data = append(data, byte(hexValue(s[i+1])<<4|hexValue(s[i+2])))
			i += 2
		default:
			data = append(data, s[i])
		}
	}
	return decodeUTF8(data)
}

// encodeHTML is WebUtility.HtmlEncode: Latin-1 letters and astral characters become numbers, others stay.
func encodeHTML(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '&':
			b.WriteString("&amp;")
		case r >= 160 && r < 256, r >= 0x10000:
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// miscellaneous declares CultureInfo and Guid.
func (b *library) miscellaneous() {
	b.on("CultureInfo")
	b.add("static CultureInfo InvariantCulture", &culture{})
	b.native("new(string name)", func(_ *machine, a []Value) Value { return newCulture(a[0]) })
	b.native("static CultureInfo GetCultureInfo(string name)", func(_ *machine, a []Value) Value { return newCulture(a[0]) })
	b.property("string Name", func(v Value) Value { return v.(*culture).name })
	b.guids()
}

// culture is CultureInfo. All formatting is invariant; cultures that format alike are accepted by name.
type culture struct{ name string }

func (c *culture) typeIn(e *Environment) *netType { return e.named("CultureInfo") }

// newCulture makes a culture. One whose formats differ from the invariant ones is refused rather than formatted wrongly.
func newCulture(v Value) Value {
	name := optionalText(v)
	switch strings.ToLower(name) {
	case "", "en", "en-us":
		return &culture{name}
	}
	throw("NotSupportedException", "Culture '"+name+"' is not supported; only the invariant culture is.")
	return nil
}

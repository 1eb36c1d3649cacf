package expr

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is System.Text.Encoding.
type encoding struct{ name, class string }

func (c *encoding) typeIn(e *Environment) *netType { return e.named(c.class) }

// encodingNames maps the names that GetEncoding takes.
var encodingNames = map[string]string{"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "us-ascii", "ascii": "us-ascii", "iso-8859-1": "iso-8859-1", "latin1": "iso-8859-1",
	"utf-16": "utf-16", "utf-16le": "utf-16", "unicode": "utf-16", "utf-16be": "utf-16BE", "unicodefffe": "utf-16BE", "utf-32": "utf-32"}

func (c *encoding) encode(s string) []byte {
	switch c.name {
	case "us-ascii", "iso-8859-1":
		limit := uint16(0x80)
		if c.name == "iso-8859-1" {
			limit = 0x100
		}
		var out []byte
		for _, r := range wellFormed(s) {
			switch {
			case r < rune(limit):
				out = append(out, byte(r))
			case r >= 0x10000:
				out = append(out, '?', '?')
			default:
				out = append(out, '?')
			}
		}
		return out
	case "utf-16", "utf-16BE":
		var out []byte
		for _, u := range utf16Units(s) {
			if c.name == "utf-16" {
				out = append(out, byte(u), byte(u>>8))
			} else {
				out = append(out, byte(u>>8), byte(u))
			}
		}
		return out
	case "utf-32":
		var out []byte
		for _, r := range wellFormed(s) {
			out = append(out, byte(r), byte(r>>8), byte(r>>16), byte(r>>24))
		}
		return out
	}
	return []byte(wellFormed(s))
}

func (c *encoding) decode(data []byte) string {
	switch c.name {
	case "us-ascii", "iso-8859-1":
		var out strings.Builder
		for _, x := range data {
			if x >= 0x80 && c.name == "us-ascii" {
				out.WriteString(replacementCh)
				continue
			}
			out.WriteRune(rune(x))
		}
		return out.String()
	case "utf-16", "utf-16BE":
		var units []uint16
		for i := 0; i+1 < len(data); i += 2 {
			if c.name == "utf-16" {
				units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
			} else {
				units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
			}
		}
		s := string(utf16.Decode(units))
		if len(data)%2 == 1 {
			s += replacementCh
		}
		return s
	case "utf-32":
		var out strings.Builder
		for i := 0; i+3 < len(data); i += 4 {
			out.WriteRune(rune(data[i]) | rune(data[i+1])<<8 | rune(data[i+2])<<16 | rune(data[i+3])<<24)
		}
		return out.String()
	}
	return decodeUTF8(data)
}

// decodeUTF8 replaces each ill-formed sequence by one U+FFFD, as the Unicode standard recommends: a truncated sequence is one, not one a byte.
func decodeUTF8(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var out strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r != utf8.RuneError || n > 1 {
			out.Write(data[:n])
			data = data[n:]
			continue
		}
		out.WriteString(replacementCh)
		data = data[truncated(data):]
	}
	return out.String()
}

// truncated is the length of the longest start of a well-formed sequence at the start of data, at least 1.
func truncated(data []byte) int {
	want := 0
	switch c := data[0]; {
	case c >= 0xC2 && c < 0xE0:
		want = 2
	case c >= 0xE0 && c < 0xF0:
		want = 3
	case c >= 0xF0 && c < 0xF5:
		want = 4
	}
	n := 1
	for n < want && n < len(data) && data[n]&0xC0 == 0x80 {
		if n == 1 && (data[0] == 0xE0 && data[1] < 0xA0 || data[0] == 0xED && data[1] > 0x9F || data[0] == 0xF0 && data[1] < 0x90 || data[0] == 0xF4 && data[1] > 0x8F) {
			break
		}
		n++
	}
	return n
}

// encodings declares System.Text.Encoding.
func (b *library) encodings() {
	b.on("Encoding")
	for name, c := range map[string]*encoding{"UTF8": {"utf-8", "UTF8Encoding"}, "ASCII": {"us-ascii", "ASCIIEncoding"}, "Unicode": {"utf-16", "UnicodeEncoding"}, "BigEndianUnicode": {"utf-16BE", "UnicodeEncoding"},
		"UTF32": {"utf-32", "Encoding"}, "Latin1": {"iso-8859-1", "Encoding"}, "Default": {"utf-8", "UTF8Encoding"}} {
		b.add("static Encoding "+name, c)
	}
	b.method("static Encoding GetEncoding(string name)", func(a []Value) Value {
		name := textArgument(a[0], "name")
		known, ok := encodingNames[strings.ToLower(name)]
		if !ok {
			throw("ArgumentException", "'"+name+"' is not a supported encoding name. (Parameter 'name')")
		}
		return &encoding{known, "Encoding"}
	})
	b.method("static Encoding GetEncoding(int codepage)", func(a []Value) Value {
		known, ok := map[int32]string{65001: "utf-8", 20127: "us-ascii", 28591: "iso-8859-1", 1200: "utf-16", 1201: "utf-16BE", 12000: "utf-32"}[a[0].(int32)]
		if !ok {
			throw("NotSupportedException", "No data is available for encoding "+itoa(intOf(a[0]))+".")
		}
		return &encoding{known, "Encoding"}
	})
	encode := func(m *machine, c, s Value) []byte {
		text := textArgument(s, "s")
		m.charge(2 * len(text))
		return c.(*encoding).encode(text)
	}
	decode := func(m *machine, c Value, data []byte) Value {
		m.charge(2 * len(data))
		return c.(*encoding).decode(data)
	}
	b.native("byte[] GetBytes(string s)", func(m *machine, a []Value) Value { return &Bytes{encode(m, a[0], a[1])} })
	b.native("byte[] GetBytes(char[] chars)", func(m *machine, a []Value) Value { return &Bytes{encode(m, a[0], fromUnits(unitsOf(m, a[1])))} })
	b.native("string GetString(byte[] bytes)", func(m *machine, a []Value) Value { return decode(m, a[0], bytesOf(a[1], "bytes")) })
	b.native("string GetString(byte[] bytes, int index, int count)", func(m *machine, a []Value) Value { return decode(m, a[0], part(bytesOf(a[1], "bytes"), a[2], a[3])) })
	b.native("char[] GetChars(byte[] bytes)", func(m *machine, a []Value) Value {
		return arrayFrom(m.env.primitives[primChar], collect(m, decode(m, a[0], bytesOf(a[1], "bytes"))))
	})
	b.native("int GetByteCount(string s)", func(m *machine, a []Value) Value { return int32(len(encode(m, a[0], a[1]))) })
	b.property("string WebName", func(v Value) Value { return v.(*encoding).name })
	b.property("string EncodingName", func(v Value) Value { return v.(*encoding).name })
	for class, c := range map[string]*encoding{"UTF8Encoding": {"utf-8", "UTF8Encoding"}, "ASCIIEncoding": {"us-ascii", "ASCIIEncoding"}, "UnicodeEncoding": {"utf-16", "UnicodeEncoding"}} {
		b.on(class).native("new()", func(*machine, []Value) Value { return c })
	}
	b.on("UTF8Encoding").native("new(bool encoderShouldEmitUTF8Identifier)", func(*machine, []Value) Value { return &encoding{"utf-8", "UTF8Encoding"} })
}

package expr

import (
	"unicode"
)

func (b *library) chars() {
	b.on("Char").add("static char MaxValue", Char(0xFFFF)).add("static char MinValue", Char(0))
	b.charTest("IsDigit", unicode.IsDigit)
	b.charTest("IsLetter", unicode.IsLetter)
	b.charTest("IsLetterOrDigit", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	b.charTest("IsWhiteSpace", unicode.IsSpace)
	b.charTest("IsUpper", unicode.IsUpper)
	b.charTest("IsLower", unicode.IsLower)
	b.charTest("IsPunctuation", unicode.IsPunct)
	b.charTest("IsSymbol", unicode.IsSymbol)
	b.charTest("IsControl", unicode.IsControl)
	b.charTest("IsNumber", unicode.IsNumber)
	b.charTest("IsSeparator", func(r rune) bool { return unicode.In(r, unicode.Z) })
	b.charTest("IsSurrogate", func(r rune) bool { return r >= surrogateMin && r <= surrogateMax })
	b.charTest("IsHighSurrogate", func(r rune) bool { return r >= surrogateMin && r < lowSurrogate })
	b.charTest("IsLowSurrogate", func(r rune) bool { return r >= lowSurrogate && r <= surrogateMax })
	mapping := func(name string, change func(rune) rune) {
		b.method("static char "+name+"(char c)", func(a []Value) Value {
			if r := change(rune(a[0].(Char))); r < 0x10000 {
				return Char(r)
			}
			return a[0]
		})
	}
	mapping("ToUpper", upperRune)
	mapping("ToUpperInvariant", upperRune)
	mapping("ToLower", lowerRune)
	mapping("ToLowerInvariant", lowerRune)
	b.method("static double GetNumericValue(char c)", func(a []Value) Value {
		if r := rune(a[0].(Char)); r >= '0' && r <= '9' {
			return float64(r - '0')
		}
		return -1.0
	})
	b.method("static string ToString(char c)", func(a []Value) Value { return encodeUnit(rune(a[0].(Char))) })
	b.method("static char Parse(string s)", func(a []Value) Value {
		s := textArgument(a[0], "s")
		if lengthOf(s) != 1 {
			throwFormat("String must be exactly one character long.")
		}
		c, _ := charAt(s, 0)
		return c
	})
	b.method("static bool TryParse(string s, out char result)", func(a []Value) Value {
		a[1].(*reference).value = Char(0)
		s := optionalText(a[0])
		if lengthOf(s) != 1 {
			return false
		}
		a[1].(*reference).value, _ = charAt(s, 0)
		return true
	})
	b.native("int CompareTo(char value)", func(_ *machine, a []Value) Value { return int32(a[0].(Char)) - int32(a[1].(Char)) })
	b.method("bool Equals(char value)", func(a []Value) Value { return a[0] == a[1] })
	b.native("string ToString(IFormatProvider provider)", func(m *machine, a []Value) Value { return m.text(a[0]) })
}

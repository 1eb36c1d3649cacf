package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitText is string.Split by separators; none means white space. A negative count is no limit.
func splitText(m *machine, s string, separators []string, count, options int) Value {
	m.step(int64(len(s)) >> 4)
	var parts []string
	space := len(separators) == 0
	next := func(from int) (int, int) {
		if space {
			i := strings.IndexFunc(s[from:], unicode.IsSpace)
			if i < 0 {
				return -1, 0
			}
			_, n := utf8.DecodeRuneInString(s[from+i:])
			return from + i, n
		}
		at, size := -1, 0
		for _, sep := range separators {
			if sep == "" {
				continue
			}
			if i := strings.Index(s[from:], sep); i >= 0 && (at < 0 || from+i < at) {
				at, size = from+i, len(sep)
			}
		}
		return at, size
	}
	trim := func(p string) string {
		if options&splitTrim != 0 {
			return strings.TrimFunc(p, unicode.IsSpace)
		}
		return p
	}
	start := 0
	for count != 0 {
		at, size := next(start)
		if at < 0 || count > 0 && len(parts) == count-1 {
			break
		}
		if p := trim(s[start:at]); p != "" || options&splitRemoveEmpty == 0 {
			m.charge(valueSize)
			parts = append(parts, p)
		}
		start = at + size
	}
	if count != 0 {
		rest := s[start:]
		for options&splitRemoveEmpty != 0 && count > 0 {
			// The rest keeps its separators but not those at its start.
			at, size := 0, 0
			if at, size = nextAt(rest, separators, space); at != 0 {
				break
			}
			rest = rest[size:]
		}
		if p := trim(rest); p != "" || options&splitRemoveEmpty == 0 {
			parts = append(parts, p)
		}
	}
	return m.stringArray(parts)
}

// nextAt reports a separator at the start of s: position 0 and its size, or -1.
func nextAt(s string, separators []string, space bool) (int, int) {
	if space {
		r, n := utf8.DecodeRuneInString(s)
		if n > 0 && unicode.IsSpace(r) {
			return 0, n
		}
		return -1, 0
	}
	for _, sep := range separators {
		if sep != "" && strings.HasPrefix(s, sep) {
			return 0, len(sep)
		}
	}
	return -1, 0
}

func (b *library) splits() {
	chars := func(m *machine, v Value) []string {
		var list []string
		if v != nil {
			for _, u := range unitsOf(m, v) {
				list = append(list, encodeUnit(rune(u)))
			}
		}
		return list
	}
	texts := func(m *machine, v Value) []string {
		var list []string
		if v != nil {
			iterate(m, v, func(x Value) bool { list = append(list, optionalText(x)); return true })
		}
		return list
	}
	one := func(v Value) []string {
		if c, ok := v.(Char); ok {
			return []string{encodeUnit(rune(c))}
		}
		if s := optionalText(v); s != "" {
			return []string{s}
		}
		return []string{""}
	}
	limit := func(v Value) int {
		if intOf(v) < 0 {
			throwOutOfRange("Count cannot be less than zero.", "count")
		}
		return intOf(v)
	}
	options := func(v Value) int { return int(v.(Enum).n) }
	b.native("string[] Split(params char[] separator)", func(m *machine, a []Value) Value { return splitText(m, a[0].(string), chars(m, a[1]), -1, 0) })
	b.native("string[] Split(char[] separator, int count)", func(m *machine, a []Value) Value { return splitText(m, a[0].(string), chars(m, a[1]), limit(a[2]), 0) })
	b.native("string[] Split(char[] separator, StringSplitOptions options)", func(m *machine, a []Value) Value {
		return splitText(m, a[0].(string), chars(m, a[1]), -1, options(a[2]))
	})
	b.native("string[] Split(char[] separator, int count, StringSplitOptions options)", func(m *machine, a []Value) Value {
		return splitText(m, a[0].(string), chars(m, a[1]), limit(a[2]), options(a[3]))
	})
	b.native("string[] Split(string[] separator, StringSplitOptions options)", func(m *machine, a []Value) Value {
		return splitText(m, a[0].(string), texts(m, a[1]), -1, options(a[2]))
	})
	b.native("string[] Split(string[] separator, int count, StringSplitOptions options)", func(m *machine, a []Value) Value {
		return splitText(m, a[0].(string), texts(m, a[1]), limit(a[2]), options(a[3]))
	})
	for _, k := range []string{"char", "string"} {
		b.add("string[] Split("+k+" separator, StringSplitOptions options = null)", nativeFunc(func(m *machine, a []Value) Value {
			return splitText(m, a[0].(string), one(a[1]), -1, options(a[2]))
		}))
		b.add("string[] Split("+k+" separator, int count, StringSplitOptions options = null)", nativeFunc(func(m *machine, a []Value) Value {
			return splitText(m, a[0].(string), one(a[1]), limit(a[2]), options(a[3]))
		}))
	}
}

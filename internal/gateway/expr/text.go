package expr

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Strings are Go strings of UTF-8. A lone surrogate, which C# strings may hold, is kept as the three bytes that UTF-8 would give it if it were a
// character ("WTF-8"); wellFormed replaces those before a value leaves the interpreter.

const (
	surrogateMin  = 0xD800
	lowSurrogate  = 0xDC00
	surrogateMax  = 0xDFFF
	replacementCh = "\uFFFD"
)

// textBuilder builds a string from bytes and UTF-16 code units.
type textBuilder struct{ strings.Builder }

// writeUnitOrRune appends a code point; a surrogate joins a preceding high surrogate where it can.
func (b *textBuilder) writeUnitOrRune(r rune) {
	if r >= surrogateMin && r <= surrogateMax {
		text := joinText(b.String(), encodeUnit(r))
		b.Reset()
		b.WriteString(text)
		return
	}
	b.WriteRune(r)
}

// encodeUnit gives the text of one UTF-16 code unit.
func encodeUnit(r rune) string {
	if r >= surrogateMin && r <= surrogateMax {
		return string([]byte{0xE0 | byte(r>>12), 0x80 | byte(r>>6)&0x3F, 0x80 | byte(r)&0x3F})
	}
	return string(r)
}

// surrogateAt decodes a lone surrogate at the start of s, or returns 0.
func surrogateAt(s string) rune {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 {
		return 0xD000 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F)
	}
	return 0
}

// decodeRune is utf8.DecodeRuneInString that knows lone surrogates.
func decodeRune(s string) (rune, int) {
	if u := surrogateAt(s); u != 0 {
		return u, 3
	}
	return utf8.DecodeRuneInString(s)
}

// joinText is a + b; two halves of a character become one.
func joinText(a, b string) string {
	if len(a) >= 3 && len(b) >= 3 && b[0] == 0xED {
		high, low := surrogateAt(a[len(a)-3:]), surrogateAt(b)
		if high >= surrogateMin && high < lowSurrogate && low >= lowSurrogate {
			return a[:len(a)-3] + string(utf16.DecodeRune(high, low)) + b[3:]
		}
	}
	return a + b
}

// isASCII reports whether byte offsets and UTF-16 offsets of s are the same.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// utf16Units returns s as C# sees it.
func utf16Units(s string) []uint16 {
	units := make([]uint16, 0, len(s))
	for len(s) > 0 {
		r, n := decodeRune(s)
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			units = append(units, uint16(high), uint16(low))
		} else {
			units = append(units, uint16(r))
		}
		s = s[n:]
	}
	return units
}

// fromUnits is the inverse of utf16Units.
func fromUnits(units []uint16) string {
	var b strings.Builder
	for i := 0; i < len(units); i++ {
		u := rune(units[i])
		if u >= surrogateMin && u < lowSurrogate && i+1 < len(units) && units[i+1] >= lowSurrogate && units[i+1] <= surrogateMax {
			b.WriteRune(utf16.DecodeRune(u, rune(units[i+1])))
			i++
			continue
		}
		b.WriteString(encodeUnit(u))
	}
	return b.String()
}

// lengthOf is string.Length.
func lengthOf(s string) int {
	n := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c < 0x80:
			i++
		case c < 0xE0:
			i += 2
		case c < 0xF0:
			i += 3
		default:
			i += 4
			n++
		}
		n++
	}
	return n
}

// charAt is s[i]; the caller checked that i is within the string.
func charAt(s string, i int) (Char, bool) {
	if i < 0 || i >= len(s) {
		return 0, false
	}
	n := 0
	for len(s) > 0 {
		if c := s[0]; c < utf8.RuneSelf {
			if n == i {
				return Char(c), true
			}
			n++
			s = s[1:]
			continue
		}
		r, size := decodeRune(s)
		if r >= 0x10000 {
			high, low := utf16.EncodeRune(r)
			if n == i {
				return Char(high), true
			}
			if n+1 == i {
				return Char(low), true
			}
			n++
		} else if n == i {
			return Char(r), true
		}
		n++
		s = s[size:]
	}
	return 0, false
}

// slice is the UTF-16 range [from, to) of s; ok is false where the range is outside.
func slice(s string, from, to int) (string, bool) {
	if from < 0 || to < from || to > len(s) {
		return "", false
	}
	if isASCII(s) {
		return s[from:to], true
	}
	units := utf16Units(s)
	if to > len(units) {
		return "", false
	}
	if from == 0 && to == len(units) {
		return s, true
	}
	return fromUnits(units[from:to]), true
}

// unitOffset turns a byte offset of s into a UTF-16 one.
func unitOffset(s string, offset int) int { return lengthOf(s[:offset]) }

// wellFormed replaces lone surrogates and other invalid bytes, for text that leaves the interpreter.
func wellFormed(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := decodeRune(s)
		if r >= surrogateMin && r <= surrogateMax || r == utf8.RuneError && n == 1 {
			b.WriteString(replacementCh)
		} else {
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}

// describeKey writes a map key as text that differs for different keys.
func describeKey(k any) string { return fmt.Sprintf("%T %v", k, k) }

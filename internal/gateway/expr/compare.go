package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// compareValues orders two values as Comparer<T>.Default does: null first, strings by culture.
func compareValues(m *machine, a, b Value) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return compareCulture(x, y, false)
		}
	case bool:
		if y, ok := b.(bool); ok {
			if x == y {
				return 0
			}
			if x {
				return 1
			}
			return -1
		}
	case float64, float32:
		f, g := floatOf(a), floatOf(b)
		switch {
		case f == g || f != f && g != g:
			return 0
		case f != f:
			return -1
		case g != g:
			return 1
		}
		return compareOrdered(f, g)
	case Decimal:
		if y, ok := b.(Decimal); ok {
			return x.compare(y)
		}
	case uint64:
		if y, ok := b.(uint64); ok {
			return compareOrdered(x, y)
		}
	case Enum:
		if y, ok := b.(Enum); ok {
			return compareOrdered(x.n, y.n)
		}
	case orderable:
		return x.compareTo(m, b)
	default:
		if x, _, ok := wholeNumber(a); ok {
			if y, _, ok := wholeNumber(b); ok {
				return compareOrdered(x, y)
			}
		}
	}
	throw("InvalidOperationException", "Failed to compare two elements in the array.")
	return 0
}

// orderable is a value that implements IComparable.
type orderable interface {
	compareTo(m *machine, other Value) int
}

// upperText is ToUpperInvariant: one character at a time, without those whose case depends on a language.
func upperText(s string) string { return strings.Map(upperRune, s) }

func lowerText(s string) string { return strings.Map(lowerRune, s) }

func upperRune(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'a' && r <= 'z' {
			return r - 32
		}
		return r
	}
	switch r {
	case 'ı', 'ſ', 'İ':
		return r
	}
	return unicode.ToUpper(r)
}

func lowerRune(r rune) rune {
	if r < utf8.RuneSelf {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		return r
	}
	if r == 'İ' {
		return r
	}
	return unicode.ToLower(r)
}

// collationElement is a character's weights, with its accents, and where it stands.
type collationElement struct {
	primary    int32
	accents    string
	upper      bool
	start, end int
}

// punctuationOrder is the order of the ASCII characters that are neither digits nor letters in the root collation.
const punctuationOrder = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"

// ignorable are characters that carry no weight.
func ignorable(r rune) bool {
	return r < ' ' && !unicode.IsSpace(r) || r == 0x7F || r == 0xAD || r >= 0x200B && r <= 0x200F || r == 0x2060 || r == 0xFEFF
}

// collate splits s into elements for a comparison by culture (the root collation, tailored to no language).
func collate(s string) []collationElement {
	var list []collationElement
	for i := 0; i < len(s); {
		r, n := decodeRune(s[i:])
		end := i + n
		switch {
		case ignorable(r):
			if len(list) > 0 {
				list[len(list)-1].end = end
			}
		case unicode.Is(unicode.Mn, r) && len(list) > 0:
			e := &list[len(list)-1]
			e.accents += string(r)
			e.end = end
		default:
			base, accents := decompose(r)
			lower := unicode.ToLower(base)
			list = append(list, collationElement{primaryWeight(lower), accents, lower != base, i, end})
			if r == 'ß' || r == 'æ' || r == 'Æ' || r == 'œ' || r == 'Œ' {
				second := map[rune]rune{'ß': 's', 'æ': 'e', 'Æ': 'e', 'œ': 'e', 'Œ': 'e'}[r]
				list = append(list, collationElement{primaryWeight(second), "\u0001", unicode.IsUpper(r), i, end})
			}
		}
		i = end
	}
	return list
}

// primaryWeight orders white space and punctuation before digits before letters before all else.
func primaryWeight(r rune) int32 {
	switch {
	case r < utf8.RuneSelf && strings.ContainsRune(punctuationOrder, r):
		return int32(1 + strings.IndexRune(punctuationOrder, r))
	case unicode.IsSpace(r):
		return 6
	case unicode.IsPunct(r):
		return 0x1000 + r
	case unicode.IsSymbol(r):
		return 0x10000 + r
	case r >= '0' && r <= '9':
		return 0x200000 + r
	}
	return 0x400000 + r
}

// compareCulture is string.Compare by the invariant culture: letters first, then accents, then case with lower before upper.
func compareCulture(a, b string, ignoreCase bool) int {
	if a == b {
		return 0
	}
	x, y := collate(a), collate(b)
	for i := range min(len(x), len(y)) {
		if x[i].primary != y[i].primary {
			return compareOrdered(int64(x[i].primary), int64(y[i].primary))
		}
	}
	if len(x) != len(y) {
		return compareOrdered(len(x), len(y))
	}
	for i := range x {
		if x[i].accents != y[i].accents {
			return compareOrdered(x[i].accents, y[i].accents)
		}
	}
	if ignoreCase {
		return 0
	}
	for i := range x {
		if x[i].upper != y[i].upper {
			if x[i].upper {
				return 1
			}
			return -1
		}
	}
	return 0
}

// indexCulture finds needle in s by culture; the result is a byte range, or -1.
func indexCulture(s, needle string, ignoreCase, last bool) (int, int) {
	if isASCII(s) && isASCII(needle) && strings.IndexFunc(needle, ignorable) < 0 && strings.IndexFunc(s, ignorable) < 0 {
		if ignoreCase {
			s, needle = lowerText(s), lowerText(needle)
		}
		i := strings.Index(s, needle)
		if last {
			i = strings.LastIndex(s, needle)
		}
		return i, i + len(needle)
	}
	x, y := collate(s), collate(needle)
	if len(y) == 0 {
		if last {
			return len(s), len(s)
		}
		return 0, 0
	}
	start, end, step := 0, len(x)-len(y)+1, 1
	if last {
		start, end, step = len(x)-len(y), -1, -1
	}
	for i := start; (i-end)*step < 0; i += step {
		match := true
		for j := range y {
			if x[i+j].primary != y[j].primary || x[i+j].accents != y[j].accents || !ignoreCase && x[i+j].upper != y[j].upper {
				match = false
				break
			}
		}
		if match {
			return x[i].start, x[i+len(y)-1].end
		}
	}
	return -1, -1
}

// accented lists letters with the base letter and the accent that they are made of, for the blocks Latin-1 Supplement and Latin Extended-A.
const accented = "ÀA\u0300ÁA\u0301ÂA\u0302ÃA\u0303ÄA\u0308ÅA\u030AÇC\u0327ÈE\u0300ÉE\u0301ÊE\u0302ËE\u0308ÌI\u0300ÍI\u0301ÎI\u0302ÏI\u0308ÑN\u0303ÒO\u0300ÓO\u0301ÔO\u0302ÕO\u0303ÖO\u0308" +
	"ÙU\u0300ÚU\u0301ÛU\u0302ÜU\u0308ÝY\u0301ŸY\u0308ĀA\u0304ĂA\u0306ĄA\u0328ĆC\u0301ĈC\u0302ĊC\u0307ČC\u030CĎD\u030CĒE\u0304ĔE\u0306ĖE\u0307ĘE\u0328ĚE\u030CĜG\u0302ĞG\u0306ĠG\u0307" +
	"ĢG\u0327ĤH\u0302ĨI\u0303ĪI\u0304ĬI\u0306ĮI\u0328İI\u0307ĴJ\u0302ĶK\u0327ĹL\u0301ĻL\u0327ĽL\u030CŃN\u0301ŅN\u0327ŇN\u030CŌO\u0304ŎO\u0306ŐO\u030BŔR\u0301ŖR\u0327ŘR\u030C" +
	"ŚS\u0301ŜS\u0302ŞS\u0327ŠS\u030CŢT\u0327ŤT\u030CŨU\u0303ŪU\u0304ŬU\u0306ŮU\u030AŰU\u030BŲU\u0328ŴW\u0302ŶY\u0302ŹZ\u0301ŻZ\u0307ŽZ\u030CØO\u0338ŁL\u0335ĐD\u0335ÆA\u0001ŒO\u0001"

// decompositions maps each accented letter to its base and accent.
var decompositions = func() map[rune][2]rune {
	table := map[rune][2]rune{'ß': {'s', 1}}
	runes := []rune(accented)
	for i := 0; i+2 < len(runes); i += 3 {
		table[runes[i]] = [2]rune{runes[i+1], runes[i+2]}
		if lower := unicode.ToLower(runes[i]); lower != 'i' {
			table[lower] = [2]rune{unicode.ToLower(runes[i+1]), runes[i+2]}
		}
	}
	return table
}()

// decompose splits an accented letter.
func decompose(r rune) (rune, string) {
	if r < 0xC0 {
		return r, ""
	}
	if d, ok := decompositions[r]; ok {
		return d[0], string(d[1])
	}
	return r, ""
}

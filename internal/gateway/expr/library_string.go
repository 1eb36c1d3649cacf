package expr

import (
	"slices"
	"strings"
	"unicode"
)

// comparison modes of System.StringComparison.
const (
	comparisonCulture           = 0
	comparisonCultureIgnoreCase = 1
	comparisonOrdinal           = 4
	comparisonOrdinalIgnore     = 5
)

// comparisonOf splits a StringComparison.
func comparisonOf(v Value) (ordinal, ignoreCase bool) {
	n := v.(Enum).n
	if n < 0 || n > comparisonOrdinalIgnore {
		throw("ArgumentException", "The string comparison type passed in is currently not supported. (Parameter 'comparisonType')")
	}
	return n >= comparisonOrdinal, n&1 == 1
}

// textArgument is a string argument that must not be null.
func textArgument(v Value, name string) string {
	s, ok := v.(string)
	if !ok {
		throwArgumentNull(name)
	}
	return s
}

// strings declares the instance members of System.String and all of System.Char and System.Boolean.
func (b *library) strings() {
	b.on("String").add("static string Empty", "")
	b.property("int Length", func(v Value) Value { return int32(lengthOf(v.(string))) })
	b.method("char this[int index]", func(a []Value) Value {
		c, ok := charAt(a[0].(string), intOf(a[1]))
		if !ok {
			throwIndexOutOfRange()
		}
		return c
	})
	b.native("new(char c, int count)", func(m *machine, a []Value) Value { return repeat(m, encodeUnit(rune(a[0].(Char))), intOf(a[1])) })
	b.native("new(char[] value)", func(m *machine, a []Value) Value {
		if a[0] == nil {
			return ""
		}
		return fromUnits(unitsOf(m, a[0]))
	})
	b.native("new(char[] value, int startIndex, int length)", func(m *machine, a []Value) Value {
		s, ok := slice(fromUnits(unitsOf(m, a[0])), intOf(a[1]), intOf(a[1])+intOf(a[2]))
		if !ok {
			throwOutOfRange(indexMessage, "startIndex")
		}
		return s
	})
	b.substrings()
	b.searches()
	b.splits()
	b.method("string Trim()", func(a []Value) Value { return strings.TrimFunc(a[0].(string), unicode.IsSpace) })
	b.method("string TrimStart()", func(a []Value) Value { return strings.TrimLeftFunc(a[0].(string), unicode.IsSpace) })
	b.method("string TrimEnd()", func(a []Value) Value { return strings.TrimRightFunc(a[0].(string), unicode.IsSpace) })
	for name, trim := range map[string]func(string, func(rune) bool) string{"Trim": strings.TrimFunc, "TrimStart": strings.TrimLeftFunc, "TrimEnd": strings.TrimRightFunc} {
		b.method("string "+name+"(char trimChar)", func(a []Value) Value { return trim(a[0].(string), func(r rune) bool { return r == rune(a[1].(Char)) }) })
		b.native("string "+name+"(params char[] trimChars)", func(m *machine, a []Value) Value {
			var set []uint16
			if a[1] != nil {
				set = unitsOf(m, a[1])
			}
			if len(set) == 0 {
				return trim(a[0].(string), unicode.IsSpace)
			}
			return trim(a[0].(string), func(r rune) bool { return r < 0x10000 && slices.Contains(set, uint16(r)) })
		})
	}
	for _, name := range []string{"ToUpper", "ToUpperInvariant"} {
		b.method("string "+name+"()", func(a []Value) Value { return upperText(a[0].(string)) })
	}
	for _, name := range []string{"ToLower", "ToLowerInvariant"} {
		b.method("string "+name+"()", func(a []Value) Value { return lowerText(a[0].(string)) })
	}
	b.method("string ToUpper(CultureInfo culture)", func(a []Value) Value { return upperText(a[0].(string)) })
	b.method("string ToLower(CultureInfo culture)", func(a []Value) Value { return lowerText(a[0].(string)) })
	b.method("string ToString(IFormatProvider provider)", func(a []Value) Value { return a[0] })
	for name, left := range map[string]bool{"PadLeft": true, "PadRight": false} {
		padding := func(m *machine, s string, width int, with string) Value {
			if width < 0 {
				throwOutOfRange("Non-negative number required.", "totalWidth")
			}
			fill := repeat(m, with, max(width-lengthOf(s), 0))
			if left {
				return m.concat(fill, s)
			}
			return m.concat(s, fill)
		}
		b.native("string "+name+"(int totalWidth)", func(m *machine, a []Value) Value { return padding(m, a[0].(string), intOf(a[1]), " ") })
		b.native("string "+name+"(int totalWidth, char paddingChar)", func(m *machine, a []Value) Value {
			return padding(m, a[0].(string), intOf(a[1]), encodeUnit(rune(a[2].(Char))))
		})
	}
	b.native("char[] ToCharArray()", func(m *machine, a []Value) Value { return arrayFrom(m.env.primitives[primChar], collect(m, a[0])) })
	b.method("string Normalize()", func(a []Value) Value { return a[0] })
	b.method("bool Equals(string value)", func(a []Value) Value { return a[0] == a[1] })
	b.method("bool Equals(string value, StringComparison comparisonType)", func(a []Value) Value { return equalText(a[0], a[1], a[2]) })
	b.method("int CompareTo(string value)", func(a []Value) Value { return int32(compareText(a[0], a[1], false, false)) })
	b.native("int CompareTo(object value)", compareToObject)
	b.chars()
	b.on("Boolean").add("static string TrueString", "True").add("static string FalseString", "False")
	b.method("static bool Parse(string value)", func(a []Value) Value {
		s := textArgument(a[0], "value")
		v, ok := parseBool(s)
		if !ok {
			throwFormat("String '" + s + "' was not recognized as a valid Boolean.")
		}
		return v
	})
	b.method("static bool TryParse(string value, out bool result)", func(a []Value) Value {
		v, ok := parseBool(optionalText(a[0]))
		a[1].(*reference).value = v
		return ok
	})
	b.method("string ToString(IFormatProvider provider)", func(a []Value) Value {
		if a[0].(bool) {
			return "True"
		}
		return "False"
	})
	b.native("int CompareTo(bool value)", func(m *machine, a []Value) Value { return int32(compareValues(m, a[0], a[1])) })
	b.method("bool Equals(bool value)", func(a []Value) Value { return a[0] == a[1] })
}

// repeat is s n times, under the budget.
func repeat(m *machine, s string, n int) string {
	if n < 0 {
		throwOutOfRange("Non-negative number required.", "count")
	}
	if n > 1<<28 {
		panic(&LimitError{Limit: "memory"})
	}
	m.charge(n * len(s))
	return strings.Repeat(s, n)
}

// unitsOf reads a sequence of chars.
func unitsOf(m *machine, v Value) []uint16 {
	var units []uint16
	iterate(m, v, func(c Value) bool {
		units = append(units, uint16(c.(Char)))
		return true
	})
	return units
}

// equalText is string.Equals by a StringComparison.
func equalText(x, y, mode Value) Value {
	ordinal, ignoreCase := comparisonOf(mode)
	s, ok := x.(string)
	t, ok2 := y.(string)
	if !ok || !ok2 {
		return x == y
	}
	switch {
	case !ordinal:
		return compareCulture(s, t, ignoreCase) == 0
	case ignoreCase:
		return upperText(s) == upperText(t)
	}
	return s == t
}

// compareText is string.Compare; null is least.
func compareText(x, y Value, ordinal, ignoreCase bool) int {
	s, ok := x.(string)
	t, ok2 := y.(string)
	switch {
	case !ok && !ok2:
		return 0
	case !ok:
		return -1
	case !ok2:
		return 1
	case !ordinal:
		return compareCulture(s, t, ignoreCase)
	case ignoreCase:
		s, t = upperText(s), upperText(t)
	}
	return compareOrdinal(s, t)
}

// compareOrdinal is the difference of the first code units that differ, or of the lengths.
func compareOrdinal(s, t string) int {
	x, y := utf16Units(s), utf16Units(t)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}

func (b *library) substrings() {
	cut := func(m *machine, s string, from, count int) Value {
		n := lengthOf(s)
		switch {
		case from > n:
			throwOutOfRange("startIndex cannot be larger than length of string.", "startIndex")
		case from < 0:
			throwOutOfRange("StartIndex cannot be less than zero.", "startIndex")
		case count < 0:
			throwOutOfRange("Length cannot be less than zero.", "length")
		case from+count > n:
			throwOutOfRange("Index and length must refer to a location within the string.", "length")
		}
		m.step(int64(len(s)) >> 8)
		t, _ := slice(s, from, from+count)
		return t
	}
	b.native("string Substring(int startIndex)", func(m *machine, a []Value) Value {
		s := a[0].(string)
		return cut(m, s, intOf(a[1]), max(lengthOf(s)-intOf(a[1]), 0))
	})
	b.native("string Substring(int startIndex, int length)", func(m *machine, a []Value) Value { return cut(m, a[0].(string), intOf(a[1]), intOf(a[2])) })
	remove := func(m *machine, s string, from, count int) Value {
		n := lengthOf(s)
		switch {
		case from < 0:
			throwOutOfRange("StartIndex cannot be less than zero.", "startIndex")
		case count < 0:
			throwOutOfRange("Count cannot be less than zero.", "count")
		case from > n:
			throwOutOfRange("startIndex must be less than length of string.", "startIndex")
		case from+count > n:
			throwOutOfRange("Index and count must refer to a location within the string.", "count")
		}
		head, _ := slice(s, 0, from)
		tail, _ := slice(s, from+count, n)
		return m.concat(head, tail)
	}
	b.native("string Remove(int startIndex)", func(m *machine, a []Value) Value {
		s := a[0].(string)
		return remove(m, s, intOf(a[1]), max(lengthOf(s)-intOf(a[1]), 0))
	})
	b.native("string Remove(int startIndex, int count)", func(m *machine, a []Value) Value { return remove(m, a[0].(string), intOf(a[1]), intOf(a[2])) })
	b.native("string Insert(int startIndex, string value)", func(m *machine, a []Value) Value {
		s, at := a[0].(string), intOf(a[1])
		value := textArgument(a[2], "value")
		if at < 0 || at > lengthOf(s) {
			throwOutOfRange("Index was out of range. Must be non-negative and less than or equal to the size of the collection.", "startIndex")
		}
		head, _ := slice(s, 0, at)
		tail, _ := slice(s, at, lengthOf(s))
		return m.concat(m.concat(head, value), tail)
	})
	replace := func(m *machine, s string, from Value, to string, ignoreCase bool) Value {
		old := textArgument(from, "oldValue")
		if old == "" {
			throw("ArgumentException", "The value cannot be an empty string. (Parameter 'oldValue')")
		}
		return replaceText(m, s, old, to, ignoreCase)
	}
	b.native("string Replace(char oldChar, char newChar)", func(m *machine, a []Value) Value {
		return replaceText(m, a[0].(string), encodeUnit(rune(a[1].(Char))), encodeUnit(rune(a[2].(Char))), false)
	})
	b.native("string Replace(string oldValue, string newValue)", func(m *machine, a []Value) Value { return replace(m, a[0].(string), a[1], optionalText(a[2]), false) })
	b.native("string Replace(string oldValue, string newValue, StringComparison comparisonType)", func(m *machine, a []Value) Value {
		_, ignoreCase := comparisonOf(a[3])
		return replace(m, a[0].(string), a[1], optionalText(a[2]), ignoreCase)
	})
}

// replaceText replaces all of old, under the budget.
func replaceText(m *machine, s, old, to string, ignoreCase bool) string {
	m.step(int64(len(s)) >> 6)
	where, find := s, old
	if ignoreCase {
		where, find = upperText(s), upperText(old)
		if len(where) != len(s) {
			where, find = s, old
		}
	}
	var out builder
	for {
		i := strings.Index(where, find)
		if i < 0 {
			if out.Len() == 0 {
				return s
			}
			out.write(m, s)
			return out.String()
		}
		out.write(m, s[:i])
		out.write(m, to)
		s, where = s[i+len(find):], where[i+len(find):]
		if s == "" {
			return out.String()
		}
	}
}

func (b *library) searches() {
	b.method("bool Contains(string value)", func(a []Value) Value { return strings.Contains(a[0].(string), textArgument(a[1], "value")) })
	b.method("bool Contains(char value)", func(a []Value) Value { return strings.Contains(a[0].(string), encodeUnit(rune(a[1].(Char)))) })
	b.method("bool Contains(string value, StringComparison comparisonType)", func(a []Value) Value {
		i, _ := find(a[0].(string), textArgument(a[1], "value"), a[2], false)
		return i >= 0
	})
	culture := Enum{b.env.named("StringComparison"), comparisonCulture}
	insensitive := Enum{culture.typ, comparisonCultureIgnoreCase}
	starts := func(s, value string, mode Value) bool {
		ordinal, ignoreCase := comparisonOf(mode)
		if value == "" {
			return true
		}
		if ordinal {
			return hasPrefix(s, value, ignoreCase)
		}
		i, _ := indexCulture(s, value, ignoreCase, false)
		return i == 0
	}
	ends := func(s, value string, mode Value) bool {
		ordinal, ignoreCase := comparisonOf(mode)
		switch {
		case value == "":
			return true
		case ordinal && ignoreCase:
			return strings.HasSuffix(upperText(s), upperText(value))
		case ordinal:
			return strings.HasSuffix(s, value)
		}
		_, end := indexCulture(s, value, ignoreCase, true)
		return end == len(s)
	}
	for name, test := range map[string]func(s, value string, mode Value) bool{"StartsWith": starts, "EndsWith": ends} {
		b.method("bool "+name+"(string value)", func(a []Value) Value { return test(a[0].(string), textArgument(a[1], "value"), culture) })
		b.method("bool "+name+"(string value, StringComparison comparisonType)", func(a []Value) Value { return test(a[0].(string), textArgument(a[1], "value"), a[2]) })
		b.method("bool "+name+"(string value, bool ignoreCase, CultureInfo culture)", func(a []Value) Value {
			if a[2].(bool) {
				return test(a[0].(string), textArgument(a[1], "value"), insensitive)
			}
			return test(a[0].(string), textArgument(a[1], "value"), culture)
		})
	}
	b.method("bool StartsWith(char value)", func(a []Value) Value { return strings.HasPrefix(a[0].(string), encodeUnit(rune(a[1].(Char)))) })
	b.method("bool EndsWith(char value)", func(a []Value) Value { return strings.HasSuffix(a[0].(string), encodeUnit(rune(a[1].(Char)))) })
	ordinal := Enum{culture.typ, comparisonOrdinal}
	for name, last := range map[string]bool{"IndexOf": false, "LastIndexOf": true} {
		b.method("int "+name+"(char value)", func(a []Value) Value {
			return search(a[0].(string), encodeUnit(rune(a[1].(Char))), ordinal, nil, nil, last)
		})
		b.method("int "+name+"(char value, int startIndex)", func(a []Value) Value {
			return search(a[0].(string), encodeUnit(rune(a[1].(Char))), ordinal, a[2], nil, last)
		})
		b.method("int "+name+"(char value, int startIndex, int count)", func(a []Value) Value {
			return search(a[0].(string), encodeUnit(rune(a[1].(Char))), ordinal, a[2], a[3], last)
		})
		b.method("int "+name+"(string value)", func(a []Value) Value {
			return search(a[0].(string), textArgument(a[1], "value"), culture, nil, nil, last)
		})
		b.method("int "+name+"(string value, int startIndex)", func(a []Value) Value {
			return search(a[0].(string), textArgument(a[1], "value"), culture, a[2], nil, last)
		})
		b.method("int "+name+"(string value, int startIndex, int count)", func(a []Value) Value {
			return search(a[0].(string), textArgument(a[1], "value"), culture, a[2], a[3], last)
		})
		b.method("int "+name+"(string value, StringComparison comparisonType)", func(a []Value) Value {
			return search(a[0].(string), textArgument(a[1], "value"), a[2], nil, nil, last)
		})
		b.method("int "+name+"(string value, int startIndex, StringComparison comparisonType)", func(a []Value) Value {
			return search(a[0].(string), textArgument(a[1], "value"), a[3], a[2], nil, last)
		})
		b.native("int "+name+"Any(char[] anyOf)", func(m *machine, a []Value) Value { return searchAny(m, a[0].(string), a[1], nil, last) })
		b.native("int "+name+"Any(char[] anyOf, int startIndex)", func(m *machine, a []Value) Value { return searchAny(m, a[0].(string), a[1], a[2], last) })
	}
}

func hasPrefix(s, prefix string, ignoreCase bool) bool {
	if ignoreCase {
		return strings.HasPrefix(upperText(s), upperText(prefix))
	}
	return strings.HasPrefix(s, prefix)
}

// find searches by a StringComparison and returns a byte range.
func find(s, value string, mode Value, last bool) (int, int) {
	ordinal, ignoreCase := comparisonOf(mode)
	if !ordinal {
		return indexCulture(s, value, ignoreCase, last)
	}
	if ignoreCase {
		if u := upperText(s); len(u) == len(s) {
			s, value = u, upperText(value)
		}
	}
	i := strings.Index(s, value)
	if last {
		i = strings.LastIndex(s, value)
	}
	return i, i + len(value)
}

// search is IndexOf or LastIndexOf within a part of s.
func search(s, value string, mode, start, count Value, last bool) Value {
	n := lengthOf(s)
	from, to := 0, n
	switch {
	case start != nil && !last:
		from = intOf(start)
		if from < 0 || from > n {
			throwOutOfRange("Index was out of range. Must be non-negative and less than or equal to the size of the collection.", "startIndex")
		}
		if count != nil {
			to = from + intOf(count)
		}
	case start != nil:
		at := intOf(start)
		if n == 0 && at <= 0 {
			at = -1
		}
		if at < -1 || at > n {
			throwOutOfRange("Index was out of range. Must be non-negative and less than or equal to the size of the collection.", "startIndex")
		}
		to = min(at+1, n)
		if count != nil {
			from = to - intOf(count)
		}
	}
	part, ok := slice(s, from, to)
	if !ok {
		throwOutOfRange("Count must be positive and count must refer to a location within the string/array/collection.", "count")
	}
	i, _ := find(part, value, mode, last)
	if i < 0 {
		return int32(-1)
	}
	return int32(from + unitOffset(part, i))
}

func searchAny(m *machine, s string, set, start Value, last bool) Value {
	if set == nil {
		throwArgumentNull("anyOf")
	}
	units, any := utf16Units(s), unitsOf(m, set)
	m.step(int64(len(units)))
	if last {
		i := len(units) - 1
		if start != nil {
			i = min(intOf(start), i)
		}
		for ; i >= 0; i-- {
			if slices.Contains(any, units[i]) {
				return int32(i)
			}
		}
		return int32(-1)
	}
	for i := max(intOf(start), 0); i < len(units); i++ {
		if slices.Contains(any, units[i]) {
			return int32(i)
		}
	}
	return int32(-1)
}

// Flags of System.StringSplitOptions.
const (
	splitRemoveEmpty = 1
	splitTrim        = 2
)

// stringStatics declares the static members of System.String.
func (b *library) stringStatics() {
	b.on("String")
	b.method("static bool IsNullOrEmpty(string value)", func(a []Value) Value { return optionalText(a[0]) == "" })
	b.method("static bool IsNullOrWhiteSpace(string value)", func(a []Value) Value { return strings.TrimFunc(optionalText(a[0]), unicode.IsSpace) == "" })
	b.method("static bool Equals(string a, string b)", func(a []Value) Value { return a[0] == a[1] })
	b.method("static bool Equals(string a, string b, StringComparison comparisonType)", func(a []Value) Value { return equalText(a[0], a[1], a[2]) })
	b.method("static int Compare(string a, string b)", func(a []Value) Value { return int32(compareText(a[0], a[1], false, false)) })
	b.method("static int Compare(string a, string b, bool ignoreCase)", func(a []Value) Value { return int32(compareText(a[0], a[1], false, a[2].(bool))) })
	b.method("static int Compare(string a, string b, StringComparison comparisonType)", func(a []Value) Value {
		ordinal, ignoreCase := comparisonOf(a[2])
		return int32(compareText(a[0], a[1], ordinal, ignoreCase))
	})
	b.method("static int CompareOrdinal(string a, string b)", func(a []Value) Value { return int32(compareText(a[0], a[1], true, false)) })
	b.method("static string Copy(string str)", func(a []Value) Value { return strings.Clone(textArgument(a[0], "str")) })
	b.native("static string Concat(object arg)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.native("static string Concat(params object[] args)", func(m *machine, a []Value) Value { return concatAll(m, a[0], "") })
	b.native("static string Concat(params string[] values)", func(m *machine, a []Value) Value { return concatAll(m, a[0], "") })
	b.native("static string Concat(IEnumerable<string> values)", func(m *machine, a []Value) Value { return concatAll(m, a[0], "") })
	b.native("static string Concat<T>(IEnumerable<T> values)", func(m *machine, a []Value) Value { return concatAll(m, a[0], "") })
	b.native("static string Join(string separator, params string[] value)", func(m *machine, a []Value) Value { return concatAll(m, a[1], optionalText(a[0])) })
	b.native("static string Join(string separator, params object[] values)", func(m *machine, a []Value) Value { return concatAll(m, a[1], optionalText(a[0])) })
	b.native("static string Join(string separator, IEnumerable<string> values)", func(m *machine, a []Value) Value { return concatAll(m, a[1], optionalText(a[0])) })
	b.native("static string Join<T>(string separator, IEnumerable<T> values)", func(m *machine, a []Value) Value { return concatAll(m, a[1], optionalText(a[0])) })
	b.native("static string Join(string separator, string[] value, int startIndex, int count)", func(m *machine, a []Value) Value {
		items := collect(m, a[1])
		from, to := intOf(a[2]), intOf(a[2])+intOf(a[3])
		if from < 0 || to < from || to > len(items) {
			throwOutOfRange(indexMessage, "startIndex")
		}
		return concatAll(m, arrayFrom(m.env.primitives[primString], items[from:to]), optionalText(a[0]))
	})
	b.native("static string Join(char separator, params string[] value)", func(m *machine, a []Value) Value { return concatAll(m, a[1], encodeUnit(rune(a[0].(Char)))) })
	b.native("static string Join(char separator, params object[] values)", func(m *machine, a []Value) Value { return concatAll(m, a[1], encodeUnit(rune(a[0].(Char)))) })
	b.native("static string Join<T>(char separator, IEnumerable<T> values)", func(m *machine, a []Value) Value { return concatAll(m, a[1], encodeUnit(rune(a[0].(Char)))) })
	format := func(m *machine, format Value, args []Value) Value {
		return m.formatComposite(textArgument(format, "format"), args)
	}
	b.native("static string Format(string format, object arg0)", func(m *machine, a []Value) Value { return format(m, a[0], a[1:2]) })
	b.native("static string Format(string format, object arg0, object arg1)", func(m *machine, a []Value) Value { return format(m, a[0], a[1:3]) })
	b.native("static string Format(string format, object arg0, object arg1, object arg2)", func(m *machine, a []Value) Value { return format(m, a[0], a[1:4]) })
	b.native("static string Format(string format, params object[] args)", func(m *machine, a []Value) Value {
		if a[1] == nil {
			throwArgumentNull("args")
		}
		return format(m, a[0], collect(m, a[1]))
	})
	b.native("static string Format(IFormatProvider provider, string format, params object[] args)", func(m *machine, a []Value) Value { return format(m, a[1], collect(m, a[2])) })
}

// concatAll joins the texts of a sequence.
func concatAll(m *machine, source Value, separator string) Value {
	if source == nil {
		throwArgumentNull("values")
	}
	var out builder
	first := true
	iterate(m, source, func(v Value) bool {
		m.step(1)
		if !first && separator != "" {
			out.write(m, separator)
		}
		first = false
		out.write(m, m.text(v))
		return true
	})
	return out.String()
}

package expr

import (
	"math/big"
	"strings"
)

// builder collects text under the memory budget.
type builder struct{ strings.Builder }

// write appends s; two halves of a character that meet become one.
func (b *builder) write(m *machine, s string) {
	m.charge(len(s))
	if len(s) >= 3 && s[0] == 0xED && surrogateAt(s) != 0 && b.Len() >= 3 {
		text := joinText(b.String(), s)
		b.Reset()
		b.WriteString(text)
		return
	}
	b.WriteString(s)
}

// concat joins two strings under the budget.
func (m *machine) concat(a, b string) string {
	m.charge(len(a) + len(b))
	return joinText(a, b)
}

// plainText is the text of a constant, which needs no machine.
func plainText(v Value) string {
	s, _ := v.(string)
	return s
}

// textual is a value with a ToString of its own.
type textual interface{ text(m *machine) string }

// formattable is a value with ToString(format).
type formattable interface {
	format(m *machine, format string) string
}

// text is what ToString() gives and + and interpolation insert; nothing for null.
func (m *machine) text(v Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case Char:
		return encodeUnit(rune(v))
	case Enum:
		return v.String()
	case *big.Int:
		m.charge(v.BitLen() / 3)
		return v.String()
	case textual:
		m.enterCall()
		s := v.text(m)
		m.leaveCall()
		return s
	case formattable:
		return v.format(m, "")
	}
	if primitiveOf(v).numeric() {
		return formatNumber(v, "")
	}
	if d, ok := v.(Decimal); ok {
		return d.String()
	}
	return m.env.typeOf(v).reflectionName()
}

// format is the text of a value under a format of a composite string or of ToString.
func (m *machine) format(v Value, format string) string {
	if format == "" || v == nil {
		return m.text(v)
	}
	switch v := v.(type) {
	case Enum:
		return v.format(m, format)
	case formattable:
		return v.format(m, format)
	}
	if primitiveOf(v).numeric() && primitiveOf(v) != primChar {
		m.charge(len(format))
		return formatNumber(v, format)
	}
	return m.text(v)
}

// pad aligns text: to the right for a positive width, to the left for a negative one.
func pad(m *machine, s string, width int) string {
	n := width
	if n < 0 {
		n = -n
	}
	missing := n - lengthOf(s)
	if missing <= 0 {
		return s
	}
	m.charge(missing)
	if width > 0 {
		return strings.Repeat(" ", missing) + s
	}
	return s + strings.Repeat(" ", missing)
}

func throwFormat(message string) { throw("FormatException", message) }

// formatComposite is string.Format.
func (m *machine) formatComposite(format string, args []Value) string {
	var out builder
	fail := func(at int, why string) {
		throwFormat("Input string was not in a correct format. Failure to parse near offset " + itoa(at) + ". " + why)
	}
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case c == '{' && i+1 < len(format) && format[i+1] == '{', c == '}' && i+1 < len(format) && format[i+1] == '}':
			out.write(m, string(c))
			i += 2
			continue
		case c == '}':
			fail(i+1, "Unexpected closing brace without a corresponding opening brace.")
		case c != '{':
			n := strings.IndexAny(format[i:], "{}")
			if n < 0 {
				n = len(format) - i
			}
			out.write(m, format[i:i+n])
			i += n
			continue
		}
		i++
		index, start := 0, i
		for i < len(format) && isDigit(format[i]) {
			index = min(index*10+int(format[i]-'0'), 1_000_000)
			i++
		}
		if i == start {
			if i >= len(format) {
				fail(i, "Format item ends prematurely.")
			}
			fail(i, "Expected an ASCII digit.")
		}
		skip := func() {
			for i < len(format) && format[i] == ' ' {
				i++
			}
		}
		skip()
		width := 0
		if i < len(format) && format[i] == ',' {
			i++
			skip()
			sign := 1
			if i < len(format) && format[i] == '-' {
				sign = -1
				i++
			}
			from := i
			for i < len(format) && isDigit(format[i]) {
				width = min(width*10+int(format[i]-'0'), 1_000_000)
				i++
			}
			if from == i {
				fail(i, "Expected an ASCII digit.")
			}
			width *= sign
			skip()
		}
		item := ""
		if i < len(format) && format[i] == ':' {
			end := strings.IndexByte(format[i:], '}')
			if end < 0 {
				fail(len(format), "Format item ends prematurely.")
			}
			item = format[i+1 : i+end]
			i += end
		}
		if i >= len(format) {
			fail(i, "Format item ends prematurely.")
		}
		if format[i] != '}' {
			fail(i+1, "Unclosed format item.")
		}
		i++
		if index >= len(args) {
			throwFormat("Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
		}
		out.write(m, pad(m, m.format(args[index], item), width))
	}
	return out.String()
}

// String is the name of an enum value, names of flags, or the number.
func (v Enum) String() string {
	names := v.typ.values
	for i, n := range names.values {
		if n == v.n {
			return names.names[i]
		}
	}
	if names.flags && v.n > 0 {
		var parts []string
		rest := v.n
		for i := len(names.values) - 1; i >= 0; i-- {
			if n := names.values[i]; n != 0 && rest&n == n {
				parts = append([]string{names.names[i]}, parts...)
				rest &^= n
			}
		}
		if rest == 0 {
			return strings.Join(parts, ", ")
		}
	}
	return formatNumber(v.n, "")
}

func (v Enum) format(_ *machine, format string) string {
	switch format {
	case "D", "d":
		return formatNumber(v.n, "")
	case "X", "x":
		return formatNumber(v.n, "X8")
	case "G", "g", "F", "f", "":
		return v.String()
	}
	throwFormat("Format string can be only \"G\", \"g\", \"X\", \"x\", \"F\", \"f\", \"D\" or \"d\".")
	return ""
}

func (v *anonymousValue) text(m *machine) string {
	var out builder
	out.write(m, "{ ")
	for i, f := range v.typ.fields {
		if i > 0 {
			out.write(m, ", ")
		}
		out.write(m, f.name+" = "+m.text(v.values[i]))
	}
	out.write(m, " }")
	return out.String()
}

func (v *tupleValue) text(m *machine) string {
	var out builder
	out.write(m, "(")
	for i, x := range v.values {
		if i > 0 {
			out.write(m, ", ")
		}
		out.write(m, m.text(x))
	}
	out.write(m, ")")
	return out.String()
}

func (p *keyValue) text(m *machine) string { return "[" + m.text(p.key) + ", " + m.text(p.value) + "]" }

func (v *typeValue) text(*machine) string { return v.typ.reflectionName() }

func (e *Exception) text(*machine) string {
	s := e.Type + ": " + e.Message
	if e.inner != nil {
		s += " ---> " + e.inner.Type + ": " + e.inner.Message + "\n   --- End of inner exception stack trace ---"
	}
	return s
}

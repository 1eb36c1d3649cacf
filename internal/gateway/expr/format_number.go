package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// digits is a number as decimal digits: 0.d1d2d3… × 10^point, without leading zeros.
type digits struct {
	negative bool
	text     string
	point    int
	binary   bool // a float or double, whose exact value the digits are
}

// formatNumber is ToString(format) of a numeric type by the invariant culture.
func formatNumber(v Value, format string) string {
	if f, ok := floatValue(v); ok {
		switch {
		case math.IsNaN(f):
			return "NaN"
		case math.IsInf(f, 1):
			return "Infinity"
		case math.IsInf(f, -1):
			return "-Infinity"
		}
	}
	if format == "" {
		return generalText(v)
	}
	letter, precision, standard := standardFormat(format)
	if !standard {
		return customNumber(v, format)
	}
	switch letter {
	case 'G', 'g':
		return generalFormat(v, letter, precision)
	case 'D', 'd', 'X', 'x', 'B', 'b':
		return integerFormat(v, letter, precision)
	case 'R', 'r':
		if _, _, whole := wholeNumber(v); whole {
			throwFormat("Format specifier was invalid.")
		}
		return generalText(v)
	}
	switch letter {
	case 'F', 'f':
		return fixedText(v, orDefault(precision, 2), false)
	case 'N', 'n':
		return fixedText(v, orDefault(precision, 2), true)
	case 'C', 'c':
		text := fixedText(v, orDefault(precision, 2), true)
		if rest, ok := strings.CutPrefix(text, "-"); ok {
			return "(¤" + rest + ")"
		}
		return "¤" + text
	case 'P', 'p':
		d := digitsOf(v)
		d.point += 2
		return signed(d.negative, d.fixed(orDefault(precision, 2)), true) + " %"
	case 'E', 'e':
		return exponentText(digitsOf(v), letter, orDefault(precision, 6), 3)
	}
	throwFormat("Format specifier was invalid.")
	return ""
}

func floatValue(v Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	}
	return 0, false
}

func orDefault(precision, standard int) int {
	if precision < 0 {
		return standard
	}
	return precision
}

// standardFormat splits a letter and up to nine digits of precision.
func standardFormat(format string) (letter byte, precision int, ok bool) {
	c := format[0] | 0x20
	if c < 'a' || c > 'z' {
		return 0, 0, false
	}
	precision = -1
	if len(format) > 1 {
		n, err := strconv.Atoi(format[1:])
		if err != nil || n < 0 || format[1] == '+' || len(format) > 10 {
			return 0, 0, false
		}
		precision = n
	}
	if precision > 999 {
		// .NET allows 999,999,999; nothing that fits in a header needs more than this.
		throwFormat("Format specifier was invalid.")
	}
	return format[0], precision, true
}

// generalText is ToString() without a format.
func generalText(v Value) string {
	switch v := v.(type) {
	case float64:
		return shortest(v, 64)
	case float32:
		return shortest(float64(v), 32)
	case Decimal:
		return v.String()
	case uint64:
		return strconv.FormatUint(v, 10)
	case *big.Int:
		return v.String()
	}
	n, _, _ := wholeNumber(v)
	return strconv.FormatInt(n, 10)
}

// shortest is the shortest text that reads back as the same number, with an exponent outside of 1E-05 to 1E+15 digits.
func shortest(f float64, bits int) string {
	if f == 0 {
		if math.Signbit(f) {
			return "-0"
		}
		return "0"
	}
	s := strconv.FormatFloat(f, 'e', -1, bits)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	// .NET writes an exponent where the number has more digits before the point than its type needs to round-trip.
	limit := 16
	if bits == 32 {
		limit = 8
	}
	if e >= -4 && e <= limit {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	sign := "+"
	if e < 0 {
		sign, e = "-", -e
	}
	text := strconv.Itoa(e)
	if e < 10 {
		text = "0" + text
	}
	return mantissa + "E" + sign + text
}

// digitsOf expands a number into exact decimal digits.
func digitsOf(v Value) digits {
	var text string
	scale := 0
	d := digits{}
	switch v := v.(type) {
	case float64, float32:
		f, _ := floatValue(v)
		d.binary = true
		d.negative = math.Signbit(f)
		// The exact value, for precision beyond the shortest text.
		s := new(big.Float).SetFloat64(math.Abs(f)).Text('e', 800)
		if x, ok := v.(float32); ok {
			s = strconv.FormatFloat(math.Abs(float64(x)), 'e', -1, 32)
		}
		mantissa, exponent, _ := strings.Cut(s, "e")
		e, _ := strconv.Atoi(exponent)
		whole, fraction, _ := strings.Cut(mantissa, ".")
		text = whole + strings.TrimRight(fraction, "0")
		scale = len(text) - 1 - e
	case Decimal:
		text, scale, d.negative = v.coefficient().String(), int(v.scale), v.negative
	case uint64:
		text = strconv.FormatUint(v, 10)
	case *big.Int:
		text, d.negative = new(big.Int).Abs(v).String(), v.Sign() < 0
	default:
		n, _, _ := wholeNumber(v)
		text = strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
		d.negative = n < 0
	}
	trimmed := strings.TrimLeft(text, "0")
	d.point = len(trimmed) - scale
	d.text = trimmed
	if trimmed == "" {
		d.point = 0
	}
	return d
}

// round cuts to n digits after the leading position of the first digit, rounding halves away from zero in decimal digits; a binary number's
// digits are exact, so a half is one only where it truly is, and then .NET rounds it to even in its standard formats.
func (d digits) round(n int, even bool) digits {
	if n >= len(d.text) {
		return d
	}
	if n < 0 {
		return digits{negative: d.negative, binary: d.binary}
	}
	up := d.text[n] >= '5'
	if even && d.text[n] == '5' && strings.Trim(d.text[n+1:], "0") == "" {
		up = n > 0 && (d.text[n-1]-'0')%2 == 1
	}
	out := []byte(d.text[:n])
	if up {
		i := n - 1
		for ; i >= 0 && out[i] == '9'; i-- {
			out[i] = '0'
		}
		if i < 0 {
			out = append([]byte{'1'}, out...)
			d.point++
		} else {
			out[i]++
		}
	}
	d.text = strings.TrimRight(string(out), "0")
	if d.text == "" {
		d.point = 0
	}
	return d
}

// fixed is the number with exactly the given places, without sign and groups.
func (d digits) fixed(places int) string {
	d = d.round(d.point+places, d.binary)
	var b strings.Builder
	for i := 0; i < max(d.point, 1); i++ {
		b.WriteByte(d.digit(i - max(1-d.point, 0)))
	}
	if d.point > 0 {
		b.Reset()
		for i := range d.point {
			b.WriteByte(d.digit(i))
		}
	}
	if places > 0 {
		b.WriteByte('.')
		for i := range places {
			b.WriteByte(d.digit(d.point + i))
		}
	}
	return b.String()
}

// digit is the i-th digit of the text, 0 outside.
func (d digits) digit(i int) byte {
	if i < 0 || i >= len(d.text) {
		return '0'
	}
	return d.text[i]
}

// signed puts groups of three and a sign. .NET keeps the sign of a negative double that rounds to zero, and drops that of a decimal.
func signed(negative bool, text string, groups bool) string {
	if groups {
		text = groupDigits(text)
	}
	if negative {
		return "-" + text
	}
	return text
}

func groupDigits(text string) string {
	whole, fraction, point := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + fraction
	}
	return whole
}

func fixedText(v Value, places int, groups bool) string {
	d := digitsOf(v)
	text := d.fixed(places)
	negative := d.negative
	if !d.binary && strings.Trim(text, "0.") == "" {
		negative = false
	}
	return signed(negative, text, groups)
}

// exponentText is d.ddde+003.
func exponentText(d digits, letter byte, precision, width int) string {
	d = d.round(precision+1, d.binary)
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	b.WriteByte(d.digit(0))
	if precision > 0 {
		b.WriteByte('.')
		for i := range precision {
			b.WriteByte(d.digit(1 + i))
		}
	}
	e := d.point - 1
	if d.text == "" {
		e = 0
	}
	b.WriteByte(letter)
	writeExponent(&b, e, width, true)
	return b.String()
}

func writeExponent(b *strings.Builder, e, width int, plus bool) {
	if e < 0 {
		b.WriteByte('-')
		e = -e
	} else if plus {
		b.WriteByte('+')
	}
	text := strconv.Itoa(e)
	for n := len(text); n < width; n++ {
		b.WriteByte('0')
	}
	b.WriteString(text)
}

// generalFormat is G with a precision.
func generalFormat(v Value, letter byte, precision int) string {
	if precision <= 0 {
		return generalText(v)
	}
	d := digitsOf(v).round(precision, false)
	e := d.point - 1
	if d.text == "" {
		return "0"
	}
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	if e >= precision || e < -4 {
		b.WriteByte(d.digit(0))
		if len(d.text) > 1 {
			b.WriteString("." + d.text[1:])
		}
		b.WriteByte(letter - 'G' + 'E')
		writeExponent(&b, e, 2, true)
		return b.String()
	}
	b.WriteString(d.fixed(max(len(d.text)-d.point, 0)))
	return b.String()
}

// integerFormat is D and X.
func integerFormat(v Value, letter byte, precision int) string {
	n, large, whole := wholeNumber(v)
	if !whole {
		throwFormat("Format specifier was invalid.")
	}
	var text string
	negative := false
	if letter == 'D' || letter == 'd' {
		negative = n < 0 && large == 0
		text = strings.TrimPrefix(generalText(v), "-")
	} else {
		bits := uint64(n)
		switch primitiveOf(v) {
		case primSByte:
			bits &= 0xFF
		case primShort:
			bits &= 0xFFFF
		case primInt:
			bits &= 0xFFFFFFFF
		}
		base := 16
		if letter|0x20 == 'b' {
			base = 2
		}
		text = strconv.FormatUint(bits, base)
		if letter == 'X' {
			text = strings.ToUpper(text)
		}
	}
	if len(text) < precision {
		text = strings.Repeat("0", precision-len(text)) + text
	}
	return signed(negative, text, false)
}

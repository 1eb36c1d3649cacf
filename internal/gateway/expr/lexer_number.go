package expr

import (
	"math"
	"strconv"
	"strings"
)

// number reads a numeric literal: decimal, hexadecimal or binary, with separators and suffixes.
func (l *lexer) number() token {
	start := l.pos
	if l.peek(0) == '0' && (l.peek(1) == 'x' || l.peek(1) == 'X' || l.peek(1) == 'b' || l.peek(1) == 'B') {
		return l.radixNumber(start)
	}
	digits := l.digits()
	real := false
	if l.peek(0) == '.' && isDigit(l.peek(1)) {
		l.pos++
		digits += "." + l.digits()
		real = true
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if l.peek(1) == '+' || l.peek(1) == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			digits += l.src[l.pos : l.pos+n]
			l.pos += n
			digits += l.digits()
			real = true
		}
	}
	suffix := l.suffix("fFdDmM")
	if suffix == "" && !real {
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			l.fail(start, "CS1021", "integral constant is too large")
		}
		return l.integer(start, n)
	}
	var value Value
	switch strings.ToLower(suffix) {
	case "f":
		n, err := strconv.ParseFloat(digits, 32)
		if err != nil {
			l.fail(start, "CS0594", "floating-point constant is outside the range of type 'float'")
		}
		value = float32(n)
	case "m":
		n, ok := parseDecimalLiteral(digits)
		if !ok {
			l.fail(start, "CS0594", "constant is outside the range of type 'decimal'")
		}
		value = n
	default:
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil && math.IsInf(n, 0) {
			l.fail(start, "CS0594", "floating-point constant is outside the range of type 'double'")
		}
		value = n
	}
	return l.numberEnd(start, value)
}

// digits reads decimal digits with separators.
func (l *lexer) digits() string {
	start := l.pos
	for isDigit(l.peek(0)) || l.peek(0) == '_' {
		l.pos++
	}
	text := l.src[start:l.pos]
	if strings.HasSuffix(text, "_") {
		l.fail(start, "CS1013", "invalid number")
	}
	return strings.ReplaceAll(text, "_", "")
}

func (l *lexer) suffix(set string) string {
	if c := l.peek(0); c != 0 && strings.IndexByte(set, c) >= 0 {
		l.pos++
		return string(c)
	}
	return ""
}

// radixNumber reads 0x… or 0b….
func (l *lexer) radixNumber(start int) token {
	base := 16
	if c := l.peek(1); c == 'b' || c == 'B' {
		base = 2
	}
	l.pos += 2
	from := l.pos
	for isHex(l.peek(0)) || l.peek(0) == '_' {
		l.pos++
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(l.src[from:l.pos], "_", ""), base, 64)
	if err != nil {
		l.fail(start, "CS1013", "invalid number")
	}
	return l.integer(start, n)
}

// integer gives an integer literal its type: the first of int, uint, long and ulong that holds it and that its suffix allows.
func (l *lexer) integer(start int, n uint64) token {
	suffix := l.suffix("uUlL")
	if suffix != "" {
		if more := l.suffix("uUlL"); !strings.EqualFold(more, suffix) {
			suffix += more
		} else if more != "" {
			l.fail(start, "CS1013", "invalid number")
		}
	}
	suffix = strings.ToLower(suffix)
	unsigned, long := strings.Contains(suffix, "u"), strings.Contains(suffix, "l")
	switch {
	case !unsigned && !long && n <= math.MaxInt32:
		return l.numberEnd(start, int32(n))
	case !long && n <= math.MaxUint32:
		return l.numberEnd(start, uint32(n))
	case !unsigned && n <= math.MaxInt64:
		return l.numberEnd(start, int64(n))
	}
	return l.numberEnd(start, n)
}

func (l *lexer) numberEnd(start int, value Value) token {
	if name := l.identifier(); name != "" {
		l.fail(start, "CS1002", "unexpected '%s' after a number", name)
	}
	return token{kind: numberToken, start: start, end: l.pos, value: value}
}

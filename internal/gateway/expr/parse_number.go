package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Flags of System.Globalization.NumberStyles.
const (
	styleLeadingWhite  = 1
	styleTrailingWhite = 2
	styleLeadingSign   = 4
	styleTrailingSign  = 8
	styleParentheses   = 16
	stylePoint         = 32
	styleThousands     = 64
	styleExponent      = 128
	styleCurrency      = 256
	styleHex           = 512
	styleInteger       = styleLeadingWhite | styleTrailingWhite | styleLeadingSign
	styleNumber        = styleInteger | styleTrailingSign | stylePoint | styleThousands
	styleFloat         = styleInteger | stylePoint | styleExponent
)

// scanNumber reads a number by a style into a plain decimal text (sign, digits, point, exponent).
func scanNumber(s string, style int) (string, bool) {
	s = strings.TrimRight(s, "\x00")
	if style&styleLeadingWhite != 0 {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
	}
	if style&styleTrailingWhite != 0 {
		s = strings.TrimRight(s, " \t\n\v\f\r")
	}
	negative := false
	if style&styleParentheses != 0 && strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s, negative = s[1:len(s)-1], true
	}
	if style&styleCurrency != 0 {
		s = strings.Replace(s, "¤", "", 1)
	}
	if style&styleLeadingSign != 0 && !negative {
		if rest, ok := strings.CutPrefix(s, "-"); ok {
			s, negative = rest, true
		} else if rest, ok := strings.CutPrefix(s, "+"); ok {
			s = rest
		}
	}
	if style&styleTrailingSign != 0 && len(s) > 0 && (s[len(s)-1] == '-' || s[len(s)-1] == '+') && !negative {
		negative = s[len(s)-1] == '-'
		s = s[:len(s)-1]
	}
	var out strings.Builder
	if negative {
		out.WriteByte('-')
	}
	digitsSeen, point := false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isDigit(c):
			digitsSeen = true
			out.WriteByte(c)
		case c == ',' && style&styleThousands != 0 && digitsSeen && !point:
		case c == '.' && style&stylePoint != 0 && !point:
			point = true
			out.WriteByte('.')
		case (c == 'e' || c == 'E') && style&styleExponent != 0 && digitsSeen:
			rest := s[i+1:]
			digits := strings.TrimLeft(rest, "+-")
			if len(rest)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
				return "", false
			}
			if len(digits) > 9 {
				rest = rest[:len(rest)-len(digits)] + "999999999"
			}
			out.WriteString("e" + rest)
			return out.String(), true
		default:
			return "", false
		}
	}
	return out.String(), digitsSeen
}

// parseResult says how parsing a number went.
type parseResult uint8

const (
	parsed parseResult = iota
	badFormat
	tooLarge
)

// parseInteger reads an integer of a type.
func parseInteger(s string, style int, p primitive) (Value, parseResult) {
	if style&styleHex != 0 {
		return parseHex(s, style, p)
	}
	text, ok := scanNumber(s, style)
	if !ok {
		return nil, badFormat
	}
	negative := strings.HasPrefix(text, "-")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if strings.Trim(fraction, "0") != "" {
		return nil, tooLarge
	}
	if whole, exponent, ok := strings.Cut(whole, "e"); ok {
		d, good := parseDecimalLiteral(whole + "e" + exponent)
		if !good || d.compare(d.truncate()) != 0 {
			return nil, tooLarge
		}
		return parseInteger(d.truncate().String(), styleInteger, p)
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		return numberFromInt(0, p), parsed
	}
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return nil, tooLarge
	}
	least, most := integerRange(p)
	if negative {
		if least == 0 || n > uint64(-(least+1))+1 {
			return nil, tooLarge
		}
		return numberFromInt(-int64(n), p), parsed
	}
	if n > most {
		return nil, tooLarge
	}
	if p == primULong {
		return n, parsed
	}
	return numberFromInt(int64(n), p), parsed
}

func parseHex(s string, style int, p primitive) (Value, parseResult) {
	if style&styleLeadingWhite != 0 {
		s = strings.TrimLeft(s, " \t\n\v\f\r")
	}
	if style&styleTrailingWhite != 0 {
		s = strings.TrimRight(s, " \t\n\v\f\r")
	}
	if s == "" || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return nil, badFormat
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return nil, tooLarge
	}
	width := map[primitive]int{primSByte: 8, primByte: 8, primShort: 16, primUShort: 16, primInt: 32, primUInt: 32}[p]
	if width != 0 && n>>width != 0 {
		return nil, tooLarge
	}
	if p == primULong {
		return n, parsed
	}
	return numberFromInt(int64(n), p), parsed
}

// parseFloat reads a float or double.
func parseFloat(s string, style int, p primitive) (Value, parseResult) {
	text, ok := scanNumber(s, style)
	if !ok {
		word := strings.TrimSpace(s)
		f := 0.0
		switch strings.ToLower(word) {
		case "nan", "-nan", "+nan":
			f = math.NaN()
		case "infinity", "+infinity", "∞":
			f = math.Inf(1)
		case "-infinity", "-∞":
			f = math.Inf(-1)
		default:
			return nil, badFormat
		}
		return convertNumber(f, p, false), parsed
	}
	bits := 64
	if p == primFloat {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil && !math.IsInf(f, 0) {
		return nil, badFormat
	}
	return convertNumber(f, p, false), parsed
}

// parseDecimal reads a decimal; trailing zeros are kept.
func parseDecimal(s string, style int) (Value, parseResult) {
	text, ok := scanNumber(s, style)
	if !ok {
		return nil, badFormat
	}
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "-.") {
		text = strings.Replace(text, ".", "0.", 1)
	}
	d, ok := parseDecimalLiteral(text)
	if !ok {
		return nil, tooLarge
	}
	return d, parsed
}

// parseNumber reads a number of any type.
func parseNumber(s string, style int, p primitive) (Value, parseResult) {
	switch p {
	case primFloat, primDouble:
		return parseFloat(s, style, p)
	case primDecimal:
		return parseDecimal(s, style)
	}
	return parseInteger(s, style, p)
}

// mustParse is parseNumber that throws as Parse does.
func mustParse(s string, style int, p primitive) Value {
	v, result := parseNumber(s, style, p)
	switch result {
	case badFormat:
		throwFormat("The input string '" + s + "' was not in a correct format.")
	case tooLarge:
		throwTooLarge(p)
	}
	return v
}

// standardStyle is the style that Parse uses without one.
func standardStyle(p primitive) int {
	switch p {
	case primFloat, primDouble:
		return styleFloat | styleThousands
	case primDecimal:
		return styleNumber
	}
	return styleInteger
}

// bigFrom makes a whole number of a JSON text that no int64 holds.
func bigFrom(s string) (*big.Int, bool) { return new(big.Int).SetString(s, 10) }

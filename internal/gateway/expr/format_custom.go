package expr

import "strings"

// numberSection is a section of a custom numeric format.
type numberSection struct {
	items          []formatItem
	wholeDigits    int // digit places before the point
	fractionDigits int
	firstZero      int // whole places from the first 0 on
	lastZero       int // fraction places up to the last 0
	group          bool
	scale          int // powers of ten to multiply with
	exponent       *exponentItem
}

type exponentItem struct {
	letter byte
	plus   bool
	width  int
}

// formatItem is a literal, a digit place, the point, or the exponent.
type formatItem struct {
	kind byte // 'l' literal, '0', '#', '.', 'e'
	text string
}

// splitSections splits a custom format at its semicolons.
func splitSections(format string) []string {
	var parts []string
	start := 0
	quote := byte(0)
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ';':
			parts = append(parts, format[start:i])
			start = i + 1
		}
	}
	return append(parts, format[start:])
}

// parseSection reads one section.
func parseSection(format string) *numberSection {
	s := &numberSection{}
	point := false
	zeroSeen := false
	pendingCommas := 0
	literal := func(text string) { s.items = append(s.items, formatItem{'l', text}) }
	for i := 0; i < len(format); i++ {
		c := format[i]
		if (c == '0' || c == '#' || c == '.') && pendingCommas > 0 {
			if c != '.' && s.wholeDigits > 0 && !point {
				s.group = true
			} else if c == '.' {
				s.scale -= 3 * pendingCommas
			}
			pendingCommas = 0
		}
		switch c {
		case '0', '#':
			s.items = append(s.items, formatItem{kind: c})
			switch {
			case point:
				s.fractionDigits++
				if c == '0' {
					s.lastZero = s.fractionDigits
				}
			default:
				s.wholeDigits++
				zeroSeen = zeroSeen || c == '0'
				if zeroSeen {
					s.firstZero++
				}
			}
		case '.':
			if !point {
				s.items = append(s.items, formatItem{kind: '.'})
			}
			point = true
		case ',':
			if s.wholeDigits > 0 && !point {
				pendingCommas++
			}
		case '%':
			s.scale += 2
			literal("%")
		case '\\':
			i++
			if i < len(format) {
				literal(format[i : i+1])
			}
		case '\'', '"':
			end := strings.IndexByte(format[i+1:], c)
			if end < 0 {
				end = len(format) - i - 1
			}
			literal(format[i+1 : min(i+1+end, len(format))])
			i += end + 1
		case 'e', 'E':
			rest := format[i+1:]
			plus := strings.HasPrefix(rest, "+")
			skip := 0
			if plus || strings.HasPrefix(rest, "-") {
				skip = 1
			}
			zeros := len(rest[skip:]) - len(strings.TrimLeft(rest[skip:], "0"))
			if zeros == 0 || s.exponent != nil {
				literal(string(c))
				continue
			}
			s.exponent = &exponentItem{c, plus, zeros}
			s.items = append(s.items, formatItem{kind: 'e'})
			i += skip + zeros
		case 0xE2:
			if strings.HasPrefix(format[i:], "‰") {
				s.scale += 3
				literal("‰")
				i += 2
				continue
			}
			literal(string([]byte{c}))
		default:
			literal(string([]byte{c}))
		}
	}
	s.scale -= 3 * pendingCommas
	return s
}

// customNumber is a custom numeric format such as #,##0.00.
func customNumber(v Value, format string) string {
	sections := splitSections(format)
	d := digitsOf(v)
	if d.binary {
		// Custom formats of a double see 15 digits, rounded away from zero.
		d = d.round(15, false)
	}
	pick := 0
	switch {
	case d.text == "" && len(sections) > 2:
		pick = 2
	case d.negative && d.text != "" && len(sections) > 1 && sections[1] != "":
		pick = 1
	}
	s := parseSection(sections[pick])
	text, zero := s.render(d, pick)
	if zero && d.text != "" && len(sections) > 2 && pick != 2 {
		text, _ = parseSection(sections[2]).render(digits{}, 2)
	}
	return text
}

// render writes the digits into a section.
func (s *numberSection) render(d digits, section int) (string, bool) {
	exponent := 0
	if s.exponent != nil {
		if d.text != "" {
			exponent = d.point - max(s.wholeDigits, 0)
			d.point -= exponent
			before := d
			d = d.round(d.point+s.fractionDigits, false)
			if d.point > before.point {
				exponent++
				d.point--
			}
		}
	} else {
		if d.text != "" {
			d.point += s.scale
		}
		d = d.round(d.point+s.fractionDigits, false)
	}
	zero := d.text == ""
	if zero {
		d.point = 0
	}
	// The whole part takes the places given and more on the left; leading zeros come from 0 places.
	whole := ""
	for i := range max(d.point, 0) {
		whole += string(d.digit(i))
	}
	for len(whole) < s.firstZero {
		whole = "0" + whole
	}
	fraction := ""
	for i := range s.fractionDigits {
		fraction += string(d.digit(d.point + i))
	}
	for len(fraction) > s.lastZero && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	return s.layout(d.negative && section == 0 && (!zero || d.binary), whole, fraction, exponent), zero
}

// layout puts digits and literals together.
func (s *numberSection) layout(negative bool, whole, fraction string, exponent int) string {
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	place, fractionPlace := 0, 0
	// Digits that the places do not hold stand before the first place.
	extra := len(whole) - s.wholeDigits
	write := func(n int) {
		for range n {
			if len(whole) == 0 {
				return
			}
			b.WriteByte(whole[0])
			whole = whole[1:]
			if s.group && len(whole) > 0 && len(whole)%3 == 0 {
				b.WriteByte(',')
			}
		}
	}
	point := false
	for _, item := range s.items {
		switch item.kind {
		case 'l':
			b.WriteString(item.text)
		case '0', '#':
			if point {
				if fractionPlace < len(fraction) {
					b.WriteByte(fraction[fractionPlace])
				}
				fractionPlace++
				continue
			}
			if place == 0 && extra > 0 {
				write(extra)
			}
			place++
			if len(whole) >= s.wholeDigits-place+1 {
				write(1)
			}
		case '.':
			if s.wholeDigits == 0 {
				b.WriteString(whole)
				whole = ""
			}
			point = true
			if fraction != "" {
				b.WriteByte('.')
			}
		case 'e':
			b.WriteByte(s.exponent.letter)
			writeExponent(&b, exponent, s.exponent.width, s.exponent.plus)
		}
	}
	return b.String()
}

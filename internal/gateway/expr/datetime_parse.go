package expr

import (
	"strings"
	"time"
)

// Flags of System.Globalization.DateTimeStyles.
const (
	dateAdjustToUniversal = 16
	dateAssumeLocal       = 32
	dateAssumeUniversal   = 64
	dateRoundtripKind     = 128
	dateAllowWhite        = 7
)

// dateParts is what a date text says.
type dateParts struct {
	year, month, day     int
	hour, minute, second int
	fraction             int64 // ticks
	weekday              int
	half                 byte // 'A' or 'P'
	hasDate, hasTime     bool
	hasZone              bool
	zulu                 bool
	offset               int // minutes
	badWeekday           bool
}

// parseDateText reads a date in any of the forms that DateTime.Parse knows in the invariant culture.
func parseDateText(s string) (dateParts, bool) {
	p := dateParts{weekday: -1}
	var numbers []string
	monthAt := -1
	s = strings.TrimSpace(s)
	if s == "" {
		return p, false
	}
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == ',' || c == '\t':
			i++
		case isDigit(c):
			j := i
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			if j < len(s) && s[j] == ':' && !p.hasTime {
				n, ok := p.clock(s[i:])
				if !ok {
					return p, false
				}
				i += n
				continue
			}
			if p.hasTime && len(numbers) == 3 {
				return p, false
			}
			if word := strings.ToUpper(strings.TrimLeft(s[j:], " ")); !p.hasTime && (strings.HasPrefix(word, "AM") || strings.HasPrefix(word, "PM")) && j-i <= 2 {
				p.hour, p.hasTime = atoi(s[i:j]), true
				i = j
				continue
			}
			numbers = append(numbers, s[i:j])
			i = j
			if i < len(s) && (s[i] == '/' || s[i] == '-' || s[i] == '.') && i+1 < len(s) {
				i++
			}
		case (c == '+' || c == '-') && p.hasTime && !p.hasZone:
			n, ok := p.zone(s[i:])
			if !ok {
				return p, false
			}
			i += n
		case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			j := i
			for j < len(s) && (s[j] >= 'A' && s[j] <= 'Z' || s[j] >= 'a' && s[j] <= 'z') {
				j++
			}
			word := s[i:j]
			i = j
			if i < len(s) && (s[i] == '-' || s[i] == '.' || s[i] == '/') && monthNumber(word) > 0 {
				i++
			}
			switch upper := strings.ToUpper(word); {
			case monthNumber(word) > 0 && p.month == 0:
				p.month = monthNumber(word)
				monthAt = len(numbers)
			case dayNumber(word) >= 0 && p.weekday < 0:
				p.weekday = dayNumber(word)
			case (upper == "AM" || upper == "PM" || upper == "A" || upper == "P") && p.hasTime && p.half == 0:
				p.half = upper[0]
			case (upper == "Z" || upper == "GMT" || upper == "UTC") && p.hasTime && !p.hasZone:
				p.hasZone, p.zulu = true, true
			case upper == "T" && len(numbers) > 0 && !p.hasTime && i < len(s):
			default:
				return p, false
			}
		default:
			return p, false
		}
	}
	return p, p.date(numbers, monthAt) && p.check()
}

// clock reads h:m[:s[.f]].
func (p *dateParts) clock(s string) (int, bool) {
	part := func(i int) (int, int) {
		j := i
		for j < len(s) && isDigit(s[j]) && j-i < 3 {
			j++
		}
		if j == i || j-i > 2 {
			return -1, j
		}
		return atoi(s[i:j]), j
	}
	var i int
	p.hour, i = part(0)
	if p.hour < 0 || i >= len(s) || s[i] != ':' {
		return 0, false
	}
	p.minute, i = part(i + 1)
	if p.minute < 0 {
		return 0, false
	}
	if i < len(s) && s[i] == ':' {
		p.second, i = part(i + 1)
		if p.second < 0 {
			return 0, false
		}
		if i+1 < len(s) && (s[i] == '.' || s[i] == ',') && isDigit(s[i+1]) {
			j := i + 1
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			p.fraction = fractionTicks(s[i+1 : j])
			i = j
		}
	}
	p.hasTime = true
	return i, true
}

// fractionTicks rounds the digits of a fraction of a second to ticks.
func fractionTicks(digits string) int64 {
	n := int64(0)
	for i := range 8 {
		n *= 10
		if i < len(digits) {
			n += int64(digits[i] - '0')
		}
	}
	return (n + 5) / 10
}

// zone reads +hh:mm, +hhmm or +hh.
func (p *dateParts) zone(s string) (int, bool) {
	j := 1
	for j < len(s) && (isDigit(s[j]) || s[j] == ':') {
		j++
	}
	hours, minutes, colon := strings.Cut(s[1:j], ":")
	if !colon && len(hours) > 2 {
		hours, minutes = hours[:len(hours)-2], hours[len(hours)-2:]
	}
	h, m := atoi(hours), 0
	if minutes != "" {
		m = atoi(minutes)
	}
	if h < 0 || m < 0 || h > 14 || m > 59 {
		return 0, false
	}
	p.offset = h*60 + m
	if s[0] == '-' {
		p.offset = -p.offset
	}
	p.hasZone = true
	return j, true
}

// fullYear widens a two-digit year as the invariant culture does, with 2049 as the last.
func fullYear(text string) int {
	n := atoi(text)
	if len(text) <= 2 {
		if n < 50 {
			return 2000 + n
		}
		return 1900 + n
	}
	return n
}

// date gives the numbers their meaning.
func (p *dateParts) date(numbers []string, monthAt int) bool {
	p.hasDate = len(numbers) > 0 || p.month > 0
	this := time.Now().UTC()
	switch {
	case !p.hasDate:
		if !p.hasTime {
			return false
		}
		p.year, p.month, p.day = this.Year(), int(this.Month()), this.Day()
	case p.month > 0 && len(numbers) == 2:
		if len(numbers[0]) > 2 {
			p.year, p.day = atoi(numbers[0]), atoi(numbers[1])
		} else {
			p.day, p.year = atoi(numbers[0]), fullYear(numbers[1])
		}
	case p.month > 0 && len(numbers) == 1:
		p.day, p.year = 1, this.Year()
		if len(numbers[0]) > 2 {
			p.year = atoi(numbers[0])
		} else {
			p.day = atoi(numbers[0])
		}
	case p.month > 0:
		return false
	case len(numbers) == 3 && len(numbers[0]) > 2:
		p.year, p.month, p.day = atoi(numbers[0]), atoi(numbers[1]), atoi(numbers[2])
	case len(numbers) == 3:
		p.month, p.day, p.year = atoi(numbers[0]), atoi(numbers[1]), fullYear(numbers[2])
	case len(numbers) == 2 && len(numbers[0]) > 2:
		p.year, p.month, p.day = atoi(numbers[0]), atoi(numbers[1]), 1
	case len(numbers) == 2 && len(numbers[1]) > 2:
		p.month, p.year, p.day = atoi(numbers[0]), atoi(numbers[1]), 1
	case len(numbers) == 2:
		p.month, p.day, p.year = atoi(numbers[0]), atoi(numbers[1]), this.Year()
	default:
		return false
	}
	return true
}

// check validates the ranges.
func (p *dateParts) check() bool {
	switch p.half {
	case 'A', 'P':
		if p.hour > 12 {
			return false
		}
		p.hour %= 12
		if p.half == 'P' {
			p.hour += 12
		}
	}
	if p.year < 1 || p.year > 9999 || p.month < 1 || p.month > 12 || p.day < 1 || p.day > daysIn(p.year, p.month) || p.hour > 23 || p.minute > 59 || p.second > 59 {
		return false
	}
	if p.weekday >= 0 && int(goTime(p.ticks()).Weekday()) != p.weekday {
		p.badWeekday = true
		return false
	}
	return true
}

func (p *dateParts) ticks() int64 {
	return makeDate(p.year, p.month, p.day, p.hour, p.minute, p.second, 0, unspecified).ticks + p.fraction
}

// dateTime applies the styles: without any, a zone converts to local time, which is UTC here.
func (p *dateParts) dateTime(style int) (DateTime, bool) {
	ticks := p.ticks()
	if p.hasZone {
		ticks -= int64(p.offset) * ticksPerMinute
		if ticks < 0 || ticks > maxTicks {
			return DateTime{}, false
		}
		kind := localKind
		if style&dateAdjustToUniversal != 0 || style&dateRoundtripKind != 0 && p.zulu {
			kind = utcKind
		}
		return DateTime{ticks, kind}, true
	}
	switch {
	case style&dateAssumeUniversal != 0, style&dateAssumeLocal != 0:
		kind := localKind
		if style&dateAdjustToUniversal != 0 {
			kind = utcKind
		}
		return DateTime{ticks, kind}, true
	}
	return DateTime{ticks, unspecified}, true
}

// offsetTime is the instant with its offset.
func (p *dateParts) offsetTime(style int) (DateTimeOffset, bool) {
	d := DateTimeOffset{p.ticks(), int32(p.offset)}
	if d.utc() < 0 || d.utc() > maxTicks {
		return d, false
	}
	if style&dateAdjustToUniversal != 0 {
		d = DateTimeOffset{ticks: d.utc()}
	}
	return d, true
}

// failDate throws what Parse throws.
func failDate(s string, p dateParts) {
	if p.badWeekday {
		throwFormat("String '" + s + "' was not recognized as a valid DateTime because the day of week was incorrect.")
	}
	throwFormat("String '" + s + "' was not recognized as a valid DateTime.")
}

// mustParseDate is DateTime.Parse.
func mustParseDate(v Value, style int) Value {
	s := textArgument(v, "s")
	p, ok := parseDateText(s)
	if ok {
		var d DateTime
		if d, ok = p.dateTime(style); ok {
			return d
		}
	}
	failDate(s, p)
	return nil
}

// parseExact reads a date by a pattern.
func parseExact(s, format string, style int) (dateParts, bool) {
	p := dateParts{weekday: -1, year: -1, month: -1, day: -1}
	pattern := datePattern(format, "G")
	if len(format) == 1 && strings.ContainsAny(format, "rRu") {
		p.hasZone, p.zulu = true, true
	}
	if style&dateAllowWhite != 0 {
		s, pattern = strings.TrimSpace(s), strings.TrimSpace(pattern)
	}
	rest, ok := p.exact(s, pattern)
	if !ok || rest != "" {
		return p, false
	}
	now := time.Now().UTC()
	onlyTime := p.year < 0 && p.month < 0 && p.day < 0
	if p.year < 0 {
		p.year = now.Year()
	}
	if p.month < 0 {
		p.month = 1
		if onlyTime {
			p.month = int(now.Month())
		}
	}
	if p.day < 0 {
		p.day = 1
		if onlyTime {
			p.day = now.Day()
		}
	}
	p.hasDate, p.hasTime = true, true
	return p, p.check()
}

// exact matches a pattern and returns what is left of the text.
func (p *dateParts) exact(s, pattern string) (string, bool) {
	number := func(least, most int) (int, bool) {
		n := 0
		for n < len(s) && n < most && isDigit(s[n]) {
			n++
		}
		if n < least {
			return 0, false
		}
		v := atoi(s[:n])
		s = s[n:]
		return v, true
	}
	word := func(find func(string) bool, short bool) bool {
		for n := min(len(s), 9); n >= 3; n-- {
			if (n == 3) == short || !short || n == 3 {
				if find(s[:n]) {
					s = s[n:]
					return true
				}
			}
		}
		return false
	}
	ok := true
	for i := 0; i < len(pattern) && ok; {
		c := pattern[i]
		n := run(pattern, i)
		least := min(n, 2)
		switch c {
		case 'y':
			if n <= 2 {
				text := s
				p.year, ok = number(n, 2)
				if ok {
					p.year = fullYear(text[:len(text)-len(s)])
				}
			} else {
				p.year, ok = number(n, max(n, 4))
			}
		case 'M':
			if n <= 2 {
				p.month, ok = number(least, 2)
			} else {
				ok = word(func(w string) bool {
					m := monthNumber(w)
					if m > 0 && (n == 3) == (len(w) == 3 || m == 5) {
						p.month = m
						return true
					}
					return false
				}, n == 3)
			}
		case 'd':
			if n <= 2 {
				p.day, ok = number(least, 2)
			} else {
				ok = word(func(w string) bool {
					d := dayNumber(w)
					if d >= 0 && (n == 3) == (len(w) == 3) {
						p.weekday = d
						return true
					}
					return false
				}, n == 3)
			}
		case 'H', 'h':
			p.hour, ok = number(least, 2)
		case 'm':
			p.minute, ok = number(least, 2)
		case 's':
			p.second, ok = number(least, 2)
		case 'f', 'F':
			j := 0
			for j < len(s) && j < n && isDigit(s[j]) {
				j++
			}
			ok = c == 'F' || j == n
			p.fraction = fractionTicks(s[:j])
			s = s[j:]
		case 't':
			size := min(n, 2)
			ok = len(s) >= size && (s[0] == 'A' || s[0] == 'P' || s[0] == 'a' || s[0] == 'p') && (size == 1 || s[1]|0x20 == 'm')
			if ok {
				p.half = s[0] &^ 0x20
				s = s[size:]
			}
		case 'z', 'K':
			if c == 'K' && strings.HasPrefix(s, "Z") {
				p.hasZone, p.zulu = true, true
				s = s[1:]
			} else if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
				var size int
				size, ok = p.zone(s)
				if ok {
					s = s[size:]
				}
			} else {
				ok = c == 'K'
			}
			if c == 'K' {
				n = 1
			}
		case '\'', '"':
			text, size := quoted(pattern, i)
			ok = strings.HasPrefix(s, text)
			s = strings.TrimPrefix(s, text)
			n = size
		case '\\':
			ok = i+1 < len(pattern) && strings.HasPrefix(s, pattern[i+1:i+2])
			if ok {
				s = s[1:]
			}
			n = 2
		case '%':
			n = 1
		default:
			ok = strings.HasPrefix(s, string([]byte{c}))
			if ok {
				s = s[1:]
			}
			n = 1
		}
		i += n
	}
	return s, ok
}

// parseSpan reads [-][d.]hh:mm[:ss[.fffffff]] or a number of days.
func parseSpan(s string) (span TimeSpan, result parseResult) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	fields := strings.Split(s, ":")
	if s == "" || len(fields) > 4 {
		return 0, badFormat
	}
	days, fraction := "0", ""
	var clock []string
	switch {
	case len(fields) == 1:
		if d, rest, ok := strings.Cut(s, "."); ok || rest != "" {
			_ = d
			return 0, badFormat
		}
		days = s
	default:
		if len(fields) == 4 {
			days, fields = fields[0], fields[1:]
		} else if d, h, ok := strings.Cut(fields[0], "."); ok {
			days, fields[0] = d, h
		}
		last := len(fields) - 1
		if whole, f, ok := strings.Cut(fields[last], "."); ok {
			if len(fields) < 3 {
				return 0, badFormat
			}
			fields[last], fraction = whole, f
			if f == "" {
				return 0, badFormat
			}
		}
		clock = fields
	}
	limits := []int{23, 59, 59}
	units := []int64{ticksPerHour, ticksPerMinute, ticksPerSecond}
	if strings.Trim(days, "0123456789") != "" || days == "" || strings.Trim(fraction, "0123456789") != "" {
		return 0, badFormat
	}
	for _, f := range clock {
		if f == "" || strings.Trim(f, "0123456789") != "" {
			return 0, badFormat
		}
	}
	d := atoi(strings.TrimLeft(days, "0") + "")
	if strings.TrimLeft(days, "0") == "" {
		d = 0
	}
	if d < 0 || d > 10675199 || len(fraction) > 7 {
		return 0, tooLarge
	}
	ticks := int64(d) * ticksPerDay
	for i, f := range clock {
		n := atoi(f)
		if n < 0 || n > limits[i] {
			return 0, tooLarge
		}
		ticks += int64(n) * units[i]
	}
	if fraction != "" {
		ticks += fractionTicks(fraction)
	}
	if negative {
		ticks = -ticks
	}
	return TimeSpan(ticks), parsed
}

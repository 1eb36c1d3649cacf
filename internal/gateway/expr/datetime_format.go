package expr

import (
	"strconv"
	"strings"
	"time"
)

// standardDates are the patterns of the invariant culture behind the one-letter formats.
var standardDates = map[byte]string{
	'd': "MM/dd/yyyy", 'D': "dddd, dd MMMM yyyy", 'f': "dddd, dd MMMM yyyy HH:mm", 'F': "dddd, dd MMMM yyyy HH:mm:ss", 'g': "MM/dd/yyyy HH:mm",
	'G': "MM/dd/yyyy HH:mm:ss", 'm': "MMMM dd", 'M': "MMMM dd", 'o': "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK", 'O': "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
	'r': "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", 'R': "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", 's': "yyyy'-'MM'-'dd'T'HH':'mm':'ss", 't': "HH:mm", 'T': "HH:mm:ss",
	'u': "yyyy'-'MM'-'dd HH':'mm':'ss'Z'", 'U': "dddd, dd MMMM yyyy HH:mm:ss", 'y': "yyyy MMMM", 'Y': "yyyy MMMM",
}

// format is DateTime.ToString(format).
func (d DateTime) format(_ *machine, format string) string {
	pattern := datePattern(format, "G")
	return formatDate(d.ticks, pattern, func(k byte, width int) string {
		if k == 'K' {
			switch d.kind {
			case utcKind:
				return "Z"
			case localKind:
				return "+00:00"
			}
			return ""
		}
		return offsetText(0, width)
	})
}

// format is DateTimeOffset.ToString(format); r and u show UTC.
func (d DateTimeOffset) format(_ *machine, format string) string {
	ticks := d.ticks
	switch format {
	case "":
		return formatDate(ticks, "MM/dd/yyyy HH:mm:ss zzz", func(byte, int) string { return offsetText(int(d.offset), 3) })
	case "r", "R", "u":
		ticks = d.utc()
	case "U":
		throwFormat("Input string was not in a correct format.")
	}
	return formatDate(ticks, datePattern(format, "G"), func(k byte, width int) string {
		if k == 'K' {
			width = 3
		}
		return offsetText(int(d.offset), width)
	})
}

// datePattern turns a standard format into its pattern.
func datePattern(format, standard string) string {
	if format == "" {
		format = standard
	}
	if len(format) == 1 {
		pattern, ok := standardDates[format[0]]
		if !ok {
			throwFormat("Input string was not in a correct format.")
		}
		return pattern
	}
	return format
}

// offsetText is +h, +hh or +hh:mm.
func offsetText(minutes, width int) string {
	sign := "+"
	if minutes < 0 {
		sign, minutes = "-", -minutes
	}
	switch width {
	case 1:
		return sign + itoa(minutes/60)
	case 2:
		return sign + digits2(minutes/60)
	}
	return sign + digits2(minutes/60) + ":" + digits2(minutes%60)
}

func digits2(n int) string {
	if n < 10 {
		return "0" + itoa(n)
	}
	return itoa(n)
}

func padNumber(n, width int) string {
	s := itoa(n)
	return strings.Repeat("0", max(width-len(s), 0)) + s
}

// run counts how often the letter at i is repeated.
func run(format string, i int) int {
	n := 1
	for i+n < len(format) && format[i+n] == format[i] {
		n++
	}
	return n
}

// quoted reads '…' or "…" at i; it returns the text and the number of bytes taken.
func quoted(format string, i int) (string, int) {
	var out strings.Builder
	for j := i + 1; j < len(format); j++ {
		switch format[j] {
		case format[i]:
			return out.String(), j - i + 1
		case '\\':
			j++
			if j >= len(format) {
				throwFormat("Input string was not in a correct format.")
			}
			out.WriteByte(format[j])
		default:
			out.WriteByte(format[j])
		}
	}
	throwFormat("Cannot find a matching quote character for the character '" + format[i:i+1] + "'.")
	return "", 0
}

// formatDate writes ticks by a custom pattern; zone writes K and z.
func formatDate(ticks int64, pattern string, zone func(letter byte, width int) string) string {
	t := goTime(ticks)
	var out strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		n := run(pattern, i)
		switch c {
		case 'y':
			if n <= 2 {
				out.WriteString(padNumber(t.Year()%100, n))
			} else {
				out.WriteString(padNumber(t.Year(), n))
			}
		case 'M':
			out.WriteString(nameOrNumber(n, int(t.Month()), t.Month().String()))
		case 'd':
			out.WriteString(nameOrNumber(n, t.Day(), t.Weekday().String()))
		case 'H':
			out.WriteString(padNumber(t.Hour(), min(n, 2)))
		case 'h':
			hour := t.Hour() % 12
			if hour == 0 {
				hour = 12
			}
			out.WriteString(padNumber(hour, min(n, 2)))
		case 'm':
			out.WriteString(padNumber(t.Minute(), min(n, 2)))
		case 's':
			out.WriteString(padNumber(t.Second(), min(n, 2)))
		case 'f', 'F':
			if n > 7 {
				throwFormat("Input string was not in a correct format.")
			}
			fraction := padNumber(int(ticks%ticksPerSecond), 7)[:n]
			if c == 'F' {
				fraction = strings.TrimRight(fraction, "0")
				if text := out.String(); fraction == "" && strings.HasSuffix(text, ".") {
					out.Reset()
					out.WriteString(text[:len(text)-1])
				}
			}
			out.WriteString(fraction)
		case 't':
			half := "AM"
			if t.Hour() >= 12 {
				half = "PM"
			}
			out.WriteString(half[:min(n, 2)])
		case 'g':
			out.WriteString("A.D.")
		case 'K', 'z':
			if c == 'K' {
				n = 1
			}
			out.WriteString(zone(c, n))
		case '\'', '"':
			text, size := quoted(pattern, i)
			out.WriteString(text)
			n = size
		case '\\':
			if i+1 >= len(pattern) {
				throwFormat("Input string was not in a correct format.")
			}
			out.WriteByte(pattern[i+1])
			n = 2
		case '%':
			if i+1 >= len(pattern) || pattern[i+1] == '%' {
				throwFormat("Input string was not in a correct format.")
			}
			out.WriteString(formatDate(ticks, onePattern(pattern[i+1]), zone))
			n = 2
		default:
			out.WriteByte(c)
			n = 1
		}
		i += n
	}
	return out.String()
}

// onePattern is a single custom letter; an empty quotation keeps it from being taken for a standard format.
func onePattern(c byte) string { return string([]byte{c}) }

func nameOrNumber(n, number int, name string) string {
	switch {
	case n <= 2:
		return padNumber(number, n)
	case n == 3:
		return name[:3]
	}
	return name
}

// format is TimeSpan.ToString(format).
func (s TimeSpan) format(_ *machine, format string) string {
	ticks := int64(s)
	negative := ticks < 0
	sign := ""
	if negative {
		sign = "-"
	}
	// The smallest span has no positive counterpart; as an unsigned number it has.
	u := uint64(ticks)
	if negative {
		u = -u
	}
	days, rest := int(u/ticksPerDay), u%ticksPerDay
	hours, minutes, seconds, fraction := int(rest/ticksPerHour), int(rest/ticksPerMinute%60), int(rest/ticksPerSecond%60), int(rest%ticksPerSecond)
	switch format {
	case "", "c", "t", "T":
		text := sign
		if days > 0 {
			text += itoa(days) + "."
		}
		text += digits2(hours) + ":" + digits2(minutes) + ":" + digits2(seconds)
		if fraction > 0 {
			text += "." + padNumber(fraction, 7)
		}
		return text
	case "g":
		text := sign
		if days > 0 {
			text += itoa(days) + ":"
		}
		text += itoa(hours) + ":" + digits2(minutes) + ":" + digits2(seconds)
		if fraction > 0 {
			text += "." + strings.TrimRight(padNumber(fraction, 7), "0")
		}
		return text
	case "G":
		return sign + itoa(days) + ":" + digits2(hours) + ":" + digits2(minutes) + ":" + digits2(seconds) + "." + padNumber(fraction, 7)
	}
	if len(format) == 1 {
		throwFormat("Input string was not in a correct format.")
	}
	return customSpan(format, days, hours, minutes, seconds, fraction)
}

// customSpan writes a span by a custom pattern, in which all but its letters must be escaped.
func customSpan(format string, days, hours, minutes, seconds, fraction int) string {
	var out strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		n := run(format, i)
		limit := 2
		switch c {
		case 'd':
			limit = 8
			out.WriteString(padNumber(days, n))
		case 'h':
			out.WriteString(padNumber(hours, n))
		case 'm':
			out.WriteString(padNumber(minutes, n))
		case 's':
			out.WriteString(padNumber(seconds, n))
		case 'f', 'F':
			limit = 7
			text := padNumber(fraction, 7)[:min(n, 7)]
			if c == 'F' {
				text = strings.TrimRight(text, "0")
			}
			out.WriteString(text)
		case '\'', '"':
			text, size := quoted(format, i)
			out.WriteString(text)
			n, limit = size, size
		case '\\':
			if i+1 >= len(format) {
				limit = 0
				break
			}
			out.WriteByte(format[i+1])
			n = 2
		case '%':
			n = 1
		default:
			limit = 0
		}
		if n > limit {
			throwFormat("Input string was not in a correct format.")
		}
		i += n
	}
	return out.String()
}

// monthNumber finds a month by its name or its first three letters.
func monthNumber(word string) int {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(word, m.String()) || strings.EqualFold(word, m.String()[:3]) {
			return int(m)
		}
	}
	return 0
}

// dayNumber finds a weekday by its name or its first three letters, -1 if there is none.
func dayNumber(word string) int {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(word, d.String()) || strings.EqualFold(word, d.String()[:3]) {
			return int(d)
		}
	}
	return -1
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

package transform

import (
	"strings"
	"time"
)

// FormatDate formats a time as .NET's DateTime.ToString(format) does in the invariant culture: the standard formats of one letter and
// custom formats (.NET, "Custom date and time format strings").
func FormatDate(t time.Time, format string) string {
	if len(format) == 1 {
		if custom := standardDate(format[0]); custom != "" {
			if strings.IndexByte("RrsuU", format[0]) >= 0 {
				t = t.UTC()
			}
			format = custom
		}
	}
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		n := 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		switch c {
		case '\\':
			if i+1 < len(format) {
				b.WriteByte(format[i+1])
			}
			i += 2
			continue
		case '%':
			i++
			continue
		case '"', '\'':
			end := strings.IndexByte(format[i+1:], c)
			if end < 0 {
				end = len(format) - i - 1
			}
			b.WriteString(format[i+1 : i+1+end])
			i += end + 2
			continue
		}
		b.WriteString(dateField(t, c, n))
		i += n
	}
	return b.String()
}

// standardDate is the custom format that a standard one stands for.
func standardDate(c byte) string {
	switch c {
	case 'd':
		return "MM/dd/yyyy"
	case 'D':
		return "dddd, dd MMMM yyyy"
	case 'f':
		return "dddd, dd MMMM yyyy HH:mm"
	case 'F', 'U':
		return "dddd, dd MMMM yyyy HH:mm:ss"
	case 'g':
		return "MM/dd/yyyy HH:mm"
	case 'G':
		return "MM/dd/yyyy HH:mm:ss"
	case 'M', 'm':
		return "MMMM dd"
	case 'O', 'o':
		return "yyyy-MM-ddTHH:mm:ss.fffffffK"
	case 'R', 'r':
		return "ddd, dd MMM yyyy HH:mm:ss 'GMT'"
	case 's':
		return "yyyy-MM-ddTHH:mm:ss"
	case 't':
		return "HH:mm"
	case 'T':
		return "HH:mm:ss"
	case 'u':
		return "yyyy-MM-dd HH:mm:ss'Z'"
	case 'Y', 'y':
		return "yyyy MMMM"
	}
	return ""
}

// dateField is the text of n letters c in a row.
func dateField(t time.Time, c byte, n int) string {
	switch c {
	case 'd':
		switch n {
		case 1, 2:
			return digits(t.Day(), n)
		case 3:
			return t.Weekday().String()[:3]
		}
		return t.Weekday().String()
	case 'M':
		switch n {
		case 1, 2:
			return digits(int(t.Month()), n)
		case 3:
			return t.Month().String()[:3]
		}
		return t.Month().String()
	case 'y':
		if n <= 2 {
			return digits(t.Year()%100, n)
		}
		return digits(t.Year(), n)
	case 'H':
		return digits(t.Hour(), min(n, 2))
	case 'h':
		return digits((t.Hour()+11)%12+1, min(n, 2))
	case 'm':
		return digits(t.Minute(), min(n, 2))
	case 's':
		return digits(t.Second(), min(n, 2))
	case 'f', 'F':
		text := digits(t.Nanosecond(), 9)[:min(n, 7)]
		if c == 'F' {
			text = strings.TrimRight(text, "0")
		}
		return text
	case 't':
		if t.Hour() < 12 {
			return "AM"[:min(n, 2)]
		}
		return "PM"[:min(n, 2)]
	case 'z':
		switch n {
		case 1:
			text := t.Format("-07")
			if text[1] == '0' {
				text = text[:1] + text[2:]
			}
			return text
		case 2:
			return t.Format("-07")
		}
		return t.Format("-07:00")
	case 'K':
		if t.Location() == time.UTC {
			return "Z"
		}
		return t.Format("-07:00")
	case 'g':
		return "A.D."
	}
	return strings.Repeat(string(c), n)
}

func digits(v, width int) string {
	text := []byte{}
	for v > 0 || len(text) == 0 {
		text = append([]byte{byte('0' + v%10)}, text...)
		v /= 10
	}
	for len(text) < width {
		text = append([]byte{'0'}, text...)
	}
	return string(text)
}

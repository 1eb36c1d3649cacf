package transform

import (
	"errors"
	"fmt"
	"html"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// number is a number that prints as .NET does, without an exponent where there are up to 15 digits.
type number float64

// String is the shortest decimal form.
func (n number) String() string {
	f := float64(n)
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'G', -1, 64)
	if abs := math.Abs(f); abs >= 1e-5 && abs < 1e15 {
		text = strconv.FormatFloat(f, 'f', -1, 64)
	}
	return text
}

// liquidFilters are the filters by both of their names. Those that the library has in a way that differs from DotLiquid are replaced.
func liquidFilters() map[string]any {
	own := map[string]any{
		"Abs":          func(a any) any { return numeric(a, nil, func(x, _ float64) float64 { return math.Abs(x) }) },
		"Append":       func(s, suffix any) string { return textOf(s) + textOf(suffix) },
		"AtLeast":      func(a, b any) any { return numeric(a, b, math.Max) },
		"AtMost":       func(a, b any) any { return numeric(a, b, math.Min) },
		"Capitalize":   capitalize,
		"Ceil":         func(a any) any { return numeric(a, nil, func(x, _ float64) float64 { return math.Ceil(x) }) },
		"Compact":      compact,
		"Concat":       func(a, b []any) []any { return append(append([]any(nil), a...), b...) },
		"Date":         date,
		"Default":      orDefault,
		"DividedBy":    dividedBy,
		"Downcase":     func(s any) string { return strings.ToLower(textOf(s)) },
		"Escape":       func(s any) string { return html.EscapeString(textOf(s)) },
		"EscapeOnce":   func(s any) string { return html.EscapeString(html.UnescapeString(textOf(s))) },
		"First":        func(a []any) any { return at(a, 0) },
		"Floor":        func(a any) any { return numeric(a, nil, func(x, _ float64) float64 { return math.Floor(x) }) },
		"Join":         join,
		"Last":         func(a []any) any { return at(a, len(a)-1) },
		"Lstrip":       func(s any) string { return strings.TrimLeft(textOf(s), " \t\r\n") },
		"Map":          mapItems,
		"Minus":        func(a, b any) any { return numeric(a, b, func(x, y float64) float64 { return x - y }) },
		"Modulo":       modulo,
		"NewlineToBr":  func(s any) string { return strings.ReplaceAll(textOf(s), "\n", "<br />\n") },
		"Plus":         plus,
		"Prepend":      func(s, prefix any) string { return textOf(prefix) + textOf(s) },
		"Remove":       func(s, old any) string { return strings.ReplaceAll(textOf(s), textOf(old), "") },
		"RemoveFirst":  func(s, old any) string { return strings.Replace(textOf(s), textOf(old), "", 1) },
		"Replace":      func(s, old, by any) string { return strings.ReplaceAll(textOf(s), textOf(old), textOf(by)) },
		"ReplaceFirst": func(s, old, by any) string { return strings.Replace(textOf(s), textOf(old), textOf(by), 1) },
		"Reverse":      reverse,
		"Round":        round,
		"Rstrip":       func(s any) string { return strings.TrimRight(textOf(s), " \t\r\n") },
		"Size":         size,
		"Slice":        slice,
		"Split":        split,
		"Strip":        func(s any) string { return strings.TrimSpace(textOf(s)) },
		"StripHtml":    func(s any) string { return htmlTag.ReplaceAllString(textOf(s), "") },
		"StripNewlines": func(s any) string {
			return strings.NewReplacer("\r\n", "", "\n", "").Replace(textOf(s))
		},
		"Times":         func(a, b any) any { return numeric(a, b, func(x, y float64) float64 { return x * y }) },
		"Truncate":      truncate,
		"TruncateWords": truncateWords,
		"Upcase":        func(s any) string { return strings.ToUpper(textOf(s)) },
		"UrlDecode":     func(s any) (string, error) { return url.QueryUnescape(textOf(s)) },
		"UrlEncode":     func(s any) string { return url.QueryEscape(textOf(s)) },
	}
	all := make(map[string]any, 2*len(own))
	for name, filter := range own {
		all[name] = filter
		all[rubyName(name)] = filter
	}
	all["truncatewords"] = truncateWords
	return all
}

// rubyName is a name like UrlEncode as url_encode.
func rubyName(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

var htmlTag = regexp.MustCompile(`(?s)<.*?>`)

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return number(v).String()
	}
	return fmt.Sprint(v)
}

func floatOf(v any) (f float64, whole bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, false
	case number:
		return float64(v), false
	}
	text := strings.TrimSpace(textOf(v))
	if n, err := strconv.Atoi(text); err == nil {
		return float64(n), true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, true // DotLiquid counts with what is no number as with nothing.
	}
	return f, false
}

// numeric works with numbers; the result is a whole number when both are.
func numeric(a, b any, f func(x, y float64) float64) any {
	x, whole := floatOf(a)
	y := 0.0
	if b != nil {
		var other bool
		y, other = floatOf(b)
		whole = whole && other
	}
	result := f(x, y)
	if (whole || b == nil) && result == math.Trunc(result) && math.Abs(result) < 1<<53 {
		return int(result)
	}
	return number(result)
}

// plus adds numbers, and joins two texts as DotLiquid does.
func plus(a, b any) any {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return x + y
		}
	}
	return numeric(a, b, func(x, y float64) float64 { return x + y })
}

func dividedBy(a, b any) (any, error) {
	x, xWhole := floatOf(a)
	y, yWhole := floatOf(b)
	switch {
	case y == 0:
		return nil, errors.New("DividedBy: the divisor is zero")
	case xWhole && yWhole:
		return int(math.Trunc(x / y)), nil
	}
	return number(x / y), nil
}

func modulo(a, b any) (any, error) {
	if y, _ := floatOf(b); y == 0 {
		return nil, errors.New("modulo: the divisor is zero")
	}
	return numeric(a, b, math.Mod), nil
}

func round(a any, places func(int) int) any {
	x, _ := floatOf(a)
	scale := math.Pow10(min(max(places(0), 0), 15))
	result := math.RoundToEven(x*scale) / scale
	if result == math.Trunc(result) && math.Abs(result) < 1<<53 {
		return int(result)
	}
	return number(result)
}

func capitalize(s any) string {
	text := []rune(textOf(s))
	if len(text) == 0 {
		return ""
	}
	return strings.ToUpper(string(text[:1])) + string(text[1:])
}

func compact(a []any) []any {
	var result []any
	for _, item := range a {
		if item != nil {
			result = append(result, item)
		}
	}
	return result
}

func at(a []any, i int) any {
	if i < 0 || i >= len(a) {
		return nil
	}
	return a[i]
}

func orDefault(v, fallback any) any {
	switch x := v.(type) {
	case nil:
		return fallback
	case bool:
		if !x {
			return fallback
		}
	case string:
		if x == "" {
			return fallback
		}
	case []any:
		if len(x) == 0 {
			return fallback
		}
	}
	return v
}

func join(a []any, separator func(string) string) string {
	texts := make([]string, len(a))
	for i, item := range a {
		texts[i] = textOf(item)
	}
	return strings.Join(texts, separator(" "))
}

func mapItems(a []any, name string) []any {
	result := make([]any, len(a))
	for i, item := range a {
		if m, ok := item.(map[string]any); ok {
			result[i] = m[name]
		}
	}
	return result
}

func reverse(a []any) []any {
	result := make([]any, len(a))
	for i, item := range a {
		result[len(a)-1-i] = item
	}
	return result
}

func size(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	return len([]rune(textOf(v)))
}

func slice(v any, start int, length func(int) int) string {
	text := []rune(textOf(v))
	if start < 0 {
		start += len(text)
	}
	if start < 0 || start >= len(text) {
		return ""
	}
	return string(text[start:min(start+max(length(1), 0), len(text))])
}

func split(v any, separator string) []any {
	var result []any
	text := textOf(v)
	if separator == "" {
		for _, r := range text {
			result = append(result, string(r))
		}
		return result
	}
	for part := range strings.SplitSeq(text, separator) {
		if part != "" { // DotLiquid drops what is empty.
			result = append(result, part)
		}
	}
	return result
}

func truncate(v any, length func(int) int, ellipsis func(string) string) string {
	text, end := []rune(textOf(v)), []rune(ellipsis("..."))
	n := max(length(50), 0)
	if len(text) <= n {
		return string(text)
	}
	return string(text[:max(n-len(end), 0)]) + string(end)
}

func truncateWords(v any, length func(int) int, ellipsis func(string) string) string {
	words := strings.Split(textOf(v), " ")
	n := max(length(15), 1)
	if len(words) <= n {
		return textOf(v)
	}
	return strings.Join(words[:n], " ") + ellipsis("...")
}

// date formats a date in .NET's way. A text that is no date stays as it is, as in DotLiquid.
func date(v any, format func(string) string) string {
	f := format("")
	if v == nil || f == "" {
		return textOf(v)
	}
	switch v := v.(type) {
	case time.Time:
		return FormatDate(v, f)
	case string:
		if strings.EqualFold(v, "now") || strings.EqualFold(v, "today") {
			return FormatDate(time.Now().UTC(), f)
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123, time.RFC1123Z, "01/02/2006 15:04:05", "01/02/2006"} {
			if t, err := time.Parse(layout, strings.TrimSpace(v)); err == nil {
				return FormatDate(t, f)
			}
		}
	case int:
		return FormatDate(time.Unix(int64(v), 0).UTC(), f)
	}
	return textOf(v)
}

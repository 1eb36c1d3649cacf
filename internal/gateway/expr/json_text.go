package expr

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth is Newtonsoft's default limit of nesting.
const maxJSONDepth = 64

// jsonReader reads JSON as leniently as Newtonsoft: comments, single quotes, bare names and trailing commas pass.
type jsonReader struct {
	m     *machine
	src   string
	pos   int
	dates int // DateParseHandling: 1 for DateTime, 2 for DateTimeOffset, 0 for none
	exact bool
	path  []string
	depth int
}

// parseJSON reads one value and refuses what follows it.
func parseJSON(m *machine, src string, dates int) jToken {
	m.charge(len(src))
	r := &jsonReader{m: m, src: strings.TrimPrefix(src, "\ufeff"), dates: dates}
	r.space()
	if r.pos >= len(r.src) {
		r.fail("Error reading JToken from JsonReader.")
	}
	t := r.value()
	r.space()
	if r.pos < len(r.src) {
		c, _ := utf8.DecodeRuneInString(r.src[r.pos:])
		r.fail("Additional text encountered after finished reading JSON content: " + string(c) + ".")
	}
	return t
}

// fail throws JsonReaderException with the position.
func (r *jsonReader) fail(message string) {
	before := r.src[:min(r.pos, len(r.src))]
	line := 1 + strings.Count(before, "\n")
	column := len(before) - strings.LastIndexByte(before, '\n') - 1
	throwFull("Newtonsoft.Json.JsonReaderException", message+" Path '"+strings.Join(r.path, ".")+"', line "+itoa(line)+", position "+itoa(column)+".")
}

// space skips white space and comments.
func (r *jsonReader) space() {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			r.pos++
		case strings.HasPrefix(r.src[r.pos:], "/*"):
			n := strings.Index(r.src[r.pos+2:], "*/")
			if n < 0 {
				r.pos = len(r.src)
				r.fail("Unexpected end while parsing comment.")
			}
			r.pos += n + 4
		case strings.HasPrefix(r.src[r.pos:], "//"):
			n := strings.IndexByte(r.src[r.pos:], '\n')
			if n < 0 {
				n = len(r.src) - r.pos
			}
			r.pos += n
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.pos < len(r.src) {
		return r.src[r.pos]
	}
	return 0
}

func (r *jsonReader) unexpected() {
	if r.pos >= len(r.src) {
		r.fail("Unexpected end of content while loading JObject.")
	}
	c, _ := utf8.DecodeRuneInString(r.src[r.pos:])
	r.fail("Unexpected character encountered while parsing value: " + string(c) + ".")
}

func (r *jsonReader) value() jToken {
	r.m.step(1)
	r.space()
	switch c := r.peek(); {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"' || c == '\'':
		return r.stringValue()
	case c == '-' || isDigit(c) || c == '.' || c == 'I' || c == 'N':
		return r.number()
	}
	for word, v := range map[string]Value{"true": true, "false": false, "null": nil, "undefined": nil} {
		if strings.HasPrefix(r.src[r.pos:], word) && !nameByte(r.at(len(word))) {
			r.pos += len(word)
			switch {
			case word == "undefined":
				return &jValue{is: jsonUndefined}
			case v == nil:
				return &jValue{is: jsonNull}
			}
			return &jValue{is: jsonBoolean, value: v}
		}
	}
	r.unexpected()
	return nil
}

func (r *jsonReader) at(n int) byte {
	if r.pos+n < len(r.src) {
		return r.src[r.pos+n]
	}
	return 0
}

func nameByte(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (r *jsonReader) nest() {
	r.depth++
	if r.depth > maxJSONDepth {
		r.fail("The reader's MaxDepth of 64 has been exceeded.")
	}
}

func (r *jsonReader) object() jToken {
	r.nest()
	r.pos++
	o := newObject()
	for {
		r.space()
		if r.peek() == '}' {
			r.pos++
			r.depth--
			return o
		}
		name := r.name()
		r.space()
		r.path = append(r.path, name)
		if r.peek() != ':' {
			if r.pos >= len(r.src) {
				r.fail("Unexpected end when reading property name.")
			}
			r.fail("Invalid character after parsing property name. Expected ':' but got: " + r.src[r.pos:r.pos+1] + ".")
		}
		r.pos++
		v := r.value()
		r.path = r.path[:len(r.path)-1]
		if p := o.index[name]; p != nil {
			v.holder().parent = p
			p.value = v
		} else {
			p := &jProperty{name: name, value: v}
			p.parent = o
			v.holder().parent = p
			r.m.charge(len(name) + 4*valueSize)
			o.members = append(o.members, p)
			o.index[name] = p
		}
		r.separator('}', "object")
	}
}

// separator reads a comma, or leaves the closing bracket.
func (r *jsonReader) separator(closing byte, what string) {
	r.space()
	switch r.peek() {
	case ',':
		r.pos++
	case closing:
	default:
		if r.pos >= len(r.src) {
			r.fail("Unexpected end of content while loading J" + strings.ToUpper(what[:1]) + what[1:] + ".")
		}
		c, _ := utf8.DecodeRuneInString(r.src[r.pos:])
		r.fail("After parsing a value an unexpected character was encountered: " + string(c) + ".")
	}
}

// name reads a member's name, quoted or bare.
func (r *jsonReader) name() string {
	c := r.peek()
	if c == '"' || c == '\'' {
		return r.text()
	}
	start := r.pos
	for r.pos < len(r.src) && nameByte(r.src[r.pos]) {
		r.pos++
	}
	if r.pos == start {
		if r.pos >= len(r.src) {
			r.fail("Unexpected end of content while loading JObject.")
		}
		r.fail("Invalid property identifier character: " + r.src[r.pos:r.pos+1] + ".")
	}
	return r.src[start:r.pos]
}

func (r *jsonReader) array() jToken {
	r.nest()
	r.pos++
	a := &jArray{}
	for {
		r.space()
		if r.peek() == ']' {
			r.pos++
			r.depth--
			return a
		}
		if r.peek() == ',' {
			r.fail("Unexpected character encountered while parsing value: ,.")
		}
		v := r.value()
		v.holder().parent = a
		r.m.charge(3 * valueSize)
		a.items = append(a.items, v)
		r.separator(']', "array")
	}
}

// text reads a quoted string.
func (r *jsonReader) text() string {
	quote := r.src[r.pos]
	r.pos++
	start := r.pos
	for r.pos < len(r.src) && r.src[r.pos] != quote && r.src[r.pos] != '\\' {
		r.pos++
	}
	if r.pos < len(r.src) && r.src[r.pos] == quote {
		r.pos++
		return r.src[start : r.pos-1]
	}
	var out textBuilder
	out.WriteString(r.src[start:r.pos])
	for {
		if r.pos >= len(r.src) {
			r.fail("Unterminated string. Expected delimiter: " + string(quote) + ".")
		}
		c := r.src[r.pos]
		r.pos++
		switch {
		case c == quote:
			return out.String()
		case c != '\\':
			out.WriteByte(c)
			continue
		}
		e := r.peek()
		r.pos++
		const simple, meant = "\"'\\/bfnrt", "\"'\\/\b\f\n\r\t"
		if i := strings.IndexByte(simple, e); i >= 0 && e != 0 {
			out.WriteByte(meant[i])
			continue
		}
		if e != 'u' || r.pos+4 > len(r.src) {
			r.fail("Bad JSON escape sequence: \\" + string(rune(e)) + ".")
		}
		n, err := strconv.ParseUint(r.src[r.pos:r.pos+4], 16, 32)
		if err != nil {
			r.fail("Could not convert Unicode escape.")
		}
		r.pos += 4
		out.writeUnitOrRune(rune(n))
	}
}

// stringValue reads a string, which becomes a date where it looks like one.
func (r *jsonReader) stringValue() jToken {
	s := r.text()
	if r.dates != 0 && len(s) >= 19 && len(s) <= 40 && s[4] == '-' && s[10] == 'T' {
		if v, ok := jsonDateValue(s, r.dates); ok {
			return &jValue{is: jsonDate, value: v}
		}
	}
	return &jValue{is: jsonString, value: s}
}

// jsonDateValue reads yyyy-MM-ddTHH:mm:ss[.f][Z|±hh:mm] exactly.
func jsonDateValue(s string, dates int) (Value, bool) {
	const shape = "0000-00-00T00:00:00"
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(s[i]) || shape[i] != '0' && shape[i] != s[i] {
			return nil, false
		}
	}
	rest := s[19:]
	if strings.HasPrefix(rest, ".") {
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n == 1 || n > 8 {
			return nil, false
		}
		rest = rest[n:]
	}
	if rest != "" && rest != "Z" && !(len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
		return nil, false
	}
	p, ok := parseDateText(s)
	if !ok {
		return nil, false
	}
	if dates == 2 {
		d, ok := p.offsetTime(0)
		return d, ok
	}
	d, ok := p.dateTime(dateRoundtripKind)
	return d, ok
}

// number reads a number; whole ones become 64-bit or big integers, others doubles.
func (r *jsonReader) number() jToken {
	for word, f := range map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)} {
		if strings.HasPrefix(r.src[r.pos:], word) {
			r.pos += len(word)
			return &jValue{is: jsonFloat, value: f}
		}
	}
	start := r.pos
	for r.pos < len(r.src) && (isDigit(r.src[r.pos]) || strings.IndexByte("+-.eExXabcdfABCDF", r.src[r.pos]) >= 0) {
		r.pos++
	}
	s := r.src[start:r.pos]
	if s == "" {
		r.unexpected()
	}
	if r.pos < len(r.src) && nameByte(r.src[r.pos]) {
		r.fail("Unexpected character encountered while parsing number: " + r.src[r.pos:r.pos+1] + ".")
	}
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		n, err := strconv.ParseInt(s[2:], 16, 64)
		if err != nil {
			r.fail("Input string '" + s + "' is not a valid number.")
		}
		return &jValue{is: jsonInteger, value: n}
	}
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return &jValue{is: jsonInteger, value: n}
		}
		if len(s) < 400 {
			if n, ok := bigFrom(s); ok {
				return &jValue{is: jsonInteger, value: n}
			}
		}
		r.fail("Input string '" + s + "' is not a valid integer.")
	}
	if r.exact {
		if d, ok := parseDecimalLiteral(s); ok {
			return &jValue{is: jsonFloat, value: d}
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		r.fail("Input string '" + s + "' is not a valid number.")
	}
	return &jValue{is: jsonFloat, value: f}
}

// jsonWriter writes a token.
type jsonWriter struct {
	m        *machine
	out      builder
	indented bool
	noNulls  bool
	depth    int
}

// jsonText is ToString(Formatting) of a token.
func jsonText(m *machine, t jToken, indented bool) string {
	w := jsonWriter{m: m, indented: indented}
	w.token(t)
	return w.out.String()
}

func (w *jsonWriter) line() {
	if w.indented {
		w.out.write(w.m, "\n"+strings.Repeat("  ", w.depth))
	}
}

func (w *jsonWriter) token(t jToken) {
	w.m.enterCall()
	defer w.m.leaveCall()
	w.m.step(1)
	switch t := t.(type) {
	case *jObject:
		w.members(t)
	case *jArray:
		if len(t.items) == 0 {
			w.out.write(w.m, "[]")
			return
		}
		w.out.write(w.m, "[")
		w.depth++
		for i, x := range t.items {
			if i > 0 {
				w.out.write(w.m, ",")
			}
			w.line()
			w.token(x)
		}
		w.depth--
		w.line()
		w.out.write(w.m, "]")
	case *jProperty:
		w.property(t)
	case *jValue:
		w.out.write(w.m, w.leaf(t))
	}
}

func (w *jsonWriter) members(o *jObject) {
	first := true
	w.out.write(w.m, "{")
	w.depth++
	for _, p := range o.members {
		if w.noNulls && p.value.kind() == jsonNull {
			continue
		}
		if !first {
			w.out.write(w.m, ",")
		}
		first = false
		w.line()
		w.property(p)
	}
	w.depth--
	if !first {
		w.line()
	}
	w.out.write(w.m, "}")
}

func (w *jsonWriter) property(p *jProperty) {
	w.out.write(w.m, quoteJSON(p.name)+":")
	if w.indented {
		w.out.write(w.m, " ")
	}
	w.token(p.value)
}

// leaf is the text of a value.
func (w *jsonWriter) leaf(v *jValue) string {
	switch x := v.value.(type) {
	case nil:
		if v.is == jsonUndefined {
			return "undefined"
		}
		return "null"
	case string:
		if v.is == jsonRaw {
			return x
		}
		return quoteJSON(x)
	case bool:
		return strconv.FormatBool(x)
	case float64, float32:
		f, _ := floatValue(x)
		text := generalText(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return quoteJSON(formatNumber(x, ""))
		}
		if !strings.ContainsAny(text, ".E") {
			text += ".0"
		}
		return text
	case Decimal:
		text := x.String()
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	case DateTime:
		return quoteJSON(jsonDateText(x.ticks, map[dateKind]string{utcKind: "Z", localKind: "+00:00"}[x.kind]))
	case DateTimeOffset:
		return quoteJSON(jsonDateText(x.ticks, offsetText(int(x.offset), 3)))
	case *Bytes:
		return quoteJSON(base64.StdEncoding.EncodeToString(x.Data))
	case *uri:
		return quoteJSON(x.original)
	case TimeSpan, Guid:
		return quoteJSON(w.m.text(x))
	}
	return w.m.text(v.value)
}

// jsonDateText is a date in ISO form with no more digits of a second than needed.
func jsonDateText(ticks int64, zone string) string {
	text := formatDate(ticks, "yyyy-MM-ddTHH:mm:ss", nil)
	if rest := ticks % ticksPerSecond; rest != 0 {
		text += "." + strings.TrimRight(padNumber(int(rest), 7), "0")
	}
	return text + zone
}

// quoteJSON writes a string as Newtonsoft does: control characters, quotes, U+0085, U+2028 and U+2029 are escaped, nothing else.
func quoteJSON(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := decodeRune(s[i:])
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		default:
			if r < ' ' || r == 0x85 || r == 0x2028 || r == 0x2029 {
				h := strconv.FormatInt(int64(r), 16)
				b.WriteString(`\u` + strings.Repeat("0", 4-len(h)) + h)
			} else {
				b.WriteString(s[i : i+n])
			}
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

// text is ToString(): indented for containers, the bare value for a leaf.
func (o *jObject) text(m *machine) string   { return jsonText(m, o, true) }
func (a *jArray) text(m *machine) string    { return jsonText(m, a, true) }
func (p *jProperty) text(m *machine) string { return jsonText(m, p, true) }
func (v *jValue) text(m *machine) string    { return m.text(v.value) }

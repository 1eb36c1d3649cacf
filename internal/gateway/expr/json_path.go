package expr

import (
	"slices"
	"strconv"
	"strings"
)

// pathStep is one step of a JSON path.
type pathStep struct {
	recursive bool
	wildcard  bool
	names     []string
	indexes   []int
	slice     bool
	from, to  *int
	step      int
	filter    *pathFilter
}

// pathFilter is ?(…): comparisons joined by && and ||.
type pathFilter struct {
	op          string // "&&", "||", a comparison, or "" for existence
	left, right *pathFilter
	path        []pathStep
	rooted      bool
	isPath      bool
	literal     jToken
}

// pathParser reads the paths of SelectToken.
type pathParser struct {
	src   string
	pos   int
	depth int
}

func (p *pathParser) fail(message string) {
	throwFull("Newtonsoft.Json.JsonException", message)
}

// parsePath reads a whole path.
func parsePath(src string) []pathStep {
	p := &pathParser{src: src}
	if strings.HasPrefix(src, "$") {
		p.pos++
	}
	steps := p.steps(false)
	if p.pos < len(src) {
		p.fail("Unexpected character while parsing path: " + src[p.pos:p.pos+1])
	}
	return steps
}

// steps reads the steps of a path; within a filter it ends at what no path contains.
func (p *pathParser) steps(inFilter bool) []pathStep {
	var steps []pathStep
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '[':
			steps = append(steps, p.bracket(false))
		case c == '.':
			p.pos++
			recursive := strings.HasPrefix(p.src[p.pos:], ".")
			if recursive {
				p.pos++
			}
			if p.pos >= len(p.src) {
				p.fail("Unexpected end while parsing path.")
			}
			if p.src[p.pos] == '[' {
				steps = append(steps, p.bracket(recursive))
				continue
			}
			steps = append(steps, p.name(recursive))
		case inFilter && strings.IndexByte(" )=!<>&|,", c) >= 0:
			return steps
		case len(steps) == 0:
			steps = append(steps, p.name(false))
		default:
			p.fail("Unexpected character following indexer: " + string(c))
		}
	}
	return steps
}

func (p *pathParser) name(recursive bool) pathStep {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(".[]() =!<>&|,", p.src[p.pos]) < 0 {
		p.pos++
	}
	word := p.src[start:p.pos]
	if word == "" {
		p.fail("Unexpected character while parsing path: " + p.src[p.pos:p.pos+1])
	}
	if word == "*" {
		return pathStep{recursive: recursive, wildcard: true}
	}
	return pathStep{recursive: recursive, names: []string{word}}
}

func (p *pathParser) space() {
	for p.pos < len(p.src) && p.src[p.pos] == ' ' {
		p.pos++
	}
}

func (p *pathParser) expect(text string) {
	if !strings.HasPrefix(p.src[p.pos:], text) {
		p.fail("Path ended with open indexer.")
	}
	p.pos += len(text)
}

// bracket reads […].
func (p *pathParser) bracket(recursive bool) pathStep {
	s := pathStep{recursive: recursive, step: 1}
	p.pos++
	p.space()
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "*"):
		p.pos++
		s.wildcard = true
	case strings.HasPrefix(rest, "?"):
		p.pos++
		p.space()
		p.expect("(")
		s.filter = p.or()
		p.space()
		p.expect(")")
	case strings.HasPrefix(rest, "'"), strings.HasPrefix(rest, `"`):
		for {
			p.space()
			s.names = append(s.names, p.quoted())
			p.space()
			if !strings.HasPrefix(p.src[p.pos:], ",") {
				break
			}
			p.pos++
		}
	default:
		p.numbers(&s)
	}
	p.space()
	p.expect("]")
	return s
}

func (p *pathParser) quoted() string {
	if p.pos >= len(p.src) || p.src[p.pos] != '\'' && p.src[p.pos] != '"' {
		p.fail("Unexpected character while parsing path indexer.")
	}
	quote := p.src[p.pos]
	p.pos++
	var b strings.Builder
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == quote:
			return b.String()
		case c == '\\' && p.pos < len(p.src):
			b.WriteByte(p.src[p.pos])
			p.pos++
		default:
			b.WriteByte(c)
		}
	}
	p.fail("Path ended with an open string.")
	return ""
}

// numbers reads 1, 1,2 or from:to:step.
func (p *pathParser) numbers(s *pathStep) {
	end := strings.IndexByte(p.src[p.pos:], ']')
	if end < 0 {
		p.fail("Path ended with open indexer.")
	}
	text := p.src[p.pos : p.pos+end]
	p.pos += end
	number := func(t string) int {
		n, err := strconv.Atoi(strings.TrimSpace(t))
		if err != nil {
			p.fail("Unexpected character while parsing path indexer: " + t)
		}
		return n
	}
	if !strings.Contains(text, ":") {
		for t := range strings.SplitSeq(text, ",") {
			s.indexes = append(s.indexes, number(t))
		}
		return
	}
	s.slice = true
	for i, t := range strings.Split(text, ":") {
		if strings.TrimSpace(t) == "" {
			continue
		}
		n := number(t)
		switch i {
		case 0:
			s.from = &n
		case 1:
			s.to = &n
		case 2:
			s.step = n
		}
	}
	if s.step == 0 {
		p.fail("Step cannot be zero.")
	}
}

func (p *pathParser) or() *pathFilter {
	left := p.and()
	for p.space(); strings.HasPrefix(p.src[p.pos:], "||"); p.space() {
		p.pos += 2
		left = &pathFilter{op: "||", left: left, right: p.and()}
	}
	return left
}

func (p *pathParser) and() *pathFilter {
	left := p.comparison()
	for p.space(); strings.HasPrefix(p.src[p.pos:], "&&"); p.space() {
		p.pos += 2
		left = &pathFilter{op: "&&", left: left, right: p.comparison()}
	}
	return left
}

func (p *pathParser) comparison() *pathFilter {
	p.depth++
	if p.depth > 50 {
		p.fail("The path filter is nested too deeply.")
	}
	defer func() { p.depth-- }()
	p.space()
	if strings.HasPrefix(p.src[p.pos:], "(") {
		p.pos++
		f := p.or()
		p.space()
		p.expect(")")
		return f
	}
	left := p.operand()
	p.space()
	for _, op := range []string{"===", "!==", "==", "!=", "<>", "<=", ">=", "=~", "<", ">"} {
		if strings.HasPrefix(p.src[p.pos:], op) {
			p.pos += len(op)
			p.space()
			return &pathFilter{op: op, left: left, right: p.operand()}
		}
	}
	return &pathFilter{left: left}
}

func (p *pathParser) operand() *pathFilter {
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "@"), strings.HasPrefix(rest, "$"):
		p.pos++
		return &pathFilter{isPath: true, rooted: rest[0] == '$', path: p.steps(true)}
	case strings.HasPrefix(rest, "'"), strings.HasPrefix(rest, `"`):
		return &pathFilter{literal: &jValue{is: jsonString, value: p.quoted()}}
	case strings.HasPrefix(rest, "/"):
		start := p.pos + 1
		end := strings.LastIndexByte(rest, '/')
		if end <= 0 {
			p.fail("Path ended with an open regex.")
		}
		p.pos += end + 1
		for p.pos < len(p.src) && p.src[p.pos] >= 'a' && p.src[p.pos] <= 'z' {
			p.pos++
		}
		return &pathFilter{literal: &jValue{is: jsonRaw, value: p.src[start-1 : p.pos]}}
	}
	end := strings.IndexAny(rest, " )=!<>&|")
	if end <= 0 {
		p.fail("Unexpected character while parsing path query.")
	}
	word := rest[:end]
	p.pos += end
	switch word {
	case "true", "false":
		return &pathFilter{literal: &jValue{is: jsonBoolean, value: word == "true"}}
	case "null":
		return &pathFilter{literal: &jValue{is: jsonNull}}
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return &pathFilter{literal: &jValue{is: jsonInteger, value: n}}
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		p.fail("Could not read query operator.")
	}
	return &pathFilter{literal: &jValue{is: jsonFloat, value: f}}
}

// selectOne is SelectToken.
func selectOne(m *machine, t jToken, path Value, must bool) Value {
	list := selectPath(m, t, parsePath(textArgument(path, "path")), must)
	if len(list) > 1 {
		throwFull("Newtonsoft.Json.JsonException", "Path returned multiple tokens.")
	}
	if len(list) == 0 {
		if must {
			throwFull("Newtonsoft.Json.JsonException", "Property '"+path.(string)+"' does not exist on J"+kindName(t)+".")
		}
		return nil
	}
	return list[0]
}

// selectPath follows the steps of a path.
func selectPath(m *machine, t jToken, steps []pathStep, _ bool) []jToken {
	root := t
	for root.holder().parent != nil {
		root = root.holder().parent
	}
	current := []jToken{t}
	for i := range steps {
		s := &steps[i]
		var next []jToken
		for _, x := range current {
			m.step(1)
			if !s.recursive {
				next = s.apply(m, root, x, next)
				continue
			}
			next = s.apply(m, root, x, next)
			descend(m, x, func(d jToken) bool {
				if d.kind() != jsonProperty {
					next = s.apply(m, root, d, next)
				}
				return true
			})
		}
		m.charge(valueSize * len(next))
		current = next
	}
	return current
}

// values are the members of an object or the items of an array.
func tokenValues(t jToken) []jToken {
	switch x := t.(type) {
	case *jObject:
		var list []jToken
		for _, p := range x.members {
			list = append(list, p.value)
		}
		return list
	case *jArray:
		return x.items
	}
	return nil
}

func (s *pathStep) apply(m *machine, root, t jToken, out []jToken) []jToken {
	switch {
	case s.wildcard:
		return append(out, tokenValues(t)...)
	case s.names != nil:
		if o, ok := t.(*jObject); ok {
			for _, name := range s.names {
				if v := o.get(name); v != nil {
					out = append(out, v)
				}
			}
		}
	case s.filter != nil:
		for _, v := range tokenValues(t) {
			if s.filter.matches(m, root, v) {
				out = append(out, v)
			}
		}
	case s.slice:
		if a, ok := t.(*jArray); ok {
			out = append(out, s.cut(a.items)...)
		}
	default:
		if a, ok := t.(*jArray); ok {
			for _, i := range s.indexes {
				if i >= 0 && i < len(a.items) {
					out = append(out, a.items[i])
				}
			}
		}
	}
	return out
}

// cut is a slice as in Python.
func (s *pathStep) cut(items []jToken) []jToken {
	n := len(items)
	bound := func(p *int, standard int) int {
		if p == nil {
			return standard
		}
		i := *p
		if i < 0 {
			i += n
		}
		return i
	}
	var out []jToken
	if s.step > 0 {
		for i := max(bound(s.from, 0), 0); i < min(bound(s.to, n), n); i += s.step {
			out = append(out, items[i])
		}
		return out
	}
	for i := min(bound(s.from, n-1), n-1); i > max(bound(s.to, -1), -1); i += s.step {
		out = append(out, items[i])
	}
	return out
}

// operands are the tokens that an operand stands for.
func (f *pathFilter) operands(m *machine, root, t jToken) []jToken {
	if !f.isPath {
		return []jToken{f.literal}
	}
	if f.rooted {
		t = root
	}
	return selectPath(m, t, f.path, false)
}

func (f *pathFilter) matches(m *machine, root, t jToken) bool {
	switch f.op {
	case "&&":
		return f.left.matches(m, root, t) && f.right.matches(m, root, t)
	case "||":
		return f.left.matches(m, root, t) || f.right.matches(m, root, t)
	case "":
		if !f.left.isPath && f.left.literal == nil {
			return f.left.matches(m, root, t)
		}
		return len(f.left.operands(m, root, t)) > 0
	}
	return slices.ContainsFunc(f.left.operands(m, root, t), func(x jToken) bool {
		return slices.ContainsFunc(f.right.operands(m, root, t), func(y jToken) bool { return comparePath(m, f.op, x, y) })
	})
}

// comparePath compares two leaves; numbers compare by value, other types by their own order.
func comparePath(m *machine, op string, x, y jToken) bool {
	a, okA := x.(*jValue)
	b, okB := y.(*jValue)
	if !okA || !okB {
		return (op == "!=" || op == "<>" || op == "!==") && okA != okB
	}
	if op == "=~" {
		pattern := m.text(b.value)
		end := strings.LastIndexByte(pattern, '/')
		options := 0
		if end > 0 && strings.Contains(pattern[end:], "i") {
			options = 1
		}
		return end > 0 && m.regex(pattern[1:end], options).isMatch(m, m.text(a.value), 0)
	}
	number := func(v *jValue) bool { return v.is == jsonInteger || v.is == jsonFloat }
	comparable := a.is == b.is || number(a) && number(b)
	if !comparable {
		if op == "==" || op == "!=" || op == "<>" {
			same := a.value != nil && b.value != nil && (a.is == jsonString || b.is == jsonString) && !number(a) && !number(b) && m.text(a.value) == m.text(b.value)
			return same == (op == "==")
		}
		return op == "!=="
	}
	order := 0
	switch {
	case number(a):
		order = compareOrdered(floatOf(a.value), floatOf(b.value))
	case a.is == jsonString:
		order = compareOrdinal(a.value.(string), b.value.(string))
	case !equalsValue(a.value, b.value):
		order = 1
		if a.value != nil && b.value != nil {
			order = compareValues(m, a.value, b.value)
		}
	}
	switch op {
	case "===":
		op = "=="
	case "!==", "<>":
		op = "!="
	}
	return orderTest(op)(order)
}

package expr

import (
	"strings"
	"sync"

	"github.com/dlclark/regexp2"
)

// Options of System.Text.RegularExpressions.RegexOptions that regexp2 numbers otherwise or does not know.
const regexIgnored = 8 | 512 // Compiled, CultureInvariant

// parserCache keeps compiled regular expressions; patterns in policies are few and constant.
type parserCache struct {
	mu      sync.RWMutex
	entries map[regexKey]*regexp2.Regexp
}

type regexKey struct {
	pattern string
	options int
}

// maxCachedPatterns bounds the cache; it is emptied when full.
const maxCachedPatterns = 512

func newParserCache() *parserCache { return &parserCache{entries: map[regexKey]*regexp2.Regexp{}} }

// regexValue is System.Text.RegularExpressions.Regex.
type regexValue struct {
	pattern string
	options int
	re      *regexp2.Regexp
}

func (r *regexValue) typeIn(e *Environment) *netType { return e.named("Regex") }
func (r *regexValue) text(*machine) string           { return r.pattern }

// regex compiles a pattern.
func (m *machine) regex(pattern string, options int) *regexValue {
	m.step(1)
	cache := m.env.parsers
	key := regexKey{pattern, options}
	cache.mu.RLock()
	re := cache.entries[key]
	cache.mu.RUnlock()
	if re == nil {
		m.step(int64(len(pattern)) + 50)
		if len(pattern) > 16<<10 {
			throw("ArgumentException", "The regular expression is too long.")
		}
		compiled, err := regexp2.Compile(pattern, regexp2.RegexOptions(options&^regexIgnored))
		if err != nil {
			throwFull("System.Text.RegularExpressions.RegexParseException", "Invalid pattern '"+pattern+"'. "+err.Error())
		}
		compiled.MatchTimeout = m.env.limits.Regex
		cache.mu.Lock()
		if len(cache.entries) >= maxCachedPatterns {
			clear(cache.entries)
		}
		cache.entries[key] = compiled
		cache.mu.Unlock()
		re = compiled
	}
	return &regexValue{pattern, options, re}
}

// checkRegex turns the errors of matching into what they mean here.
func checkRegex(m *machine, err error) {
	if err != nil {
		panic(&LimitError{Limit: "regex"})
	}
	// A program that spends its time in regular expressions takes few steps, so the clock is read after each match.
	m.checkDeadline()
}

// find is the first match from a position on.
func (r *regexValue) find(m *machine, s []rune, at int) *regexp2.Match {
	match, err := r.re.FindRunesMatchStartingAt(s, at)
	checkRegex(m, err)
	return match
}

func (r *regexValue) isMatch(m *machine, s string, _ int) bool {
	ok, err := r.re.MatchString(s)
	checkRegex(m, err)
	return ok
}

// first is the first match, from the end for RightToLeft.
func (r *regexValue) first(m *machine, s []rune) *regexp2.Match {
	match, err := r.re.FindRunesMatch(s)
	checkRegex(m, err)
	return match
}

func (r *regexValue) next(m *machine, last *regexp2.Match) *regexp2.Match {
	match, err := r.re.FindNextMatch(last)
	checkRegex(m, err)
	return match
}

// captureValue is Capture, groupValue Group and matchValue Match.
type captureValue struct {
	text  string
	index int
}

type groupValue struct {
	captureValue
	name     string
	success  bool
	captures []Value
}

type matchValue struct {
	groupValue
	regex  *regexValue
	source []rune
	match  *regexp2.Match
	groups []*groupValue
}

func (c *captureValue) typeIn(e *Environment) *netType { return e.named("Capture") }
func (g *groupValue) typeIn(e *Environment) *netType   { return e.named("Group") }
func (g *matchValue) typeIn(e *Environment) *netType   { return e.named("Match") }

// captured is the part that Capture, Group and Match share.
func captured(v Value) *captureValue {
	switch x := v.(type) {
	case *captureValue:
		return x
	case *groupValue:
		return &x.captureValue
	case *matchValue:
		return &x.captureValue
	}
	return nil
}

// unitIndex turns a rune index into a UTF-16 index.
func unitIndex(s []rune, i int) int {
	n := i
	for _, r := range s[:i] {
		if r >= 0x10000 {
			n++
		}
	}
	return n
}

// wrap makes a Match of a regexp2 match; nil is the failed match.
func (r *regexValue) wrap(m *machine, s []rune, match *regexp2.Match) *matchValue {
	v := &matchValue{regex: r, source: s, match: match}
	if match == nil {
		v.groups = []*groupValue{&v.groupValue}
		return v
	}
	for i, g := range match.Groups() {
		w := &groupValue{name: g.Name, success: len(g.Captures) > 0}
		if i == 0 {
			w = &v.groupValue
			w.name, w.success = g.Name, true
		}
		for _, c := range g.Captures {
			m.charge(valueSize)
			w.captures = append(w.captures, &captureValue{c.String(), unitIndex(s, c.Index)})
		}
		if w.success {
			w.text, w.index = g.String(), unitIndex(s, g.Index)
		}
		v.groups = append(v.groups, w)
	}
	return v
}

// group finds a group by name; one that does not exist failed.
func (v *matchValue) group(name string) *groupValue {
	for i, g := range v.groups {
		if i > 0 && g.name == name || i == 0 && name == "0" {
			return g
		}
	}
	return &groupValue{name: name}
}

// collectionValue is GroupCollection, CaptureCollection or MatchCollection.
type collectionValue struct {
	typ   string
	items []Value
	match *matchValue
}

func (c *collectionValue) typeIn(e *Environment) *netType { return e.named(c.typ) }

func (c *collectionValue) eachItem(_ *machine, visit func(Value) bool) {
	for _, v := range c.items {
		if !visit(v) {
			return
		}
	}
}

// matches is all matches of a text.
func (r *regexValue) matches(m *machine, text string) *collectionValue {
	s := []rune(text)
	c := &collectionValue{typ: "MatchCollection"}
	for match := r.first(m, s); match != nil; match = r.next(m, match) {
		m.charge(valueSize)
		c.items = append(c.items, r.wrap(m, s, match))
	}
	return c
}

// replace replaces up to count matches by what make gives; a negative count is no limit.
func (r *regexValue) replace(m *machine, text string, count int, make func(*regexp2.Match) string) string {
	s := []rune(text)
	rightToLeft := r.options&64 != 0
	type piece struct {
		from, to int
		text     string
	}
	var pieces []piece
	for match := r.first(m, s); match != nil && count != 0; match = r.next(m, match) {
		with := make(match)
		m.charge(len(with) + valueSize)
		pieces = append(pieces, piece{match.Index, match.Index + match.Length, with})
		count--
	}
	if len(pieces) == 0 {
		return text
	}
	if rightToLeft {
		for i, j := 0, len(pieces)-1; i < j; i, j = i+1, j-1 {
			pieces[i], pieces[j] = pieces[j], pieces[i]
		}
	}
	var out builder
	at := 0
	for _, p := range pieces {
		out.write(m, string(s[at:p.from]))
		out.write(m, p.text)
		at = p.to
	}
	out.write(m, string(s[at:]))
	return out.String()
}

// expand writes a replacement pattern: $1, ${name}, $$, $&, $`, $', $+ and $_; what names no group stays as text.
func (r *regexValue) expand(pattern string, match *matchValue) string {
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c != '$' || i+1 >= len(pattern) {
			out.WriteByte(c)
			continue
		}
		next := pattern[i+1]
		known := func(name string) (*groupValue, bool) {
			for j, g := range match.groups {
				if g.name == name || j == 0 && name == "0" {
					return g, true
				}
			}
			return nil, false
		}
		switch {
		case next == '$':
			out.WriteByte('$')
			i++
		case next == '&':
			out.WriteString(match.text)
			i++
		case next == '`':
			out.WriteString(string(match.source[:match.match.Index]))
			i++
		case next == '\'':
			out.WriteString(string(match.source[match.match.Index+match.match.Length:]))
			i++
		case next == '_':
			out.WriteString(string(match.source))
			i++
		case next == '+':
			out.WriteString(match.groups[len(match.groups)-1].text)
			i++
		case isDigit(next):
			// The longest number that names a group is taken.
			end := i + 1
			for end < len(pattern) && isDigit(pattern[end]) {
				end++
			}
			taken := false
			for j := end; j > i+1; j-- {
				if g, ok := known(strings.TrimLeft(pattern[i+1:j], "0")); ok && j > i+1 {
					out.WriteString(g.text)
					i, taken = j-1, true
					break
				}
				if strings.Trim(pattern[i+1:j], "0") == "" {
					out.WriteString(match.text)
					i, taken = j-1, true
					break
				}
			}
			if !taken {
				out.WriteByte('$')
			}
		case next == '{':
			end := strings.IndexByte(pattern[i:], '}')
			if end > 0 {
				if g, ok := known(pattern[i+2 : i+end]); ok {
					out.WriteString(g.text)
					i += end
					continue
				}
			}
			out.WriteByte('$')
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

// split is Regex.Split: captured groups stay between the parts.
func (r *regexValue) split(m *machine, text string, count int) Value {
	s := []rune(text)
	var parts []string
	at := 0
	var matches []*regexp2.Match
	for match := r.first(m, s); match != nil && (count <= 0 || len(matches) < count-1); match = r.next(m, match) {
		m.charge(valueSize)
		matches = append(matches, match)
	}
	if r.options&64 != 0 {
		for i, j := 0, len(matches)-1; i < j; i, j = i+1, j-1 {
			matches[i], matches[j] = matches[j], matches[i]
		}
	}
	for _, match := range matches {
		parts = append(parts, string(s[at:match.Index]))
		for _, g := range match.Groups()[1:] {
			if len(g.Captures) > 0 {
				parts = append(parts, g.String())
			}
		}
		at = match.Index + match.Length
	}
	return m.stringArray(append(parts, string(s[at:])))
}

// regexes declares Regex and its results.
func (b *library) regexes() {
	b.on("Regex")
	option := func(v Value) int { return int(v.(Enum).n) }
	b.native("new(string pattern)", func(m *machine, a []Value) Value { return m.regex(textArgument(a[0], "pattern"), 0) })
	b.native("new(string pattern, RegexOptions options)", func(m *machine, a []Value) Value { return m.regex(textArgument(a[0], "pattern"), option(a[1])) })
	b.native("new(string pattern, RegexOptions options, TimeSpan matchTimeout)", func(m *machine, a []Value) Value { return m.regex(textArgument(a[0], "pattern"), option(a[1])) })
	// both declares a static method (input, pattern, …) with its options, and the instance method.
	both := func(result, name, rest string, run func(m *machine, r *regexValue, input string, more []Value) Value) {
		tail := ""
		if rest != "" {
			tail = ", " + rest
		}
		n := 0
		if rest != "" {
			n = 1 + strings.Count(rest, ",")
		}
		b.native("static "+result+" "+name+"(string input, string pattern"+tail+")", func(m *machine, a []Value) Value {
			s := textArgument(a[0], "input")
			return run(m, m.regex(textArgument(a[1], "pattern"), 0), s, a[2:])
		})
		b.native("static "+result+" "+name+"(string input, string pattern"+tail+", RegexOptions options)", func(m *machine, a []Value) Value {
			s := textArgument(a[0], "input")
			return run(m, m.regex(textArgument(a[1], "pattern"), option(a[2+n])), s, a[2:2+n])
		})
		b.native("static "+result+" "+name+"(string input, string pattern"+tail+", RegexOptions options, TimeSpan matchTimeout)", func(m *machine, a []Value) Value {
			s := textArgument(a[0], "input")
			return run(m, m.regex(textArgument(a[1], "pattern"), option(a[2+n])), s, a[2:2+n])
		})
		b.native(result+" "+name+"(string input"+tail+")", func(m *machine, a []Value) Value {
			return run(m, a[0].(*regexValue), textArgument(a[1], "input"), a[2:])
		})
	}
	both("bool", "IsMatch", "", func(m *machine, r *regexValue, s string, _ []Value) Value { return r.isMatch(m, s, 0) })
	both("Match", "Match", "", func(m *machine, r *regexValue, s string, _ []Value) Value {
		text := []rune(s)
		return r.wrap(m, text, r.first(m, text))
	})
	both("MatchCollection", "Matches", "", func(m *machine, r *regexValue, s string, _ []Value) Value { return r.matches(m, s) })
	both("string[]", "Split", "", func(m *machine, r *regexValue, s string, _ []Value) Value { return r.split(m, s, 0) })
	text := func(count func(a []Value) int) func(m *machine, r *regexValue, s string, a []Value) Value {
		return func(m *machine, r *regexValue, s string, a []Value) Value {
			pattern := textArgument(a[0], "replacement")
			source := []rune(s)
			return r.replace(m, s, count(a), func(x *regexp2.Match) string { return r.expand(pattern, r.wrap(m, source, x)) })
		}
	}
	evaluate := func(count func(a []Value) int) func(m *machine, r *regexValue, s string, a []Value) Value {
		return func(m *machine, r *regexValue, s string, a []Value) Value {
			d, source := a[0].(*delegate), []rune(s)
			return r.replace(m, s, count(a), func(x *regexp2.Match) string { return optionalText(d.invoke(m, r.wrap(m, source, x))) })
		}
	}
	all := func([]Value) int { return -1 }
	some := func(a []Value) int { return intOf(a[1]) }
	both("string", "Replace", "string replacement", text(all))
	both("string", "Replace", "MatchEvaluator evaluator", evaluate(all))
	for kind, run := range map[string]func(m *machine, r *regexValue, s string, a []Value) Value{"string replacement": text(some), "MatchEvaluator evaluator": evaluate(some)} {
		b.native("string Replace(string input, "+kind+", int count)", func(m *machine, a []Value) Value {
			return run(m, a[0].(*regexValue), textArgument(a[1], "input"), a[2:])
		})
	}
	b.native("string[] Split(string input, int count)", func(m *machine, a []Value) Value {
		return a[0].(*regexValue).split(m, textArgument(a[1], "input"), intOf(a[2]))
	})
	b.native("Match Match(string input, int startat)", func(m *machine, a []Value) Value {
		r, s := a[0].(*regexValue), []rune(textArgument(a[1], "input"))
		if i := intOf(a[2]); i < 0 || i > len(s) {
			throwOutOfRange("Start index cannot be less than 0 or greater than input length.", "startat")
		}
		return r.wrap(m, s, r.find(m, s, intOf(a[2])))
	})
	b.native("string[] GetGroupNames()", func(m *machine, a []Value) Value { return m.stringArray(a[0].(*regexValue).re.GetGroupNames()) })
	b.method("static string Escape(string str)", func(a []Value) Value { return escapeRegex(textArgument(a[0], "str")) })
	b.method("static string Unescape(string str)", func(a []Value) Value {
		s, err := regexp2.Unescape(textArgument(a[0], "str"))
		if err != nil {
			throwFull("System.Text.RegularExpressions.RegexParseException", err.Error())
		}
		return s
	})
	b.on("Capture")
	b.property("string Value", func(v Value) Value { return captured(v).text })
	b.property("int Index", func(v Value) Value { return int32(captured(v).index) })
	b.property("int Length", func(v Value) Value { return int32(lengthOf(captured(v).text)) })
	b.native("string ToString()", func(_ *machine, a []Value) Value { return captured(a[0]).text })
	b.on("Group")
	inner := func(v Value) *groupValue {
		if x, ok := v.(*matchValue); ok {
			return &x.groupValue
		}
		return v.(*groupValue)
	}
	b.property("bool Success", func(v Value) Value { return inner(v).success })
	b.property("string Name", func(v Value) Value { return inner(v).name })
	b.property("CaptureCollection Captures", func(v Value) Value { return &collectionValue{typ: "CaptureCollection", items: inner(v).captures} })
	b.on("Match")
	b.property("GroupCollection Groups", func(v Value) Value {
		x := v.(*matchValue)
		c := &collectionValue{typ: "GroupCollection", match: x}
		for i, g := range x.groups {
			if i == 0 {
				c.items = append(c.items, x)
				continue
			}
			c.items = append(c.items, g)
		}
		return c
	})
	b.native("string Result(string replacement)", func(_ *machine, a []Value) Value {
		x := a[0].(*matchValue)
		if x.match == nil {
			throw("NotSupportedException", "Result cannot be called on a failed Match.")
		}
		return x.regex.expand(textArgument(a[1], "replacement"), x)
	})
	b.native("Match NextMatch()", func(m *machine, a []Value) Value {
		x := a[0].(*matchValue)
		if x.match == nil {
			return x
		}
		return x.regex.wrap(m, x.source, x.regex.next(m, x.match))
	})
	b.native("static Match Empty", func(m *machine, _ []Value) Value { return (&regexValue{}).wrap(m, nil, nil) })
	for name, element := range map[string]string{"GroupCollection": "Group", "CaptureCollection": "Capture", "MatchCollection": "Match"} {
		b.on(name)
		b.property("int Count", func(v Value) Value { return int32(len(v.(*collectionValue).items)) })
		b.method(element+" this[int index]", func(a []Value) Value {
			c, i := a[0].(*collectionValue), intOf(a[1])
			if i < 0 || i >= len(c.items) {
				if name == "GroupCollection" {
					return &groupValue{}
				}
				throwOutOfRange("Specified argument was out of the range of valid values.", "i")
			}
			return c.items[i]
		})
	}
	b.on("GroupCollection").method("Group this[string groupname]", func(a []Value) Value { return a[0].(*collectionValue).match.group(textArgument(a[1], "groupname")) })
}

// format makes Capture, Group and Match print their value.
func (c *captureValue) format(*machine, string) string { return c.text }

// escapeRegex is Regex.Escape.
func escapeRegex(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch r {
		case '\\', '*', '+', '?', '|', '{', '[', '(', ')', '^', '$', '.', '#', ' ':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '\f':
			b.WriteString(`\f`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

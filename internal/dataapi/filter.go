package dataapi

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/hubgate/hubgate/internal/hub"
)

// filter picks connections (the OData filters of the data-plane API). The zero filter picks all.
//
// Names: userId and connectionId are texts, userId is null without a user, and groups is a collection of texts. Operators, from the tightest:
// not; eq, ne, gt, ge, lt, le and in; and; or. Functions: tolower, toupper, trim, length, substring, indexof, concat, startswith, endswith,
// contains. Literals: true, false, null, whole numbers, and texts in single quotes, of which one inside is doubled.
type filter struct{ root *expression }

func (f filter) matches(c *hub.Client) bool {
	if f.root == nil {
		return true
	}
	v := f.root.eval(c)
	return v.kind == kindBool && v.flag
}

// kind is the type of a value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindTexts
)

func (k kind) String() string {
	return [...]string{"null", "a truth value", "a number", "a text", "a collection"}[k]
}

// value is what an expression comes to.
type value struct {
	kind   kind
	flag   bool
	number int64
	text   string
	texts  []string
}

// expression is a part of a filter. What it comes to is of its kind, or null.
type expression struct {
	kind kind
	eval func(c *hub.Client) value
}

// Bounds of a filter: how long it may be in bytes, how many parts it may have, and how deep they may be nested.
const (
	maxFilter = 8 << 10
	maxParts  = 1000
	maxNested = 64
)

func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return filter{}, nil
	}
	if len(text) > maxFilter {
		return filter{}, invalid("filter", "the filter has %d bytes and may have %d", len(text), maxFilter)
	}
	if !utf8.ValidString(text) {
		return filter{}, invalid("filter", "the filter must be UTF-8")
	}
	p := &filterParser{text: text}
	p.next()
	root, err := p.or()
	switch {
	case err != nil:
		return filter{}, err
	case p.token.kind != tokenEnd:
		return filter{}, p.unexpected("the end of the filter")
	case root.kind != kindBool:
		return filter{}, invalid("filter", "the filter comes to %s and must come to a truth value", root.kind)
	}
	return filter{root}, nil
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenText
	tokenNumber
	tokenMark // ( ) ,
	tokenBad
)

type token struct {
	kind tokenKind
	text string // of a text, without quotes
	at   int    // byte of the filter, from 0
}

type filterParser struct {
	text   string
	at     int
	token  token
	parts  int
	nested int
}

// next reads the next token into p.token.
func (p *filterParser) next() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	start := p.at
	p.token = token{at: start}
	if start == len(p.text) {
		return
	}
	switch b := p.text[start]; {
	case b == '(' || b == ')' || b == ',':
		p.at++
		p.token.kind, p.token.text = tokenMark, p.text[start:p.at]
	case b == '\'':
		p.quoted()
	case b == '-' || b >= '0' && b <= '9':
		p.at++
		p.while(func(b byte) bool { return b >= '0' && b <= '9' })
		p.token.kind, p.token.text = tokenNumber, p.text[start:p.at]
	case letter(b):
		p.while(func(b byte) bool { return letter(b) || b >= '0' && b <= '9' })
		p.token.kind, p.token.text = tokenWord, p.text[start:p.at]
	default:
		p.at++
		p.token.kind, p.token.text = tokenBad, p.text[start:p.at]
	}
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' }

func (p *filterParser) while(good func(byte) bool) {
	for p.at < len(p.text) && good(p.text[p.at]) {
		p.at++
	}
}

// quoted reads a text; a doubled quote in it stands for one.
func (p *filterParser) quoted() {
	var b strings.Builder
	for rest := p.text[p.at+1:]; ; {
		inside, after, closed := strings.Cut(rest, "'")
		b.WriteString(inside)
		if !closed {
			p.at = len(p.text)
			p.token.kind = tokenBad
			return
		}
		if !strings.HasPrefix(after, "'") {
			p.at = len(p.text) - len(after)
			p.token.kind, p.token.text = tokenText, b.String()
			return
		}
		b.WriteByte('\'')
		rest = after[1:]
	}
}

func (p *filterParser) unexpected(wanted string) error {
	switch p.token.kind {
	case tokenEnd:
		return invalid("filter", "the filter ends where %s should be", wanted)
	case tokenBad:
		return invalid("filter", "the filter cannot be read at byte %d", p.token.at)
	}
	return invalid("filter", "at byte %d of the filter there is %q where %s should be", p.token.at, p.token.text, wanted)
}

func (p *filterParser) word(name string) bool {
	return p.token.kind == tokenWord && strings.EqualFold(p.token.text, name)
}

func (p *filterParser) mark(m string) bool { return p.token.kind == tokenMark && p.token.text == m }

func (p *filterParser) take(m, wanted string) error {
	if !p.mark(m) {
		return p.unexpected(wanted)
	}
	p.next()
	return nil
}

// enter counts a part, and a level that leave ends.
func (p *filterParser) enter() error {
	p.parts++
	p.nested++
	if p.parts > maxParts || p.nested > maxNested {
		return invalid("filter", "the filter has more than %d parts, or they are nested deeper than %d levels", maxParts, maxNested)
	}
	return nil
}

func (p *filterParser) leave() { p.nested-- }

func (p *filterParser) or() (*expression, error) {
	return p.chain("or", p.and, func(a, b bool) bool { return a || b }, true)
}

func (p *filterParser) and() (*expression, error) {
	return p.chain("and", p.comparison, func(a, b bool) bool { return a && b }, false)
}

// chain reads operands with a logical operator between them. An operand that comes to decided ends the evaluation.
func (p *filterParser) chain(operator string, operand func() (*expression, error), join func(a, b bool) bool, decided bool) (*expression, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for p.word(operator) {
		at := p.token.at
		p.next()
		right, err := operand()
		if err != nil {
			return nil, err
		}
		if left.kind != kindBool || right.kind != kindBool {
			return nil, invalid("filter", "at byte %d of the filter: %s needs truth values on both sides", at, operator)
		}
		l, r := left.eval, right.eval
		left = &expression{kindBool, func(c *hub.Client) value {
			a := l(c).flag
			if a == decided {
				return value{kind: kindBool, flag: decided}
			}
			return value{kind: kindBool, flag: join(a, r(c).flag)}
		}}
	}
	return left, nil
}

// comparison reads one operand, or two with an operator between them.
func (p *filterParser) comparison() (*expression, error) {
	left, err := p.not()
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenWord {
		return left, nil
	}
	operator, at := strings.ToLower(p.token.text), p.token.at
	switch operator {
	case "in":
		p.next()
		return p.in(left, at)
	case "eq", "ne", "gt", "ge", "lt", "le":
	default:
		return left, nil
	}
	p.next()
	right, err := p.not()
	if err != nil {
		return nil, err
	}
	if !comparable(left.kind, right.kind) {
		return nil, invalid("filter", "at byte %d of the filter: %s and %s cannot be compared", at, left.kind, right.kind)
	}
	if operator != "eq" && operator != "ne" && (left.kind == kindBool || right.kind == kindBool) {
		return nil, invalid("filter", "at byte %d of the filter: truth values have no order", at)
	}
	l, r := left.eval, right.eval
	return &expression{kindBool, func(c *hub.Client) value {
		return value{kind: kindBool, flag: compare(operator, l(c), r(c))}
	}}, nil
}

func comparable(a, b kind) bool {
	return a != kindTexts && b != kindTexts && (a == b || a == kindNull || b == kindNull)
}

// compare compares two values; null is equal to null alone and has no order.
func compare(operator string, a, b value) bool {
	same, order := a.kind == b.kind, 0
	switch {
	case !same || a.kind == kindNull:
	case a.kind == kindText:
		order = strings.Compare(a.text, b.text)
	case a.kind == kindNumber:
		order = int(min(max(a.number-b.number, -1), 1))
		if (a.number < 0) != (b.number < 0) { // the difference may be out of range
			order = 1
			if a.number < 0 {
				order = -1
			}
		}
	case a.flag != b.flag:
		order = 1
	}
	ordered := same && a.kind != kindNull
	switch operator {
	case "eq":
		return same && order == 0
	case "ne":
		return !same || order != 0
	case "gt":
		return ordered && order > 0
	case "ge":
		return ordered && order >= 0
	case "lt":
		return ordered && order < 0
	}
	return ordered && order <= 0
}

// in reads what follows the operator in: a list of values, or a collection.
func (p *filterParser) in(left *expression, at int) (*expression, error) {
	if p.mark("(") {
		return p.inList(left, at)
	}
	right, err := p.not()
	if err != nil {
		return nil, err
	}
	if right.kind != kindTexts || left.kind != kindText && left.kind != kindNull {
		return nil, invalid("filter", "at byte %d of the filter: in needs a text and a collection, or a list in parentheses", at)
	}
	l, r := left.eval, right.eval
	return &expression{kindBool, func(c *hub.Client) value {
		v := l(c)
		return value{kind: kindBool, flag: v.kind == kindText && slices.Contains(r(c).texts, v.text)}
	}}, nil
}

func (p *filterParser) inList(left *expression, at int) (*expression, error) {
	p.next()
	var list []*expression
	for {
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		if !comparable(left.kind, e.kind) {
			return nil, invalid("filter", "at byte %d of the filter: %s and %s cannot be compared", at, left.kind, e.kind)
		}
		list = append(list, e)
		if p.mark(",") {
			p.next()
			continue
		}
		if err := p.take(")", "a comma or a closing parenthesis"); err != nil {
			return nil, err
		}
		break
	}
	l := left.eval
	return &expression{kindBool, func(c *hub.Client) value {
		v := l(c)
		return value{kind: kindBool, flag: slices.ContainsFunc(list, func(e *expression) bool { return compare("eq", v, e.eval(c)) })}
	}}, nil
}

func (p *filterParser) not() (*expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if !p.word("not") {
		return p.primary()
	}
	at := p.token.at
	p.next()
	e, err := p.not()
	if err != nil {
		return nil, err
	}
	if e.kind != kindBool {
		return nil, invalid("filter", "at byte %d of the filter: not needs a truth value; put a comparison in parentheses", at)
	}
	eval := e.eval
	return &expression{kindBool, func(c *hub.Client) value { return value{kind: kindBool, flag: !eval(c).flag} }}, nil
}

func constant(v value) *expression {
	return &expression{v.kind, func(*hub.Client) value { return v }}
}

func (p *filterParser) primary() (*expression, error) {
	t := p.token
	switch {
	case p.mark("("):
		p.next()
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.take(")", "a closing parenthesis")
	case t.kind == tokenText:
		p.next()
		return constant(value{kind: kindText, text: t.text}), nil
	case t.kind == tokenNumber:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, invalid("filter", "at byte %d of the filter: %q is not a whole number", t.at, t.text)
		}
		p.next()
		return constant(value{kind: kindNumber, number: n}), nil
	case t.kind != tokenWord:
		return nil, p.unexpected("a name, a function or a literal")
	}
	p.next()
	if p.mark("(") {
		return p.function(strings.ToLower(t.text), t.at)
	}
	switch strings.ToLower(t.text) {
	case "true", "false":
		return constant(value{kind: kindBool, flag: strings.EqualFold(t.text, "true")}), nil
	case "null":
		return constant(value{}), nil
	case "userid":
		return &expression{kindText, func(c *hub.Client) value {
			if !c.HasUser {
				return value{}
			}
			return value{kind: kindText, text: c.UserID}
		}}, nil
	case "connectionid":
		return &expression{kindText, func(c *hub.Client) value { return value{kind: kindText, text: c.ID} }}, nil
	case "groups":
		return &expression{kindTexts, func(c *hub.Client) value { return value{kind: kindTexts, texts: c.Groups()} }}, nil
	}
	return nil, invalid("filter", "at byte %d of the filter: there is no name %q; use userId, connectionId or groups", t.at, t.text)
}

// function is one of the functions: the kinds of what it takes, of which the last optional ones may be left out, and of what it comes to.
type function struct {
	takes    []kind
	optional int
	gives    kind
	call     func(v []value) value
}

func flag(b bool) value      { return value{kind: kindBool, flag: b} }
func number(n int) value     { return value{kind: kindNumber, number: int64(n)} }
func textual(s string) value { return value{kind: kindText, text: s} }

// functions are those that filters may call. Positions and lengths count UTF-16 units, as in .NET.
var functions = map[string]function{
	"tolower":    {takes: []kind{kindText}, gives: kindText, call: func(v []value) value { return textual(strings.ToLower(v[0].text)) }},
	"toupper":    {takes: []kind{kindText}, gives: kindText, call: func(v []value) value { return textual(strings.ToUpper(v[0].text)) }},
	"trim":       {takes: []kind{kindText}, gives: kindText, call: func(v []value) value { return textual(strings.TrimSpace(v[0].text)) }},
	"length":     {takes: []kind{kindText}, gives: kindNumber, call: func(v []value) value { return number(len(units(v[0].text))) }},
	"concat":     {takes: []kind{kindText, kindText}, gives: kindText, call: func(v []value) value { return textual(v[0].text + v[1].text) }},
	"startswith": {takes: []kind{kindText, kindText}, gives: kindBool, call: func(v []value) value { return flag(strings.HasPrefix(v[0].text, v[1].text)) }},
	"endswith":   {takes: []kind{kindText, kindText}, gives: kindBool, call: func(v []value) value { return flag(strings.HasSuffix(v[0].text, v[1].text)) }},
	"contains":   {takes: []kind{kindText, kindText}, gives: kindBool, call: func(v []value) value { return flag(strings.Contains(v[0].text, v[1].text)) }},
	"indexof": {takes: []kind{kindText, kindText}, gives: kindNumber, call: func(v []value) value {
		before, _, found := strings.Cut(v[0].text, v[1].text)
		if !found {
			return number(-1)
		}
		return number(len(units(before)))
	}},
	"substring": {takes: []kind{kindText, kindNumber, kindNumber}, optional: 1, gives: kindText, call: func(v []value) value {
		all := units(v[0].text)
		from := min(max(v[1].number, 0), int64(len(all)))
		to := int64(len(all))
		if len(v) > 2 {
			to = from + min(max(v[2].number, 0), to-from)
		}
		return textual(string(utf16.Decode(all[from:to])))
	}},
}

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

// function reads the arguments of a function that has been named.
func (p *filterParser) function(name string, at int) (*expression, error) {
	f, known := functions[name]
	if !known {
		return nil, invalid("filter", "at byte %d of the filter: there is no function %q", at, name)
	}
	p.next()
	var arguments []*expression
	for !p.mark(")") {
		if len(arguments) > 0 {
			if err := p.take(",", "a comma or a closing parenthesis"); err != nil {
				return nil, err
			}
		}
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, e)
	}
	p.next()
	if n := len(arguments); n > len(f.takes) || n < len(f.takes)-f.optional {
		return nil, invalid("filter", "at byte %d of the filter: %s does not take %d arguments", at, name, n)
	}
	for i, e := range arguments {
		if e.kind != f.takes[i] && e.kind != kindNull {
			return nil, invalid("filter", "at byte %d of the filter: argument %d of %s must be %s", at, i+1, name, f.takes[i])
		}
	}
	return &expression{f.gives, func(c *hub.Client) value {
		values := make([]value, len(arguments))
		for i, e := range arguments {
			if values[i] = e.eval(c); values[i].kind == kindNull {
				return value{} // of nothing comes nothing
			}
		}
		return f.call(values)
	}}, nil
}

package policy

import (
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// Environment is what documents are compiled in. It must not change while they are.
type Environment struct {
	// Policies is the table of policies by element name; nil means [Policies].
	Policies map[string]Definition
	// NamedValues are the values by display name.
	NamedValues map[string]string
	// Fragments are the policy fragments by name in lower case.
	Fragments map[string]*resource.PolicyFragment
	// Backends are the backends by name in lower case.
	Backends map[string]*resource.Backend
	// Schemas are those of the service and of its APIs; nil for none.
	Schemas *SchemaSet
	// Loggers are those that log-to-eventhub may name, by name in lower case.
	Loggers map[string]EventLogger
	// Offline compiles documents without the resources that they name: what is not there is no fault, and nothing can run.
	Offline bool
	// Expressions compiles expressions; nil means that none are taken.
	Expressions ExpressionCompiler
	// Runtime is what policies work with; nil compiles documents that never run.
	Runtime *Runtime
}

// Definition is a row of the table of policies.
type Definition struct {
	Sections Section
	Scopes   Scope
	// Handshake says whether the policy works on the handshake of a WebSocket API. One that does not is refused in such an
	// API's own documents and left out where it is inherited.
	Handshake bool
	// TopLevel says that the policy must be a direct child of its section.
	TopLevel bool
	// Once says that a section may have it only once.
	Once bool
	// Refused is why Hubgate never takes the policy; New is nil then.
	Refused string
	// New compiles an element. It reports faults to the builder and may return anything then.
	New func(b *Builder) Policy
}

// compilation is what the builders of one document share.
type compilation struct {
	environment   *Environment
	policies      map[string]Definition
	scope         Scope
	owner         resource.ID
	handshake     bool
	operation     *resource.Operation // of an operation's document, else nil
	errors        Errors
	inFragment    *element // the include-fragment element while its fragment is compiled
	readsResponse bool
}

// Builder compiles one element: it hands out attributes and children and notes which were asked for, so that the others can
// be refused.
type Builder struct {
	c        *compilation
	e        *element
	section  Section
	path     string
	depth    int  // 0 for a direct child of a section
	response bool // headers and body of the statement are those of the response
	later    bool // expressions run when there is a response, whatever the section
	place    *Place
	used     map[string]bool
	children bool // the children were asked for
	text     bool // the text was asked for
	unknown  bool // a literal holds a named value that an offline check does not know, so faults may be those of its absence
}

// Element is the element's name.
func (b *Builder) Element() string { return b.e.name }

// Errorf notes a fault of the element.
func (b *Builder) Errorf(format string, args ...any) {
	if b.unknown {
		return
	}
	b.c.report(errorf(b.e.name, b.e.line, b.e.column, format, args...))
}

func (c *compilation) report(err *Error) {
	if f := c.inFragment; f != nil {
		// The place within the fragment is part of the reason; the fault is at the statement that includes it.
		err = errorf(f.name, f.line, f.column, "In the fragment, %s", strings.TrimPrefix(err.Error(), "Error "))
	}
	c.errors = append(c.errors, err)
}

// Flag qualifies an attribute or a text.
type Flag uint8

// The flags.
const (
	Required    Flag = 1 << iota // its absence is a fault
	LiteralOnly                  // an expression is a fault
)

var namedValue = regexp.MustCompile(`\{\{([A-Za-z0-9._-]+)\}\}`)

// expand puts named values in.
func (b *Builder) expand(text string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	return namedValue.ReplaceAllStringFunc(text, func(reference string) string {
		name := reference[2 : len(reference)-2]
		value, ok := b.c.environment.NamedValues[name]
		if !ok && b.c.environment.Offline {
			return unknownNamedValue
		}
		if !ok {
			b.Errorf("Cannot find a property '%s'; there is no named value with this display name", name)
		}
		return value
	})
}

func (b *Builder) attribute(name string, flags Flag) (content, bool) {
	if b.used == nil {
		b.used = map[string]bool{}
	}
	b.used[name] = true
	for _, a := range b.e.attributes {
		if a.name == name {
			return a.value, true
		}
	}
	if flags&Required != 0 {
		b.Errorf("The required attribute '%s' is missing", name)
	}
	return content{}, false
}

// make turns a content into a value: it expands named values, which may make an expression of a literal, then parses or compiles.
func makeValue[T any](b *Builder, what string, c content, flags Flag, parse func(string) (T, error), convert func(*Exchange, Expression) (T, error)) Value[T] {
	if c.expression == nil {
		text := b.expand(c.literal)
		if b.c.environment.Offline && strings.Contains(text, unknownNamedValue) {
			b.unknown = b.unknown || flags&LiteralOnly != 0
			return unknownValue[T](text, flags)
		}
		x, ok := wholeExpression(strings.TrimSpace(text))
		if !ok {
			v, err := parse(text)
			if err != nil {
				b.Errorf("%s: %s", what, err)
			}
			return Literal(v)
		}
		c = content{expression: x, line: b.e.line, column: b.e.column}
	}
	if flags&LiteralOnly != 0 {
		b.Errorf("%s does not take an expression", what)
		return Value[T]{set: true}
	}
	return Value[T]{expression: b.compile(c), convert: convert, set: true}
}

// compile compiles an expression; faults are reported at its place.
func (b *Builder) compile(c content) Expression {
	source := b.expand(c.expression.source)
	if (b.section&(Outbound|OnError) != 0 || b.later) && strings.Contains(source, "Response") && strings.Contains(source, "Body") {
		b.c.readsResponse = true
	}
	compiler := b.c.environment.Expressions
	if compiler == nil {
		b.c.report(errorf(b.e.name, c.line, c.column, "Policy expressions are not supported here; write a literal"))
		return nil
	}
	compiled, err := compileKnown(compiler, source, c.expression.statements)
	if err == nil {
		return compiled
	}
	// An editor's document may have its expressions escaped nevertheless.
	if strings.Contains(source, "&") {
		if compiled, err2 := compileKnown(compiler, html.UnescapeString(source), c.expression.statements); err2 == nil {
			return compiled
		}
	}
	line, column := c.line, c.column
	message := err.Error()
	var p Positioner
	if errors.As(err, &p) {
		l, col := p.Position()
		if l <= 1 {
			column += col - 1 + len("@(")
		} else {
			line, column = line+l-1, col
		}
	}
	b.c.report(errorf(b.e.name, line, column, "%s", message))
	return nil
}

func trimmed(text string) (string, error) { return strings.TrimSpace(text), nil }

// String is a text attribute.
func (b *Builder) String(name string, flags Flag) Value[string] {
	c, ok := b.attribute(name, flags)
	if !ok {
		return Value[string]{}
	}
	v := makeValue(b, "The attribute '"+name+"'", c, flags, func(s string) (string, error) { return s, nil }, textOf)
	if v.expression == nil && v.convert == nil && v.literal == "" && flags&Required != 0 {
		b.Errorf("The required attribute '%s' is empty", name)
	}
	return v
}

// Literal is a text attribute that is no expression; fallback is its value when it is absent.
func (b *Builder) Literal(name, fallback string, flags Flag) string {
	v := b.String(name, flags|LiteralOnly)
	if !v.set {
		return fallback
	}
	return v.literal
}

// Bool is a boolean attribute; fallback is its value when it is absent.
func (b *Builder) Bool(name string, fallback bool, flags Flag) Value[bool] {
	c, ok := b.attribute(name, flags)
	if !ok {
		return Value[bool]{literal: fallback}
	}
	return makeValue(b, "The attribute '"+name+"'", c, flags, parseBool, boolOf)
}

// Int is a whole number attribute between least and most; fallback is its value when it is absent.
func (b *Builder) Int(name string, fallback, least, most int, flags Flag) Value[int] {
	c, ok := b.attribute(name, flags)
	if !ok {
		return Value[int]{literal: fallback}
	}
	check := func(n int, err error) (int, error) {
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("%d is not between %d and %d", n, least, most)
		}
		return n, err
	}
	return makeValue(b, "The attribute '"+name+"'", c, flags,
		func(s string) (int, error) { return check(parseInt(s)) },
		func(x *Exchange, e Expression) (int, error) { return check(intOf(x, e)) })
}

// OneOf is a text attribute with one of these values, the first when it is absent.
func (b *Builder) OneOf(name string, flags Flag, values ...string) Value[string] {
	c, ok := b.attribute(name, flags)
	if !ok {
		return Value[string]{literal: values[0]}
	}
	parse := func(s string) (string, error) {
		for _, v := range values {
			if s == v {
				return s, nil
			}
		}
		return "", fmt.Errorf("%q is none of %s", s, strings.Join(values, ", "))
	}
	return makeValue(b, "The attribute '"+name+"'", c, flags, parse, func(x *Exchange, e Expression) (string, error) {
		text, err := e.Text(x)
		if err != nil {
			return "", err
		}
		return parse(text)
	})
}

// Text is the text between the element's tags without the space around it.
func (b *Builder) Text(flags Flag) Value[string] {
	b.text = true
	v := makeValue(b, "The text", b.e.content, flags, trimmed, textOf)
	if v.expression == nil && v.convert == nil && v.literal == "" && flags&Required != 0 {
		b.Errorf("The element has no text")
	}
	return v
}

// Body is the text or the elements between the tags exactly as they stand.
func (b *Builder) Body() Value[string] {
	b.text, b.children = true, true
	return makeValue(b, "The text", b.e.content, 0, func(s string) (string, error) { return s, nil }, textOf)
}

// bytesBody is Body as bytes: an expression may give a byte[].
func (b *Builder) bytesBody() Value[[]byte] {
	b.text, b.children = true, true
	return makeValue(b, "The text", b.e.content, 0, func(s string) ([]byte, error) { return []byte(s), nil }, bytesOf)
}

// anyAttribute is an attribute with an expression's value as it is, not as text.
func (b *Builder) anyAttribute(name string) Value[any] { return b.any(name, Required) }

// optionalAny is anyAttribute for an attribute that may be absent.
func (b *Builder) optionalAny(name string) Value[any] { return b.any(name, 0) }

func (b *Builder) any(name string, flags Flag) Value[any] {
	c, ok := b.attribute(name, flags)
	if !ok {
		return Value[any]{}
	}
	return makeValue(b, "The attribute '"+name+"'", c, 0,
		func(s string) (any, error) { return s, nil },
		func(x *Exchange, e Expression) (any, error) { return e.Eval(x) })
}

// Has says whether the element has an attribute, without asking for it.
func (b *Builder) Has(name string) bool {
	for _, a := range b.e.attributes {
		if a.name == name {
			return true
		}
	}
	return false
}

// Children are builders for the child elements, which must have one of these names. Each is checked by its Done.
func (b *Builder) Children(names ...string) []*Builder {
	b.children = true
	var children []*Builder
	count := map[string]int{}
	for _, e := range b.e.children {
		count[e.name]++
		child := b.child(e, count[e.name])
		known := false
		for _, n := range names {
			known = known || n == e.name
		}
		if !known {
			child.Errorf("The element is not allowed in '%s'; allowed are: %s", b.e.name, strings.Join(names, ", "))
			continue
		}
		children = append(children, child)
	}
	return children
}

func (b *Builder) child(e *element, number int) *Builder {
	path := e.name + "[" + itoa(number) + "]"
	if b.path != "" {
		path = b.path + "/" + path
	}
	return &Builder{c: b.c, e: e, section: b.section, path: path, depth: b.depth + 1, response: b.response}
}

// Done reports attributes, children and text that nobody asked for.
func (b *Builder) Done() {
	for _, a := range b.e.attributes {
		if !b.used[a.name] && !strings.HasPrefix(a.name, "xmlns") {
			b.Errorf("The '%s' attribute is not declared", a.name)
		}
	}
	if !b.children && len(b.e.children) > 0 {
		child := b.e.children[0]
		b.c.report(errorf(child.name, child.line, child.column, "The element is not allowed in '%s', which has no elements", b.e.name))
	}
	if !b.text {
		b.refuseText()
	}
}

func (b *Builder) refuseText() {
	if b.c.environment.Offline && b.e.content.expression == nil && strings.Trim(b.expand(b.e.content.literal), unknownNamedValue+" \t\r\n") == "" {
		return // Elements may stand in a named value.
	}
	if b.e.content.expression != nil || len(b.e.children) == 0 && strings.TrimSpace(b.e.content.literal) != "" {
		b.Errorf("The element takes no text")
	}
}

// Values are the texts of the child elements with this name, all of which must have it.
func (b *Builder) Values(name string, flags Flag) []Value[string] {
	var values []Value[string]
	for _, child := range b.Children(name) {
		values = append(values, child.Text(flags))
		child.Done()
	}
	return values
}

// Steps compiles the child elements as policies.
func (b *Builder) Steps() []Step {
	b.children = true
	return b.steps(b.e.children, b.depth+1)
}

func (b *Builder) steps(elements []*element, depth int) []Step {
	var steps []Step
	count := map[string]int{}
	for _, e := range elements {
		count[e.name]++
		child := b.child(e, count[e.name])
		child.depth = depth
		steps = append(steps, child.build(count[e.name])...)
	}
	return steps
}

// build compiles the element as a policy: no step when it is left out, more than one for a fragment.
func (b *Builder) build(number int) []Step {
	name := b.e.name
	definition, ok := b.c.policies[name]
	switch {
	case name == "base":
		b.Errorf("The element is allowed only as a direct child of a section of a policy document")
		return nil
	case !ok:
		b.Errorf("There is no policy '%s', or it is not supported yet", name)
		return nil
	case definition.New == nil:
		b.Errorf("The policy is not supported: %s", definition.Refused)
		return nil
	case definition.Sections&b.section == 0:
		b.Errorf("The policy is not allowed in the section '%s'", b.section)
		return nil
	case definition.Scopes&b.c.scope == 0:
		b.Errorf("The policy is not allowed at the scope '%s'", b.c.scope)
		return nil
	case definition.TopLevel && b.depth > 0:
		b.Errorf("The policy must be a direct child of its section")
		return nil
	case definition.Once && number > 1:
		b.Errorf("The policy may occur only once in a section")
		return nil
	case b.c.handshake && !definition.Handshake:
		if b.c.scope&(APIScope|OperationScope) != 0 {
			b.Errorf("The policy is not supported by WebSocket APIs")
		}
		return nil
	}
	b.response = b.section&(Outbound|OnError) != 0
	b.place = &Place{Name: name, Scope: b.c.scope, Section: b.section, Path: b.path, Line: b.e.line, Column: b.e.column}
	b.place.ID = b.Literal("id", "", 0)
	policy := definition.New(b)
	b.Done()
	if f, ok := policy.(fragment); ok {
		return f.steps
	}
	if policy == nil {
		return nil
	}
	return []Step{{Policy: policy, Place: b.place}}
}

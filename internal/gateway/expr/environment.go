package expr

import (
	"strings"
	"sync"
)

// Environment is what expressions may name: the allow-listed .NET types and their members, and `context`. It is immutable and shared by all programs.
type Environment struct {
	limits     Limits
	machines   *sync.Pool
	types      map[string][]*netType // by simple name, one for each number of type parameters
	namespaces map[string]bool
	full       map[string][]*netType // by qualified name
	extensions map[string][]*member

	primitives [primObject + 1]*netType
	null       *netType
	void       *netType
	dynamic    *netType
	array      *netType
	nullable   *netType
	tuples     map[int]*netType
	functions  map[int]*netType // Func by number of type parameters
	actions    map[int]*netType
	enumerable *netType
	exception  *netType
	contextual *netType
	parsers    *parserCache
}

// NewEnvironment builds the environment that the documented allow-list describes, with DefaultLimits.
func NewEnvironment() *Environment {
	b := newLibrary()
	b.declareTypes()
	b.object()
	b.numbers()
	b.strings()
	b.stringStatics()
	b.builders()
	b.conversions()
	b.dates()
	b.spans()
	b.offsets()
	b.zones()
	b.collections()
	b.dictionaries()
	b.enumerables()
	b.grouping()
	b.ordering()
	b.tokens()
	b.tokenConversions()
	b.tokenContainers()
	b.jsonConvert()
	b.xml()
	b.xmlContainers()
	b.regexes()
	b.cryptography()
	b.encodings()
	b.web()
	b.miscellaneous()
	b.gateway()
	b.certificates()
	b.resolve()
	return b.env
}

// WithLimits returns an environment with the same types and other limits. Zero fields keep their defaults.
func (e *Environment) WithLimits(l Limits) *Environment {
	c := *e
	d := DefaultLimits()
	if l.Steps == 0 {
		l.Steps = d.Steps
	}
	if l.Duration == 0 {
		l.Duration = d.Duration
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Depth == 0 {
		l.Depth = d.Depth
	}
	if l.Regex == 0 {
		l.Regex = d.Regex
	}
	c.limits = l
	c.machines = &sync.Pool{}
	return &c
}

// named returns the non-generic type of a simple name that the library declares.
func (e *Environment) named(name string) *netType {
	for _, t := range e.types[name] {
		if len(t.parameters) == 0 {
			return t
		}
	}
	return nil
}

// generic returns the definition of a generic type.
func (e *Environment) generic(name string, parameters int) *netType {
	for _, t := range e.types[name] {
		if len(t.parameters) == parameters {
			return t
		}
	}
	return nil
}

// exceptionType returns the type of an exception by full name. Types that expressions cannot name are plain Exceptions with a name.
func (e *Environment) exceptionType(full string) *netType {
	for _, t := range e.full[full] {
		return t
	}
	dot := strings.LastIndexByte(full, '.')
	t := &netType{kind: classKind, name: full[dot+1:], space: full[:max(dot, 0)], base: e.exception}
	t.def = t
	return t
}

func (e *Environment) arrayOf(t *netType) *netType      { return construct(e.array, t) }
func (e *Environment) enumerableOf(t *netType) *netType { return construct(e.enumerable, t) }

// nullableOf is T? for a value type, and T for one that is nullable already.
func (e *Environment) nullableOf(t *netType) *netType {
	if !t.isValueType() || t.kind == nullableKind {
		return t
	}
	return construct(e.nullable, t)
}

// tupleOf is the ValueTuple of the given elements.
func (e *Environment) tupleOf(names []string, types []*netType) *netType {
	t := construct(e.tuples[len(types)], types...)
	t.kind = tupleKind
	t.fields = nil
	for i, x := range types {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		if name == "" {
			name = "Item" + itoa(i+1)
		}
		t.fields = append(t.fields, field{name, x})
	}
	return t
}

// library builds an Environment from declarations. Signatures are C# and are read once all types are known.
type library struct {
	env     *Environment
	current *netType
	pending []pendingMember
	space   string
}

// pendingMember is a declared member whose signature is not read yet.
type pendingMember struct {
	owner          *netType
	signature      string
	implementation any
	set            bool
}

func newLibrary() *library {
	e := &Environment{
		limits: DefaultLimits(), machines: &sync.Pool{}, types: map[string][]*netType{}, namespaces: map[string]bool{}, full: map[string][]*netType{},
		extensions: map[string][]*member{}, tuples: map[int]*netType{}, functions: map[int]*netType{}, actions: map[int]*netType{},
	}
	e.null = &netType{kind: nullKind, name: "null"}
	e.null.def = e.null
	e.void = &netType{kind: voidKind, name: "Void", space: "System"}
	e.void.def = e.void
	e.dynamic = &netType{kind: dynamicKind, name: "Object", space: "System"}
	e.dynamic.def = e.dynamic
	return &library{env: e}
}

// on makes the type of a simple name (with its number of type parameters after a back quote) the owner of the members that follow.
func (b *library) on(name string) *library {
	count := 0
	if base, n, ok := strings.Cut(name, "`"); ok {
		name, count = base, int(n[0]-'0')
	}
	b.current = b.env.generic(name, count)
	if b.current == nil {
		panic("type " + name + " is not declared")
	}
	return b
}

// add declares a member by its C# signature. The implementation is a nativeFunc, a genericFunc or, for a constant, its value.
func (b *library) add(signature string, implementation any) *library {
	b.pending = append(b.pending, pendingMember{b.current, signature, implementation, false})
	return b
}

// set gives the property declared last under that name its setter.
func (b *library) set(name string, implementation any) *library {
	b.pending = append(b.pending, pendingMember{b.current, name, implementation, true})
	return b
}

// property declares an instance property by a function of the receiver alone.
func (b *library) property(signature string, get func(Value) Value) *library {
	return b.add(signature, nativeFunc(func(_ *machine, a []Value) Value { return get(a[0]) }))
}

// method declares a member by a function of the arguments alone.
func (b *library) method(signature string, call func(a []Value) Value) *library {
	return b.add(signature, nativeFunc(func(_ *machine, a []Value) Value { return call(a) }))
}

// native declares a member that needs the machine.
func (b *library) native(signature string, call func(m *machine, a []Value) Value) *library {
	return b.add(signature, nativeFunc(call))
}

// generics declares a member that needs its type arguments.
func (b *library) generics(signature string, make func(t []*netType) nativeFunc) *library {
	return b.add(signature, genericFunc(make))
}

// resolve reads all signatures and drops what only building needed.
func (b *library) resolve() {
	for _, p := range b.pending {
		if p.set {
			b.resolveSetter(p)
			continue
		}
		b.resolveMember(p)
	}
	b.pending = nil
	b.env.contextual = b.env.named("IProxyRequestContext")
	b.env.parsers = newParserCache()
}

func (b *library) resolveSetter(p pendingMember) {
	var target *member
	if p.signature == "this" {
		target = p.owner.indexers[len(p.owner.indexers)-1]
	} else {
		target = p.owner.members[p.signature][0]
	}
	switch fn := p.implementation.(type) {
	case nativeFunc:
		target.setter = fn
	case func(m *machine, a []Value) Value:
		target.setter = fn
	case genericFunc:
		target.genericSet = fn
	default:
		panic("bad setter of " + p.signature)
	}
}

// resolveMember reads one signature:
//
//	[static] T Name | [static] T Name<G>(parameters) | new(parameters) | T this[parameters] | static T operator +(parameters) | implicit T(F f) | explicit T(F f)
func (b *library) resolveMember(p pendingMember) {
	r := newParser(p.signature)
	m := &member{owner: p.owner}
	scope := append([]*netType(nil), p.owner.parameters...)
	fail := func() { panic("bad signature: " + p.signature) }
	switch {
	case r.accept("static"):
		m.static = true
	case r.is("implicit"), r.is("explicit"):
		implicit := r.take().text == "implicit"
		c := &userConversion{implicit: implicit, to: b.typeIn(r.parseType(), scope)}
		r.expect("(")
		c.from = b.typeIn(r.parseType(), scope)
		c.apply = p.implementation.(nativeFunc)
		p.owner.conversions = append(p.owner.conversions, c)
		return
	}
	switch fn := p.implementation.(type) {
	case nativeFunc:
		m.native = fn
	case genericFunc:
		m.generic = fn
	default:
		m.kind, m.constant = constantMember, fn
	}
	if r.accept("new") {
		m.parameters = b.parameterList(r, "(", ")", &scope)
		m.name, m.result, m.static = ".ctor", p.owner, true
		if len(p.owner.parameters) > 0 {
			m.result = construct(p.owner, p.owner.parameters...)
		}
		p.owner.constructors = append(p.owner.constructors, m)
		return
	}
	var resultSyntax *typeSyntax
	if !r.accept("void") {
		resultSyntax = r.parseType()
	}
	operator := false
	switch {
	case r.is("this"):
		r.take()
		m.name, m.kind = "Item", propertyMember
		m.parameters = b.parameterList(r, "[", "]", &scope)
		m.result = b.typeIn(resultSyntax, scope)
		p.owner.indexers = append(p.owner.indexers, m)
		return
	case r.accept("operator"):
		operator = true
		op, size := r.operator()
		for range size {
			r.take()
		}
		m.name = op
	default:
		m.name = r.identifier().text
	}
	if r.is("<") {
		r.take()
		for {
			g := &netType{kind: parameterKind, name: r.identifier().text}
			g.def = g
			m.generics = append(m.generics, g)
			scope = append(scope, g)
			if !r.accept(",") {
				break
			}
		}
		r.expect(">")
	}
	if resultSyntax == nil {
		m.result = b.env.void
	} else {
		m.result = b.typeIn(resultSyntax, scope)
	}
	if r.is("(") {
		if r.peekAt(1).is("this") {
			m.extension = true
		}
		m.parameters = b.parameterList(r, "(", ")", &scope)
	} else if m.kind == methodMember {
		m.kind = propertyMember
	}
	if r.peek().kind != endToken {
		fail()
	}
	if operator {
		if p.owner.operators == nil {
			p.owner.operators = map[string][]*member{}
		}
		p.owner.operators[m.name] = append(p.owner.operators[m.name], m)
		return
	}
	if p.owner.members == nil {
		p.owner.members = map[string][]*member{}
	}
	p.owner.members[m.name] = append(p.owner.members[m.name], m)
	if m.extension {
		b.env.extensions[m.name] = append(b.env.extensions[m.name], m)
	}
}

// parameterList reads parameters of a signature.
func (b *library) parameterList(r *parser, open, closing string, scope *[]*netType) []parameter {
	r.expect(open)
	var list []parameter
	for !r.is(closing) {
		var x parameter
		r.accept("this")
		x.array = r.accept("params")
		x.out = r.accept("out")
		x.ref = r.accept("ref")
		x.typ = b.typeIn(r.parseType(), *scope)
		x.name = r.identifier().text
		if r.accept("=") {
			x.optional = true
			if l, ok := r.unary().(*literalNode); ok {
				x.standard = l.value
			}
		}
		list = append(list, x)
		if !r.accept(",") {
			break
		}
	}
	r.expect(closing)
	return list
}

// typeIn resolves a type of a signature.
func (b *library) typeIn(s *typeSyntax, scope []*netType) *netType {
	t := b.env.resolveType(s, func(name string) *netType {
		for i := len(scope) - 1; i >= 0; i-- {
			if scope[i].name == name {
				return scope[i]
			}
		}
		return nil
	})
	if t == nil {
		panic("unknown type in a signature: " + s.parts[len(s.parts)-1].name)
	}
	return t
}

// resolveType finds the type that syntax names, or nil. Parameters are looked up first.
func (e *Environment) resolveType(s *typeSyntax, parameter func(string) *netType) *netType {
	var t *netType
	if s.elements != nil {
		var names []string
		var types []*netType
		for _, x := range s.elements {
			y := e.resolveType(x.typ, parameter)
			if y == nil || e.tuples[len(s.elements)] == nil {
				return nil
			}
			names, types = append(names, x.name), append(types, y)
		}
		t = e.tupleOf(names, types)
	} else if t = e.resolveName(s, parameter); t == nil {
		return nil
	}
	for _, suffix := range s.suffixes {
		if suffix == "[]" {
			t = e.arrayOf(t)
			continue
		}
		if t.kind == parameterKind {
			t = construct(e.nullable, t)
			continue
		}
		if !t.isValueType() || t.kind == nullableKind {
			return nil
		}
		t = construct(e.nullable, t)
	}
	return t
}

func (e *Environment) resolveName(s *typeSyntax, parameter func(string) *netType) *netType {
	last := s.parts[len(s.parts)-1]
	var arguments []*netType
	for _, a := range last.arguments {
		x := e.resolveType(a, parameter)
		if x == nil {
			return nil
		}
		arguments = append(arguments, x)
	}
	if len(s.parts) == 1 {
		if len(arguments) == 0 {
			if last.name == "dynamic" {
				return e.dynamic
			}
			if p := primitiveNamed(last.name); p != noPrimitive {
				return e.primitives[p]
			}
			if t := parameter(last.name); t != nil {
				return t
			}
		}
		return e.pick(e.types[last.name], arguments)
	}
	var names []string
	for _, p := range s.parts {
		names = append(names, p.name)
	}
	return e.pick(e.full[strings.Join(names, ".")], arguments)
}

// pick chooses the definition with the right number of type parameters.
func (e *Environment) pick(list []*netType, arguments []*netType) *netType {
	for _, t := range list {
		if len(t.parameters) != len(arguments) {
			continue
		}
		if len(arguments) == 0 {
			return t
		}
		c := construct(t, arguments...)
		if t.kind == tupleKind {
			return e.tupleOf(nil, arguments)
		}
		return c
	}
	return nil
}

// primitiveNamed returns the primitive of a C# keyword.
func primitiveNamed(keyword string) primitive {
	for p, k := range keywordOf {
		if k == keyword && k != "" {
			return primitive(p)
		}
	}
	return noPrimitive
}

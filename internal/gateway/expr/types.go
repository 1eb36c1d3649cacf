package expr

import "strings"

// typeKind says how a .NET type behaves.
type typeKind uint8

const (
	classKind typeKind = iota
	structKind
	interfaceKind
	enumKind
	delegateKind
	arrayKind
	nullableKind
	parameterKind
	tupleKind
	anonymousKind
	nullKind
	voidKind
	dynamicKind
)

// primitive numbers the types that C# has keywords and built-in operators for. The numeric ones stand in one run.
type primitive uint8

const (
	noPrimitive primitive = iota
	primBool
	primChar
	primSByte
	primByte
	primShort
	primUShort
	primInt
	primUInt
	primLong
	primULong
	primFloat
	primDouble
	primDecimal
	primString
	primObject
)

// numeric reports whether p takes part in arithmetic; char does, as a number.
func (p primitive) numeric() bool { return p >= primChar && p <= primDecimal }

// integral reports whether p is an integer type, char included.
func (p primitive) integral() bool { return p >= primChar && p <= primULong }

// netType is a .NET type: a definition, or a definition with type arguments. Types are compared by sameType, for constructed ones are not interned.
type netType struct {
	kind  typeKind
	prim  primitive
	name  string
	space string
	// def is the definition of a constructed type and the type itself otherwise.
	def        *netType
	parameters []*netType
	arguments  []*netType
	// variance holds '+' for an `out`, '-' for an `in` parameter and ' ' else, one byte a parameter.
	variance   []byte
	base       *netType
	interfaces []*netType
	static     bool
	abstract   bool

	members      map[string][]*member
	constructors []*member
	indexers     []*member
	operators    map[string][]*member
	conversions  []*userConversion
	invoke       *member // of a delegate
	values       *enumValues
	fields       []field // of tuples and anonymous types
	zero         func() Value
}

// field is a named element of an anonymous type or a tuple.
type field struct {
	name string
	typ  *netType
}

// enumValues holds an enum's names in the order of their declaration.
type enumValues struct {
	names   []string
	values  []int64
	flags   bool
	unnamed string
}

// memberKind says what a member is.
type memberKind uint8

const (
	methodMember memberKind = iota
	propertyMember
	constantMember
)

// member is a method, property, field, constructor, indexer or operator that expressions may use.
type member struct {
	kind       memberKind
	name       string
	owner      *netType
	static     bool
	extension  bool
	generics   []*netType
	parameters []parameter
	result     *netType
	constant   Value
	native     nativeFunc
	generic    genericFunc
	setter     nativeFunc
	genericSet genericFunc
}

// parameter is one parameter of a member.
type parameter struct {
	name     string
	typ      *netType
	out, ref bool
	array    bool // `params`
	optional bool
	standard Value // the value of an optional parameter
}

// userConversion is an implicit or explicit operator.
type userConversion struct {
	from, to *netType
	implicit bool
	apply    nativeFunc
}

// nativeFunc is a library member: a[0] is the receiver of an instance member. It must not keep a.
type nativeFunc func(m *machine, a []Value) Value

// genericFunc makes a nativeFunc for type arguments: first the owner's, then the method's.
type genericFunc func(types []*netType) nativeFunc

// construct applies type arguments to a generic definition.
func construct(def *netType, arguments ...*netType) *netType {
	t := *def
	t.def, t.arguments = def, arguments
	return &t
}

// sameType reports whether two types are one.
func sameType(a, b *netType) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	if a.kind == anonymousKind && b.kind == anonymousKind {
		if len(a.fields) != len(b.fields) {
			return false
		}
		for i := range a.fields {
			if a.fields[i].name != b.fields[i].name || !sameType(a.fields[i].typ, b.fields[i].typ) {
				return false
			}
		}
		return true
	}
	if a.def != b.def || len(a.arguments) != len(b.arguments) || len(a.arguments) == 0 {
		return false
	}
	for i := range a.arguments {
		if !sameType(a.arguments[i], b.arguments[i]) {
			return false
		}
	}
	return true
}

// substitute replaces type parameters by arguments within t.
func substitute(t *netType, parameters, arguments []*netType) *netType {
	if t == nil || len(parameters) == 0 || len(arguments) == 0 {
		return t
	}
	if t.kind == parameterKind {
		for i, p := range parameters {
			if p == t && i < len(arguments) && arguments[i] != nil {
				return arguments[i]
			}
		}
		return t
	}
	if len(t.arguments) == 0 {
		return t
	}
	var changed []*netType
	for i, x := range t.arguments {
		y := substitute(x, parameters, arguments)
		if y != x && changed == nil {
			changed = append([]*netType(nil), t.arguments...)
		}
		if changed != nil {
			changed[i] = y
		}
	}
	if changed == nil {
		return t
	}
	c := *t
	c.arguments = changed
	if t.kind == tupleKind {
		c.fields = append([]field(nil), t.fields...)
		for i := range c.fields {
			c.fields[i].typ = changed[i]
		}
	}
	return &c
}

// within substitutes the type arguments of the constructed type t in x, which is written in terms of t's parameters.
func (t *netType) within(x *netType) *netType { return substitute(x, t.def.parameters, t.arguments) }

// baseType returns t's base class with t's arguments applied, or nil.
func (t *netType) baseType() *netType {
	if t.def.base == nil {
		return nil
	}
	return t.within(t.def.base)
}

// eachInterface calls visit for each interface of t, inherited ones included, until visit returns false.
func (t *netType) eachInterface(visit func(*netType) bool) bool {
	for _, i := range t.def.interfaces {
		i = t.within(i)
		if !visit(i) || !i.eachInterface(visit) {
			return false
		}
	}
	if b := t.baseType(); b != nil {
		return b.eachInterface(visit)
	}
	return true
}

// isValueType reports whether t's values are copied and never null, or Nullable.
func (t *netType) isValueType() bool {
	switch t.kind {
	case structKind, enumKind, nullableKind, tupleKind:
		return true
	}
	return false
}

// isReference reports whether null is a value of t and identity counts.
func (t *netType) isReference() bool {
	switch t.kind {
	case classKind, interfaceKind, delegateKind, arrayKind, anonymousKind, nullKind, dynamicKind:
		return true
	}
	return false
}

// underlying returns T of Nullable<T>, and t itself of any other type.
func (t *netType) underlying() *netType {
	if t.kind == nullableKind {
		return t.arguments[0]
	}
	return t
}

// element returns the element type of an array.
func (t *netType) element() *netType { return t.arguments[0] }

// fullName is the name as .NET's reflection gives it, with type arguments in angle brackets.
func (t *netType) fullName() string {
	switch t.kind {
	case arrayKind:
		return t.element().fullName() + "[]"
	case nullableKind:
		return "System.Nullable<" + t.arguments[0].fullName() + ">"
	case anonymousKind:
		return "anonymous"
	}
	name := t.name
	if t.space != "" {
		name = t.space + "." + name
	}
	if len(t.arguments) > 0 {
		var parts []string
		for _, a := range t.arguments {
			parts = append(parts, a.fullName())
		}
		name += "<" + strings.Join(parts, ",") + ">"
	}
	return name
}

// reflectionName is Type.ToString(): the form with a back quote and square brackets that run-time messages and ToString use.
func (t *netType) reflectionName() string {
	switch t.kind {
	case arrayKind:
		return t.element().reflectionName() + "[]"
	case anonymousKind:
		return "<>f__AnonymousType0"
	}
	name := t.name
	if t.space != "" {
		name = t.space + "." + name
	}
	if len(t.arguments) > 0 {
		var parts []string
		for _, a := range t.arguments {
			parts = append(parts, a.reflectionName())
		}
		name += "`" + itoa(len(t.arguments)) + "[" + strings.Join(parts, ",") + "]"
	}
	return name
}

// keywordOf is the C# keyword of each primitive.
var keywordOf = [...]string{
	primBool: "bool", primChar: "char", primSByte: "sbyte", primByte: "byte", primShort: "short", primUShort: "ushort", primInt: "int",
	primUInt: "uint", primLong: "long", primULong: "ulong", primFloat: "float", primDouble: "double", primDecimal: "decimal",
	primString: "string", primObject: "object",
}

// String is the type as a C# diagnostic writes it.
func (t *netType) String() string {
	switch t.kind {
	case arrayKind:
		return t.element().String() + "[]"
	case nullableKind:
		if len(t.arguments) == 1 {
			return t.arguments[0].String() + "?"
		}
	case nullKind:
		return "<null>"
	case voidKind:
		return "void"
	case dynamicKind:
		return "dynamic"
	case tupleKind, anonymousKind:
		var parts []string
		for _, f := range t.fields {
			parts = append(parts, f.typ.String()+" "+f.name)
		}
		if t.kind == tupleKind {
			return "(" + strings.Join(parts, ", ") + ")"
		}
		return "<anonymous type: " + strings.Join(parts, ", ") + ">"
	}
	if t.prim != noPrimitive {
		return keywordOf[t.prim]
	}
	if len(t.arguments) == 0 {
		return t.name
	}
	var parts []string
	for _, a := range t.arguments {
		parts = append(parts, a.String())
	}
	return t.name + "<" + strings.Join(parts, ", ") + ">"
}

// asInstanceOf finds the construction of the generic definition def that t is, derives from or implements; nil if there is none.
// A second, different construction makes it ambiguous, which is reported by the second result.
func (t *netType) asInstanceOf(def *netType) (*netType, bool) {
	for b := t; b != nil; b = b.baseType() {
		if b.def == def {
			return b, false
		}
	}
	var found *netType
	ambiguous := false
	t.eachInterface(func(i *netType) bool {
		if i.def == def {
			if found != nil && !sameType(found, i) {
				ambiguous = true
				return false
			}
			found = i
		}
		return true
	})
	return found, ambiguous
}

// mentions reports whether t contains one of the type parameters for which open is true.
func (t *netType) mentions(open func(*netType) bool) bool {
	if t.kind == parameterKind {
		return open(t)
	}
	for _, a := range t.arguments {
		if a.mentions(open) {
			return true
		}
	}
	return false
}

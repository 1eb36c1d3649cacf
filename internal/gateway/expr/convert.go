package expr

import "math"

// convertFunc changes a value's representation from one type to another; nil stands for no change.
type convertFunc func(m *machine, v Value) Value

// widening lists for each numeric type those it converts to implicitly (C# specification, "Implicit numeric conversions").
var widening = map[primitive]string{
	primSByte: "short int long float double decimal", primByte: "short ushort int uint long ulong float double decimal",
	primShort: "int long float double decimal", primUShort: "int uint long ulong float double decimal", primInt: "long float double decimal",
	primUInt: "long ulong float double decimal", primLong: "float double decimal", primULong: "float double decimal",
	primChar: "ushort int uint long ulong float double decimal", primFloat: "double",
}

// widens reports whether from converts to to without loss of magnitude.
func widens(from, to primitive) bool {
	list, name := widening[from], keywordOf[to]
	for len(list) > 0 && name != "" {
		word := list
		for i := range list {
			if list[i] == ' ' {
				word = list[:i]
				break
			}
		}
		if word == name {
			return true
		}
		list = list[min(len(word)+1, len(list)):]
	}
	return false
}

// implicitConversion finds the implicit conversion between two types.
func (e *Environment) implicitConversion(from, to *netType) (convertFunc, bool) {
	if convert, ok := e.standardConversion(from, to); ok {
		return convert, true
	}
	return e.userConversion(from, to, true)
}

// standardConversion is an implicit conversion that is not an operator of a type.
func (e *Environment) standardConversion(from, to *netType) (convertFunc, bool) {
	switch {
	case from == nil || to == nil || from.kind == voidKind || to.kind == voidKind:
		return nil, false
	case sameType(from, to):
		return nil, true
	case to.kind == dynamicKind || to.prim == primObject:
		return nil, true
	case from.kind == nullKind:
		return nil, to.isReference() || to.kind == nullableKind
	case from.kind == dynamicKind:
		return func(m *machine, v Value) Value { return m.dynamicConvert(v, to) }, true
	case from.prim.numeric() && to.prim.numeric():
		if widens(from.prim, to.prim) {
			p := to.prim
			return func(_ *machine, v Value) Value { return convertNumber(v, p, false) }, true
		}
		return nil, false
	case to.kind == nullableKind:
		convert, ok := e.standardConversion(from.underlying(), to.underlying())
		return nullSafe(convert), ok
	case from.kind == tupleKind && to.kind == tupleKind && len(from.fields) == len(to.fields):
		return e.tupleConversion(from, to)
	}
	return nil, e.referenceConvertible(from, to)
}

// nullSafe lets null pass.
func nullSafe(convert convertFunc) convertFunc {
	if convert == nil {
		return nil
	}
	return func(m *machine, v Value) Value {
		if v == nil {
			return nil
		}
		return convert(m, v)
	}
}

// tupleConversion converts element by element.
func (e *Environment) tupleConversion(from, to *netType) (convertFunc, bool) {
	converts := make([]convertFunc, len(from.fields))
	for i := range from.fields {
		convert, ok := e.implicitConversion(from.fields[i].typ, to.fields[i].typ)
		if !ok {
			return nil, false
		}
		converts[i] = convert
	}
	return func(m *machine, v Value) Value {
		out := &tupleValue{typ: to}
		for i, x := range v.(*tupleValue).values {
			if converts[i] != nil {
				x = converts[i](m, x)
			}
			out.values = append(out.values, x)
		}
		out.depth = m.structure(out.values)
		return out
	}, true
}

// referenceConvertible reports whether from is, derives from or implements to; value types box.
func (e *Environment) referenceConvertible(from, to *netType) bool {
	if to.prim == primObject || sameType(from, to) {
		return true
	}
	if from.kind == nullableKind {
		return to.isReference() && e.referenceConvertible(from.underlying(), to)
	}
	if from.kind == arrayKind && to.kind == arrayKind {
		a, b := from.element(), to.element()
		return a.isReference() && b.isReference() && e.referenceConvertible(a, b)
	}
	for b := from; b != nil; b = b.baseType() {
		if b.def == to.def && e.variantOf(b, to) {
			return true
		}
	}
	if to.kind != interfaceKind {
		return false
	}
	return !from.eachInterface(func(i *netType) bool { return i.def != to.def || !e.variantOf(i, to) })
}

// variantOf compares the arguments of two constructions of one definition by its variance.
func (e *Environment) variantOf(from, to *netType) bool {
	for i := range from.arguments {
		a, b := from.arguments[i], to.arguments[i]
		if sameType(a, b) {
			continue
		}
		switch from.def.variance[i] {
		case '+':
		case '-':
			a, b = b, a
		default:
			return false
		}
		if !a.isReference() && a.kind != parameterKind || !b.isReference() || !e.referenceConvertible(a, b) {
			return false
		}
	}
	return true
}

// userConversion finds a conversion operator, with standard conversions before and after it (C# specification, "User-defined conversions").
func (e *Environment) userConversion(from, to *netType, implicit bool) (convertFunc, bool) {
	if from.kind == interfaceKind || to.kind == interfaceKind || from.prim == primObject || to.prim == primObject || from.kind == nullKind {
		return nil, false
	}
	var candidates []*userConversion
	seen := map[*netType]bool{}
	for _, start := range []*netType{from.underlying(), to.underlying()} {
		for t := start; t != nil && !seen[t.def]; t = t.baseType() {
			seen[t.def] = true
			for _, c := range t.def.conversions {
				if c.implicit || !implicit {
					candidates = append(candidates, c)
				}
			}
		}
	}
	var best *userConversion
	bestRank := math.MaxInt
	for _, c := range candidates {
		before, after := e.rankStep(from, c.from, implicit), e.rankStep(c.to, to, implicit)
		if before < 0 || after < 0 {
			continue
		}
		if rank := before + after; rank < bestRank {
			best, bestRank = c, rank
		}
	}
	if best == nil {
		return nil, false
	}
	first, _ := e.step(from, best.from, implicit)
	last, _ := e.step(best.to, to, implicit)
	lifted := from.kind == nullableKind && best.from.kind != nullableKind && best.from.isValueType()
	apply := best.apply
	return func(m *machine, v Value) Value {
		if lifted && v == nil {
			if to.kind == nullableKind || to.isReference() {
				return nil
			}
			throw("InvalidOperationException", "Nullable object must have a value.")
		}
		if first != nil {
			v = first(m, v)
		}
		v = m.call(apply, v)
		if last != nil {
			v = last(m, v)
		}
		return v
	}, true
}

// rankStep tells how far a standard conversion leads: 0 for none, more for a wider type, -1 for no conversion.
func (e *Environment) rankStep(from, to *netType, implicit bool) int {
	switch {
	case sameType(from, to):
		return 0
	case sameType(from.underlying(), to.underlying()):
		return 1
	case from.underlying().prim.numeric() && to.underlying().prim.numeric():
		a, b := from.underlying().prim, to.underlying().prim
		if widens(a, b) {
			return 2 + int(b)
		}
		if implicit {
			return -1
		}
		return 100 + int(primDecimal) - int(b)
	}
	if _, ok := e.standardConversion(from, to); ok {
		return 3
	}
	if !implicit && e.referenceConvertible(to, from) {
		return 50
	}
	return -1
}

// step is the standard conversion before or after an operator.
func (e *Environment) step(from, to *netType, implicit bool) (convertFunc, bool) {
	if implicit {
		return e.standardConversion(from, to)
	}
	return e.explicitStandard(from, to, false)
}

// explicitConversion finds the conversion of a cast.
func (e *Environment) explicitConversion(from, to *netType, checked bool) (convertFunc, bool) {
	if from == nil || to == nil || from.kind == voidKind || to.kind == voidKind {
		return nil, false
	}
	if convert, ok := e.standardConversion(from, to); ok {
		return convert, true
	}
	if convert, ok := e.userConversion(from, to, true); ok {
		return convert, true
	}
	if convert, ok := e.explicitStandard(from, to, checked); ok {
		return convert, true
	}
	return e.userConversion(from, to, false)
}

// explicitStandard is a built-in cast: between numbers and enums, of Nullable, to a derived type or interface, and unboxing.
func (e *Environment) explicitStandard(from, to *netType, checked bool) (convertFunc, bool) {
	if convert, ok := e.standardConversion(from, to); ok {
		return convert, true
	}
	a, b := from.underlying(), to.underlying()
	numberLike := func(t *netType) bool { return t.prim.numeric() || t.kind == enumKind }
	if numberLike(a) && numberLike(b) {
		convert := numberCast(b, checked)
		if sameType(a, b) {
			convert = func(_ *machine, v Value) Value { return v }
		}
		return castNullable(from, to, convert), true
	}
	if from.kind == nullableKind && sameType(a, to) {
		return castNullable(from, to, func(_ *machine, v Value) Value { return v }), true
	}
	if from.isReference() && to.isValueType() && e.referenceConvertible(b, from) || from.isReference() && to.isReference() && e.mayBe(from, to) {
		return func(m *machine, v Value) Value { return m.cast(v, to) }, true
	}
	return nil, false
}

// castNullable wraps a cast for null operands.
func castNullable(from, to *netType, convert convertFunc) convertFunc {
	if from.kind != nullableKind {
		return convert
	}
	return func(m *machine, v Value) Value {
		if v == nil {
			if to.kind == nullableKind {
				return nil
			}
			throw("InvalidOperationException", "Nullable object must have a value.")
		}
		return convert(m, v)
	}
}

// numberCast casts a number or an enum value to a numeric or enum type.
func numberCast(to *netType, checked bool) convertFunc {
	return func(_ *machine, v Value) Value {
		if x, ok := v.(Enum); ok {
			v = x.n
		}
		if to.kind == enumKind {
			n, _ := convertNumber(v, primLong, checked).(int64)
			return Enum{to, n}
		}
		return convertNumber(v, to.prim, checked)
	}
}

// mayBe reports whether a value of reference type from can be of type to at run time.
func (e *Environment) mayBe(from, to *netType) bool {
	if e.referenceConvertible(to, from) || e.referenceConvertible(from, to) {
		return true
	}
	if from.kind == arrayKind && to.kind == arrayKind {
		return from.element().isReference() && to.element().isReference() && e.mayBe(from.element(), to.element())
	}
	sealed := func(t *netType) bool { return t.prim == primString || t.kind == arrayKind || t.kind == delegateKind }
	if to.kind == interfaceKind {
		return !sealed(from) || from.kind == arrayKind
	}
	if from.kind == interfaceKind {
		return !sealed(to) || to.kind == arrayKind
	}
	return false
}

// isInstance reports whether v, which is not null, is of type t.
func (e *Environment) isInstance(v Value, t *netType) bool {
	t = t.underlying()
	if t.prim == primObject || t.kind == dynamicKind {
		return true
	}
	return e.referenceConvertible(e.typeOf(v), t)
}

// cast is (T)v for a value of a reference type: it never converts, it only looks.
func (m *machine) cast(v Value, to *netType) Value {
	if v == nil {
		if to.isValueType() && to.kind != nullableKind {
			throwNullReference()
		}
		return nil
	}
	t := to.underlying()
	if m.env.isInstance(v, to) {
		return v
	}
	if t.kind == enumKind {
		// A boxed number of the enum's own width unboxes to the enum, and the other way round.
		if n, ok := v.(int32); ok {
			return Enum{t, int64(n)}
		}
	}
	if x, ok := v.(Enum); ok && t.prim == primInt {
		return int32(x.n)
	}
	throw("InvalidCastException", "Unable to cast object of type '"+m.env.typeOf(v).reflectionName()+"' to type '"+to.reflectionName()+"'.")
	return nil
}

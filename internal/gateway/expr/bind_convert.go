package expr

// convertible reports whether x converts implicitly to t.
func (b *binder) convertible(x *bound, t *netType) bool {
	switch {
	case x.throws, x.standard:
		return true
	case x.lambda != nil:
		return b.lambdaFits(x.lambda, t)
	case x.group != nil:
		return b.groupFits(x.group, t)
	case x.tuple != nil && x.typ == nil:
		if t.kind != tupleKind || len(t.fields) != len(x.elements) {
			return t.prim == primObject || t.kind == dynamicKind
		}
		for i, e := range x.elements {
			if !b.convertible(e, t.fields[i].typ) {
				return false
			}
		}
		return true
	case x.typ == nil || x.typeRef != nil || x.namespace != "":
		return false
	}
	if _, ok := b.env.implicitConversion(x.typ, t); ok {
		return true
	}
	_, ok := b.constantConversion(x, t)
	return ok
}

// constantConversion is the implicit conversion of a constant that fits a narrower type, and of 0 to an enum.
func (b *binder) constantConversion(x *bound, t *netType) (Value, bool) {
	if !x.constant || x.typ == nil {
		return nil, false
	}
	to := t.underlying()
	n, large, ok := wholeNumber(x.value)
	if !ok {
		return nil, false
	}
	if to.kind == enumKind && n == 0 && large == 0 && x.typ.prim == primInt {
		return Enum{to, 0}, true
	}
	if !to.prim.integral() || to.prim == primChar || !fits(n, large, to.prim) {
		return nil, false
	}
	if x.typ.prim == primInt || x.typ.prim == primLong && to.prim == primULong {
		return numberFromInt(n, to.prim), true
	}
	return nil, false
}

// convert converts x implicitly to t, or fails.
func (b *binder) convert(x *bound, t *netType, code string) *bound {
	switch {
	case x.throws:
		y := *x
		y.typ, y.throws = t, false
		return &y
	case x.standard:
		return b.defaultOf(x, t)
	case x.lambda != nil:
		return b.lambdaTo(x.lambda, t)
	case x.group != nil:
		return b.groupTo(x, t)
	case x.tuple != nil && x.typ == nil:
		if t.kind == tupleKind && len(t.fields) == len(x.elements) {
			return b.makeTuple(x, t)
		}
	}
	x = b.value(x)
	if sameType(x.typ, t) && x.typ.kind != dynamicKind {
		y := *x
		y.location = nil
		if t.kind == tupleKind {
			y.typ = t
		}
		return &y
	}
	if v, ok := b.constantConversion(x, t); ok {
		y := b.constantOf(x, v)
		y.typ = t
		return y
	}
	apply, ok := b.env.implicitConversion(x.typ, t)
	if !ok {
		b.conversionError(x, t, code)
	}
	return b.converted(x, t, apply)
}

// conversionError reports why x does not convert to t.
func (b *binder) conversionError(x *bound, t *netType, code string) {
	if x.typ.kind == nullKind {
		b.fail(x, "CS0037", "cannot convert null to '%s' because it is a non-nullable value type", t)
	}
	if x.constant && x.typ.prim == primInt && t.prim.integral() && code == "CS0029" {
		b.fail(x, "CS0031", "constant value '%v' cannot be converted to a '%s'", x.value, t)
	}
	if _, ok := b.env.explicitConversion(x.typ, t, false); ok && code == "CS0029" {
		b.fail(x, "CS0266", "cannot implicitly convert type '%s' to '%s'; an explicit conversion exists (are you missing a cast?)", x.typ, t)
	}
	b.fail(x, code, "cannot implicitly convert type '%s' to '%s'", x.typ, t)
}

// converted applies a conversion.
func (b *binder) converted(x *bound, t *netType, apply convertFunc) *bound {
	y := &bound{place: x.place, typ: t, eval: x.eval, boxed: x.typ.isValueType() && t.isReference() || x.boxed && t.isReference()}
	if apply == nil {
		// A constant that is only boxed stays known, but no longer is a constant of its new type.
		if x.constant && (t.prim != primObject || x.value == nil) {
			y.constant, y.value = true, x.value
		}
		return y
	}
	if x.constant && (t.prim.numeric() || t.kind == enumKind) && x.value != nil {
		v := apply(nil, x.value)
		y.constant, y.value = true, v
		y.eval = func(*frame) Value { return v }
		return y
	}
	eval := x.eval
	y.eval = func(f *frame) Value { return apply(f.m, eval(f)) }
	return y
}

// castExpression binds (T)x.
func (b *binder) castExpression(n *castNode) *bound {
	t := b.resolveSyntax(n.typ)
	x := b.expression(n.operand)
	if x.lambda != nil || x.group != nil || x.standard || x.throws || x.tuple != nil && t.kind == tupleKind {
		return b.convert(x, t, "CS0030")
	}
	x = b.value(x)
	if v, ok := b.constantConversion(x, t); ok {
		y := b.constantOf(n, v)
		y.typ = t
		return y
	}
	if x.constant && x.value != nil && x.typ.prim.numeric() && t.prim.numeric() {
		if y := b.castConstant(n, x, t); y != nil {
			return y
		}
	}
	apply, ok := b.env.explicitConversion(x.typ, t, b.checked)
	if !ok {
		if x.typ.kind == nullKind {
			b.fail(n, "CS0037", "cannot convert null to '%s' because it is a non-nullable value type", t)
		}
		b.fail(n, "CS0030", "cannot convert type '%s' to '%s'", x.typ, t)
	}
	y := b.converted(x, t, apply)
	y.place = n.place
	if x.constant && x.value != nil && t.kind != enumKind && !t.prim.numeric() && t.prim != primString {
		y.constant, y.value = false, nil
	}
	return y
}

// castConstant folds the cast of a constant number; one out of range does not compile, as in C#.
func (b *binder) castConstant(n *castNode, x *bound, t *netType) (y *bound) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(*Exception); !ok {
				panic(r)
			}
			b.fail(n, "CS0221", "constant value '%v' cannot be converted to a '%s' (use 'unchecked' syntax to override)", x.value, t)
		}
	}()
	return b.constantOf(n, convertNumber(x.value, t.prim, !b.unchecked))
}

// isExpression binds x is T, x is T v, x is constant and x is var v.
func (b *binder) isExpression(n *isNode) *bound {
	x := b.operand(n.operand)
	match, variable := b.pattern(n.pattern, x)
	out := &bound{place: n.place, typ: b.env.primitives[primBool]}
	eval := x.eval
	out.eval = func(f *frame) Value { return match(f, eval(f)) }
	if variable != nil {
		out.whenFalse = b.flow.clone()
		yes := b.flow.clone()
		outer := b.flow
		b.flow = yes
		b.assign(variable)
		out.whenTrue, b.flow = b.flow, outer
	}
	return out
}

// pattern binds a pattern for a value of x's type.
func (b *binder) pattern(p *patternNode, x *bound) (func(f *frame, v Value) bool, *variable) {
	if p.isVar {
		if p.variable == "_" {
			return func(*frame, Value) bool { return true }, nil
		}
		v := b.declare(p, p.variable, x.typ)
		return func(f *frame, y Value) bool { f.declareIn(v, y); return true }, v
	}
	if p.typ != nil {
		if t := b.tryResolve(p.typ); t != nil {
			if t.kind == nullableKind && p.variable != "" {
				b.fail(p, "CS8116", "it is not legal to use nullable type '%s' in a pattern", t)
			}
			test := b.typeTest(p, x.typ, t, p.variable != "")
			if p.variable == "" || p.variable == "_" {
				return func(f *frame, y Value) bool { return test(f.m, y) }, nil
			}
			v := b.declare(p, p.variable, t)
			return func(f *frame, y Value) bool {
				if !test(f.m, y) {
					return false
				}
				f.declareIn(v, y)
				return true
			}, v
		}
		if p.constant == nil {
			b.resolveSyntax(p.typ)
		}
	}
	c := b.expression(p.constant)
	if c.typeRef != nil {
		test := b.typeTest(p, x.typ, c.typeRef, false)
		return func(f *frame, y Value) bool { return test(f.m, y) }, nil
	}
	c = b.value(c)
	if c.typ.kind != nullKind && !c.constant {
		b.fail(p, "CS0150", "a constant value is expected")
	}
	target := x.typ.underlying()
	if c.typ.kind == nullKind {
		if x.typ.isValueType() && x.typ.kind != nullableKind {
			b.fail(p, "CS0037", "cannot convert null to '%s' because it is a non-nullable value type", x.typ)
		}
		return func(_ *frame, y Value) bool { return y == nil }, nil
	}
	if target.prim != primObject && target.kind != interfaceKind && target.kind != dynamicKind {
		c = b.convert(c, target, "CS0029")
	}
	want := c.value
	return func(_ *frame, y Value) bool { return y != nil && equalsValue(want, y) }, nil
}

// typeTest is the run-time test of is and of type patterns. A pattern with a variable that can never match is an error, a plain is false.
func (b *binder) typeTest(n interface{ at() int }, from, to *netType, strict bool) func(m *machine, v Value) bool {
	if to.static {
		b.fail(n, "CS7023", "'%s' is a static type", to)
	}
	if _, ok := b.env.explicitConversion(from, to, false); strict && !ok && from.kind != nullKind {
		b.fail(n, "CS8121", "an expression of type '%s' cannot be handled by a pattern of type '%s'", from, to)
	}
	return func(m *machine, v Value) bool { return v != nil && m.env.isInstance(v, to) }
}

// asExpression binds x as T.
func (b *binder) asExpression(n *asNode) *bound {
	x := b.operand(n.operand)
	t := b.resolveSyntax(n.typ)
	if t.isValueType() && t.kind != nullableKind {
		b.fail(n, "CS0077", "the as operator must be used with a reference type or nullable type ('%s' is a non-nullable value type)", t)
	}
	_, standard := b.env.explicitStandard(x.typ, t, false)
	if !standard && x.typ.kind != nullKind {
		b.fail(n, "CS0039", "cannot convert type '%s' to '%s' via a reference conversion", x.typ, t)
	}
	eval := x.eval
	return &bound{place: n.place, typ: t, eval: func(f *frame) Value {
		if v := eval(f); v != nil && f.m.env.isInstance(v, t) {
			return v
		}
		return nil
	}}
}

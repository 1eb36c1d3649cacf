package expr

// userOperator binds an operator that a type declares.
func (b *binder) userOperator(op string, operands ...*bound) *bound {
	var candidates []candidate
	lifted := false
	seen := map[*netType]bool{}
	args := make([]*argument, len(operands))
	for i, o := range operands {
		args[i] = &argument{bound: o}
		if o.typ.kind == nullableKind {
			lifted = true
		}
		for t := o.typ.underlying(); t != nil && !seen[t.def]; t = t.baseType() {
			seen[t.def] = true
			for _, m := range t.def.operators[op] {
				candidates = append(candidates, candidate{m, t})
			}
		}
	}
	if candidates == nil {
		return nil
	}
	if lifted {
		for i, o := range operands {
			y := *o
			y.typ = o.typ.underlying()
			args[i] = &argument{bound: &y}
			if y.typ.kind == nullKind {
				y.typ = operands[1-i].typ.underlying()
			}
		}
	}
	best, _ := b.resolveOverload(candidates, args, nil)
	if best == nil {
		return nil
	}
	if !lifted {
		x := b.invocation(operands[0], best, nil, args)
		return x
	}
	apply := best.method.native
	evals := make([]evalFunc, len(args))
	for i, a := range args {
		inner := a.bound.eval
		convert, _ := b.env.implicitConversion(a.bound.typ, best.method.parameters[i].typ)
		evals[i] = func(f *frame) Value {
			v := inner(f)
			if v != nil && convert != nil {
				v = convert(f.m, v)
			}
			return v
		}
	}
	out := &bound{place: operands[0].place, typ: best.method.result}
	if len(evals) == 1 {
		out.typ = b.env.nullableOf(out.typ)
		out.eval = func(f *frame) Value {
			u := evals[0](f)
			if u == nil {
				return nil
			}
			return f.m.call(apply, u)
		}
		return out
	}
	m := func(f *frame) func(u, w Value) Value {
		return func(u, w Value) Value { return f.m.call(apply, u, w) }
	}
	isCompare := isComparison(op)
	if !isCompare {
		out.typ = b.env.nullableOf(out.typ)
	}
	out.eval = func(f *frame) Value {
		u, w := evals[0](f), evals[1](f)
		if u == nil || w == nil {
			if !isCompare {
				return nil
			}
			if op == "==" {
				return u == nil && w == nil
			}
			if op == "!=" {
				return (u == nil) != (w == nil)
			}
			return false
		}
		return m(f)(u, w)
	}
	return out
}

// equality binds == and != on strings, references and null.
func (b *binder) equality(n interface{ at() int }, op string, x, y *bound) *bound {
	negated := op == "!="
	left, right := x.eval, y.eval
	out := &bound{place: place(n.at()), typ: b.env.primitives[primBool]}
	isString := func(o *bound) bool { return o.typ.prim == primString || o.typ.kind == nullKind }
	switch {
	case x.typ.kind == nullKind && y.typ.kind == nullKind:
		return b.constantOf(n, !negated)
	case isString(x) && isString(y):
		out.eval = func(f *frame) Value {
			u := left(f)
			return (u == right(f)) != negated
		}
		return b.fold(n, out, x, y)
	case x.typ.kind == tupleKind && y.typ.kind == tupleKind && len(x.typ.fields) == len(y.typ.fields):
		out.eval = func(f *frame) Value {
			u := left(f)
			return equalsValue(u, right(f)) != negated
		}
		return out
	case (x.typ.kind == nullableKind || x.typ.isReference()) && y.typ.kind == nullKind, (y.typ.kind == nullableKind || y.typ.isReference()) && x.typ.kind == nullKind:
		out.eval = func(f *frame) Value {
			u := left(f)
			w := right(f)
			return (u == nil && w == nil) != negated
		}
		return out
	}
	if !x.typ.isReference() || !y.typ.isReference() {
		return nil
	}
	if !b.env.mayBe(x.typ, y.typ) && !b.env.mayBe(y.typ, x.typ) {
		return nil
	}
	fresh := x.boxed || y.boxed
	out.eval = func(f *frame) Value {
		u := left(f)
		return sameReference(u, right(f), fresh) != negated
	}
	return out
}

// coalesce binds a ?? b.
func (b *binder) coalesce(n *binaryNode) *bound {
	left := b.operand(n.left)
	after := b.flow.clone()
	right := b.expression(n.right)
	b.flow = after
	a := left.typ
	if !a.isReference() && a.kind != nullableKind {
		b.fail(n, "CS0019", "operator '??' cannot be applied to an operand of type '%s', which is never null", a)
	}
	var t *netType
	switch {
	case a.kind == nullKind:
		t = b.value(right).typ
	case a.kind == nullableKind && b.convertible(right, a.underlying()):
		t = a.underlying()
	case b.convertible(right, a):
		t = a
	default:
		y := b.value(right)
		if _, ok := b.env.implicitConversion(a.underlying(), y.typ); !ok {
			b.operatorError(n, "??", left, y)
		}
		t = y.typ
	}
	load := left.eval
	if a.kind != nullKind {
		if convert, ok := b.env.implicitConversion(a.underlying(), t); ok && convert != nil {
			inner := load
			load = func(f *frame) Value {
				v := inner(f)
				if v == nil {
					return nil
				}
				return convert(f.m, v)
			}
		}
	}
	other := b.convert(right, t, "CS0029").eval
	return &bound{place: n.place, typ: t, eval: func(f *frame) Value {
		if v := load(f); v != nil {
			return v
		}
		return other(f)
	}}
}

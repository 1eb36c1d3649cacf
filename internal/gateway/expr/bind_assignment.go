package expr

// store is the code that assigns a value to a bound location; its value is the assigned one.
func (b *binder) store(target *bound, value evalFunc) evalFunc {
	l := target.location
	if l.prepare == nil {
		return func(f *frame) Value {
			v := value(f)
			l.store(f, nil, nil, v)
			return v
		}
	}
	return func(f *frame) Value {
		p, q := l.prepare(f)
		// The value may call lambdas that use the same temporaries, so what was prepared is held in Go variables.
		v := value(f)
		l.store(f, p, q, v)
		return v
	}
}

// assignment binds =, the compound assignments and deconstruction.
func (b *binder) assignment(n *assignNode) *bound {
	if t, ok := n.left.(*tupleNode); ok && n.op == "=" {
		return b.deconstruction(n, t)
	}
	if name, ok := n.left.(*nameNode); ok && name.name == "_" && b.find("_") == nil && n.op == "=" {
		return b.operand(n.right)
	}
	if n.op == "=" {
		target := b.assignable(n.left, false)
		value := b.convert(b.expression(n.right), target.typ, "CS0029")
		if l := target.location.local; l != nil {
			b.assign(l)
		}
		return &bound{place: n.place, typ: target.typ, eval: b.store(target, value.eval)}
	}
	target := b.assignable(n.left, true)
	if target.typ.kind == delegateKind {
		b.fail(n, "", "combining delegates is not supported")
	}
	return b.compound(n, n.op[:len(n.op)-1], target, b.expression(n.right))
}

// compound binds target op= value: the result is cast back to the target's type where the value itself would convert.
func (b *binder) compound(n interface{ at() int }, op string, target, value *bound) *bound {
	l := target.location
	p, q := b.temporary(nil), b.temporary(nil)
	loadP, loadQ, storeP, storeQ := b.load(p), b.load(q), b.storeTo(p), b.storeTo(q)
	current := &bound{place: target.place, typ: target.typ, eval: func(f *frame) Value { return l.load(f, loadP(f), loadQ(f)) }}
	result := b.binaryOf(n, op, current, value)
	if _, ok := b.env.implicitConversion(result.typ, target.typ); ok {
		result = b.convert(result, target.typ, "CS0029")
	} else {
		shift := op == "<<" || op == ">>"
		apply, ok := b.env.explicitStandard(result.typ, target.typ, b.checked)
		if !ok || !shift && !b.convertible(value, target.typ) {
			b.conversionError(result, target.typ, "CS0029")
		}
		result = b.converted(result, target.typ, apply)
	}
	eval := result.eval
	return &bound{place: place(n.at()), typ: target.typ, eval: func(f *frame) Value {
		var u, w Value
		if l.prepare != nil {
			u, w = l.prepare(f)
			storeP(f, u)
			storeQ(f, w)
		}
		v := eval(f)
		l.store(f, u, w, v)
		return v
	}}
}

// increment binds ++ and --.
func (b *binder) increment(n interface{ at() int }, operand node, op string, postfix bool) *bound {
	target := b.assignable(operand, true)
	t := target.typ.underlying()
	if !t.prim.numeric() && t.kind != enumKind && t.kind != dynamicKind {
		b.fail(n, "CS0023", "operator '%s' cannot be applied to operand of type '%s'", op, target.typ)
	}
	if t.kind == dynamicKind {
		return b.compound(n, op[:1], target, b.constantOf(n, int32(1)))
	}
	var step func(v Value) Value
	if t.kind == enumKind {
		delta := int64(1)
		if op == "--" {
			delta = -1
		}
		step = func(v Value) Value { return Enum{t, v.(Enum).n + delta} }
	} else {
		p := promote(t.prim)
		apply := arithmetic(op[:1], p, b.checked)
		one := numberFromInt(1, p)
		step = func(v Value) Value { return convertNumber(apply(convertNumber(v, p, false), one), t.prim, b.checked) }
	}
	l := target.location
	return &bound{place: place(n.at()), typ: target.typ, eval: func(f *frame) Value {
		var u, w Value
		if l.prepare != nil {
			u, w = l.prepare(f)
		}
		before := l.load(f, u, w)
		if before == nil {
			return nil
		}
		after := step(before)
		l.store(f, u, w, after)
		if postfix {
			return before
		}
		return after
	}}
}

// deconstruction binds (a, b) = value, where the targets may declare variables.
func (b *binder) deconstruction(n *assignNode, t *tupleNode) *bound {
	value := b.expression(n.right)
	var parts []*bound
	var source *bound
	if value.tuple != nil && value.typ == nil {
		if len(value.elements) != len(t.values) {
			b.fail(n, "CS8132", "cannot deconstruct a tuple of %d elements into %d variables", len(value.elements), len(t.values))
		}
		parts = value.elements
	} else {
		source = b.value(value)
		parts = b.deconstruct(n, source, len(t.values))
	}
	var converted []evalFunc
	var stores []func(f *frame, v Value)
	var types []*netType
	for i, target := range t.values {
		part := parts[i]
		var typ *netType
		var store func(f *frame, v Value)
		switch target := target.(type) {
		case *declarationNode:
			if target.name == "_" {
				part = b.value(part)
				typ, store = part.typ, func(*frame, Value) {}
				break
			}
			if target.typ != nil {
				typ = b.resolveSyntax(target.typ)
			} else {
				typ = b.value(part).typ
			}
			v := b.declare(target, target.name, typ)
			b.assign(v)
			store = func(f *frame, x Value) { f.declareIn(v, x) }
		case *nameNode:
			if target.name == "_" && b.find("_") == nil {
				part = b.value(part)
				typ, store = part.typ, func(*frame, Value) {}
				break
			}
			typ, store = b.storeInto(target)
		case *tupleNode:
			b.fail(target, "", "nested deconstruction is not supported")
		default:
			typ, store = b.storeInto(target)
		}
		converted = append(converted, b.convert(part, typ, "CS0029").eval)
		stores = append(stores, store)
		types = append(types, typ)
	}
	if b.env.tuples[len(types)] == nil {
		b.fail(n, "", "a deconstruction into %d variables is not supported", len(types))
	}
	result := b.env.tupleOf(nil, types)
	prepare := func(*frame) {}
	if source != nil {
		prepare = b.holdSource(source)
	}
	return &bound{place: n.place, typ: result, eval: func(f *frame) Value {
		prepare(f)
		out := &tupleValue{typ: result, values: make([]Value, len(converted))}
		for i, eval := range converted {
			out.values[i] = eval(f)
		}
		for i, store := range stores {
			store(f, out.values[i])
		}
		return out
	}}
}

// storeInto is the code that writes to an assignable node.
func (b *binder) storeInto(n node) (*netType, func(f *frame, v Value)) {
	target := b.assignable(n, false)
	l := target.location
	if l.local != nil {
		b.assign(l.local)
	}
	return target.typ, func(f *frame, v Value) {
		var p, q Value
		if l.prepare != nil {
			p, q = l.prepare(f)
		}
		l.store(f, p, q, v)
	}
}

// holdSource evaluates the right side of a deconstruction once, into the temporary that deconstruct reads.
func (b *binder) holdSource(source *bound) func(f *frame) {
	eval, store := source.eval, b.storeTo(source.holder)
	return func(f *frame) {
		v := eval(f)
		if v == nil {
			throwNullReference()
		}
		store(f, v)
	}
}

// deconstruct returns the parts of a tuple or key-value pair.
func (b *binder) deconstruct(n interface{ at() int }, source *bound, count int) []*bound {
	source.holder = b.temporary(source.typ)
	b.assign(source.holder)
	load := b.load(source.holder)
	var parts []*bound
	t := source.typ
	switch {
	case t.kind == tupleKind && len(t.fields) == count, t.name == "Tuple" && len(t.arguments) == count:
		for i, a := range t.arguments {
			parts = append(parts, &bound{place: source.place, typ: a, eval: func(f *frame) Value { return load(f).(*tupleValue).values[i] }})
		}
	case t.name == "KeyValuePair" && count == 2:
		parts = []*bound{
			{place: source.place, typ: t.arguments[0], eval: func(f *frame) Value { return load(f).(*keyValue).key }},
			{place: source.place, typ: t.arguments[1], eval: func(f *frame) Value { return load(f).(*keyValue).value }},
		}
	default:
		b.fail(n, "CS8129", "'%s' cannot be deconstructed into %d variables", t, count)
	}
	return parts
}

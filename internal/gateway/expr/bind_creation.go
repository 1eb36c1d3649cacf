package expr

// creation binds new T(…) { … }.
func (b *binder) creation(n *newNode) *bound {
	t := b.resolveSyntax(n.typ)
	switch {
	case t.static, t.kind == interfaceKind, t.abstract:
		b.fail(n, "CS0144", "cannot create an instance of the type '%s'", t)
	case t.kind == enumKind, t.prim.numeric() && len(n.arguments) == 0, t.prim == primBool:
		x := b.defaultOf(n, t)
		x.constant = false
		return x
	case t.kind == delegateKind:
		if len(n.arguments) != 1 || n.arguments[0].value == nil {
			b.fail(n, "CS0149", "method name expected")
		}
		return b.convert(b.expression(n.arguments[0].value), t, "CS0029")
	}
	args := b.arguments(n.arguments)
	for _, a := range args {
		if a.bound.typ != nil && a.bound.typ.kind == dynamicKind && a.mode == "" {
			a.bound = &bound{place: a.bound.place, typ: b.env.primitives[primObject], eval: a.bound.eval}
		}
	}
	var x *bound
	if t.kind == tupleKind || t.kind == structKind && len(args) == 0 {
		x = b.defaultOf(n, t)
		x.constant = false
		if t.kind == tupleKind && len(args) > 0 {
			if len(args) != len(t.fields) {
				b.fail(n, "CS1729", "'%s' does not contain a constructor that takes %d arguments", t, len(args))
			}
			literal := &bound{place: n.place}
			for _, a := range args {
				literal.elements = append(literal.elements, a.bound)
			}
			x = b.makeTuple(literal, t)
		}
	} else {
		var candidates []candidate
		for _, c := range t.def.constructors {
			candidates = append(candidates, candidate{c, t})
		}
		if candidates == nil {
			b.fail(n, "CS1729", "'%s' has no constructor that policy expressions may use", t)
		}
		best, why := b.resolveOverload(candidates, args, nil)
		if best == nil {
			b.overloadError(n, t.name, candidates, args, why)
		}
		x = b.invocation(n, best, nil, args)
		x.typ = t
	}
	if n.initializer == nil {
		return x
	}
	return b.initialize(n.initializer, x)
}

// initialize runs { … } on a new object.
func (b *binder) initialize(n *initializerNode, x *bound) *bound {
	object := b.temporary(x.typ)
	b.assign(object)
	target := &bound{place: n.place, typ: x.typ, eval: b.load(object)}
	steps := b.initializerSteps(n, target)
	create, store, load := x.eval, b.storeTo(object), target.eval
	slot := object
	return &bound{place: x.place, typ: x.typ, eval: func(f *frame) Value {
		v := create(f)
		f.declareIn(slot, v)
		store(f, v)
		for _, step := range steps {
			step(f)
		}
		return load(f)
	}}
}

// initializerSteps are the assignments and Add calls of an initializer.
func (b *binder) initializerSteps(n *initializerNode, target *bound) []evalFunc {
	var steps []evalFunc
	for i := range n.items {
		item := &n.items[i]
		if item.member == "" && item.index == nil {
			group := &methodGroup{name: "Add", target: target, owner: target.typ, candidates: b.methodsOf(target.typ, "Add", false)}
			if i, _ := target.typ.asInstanceOf(b.env.enumerable); i == nil || len(group.candidates) == 0 {
				b.fail(item, "CS1922", "cannot initialize type '%s' with a collection initializer", target.typ)
			}
			var args []*argument
			for _, v := range item.values {
				args = append(args, &argument{bound: b.expression(v)})
			}
			steps = append(steps, b.callGroup(item, group, args).eval)
			continue
		}
		var place node
		if item.member != "" {
			place = &memberNode{item.place, &receiverNode{item.place}, item.member, nil}
		} else {
			place = &indexNode{item.place, &receiverNode{item.place}, item.index}
		}
		b.receivers = append(b.receivers, target)
		if item.nested != nil {
			inner := b.operand(place)
			steps = append(steps, b.initializerSteps(item.nested, inner)...)
		} else {
			l := b.assignable(place, false)
			value := b.convert(b.expression(item.values[0]), l.typ, "CS0029")
			steps = append(steps, b.store(l, value.eval))
		}
		b.receivers = b.receivers[:len(b.receivers)-1]
	}
	return steps
}

// arrayCreation binds new T[n], new T[] { … } and new[] { … }.
func (b *binder) arrayCreation(n *newArrayNode) *bound {
	var element *netType
	if n.element != nil {
		element = b.resolveSyntax(n.element)
		if element.static || element.kind == voidKind {
			b.fail(n, "CS0611", "array elements cannot be of type '%s'", element)
		}
	}
	var items []*bound
	if n.initializer != nil {
		for i := range n.initializer.items {
			item := &n.initializer.items[i]
			if item.member != "" || item.index != nil || item.grouped || item.nested != nil {
				b.fail(item, "CS0623", "array initializers can only be used in a variable or field initializer")
			}
			items = append(items, b.expression(item.values[0]))
		}
	}
	if element == nil {
		element = b.bestCommonType(n, items)
		if element.kind == nullKind || element.kind == voidKind {
			b.fail(n, "CS0826", "no best type found for implicitly-typed array")
		}
	}
	t := b.env.arrayOf(element)
	var size evalFunc
	if n.length != nil {
		length := b.operand(n.length)
		if length.typ.prim == primLong || length.typ.prim == primUInt {
			length = b.converted(length, b.env.primitives[primInt], numberCast(b.env.primitives[primInt], true))
		}
		length = b.convert(length, b.env.primitives[primInt], "CS0029")
		if length.constant && intOf(length.value) < 0 {
			b.fail(n.length, "CS0248", "cannot create an array with a negative size")
		}
		if n.initializer != nil && (!length.constant || intOf(length.value) != len(items)) {
			b.fail(n.length, "CS0847", "an array initializer of length %d is expected", intOf(length.value))
		}
		size = length.eval
	}
	if n.initializer == nil {
		return &bound{place: n.place, typ: t, eval: func(f *frame) Value {
			count := intOf(size(f))
			if count < 0 {
				throw("OverflowException", "Arithmetic operation resulted in an overflow.")
			}
			return f.m.newArray(element, count)
		}}
	}
	var evals []evalFunc
	for _, x := range items {
		evals = append(evals, b.convert(x, element, "CS0029").eval)
	}
	return &bound{place: n.place, typ: t, eval: func(f *frame) Value {
		f.m.charge(valueSize * len(evals))
		array := newArray(element, len(evals))
		for i, eval := range evals {
			array.set(i, eval(f))
		}
		return array
	}}
}

// anonymous binds new { a = 1 }.
func (b *binder) anonymous(n *anonymousNode) *bound {
	t := &netType{kind: anonymousKind, name: "<>f__AnonymousType0", base: b.env.primitives[primObject]}
	t.def = t
	var evals []evalFunc
	for i, v := range n.values {
		x := b.operand(v)
		if x.typ.kind == nullKind {
			b.fail(v, "CS0828", "cannot assign <null> to an anonymous type property")
		}
		for _, f := range t.fields {
			if f.name == n.names[i] {
				b.fail(v, "CS0833", "an anonymous type cannot have multiple properties with the same name")
			}
		}
		t.fields = append(t.fields, field{n.names[i], x.typ})
		evals = append(evals, x.eval)
	}
	return &bound{place: n.place, typ: t, eval: func(f *frame) Value {
		v := &anonymousValue{typ: t, values: make([]Value, len(evals))}
		for i, eval := range evals {
			v.values[i] = eval(f)
		}
		v.depth = f.m.structure(v.values)
		return v
	}}
}

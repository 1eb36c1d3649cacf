package expr

// expression binds one expression node. The result may be something that is no value, such as a type or a method group.
func (b *binder) expression(n node) *bound {
	b.count(n)
	switch n := n.(type) {
	case *literalNode:
		if n.isNull {
			return &bound{place: n.place, typ: b.env.null, constant: true, eval: func(*frame) Value { return nil }}
		}
		return b.constantOf(n, n.value)
	case *interpolationNode:
		return b.interpolation(n)
	case *nameNode:
		return b.name(n)
	case *predefinedTypeNode:
		return &bound{place: n.place, typeRef: b.env.primitives[primitiveNamed(n.name)]}
	case *memberNode:
		return b.member(n)
	case *indexNode:
		return b.index(n)
	case *callNode:
		return b.call(n)
	case *unaryNode:
		return b.unary(n)
	case *postfixNode:
		return b.increment(n, n.operand, n.op, true)
	case *binaryNode:
		return b.binary(n)
	case *assignNode:
		return b.assignment(n)
	case *conditionalNode:
		return b.conditional(n)
	case *lambdaNode:
		return &bound{place: n.place, lambda: n}
	case *newNode:
		return b.creation(n)
	case *newArrayNode:
		return b.arrayCreation(n)
	case *anonymousNode:
		return b.anonymous(n)
	case *castNode:
		return b.castExpression(n)
	case *isNode:
		return b.isExpression(n)
	case *asNode:
		return b.asExpression(n)
	case *typeofNode:
		t := &typeValue{b.resolveSyntax(n.typ)}
		return &bound{place: n.place, typ: b.env.named("Type"), eval: func(*frame) Value { return t }}
	case *defaultNode:
		if n.typ == nil {
			return &bound{place: n.place, standard: true}
		}
		return b.defaultOf(n, b.resolveSyntax(n.typ))
	case *tupleNode:
		return b.tupleExpression(n)
	case *accessNode:
		return b.conditionalAccess(n)
	case *receiverNode:
		return b.receivers[len(b.receivers)-1]
	case *throwNode:
		return b.throwExpression(n)
	case *checkedNode:
		outer, outerUnchecked := b.checked, b.unchecked
		b.checked, b.unchecked = n.checked, !n.checked
		x := b.expression(n.operand)
		b.checked, b.unchecked = outer, outerUnchecked
		return x
	case *rangeNode:
		return b.rangeScope(n)
	case *declarationNode:
		b.fail(n, "CS8185", "a declaration is not allowed in this context")
	}
	b.fail(n, "CS1525", "invalid expression")
	return nil
}

// operand binds an expression that must be a value.
func (b *binder) operand(n node) *bound {
	x := b.value(b.expression(n))
	if x.typ.kind == voidKind {
		b.fail(n, "CS0815", "an expression of type 'void' is not a value")
	}
	return x
}

// constantOf makes a compile-time constant.
func (b *binder) constantOf(n interface{ at() int }, v Value) *bound {
	if s, ok := v.(string); ok {
		v = b.intern(s)
	}
	return &bound{place: place(n.at()), typ: b.env.typeOf(v), constant: true, value: v, eval: func(*frame) Value { return v }}
}

// intern makes equal string constants one string, for == on objects compares references.
func (b *binder) intern(s string) string {
	if known, ok := b.interned[s]; ok {
		return known
	}
	b.interned[s] = s
	return s
}

// defaultOf is default(T).
func (b *binder) defaultOf(n interface{ at() int }, t *netType) *bound {
	v := b.env.zeroOf(t)
	x := &bound{place: place(n.at()), typ: t, eval: func(*frame) Value { return v }}
	if t.prim != noPrimitive && t.prim != primObject && v != nil || t.kind == enumKind {
		x.constant, x.value = true, v
	}
	if t.kind == structKind && t.prim == noPrimitive || t.kind == tupleKind {
		env := b.env
		x.eval = func(*frame) Value { return env.zeroOf(t) }
	}
	return x
}

// name binds a simple name: a local, context, a type or a namespace.
func (b *binder) name(n *nameNode) *bound {
	if len(n.arguments) == 0 {
		if v := b.find(n.name); v != nil {
			if v.range_ == nil && !v.constant && !b.flow.has(v.id) {
				b.fail(n, "CS0165", "use of unassigned local variable '%s'", v.name)
			}
			return b.local(n, v)
		}
		if n.name == "context" {
			return &bound{place: n.place, typ: b.env.contextual, eval: func(f *frame) Value { return f.m.context }}
		}
	}
	if t := b.tryResolve(&typeSyntax{place: n.place, parts: []namePart{{n.name, n.arguments}}}); t != nil && n.name != "dynamic" {
		return &bound{place: n.place, typeRef: t}
	}
	if len(n.arguments) > 0 {
		b.fail(n, "CS0246", "the type '%s' could not be found, or is not one that policy expressions may use", n.name)
	}
	if b.env.namespaces[n.name] {
		return &bound{place: n.place, namespace: n.name}
	}
	if n.name == "request" || n.name == "response" {
		// An official sample family writes these for context.Request and context.Response.
		member := "Request"
		if n.name == "response" {
			member = "Response"
		}
		return b.member(&memberNode{n.place, &nameNode{place: n.place, name: "context"}, member, nil})
	}
	b.fail(n, "CS0103", "the name '%s' does not exist in the current context", n.name)
	return nil
}

// local binds the use of a variable.
func (b *binder) local(n interface{ at() int }, v *variable) *bound {
	if v.range_ != nil {
		return v.range_
	}
	if v.constant {
		x := b.constantOf(n, v.value)
		x.typ = v.typ
		if v.value == nil {
			x.constant = true
		}
		x.readOnly = "CS0131: the left-hand side of an assignment must be a variable; '" + v.name + "' is a constant"
		return x
	}
	x := &bound{place: place(n.at()), typ: v.typ, eval: b.load(v), readOnly: v.readOnly}
	store := b.storeTo(v)
	load := x.eval
	x.location = &location{
		load:  func(f *frame, _, _ Value) Value { return load(f) },
		store: func(f *frame, _, _, y Value) { store(f, y) },
		local: v,
	}
	return x
}

// rangeScope brings the range variables of a query into scope.
func (b *binder) rangeScope(n *rangeNode) *bound {
	outer := b.find(transparent)
	defer b.open()()
	object := b.local(n, outer)
	for i, f := range outer.typ.fields {
		v := &variable{name: f.name, typ: f.typ, function: b.function, scope: b.scope}
		load := object.eval
		v.range_ = &bound{place: n.place, typ: f.typ, eval: func(f *frame) Value { return load(f).(*anonymousValue).values[i] }, readOnly: "CS1947: a range variable cannot be assigned to"}
		b.scope.names[f.name] = v
	}
	return b.expression(n.body)
}

// conditional binds c ? a : b.
func (b *binder) conditional(n *conditionalNode) *bound {
	c := b.condition(n.condition)
	yesFlow, noFlow := b.split(c)
	b.flow = yesFlow
	yes := b.expression(n.yes)
	afterYes := b.flow
	b.flow = noFlow
	no := b.expression(n.no)
	if yes.throws {
		afterYes = nil
	}
	afterNo := b.flow
	if no.throws {
		afterNo = nil
	}
	b.flow = meet(afterYes, afterNo)
	t := b.commonType(n, yes, no)
	x, y := b.convert(yes, t, "CS0029"), b.convert(no, t, "CS0029")
	out := &bound{place: n.place, typ: t}
	if c.constant && x.constant && y.constant {
		out.constant, out.value = true, y.value
		if c.value.(bool) {
			out.value = x.value
		}
	}
	test, left, right := c.eval, x.eval, y.eval
	out.eval = func(f *frame) Value {
		if test(f).(bool) {
			return left(f)
		}
		return right(f)
	}
	return out
}

// commonType is the type of a conditional: that of one operand to which the other converts.
func (b *binder) commonType(n node, yes, no *bound) *netType {
	typeOf := func(x *bound) *netType {
		if x.lambda != nil || x.group != nil || x.standard || x.throws {
			return nil
		}
		return b.value(x).typ
	}
	a, c := typeOf(yes), typeOf(no)
	switch {
	case a != nil && c != nil && sameType(a, c):
		return a
	case a != nil && c == nil && b.convertible(no, a):
		return a
	case c != nil && a == nil && b.convertible(yes, c):
		return c
	case a != nil && c != nil:
		toC, toA := b.convertible(yes, c) && c.kind != nullKind, b.convertible(no, a) && a.kind != nullKind
		if a.kind == dynamicKind || c.kind == dynamicKind {
			return b.env.dynamic
		}
		if toC && toA && yes.constant != no.constant {
			// A constant adapts to the other operand's type.
			if _, ok := b.env.implicitConversion(a, c); ok {
				return c
			}
			return a
		}
		if toC && !toA {
			return c
		}
		if toA && !toC {
			return a
		}
		if toA && toC {
			if _, ok := b.env.implicitConversion(a, c); ok {
				return c
			}
			return a
		}
	}
	b.fail(n, "CS0173", "type of conditional expression cannot be determined because there is no implicit conversion between '%s' and '%s'", describe(a), describe(c))
	return nil
}

func describe(t *netType) string {
	if t == nil {
		return "an expression without a type"
	}
	return t.String()
}

// condition binds an expression that must be a bool.
func (b *binder) condition(n node) *bound {
	x := b.expression(n)
	return b.convertKeepingFlow(x, b.env.primitives[primBool])
}

// convertKeepingFlow converts and keeps what is assigned by outcome.
func (b *binder) convertKeepingFlow(x *bound, t *netType) *bound {
	y := b.convert(x, t, "CS0029")
	y.whenTrue, y.whenFalse = x.whenTrue, x.whenFalse
	return y
}

// throwExpression binds throw x within an expression.
func (b *binder) throwExpression(n *throwNode) *bound {
	x := b.convert(b.operand(n.operand), b.env.exception, "CS0029")
	eval := x.eval
	return &bound{place: n.place, throws: true, eval: func(f *frame) Value { raise(eval(f)); return nil }}
}

// raise throws an exception value.
func raise(v Value) {
	e, ok := v.(*Exception)
	if !ok {
		throwNullReference()
	}
	panic(e)
}

// conditionalAccess binds a?.b: the rest of the chain is skipped where a is null.
func (b *binder) conditionalAccess(n *accessNode) *bound {
	target := b.operand(n.target)
	t := target.typ
	if !t.isReference() && t.kind != nullableKind || t.kind == nullKind {
		b.fail(n, "CS0023", "operator '?' cannot be applied to operand of type '%s'", t)
	}
	v := b.temporary(t.underlying())
	b.assign(v)
	b.receivers = append(b.receivers, &bound{place: n.place, typ: t.underlying(), eval: b.load(v)})
	outer := b.flow.clone()
	rest := b.expression(n.whenNotNull)
	if rest.group != nil {
		b.fail(n, "CS8977", "a method group cannot be used after '?.'")
	}
	rest = b.value(rest)
	b.flow = outer
	b.receivers = b.receivers[:len(b.receivers)-1]
	result := rest.typ
	if result.isValueType() && result.kind != nullableKind {
		result = b.env.nullableOf(result)
	}
	load, store, then := target.eval, b.storeTo(v), rest.eval
	return &bound{place: n.place, typ: result, eval: func(f *frame) Value {
		x := load(f)
		if x == nil {
			return nil
		}
		store(f, x)
		return then(f)
	}}
}

// interpolation binds $"…".
func (b *binder) interpolation(n *interpolationNode) *bound {
	type piece struct {
		text   string
		eval   evalFunc
		width  int
		format string
	}
	var pieces []piece
	for _, part := range n.parts {
		if part.value == nil {
			pieces = append(pieces, piece{text: part.text})
			continue
		}
		p := piece{eval: b.operand(part.value).eval, format: part.format}
		if part.alignment != nil {
			width := b.convert(b.operand(part.alignment), b.env.primitives[primInt], "CS0029")
			if !width.constant {
				b.fail(part.alignment, "CS0150", "a constant value is expected")
			}
			p.width = intOf(width.value)
		}
		pieces = append(pieces, p)
	}
	return &bound{place: n.place, typ: b.env.primitives[primString], eval: func(f *frame) Value {
		var out builder
		for _, p := range pieces {
			if p.eval == nil {
				out.write(f.m, p.text)
				continue
			}
			out.write(f.m, pad(f.m, f.m.format(p.eval(f), p.format), p.width))
		}
		return out.String()
	}}
}

// tupleExpression binds (a, b); its type may come from where it is converted to.
func (b *binder) tupleExpression(n *tupleNode) *bound {
	x := &bound{place: n.place, tuple: n}
	for _, v := range n.values {
		if _, ok := v.(*declarationNode); ok {
			b.fail(v, "CS8185", "a declaration is not allowed in this context")
		}
		x.elements = append(x.elements, b.expression(v))
	}
	return x
}

// tupleValue gives a tuple the types of its elements.
func (b *binder) tupleValue(x *bound) *bound {
	var types []*netType
	for _, e := range x.elements {
		e = b.value(e)
		if e.typ.kind == nullKind || e.typ.kind == voidKind {
			b.fail(e, "CS8210", "a tuple may not contain a value of type '%s'", e.typ)
		}
		types = append(types, e.typ)
	}
	names := append([]string(nil), x.tuple.names...)
	for i, v := range x.tuple.values {
		if names[i] == "" {
			switch v := v.(type) {
			case *nameNode:
				names[i] = v.name
			case *memberNode:
				names[i] = v.name
			}
		}
	}
	if b.env.tuples[len(types)] == nil {
		b.fail(x, "", "tuples of %d elements are not supported", len(types))
	}
	return b.makeTuple(x, b.env.tupleOf(names, types))
}

// makeTuple converts the elements of a tuple literal to a tuple type.
func (b *binder) makeTuple(x *bound, t *netType) *bound {
	var evals []evalFunc
	for i, e := range x.elements {
		evals = append(evals, b.convert(e, t.fields[i].typ, "CS0029").eval)
	}
	return &bound{place: x.place, typ: t, eval: func(f *frame) Value {
		v := &tupleValue{typ: t, values: make([]Value, len(evals))}
		for i, eval := range evals {
			v.values[i] = eval(f)
		}
		v.depth = f.m.structure(v.values)
		return v
	}}
}

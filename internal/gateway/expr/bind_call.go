package expr

// argument is a bound argument of a call.
type argument struct {
	bound *bound
	name  string
	mode  string
	node  *argumentNode
	// declares is the type of `out T x`, or nil for `out var x` and `out _`.
	declares *netType
}

// implicitOut reports whether the argument takes the type of its parameter.
func (a *argument) implicitOut() bool {
	return a.mode == "out" && a.node.declared != "" && a.declares == nil
}

// arguments binds an argument list.
func (b *binder) arguments(nodes []*argumentNode) []*argument {
	var list []*argument
	for _, n := range nodes {
		a := &argument{name: n.name, mode: n.mode, node: n}
		switch {
		case n.mode == "out" && n.declared != "":
			if n.typ != nil {
				a.declares = b.resolveSyntax(n.typ)
			}
			a.bound = &bound{place: n.place, typ: a.declares}
		case n.mode == "out" || n.mode == "ref":
			a.bound = b.assignable(n.value, n.mode == "ref")
		default:
			a.bound = b.expression(n.value)
			if a.bound.typeRef != nil || a.bound.namespace != "" {
				b.value(a.bound)
			}
			if a.bound.typ != nil && a.bound.typ.kind == voidKind {
				b.fail(n, "CS1503", "cannot convert from 'void'")
			}
		}
		list = append(list, a)
	}
	return list
}

// assignable binds what an assignment or a ref or out argument writes to.
func (b *binder) assignable(n node, reads bool) *bound {
	var x *bound
	if name, ok := n.(*nameNode); ok && len(name.arguments) == 0 && !reads {
		if v := b.find(name.name); v != nil {
			x = b.local(n, v)
		}
	}
	if x == nil {
		x = b.value(b.expression(n))
	}
	if x.readOnly != "" {
		code := x.readOnly[:6]
		b.fail(n, code, "%s", x.readOnly[8:])
	}
	if x.location == nil {
		b.fail(n, "CS0131", "the left-hand side of an assignment must be a variable, property or indexer")
	}
	return x
}

// call binds f(…).
func (b *binder) call(n *callNode) *bound {
	var target *bound
	if m, ok := n.target.(*memberNode); ok {
		receiver := b.expression(m.target)
		if receiver.typ != nil && receiver.typ.kind == dynamicKind && receiver.group == nil {
			return b.dynamicCall(n, m, b.value(receiver), b.arguments(n.arguments))
		}
		target = b.memberOf(m, receiver, true)
	} else {
		target = b.expression(n.target)
	}
	if target.group == nil {
		target = b.value(target)
		if target.typ.kind != delegateKind {
			b.fail(n, "CS1955", "a value of type '%s' cannot be used like a method", target.typ)
		}
		return b.invokeDelegate(n, target, b.arguments(n.arguments))
	}
	g := target.group
	args := b.arguments(n.arguments)
	for _, a := range args {
		if a.bound.typ != nil && a.bound.typ.kind == dynamicKind && a.mode == "" {
			return b.dynamicArguments(n, g, args)
		}
	}
	return b.callGroup(n, g, args)
}

// callGroup calls the best method of a group.
func (b *binder) callGroup(n interface{ at() int }, g *methodGroup, args []*argument) *bound {
	best, why := b.resolveOverload(g.candidates, args, g.arguments)
	if best != nil {
		return b.invocation(n, best, g.target, args)
	}
	if g.target != nil {
		// An extension method takes the target as its first argument.
		all := append([]*argument{{bound: g.target}}, args...)
		var extensions []candidate
		for _, m := range b.env.extensions[g.name] {
			extensions = append(extensions, candidate{m, m.owner})
		}
		if len(extensions) > 0 {
			best, whyExtension := b.resolveOverload(extensions, all, g.arguments)
			if best != nil {
				return b.invocation(n, best, nil, all)
			}
			if len(g.candidates) == 0 {
				if !b.extendable(g.target, g.name) {
					b.fail(n, "CS1061", "'%s' does not contain a definition for '%s', or policy expressions may not use it", g.target.typ, g.name)
				}
				b.overloadError(n, g.name, extensions, all, whyExtension)
			}
		}
	}
	b.overloadError(n, g.name, g.candidates, args, why)
	return nil
}

// invokeDelegate calls a value of a delegate type.
func (b *binder) invokeDelegate(n interface{ at() int }, target *bound, args []*argument) *bound {
	t := target.typ
	parameters := t.def.invoke.parameters
	if len(args) != len(parameters) {
		b.fail(n, "CS1593", "delegate '%s' does not take %d arguments", t, len(args))
	}
	var evals []evalFunc
	for i, a := range args {
		if a.mode != "" || a.name != "" {
			b.fail(a.bound, "CS1615", "an argument of a delegate is passed by value and position")
		}
		evals = append(evals, b.convert(a.bound, t.within(parameters[i].typ), "CS1503").eval)
	}
	load := receiver(target)
	return &bound{place: place(n.at()), typ: t.within(t.def.invoke.result), eval: func(f *frame) Value {
		d := load(f).(*delegate)
		m := f.m
		base := len(m.stack)
		for _, eval := range evals {
			v := eval(f)
			m.stack = append(m.stack, v)
		}
		m.step(1)
		result := d.native(m, m.stack[base:len(m.stack):len(m.stack)])
		m.stack = m.stack[:base]
		return result
	}}
}

// invocation emits the call of a resolved method. The target is nil for static and extension methods.
func (b *binder) invocation(n interface{ at() int }, r *resolution, target *bound, args []*argument) *bound {
	var evals []evalFunc
	if target != nil {
		evals = append(evals, receiver(target))
	}
	type output struct {
		index int
		set   func(f *frame, v Value)
	}
	var outputs []output
	for i := range r.method.parameters {
		p := &r.method.parameters[i]
		t := r.parameterTypes[i]
		if r.expanded && i == len(r.method.parameters)-1 {
			evals = append(evals, b.spread(args, r, t))
			continue
		}
		at := r.mapping[i]
		if at < 0 {
			standard := p.standard
			if standard == nil && t.isValueType() && t.kind != nullableKind {
				standard = b.env.zeroOf(t)
			}
			evals = append(evals, func(*frame) Value { return standard })
			continue
		}
		a := args[at]
		if !p.out && !p.ref {
			evals = append(evals, b.convert(a.bound, t, "CS1503").eval)
			continue
		}
		set := b.output(a, t)
		outputs = append(outputs, output{len(evals), set})
		if p.ref {
			load := a.bound.eval
			evals = append(evals, func(f *frame) Value { return &reference{load(f)} })
		} else {
			zero := b.env.zeroOf(t)
			evals = append(evals, func(*frame) Value { return &reference{zero} })
		}
	}
	fn := r.method.native
	if r.method.generic != nil {
		types := append(append([]*netType(nil), r.owner.arguments...), r.typeArguments...)
		if r.method.extension || len(r.owner.arguments) == 0 {
			types = r.typeArguments
		}
		fn = r.method.generic(types)
	}
	x := &bound{place: place(n.at()), typ: r.result}
	x.eval = func(f *frame) Value {
		m := f.m
		base := len(m.stack)
		for _, eval := range evals {
			v := eval(f)
			m.stack = append(m.stack, v)
		}
		m.step(1)
		a := m.stack[base:len(m.stack):len(m.stack)]
		result := fn(m, a)
		for _, o := range outputs {
			if ref, ok := a[o.index].(*reference); ok {
				o.set(f, ref.value)
			}
		}
		m.stack = m.stack[:base]
		return result
	}
	return x
}

// output is what writes a ref or out argument back.
func (b *binder) output(a *argument, t *netType) func(f *frame, v Value) {
	if a.node != nil && a.node.declared != "" {
		if a.node.declared == "_" {
			return func(*frame, Value) {}
		}
		v := b.declare(a.node, a.node.declared, t)
		b.assign(v)
		return func(f *frame, x Value) { f.declareIn(v, x) }
	}
	l := a.bound.location
	if l.local != nil {
		b.assign(l.local)
	}
	prepare, store := l.prepare, l.store
	return func(f *frame, x Value) {
		var p, q Value
		if prepare != nil {
			p, q = prepare(f)
		}
		store(f, p, q, x)
	}
}

// spread puts the trailing arguments of an expanded call into an array.
func (b *binder) spread(args []*argument, r *resolution, t *netType) evalFunc {
	element := t.element()
	var evals []evalFunc
	for i := r.mapping[len(r.mapping)-1]; i >= 0 && i < len(args); i++ {
		evals = append(evals, b.convert(args[i].bound, element, "CS1503").eval)
	}
	return func(f *frame) Value {
		array := newArray(element, len(evals))
		for i, eval := range evals {
			array.set(i, eval(f))
		}
		return array
	}
}

// overloadError reports why no method fits.
func (b *binder) overloadError(n interface{ at() int }, name string, candidates []candidate, args []*argument, why overloadFailure) {
	if why.lambda != nil {
		panic(why.lambda)
	}
	switch why.code {
	case "CS0121":
		b.fail(n, "CS0121", "the call is ambiguous between several methods '%s'", name)
	case "CS0411":
		b.fail(n, "CS0411", "the type arguments for method '%s' cannot be inferred from the usage; try specifying them", name)
	case "CS1503":
		for _, a := range args {
			if a.bound.tuple == nil && a.bound.typ == nil && a.bound.lambda == nil && a.bound.group == nil && !a.implicitOut() {
				b.value(a.bound)
			}
		}
		b.fail(n, "CS1503", "no overload of '%s' takes arguments of these types (%s)", name, b.describeArguments(args))
	}
	b.fail(n, "CS1501", "no overload for method '%s' takes %d arguments", name, len(args))
}

func (b *binder) describeArguments(args []*argument) string {
	text := ""
	for i, a := range args {
		if i > 0 {
			text += ", "
		}
		switch {
		case a.bound.lambda != nil:
			text += "lambda expression"
		case a.bound.group != nil:
			text += "method group"
		case a.bound.typ == nil:
			text += a.mode + " var"
		default:
			text += a.bound.typ.String()
		}
	}
	return text
}

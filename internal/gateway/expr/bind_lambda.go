package expr

// binderState is what binding a lambda on trial must not change.
type binderState struct {
	function  *function
	scope     *scope
	flow      *flow
	receivers []*bound
	checked   bool
}

func (b *binder) save() binderState {
	return binderState{b.function, b.scope, b.flow.clone(), b.receivers, b.checked}
}

func (b *binder) restore(s binderState) {
	b.function, b.scope, b.flow, b.receivers, b.checked = s.function, s.scope, s.flow, s.receivers, s.checked
}

// try runs bind and reports whether it compiled; the error is kept for the message.
func (b *binder) try(bind func()) (ok bool) {
	state := b.save()
	defer func() {
		b.restore(state)
		if r := recover(); r != nil {
			err, compile := r.(*CompileError)
			if !compile || err.Code == "CS8078" {
				panic(r)
			}
			b.lambdaErr, ok = err, false
		}
	}()
	bind()
	return true
}

// lambdaReturns infers what a lambda returns for parameters of the given types; nil if it does not compile, void if it returns nothing.
func (b *binder) lambdaReturns(l *lambdaNode, inputs []*netType) *netType {
	var t *netType
	b.try(func() { _, t = b.bindLambda(l, inputs, nil, nil) })
	return t
}

// lambdaFits reports whether a lambda converts to a delegate type.
func (b *binder) lambdaFits(l *lambdaNode, t *netType) bool {
	if t.kind != delegateKind || len(l.parameters) != len(t.def.invoke.parameters) {
		return false
	}
	return b.try(func() { b.lambdaTo(l, t) })
}

// lambdaTo binds a lambda for a delegate type.
func (b *binder) lambdaTo(l *lambdaNode, t *netType) *bound {
	if t.kind != delegateKind {
		b.fail(l, "CS1660", "cannot convert lambda expression to type '%s' because it is not a delegate type", t)
	}
	inputs := b.delegateInputs(t)
	if len(inputs) != len(l.parameters) {
		b.fail(l, "CS1593", "delegate '%s' does not take %d arguments", t, len(l.parameters))
	}
	eval, _ := b.bindLambda(l, inputs, t.within(t.def.invoke.result), t)
	return &bound{place: l.place, typ: t, eval: eval}
}

// isStatementExpression tells the expressions that may stand as a statement.
func isStatementExpression(n node) bool {
	switch n := n.(type) {
	case *callNode, *assignNode, *postfixNode, *newNode:
		return true
	case *unaryNode:
		return n.op == "++" || n.op == "--"
	case *accessNode:
		return isStatementExpression(n.whenNotNull)
	case *rangeNode:
		return isStatementExpression(n.body)
	}
	return false
}

// bindLambda binds a lambda's body. Without a result type it infers one; delegateType is the type of the value that the code makes.
func (b *binder) bindLambda(l *lambdaNode, inputs []*netType, result, delegateType *netType) (evalFunc, *netType) {
	b.count(l)
	state := b.save()
	defer func() { b.restore(state) }()
	fn := &function{parent: b.function, result: result, isVoid: result != nil && result.kind == voidKind}
	b.function = fn
	b.scope = &scope{parent: state.scope, function: fn, names: map[string]*variable{}}
	var parameters []*variable
	for i, p := range l.parameters {
		t := inputs[i]
		if p.mode != "" {
			b.fail(p, "CS1677", "a parameter of a lambda here cannot be ref or out")
		}
		if p.typ != nil {
			if written := b.resolveSyntax(p.typ); !sameType(written, t) {
				b.fail(p, "CS1661", "cannot convert lambda expression because parameter '%s' is declared as type '%s' but should be '%s'", p.name, written, t)
			}
		}
		v := b.declare(p, p.name, t)
		b.assign(v)
		parameters = append(parameters, v)
	}
	var body evalFunc
	var inferred *netType
	if l.block != nil {
		body, inferred = b.lambdaBlock(l, fn)
	} else {
		body, inferred = b.lambdaBody(l, fn)
	}
	return makeDelegate(fn, parameters, body, delegateType), inferred
}

// lambdaBody binds the expression of x => expression.
func (b *binder) lambdaBody(l *lambdaNode, fn *function) (evalFunc, *netType) {
	x := b.expression(l.body)
	if fn.isVoid {
		if !isStatementExpression(l.body) {
			b.fail(l.body, "CS0201", "only assignment, call, increment, decrement and new object expressions can be used as a statement")
		}
		if x.throws {
			return x.eval, b.env.void
		}
		return b.value(x).eval, b.env.void
	}
	if fn.result != nil {
		return b.convert(x, fn.result, "CS0029").eval, fn.result
	}
	if x.throws {
		return x.eval, b.env.null
	}
	x = b.value(x)
	return x.eval, x.typ
}

// lambdaBlock binds the statements of x => { … }.
func (b *binder) lambdaBlock(l *lambdaNode, fn *function) (evalFunc, *netType) {
	infer := fn.result == nil
	run := b.block(l.block)
	t := fn.result
	if infer {
		t = b.env.void
		if len(fn.returns) > 0 {
			t = b.bestCommonType(l, fn.returns)
		} else if b.flow.dead {
			t = b.env.null
		}
	}
	if t.kind != voidKind && !b.flow.dead {
		b.fail(place(l.block.end), "CS1643", "not all code paths return a value in the lambda expression")
	}
	return func(f *frame) Value {
		run(f)
		return f.result
	}, t
}

// bestCommonType is the type among the given expressions that all of them convert to.
func (b *binder) bestCommonType(n interface{ at() int }, list []*bound) *netType {
	for _, c := range list {
		if c.typ == nil || c.typ.kind == nullKind {
			continue
		}
		all := true
		for _, o := range list {
			if !b.convertible(o, c.typ) || o.typ != nil && !sameType(o.typ, c.typ) && o.typ.prim.numeric() && c.typ.prim.numeric() && !widens(o.typ.prim, c.typ.prim) {
				all = false
				break
			}
		}
		if all {
			return c.typ
		}
	}
	if len(list) > 0 {
		onlyNull := true
		for _, x := range list {
			onlyNull = onlyNull && x.typ != nil && x.typ.kind == nullKind
		}
		if onlyNull {
			return b.env.null
		}
	}
	b.fail(n, "CS0826", "no best type found for the given values")
	return nil
}

// makeDelegate is the code that creates a delegate from a bound function.
func makeDelegate(fn *function, parameters []*variable, body evalFunc, t *netType) evalFunc {
	build := func(captured []*cell) *delegate {
		return &delegate{typ: t, native: func(m *machine, a []Value) Value {
			m.enterCall()
			g := m.newFrame(fn.slots)
			g.captured = captured
			for i, p := range parameters {
				g.declareIn(p, a[i])
			}
			result := body(g)
			m.freeFrame(g)
			m.leaveCall()
			return result
		}}
	}
	// A lambda that captures nothing is one value.
	alone := build(nil)
	return func(f *frame) Value {
		if len(fn.captures) == 0 {
			return alone
		}
		return build(f.capture(fn))
	}
}

// capture collects the cells that a function created in this frame uses.
func (f *frame) capture(fn *function) []*cell {
	captured := make([]*cell, len(fn.captures))
	for i, v := range fn.captures {
		if v.function == fn.parent {
			captured[i] = f.cellOf(v)
			continue
		}
		for j, o := range fn.parent.captures {
			if o == v {
				captured[i] = f.captured[j]
			}
		}
	}
	return captured
}

// newFrame takes a frame for n slots; frames are reused, for captured variables live in cells.
func (m *machine) newFrame(n int) *frame {
	var f *frame
	if last := len(m.frames) - 1; last >= 0 {
		f = m.frames[last]
		m.frames = m.frames[:last]
	} else {
		f = &frame{}
	}
	f.m = m
	f.reserve(n)
	return f
}

func (m *machine) freeFrame(f *frame) {
	*f = frame{}
	m.frames = append(m.frames, f)
}

// groupFits reports whether a method group converts to a delegate type.
func (b *binder) groupFits(g *methodGroup, t *netType) bool {
	if t.kind != delegateKind {
		return false
	}
	r := b.groupMethod(g, b.delegateInputs(t))
	if r == nil {
		return false
	}
	want := t.within(t.def.invoke.result)
	if want.kind == voidKind {
		return true
	}
	_, ok := b.env.standardConversion(r.result, want)
	return ok && r.result.kind != voidKind
}

// groupMethod picks the method of a group for arguments of the given types.
func (b *binder) groupMethod(g *methodGroup, inputs []*netType) *resolution {
	var args []*argument
	for _, t := range inputs {
		args = append(args, &argument{bound: &bound{typ: t, eval: func(*frame) Value { return nil }}})
	}
	r, _ := b.resolveOverload(g.candidates, args, g.arguments)
	if r != nil && (r.expanded || r.defaults > 0) {
		return nil
	}
	return r
}

// groupReturns is the return type of a method group for the given arguments.
func (b *binder) groupReturns(g *methodGroup, inputs []*netType) *netType {
	if r := b.groupMethod(g, inputs); r != nil {
		return r.result
	}
	return nil
}

// groupTo makes a delegate of a method group.
func (b *binder) groupTo(x *bound, t *netType) *bound {
	g := x.group
	if t.kind != delegateKind {
		b.fail(x, "CS0428", "cannot convert method group '%s' to non-delegate type '%s'; did you intend to invoke the method?", g.name, t)
	}
	if !b.groupFits(g, t) {
		b.fail(x, "CS0123", "no overload for '%s' matches delegate '%s'", g.name, t)
	}
	// The group is called with the delegate's arguments, which stand in slots of a frame of their own.
	state := b.save()
	fn := &function{parent: b.function}
	b.function = fn
	b.scope = &scope{parent: state.scope, function: fn, names: map[string]*variable{}}
	var parameters []*variable
	var args []*argument
	for _, p := range b.delegateInputs(t) {
		v := b.temporary(p)
		b.assign(v)
		parameters = append(parameters, v)
		args = append(args, &argument{bound: &bound{place: x.place, typ: p, eval: b.load(v)}})
	}
	target := g.target
	var holder *variable
	if target != nil {
		// The target is evaluated once, when the delegate is made.
		holder = &variable{typ: target.typ, slot: state.function.slots, id: b.variables, function: state.function, scope: state.scope, captured: true}
		state.function.slots++
		b.variables++
		target = &bound{place: x.place, typ: target.typ, eval: b.load(holder)}
	}
	call := b.callGroup(x, &methodGroup{name: g.name, target: target, owner: g.owner, candidates: g.candidates, arguments: g.arguments}, args)
	want := t.within(t.def.invoke.result)
	if want.kind != voidKind {
		call = b.convert(call, want, "CS0407")
	}
	b.restore(state)
	create := makeDelegate(fn, parameters, call.eval, t)
	if holder == nil {
		return &bound{place: x.place, typ: t, eval: create}
	}
	load := receiver(g.target)
	return &bound{place: x.place, typ: t, eval: func(f *frame) Value {
		f.declareIn(holder, load(f))
		return create(f)
	}}
}

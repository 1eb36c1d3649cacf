package expr

import "slices"

// label is a goto target: a labelled statement, or a section of a switch.
type label struct {
	name string
	flow *flow
}

// jumpScope is a loop or switch that break and continue refer to.
type jumpScope struct {
	outer     *jumpScope
	loop      bool
	breaks    *flow // the state after break, nil if there is none
	continues *flow
	sections  *switchSections
}

// block binds { … }.
func (b *binder) block(n *blockStatement) statement {
	defer b.open()()
	return b.sequence(n.statements)
}

// sequence binds statements that share a scope; local functions are known in all of it.
func (b *binder) sequence(list []statementNode) statement {
	var hoisted []*localFunction
	for _, s := range list {
		if f, ok := s.(*localFunctionStatement); ok {
			hoisted = append(hoisted, b.declareFunction(f))
		}
	}
	labels := map[string]int{}
	for i, s := range list {
		if l, ok := s.(*labelStatement); ok {
			if labels[l.name] != 0 {
				b.fail(l, "CS0140", "the label '%s' is a duplicate", l.name)
			}
			labels[l.name] = i + 1
		}
	}
	outer := b.function.labels
	if len(labels) > 0 {
		b.function.labels = map[string]*label{}
		for name, l := range outer {
			b.function.labels[name] = l
		}
		for name := range labels {
			b.function.labels[name] = &label{name: name}
		}
	}
	own := b.function.labels
	var run []statement
	positions := map[*label]int{}
	next := 0
	for _, s := range list {
		if l, ok := s.(*labelStatement); ok {
			positions[own[l.name]] = len(run)
			b.flow = meet(b.flow, own[l.name].flow)
			s = l.body
			for {
				inner, again := s.(*labelStatement)
				if !again {
					break
				}
				b.fail(inner, "", "two labels in a row are not supported")
			}
		}
		if f, ok := s.(*localFunctionStatement); ok {
			b.bindFunction(hoisted[next], f)
			next++
			continue
		}
		run = append(run, b.statement(s))
	}
	b.function.labels = outer
	if len(hoisted) > 0 {
		start := func(f *frame) control {
			for _, h := range hoisted {
				h.create(f)
			}
			return flowNext
		}
		run = append([]statement{start}, run...)
		for l := range positions {
			positions[l]++
		}
	}
	if len(positions) > 0 {
		return jumpingSequence(run, positions)
	}
	switch len(run) {
	case 0:
		return func(*frame) control { return flowNext }
	case 1:
		return run[0]
	}
	return func(f *frame) control {
		for _, s := range run {
			if c := s(f); c != flowNext {
				return c
			}
		}
		return flowNext
	}
}

// jumpingSequence runs statements among which goto may jump.
func jumpingSequence(run []statement, positions map[*label]int) statement {
	return func(f *frame) control {
		for i := 0; i < len(run); i++ {
			c := run[i](f)
			if c == flowGoto {
				at, here := positions[f.label]
				if !here {
					return c
				}
				f.m.step(1)
				i, f.label = at-1, nil
				continue
			}
			if c != flowNext {
				return c
			}
		}
		return flowNext
	}
}

// statement binds one statement.
func (b *binder) statement(n statementNode) statement {
	b.count(n)
	switch n := n.(type) {
	case *blockStatement:
		return b.block(n)
	case *emptyStatement:
		return func(*frame) control { return flowNext }
	case *expressionStatement:
		return b.expressionStatement(n)
	case *localStatement:
		return b.localVariables(n)
	case *ifStatement:
		return b.ifElse(n)
	case *whileStatement:
		return b.loop(n.condition, nil, n.body, false)
	case *doStatement:
		return b.loop(n.condition, nil, n.body, true)
	case *forStatement:
		return b.forLoop(n)
	case *foreachStatement:
		return b.foreach(n)
	case *switchStatement:
		return b.switchCase(n)
	case *jumpStatement:
		return b.jump(n)
	case *returnStatement:
		return b.returns(n)
	case *throwStatement:
		return b.throws(n)
	case *tryStatement:
		return b.tryCatch(n)
	case *usingStatement:
		return b.using(n)
	case *checkedStatement:
		outer, outerUnchecked := b.checked, b.unchecked
		b.checked, b.unchecked = n.checked, !n.checked
		s := b.block(n.block)
		b.checked, b.unchecked = outer, outerUnchecked
		return s
	case *labelStatement:
		b.fail(n, "CS1023", "a label is not allowed here")
	}
	b.fail(n, "CS1002", "unknown statement")
	return nil
}

func (b *binder) expressionStatement(n *expressionStatement) statement {
	if !isStatementExpression(n.value) {
		b.value(b.expression(n.value))
		b.fail(n, "CS0201", "only assignment, call, increment, decrement and new object expressions can be used as a statement")
	}
	eval := b.value(b.expression(n.value)).eval
	return func(f *frame) control {
		eval(f)
		return flowNext
	}
}

func (b *binder) localVariables(n *localStatement) statement {
	var run []statement
	if n.typ == nil && len(n.variables) > 1 {
		b.fail(n, "CS0819", "implicitly-typed variables cannot have multiple declarators")
	}
	for _, x := range n.variables {
		run = append(run, b.localVariable(n, x))
	}
	if len(run) == 1 {
		return run[0]
	}
	return func(f *frame) control {
		for _, s := range run {
			s(f)
		}
		return flowNext
	}
}

func (b *binder) localVariable(n *localStatement, x localVariable) statement {
	if x.value == nil {
		switch {
		case n.typ == nil:
			b.fail(x, "CS0818", "implicitly-typed variables must be initialized")
		case n.constant:
			b.fail(x, "CS0145", "a const field requires a value to be provided")
		}
		v := b.declare(x, x.name, b.variableType(n))
		return func(f *frame) control { f.declareIn(v, nil); return flowNext }
	}
	var t *netType
	var value *bound
	if n.typ == nil {
		value = b.expression(x.value)
		if value.lambda != nil || value.group != nil || value.standard || value.throws {
			b.fail(x, "CS0815", "cannot assign this expression to an implicitly-typed variable")
		}
		value = b.value(value)
		if value.typ.kind == nullKind || value.typ.kind == voidKind {
			b.fail(x, "CS0815", "cannot assign %s to an implicitly-typed variable", value.typ)
		}
		t = value.typ
	} else {
		t = b.variableType(n)
		// A lambda may not use the variable that it initializes, except that the name is in scope.
		value = b.convert(b.expression(x.value), t, "CS0029")
	}
	v := b.declare(x, x.name, t)
	if n.constant {
		if !value.constant {
			b.fail(x, "CS0133", "the expression being assigned to '%s' must be constant", x.name)
		}
		v.constant, v.value = true, value.value
		return func(*frame) control { return flowNext }
	}
	b.assign(v)
	eval := value.eval
	return func(f *frame) control {
		f.declareIn(v, eval(f))
		return flowNext
	}
}

// variableType resolves the type of a declaration.
func (b *binder) variableType(n *localStatement) *netType {
	t := b.resolveSyntax(n.typ)
	if t.static {
		b.fail(n, "CS0723", "cannot declare a variable of static type '%s'", t)
	}
	return t
}

func (b *binder) ifElse(n *ifStatement) statement {
	c := b.condition(n.condition)
	yesFlow, noFlow := b.split(c)
	test := c.eval
	b.flow = yesFlow
	yes := b.scoped(n.yes)
	after := b.flow
	b.flow = noFlow
	if n.no == nil {
		b.flow = meet(after, b.flow)
		return func(f *frame) control {
			if test(f).(bool) {
				return yes(f)
			}
			return flowNext
		}
	}
	no := b.scoped(n.no)
	b.flow = meet(after, b.flow)
	return func(f *frame) control {
		if test(f).(bool) {
			return yes(f)
		}
		return no(f)
	}
}

// scoped binds an embedded statement in a scope of its own.
func (b *binder) scoped(n statementNode) statement {
	defer b.open()()
	return b.statement(n)
}

func (b *binder) jump(n *jumpStatement) statement {
	defer func() { b.flow = &flow{bits: b.flow.bits, dead: true} }()
	s := b.function.jumps
	switch n.kind {
	case "break":
		if s == nil {
			b.fail(n, "CS0139", "no enclosing loop out of which to break or continue")
		}
		s.breaks = meet(s.breaks, b.flow)
		return func(*frame) control { return flowBreak }
	case "continue":
		for s != nil && !s.loop {
			s = s.outer
		}
		if s == nil {
			b.fail(n, "CS0139", "no enclosing loop out of which to break or continue")
		}
		s.continues = meet(s.continues, b.flow)
		return func(*frame) control { return flowContinue }
	case "goto":
		l := b.function.labels[n.label]
		if l == nil {
			b.fail(n, "CS0159", "no such label '%s' within the scope of the goto statement", n.label)
		}
		l.flow = meet(l.flow, b.flow)
		return func(f *frame) control { f.label = l; return flowGoto }
	}
	return b.gotoCase(n)
}

func (b *binder) returns(n *returnStatement) statement {
	fn := b.function
	defer func() { b.flow = &flow{bits: b.flow.bits, dead: true} }()
	if n.value == nil {
		if fn.result != nil && fn.result.kind != voidKind {
			b.fail(n, "CS0126", "an object of a type convertible to '%s' is required", fn.result)
		}
		return func(*frame) control { return flowReturn }
	}
	x := b.expression(n.value)
	if fn.isVoid {
		b.fail(n, "CS8030", "a lambda that converts to a void returning delegate cannot return a value")
	}
	if fn.result != nil {
		x = b.convert(x, fn.result, "CS0029")
	} else {
		if !x.throws {
			x = b.value(x)
			fn.returns = append(fn.returns, x)
		}
	}
	eval := x.eval
	return func(f *frame) control {
		f.result = eval(f)
		return flowReturn
	}
}

func (b *binder) throws(n *throwStatement) statement {
	defer func() { b.flow = &flow{bits: b.flow.bits, dead: true} }()
	if n.value == nil {
		v := b.find(rethrown)
		if v == nil {
			b.fail(n, "CS0156", "a throw statement with no arguments is not allowed outside of a catch clause")
		}
		load := b.load(v)
		return func(f *frame) control { raise(load(f)); return flowNext }
	}
	eval := b.convert(b.operand(n.value), b.env.exception, "CS0029").eval
	return func(f *frame) control { raise(eval(f)); return flowNext }
}

// localFunction is a local function while its block is bound.
type localFunction struct {
	variable   *variable
	fn         *function
	parameters []*variable
	body       evalFunc
	scope      *scope
}

// declareFunction makes the name of a local function known with a delegate type of its own.
func (b *binder) declareFunction(n *localFunctionStatement) *localFunction {
	t := &netType{kind: delegateKind, name: n.name, base: b.env.named("Delegate")}
	t.def = t
	t.invoke = &member{name: "Invoke", owner: t, result: b.env.void}
	if n.result != nil {
		t.invoke.result = b.resolveSyntax(n.result)
	}
	for _, p := range n.parameters {
		if p.typ == nil {
			b.fail(p, "CS1001", "a parameter needs a type")
		}
		if p.mode != "" {
			b.fail(p, "", "ref and out parameters of local functions are not supported")
		}
		t.invoke.parameters = append(t.invoke.parameters, parameter{name: p.name, typ: b.resolveSyntax(p.typ)})
	}
	v := b.declare(n, n.name, t)
	v.readOnly = "CS1656: cannot assign to '" + n.name + "' because it is a method"
	b.assign(v)
	return &localFunction{variable: v, scope: b.scope}
}

// bindFunction binds the body of a local function.
func (b *binder) bindFunction(h *localFunction, n *localFunctionStatement) {
	state := b.save()
	defer func() { b.restore(state) }()
	t := h.variable.typ
	fn := &function{parent: b.function, result: t.invoke.result, isVoid: t.invoke.result.kind == voidKind}
	h.fn = fn
	b.function = fn
	b.scope = &scope{parent: state.scope, function: fn, names: map[string]*variable{}}
	b.flow = &flow{bits: slices.Clone(state.flow.bits)}
	for i := range state.flow.bits {
		b.flow.bits[i] = ^uint64(0)
	}
	for i, p := range n.parameters {
		v := b.declare(p, p.name, t.invoke.parameters[i].typ)
		b.assign(v)
		h.parameters = append(h.parameters, v)
	}
	lambda := &lambdaNode{place: n.place, body: n.body, block: n.block}
	if n.block != nil {
		h.body, _ = b.lambdaBlock(lambda, fn)
	} else {
		h.body, _ = b.lambdaBody(lambda, fn)
	}
	for _, v := range fn.captures {
		if v.scope == h.scope && v != h.variable {
			v.hoisted = true
		}
	}
}

// create makes the function's delegate when its block is entered.
func (h *localFunction) create(f *frame) {
	if h.variable.captured {
		f.slots[h.variable.slot] = &cell{}
	}
	for _, v := range h.fn.captures {
		if v.hoisted && v.function == h.fn.parent {
			f.slots[v.slot] = &cell{}
		}
	}
	f.storeSlot(h.variable, makeDelegate(h.fn, h.parameters, h.body, h.variable.typ)(f))
}

// storeSlot writes a variable of the frame's own function without making a new cell.
func (f *frame) storeSlot(v *variable, x Value) {
	if v.captured {
		f.cellOf(v).value = x
		return
	}
	f.slots[v.slot] = x
}

package expr

// enterLoop makes a loop the target of break and continue.
func (b *binder) enterLoop() *jumpScope {
	s := &jumpScope{outer: b.function.jumps, loop: true}
	b.function.jumps = s
	return s
}

// loop binds while, do and the rest of for.
func (b *binder) loop(condition node, step []node, body statementNode, bodyFirst bool) statement {
	fn := b.function
	s := b.enterLoop()
	defer func() { fn.jumps = s.outer }()
	test := func(*frame) bool { return true }
	after := &flow{bits: b.flow.bits, dead: true}
	bindTest := func() {
		if condition == nil {
			return
		}
		c := b.condition(condition)
		yes, no := b.split(c)
		after = no
		b.flow = yes
		eval := c.eval
		test = func(f *frame) bool { return eval(f).(bool) }
	}
	defer b.open()()
	if !bodyFirst {
		bindTest()
	}
	run := b.scoped(body)
	b.flow = meet(b.flow, s.continues)
	var steps []evalFunc
	for _, x := range step {
		if !isStatementExpression(x) {
			b.fail(x, "CS0201", "only assignment, call, increment, decrement and new object expressions can be used as a statement")
		}
		steps = append(steps, b.value(b.expression(x)).eval)
	}
	if bodyFirst {
		bindTest()
	}
	b.flow = meet(after, s.breaks)
	return func(f *frame) control {
		if bodyFirst {
			goto body
		}
	again:
		if !test(f) {
			return flowNext
		}
	body:
		f.m.step(1)
		switch c := run(f); c {
		case flowBreak:
			return flowNext
		case flowReturn, flowGoto:
			return c
		}
		for _, x := range steps {
			x(f)
		}
		goto again
	}
}

func (b *binder) forLoop(n *forStatement) statement {
	defer b.open()()
	var initial []statement
	for _, s := range n.initial {
		initial = append(initial, b.statement(s))
	}
	run := b.loop(n.condition, n.step, n.body, false)
	return func(f *frame) control {
		for _, s := range initial {
			s(f)
		}
		return run(f)
	}
}

// foreach binds foreach (T x in source).
func (b *binder) foreach(n *foreachStatement) statement {
	source := b.operand(n.source)
	element, pairs := b.elementType(n, source)
	before := b.flow.clone()
	fn := b.function
	s := b.enterLoop()
	defer func() { fn.jumps = s.outer }()
	defer b.open()()
	assign := b.foreachVariable(n, element)
	run := b.scoped(n.body)
	b.flow = meet(before, s.breaks)
	load := receiver(source)
	return func(f *frame) control {
		m := f.m
		result := flowNext
		visit := func(v Value) bool {
			m.step(1)
			assign(f, v)
			switch c := run(f); c {
			case flowBreak:
				return false
			case flowReturn, flowGoto:
				result = c
				return false
			}
			return true
		}
		if object, ok := load(f).(*jObject); ok && pairs {
			object.eachPair(m, element, visit)
		} else {
			iterate(m, load(f), visit)
		}
		return result
	}
}

// foreachVariable declares the loop variable and returns what assigns it.
func (b *binder) foreachVariable(n *foreachStatement, element *netType) func(f *frame, v Value) {
	if n.names != nil {
		item := &bound{place: n.place, typ: element}
		parts := b.deconstruct(n, item, len(n.names))
		var variables []*variable
		for i, name := range n.names {
			if name == "_" {
				variables = append(variables, nil)
				continue
			}
			v := b.declare(n, name, parts[i].typ)
			v.readOnly = "CS1656: cannot assign to '" + name + "' because it is a 'foreach iteration variable'"
			b.assign(v)
			variables = append(variables, v)
		}
		hold := b.storeTo(item.holder)
		return func(f *frame, x Value) {
			hold(f, x)
			for i, v := range variables {
				if v != nil {
					f.declareIn(v, parts[i].eval(f))
				}
			}
		}
	}
	t := element
	var convert convertFunc
	if n.typ != nil {
		t = b.resolveSyntax(n.typ)
		var ok bool
		convert, ok = b.env.explicitConversion(element, t, b.checked)
		if !ok {
			b.fail(n, "CS0030", "cannot convert type '%s' to '%s'", element, t)
		}
	}
	v := b.declare(n, n.name, t)
	v.readOnly = "CS1656: cannot assign to '" + n.name + "' because it is a 'foreach iteration variable'"
	b.assign(v)
	return func(f *frame, x Value) {
		if convert != nil {
			x = convert(f.m, x)
		}
		f.declareIn(v, x)
	}
}

// elementType is what iterating over x gives; pairs says that x is a JObject, which shows its members as pairs.
func (b *binder) elementType(n interface{ at() int }, x *bound) (*netType, bool) {
	if x.typ.kind == dynamicKind {
		return b.env.dynamic, false
	}
	if x.typ.def == b.env.named("JObject") {
		return construct(b.env.generic("KeyValuePair", 2), b.env.primitives[primString], b.env.named("JToken")), true
	}
	if i, ambiguous := x.typ.asInstanceOf(b.env.enumerable); i != nil && !ambiguous {
		return i.arguments[0], false
	}
	if b.env.referenceConvertible(x.typ, b.env.named("IEnumerable")) && x.typ.kind != nullKind {
		return b.env.primitives[primObject], false
	}
	b.fail(n, "CS1579", "foreach statement cannot operate on variables of type '%s' because it does not contain a public definition for 'GetEnumerator'", x.typ)
	return nil, false
}

// switchSections lets goto case find the sections of a switch.
type switchSections struct {
	typ    *netType
	labels map[any]*label
	other  *label // default
}

// switchCase binds switch.
func (b *binder) switchCase(n *switchStatement) statement {
	value := b.operand(n.value)
	held := b.temporary(value.typ)
	b.assign(held)
	fn := b.function
	s := &jumpScope{outer: fn.jumps, sections: &switchSections{typ: value.typ, labels: map[any]*label{}}}
	fn.jumps = s
	defer func() { fn.jumps = s.outer }()
	defer b.open()()
	b.caseLabels(n, s.sections, value)
	start := b.flow.clone()
	type arm struct {
		tests []func(f *frame, v Value) bool
		run   statement
	}
	var arms []arm
	other := -1
	positions := map[*label]int{}
	unmatched := true
	seen := map[any]bool{}
	for i, section := range n.sections {
		a := arm{}
		b.flow = start.clone()
		var entry *flow
		end := b.open()
		for _, l := range section.labels {
			b.flow = start.clone()
			if l.isDefault {
				if other >= 0 {
					b.fail(l, "CS0152", "the switch statement contains multiple cases with the label value 'default'")
				}
				other = i
				unmatched = false
				positions[s.sections.other] = i
			} else {
				test, key := b.caseTest(l, value)
				if key != nil {
					if seen[key] {
						b.fail(l, "CS0152", "the switch statement contains multiple cases with the same label value")
					}
					seen[key] = true
					positions[s.sections.labels[key]] = i
				}
				a.tests = append(a.tests, test)
			}
			entry = meet(entry, b.flow)
		}
		b.flow = entry
		a.run = b.sequence(section.statements)
		end()
		if !b.flow.dead {
			b.fail(place(section.end), "CS0163", "control cannot fall through from one case label to another")
		}
		arms = append(arms, a)
	}
	after := s.breaks
	if unmatched {
		after = meet(after, start)
	}
	b.flow = cloneOrDead(after)
	eval := value.eval
	return func(f *frame) control {
		v := eval(f)
		at := other
	search:
		for i, a := range arms {
			for _, test := range a.tests {
				if test(f, v) {
					at = i
					break search
				}
			}
		}
		for at >= 0 {
			switch c := arms[at].run(f); c {
			case flowBreak, flowNext:
				return flowNext
			case flowGoto:
				next, here := positions[f.label]
				if !here {
					return c
				}
				f.m.step(1)
				at = next
			default:
				return c
			}
		}
		return flowNext
	}
}

// caseLabels makes a label for each constant case, for goto case may jump forwards.
func (b *binder) caseLabels(n *switchStatement, s *switchSections, value *bound) {
	s.other = &label{name: "default"}
	for _, section := range n.sections {
		for _, l := range section.labels {
			if l.isDefault || l.pattern.constant == nil || l.when != nil {
				continue
			}
			b.try(func() {
				if c := b.caseConstant(l.pattern.constant, value.typ); c != nil {
					s.labels[caseKey(c.value)] = &label{name: "case"}
				}
			})
		}
	}
}

// caseConstant binds the constant of a case; nil if it is none.
func (b *binder) caseConstant(n node, t *netType) *bound {
	c := b.expression(n)
	if c.typeRef != nil || c.typ == nil {
		return nil
	}
	if c.typ.kind != nullKind && t.underlying().prim != primObject && t.kind != interfaceKind && t.kind != dynamicKind {
		c = b.convert(c, t.underlying(), "CS0029")
	}
	if !c.constant {
		return nil
	}
	return c
}

func caseKey(v Value) any {
	if v == nil {
		return structuralKey{"null", ""}
	}
	return keyOf(v)
}

// caseTest binds one case label; key is set for a constant without when.
func (b *binder) caseTest(l switchLabel, value *bound) (func(f *frame, v Value) bool, any) {
	test, v := b.pattern(l.pattern, value)
	if v != nil {
		b.assign(v)
	}
	var key any
	if l.when == nil {
		if l.pattern.constant != nil && l.pattern.variable == "" {
			b.try(func() {
				if c := b.caseConstant(l.pattern.constant, value.typ); c != nil {
					key = caseKey(c.value)
				}
			})
		}
		return test, key
	}
	c := b.condition(l.when)
	yes, _ := b.split(c)
	b.flow = yes
	when := c.eval
	return func(f *frame, x Value) bool { return test(f, x) && when(f).(bool) }, nil
}

// gotoCase binds goto case and goto default.
func (b *binder) gotoCase(n *jumpStatement) statement {
	s := b.function.jumps
	for s != nil && s.sections == nil {
		s = s.outer
	}
	if s == nil {
		b.fail(n, "CS0153", "a goto case is only valid inside a switch statement")
	}
	l := s.sections.other
	if n.kind == "goto case" {
		c := b.caseConstant(n.value, s.sections.typ)
		if c == nil {
			b.fail(n, "CS0150", "a constant value is expected")
		}
		if l = s.sections.labels[caseKey(c.value)]; l == nil {
			b.fail(n, "CS0159", "no such label within the scope of the goto statement")
		}
	}
	return func(f *frame) control { f.label = l; return flowGoto }
}

package expr

// rethrown names the hidden variable that holds what a catch block caught.
const rethrown = "<caught>"

// catcher is a bound catch clause.
type catcher struct {
	typ    *netType
	holder *variable
	named  *variable
	when   evalFunc
	run    statement
}

// tryCatch binds try, catch and finally.
func (b *binder) tryCatch(n *tryStatement) statement {
	before := b.flow.clone()
	body := b.block(n.body)
	after := b.flow
	var catchers []catcher
	for i, c := range n.catches {
		b.flow = before.clone()
		catchers = append(catchers, b.catchClause(n, i, c))
		after = meet(after, b.flow)
	}
	b.flow = after
	var finally statement
	if n.finally != nil {
		b.flow = before.clone()
		fn := b.function
		outer, labels := fn.jumps, fn.labels
		finally = b.block(n.finally)
		fn.jumps, fn.labels = outer, labels
		// What finally assigns is assigned afterwards, on top of what the ways into it share.
		b.flow = join(after, b.flow)
	}
	guarded := func(f *frame) control {
		if len(catchers) == 0 {
			return body(f)
		}
		return f.catching(body, catchers)
	}
	if finally == nil {
		return guarded
	}
	return func(f *frame) (result control) {
		m := f.m
		depth, stack := m.depth, len(m.stack)
		finished := false
		defer func() {
			if finished {
				return
			}
			r := recover()
			if limit, ok := r.(*LimitError); ok {
				panic(limit)
			}
			e := exceptionOf(r)
			m.depth, m.stack = depth, m.stack[:stack]
			switch c := finally(f); c {
			case flowNext:
				panic(e)
			default:
				result = c
			}
		}()
		result = guarded(f)
		finished = true
		returned, target := f.result, f.label
		if c := finally(f); c != flowNext {
			return c
		}
		f.result, f.label = returned, target
		return result
	}
}

// catchClause binds one catch.
func (b *binder) catchClause(n *tryStatement, i int, c catchClause) catcher {
	t := b.env.exception
	if c.typ != nil {
		t = b.resolveSyntax(c.typ)
		if !b.env.referenceConvertible(t, b.env.exception) {
			b.fail(c, "CS0155", "the type caught or thrown must be derived from System.Exception")
		}
	}
	for _, earlier := range n.catches[:i] {
		if earlier.when != nil {
			continue
		}
		if earlier.typ == nil {
			b.fail(c, "CS1017", "catch clauses cannot follow the general catch clause of a try statement")
		}
		if b.env.referenceConvertible(t, b.resolveSyntax(earlier.typ)) {
			b.fail(c, "CS0160", "a previous catch clause already catches all exceptions of this or of a super type")
		}
	}
	defer b.open()()
	out := catcher{typ: t}
	out.holder = b.temporary(t)
	b.scope.names[rethrown] = out.holder
	b.assign(out.holder)
	if c.name != "" {
		out.named = b.declare(c, c.name, t)
		b.assign(out.named)
	}
	if c.when != nil {
		w := b.condition(c.when)
		yes, _ := b.split(w)
		b.flow = yes
		out.when = w.eval
	}
	out.run = b.block(c.block)
	return out
}

// catching runs body and, if an exception comes out, the first catch clause that takes it.
func (f *frame) catching(body statement, catchers []catcher) control {
	result, caught := f.attempt(body)
	if caught == nil {
		return result
	}
	for _, c := range catchers {
		if !f.m.env.referenceConvertible(f.m.env.exceptionType(caught.Type), c.typ) {
			continue
		}
		f.declareIn(c.holder, caught)
		if c.named != nil {
			f.declareIn(c.named, caught)
		}
		if c.when != nil && !f.filter(c.when) {
			continue
		}
		return c.run(f)
	}
	panic(caught)
}

// attempt runs body and returns the exception that ended it.
func (f *frame) attempt(body statement) (result control, caught *Exception) {
	m := f.m
	depth, stack := m.depth, len(m.stack)
	defer func() {
		if r := recover(); r != nil {
			caught = exceptionOf(r)
			m.depth, m.stack = depth, m.stack[:stack]
			m.step(1)
		}
	}()
	return body(f), nil
}

// filter evaluates a when clause; an exception within it counts as false.
func (f *frame) filter(when evalFunc) bool {
	yes := false
	_, failed := f.attempt(func(f *frame) control {
		yes = when(f).(bool)
		return flowNext
	})
	return failed == nil && yes
}

// using binds using (…) body. What it would dispose of holds nothing here, so only the scope and the null check remain.
func (b *binder) using(n *usingStatement) statement {
	defer b.open()()
	var start statement
	var t *netType
	if n.local != nil {
		start = b.localVariables(n.local)
		for _, v := range n.local.variables {
			x := b.find(v.name)
			x.readOnly = "CS1656: cannot assign to '" + v.name + "' because it is a 'using variable'"
			t = x.typ
		}
	} else {
		x := b.operand(n.value)
		t = x.typ
		eval := x.eval
		start = func(f *frame) control { eval(f); return flowNext }
	}
	if !b.env.referenceConvertible(t, b.env.named("IDisposable")) && t.kind != dynamicKind {
		b.fail(n, "CS1674", "'%s': type used in a using statement must be implicitly convertible to 'System.IDisposable'", t)
	}
	body := b.scoped(n.body)
	return func(f *frame) control {
		start(f)
		return body(f)
	}
}

package expr

// inference finds the type arguments of a generic method (C# specification, "Type inference").
type inference struct {
	b        *binder
	generics []*netType
	bounds   [][]*netType
	exact    []bool // whether a bound allows no conversion
	fixed    []*netType
}

// infer returns the type arguments of r's method, or nil.
func (b *binder) infer(r *resolution, args []*argument) ([]*netType, overloadFailure) {
	generics := r.method.generics
	w := &inference{b: b, generics: generics, bounds: make([][]*netType, len(generics)), exact: make([]bool, len(generics)), fixed: make([]*netType, len(generics))}
	type delayed struct {
		argument *argument
		typ      *netType
	}
	var functions []delayed
	for i := range r.parameterTypes {
		for at, t := range r.argumentsOf(i, len(args)) {
			a := args[at]
			switch {
			case a.bound.lambda != nil || a.bound.group != nil:
				functions = append(functions, delayed{a, t})
				if a.bound.lambda != nil {
					w.explicitParameters(a.bound.lambda, t)
				}
			case a.implicitOut():
			case a.bound.tuple != nil && a.bound.typ == nil:
				for j, e := range a.bound.elements {
					if t.kind == tupleKind && j < len(t.arguments) && e.typ != nil {
						w.lower(t.arguments[j], e.typ)
					}
				}
				if t.kind == parameterKind {
					w.lower(t, b.tupleValue(a.bound).typ)
				}
			case a.bound.typ != nil && a.bound.typ.kind != nullKind:
				if a.mode != "" {
					w.same(t, a.bound.typ)
				} else {
					w.lower(t, a.bound.typ)
				}
			}
		}
	}
	failure := overloadFailure{code: "CS0411"}
	for len(functions) > 0 {
		progress := false
		for i := 0; i < len(functions); i++ {
			f := functions[i]
			if f.typ.kind != delegateKind {
				functions = append(functions[:i], functions[i+1:]...)
				progress = true
				break
			}
			inputs, ok := w.inputs(f.typ)
			if !ok {
				continue
			}
			var result *netType
			b.lambdaErr = nil
			if f.argument.bound.lambda != nil {
				if len(inputs) != len(f.argument.bound.lambda.parameters) {
					return nil, overloadFailure{code: "CS1503"}
				}
				result = b.lambdaReturns(f.argument.bound.lambda, inputs)
			} else {
				result = b.groupReturns(f.argument.bound.group, inputs)
			}
			if result == nil {
				failure.lambda = b.lambdaErr
				if f.typ.def.invoke.result.kind != voidKind {
					failure.code = "CS0411"
					return nil, failure
				}
			} else if result.kind != nullKind && result.kind != voidKind {
				w.lower(f.typ.within(f.typ.def.invoke.result), result)
			}
			functions = append(functions[:i], functions[i+1:]...)
			progress = true
			break
		}
		if !progress {
			return nil, failure
		}
	}
	for i := range generics {
		if w.fix(i) == nil {
			return nil, failure
		}
	}
	return w.fixed, overloadFailure{}
}

func (w *inference) indexOf(t *netType) int {
	for i, g := range w.generics {
		if g == t {
			return i
		}
	}
	return -1
}

// explicitParameters takes the types that a lambda writes for its parameters.
func (w *inference) explicitParameters(l *lambdaNode, t *netType) {
	if t.kind != delegateKind || len(l.parameters) != len(t.def.invoke.parameters) {
		return
	}
	for i, p := range l.parameters {
		if p.typ != nil {
			w.same(t.within(t.def.invoke.parameters[i].typ), w.b.resolveSyntax(p.typ))
		}
	}
}

// inputs fixes what a delegate's parameter types mention and returns them.
func (w *inference) inputs(t *netType) ([]*netType, bool) {
	var list []*netType
	for _, p := range t.def.invoke.parameters {
		x := t.within(p.typ)
		for i, g := range w.generics {
			if x.mentions(func(y *netType) bool { return y == g }) && w.fix(i) == nil {
				return nil, false
			}
		}
		list = append(list, substitute(x, w.generics, w.fixed))
	}
	return list, true
}

// fix chooses the type that all bounds of a type parameter convert to.
func (w *inference) fix(i int) *netType {
	if w.fixed[i] != nil {
		return w.fixed[i]
	}
	for _, c := range w.bounds[i] {
		all := true
		for _, o := range w.bounds[i] {
			if _, ok := w.b.env.implicitConversion(o, c); !ok {
				all = false
				break
			}
		}
		if all {
			w.fixed[i] = c
			return c
		}
	}
	return nil
}

func (w *inference) add(i int, t *netType) {
	for _, o := range w.bounds[i] {
		if sameType(o, t) {
			return
		}
	}
	w.bounds[i] = append(w.bounds[i], t)
}

// lower infers from a value of type a for a parameter of type p.
func (w *inference) lower(p, a *netType) {
	if i := w.indexOf(p); i >= 0 {
		if w.fixed[i] == nil {
			w.add(i, a)
		}
		return
	}
	if len(p.arguments) == 0 {
		return
	}
	switch {
	case p.kind == nullableKind:
		w.lower(p.arguments[0], a.underlying())
		return
	case p.kind == arrayKind:
		if a.kind == arrayKind {
			if a.element().isReference() {
				w.lower(p.element(), a.element())
			} else {
				w.same(p.element(), a.element())
			}
		}
		return
	}
	instance, ambiguous := a.asInstanceOf(p.def)
	if instance == nil || ambiguous {
		return
	}
	for i, x := range instance.arguments {
		variance := byte(' ')
		if i < len(p.def.variance) {
			variance = p.def.variance[i]
		}
		switch {
		case variance == '+' && x.isReference():
			w.lower(p.arguments[i], x)
		default:
			w.same(p.arguments[i], x)
		}
	}
}

// same infers from a type that must be met exactly.
func (w *inference) same(p, a *netType) {
	if i := w.indexOf(p); i >= 0 {
		if w.fixed[i] == nil {
			w.add(i, a)
		}
		return
	}
	if p.def == a.def {
		for i := range p.arguments {
			w.same(p.arguments[i], a.arguments[i])
		}
	}
}

package expr

// A dynamic operation is bound when it runs, by the same binder, with the run-time types of its operands.

// runtimeBinder is a binder of the operands of a dynamic operation.
func (m *machine) runtimeBinder() *binder {
	m.step(20)
	return newBinder(m.env, "")
}

// operandOf makes a bound value of a run-time value.
func (m *machine) operandOf(v Value) *bound {
	x := &bound{eval: func(*frame) Value { return v }}
	if v == nil {
		x.typ = m.env.null
	} else {
		x.typ = m.env.typeOf(v)
	}
	return x
}

// runBound binds and runs a dynamic operation; a compile error becomes the exception that C#'s run-time binder throws.
func (m *machine) runBound(bind func(b *binder) *bound) (result Value) {
	b := m.runtimeBinder()
	var x *bound
	func() {
		defer func() {
			if r := recover(); r != nil {
				err, ok := r.(*CompileError)
				if !ok {
					panic(r)
				}
				throwFull("Microsoft.CSharp.RuntimeBinder.RuntimeBinderException", err.Message)
			}
		}()
		x = b.value(bind(b))
	}()
	f := &frame{m: m}
	f.reserve(b.function.slots)
	return x.eval(f)
}

// dynamicConvert converts a dynamic value implicitly.
func (m *machine) dynamicConvert(v Value, to *netType) Value {
	if v == nil || m.env.isInstance(v, to) {
		return m.cast(v, to)
	}
	if d, ok := v.(*jValue); ok && to.prim != noPrimitive {
		// A JSON value converts to what it holds.
		return m.runBound(func(b *binder) *bound {
			x := m.operandOf(d)
			apply, ok := b.env.explicitConversion(x.typ, to, false)
			if !ok {
				b.conversionError(x, to, "CS0029")
			}
			return b.converted(x, to, apply)
		})
	}
	return m.runBound(func(b *binder) *bound { return b.convert(m.operandOf(v), to, "CS0029") })
}

// unwrapDynamic gives the value within a JSON value, with which dynamic operators compute.
func unwrapDynamic(v Value) Value {
	if j, ok := v.(*jValue); ok {
		return j.value
	}
	return v
}

func (b *binder) dynamicUnary(n interface{ at() int }, op string, x *bound) *bound {
	eval := x.eval
	return &bound{place: place(n.at()), typ: b.env.dynamic, eval: func(f *frame) Value {
		v := unwrapDynamic(eval(f))
		return f.m.runBound(func(b *binder) *bound {
			b.receivers = append(b.receivers, f.m.operandOf(v))
			return b.unary(&unaryNode{op: op, operand: &receiverNode{}})
		})
	}}
}

func (b *binder) dynamicBinary(n interface{ at() int }, op string, x, y *bound) *bound {
	left, right := x.eval, y.eval
	return &bound{place: place(n.at()), typ: b.env.dynamic, eval: func(f *frame) Value {
		u, w := left(f), right(f)
		if op != "==" && op != "!=" || u != nil && w != nil {
			u, w = unwrapDynamic(u), unwrapDynamic(w)
		}
		return f.m.runBound(func(b *binder) *bound { return b.binaryOf(place(0), op, f.m.operandOf(u), f.m.operandOf(w)) })
	}}
}

// dynamicMember binds d.Name: a member of a JSON object, else a property of the run-time type.
func (b *binder) dynamicMember(n *memberNode, target *bound) *bound {
	name := n.name
	load := receiver(target)
	x := &bound{place: n.place, typ: b.env.dynamic, eval: func(f *frame) Value {
		v := load(f)
		if o, ok := v.(*jObject); ok {
			return tokenOrNil(o.get(name))
		}
		return f.m.runBound(func(b *binder) *bound { return b.memberOf(&memberNode{name: name}, f.m.operandOf(v), false) })
	}}
	x.location = &location{
		prepare: func(f *frame) (Value, Value) { return load(f), nil },
		load: func(f *frame, a, _ Value) Value {
			if o, ok := a.(*jObject); ok {
				return tokenOrNil(o.get(name))
			}
			return f.m.runBound(func(b *binder) *bound { return b.memberOf(&memberNode{name: name}, f.m.operandOf(a), false) })
		},
		store: func(f *frame, a, _, v Value) {
			o, ok := a.(*jObject)
			if !ok {
				throwFull("Microsoft.CSharp.RuntimeBinder.RuntimeBinderException", "'"+name+"' cannot be assigned to")
			}
			o.set(f.m, name, f.m.tokenFor(v))
		},
	}
	return x
}

// dynamicIndex binds d[i].
func (b *binder) dynamicIndex(n *indexNode, target *bound, args []*argument) *bound {
	if len(args) != 1 {
		b.fail(n, "", "an indexer takes one argument here")
	}
	key := b.value(args[0].bound).eval
	load := receiver(target)
	bind := func(b *binder, m *machine, a, k Value) *bound {
		return b.indexOf(place(0), m.operandOf(a), []*argument{{bound: m.operandOf(k)}})
	}
	at := func(m *machine, a, k Value) Value {
		return m.runBound(func(b *binder) *bound { return bind(b, m, a, k) })
	}
	x := &bound{place: n.place, typ: b.env.dynamic, eval: func(f *frame) Value {
		a := load(f)
		return at(f.m, a, unwrapDynamic(key(f)))
	}}
	x.location = &location{
		prepare: func(f *frame) (Value, Value) {
			a := load(f)
			return a, unwrapDynamic(key(f))
		},
		load: func(f *frame, a, k Value) Value { return at(f.m, a, k) },
		store: func(f *frame, a, k, v Value) {
			f.m.runBound(func(b *binder) *bound {
				x := bind(b, f.m, a, k)
				if x.location == nil {
					b.fail(place(0), "CS0200", "the indexer is read only")
				}
				value := f.m.operandOf(v)
				if x.typ.name == "JToken" {
					value = f.m.operandOf(f.m.tokenFor(v))
				}
				return &bound{typ: x.typ, eval: b.store(x, b.convert(value, x.typ, "CS0029").eval)}
			})
		},
	}
	return x
}

// dynamicCall binds d.Method(…).
func (b *binder) dynamicCall(n *callNode, m *memberNode, target *bound, args []*argument) *bound {
	load := receiver(target)
	evals := b.dynamicEvals(args)
	return &bound{place: n.place, typ: b.env.dynamic, eval: func(f *frame) Value {
		v := load(f)
		values := f.dynamicValues(evals)
		return f.m.runBound(func(b *binder) *bound {
			x := b.memberOf(&memberNode{name: m.name}, f.m.operandOf(v), true)
			if x.group == nil {
				return b.invokeDelegate(place(0), b.value(x), f.m.dynamicOperands(values, nil))
			}
			return b.callGroup(place(0), x.group, f.m.dynamicOperands(values, nil))
		})
	}}
}

// dynamicArguments binds a call with a dynamic argument: the overload is chosen when it runs.
func (b *binder) dynamicArguments(n *callNode, g *methodGroup, args []*argument) *bound {
	if g.target == nil {
		evals := b.dynamicEvals(args)
		result := b.env.dynamic
		if len(g.candidates) == 1 && len(g.candidates[0].method.generics) == 0 {
			result = g.candidates[0].method.result
		}
		return &bound{place: n.place, typ: result, eval: func(f *frame) Value {
			values := f.dynamicValues(evals)
			return f.m.runBound(func(b *binder) *bound { return b.callGroup(place(0), g, f.m.dynamicOperands(values, args)) })
		}}
	}
	load := receiver(g.target)
	evals := b.dynamicEvals(args)
	static := g.target.typ
	return &bound{place: n.place, typ: b.env.dynamic, eval: func(f *frame) Value {
		v := load(f)
		values := f.dynamicValues(evals)
		return f.m.runBound(func(b *binder) *bound {
			target := f.m.operandOf(v)
			target.typ = static
			inner := *g
			inner.target = target
			return b.callGroup(place(0), &inner, f.m.dynamicOperands(values, args))
		})
	}}
}

func (b *binder) dynamicEvals(args []*argument) []evalFunc {
	var evals []evalFunc
	for _, a := range args {
		if a.mode != "" {
			b.fail(a.node, "", "ref and out arguments of dynamic calls are not supported")
		}
		evals = append(evals, b.value(a.bound).eval)
	}
	return evals
}

func (f *frame) dynamicValues(evals []evalFunc) []Value {
	var values []Value
	for _, eval := range evals {
		values = append(values, eval(f))
	}
	return values
}

// dynamicOperands gives dynamic arguments their run-time types and the others their static ones.
func (m *machine) dynamicOperands(values []Value, args []*argument) []*argument {
	var list []*argument
	for i, v := range values {
		x := m.operandOf(v)
		if args != nil && args[i].bound.typ.kind != dynamicKind {
			x.typ = args[i].bound.typ
		}
		list = append(list, &argument{bound: x})
	}
	return list
}

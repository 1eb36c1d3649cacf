package expr

import "strings"

// member binds x.Name.
func (b *binder) member(n *memberNode) *bound {
	return b.memberOf(n, b.expression(n.target), false)
}

// memberOf binds a member of a bound target; called says that arguments follow.
func (b *binder) memberOf(n *memberNode, target *bound, called bool) *bound {
	if target.namespace != "" {
		return b.inNamespace(n, target.namespace+"."+n.name)
	}
	var explicit []*netType
	for _, a := range n.arguments {
		explicit = append(explicit, b.resolveSyntax(a))
	}
	if target.typeRef != nil {
		return b.staticMember(n, target.typeRef, explicit)
	}
	target = b.value(target)
	t := target.typ
	switch t.kind {
	case dynamicKind:
		return b.dynamicMember(n, target)
	case voidKind, nullKind:
		b.fail(n, "CS0023", "operator '.' cannot be applied to operand of type '%s'", t)
	case tupleKind, anonymousKind:
		for i, f := range t.fields {
			if f.name == n.name || t.kind == tupleKind && n.name == "Item"+itoa(i+1) {
				return b.fieldOf(n, target, i)
			}
		}
	}
	if p := b.findProperty(t, n.name); p != nil {
		x := b.property(n, target, p)
		// A property that is called does not hide an extension method of its name, unless it holds something to call (C#, "Member lookup").
		if !called || x.typ.kind == delegateKind || x.typ.kind == dynamicKind || !b.extendable(target, n.name) {
			return x
		}
	}
	group := &methodGroup{name: n.name, target: target, owner: t, candidates: b.methodsOf(t, n.name, false), arguments: explicit}
	if len(group.candidates) == 0 && len(b.env.extensions[n.name]) == 0 {
		b.fail(n, "CS1061", "'%s' does not contain a definition for '%s', or policy expressions may not use it", t, n.name)
	}
	if !called && len(group.candidates) == 0 && !b.extendable(target, n.name) {
		b.fail(n, "CS1061", "'%s' does not contain a definition for '%s', or policy expressions may not use it", t, n.name)
	}
	return &bound{place: n.place, group: group}
}

// extendable reports whether some extension method of that name takes x as its first argument.
func (b *binder) extendable(x *bound, name string) bool {
	for _, m := range b.env.extensions[name] {
		first := m.parameters[0].typ
		if len(m.generics) == 0 && b.convertible(x, first) {
			return true
		}
		if len(m.generics) > 0 {
			if i, _ := x.typ.asInstanceOf(first.def); i != nil || first.kind == parameterKind {
				return true
			}
		}
	}
	return false
}

// inNamespace binds a name behind a namespace.
func (b *binder) inNamespace(n *memberNode, full string) *bound {
	syntax := &typeSyntax{place: n.place}
	parts := strings.Split(full, ".")
	for _, p := range parts {
		syntax.parts = append(syntax.parts, namePart{name: p})
	}
	syntax.parts[len(parts)-1].arguments = n.arguments
	if t := b.tryResolve(syntax); t != nil {
		return &bound{place: n.place, typeRef: t}
	}
	if b.env.namespaces[full] {
		return &bound{place: n.place, namespace: full}
	}
	b.fail(n, "CS0234", "the type or namespace name '%s' does not exist, or is not one that policy expressions may use", full)
	return nil
}

// staticMember binds Type.Name.
func (b *binder) staticMember(n *memberNode, t *netType, explicit []*netType) *bound {
	if t.kind == enumKind {
		for i, name := range t.values.names {
			if name == n.name && name != t.values.unnamed {
				return b.constantOf(n, Enum{t, t.values.values[i]})
			}
		}
	}
	for c := t; c != nil; c = c.baseType() {
		for _, m := range c.def.members[n.name] {
			switch {
			case m.kind == constantMember:
				if p := primitiveOf(m.constant); p != noPrimitive {
					return b.constantOf(n, m.constant)
				}
				v := m.constant
				return &bound{place: n.place, typ: c.within(m.result), eval: func(*frame) Value { return v }}
			case m.kind == propertyMember && m.static:
				get := m.getter(c)
				return &bound{place: n.place, typ: c.within(m.result), eval: func(f *frame) Value { return f.m.call(get) }, readOnly: "CS0200: property '" + n.name + "' cannot be assigned to"}
			case m.kind == propertyMember:
				b.fail(n, "CS0120", "an object reference is required for the non-static property '%s'", n.name)
			}
		}
	}
	group := &methodGroup{name: n.name, owner: t, candidates: b.methodsOf(t, n.name, true), arguments: explicit}
	if len(group.candidates) == 0 {
		b.fail(n, "CS0117", "'%s' does not contain a definition for '%s', or policy expressions may not use it", t, n.name)
	}
	return &bound{place: n.place, group: group}
}

// getter is the native code of a property, with the arguments of its owner.
func (m *member) getter(owner *netType) nativeFunc {
	if m.generic != nil {
		return m.generic(owner.arguments)
	}
	return m.native
}

// property candidate: the member and the construction that owns it.
type property struct {
	member *member
	owner  *netType
}

// eachType visits t, its bases and its interfaces.
func eachType(t *netType, object *netType, visit func(*netType) bool) {
	for c := t; c != nil; c = c.baseType() {
		if !visit(c) {
			return
		}
	}
	if !t.eachInterface(visit) {
		return
	}
	if t.kind == interfaceKind || t.kind == parameterKind {
		visit(object)
	}
}

// findProperty looks an instance property up.
func (b *binder) findProperty(t *netType, name string) *property {
	var found *property
	eachType(t, b.env.primitives[primObject], func(c *netType) bool {
		if t.kind != interfaceKind && c.kind == interfaceKind {
			// A class shows what it declares; the library declares on interfaces only what is reached through them.
			return true
		}
		for _, m := range c.def.members[name] {
			if m.kind == propertyMember && !m.static {
				found = &property{m, c}
				return false
			}
		}
		return true
	})
	return found
}

// methodsOf lists the methods of a name, those of the most derived type first.
func (b *binder) methodsOf(t *netType, name string, static bool) []candidate {
	var list []candidate
	eachType(t, b.env.primitives[primObject], func(c *netType) bool {
		if t.kind != interfaceKind && c.kind == interfaceKind {
			return true
		}
		for _, m := range c.def.members[name] {
			if m.kind == methodMember && (m.static == static || static && m.extension) && (static || !m.extension) {
				list = append(list, candidate{m, c})
			}
		}
		return true
	})
	return list
}

// receiver is the code of a target, which must not be null.
func receiver(x *bound) evalFunc {
	eval := x.eval
	if x.typ.isValueType() {
		return eval
	}
	return func(f *frame) Value {
		v := eval(f)
		if v == nil {
			throwNullReference()
		}
		return v
	}
}

// property binds the use of a property of a target.
func (b *binder) property(n interface{ at() int }, target *bound, p *property) *bound {
	get := p.member.getter(p.owner)
	load := receiver(target)
	x := &bound{place: place(n.at()), typ: p.owner.within(p.member.result)}
	x.eval = func(f *frame) Value { return f.m.call(get, load(f)) }
	set := p.member.setter
	if p.member.genericSet != nil {
		set = p.member.genericSet(p.owner.arguments)
	}
	if set == nil {
		x.readOnly = "CS0200: property '" + p.member.name + "' cannot be assigned to, it is read only"
		return x
	}
	x.location = &location{
		prepare: func(f *frame) (Value, Value) { return load(f), nil },
		load:    func(f *frame, a, _ Value) Value { return f.m.call(get, a) },
		store:   func(f *frame, a, _, v Value) { f.m.call(set, a, v) },
	}
	return x
}

// fieldOf binds a field of a tuple or an anonymous object.
func (b *binder) fieldOf(n interface{ at() int }, target *bound, i int) *bound {
	x := &bound{place: place(n.at()), typ: target.typ.fields[i].typ}
	load := receiver(target)
	if target.typ.kind == anonymousKind {
		x.eval = func(f *frame) Value { return load(f).(*anonymousValue).values[i] }
		x.readOnly = "CS0200: a property of an anonymous type cannot be assigned to"
		return x
	}
	x.eval = func(f *frame) Value { return load(f).(*tupleValue).values[i] }
	if target.location != nil {
		// Tuples are values: an assignment to a field replaces the tuple.
		outer := target.location
		x.location = &location{
			prepare: outer.prepare,
			load:    func(f *frame, a, c Value) Value { return outer.load(f, a, c).(*tupleValue).values[i] },
			store: func(f *frame, a, c, v Value) {
				old := outer.load(f, a, c).(*tupleValue)
				next := &tupleValue{typ: old.typ, values: append([]Value(nil), old.values...)}
				next.values[i] = v
				next.depth = f.m.structure(next.values)
				outer.store(f, a, c, next)
			},
		}
	}
	return x
}

// index binds x[i].
func (b *binder) index(n *indexNode) *bound {
	target := b.operand(n.target)
	args := b.arguments(n.arguments)
	if target.typ.kind == dynamicKind {
		return b.dynamicIndex(n, target, args)
	}
	return b.indexOf(n, target, args)
}

// indexOf binds the element of a bound target.
func (b *binder) indexOf(n interface{ at() int }, target *bound, args []*argument) *bound {
	if target.typ.kind == arrayKind {
		return b.arrayIndex(n, target, args)
	}
	var candidates []candidate
	eachType(target.typ, b.env.primitives[primObject], func(c *netType) bool {
		if target.typ.kind != interfaceKind && c.kind == interfaceKind {
			return true
		}
		for _, m := range c.def.indexers {
			candidates = append(candidates, candidate{m, c})
		}
		return true
	})
	if candidates == nil {
		b.fail(n, "CS0021", "cannot apply indexing with [] to an expression of type '%s'", target.typ)
	}
	best, why := b.resolveOverload(candidates, args, nil)
	if best == nil {
		b.overloadError(n, "this", candidates, args, why)
	}
	if len(args) != 1 {
		b.fail(n, "", "an indexer takes one argument here")
	}
	key := b.convert(args[0].bound, best.parameterTypes[0], "CS1503").eval
	load := receiver(target)
	get := best.method.getter(best.owner)
	x := &bound{place: place(n.at()), typ: best.result}
	x.eval = func(f *frame) Value {
		a := load(f)
		return f.m.call(get, a, key(f))
	}
	set := best.method.setter
	if best.method.genericSet != nil {
		set = best.method.genericSet(best.owner.arguments)
	}
	if set == nil {
		x.readOnly = "CS0200: the indexer of '" + target.typ.String() + "' cannot be assigned to, it is read only"
		return x
	}
	x.location = &location{
		prepare: func(f *frame) (Value, Value) {
			a := load(f)
			return a, key(f)
		},
		load:  func(f *frame, a, c Value) Value { return f.m.call(get, a, c) },
		store: func(f *frame, a, c, v Value) { f.m.call(set, a, c, v) },
	}
	return x
}

// arrayIndex binds the element of an array.
func (b *binder) arrayIndex(n interface{ at() int }, target *bound, args []*argument) *bound {
	if len(args) != 1 {
		b.fail(n, "CS0022", "wrong number of indices inside []; expected 1")
	}
	index := args[0].bound
	var key evalFunc
	for _, p := range []primitive{primInt, primLong} {
		if b.convertible(index, b.env.primitives[p]) {
			eval := b.convert(index, b.env.primitives[p], "CS0029").eval
			key = eval
			break
		}
	}
	if key == nil {
		b.convert(index, b.env.primitives[primInt], "CS0029")
	}
	at := func(a, i Value) (arrayValue, int) {
		array := a.(arrayValue)
		k, _, _ := wholeNumber(i)
		if k < 0 || k >= int64(array.length()) {
			throwIndexOutOfRange()
		}
		return array, int(k)
	}
	load := receiver(target)
	element := target.typ.element()
	x := &bound{place: place(n.at()), typ: element}
	x.eval = func(f *frame) Value {
		a := load(f)
		array, i := at(a, key(f))
		return array.get(i)
	}
	x.location = &location{
		prepare: func(f *frame) (Value, Value) {
			a := load(f)
			return a, key(f)
		},
		load: func(_ *frame, a, c Value) Value {
			array, i := at(a, c)
			return array.get(i)
		},
		store: func(f *frame, a, c, v Value) {
			array, i := at(a, c)
			if held := array.elementType(f.m.env); v != nil && held.isReference() && !sameType(held, element) && !f.m.env.isInstance(v, held) {
				throw("ArrayTypeMismatchException", "Attempted to access an element as a type incompatible with the array.")
			}
			array.set(i, v)
		},
	}
	return x
}

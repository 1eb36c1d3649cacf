package expr

// resolution is the method that a call means, with everything inferred.
type resolution struct {
	method         *member
	owner          *netType
	typeArguments  []*netType
	parameterTypes []*netType
	result         *netType
	mapping        []int // for each parameter the index of its argument, or -1
	expanded       bool  // the last parameter is given as separate arguments
	defaults       int
}

// overloadFailure is the most telling reason why no candidate fits.
type overloadFailure struct {
	code   string
	lambda *CompileError
}

// resolveOverload picks the best applicable candidate (C# specification, "Overload resolution").
func (b *binder) resolveOverload(candidates []candidate, args []*argument, explicit []*netType) (*resolution, overloadFailure) {
	var applicable []*resolution
	var failure overloadFailure
	for _, c := range candidates {
		if len(explicit) > 0 && len(explicit) != len(c.method.generics) {
			continue
		}
		for _, expanded := range []bool{false, true} {
			r, why := b.applicable(c, args, explicit, expanded)
			if r != nil {
				applicable = append(applicable, r)
				break
			}
			failure.note(why)
		}
	}
	if len(applicable) == 0 {
		return nil, failure
	}
	// A method of a derived type hides those of its bases that also apply.
	best := applicable[0]
	for _, r := range applicable[1:] {
		if b.betterMethod(r, best, args) > 0 {
			best = r
		}
	}
	for _, r := range applicable {
		if r != best && b.betterMethod(best, r, args) <= 0 && !sameOwnerChain(best, r) {
			return nil, overloadFailure{code: "CS0121"}
		}
	}
	return best, failure
}

// sameOwnerChain reports whether two methods come from different types of one hierarchy, of which the first found wins.
func sameOwnerChain(a, c *resolution) bool { return a.owner.def != c.owner.def }

// note keeps the reason that says most.
func (w *overloadFailure) note(next overloadFailure) {
	rank := map[string]int{"": 0, "CS1501": 1, "CS0411": 2, "CS1503": 3}
	if next.lambda != nil {
		w.lambda = next.lambda
	}
	if rank[next.code] > rank[w.code] {
		w.code = next.code
	}
}

// applicable tests one candidate in its normal or its expanded form.
func (b *binder) applicable(c candidate, args []*argument, explicit []*netType, expanded bool) (*resolution, overloadFailure) {
	m := c.method
	last := len(m.parameters) - 1
	if expanded && (last < 0 || !m.parameters[last].array) {
		return nil, overloadFailure{}
	}
	r := &resolution{method: m, owner: c.owner, expanded: expanded}
	if !b.mapArguments(r, args) {
		return nil, overloadFailure{code: "CS1501"}
	}
	for i, p := range m.parameters {
		if at := r.mapping[i]; at >= 0 && !(expanded && i == last) {
			mode := args[at].mode
			if p.out != (mode == "out") || p.ref != (mode == "ref") {
				return nil, overloadFailure{code: "CS1503"}
			}
		}
	}
	for _, p := range m.parameters {
		r.parameterTypes = append(r.parameterTypes, c.owner.within(p.typ))
	}
	r.result = c.owner.within(m.result)
	if len(m.generics) > 0 {
		if explicit != nil {
			r.typeArguments = explicit
		} else {
			var why overloadFailure
			r.typeArguments, why = b.infer(r, args)
			if r.typeArguments == nil {
				return nil, why
			}
		}
		for i, t := range r.parameterTypes {
			r.parameterTypes[i] = substitute(t, m.generics, r.typeArguments)
		}
		r.result = substitute(r.result, m.generics, r.typeArguments)
	}
	for i := range m.parameters {
		for at, t := range r.argumentsOf(i, len(args)) {
			a := args[at]
			if a.implicitOut() {
				continue
			}
			if a.mode != "" {
				if !sameType(a.bound.typ, t) {
					return nil, overloadFailure{code: "CS1503"}
				}
				continue
			}
			b.lambdaErr = nil
			if !b.convertible(a.bound, t) {
				return nil, overloadFailure{code: "CS1503", lambda: b.lambdaErr}
			}
		}
	}
	return r, overloadFailure{}
}

// mapArguments finds the argument of each parameter by position and name.
func (b *binder) mapArguments(r *resolution, args []*argument) bool {
	m := r.method
	r.mapping = make([]int, len(m.parameters))
	for i := range r.mapping {
		r.mapping[i] = -1
	}
	last := len(m.parameters) - 1
	for i, a := range args {
		if a.name != "" {
			found := false
			for j, p := range m.parameters {
				if p.name == a.name && r.mapping[j] < 0 {
					r.mapping[j], found = i, true
					break
				}
			}
			if !found {
				return false
			}
			continue
		}
		if i > last || r.expanded && i >= last {
			if !r.expanded {
				return false
			}
			if r.mapping[last] < 0 {
				r.mapping[last] = i
			}
			continue
		}
		if r.mapping[i] >= 0 {
			return false
		}
		r.mapping[i] = i
	}
	for i, p := range m.parameters {
		if r.mapping[i] < 0 {
			if r.expanded && i == last {
				continue
			}
			if !p.optional {
				return false
			}
			r.defaults++
		}
	}
	return true
}

// argumentsOf yields the arguments that parameter i takes, each with the type it must convert to.
func (r *resolution) argumentsOf(i, count int) func(yield func(int, *netType) bool) {
	return func(yield func(int, *netType) bool) {
		at := r.mapping[i]
		if at < 0 {
			return
		}
		if r.expanded && i == len(r.parameterTypes)-1 {
			for ; at < count; at++ {
				if !yield(at, r.parameterTypes[i].element()) {
					return
				}
			}
			return
		}
		yield(at, r.parameterTypes[i])
	}
}

// targetOf is the type that argument i converts to in r.
func (r *resolution) targetOf(i, count int) *netType {
	for p := range r.parameterTypes {
		for at, t := range r.argumentsOf(p, count) {
			if at == i {
				return t
			}
		}
	}
	return nil
}

// betterMethod is positive where a is better than c, negative where c is, and 0 where neither is.
func (b *binder) betterMethod(a, c *resolution, args []*argument) int {
	better, worse := false, false
	same := true
	for i, x := range args {
		t, u := a.targetOf(i, len(args)), c.targetOf(i, len(args))
		if t == nil || u == nil {
			continue
		}
		if !sameType(t, u) {
			same = false
		}
		switch n := b.betterConversion(x, t, u); {
		case n > 0:
			better = true
		case n < 0:
			worse = true
		}
	}
	if better != worse {
		if better {
			return 1
		}
		return -1
	}
	if better {
		return 0
	}
	if !same && a.owner.def == c.owner.def {
		// Neither is better by its arguments; the rules below ask for equal parameter types, or for more specific ones.
		if n := specificity(a, c, len(args)); n != 0 {
			return n
		}
	}
	tie := func(first, second bool) int {
		switch {
		case first && !second:
			return 1
		case second && !first:
			return -1
		}
		return 0
	}
	if n := tie(len(a.typeArguments) == 0, len(c.typeArguments) == 0); n != 0 {
		return n
	}
	if n := tie(!a.expanded, !c.expanded); n != 0 {
		return n
	}
	if n := tie(a.defaults == 0, c.defaults == 0); n != 0 {
		return n
	}
	if a.expanded && c.expanded {
		if n := len(a.method.parameters) - len(c.method.parameters); n != 0 {
			return n
		}
	}
	return specificity(a, c, len(args))
}

// specificity compares the declared parameter types: one with fewer bare type parameters is more specific.
func specificity(a, c *resolution, count int) int {
	score := func(r *resolution) int {
		n := 0
		for i, p := range r.method.parameters {
			if r.mapping[i] >= 0 {
				n += openness(p.typ)
			}
		}
		return n
	}
	return score(c) - score(a)
}

func openness(t *netType) int {
	if t.kind == parameterKind {
		return 100
	}
	n := 0
	for _, a := range t.arguments {
		n += openness(a) / 2
	}
	return n
}

// betterConversion is positive where converting x to t is better than to u.
func (b *binder) betterConversion(x *argument, t, u *netType) int {
	if sameType(t, u) || x.mode != "" {
		return 0
	}
	if x.bound.lambda != nil || x.bound.group != nil {
		return b.betterDelegate(x.bound, t, u)
	}
	if from := x.bound.typ; from != nil {
		if sameType(from, t) {
			return 1
		}
		if sameType(from, u) {
			return -1
		}
	}
	return b.betterTarget(t, u)
}

// betterTarget compares two types as targets: the one that converts to the other, and signed before unsigned.
func (b *binder) betterTarget(t, u *netType) int {
	_, toU := b.env.implicitConversion(t, u)
	_, toT := b.env.implicitConversion(u, t)
	switch {
	case toU && !toT:
		return 1
	case toT && !toU:
		return -1
	}
	signed := func(p primitive) bool { return p == primSByte || p == primShort || p == primInt || p == primLong }
	unsigned := func(p primitive) bool {
		return p == primByte || p == primUShort || p == primUInt || p == primULong
	}
	switch a, c := t.underlying().prim, u.underlying().prim; {
	case signed(a) && unsigned(c):
		return 1
	case unsigned(a) && signed(c):
		return -1
	}
	return 0
}

// betterDelegate compares two delegate types for a lambda by the types that they return.
func (b *binder) betterDelegate(x *bound, t, u *netType) int {
	if t.kind != delegateKind || u.kind != delegateKind {
		return 0
	}
	p, q := t.def.invoke, u.def.invoke
	if len(p.parameters) != len(q.parameters) {
		return 0
	}
	for i := range p.parameters {
		if !sameType(t.within(p.parameters[i].typ), u.within(q.parameters[i].typ)) {
			return 0
		}
	}
	first, second := t.within(p.result), u.within(q.result)
	switch {
	case sameType(first, second):
		return 0
	case first.kind == voidKind:
		return -1
	case second.kind == voidKind:
		return 1
	}
	var inferred *netType
	if x.lambda != nil {
		inferred = b.lambdaReturns(x.lambda, b.delegateInputs(t))
	} else {
		inferred = b.groupReturns(x.group, b.delegateInputs(t))
	}
	if inferred != nil {
		if sameType(inferred, first) {
			return 1
		}
		if sameType(inferred, second) {
			return -1
		}
	}
	return b.betterTarget(first, second)
}

// delegateInputs are the parameter types of a delegate type.
func (b *binder) delegateInputs(t *netType) []*netType {
	var list []*netType
	for _, p := range t.def.invoke.parameters {
		list = append(list, t.within(p.typ))
	}
	return list
}

package expr

// unary binds a prefix operator.
func (b *binder) unary(n *unaryNode) *bound {
	switch n.op {
	case "++", "--":
		return b.increment(n, n.operand, n.op, false)
	case "-":
		// The literal 2147483648 is an int only behind a minus, and so on for long.
		if l, ok := n.operand.(*literalNode); ok {
			switch v := l.value.(type) {
			case uint32:
				if v == 1<<31 {
					return b.constantOf(n, int32(-1<<31))
				}
			case uint64:
				if v == 1<<63 {
					return b.constantOf(n, int64(-1<<63))
				}
			}
		}
	}
	x := b.operand(n.operand)
	if x.typ.kind == dynamicKind {
		return b.dynamicUnary(n, n.op, x)
	}
	t := x.typ.underlying()
	var apply func(Value) Value
	result := t
	switch n.op {
	case "!":
		if t.prim == primBool {
			apply = func(v Value) Value { return !v.(bool) }
		}
	case "~":
		if t.kind == enumKind {
			apply = func(v Value) Value { return Enum{t, ^v.(Enum).n} }
		} else if t.prim.integral() {
			result = b.env.primitives[promote(t.prim)]
			p := result.prim
			apply = func(v Value) Value {
				w, _, _ := wholeNumber(v)
				return numberFromInt(^w, p)
			}
		}
	case "+", "-":
		if t.prim.numeric() {
			p := promote(t.prim)
			if n.op == "-" && p == primUInt {
				p = primLong
			}
			if n.op == "-" && p == primULong {
				break
			}
			result = b.env.primitives[p]
			if n.op == "+" {
				apply = func(v Value) Value { return convertNumber(v, p, false) }
			} else {
				sub := arithmetic("-", p, b.checked || x.constant && !b.unchecked)
				apply = func(v Value) Value { return negate(convertNumber(v, p, false), p, sub) }
			}
		}
	}
	if apply == nil {
		if m := b.userOperator(n.op, x); m != nil {
			return m
		}
		b.fail(n, "CS0023", "operator '%s' cannot be applied to operand of type '%s'", n.op, x.typ)
	}
	out := &bound{place: n.place, typ: result}
	if n.op == "!" {
		out.whenTrue, out.whenFalse = x.whenFalse, x.whenTrue
	}
	eval := x.eval
	if x.typ.kind == nullableKind {
		out.typ = b.env.nullableOf(result)
		out.eval = func(f *frame) Value {
			v := eval(f)
			if v == nil {
				return nil
			}
			return apply(v)
		}
		return out
	}
	out.eval = func(f *frame) Value { return apply(eval(f)) }
	return b.fold(n, out, x)
}

// negate is -v.
func negate(v Value, p primitive, sub func(a, c Value) Value) Value {
	switch v := v.(type) {
	case float64:
		return -v
	case float32:
		return -v
	case Decimal:
		return v.neg()
	}
	return sub(numberFromInt(0, p), v)
}

// fold computes an operation whose operands are constants.
func (b *binder) fold(n interface{ at() int }, x *bound, operands ...*bound) *bound {
	for _, o := range operands {
		if !o.constant || o.typ.kind == nullKind && x.typ.prim != primString {
			return x
		}
	}
	if x.typ.prim == noPrimitive && x.typ.kind != enumKind || x.typ.prim == primObject {
		return x
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Exception)
			if !ok {
				panic(r)
			}
			if e.Type == "System.DivideByZeroException" {
				b.fail(n, "CS0020", "division by constant zero")
			}
			code := "CS0220"
			if operands[0].typ.prim == primDecimal {
				code = "CS0463"
			}
			b.fail(n, code, "the operation overflows at compile time in checked mode")
		}
	}()
	v := x.eval(nil)
	y := b.constantOf(n, v)
	y.typ = x.typ
	return y
}

// promote is the type in which arithmetic on a narrow type is done.
func promote(p primitive) primitive {
	if p >= primChar && p < primInt {
		return primInt
	}
	return p
}

// promotePair is binary numeric promotion; noPrimitive where the two do not mix.
func promotePair(a, c primitive) primitive {
	either := func(p primitive) bool { return a == p || c == p }
	signed := func(p primitive) bool { return p == primSByte || p == primShort || p == primInt || p == primLong }
	switch {
	case either(primDecimal):
		if either(primFloat) || either(primDouble) {
			return noPrimitive
		}
		return primDecimal
	case either(primDouble):
		return primDouble
	case either(primFloat):
		return primFloat
	case either(primULong):
		if signed(a) || signed(c) {
			return noPrimitive
		}
		return primULong
	case either(primLong):
		return primLong
	case either(primUInt):
		if signed(a) || signed(c) {
			return primLong
		}
		return primUInt
	}
	return primInt
}

// binary binds a binary operator.
func (b *binder) binary(n *binaryNode) *bound {
	switch n.op {
	case "&&", "||":
		return b.logical(n)
	case "??":
		return b.coalesce(n)
	case "nameof":
		b.nameable(n.left)
		return b.constantOf(n, n.right.(*literalNode).value)
	}
	left, right := b.expression(n.left), b.expression(n.right)
	return b.binaryOf(n, n.op, left, right)
}

// nameable binds the operand of nameof, which may be an instance member named by its type.
func (b *binder) nameable(n node) {
	if m, ok := n.(*memberNode); ok {
		target := b.expression(m.target)
		if t := target.typeRef; t != nil && len(t.def.members[m.name]) > 0 {
			return
		}
		b.memberOf(m, target, true)
		return
	}
	if name, ok := n.(*nameNode); ok {
		if v := b.find(name.name); v != nil {
			return
		}
	}
	b.expression(n)
}

// binaryOf applies a binary operator to bound operands.
func (b *binder) binaryOf(n interface{ at() int }, op string, left, right *bound) *bound {
	if left.standard && right.typ != nil {
		left = b.defaultOf(left, right.typ)
	}
	if right.standard && left.typ != nil {
		right = b.defaultOf(right, left.typ)
	}
	x, y := b.value(left), b.value(right)
	if x.typ.kind == voidKind || y.typ.kind == voidKind {
		b.operatorError(n, op, x, y)
	}
	if x.typ.kind == dynamicKind || y.typ.kind == dynamicKind {
		return b.dynamicBinary(n, op, x, y)
	}
	s := b.env.primitives[primString]
	if op == "+" && (x.typ.prim == primString || y.typ.prim == primString) {
		// An operator that a type declares for text, such as that of XNamespace, comes before concatenation.
		if x.typ.prim != primString || y.typ.prim != primString {
			if z := b.userOperator(op, x, y); z != nil {
				return z
			}
		}
		return b.concat(n, s, x, y)
	}
	if op == "<<" || op == ">>" {
		if z := b.shift(n, op, x, y); z != nil {
			return z
		}
		b.operatorError(n, op, x, y)
	}
	if z := b.numericOperator(n, op, x, y); z != nil {
		return z
	}
	if z := b.enumOperator(n, op, x, y); z != nil {
		return z
	}
	if z := b.userOperator(op, x, y); z != nil {
		return z
	}
	if op == "==" || op == "!=" {
		if z := b.equality(n, op, x, y); z != nil {
			return z
		}
	}
	if op == "+" || op == "-" {
		if x.typ.kind == delegateKind && sameType(x.typ, y.typ) {
			b.fail(n, "", "combining delegates is not supported")
		}
	}
	b.operatorError(n, op, x, y)
	return nil
}

func (b *binder) operatorError(n interface{ at() int }, op string, x, y *bound) {
	b.fail(n, "CS0019", "operator '%s' cannot be applied to operands of type '%s' and '%s'", op, x.typ, y.typ)
}

// numericOperator binds an operator on numbers or booleans, lifted over null where an operand is nullable.
func (b *binder) numericOperator(n interface{ at() int }, op string, x, y *bound) *bound {
	a, c := x.typ.underlying(), y.typ.underlying()
	nullA, nullC := x.typ.kind == nullKind, y.typ.kind == nullKind
	if nullA && nullC {
		return nil
	}
	// null takes the type of the other side.
	if nullA && y.typ.isValueType() {
		a = c
	}
	if nullC && x.typ.isValueType() {
		c = a
	}
	lifted := x.typ.kind == nullableKind || y.typ.kind == nullableKind || nullA || nullC
	if a.prim == primBool && c.prim == primBool {
		return b.boolOperator(n, op, x, y, lifted)
	}
	if !a.prim.numeric() || !c.prim.numeric() {
		return nil
	}
	p := promotePair(a.prim, c.prim)
	adapt := func(o *bound, other primitive) {
		if v, large, ok := wholeNumber(o.value); ok && o.constant && o.typ.prim == primInt && (other == primULong || other == primUInt) && v >= 0 && large == 0 {
			p = other
		}
	}
	adapt(x, c.prim)
	adapt(y, a.prim)
	if p == noPrimitive {
		return nil
	}
	t := b.env.primitives[p]
	bitwise := op == "&" || op == "|" || op == "^"
	if bitwise && !p.integral() {
		return nil
	}
	var apply func(u, w Value) Value
	result := t
	if isComparison(op) {
		result = b.env.primitives[primBool]
		apply = comparison(op, p)
	} else {
		apply = arithmetic(op, p, b.checked || x.constant && y.constant && !b.unchecked)
	}
	if apply == nil {
		return nil
	}
	if y.constant && y.value != nil && (op == "/" || op == "%") && (p.integral() || p == primDecimal) {
		if w, large, ok := wholeNumber(y.value); ok && w == 0 && large == 0 || p == primDecimal && decimalOf(y.value).isZero() {
			b.fail(n, "CS0020", "division by constant zero")
		}
	}
	left, right := widen(x, a.prim, p), widen(y, c.prim, p)
	out := &bound{place: place(n.at()), typ: result}
	if !lifted {
		out.eval = func(f *frame) Value {
			u := left(f)
			return apply(u, right(f))
		}
		return b.fold(n, out, x, y)
	}
	return b.lift(out, op, left, right, apply)
}

// lift makes an operator work on nullable operands.
func (b *binder) lift(out *bound, op string, left, right evalFunc, apply func(u, w Value) Value) *bound {
	if isComparison(op) {
		out.eval = func(f *frame) Value {
			u := left(f)
			w := right(f)
			if u == nil || w == nil {
				switch op {
				case "==":
					return u == nil && w == nil
				case "!=":
					return (u == nil) != (w == nil)
				}
				return false
			}
			return apply(u, w)
		}
		return out
	}
	out.typ = b.env.nullableOf(out.typ)
	out.eval = func(f *frame) Value {
		u := left(f)
		w := right(f)
		if u == nil || w == nil {
			return nil
		}
		return apply(u, w)
	}
	return out
}

// widen converts an operand to the type of the operation.
func widen(x *bound, from, to primitive) evalFunc {
	eval := x.eval
	if from == to || x.typ.kind == nullKind {
		return eval
	}
	return func(f *frame) Value {
		v := eval(f)
		if v == nil {
			return nil
		}
		return convertNumber(v, to, false)
	}
}

func isComparison(op string) bool {
	switch op {
	case "==", "!=", "<", ">", "<=", ">=":
		return true
	}
	return false
}

// boolOperator binds &, |, ^, == and != on booleans; & and | of null follow three-valued logic.
func (b *binder) boolOperator(n interface{ at() int }, op string, x, y *bound, lifted bool) *bound {
	var apply func(u, w bool) bool
	switch op {
	case "==":
		apply = func(u, w bool) bool { return u == w }
	case "!=", "^":
		apply = func(u, w bool) bool { return u != w }
	case "&":
		apply = func(u, w bool) bool { return u && w }
	case "|":
		apply = func(u, w bool) bool { return u || w }
	default:
		return nil
	}
	left, right := x.eval, y.eval
	out := &bound{place: place(n.at()), typ: b.env.primitives[primBool]}
	if !lifted {
		out.eval = func(f *frame) Value {
			u := left(f).(bool)
			return apply(u, right(f).(bool))
		}
		return b.fold(n, out, x, y)
	}
	values := func(u, w Value) Value { return apply(u.(bool), w.(bool)) }
	if op != "&" && op != "|" {
		return b.lift(out, op, left, right, values)
	}
	out.typ = b.env.nullableOf(out.typ)
	decisive := op == "|"
	out.eval = func(f *frame) Value {
		u := left(f)
		w := right(f)
		if u == decisive || w == decisive {
			return decisive
		}
		if u == nil || w == nil {
			return nil
		}
		return values(u, w)
	}
	return out
}

// shift binds << and >>.
func (b *binder) shift(n interface{ at() int }, op string, x, y *bound) *bound {
	a, c := x.typ.underlying(), y.typ.underlying()
	if !a.prim.integral() || !(c.prim == primInt || widens(c.prim, primInt)) {
		return nil
	}
	p := promote(a.prim)
	left, right := widen(x, a.prim, p), widen(y, c.prim, primInt)
	apply := func(u, w Value) Value { return shiftNumber(op, u, intOf(w)) }
	out := &bound{place: place(n.at()), typ: b.env.primitives[p]}
	if x.typ.kind == nullableKind || y.typ.kind == nullableKind {
		return b.lift(out, op, left, right, apply)
	}
	out.eval = func(f *frame) Value {
		u := left(f)
		return apply(u, right(f))
	}
	return b.fold(n, out, x, y)
}

// enumOperator binds comparisons and bit operators of one enum, and enum ± number.
func (b *binder) enumOperator(n interface{ at() int }, op string, x, y *bound) *bound {
	a, c := x.typ.underlying(), y.typ.underlying()
	if a.kind != enumKind && c.kind != enumKind {
		return nil
	}
	t := a
	if a.kind != enumKind {
		t = c
	}
	unwrap := func(o *bound, ot *netType) (evalFunc, bool) {
		if sameType(ot, t) || o.typ.kind == nullKind {
			return o.eval, true
		}
		if v, ok := b.constantConversion(o, t); ok {
			return func(*frame) Value { return v }, true
		}
		return nil, false
	}
	left, okLeft := unwrap(x, a)
	right, okRight := unwrap(y, c)
	out := &bound{place: place(n.at()), typ: t}
	var apply func(u, w Value) Value
	switch {
	case okLeft && okRight && isComparison(op):
		out.typ = b.env.primitives[primBool]
		compare := comparison(op, primLong)
		apply = func(u, w Value) Value { return compare(u.(Enum).n, w.(Enum).n) }
	case okLeft && okRight && (op == "|" || op == "&" || op == "^"):
		bits := arithmetic(op, primLong, false)
		apply = func(u, w Value) Value { return Enum{t, bits(u.(Enum).n, w.(Enum).n).(int64)} }
	case okLeft && okRight && op == "-":
		out.typ = b.env.primitives[primInt]
		apply = func(u, w Value) Value { return int32(u.(Enum).n - w.(Enum).n) }
	case (op == "+" || op == "-" && okLeft) && (a.prim.integral() || c.prim.integral()):
		left, right = x.eval, y.eval
		number := func(v Value) int64 {
			if e, ok := v.(Enum); ok {
				return e.n
			}
			w, _, _ := wholeNumber(v)
			return w
		}
		apply = func(u, w Value) Value {
			if op == "-" {
				return Enum{t, number(u) - number(w)}
			}
			return Enum{t, number(u) + number(w)}
		}
	default:
		return nil
	}
	if x.typ.kind == nullableKind || y.typ.kind == nullableKind || x.typ.kind == nullKind || y.typ.kind == nullKind {
		return b.lift(out, op, left, right, apply)
	}
	out.eval = func(f *frame) Value {
		u := left(f)
		return apply(u, right(f))
	}
	return b.fold(n, out, x, y)
}

// concat binds string +; a chain of them is put together once.
func (b *binder) concat(n interface{ at() int }, s *netType, x, y *bound) *bound {
	left, right := x.eval, y.eval
	out := &bound{place: place(n.at()), typ: s}
	out.eval = func(f *frame) Value {
		u := left(f)
		w := right(f)
		if f == nil {
			return joinText(plainText(u), plainText(w))
		}
		return f.m.concat(f.m.text(u), f.m.text(w))
	}
	if x.constant && y.constant && constantText(x.typ) && constantText(y.typ) {
		return b.fold(n, out, x, y)
	}
	return out
}

// constantText tells which constants may be joined when compiling; C# folds strings and null, and chars here give the same text.
func constantText(t *netType) bool {
	return t.prim == primString || t.kind == nullKind
}

// logical binds && and ||.
func (b *binder) logical(n *binaryNode) *bound {
	boolean := b.env.primitives[primBool]
	left := b.expression(n.left)
	if left.typ != nil && left.typ.kind == dynamicKind {
		left = b.convert(left, boolean, "CS0029")
	}
	if b.value(left).typ.prim != primBool {
		right := b.operand(n.right)
		b.operatorError(n, n.op, b.value(left), right)
	}
	yes, no := b.split(left)
	and := n.op == "&&"
	if and {
		b.flow = yes.clone()
	} else {
		b.flow = no.clone()
	}
	right := b.expression(n.right)
	if right.typ != nil && right.typ.kind == dynamicKind {
		right = b.convert(right, boolean, "CS0029")
	}
	if b.value(right).typ.prim != primBool {
		b.operatorError(n, n.op, left, right)
	}
	rightYes, rightNo := b.split(right)
	out := &bound{place: n.place, typ: boolean}
	if and {
		out.whenTrue, out.whenFalse = rightYes, meet(no, rightNo)
	} else {
		out.whenTrue, out.whenFalse = meet(yes, rightYes), rightNo
	}
	b.flow = meet(out.whenTrue, out.whenFalse)
	u, w := left.eval, right.eval
	if and {
		out.eval = func(f *frame) Value { return u(f).(bool) && w(f).(bool) }
	} else {
		out.eval = func(f *frame) Value { return u(f).(bool) || w(f).(bool) }
	}
	folded := b.fold(n, out, left, right)
	folded.whenTrue, folded.whenFalse = out.whenTrue, out.whenFalse
	return folded
}

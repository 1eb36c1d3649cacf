package expr

import (
	"slices"
	"strings"
)

// binder resolves names and types of a syntax tree and turns it into closures.
type binder struct {
	env       *Environment
	src       string
	function  *function
	scope     *scope
	flow      *flow
	receivers []*bound // the targets of ?. around the cursor
	checked   bool
	unchecked bool // constants may overflow too
	work      int  // nodes bound, bounded because lambdas may be bound several times
	variables int
	interned  map[string]string
	lambdaErr *CompileError // of the lambda tried last
}

// maxWork bounds how many nodes are bound.
const maxWork = 400_000

// function is the program, a lambda or a local function while it is bound.
type function struct {
	parent   *function
	slots    int
	captures []*variable
	result   *netType // what return converts to; nil while it is inferred
	returns  []*bound // of a lambda whose result is inferred
	isVoid   bool
	jumps    *jumpScope
	labels   map[string]*label
}

// variable is a local variable, a parameter or a constant.
type variable struct {
	name     string
	typ      *netType
	slot     int
	id       int
	function *function
	scope    *scope
	captured bool
	hoisted  bool // captured by a local function, whose cell exists before the declaration runs
	constant bool
	value    Value
	readOnly string // why it cannot be assigned, with the compiler's number before a colon
	range_   *bound // of a query's range variable: the member it stands for
}

// scope is a block's variables.
type scope struct {
	parent   *scope
	function *function
	names    map[string]*variable
}

// bound is an expression with its type and code. One that is not a value has another field set instead of eval.
type bound struct {
	place
	typ       *netType
	eval      evalFunc
	constant  bool
	value     Value
	location  *location
	readOnly  string
	group     *methodGroup
	lambda    *lambdaNode
	typeRef   *netType
	namespace string
	standard  bool // the literal `default`
	throws    bool // a throw expression
	boxed     bool // a value type that this conversion boxes
	tuple     *tupleNode
	elements  []*bound
	holder    *variable // the temporary that a deconstruction reads
	// whenTrue and whenFalse are the assigned variables by the outcome of a boolean, where they differ from the flow after it.
	whenTrue, whenFalse *flow
}

// location is an assignable place. prepare evaluates what locates it once; load and store take the result.
type location struct {
	prepare func(f *frame) (a, b Value)
	load    func(f *frame, a, b Value) Value
	store   func(f *frame, a, b, v Value)
	local   *variable
}

// methodGroup is a name that stands for methods.
type methodGroup struct {
	name       string
	target     *bound   // nil for static use
	owner      *netType // where to look
	candidates []candidate
	arguments  []*netType
}

// candidate is a method with the construction of its owner.
type candidate struct {
	method *member
	owner  *netType
}

func newBinder(env *Environment, src string) *binder {
	b := &binder{env: env, src: src, function: &function{}, flow: &flow{}, interned: map[string]string{}}
	b.scope = &scope{function: b.function, names: map[string]*variable{}}
	return b
}

// fail stops the compilation at a node.
func (b *binder) fail(n interface{ at() int }, code, format string, args ...any) {
	panic(newCompileError(b.src, n.at(), code, format, args...))
}

// count bounds the work.
func (b *binder) count(n interface{ at() int }) {
	b.work++
	if b.work > maxWork {
		b.fail(n, "CS8078", "the expression is too complex to compile")
	}
}

// compileExpression makes the program of an expression.
func (b *binder) compileExpression(n node) *Program {
	x := b.value(b.expression(n))
	if x.typ.kind == voidKind {
		b.fail(n, "CS0029", "cannot convert type 'void' to 'object'")
	}
	return &Program{env: b.env, value: x.eval, slots: b.function.slots, result: x.typ}
}

// compileStatements makes the program of a block.
func (b *binder) compileStatements(n *blockStatement) *Program {
	b.function.result = b.env.primitives[primObject]
	body := b.block(n)
	if !b.flow.dead {
		b.fail(place(n.end), "CS0161", "not all code paths return a value")
	}
	return &Program{env: b.env, body: body, slots: b.function.slots, result: b.function.result}
}

// value insists that x is a value.
func (b *binder) value(x *bound) *bound {
	switch {
	case x.namespace != "":
		b.fail(x, "CS0103", "the name '%s' is a namespace, which is not valid here", x.namespace)
	case x.typeRef != nil:
		b.fail(x, "CS0119", "'%s' is a type, which is not valid in the given context", x.typeRef)
	case x.group != nil:
		b.fail(x, "CS0428", "cannot convert method group '%s' to a value; did you intend to invoke the method?", x.group.name)
	case x.lambda != nil:
		b.fail(x, "CS1660", "cannot convert lambda expression to a type that is not a delegate")
	case x.standard:
		b.fail(x, "CS8716", "there is no target type for the default literal")
	case x.throws && x.typ == nil:
		b.fail(x, "CS8115", "a throw expression is not allowed in this context")
	case x.tuple != nil && x.typ == nil:
		return b.tupleValue(x)
	}
	return x
}

// declare adds a variable to the scope. C# 7.3 lets no nested scope, lambdas included, use a name again.
func (b *binder) declare(n interface{ at() int }, name string, t *netType) *variable {
	if name != transparent && name != "" {
		for s := b.scope; s != nil; s = s.parent {
			if v := s.names[name]; v != nil {
				if s == b.scope {
					b.fail(n, "CS0128", "a local variable named '%s' is already defined in this scope", name)
				}
				b.fail(n, "CS0136", "a local or parameter named '%s' cannot be declared in this scope because that name is used in an enclosing scope", name)
			}
		}
		if name == "context" {
			b.fail(n, "CS0136", "a local or parameter named 'context' cannot be declared because that name is used in an enclosing scope")
		}
	}
	v := b.temporary(t)
	v.name = name
	b.scope.names[name] = v
	return v
}

// temporary makes a variable without a name.
func (b *binder) temporary(t *netType) *variable {
	v := &variable{typ: t, slot: b.function.slots, id: b.variables, function: b.function, scope: b.scope}
	b.function.slots++
	b.variables++
	return v
}

// open starts a scope; call the result to end it.
func (b *binder) open() func() {
	outer := b.scope
	b.scope = &scope{parent: outer, function: b.function, names: map[string]*variable{}}
	return func() { b.scope = outer }
}

// find looks a variable up.
func (b *binder) find(name string) *variable {
	for s := b.scope; s != nil; s = s.parent {
		if v := s.names[name]; v != nil {
			return v
		}
	}
	return nil
}

// capture makes an outer variable available in the current function and returns its index there.
func (b *binder) capture(v *variable) int {
	v.captured = true
	for f := b.function.parent; f != nil && f != v.function; f = f.parent {
		if !slices.Contains(f.captures, v) {
			f.captures = append(f.captures, v)
		}
	}
	if i := slices.Index(b.function.captures, v); i >= 0 {
		return i
	}
	b.function.captures = append(b.function.captures, v)
	return len(b.function.captures) - 1
}

// load is the code that reads a variable.
func (b *binder) load(v *variable) evalFunc {
	if v.constant {
		value := v.value
		return func(*frame) Value { return value }
	}
	if v.function != b.function {
		i := b.capture(v)
		return func(f *frame) Value { return f.captured[i].value }
	}
	slot := v.slot
	return func(f *frame) Value {
		x := f.slots[slot]
		if v.captured {
			if c, ok := x.(*cell); ok {
				return c.value
			}
			return nil
		}
		return x
	}
}

// storeTo is the code that assigns a variable.
func (b *binder) storeTo(v *variable) func(f *frame, x Value) {
	if v.function != b.function {
		i := b.capture(v)
		return func(f *frame, x Value) { f.captured[i].value = x }
	}
	slot := v.slot
	return func(f *frame, x Value) {
		if v.captured {
			f.cellOf(v).value = x
			return
		}
		f.slots[slot] = x
	}
}

// cellOf returns the cell of a captured variable of the frame's own function.
func (f *frame) cellOf(v *variable) *cell {
	c, ok := f.slots[v.slot].(*cell)
	if !ok {
		c = &cell{}
		f.slots[v.slot] = c
	}
	return c
}

// declareIn gives a variable its first value. A captured one gets a cell of its own each time, so that each round of a loop has its own variable.
func (f *frame) declareIn(v *variable, x Value) {
	switch {
	case !v.captured:
		f.slots[v.slot] = x
	case v.hoisted:
		f.cellOf(v).value = x
	default:
		f.slots[v.slot] = &cell{x}
	}
}

// resolveSyntax finds the type that the source names.
func (b *binder) resolveSyntax(s *typeSyntax) *netType {
	if t := b.tryResolve(s); t != nil {
		return t
	}
	name := "tuple"
	if len(s.parts) > 0 {
		name = s.parts[len(s.parts)-1].name
	}
	for _, x := range s.suffixes {
		if x == "?" && (name == "string" || b.env.named(name) != nil && !b.env.named(name).isValueType()) {
			b.fail(s, "CS8370", "nullable reference types need a newer language version than C# 7.3")
		}
	}
	b.fail(s, "CS0246", "the type '%s' could not be found, or is not one that policy expressions may use", name)
	return nil
}

// tryResolve is resolveSyntax that returns nil for an unknown type.
func (b *binder) tryResolve(s *typeSyntax) *netType {
	t := b.env.resolveType(s, func(string) *netType { return nil })
	if t == nil || t.kind != arrayKind && strings.Contains(hidden, " "+t.name+" ") {
		return nil
	}
	return t
}

// flow is the set of definitely assigned variables at a point; dead says that the point cannot be reached.
type flow struct {
	bits []uint64
	dead bool
}

func (w *flow) clone() *flow { return &flow{append([]uint64(nil), w.bits...), w.dead} }

func (w *flow) has(id int) bool {
	return w.dead || id>>6 < len(w.bits) && w.bits[id>>6]&(1<<(id&63)) != 0
}

// assign marks a variable.
func (b *binder) assign(v *variable) {
	for v.id>>6 >= len(b.flow.bits) {
		b.flow.bits = append(b.flow.bits, 0)
	}
	b.flow.bits[v.id>>6] |= 1 << (v.id & 63)
}

// meet is the state where two ways join.
func meet(a, c *flow) *flow {
	switch {
	case a == nil || a.dead:
		return cloneOrDead(c)
	case c == nil || c.dead:
		return a.clone()
	}
	out := &flow{}
	for i := range min(len(a.bits), len(c.bits)) {
		out.bits = append(out.bits, a.bits[i]&c.bits[i])
	}
	return out
}

func cloneOrDead(w *flow) *flow {
	if w == nil {
		return &flow{dead: true}
	}
	return w.clone()
}

// join is the union of what two successive pieces of code assign.
func join(a, c *flow) *flow {
	out := a.clone()
	out.dead = a.dead || c.dead
	for i, bits := range c.bits {
		if i < len(out.bits) {
			out.bits[i] |= bits
		} else {
			out.bits = append(out.bits, bits)
		}
	}
	return out
}

// split returns the flows after a condition by its outcome.
func (b *binder) split(x *bound) (yes, no *flow) {
	yes, no = x.whenTrue, x.whenFalse
	if yes == nil {
		yes = b.flow.clone()
	}
	if no == nil {
		no = b.flow.clone()
	}
	if v, ok := x.value.(bool); x.constant && ok {
		if v {
			no = &flow{bits: no.bits, dead: true}
		} else {
			yes = &flow{bits: yes.bits, dead: true}
		}
	}
	return yes.clone(), no.clone()
}

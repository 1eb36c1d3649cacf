package expr

import "slices"

// arrayValue is an array of any element type.
type arrayValue interface {
	length() int
	get(i int) Value
	set(i int, v Value)
	elementType(e *Environment) *netType
}

// array is T[] of any type but byte.
type array struct {
	element *netType
	items   []Value
}

// Bytes is byte[].
type Bytes struct{ Data []byte }

func (a *array) length() int                       { return len(a.items) }
func (a *array) get(i int) Value                   { return a.items[i] }
func (a *array) set(i int, v Value)                { a.items[i] = v }
func (a *array) elementType(*Environment) *netType { return a.element }
func (a *array) typeIn(e *Environment) *netType    { return e.arrayOf(a.element) }

func (a *Bytes) length() int                         { return len(a.Data) }
func (a *Bytes) get(i int) Value                     { return a.Data[i] }
func (a *Bytes) set(i int, v Value)                  { a.Data[i] = v.(uint8) }
func (a *Bytes) elementType(e *Environment) *netType { return e.primitives[primByte] }
func (a *Bytes) typeIn(e *Environment) *netType      { return e.arrayOf(e.primitives[primByte]) }

// newArray makes an array for elements that are all set by the caller.
func newArray(element *netType, n int) arrayValue {
	if element.prim == primByte {
		return &Bytes{make([]byte, n)}
	}
	return &array{element, make([]Value, n)}
}

// newArray makes an array of default values.
func (m *machine) newArray(element *netType, n int) arrayValue {
	if element.prim == primByte {
		m.charge(n)
		return &Bytes{make([]byte, n)}
	}
	if n > 1<<28 {
		panic(&LimitError{Limit: "memory"})
	}
	m.charge(n * valueSize)
	a := &array{element, make([]Value, n)}
	if !element.isReference() {
		for i := range a.items {
			a.items[i] = m.env.zeroOf(element)
		}
	}
	return a
}

// arrayFrom makes an array of the given values.
func arrayFrom(element *netType, values []Value) arrayValue {
	if element.prim == primByte {
		b := &Bytes{make([]byte, len(values))}
		for i, v := range values {
			b.Data[i] = v.(uint8)
		}
		return b
	}
	return &array{element, values}
}

// stringArray makes a string[].
func (m *machine) stringArray(list []string) *array {
	m.charge(valueSize * len(list))
	a := &array{m.env.primitives[primString], make([]Value, len(list))}
	for i, s := range list {
		a.items[i] = s
	}
	return a
}

// list is List<T>.
type list struct {
	typ     *netType
	items   []Value
	version int
}

func (l *list) typeIn(*Environment) *netType { return l.typ }

// newList makes a List<T> of values that it may keep.
func (m *machine) newList(element *netType, values []Value) *list {
	return &list{typ: construct(m.env.generic("List", 1), element), items: values}
}

func (l *list) check(i int) {
	if i < 0 || i >= len(l.items) {
		throwOutOfRange(indexMessage, "index")
	}
}

func (l *list) add(m *machine, v Value) {
	m.charge(valueSize)
	l.items = append(l.items, v)
	l.version++
}

// queue is Queue<T> or Stack<T>; the next element of a queue is the first, that of a stack the last.
type queue struct {
	typ   *netType
	stack bool
	items []Value
}

func (q *queue) typeIn(*Environment) *netType { return q.typ }

// sequence is a lazy IEnumerable<T>: each runs it from the start.
type sequence struct {
	element *netType
	typ     *netType // where it is more than an IEnumerable<T>
	each    func(m *machine, visit func(Value) bool)
	order   []ordering // of OrderBy, with the source in base
	base    Value
}

func (s *sequence) typeIn(e *Environment) *netType {
	if s.typ != nil {
		return s.typ
	}
	return e.enumerableOf(s.element)
}

// sequenceOf is a sequence over values that do not change.
func sequenceOf(element *netType, values []Value) *sequence {
	return &sequence{element: element, each: func(_ *machine, visit func(Value) bool) {
		for _, v := range values {
			if !visit(v) {
				return
			}
		}
	}}
}

// iterable is a value that foreach and LINQ can read.
type iterable interface {
	eachItem(m *machine, visit func(Value) bool)
}

// iterate calls visit for each element until it returns false.
func iterate(m *machine, source Value, visit func(Value) bool) {
	switch s := source.(type) {
	case *array:
		for i := 0; i < len(s.items); i++ {
			if !visit(s.items[i]) {
				return
			}
		}
	case *Bytes:
		for _, v := range s.Data {
			if !visit(v) {
				return
			}
		}
	case *list:
		version := s.version
		for i := 0; i < len(s.items); i++ {
			if !visit(s.items[i]) {
				return
			}
			if s.version != version {
				throwModified()
			}
		}
	case *sequence:
		m.enterCall()
		s.each(m, visit)
		m.leaveCall()
	case string:
		for _, u := range utf16Units(s) {
			if !visit(Char(u)) {
				return
			}
		}
	case *queue:
		for i := range s.items {
			v := s.items[i]
			if s.stack {
				v = s.items[len(s.items)-1-i]
			}
			if !visit(v) {
				return
			}
		}
	case iterable:
		s.eachItem(m, visit)
	case nil:
		throwArgumentNull("source")
	default:
		throw("InvalidCastException", "Unable to cast object of type '"+m.env.typeOf(source).reflectionName()+"' to a sequence.")
	}
}

func throwModified() {
	throw("InvalidOperationException", "Collection was modified; enumeration operation may not execute.")
}

// collect reads a sequence into a slice of its own.
func collect(m *machine, source Value) []Value {
	switch s := source.(type) {
	case *array:
		m.charge(valueSize * len(s.items))
		return slices.Clone(s.items)
	case *list:
		m.charge(valueSize * len(s.items))
		return slices.Clone(s.items)
	}
	values := []Value{}
	iterate(m, source, func(v Value) bool {
		m.charge(valueSize)
		m.step(1)
		values = append(values, v)
		return true
	})
	return values
}

// dictionary is Dictionary<K, V>, which keeps the order of insertion while nothing is removed, as .NET's does.
type dictionary struct {
	typ      *netType
	comparer *comparer
	index    map[any]int
	entries  []*keyValue // nil where one was removed
	removed  []int       // free places, the last removed is used first
	version  int
}

// keyValue is KeyValuePair<K, V>.
type keyValue struct {
	typ        *netType
	key, value Value
}

func (p *keyValue) typeIn(*Environment) *netType { return p.typ }

func (p *keyValue) equals(other Value) bool {
	o, ok := other.(*keyValue)
	return ok && equalsValue(p.key, o.key) && equalsValue(p.value, o.value)
}

func (p *keyValue) hashKey() any { return joinKeys("pair", []Value{p.key, p.value}) }

func (d *dictionary) typeIn(*Environment) *netType { return d.typ }

func (e *Environment) pairType(k, v *netType) *netType {
	return construct(e.generic("KeyValuePair", 2), k, v)
}

// newDictionary makes an empty Dictionary<K, V>.
func (m *machine) newDictionary(k, v *netType, c *comparer) *dictionary {
	return &dictionary{typ: construct(m.env.generic("Dictionary", 2), k, v), comparer: c, index: map[any]int{}}
}

func (d *dictionary) find(key Value) (*keyValue, bool) {
	if key == nil {
		throwArgumentNull("key")
	}
	i, ok := d.index[d.comparer.keyOf(key)]
	if !ok {
		return nil, false
	}
	return d.entries[i], true
}

func (d *dictionary) set(m *machine, key, value Value) {
	if p, ok := d.find(key); ok {
		i := d.index[d.comparer.keyOf(key)]
		d.entries[i] = &keyValue{p.typ, p.key, value}
		return
	}
	m.charge(3 * valueSize)
	p := &keyValue{m.env.pairType(d.typ.arguments[0], d.typ.arguments[1]), key, value}
	at := len(d.entries)
	if n := len(d.removed); n > 0 {
		at = d.removed[n-1]
		d.removed = d.removed[:n-1]
		d.entries[at] = p
	} else {
		d.entries = append(d.entries, p)
	}
	d.index[d.comparer.keyOf(key)] = at
	d.version++
}

func (d *dictionary) add(m *machine, key, value Value) {
	if _, ok := d.find(key); ok {
		throw("ArgumentException", "An item with the same key has already been added. Key: "+m.text(key))
	}
	d.set(m, key, value)
}

func (d *dictionary) remove(key Value) (*keyValue, bool) {
	p, ok := d.find(key)
	if !ok {
		return nil, false
	}
	k := d.comparer.keyOf(key)
	d.removed = append(d.removed, d.index[k])
	d.entries[d.index[k]] = nil
	delete(d.index, k)
	return p, true
}

func (d *dictionary) eachItem(m *machine, visit func(Value) bool) {
	version := d.version
	for i := 0; i < len(d.entries); i++ {
		if d.entries[i] == nil {
			continue
		}
		if !visit(d.entries[i]) {
			return
		}
		if d.version != version {
			throwModified()
		}
	}
}

// hashSet is HashSet<T>.
type hashSet struct {
	typ      *netType
	comparer *comparer
	index    map[any]int
	items    []Value
	live     []bool
	version  int
}

func (s *hashSet) typeIn(*Environment) *netType { return s.typ }

func newHashSet(t *netType, c *comparer) *hashSet {
	return &hashSet{typ: t, comparer: c, index: map[any]int{}}
}

func (s *hashSet) has(v Value) bool {
	_, ok := s.index[s.comparer.keyOf(v)]
	return ok
}

func (s *hashSet) add(m *machine, v Value) bool {
	if s.has(v) {
		return false
	}
	m.charge(2 * valueSize)
	s.index[s.comparer.keyOf(v)] = len(s.items)
	s.items, s.live = append(s.items, v), append(s.live, true)
	s.version++
	return true
}

func (s *hashSet) remove(v Value) bool {
	k := s.comparer.keyOf(v)
	i, ok := s.index[k]
	if ok {
		s.live[i] = false
		delete(s.index, k)
		s.version++
	}
	return ok
}

func (s *hashSet) eachItem(_ *machine, visit func(Value) bool) {
	version := s.version
	for i := 0; i < len(s.items); i++ {
		if !s.live[i] {
			continue
		}
		if !visit(s.items[i]) {
			return
		}
		if s.version != version {
			throwModified()
		}
	}
}

// comparer is a StringComparer or a default comparer. A nil one compares by Equals.
type comparer struct {
	ignoreCase bool
	ordinal    bool
}

func (c *comparer) typeIn(e *Environment) *netType { return e.named("StringComparer") }

// keyOf is the map key of a value under the comparer.
func (c *comparer) keyOf(v Value) any {
	s, ok := v.(string)
	switch {
	case c == nil || !ok:
		return keyOf(v)
	case c.ignoreCase:
		return upperText(s)
	}
	return s
}

func (c *comparer) equal(a, b Value) bool {
	if a == nil || b == nil {
		return a == b
	}
	return c.keyOf(a) == c.keyOf(b)
}

// comparerOf is the comparer of an optional argument.
func comparerOf(v Value) *comparer {
	c, _ := v.(*comparer)
	return c
}

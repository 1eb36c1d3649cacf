package expr

import (
	"slices"
	"sort"
)

// collections declares arrays, List, Queue, Stack, HashSet, the interfaces and comparers.
func (b *library) collections() {
	b.arrays()
	b.lists()
	b.listSearches()
	b.queues()
	b.sets()
	for _, t := range []string{"ICollection`1", "IReadOnlyCollection`1"} {
		b.on(t).native("int Count", func(m *machine, a []Value) Value { return count(m, a[0]) })
	}
	for _, t := range []string{"IList`1", "IReadOnlyList`1"} {
		b.on(t).native("T this[int index]", func(m *machine, a []Value) Value { return elementAt(m, a[0], intOf(a[1])) })
	}
	b.on("ICollection`1").native("void Add(T item)", func(m *machine, a []Value) Value { return addTo(m, a[0], a[1]) })
	b.native("bool Contains(T item)", func(m *machine, a []Value) Value { return contains(m, a[0], a[1], nil) })
	b.on("IEnumerable`1").generics("IEnumerator<T> GetEnumerator()", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return &enumerator{t[0], collect(m, a[0]), -1} }
	})
	b.on("IEnumerator`1").property("T Current", func(v Value) Value {
		e := v.(*enumerator)
		if e.at < 0 || e.at >= len(e.items) {
			throw("InvalidOperationException", "Enumeration has either not started or has already finished.")
		}
		return e.items[e.at]
	})
	b.method("bool MoveNext()", func(a []Value) Value {
		e := a[0].(*enumerator)
		e.at++
		return e.at < len(e.items)
	})
	b.method("void Dispose()", func([]Value) Value { return nil })
	b.on("IDisposable").method("void Dispose()", func([]Value) Value { return nil })
	b.on("StringComparer")
	for name, c := range map[string]*comparer{
		"Ordinal": {ordinal: true}, "OrdinalIgnoreCase": {ordinal: true, ignoreCase: true}, "InvariantCulture": {}, "InvariantCultureIgnoreCase": {ignoreCase: true},
		"CurrentCulture": {}, "CurrentCultureIgnoreCase": {ignoreCase: true},
	} {
		b.add("static StringComparer "+name, c)
	}
	b.method("int Compare(string x, string y)", func(a []Value) Value {
		c := a[0].(*comparer)
		return int32(compareText(a[1], a[2], c.ordinal, c.ignoreCase))
	})
	b.method("bool Equals(string x, string y)", func(a []Value) Value { return a[0].(*comparer).equal(a[1], a[2]) })
	b.on("IComparable").native("int CompareTo(object obj)", compareToObject)
	b.on("IFormattable").native("string ToString(string format, IFormatProvider provider)", func(m *machine, a []Value) Value { return m.format(a[0], optionalText(a[1])) })
}

// enumerator is an IEnumerator over a snapshot.
type enumerator struct {
	element *netType
	items   []Value
	at      int
}

func (e *enumerator) typeIn(env *Environment) *netType {
	return construct(env.generic("IEnumerator", 1), e.element)
}

// count is Count() of any sequence.
func count(m *machine, v Value) Value {
	switch x := v.(type) {
	case arrayValue:
		return int32(x.length())
	case *list:
		return int32(len(x.items))
	case *dictionary:
		return int32(len(x.index))
	case *hashSet:
		return int32(len(x.index))
	case *queue:
		return int32(len(x.items))
	}
	n := int32(0)
	iterate(m, v, func(Value) bool { m.step(1); n++; return true })
	return n
}

// elementAt is the element of a list or array by position.
func elementAt(m *machine, v Value, i int) Value {
	switch x := v.(type) {
	case arrayValue:
		if i < 0 || i >= x.length() {
			throwIndexOutOfRange()
		}
		return x.get(i)
	case *list:
		x.check(i)
		return x.items[i]
	}
	var found Value
	at, ok := 0, false
	if i >= 0 {
		iterate(m, v, func(x Value) bool {
			m.step(1)
			if at == i {
				found, ok = x, true
				return false
			}
			at++
			return true
		})
	}
	if !ok {
		throwOutOfRange("Specified argument was out of the range of valid values.", "index")
	}
	return found
}

// addTo is ICollection.Add.
func addTo(m *machine, target, v Value) Value {
	switch x := target.(type) {
	case *list:
		x.add(m, v)
	case *hashSet:
		x.add(m, v)
	case *dictionary:
		p := v.(*keyValue)
		x.add(m, p.key, p.value)
	case jContainer:
		x.addToken(m, v.(jToken))
	default:
		throw("NotSupportedException", "Collection is read-only.")
	}
	return nil
}

// contains is Contains by a comparer, or by Equals.
func contains(m *machine, source, v Value, c *comparer) bool {
	found := false
	iterate(m, source, func(x Value) bool {
		m.step(1)
		if c != nil {
			found = c.equal(x, v)
		} else {
			found = equalsValue(x, v)
		}
		return !found
	})
	return found
}

// sortValues sorts stably by a comparison that may throw.
func sortValues(m *machine, items []Value, compare func(a, c Value) int) {
	sort.SliceStable(items, func(i, j int) bool {
		m.step(1)
		return compare(items[i], items[j]) < 0
	})
}

// byDefault is the default comparison, or that of a StringComparer.
func byDefault(m *machine, c Value) func(a, b Value) int {
	if x, ok := c.(*comparer); ok {
		return func(a, b Value) int { return compareText(a, b, x.ordinal, x.ignoreCase) }
	}
	return func(a, b Value) int { return compareValues(m, a, b) }
}

func (b *library) arrays() {
	b.on("Array")
	b.property("int Length", func(v Value) Value { return int32(v.(arrayValue).length()) })
	b.property("long LongLength", func(v Value) Value { return int64(v.(arrayValue).length()) })
	b.property("int Rank", func(Value) Value { return int32(1) })
	b.method("object GetValue(int index)", func(a []Value) Value {
		x := a[0].(arrayValue)
		if i := intOf(a[1]); i < 0 || i >= x.length() {
			throwIndexOutOfRange()
		}
		return x.get(intOf(a[1]))
	})
	b.native("object Clone()", func(m *machine, a []Value) Value {
		return arrayFrom(a[0].(arrayValue).elementType(m.env), collect(m, a[0]))
	})
	b.method("int GetLength(int dimension)", func(a []Value) Value { return int32(a[0].(arrayValue).length()) })
	replace := func(v Value, items []Value) {
		x := v.(arrayValue)
		for i, item := range items {
			x.set(i, item)
		}
	}
	b.native("static void Sort<T>(T[] array)", func(m *machine, a []Value) Value {
		items := collect(m, a[0])
		sortValues(m, items, byDefault(m, nil))
		replace(a[0], items)
		return nil
	})
	b.native("static void Sort<T>(T[] array, IComparer<T> comparer)", func(m *machine, a []Value) Value {
		items := collect(m, a[0])
		sortValues(m, items, byDefault(m, a[1]))
		replace(a[0], items)
		return nil
	})
	b.native("static void Sort<T>(T[] array, Comparison<T> comparison)", func(m *machine, a []Value) Value {
		items, d := collect(m, a[0]), a[1].(*delegate)
		sortValues(m, items, func(x, y Value) int { return intOf(d.invoke(m, x, y)) })
		replace(a[0], items)
		return nil
	})
	b.native("static void Reverse<T>(T[] array)", func(m *machine, a []Value) Value {
		items := collect(m, a[0])
		slices.Reverse(items)
		replace(a[0], items)
		return nil
	})
	b.native("static void Reverse(Array array)", func(m *machine, a []Value) Value {
		items := collect(m, a[0])
		slices.Reverse(items)
		replace(a[0], items)
		return nil
	})
	position := func(m *machine, v, item Value, last bool) Value {
		found, i := int32(-1), int32(0)
		iterate(m, v, func(x Value) bool {
			m.step(1)
			if equalsValue(x, item) {
				found = i
				if !last {
					return false
				}
			}
			i++
			return true
		})
		return found
	}
	b.native("static int IndexOf<T>(T[] array, T value)", func(m *machine, a []Value) Value { return position(m, a[0], a[1], false) })
	b.native("static int LastIndexOf<T>(T[] array, T value)", func(m *machine, a []Value) Value { return position(m, a[0], a[1], true) })
	b.native("static int BinarySearch<T>(T[] array, T value)", func(m *machine, a []Value) Value {
		items := collect(m, a[0])
		i, found := slices.BinarySearchFunc(items, a[1], func(x, y Value) int { return compareValues(m, x, y) })
		if !found {
			return int32(^i)
		}
		return int32(i)
	})
	b.generics("static T[] Empty<T>()", func(t []*netType) nativeFunc {
		return func(*machine, []Value) Value { return newArray(t[0], 0) }
	})
	copyRange := func(m *machine, from, to Value, at, start, n int) Value {
		items, target := collect(m, from), to.(arrayValue)
		if n < 0 || at < 0 || start < 0 || at+n > len(items) || start+n > target.length() {
			throw("ArgumentException", "Destination array was not long enough. Check the destination index, length, and the array's lower bounds. (Parameter 'destinationArray')")
		}
		for i := range n {
			target.set(start+i, items[at+i])
		}
		return nil
	}
	b.native("static void Copy(Array source, Array destination, int length)", func(m *machine, a []Value) Value { return copyRange(m, a[0], a[1], 0, 0, intOf(a[2])) })
	b.native("static void Copy(Array source, int sourceIndex, Array destination, int destinationIndex, int length)", func(m *machine, a []Value) Value {
		return copyRange(m, a[0], a[2], intOf(a[1]), intOf(a[3]), intOf(a[4]))
	})
	b.native("void CopyTo(Array array, int index)", func(m *machine, a []Value) Value {
		return copyRange(m, a[0], a[1], 0, intOf(a[2]), a[0].(arrayValue).length())
	})
	b.generics("static TOut[] ConvertAll<TIn, TOut>(TIn[] array, Converter<TIn, TOut> converter)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			items, d := collect(m, a[0]), a[1].(*delegate)
			for i, x := range items {
				items[i] = d.invoke(m, x)
			}
			return arrayFrom(t[1], items)
		}
	})
	b.predicates("static ", "<T>", "T[] array", ", ")
	b.generics("static T[] FindAll<T>(T[] array, Predicate<T> match)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return arrayFrom(t[0], matching(m, a[0], a[1])) }
	})
	b.native("static void ForEach<T>(T[] array, Action<T> action)", forEach)
}

// matching is the elements for which a predicate holds.
func matching(m *machine, source, predicate Value) []Value {
	d, items := predicate.(*delegate), []Value{}
	iterate(m, source, func(x Value) bool {
		if d.invoke(m, x).(bool) {
			m.charge(valueSize)
			items = append(items, x)
		}
		return true
	})
	return items
}

func forEach(m *machine, a []Value) Value {
	d := a[1].(*delegate)
	iterate(m, a[0], func(x Value) bool { d.invoke(m, x); return true })
	return nil
}

// predicates declares Exists, Find and their like, static on Array and instance on List.
func (b *library) predicates(prefix, generics, first, comma string) {
	zero := func(t []*netType, m *machine) Value { return m.env.zeroOf(t[0]) }
	first += comma
	b.native(prefix+"bool Exists"+generics+"("+first+"Predicate<T> match)", func(m *machine, a []Value) Value {
		_, i := firstMatch(m, a[0], a[1].(*delegate))
		return i >= 0
	})
	b.native(prefix+"bool TrueForAll"+generics+"("+first+"Predicate<T> match)", func(m *machine, a []Value) Value {
		d, all := a[1].(*delegate), true
		iterate(m, a[0], func(x Value) bool { all = d.invoke(m, x).(bool); return all })
		return all
	})
	b.generics(prefix+"T Find"+generics+"("+first+"Predicate<T> match)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			x, i := firstMatch(m, a[0], a[1].(*delegate))
			if i < 0 {
				return zero(t, m)
			}
			return x
		}
	})
	b.generics(prefix+"T FindLast"+generics+"("+first+"Predicate<T> match)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			all := matching(m, a[0], a[1])
			if len(all) == 0 {
				return zero(t, m)
			}
			return all[len(all)-1]
		}
	})
	b.native(prefix+"int FindIndex"+generics+"("+first+"Predicate<T> match)", func(m *machine, a []Value) Value {
		_, i := firstMatch(m, a[0], a[1].(*delegate))
		return int32(i)
	})
}

func firstMatch(m *machine, source Value, d *delegate) (Value, int) {
	var found Value
	at, i := -1, 0
	iterate(m, source, func(x Value) bool {
		if d.invoke(m, x).(bool) {
			found, at = x, i
			return false
		}
		i++
		return true
	})
	return found, at
}

func (b *library) lists() {
	b.on("List`1")
	b.generics("new()", func(t []*netType) nativeFunc {
		return func(m *machine, _ []Value) Value { return m.newList(t[0], nil) }
	})
	b.generics("new(int capacity)", func(t []*netType) nativeFunc {
		return func(m *machine, _ []Value) Value { return m.newList(t[0], nil) }
	})
	b.generics("new(IEnumerable<T> collection)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.newList(t[0], collect(m, a[0])) }
	})
	b.property("int Count", func(v Value) Value { return int32(len(v.(*list).items)) })
	b.property("int Capacity", func(v Value) Value { return int32(cap(v.(*list).items)) })
	b.method("T this[int index]", func(a []Value) Value {
		l := a[0].(*list)
		l.check(intOf(a[1]))
		return l.items[intOf(a[1])]
	})
	b.set("this", nativeFunc(func(_ *machine, a []Value) Value {
		l := a[0].(*list)
		l.check(intOf(a[1]))
		l.items[intOf(a[1])] = a[2]
		l.version++
		return nil
	}))
	b.native("void Add(T item)", func(m *machine, a []Value) Value { a[0].(*list).add(m, a[1]); return nil })
	insert := func(m *machine, l *list, at int, items []Value) {
		if at < 0 || at > len(l.items) {
			throwOutOfRange("Index must be within the bounds of the List.", "index")
		}
		m.charge(valueSize * len(items))
		m.step(int64(len(l.items)-at) >> 6)
		l.items = slices.Insert(l.items, at, items...)
		l.version++
	}
	b.native("void AddRange(IEnumerable<T> collection)", func(m *machine, a []Value) Value {
		l := a[0].(*list)
		insert(m, l, len(l.items), collect(m, a[1]))
		return nil
	})
	b.native("void Insert(int index, T item)", func(m *machine, a []Value) Value { insert(m, a[0].(*list), intOf(a[1]), []Value{a[2]}); return nil })
	b.native("void InsertRange(int index, IEnumerable<T> collection)", func(m *machine, a []Value) Value {
		insert(m, a[0].(*list), intOf(a[1]), collect(m, a[2]))
		return nil
	})
	b.native("bool Remove(T item)", func(m *machine, a []Value) Value {
		l := a[0].(*list)
		m.step(int64(len(l.items)) >> 4)
		i := slices.IndexFunc(l.items, func(x Value) bool { return equalsValue(x, a[1]) })
		if i >= 0 {
			l.items = slices.Delete(l.items, i, i+1)
			l.version++
		}
		return i >= 0
	})
	b.native("void RemoveAt(int index)", func(m *machine, a []Value) Value {
		l := a[0].(*list)
		l.check(intOf(a[1]))
		m.step(int64(len(l.items)) >> 6)
		l.items = slices.Delete(l.items, intOf(a[1]), intOf(a[1])+1)
		l.version++
		return nil
	})
	checkRange := func(l *list, from, n Value) (int, int) {
		i, c := intOf(from), intOf(n)
		if i < 0 || c < 0 {
			throwOutOfRange("Non-negative number required.", "index")
		}
		if i+c > len(l.items) {
			throw("ArgumentException", "Offset and length were out of bounds for the array or count is greater than the number of elements from index to the end of the source collection.")
		}
		return i, i + c
	}
	b.method("void RemoveRange(int index, int count)", func(a []Value) Value {
		l := a[0].(*list)
		i, j := checkRange(l, a[1], a[2])
		l.items = slices.Delete(l.items, i, j)
		l.version++
		return nil
	})
	b.generics("List<T> GetRange(int index, int count)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			l := a[0].(*list)
			i, j := checkRange(l, a[1], a[2])
			return m.newList(t[0], slices.Clone(l.items[i:j]))
		}
	})
	b.native("int RemoveAll(Predicate<T> match)", func(m *machine, a []Value) Value {
		l, d := a[0].(*list), a[1].(*delegate)
		var kept []Value
		for _, x := range l.items {
			if !d.invoke(m, x).(bool) {
				kept = append(kept, x)
			}
		}
		n := len(l.items) - len(kept)
		l.items = kept
		l.version++
		return int32(n)
	})
	b.method("void Clear()", func(a []Value) Value { l := a[0].(*list); l.items = nil; l.version++; return nil })
	b.method("void Reverse()", func(a []Value) Value { l := a[0].(*list); slices.Reverse(l.items); l.version++; return nil })
	b.method("void TrimExcess()", func([]Value) Value { return nil })
	sorted := func(m *machine, l *list, compare func(x, y Value) int) Value {
		sortValues(m, l.items, compare)
		l.version++
		return nil
	}
	b.native("void Sort()", func(m *machine, a []Value) Value { return sorted(m, a[0].(*list), byDefault(m, nil)) })
	b.native("void Sort(IComparer<T> comparer)", func(m *machine, a []Value) Value { return sorted(m, a[0].(*list), byDefault(m, a[1])) })
	b.native("void Sort(Comparison<T> comparison)", func(m *machine, a []Value) Value {
		d := a[1].(*delegate)
		return sorted(m, a[0].(*list), func(x, y Value) int { return intOf(d.invoke(m, x, y)) })
	})
}

func (b *library) listSearches() {
	b.on("List`1")
	b.native("bool Contains(T item)", func(m *machine, a []Value) Value { return contains(m, a[0], a[1], nil) })
	b.native("int IndexOf(T item)", func(m *machine, a []Value) Value {
		m.step(int64(len(a[0].(*list).items)) >> 4)
		return int32(slices.IndexFunc(a[0].(*list).items, func(x Value) bool { return equalsValue(x, a[1]) }))
	})
	b.native("int LastIndexOf(T item)", func(m *machine, a []Value) Value {
		items := a[0].(*list).items
		m.step(int64(len(items)) >> 4)
		for i := len(items) - 1; i >= 0; i-- {
			if equalsValue(items[i], a[1]) {
				return int32(i)
			}
		}
		return int32(-1)
	})
	b.generics("T[] ToArray()", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return arrayFrom(t[0], collect(m, a[0])) }
	})
	b.native("void ForEach(Action<T> action)", forEach)
	b.generics("List<T> FindAll(Predicate<T> match)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.newList(t[0], matching(m, a[0], a[1])) }
	})
	b.generics("List<TOut> ConvertAll<TOut>(Converter<T, TOut> converter)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			items, d := collect(m, a[0]), a[1].(*delegate)
			for i, x := range items {
				items[i] = d.invoke(m, x)
			}
			return m.newList(t[1], items)
		}
	})
	b.predicates("", "", "", "")
	b.native("int BinarySearch(T item)", func(m *machine, a []Value) Value {
		i, found := slices.BinarySearchFunc(a[0].(*list).items, a[1], func(x, y Value) int { return compareValues(m, x, y) })
		if !found {
			return int32(^i)
		}
		return int32(i)
	})
}

func (b *library) queues() {
	for _, name := range []string{"Queue", "Stack"} {
		stack := name == "Stack"
		b.on(name + "`1")
		t := b.current
		create := func(types []*netType, items []Value) Value {
			return &queue{typ: construct(t, types...), stack: stack, items: items}
		}
		b.generics("new()", func(t []*netType) nativeFunc { return func(*machine, []Value) Value { return create(t, nil) } })
		b.generics("new(IEnumerable<T> collection)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value { return create(t, collect(m, a[0])) }
		})
		b.property("int Count", func(v Value) Value { return int32(len(v.(*queue).items)) })
		next := func(q *queue) int {
			if len(q.items) == 0 {
				throw("InvalidOperationException", name+" empty.")
			}
			if stack {
				return len(q.items) - 1
			}
			return 0
		}
		put, take := "Enqueue", "Dequeue"
		if stack {
			put, take = "Push", "Pop"
		}
		b.native("void "+put+"(T item)", func(m *machine, a []Value) Value {
			m.charge(valueSize)
			q := a[0].(*queue)
			q.items = append(q.items, a[1])
			return nil
		})
		b.method("T "+take+"()", func(a []Value) Value {
			q := a[0].(*queue)
			i := next(q)
			v := q.items[i]
			if stack {
				q.items = q.items[:i]
			} else {
				q.items = q.items[1:]
			}
			return v
		})
		b.method("T Peek()", func(a []Value) Value { q := a[0].(*queue); return q.items[next(q)] })
		b.method("void Clear()", func(a []Value) Value { a[0].(*queue).items = nil; return nil })
		b.native("bool Contains(T item)", func(m *machine, a []Value) Value { return contains(m, a[0], a[1], nil) })
		b.generics("T[] ToArray()", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value { return arrayFrom(t[0], collect(m, a[0])) }
		})
	}
}

func (b *library) sets() {
	b.on("HashSet`1")
	t := b.current
	create := func(types []*netType, m *machine, items, c Value) Value {
		s := newHashSet(construct(t, types...), comparerOf(c))
		if items != nil {
			iterate(m, items, func(v Value) bool { s.add(m, v); return true })
		}
		return s
	}
	b.generics("new()", func(t []*netType) nativeFunc {
		return func(m *machine, _ []Value) Value { return create(t, m, nil, nil) }
	})
	b.generics("new(IEnumerable<T> collection)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, a[0], nil) }
	})
	b.generics("new(IEqualityComparer<T> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, nil, a[0]) }
	})
	b.generics("new(IEnumerable<T> collection, IEqualityComparer<T> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, a[0], a[1]) }
	})
	b.property("int Count", func(v Value) Value { return int32(len(v.(*hashSet).index)) })
	b.native("bool Add(T item)", func(m *machine, a []Value) Value { return a[0].(*hashSet).add(m, a[1]) })
	b.method("bool Contains(T item)", func(a []Value) Value { return a[0].(*hashSet).has(a[1]) })
	b.method("bool Remove(T item)", func(a []Value) Value { return a[0].(*hashSet).remove(a[1]) })
	b.method("void Clear()", func(a []Value) Value { s := a[0].(*hashSet); *s = *newHashSet(s.typ, s.comparer); return nil })
	b.native("void UnionWith(IEnumerable<T> other)", func(m *machine, a []Value) Value {
		for _, v := range collect(m, a[1]) {
			a[0].(*hashSet).add(m, v)
		}
		return nil
	})
	other := func(m *machine, s *hashSet, v Value) *hashSet {
		o := newHashSet(s.typ, s.comparer)
		iterate(m, v, func(x Value) bool { o.add(m, x); return true })
		return o
	}
	keep := func(m *machine, s *hashSet, keep func(Value) bool) Value {
		for _, v := range collect(m, s) {
			if !keep(v) {
				s.remove(v)
			}
		}
		return nil
	}
	b.native("void IntersectWith(IEnumerable<T> other)", func(m *machine, a []Value) Value {
		s := a[0].(*hashSet)
		return keep(m, s, other(m, s, a[1]).has)
	})
	b.native("void ExceptWith(IEnumerable<T> other)", func(m *machine, a []Value) Value {
		s := a[0].(*hashSet)
		o := other(m, s, a[1])
		return keep(m, s, func(v Value) bool { return !o.has(v) })
	})
	within := func(m *machine, x, y *hashSet) bool {
		all := true
		iterate(m, x, func(v Value) bool { all = y.has(v); return all })
		return all
	}
	for name, test := range map[string]func(m *machine, s, o *hashSet) bool{
		"IsSubsetOf":   within,
		"IsSupersetOf": func(m *machine, s, o *hashSet) bool { return within(m, o, s) },
		"SetEquals":    func(m *machine, s, o *hashSet) bool { return len(s.index) == len(o.index) && within(m, s, o) },
		"Overlaps": func(m *machine, s, o *hashSet) bool {
			any := false
			iterate(m, o, func(v Value) bool { any = s.has(v); return !any })
			return any
		},
	} {
		b.native("bool "+name+"(IEnumerable<T> other)", func(m *machine, a []Value) Value {
			s := a[0].(*hashSet)
			return test(m, s, other(m, s, a[1]))
		})
	}
}

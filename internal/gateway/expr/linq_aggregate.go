package expr

import (
	"slices"
	"sort"
)

func (b *library) aggregates() {
	b.native("static int Count<T>(this IEnumerable<T> source)", func(m *machine, a []Value) Value { return count(m, sourceOf(a[0])) })
	b.native("static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *machine, a []Value) Value {
		return int32(len(matching(m, sourceOf(a[0]), a[1])))
	})
	b.native("static long LongCount<T>(this IEnumerable<T> source)", func(m *machine, a []Value) Value { return int64(count(m, sourceOf(a[0])).(int32)) })
	b.native("static T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> func)", func(m *machine, a []Value) Value {
		d := a[1].(*delegate)
		var result Value
		empty := true
		iterate(m, sourceOf(a[0]), func(v Value) bool {
			if empty {
				result, empty = v, false
			} else {
				result = d.invoke(m, result, v)
			}
			return true
		})
		if empty {
			throwNoElements()
		}
		return result
	})
	fold := func(m *machine, a []Value) Value {
		result, d := a[1], a[2].(*delegate)
		iterate(m, sourceOf(a[0]), func(v Value) bool { result = d.invoke(m, result, v); return true })
		return result
	}
	b.native("static A Aggregate<T, A>(this IEnumerable<T> source, A seed, Func<A, T, A> func)", fold)
	b.native("static R Aggregate<T, A, R>(this IEnumerable<T> source, A seed, Func<A, T, A> func, Func<A, R> result)", func(m *machine, a []Value) Value {
		d := a[3].(*delegate)
		return d.invoke(m, fold(m, a))
	})
	for _, p := range []primitive{primInt, primLong, primFloat, primDouble, primDecimal} {
		b.numericAggregates(p, false)
		b.numericAggregates(p, true)
	}
	best := func(name string, want int) {
		run := func(t *netType, m *machine, source Value, d *delegate) Value {
			var found Value
			empty := true
			iterate(m, sourceOf(source), func(v Value) bool {
				m.step(1)
				if d != nil {
					v = d.invoke(m, v)
				}
				if v == nil {
					return true
				}
				if empty || compareValues(m, v, found)*want > 0 {
					found, empty = v, false
				}
				return true
			})
			if empty && t.isValueType() && t.kind != nullableKind {
				throwNoElements()
			}
			return found
		}
		b.generics("static T "+name+"<T>(this IEnumerable<T> source)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value { return run(t[0], m, a[0], nil) }
		})
		b.generics("static R "+name+"<T, R>(this IEnumerable<T> source, Func<T, R> selector)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value { return run(t[1], m, a[0], a[1].(*delegate)) }
		})
		b.generics("static T "+name+"By<T, K>(this IEnumerable<T> source, Func<T, K> key)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value {
				d := a[1].(*delegate)
				var found, best Value
				empty := true
				iterate(m, sourceOf(a[0]), func(v Value) bool {
					if k := d.invoke(m, v); empty || compareValues(m, k, best)*want > 0 {
						found, best, empty = v, k, false
					}
					return true
				})
				if empty && t[0].isValueType() {
					throwNoElements()
				}
				return found
			}
		})
	}
	best("Max", 1)
	best("Min", -1)
}

// numericAggregates declares Sum and Average of one numeric type, of its values and of a selector's.
func (b *library) numericAggregates(p primitive, nullable bool) {
	k := keywordOf[p]
	mean := "double"
	if p == primDecimal || p == primFloat {
		mean = k
	}
	if nullable {
		k, mean = k+"?", mean+"?"
	}
	add := arithmetic("+", p, true)
	sum := func(m *machine, a []Value) (Value, int) {
		total, n := numberFromInt(0, p), 0
		if p == primFloat {
			// .NET sums floats in double precision.
			total = 0.0
		}
		iterate(m, sourceOf(a[0]), func(v Value) bool {
			m.step(1)
			if len(a) > 1 {
				v = a[1].(*delegate).invoke(m, v)
			}
			if v == nil {
				return true
			}
			n++
			if p == primFloat {
				total = total.(float64) + floatOf(v)
			} else {
				total = add(total, v)
			}
			return true
		})
		return total, n
	}
	average := func(m *machine, a []Value) Value {
		total, n := sum(m, a)
		if n == 0 {
			if nullable {
				return nil
			}
			throwNoElements()
		}
		switch p {
		case primDecimal:
			return total.(Decimal).div(decimalFromInt(int64(n)))
		case primFloat:
			return float32(floatOf(total) / float64(n))
		}
		return floatOf(total) / float64(n)
	}
	whole := func(m *machine, a []Value) Value {
		total, _ := sum(m, a)
		return convertNumber(total, p, false)
	}
	b.native("static "+k+" Sum(this IEnumerable<"+k+"> source)", whole)
	b.native("static "+k+" Sum<T>(this IEnumerable<T> source, Func<T, "+k+"> selector)", whole)
	b.native("static "+mean+" Average(this IEnumerable<"+k+"> source)", average)
	b.native("static "+mean+" Average<T>(this IEnumerable<T> source, Func<T, "+k+"> selector)", average)
}

// group is IGrouping<K, E>.
type group struct {
	typ   *netType
	key   Value
	items []Value
}

func (g *group) typeIn(*Environment) *netType { return g.typ }

func (g *group) eachItem(_ *machine, visit func(Value) bool) {
	for _, v := range g.items {
		if !visit(v) {
			return
		}
	}
}

// groups puts the elements of a sequence together by key, in the order in which the keys appear.
func groups(m *machine, k, e *netType, source Value, key, element *delegate, c *comparer) ([]Value, map[any]*group) {
	var list []Value
	index := map[any]*group{}
	typ := construct(m.env.generic("IGrouping", 2), k, e)
	iterate(m, source, func(v Value) bool {
		x := key.invoke(m, v)
		hash := c.keyOf(x)
		g := index[hash]
		if g == nil {
			m.charge(3 * valueSize)
			g = &group{typ: typ, key: x}
			index[hash] = g
			list = append(list, g)
		}
		m.charge(valueSize)
		if element != nil {
			v = element.invoke(m, v)
		}
		g.items = append(g.items, v)
		return true
	})
	return list, index
}

// lookupTable is Lookup<K, E>.
type lookupTable struct {
	typ   *netType
	list  []Value
	index map[any]*group
	by    *comparer
}

func (l *lookupTable) typeIn(*Environment) *netType { return l.typ }

func (l *lookupTable) eachItem(_ *machine, visit func(Value) bool) {
	for _, v := range l.list {
		if !visit(v) {
			return
		}
	}
}

// grouping declares GroupBy, Join, GroupJoin and ToLookup.
func (b *library) grouping() {
	b.on("IGrouping`2").property("K Key", func(v Value) Value { return v.(*group).key })
	b.on("Enumerable")
	groupBy := func(k, e *netType, a []Value, element *delegate, c Value) Value {
		source, key := sourceOf(a[0]), a[1].(*delegate)
		return &sequence{each: func(m *machine, visit func(Value) bool) {
			list, _ := groups(m, k, e, source, key, element, comparerOf(c))
			for _, g := range list {
				if !visit(g) {
					return
				}
			}
		}}
	}
	typed := func(m *machine, k, e *netType, v Value) Value {
		v.(*sequence).element = construct(m.env.generic("IGrouping", 2), k, e)
		return v
	}
	b.generics("static IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> key)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return typed(m, t[1], t[0], groupBy(t[1], t[0], a, nil, nil)) }
	})
	b.generics("static IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> key, IEqualityComparer<K> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return typed(m, t[1], t[0], groupBy(t[1], t[0], a, nil, a[2])) }
	})
	b.generics("static IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>(this IEnumerable<T> source, Func<T, K> key, Func<T, E> element)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			return typed(m, t[1], t[2], groupBy(t[1], t[2], a, a[2].(*delegate), nil))
		}
	})
	b.generics("static IEnumerable<R> GroupBy<T, K, R>(this IEnumerable<T> source, Func<T, K> key, Func<K, IEnumerable<T>, R> result)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			inner, d := groupBy(t[1], t[0], a, nil, nil), a[2].(*delegate)
			return lazy(t[2], func(m *machine, visit func(Value) bool) {
				iterate(m, inner, func(v Value) bool { return visit(d.invoke(m, v.(*group).key, v)) })
			})
		}
	})
	join := func(signature string, many bool) {
		b.generics(signature, func(t []*netType) nativeFunc {
			return func(_ *machine, a []Value) Value {
				outer, inner, outerKey, innerKey, d := sourceOf(a[0]), sourceOf(a[1]), a[2].(*delegate), a[3].(*delegate), a[4].(*delegate)
				return lazy(t[3], func(m *machine, visit func(Value) bool) {
					_, index := groups(m, t[2], t[1], inner, innerKey, nil, nil)
					iterate(m, outer, func(v Value) bool {
						g := index[keyOf(outerKey.invoke(m, v))]
						if many {
							var items []Value
							if g != nil {
								items = g.items
							}
							return visit(d.invoke(m, v, sequenceOf(t[1], items)))
						}
						if g == nil {
							return true
						}
						for _, w := range g.items {
							if !visit(d.invoke(m, v, w)) {
								return false
							}
						}
						return true
					})
				})
			}
		})
	}
	join("static IEnumerable<R> Join<T, U, K, R>(this IEnumerable<T> outer, IEnumerable<U> inner, Func<T, K> outerKey, Func<U, K> innerKey, Func<T, U, R> result)", false)
	join("static IEnumerable<R> GroupJoin<T, U, K, R>(this IEnumerable<T> outer, IEnumerable<U> inner, Func<T, K> outerKey, Func<U, K> innerKey, Func<T, IEnumerable<U>, R> result)", true)
	table := func(m *machine, k, e *netType, a []Value, element *delegate, c Value) Value {
		list, index := groups(m, k, e, sourceOf(a[0]), a[1].(*delegate), element, comparerOf(c))
		return &lookupTable{construct(m.env.generic("ILookup", 2), k, e), list, index, comparerOf(c)}
	}
	b.generics("static ILookup<K, T> ToLookup<T, K>(this IEnumerable<T> source, Func<T, K> key)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return table(m, t[1], t[0], a, nil, nil) }
	})
	b.generics("static ILookup<K, E> ToLookup<T, K, E>(this IEnumerable<T> source, Func<T, K> key, Func<T, E> element)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return table(m, t[1], t[2], a, a[2].(*delegate), nil) }
	})
	b.on("ILookup`2")
	b.property("int Count", func(v Value) Value { return int32(len(v.(*lookupTable).list)) })
	b.method("bool Contains(K key)", func(a []Value) Value {
		l := a[0].(*lookupTable)
		return l.index[l.by.keyOf(a[1])] != nil
	})
	b.generics("IEnumerable<E> this[K key]", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			l := a[0].(*lookupTable)
			if g := l.index[l.by.keyOf(a[1])]; g != nil {
				return g
			}
			return sequenceOf(t[1], nil)
		}
	})
}

// ordering declares OrderBy and ThenBy.
func (b *library) ordering() {
	b.on("Enumerable")
	sorted := func(m *machine, element *netType, base Value, order []ordering) Value {
		s := &sequence{element: element, typ: construct(m.env.generic("IOrderedEnumerable", 1), element), base: base, order: order}
		s.each = func(m *machine, visit func(Value) bool) {
			for _, v := range sortByKeys(m, collect(m, base), order) {
				if !visit(v) {
					return
				}
			}
		}
		return s
	}
	for name, descending := range map[string]bool{"By": false, "ByDescending": true} {
		for _, by := range []string{"", ", IComparer<K> comparer"} {
			next := func(a []Value) ordering {
				o := ordering{key: a[1].(*delegate), descending: descending}
				if by != "" {
					o.compare = a[2]
				}
				return o
			}
			b.generics("static IOrderedEnumerable<T> Order"+name+"<T, K>(this IEnumerable<T> source, Func<T, K> key"+by+")", func(t []*netType) nativeFunc {
				return func(m *machine, a []Value) Value { return sorted(m, t[0], sourceOf(a[0]), []ordering{next(a)}) }
			})
			b.generics("static IOrderedEnumerable<T> Then"+name+"<T, K>(this IOrderedEnumerable<T> source, Func<T, K> key"+by+")", func(t []*netType) nativeFunc {
				return func(m *machine, a []Value) Value {
					s := sourceOf(a[0]).(*sequence)
					return sorted(m, t[0], s.base, append(slices.Clone(s.order), next(a)))
				}
			})
		}
	}
}

// sortByKeys sorts stably by several keys, each computed once.
func sortByKeys(m *machine, items []Value, order []ordering) []Value {
	keys := make([][]Value, len(items))
	index := make([]int, len(items))
	for i, v := range items {
		m.charge(valueSize * (1 + len(order)))
		index[i] = i
		for _, o := range order {
			keys[i] = append(keys[i], o.key.invoke(m, v))
		}
	}
	compares := make([]func(a, b Value) int, len(order))
	for i, o := range order {
		compares[i] = byDefault(m, o.compare)
	}
	sort.SliceStable(index, func(i, j int) bool {
		m.step(1)
		for k, o := range order {
			n := compares[k](keys[index[i]][k], keys[index[j]][k])
			if o.descending {
				n = -n
			}
			if n != 0 {
				return n < 0
			}
		}
		return false
	})
	out := make([]Value, len(items))
	for i, j := range index {
		out[i] = items[j]
	}
	return out
}

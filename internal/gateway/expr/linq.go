package expr

import "slices"

// ordering is one key of OrderBy and ThenBy.
type ordering struct {
	key        *delegate
	descending bool
	compare    Value
}

// lazy makes a sequence.
func lazy(element *netType, each func(m *machine, visit func(Value) bool)) Value {
	return &sequence{element: element, each: each}
}

func throwNoElements() { throw("InvalidOperationException", "Sequence contains no elements") }

// sourceOf is the first argument of a LINQ method, which must not be null.
func sourceOf(v Value) Value {
	if v == nil {
		throwArgumentNull("source")
	}
	return v
}

// enumerables declares System.Linq.Enumerable, but for grouping and ordering.
func (b *library) enumerables() {
	b.on("Enumerable")
	b.projections()
	b.filters()
	b.elements()
	b.aggregates()
	b.setOperations()
	b.conversionsOfSequences()
}

func (b *library) projections() {
	b.generics("static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, R> selector)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, d := sourceOf(a[0]), a[1].(*delegate)
			return lazy(t[1], func(m *machine, visit func(Value) bool) {
				iterate(m, source, func(v Value) bool { return visit(d.invoke(m, v)) })
			})
		}
	})
	b.generics("static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, int, R> selector)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, d := sourceOf(a[0]), a[1].(*delegate)
			return lazy(t[1], func(m *machine, visit func(Value) bool) {
				i := int32(-1)
				iterate(m, source, func(v Value) bool { i++; return visit(d.invoke(m, v, i)) })
			})
		}
	})
	b.generics("static IEnumerable<R> SelectMany<T, R>(this IEnumerable<T> source, Func<T, IEnumerable<R>> selector)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, d := sourceOf(a[0]), a[1].(*delegate)
			return lazy(t[1], func(m *machine, visit func(Value) bool) {
				iterate(m, source, func(v Value) bool {
					more := true
					iterate(m, d.invoke(m, v), func(w Value) bool { m.step(1); more = visit(w); return more })
					return more
				})
			})
		}
	})
	b.generics("static IEnumerable<R> SelectMany<T, C, R>(this IEnumerable<T> source, Func<T, IEnumerable<C>> collection, Func<T, C, R> result)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, d, r := sourceOf(a[0]), a[1].(*delegate), a[2].(*delegate)
			return lazy(t[2], func(m *machine, visit func(Value) bool) {
				iterate(m, source, func(v Value) bool {
					more := true
					iterate(m, d.invoke(m, v), func(w Value) bool { more = visit(r.invoke(m, v, w)); return more })
					return more
				})
			})
		}
	})
	b.generics("static IEnumerable<R> Zip<T, U, R>(this IEnumerable<T> first, IEnumerable<U> second, Func<T, U, R> result)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, other, r := sourceOf(a[0]), sourceOf(a[1]), a[2].(*delegate)
			return lazy(t[2], func(m *machine, visit func(Value) bool) {
				second := collect(m, other)
				i := 0
				iterate(m, source, func(v Value) bool {
					if i >= len(second) {
						return false
					}
					i++
					return visit(r.invoke(m, v, second[i-1]))
				})
			})
		}
	})
	cast := func(signature string, only bool) {
		b.generics(signature, func(t []*netType) nativeFunc {
			return func(_ *machine, a []Value) Value {
				source := sourceOf(a[0])
				return lazy(t[0], func(m *machine, visit func(Value) bool) {
					iterate(m, source, func(v Value) bool {
						m.step(1)
						if only {
							if v == nil || !m.env.isInstance(v, t[0]) {
								return true
							}
							return visit(v)
						}
						return visit(m.cast(v, t[0]))
					})
				})
			}
		})
	}
	cast("static IEnumerable<R> Cast<R>(this IEnumerable source)", false)
	cast("static IEnumerable<R> OfType<R>(this IEnumerable source)", true)
	b.generics("static IEnumerable<T> AsEnumerable<T>(this IEnumerable<T> source)", func([]*netType) nativeFunc { return func(_ *machine, a []Value) Value { return a[0] } })
	b.native("static IEnumerable<int> Range(int start, int count)", func(m *machine, a []Value) Value {
		start, n := intOf(a[0]), intOf(a[1])
		if n < 0 || start+n-1 > 1<<31-1 {
			throwOutOfRange("Specified argument was out of the range of valid values.", "count")
		}
		return lazy(m.env.primitives[primInt], func(m *machine, visit func(Value) bool) {
			for i := range n {
				m.step(1)
				if !visit(int32(start + i)) {
					return
				}
			}
		})
	})
	b.generics("static IEnumerable<T> Repeat<T>(T element, int count)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			v, n := a[0], intOf(a[1])
			if n < 0 {
				throwOutOfRange("Specified argument was out of the range of valid values.", "count")
			}
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				for range n {
					m.step(1)
					if !visit(v) {
						return
					}
				}
			})
		}
	})
	b.generics("static IEnumerable<T> Empty<T>()", func(t []*netType) nativeFunc { return func(*machine, []Value) Value { return sequenceOf(t[0], nil) } })
}

func (b *library) filters() {
	// filter makes a lazy method of a source and one more argument; accept is called for each run anew.
	filter := func(signature string, accept func(m *machine, argument Value) func(v Value) (keep, more bool)) {
		b.generics(signature, func(t []*netType) nativeFunc {
			return func(_ *machine, a []Value) Value {
				source, argument := sourceOf(a[0]), a[1]
				return lazy(t[0], func(m *machine, visit func(Value) bool) {
					test := accept(m, argument)
					iterate(m, source, func(v Value) bool {
						m.step(1)
						keep, more := test(v)
						return (!keep || visit(v)) && more
					})
				})
			}
		})
	}
	filter("static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *machine, d Value) func(Value) (bool, bool) {
		return func(v Value) (bool, bool) { return d.(*delegate).invoke(m, v).(bool), true }
	})
	filter("static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> predicate)", func(m *machine, d Value) func(Value) (bool, bool) {
		i := int32(-1)
		return func(v Value) (bool, bool) { i++; return d.(*delegate).invoke(m, v, i).(bool), true }
	})
	filter("static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *machine, d Value) func(Value) (bool, bool) {
		return func(v Value) (bool, bool) { yes := d.(*delegate).invoke(m, v).(bool); return yes, yes }
	})
	filter("static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *machine, d Value) func(Value) (bool, bool) {
		started := false
		return func(v Value) (bool, bool) {
			started = started || !d.(*delegate).invoke(m, v).(bool)
			return started, true
		}
	})
	filter("static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)", func(_ *machine, n Value) func(Value) (bool, bool) {
		left := intOf(n)
		return func(Value) (bool, bool) { left--; return left < 0, true }
	})
	b.generics("static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, n := sourceOf(a[0]), intOf(a[1])
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				left := n
				if left <= 0 {
					return
				}
				iterate(m, source, func(v Value) bool { left--; return visit(v) && left > 0 })
			})
		}
	})
	// whole makes a lazy method that needs all elements at once.
	whole := func(signature string, change func(m *machine, items []Value, a []Value) []Value) {
		b.generics(signature, func(t []*netType) nativeFunc {
			return func(_ *machine, a []Value) Value {
				source, rest := sourceOf(a[0]), slices.Clone(a[1:])
				return lazy(t[0], func(m *machine, visit func(Value) bool) {
					for _, v := range change(m, collect(m, source), rest) {
						if !visit(v) {
							return
						}
					}
				})
			}
		})
	}
	whole("static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", func(_ *machine, items, _ []Value) []Value { slices.Reverse(items); return items })
	whole("static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)", func(_ *machine, items, a []Value) []Value {
		return items[max(len(items)-max(intOf(a[0]), 0), 0):]
	})
	whole("static IEnumerable<T> SkipLast<T>(this IEnumerable<T> source, int count)", func(_ *machine, items, a []Value) []Value {
		return items[:max(len(items)-max(intOf(a[0]), 0), 0)]
	})
	whole("static IEnumerable<T> Append<T>(this IEnumerable<T> source, T element)", func(_ *machine, items, a []Value) []Value { return append(items, a[0]) })
	whole("static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T element)", func(_ *machine, items, a []Value) []Value { return slices.Insert(items, 0, a[0]) })
	whole("static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)", func(_ *machine, items, a []Value) []Value {
		if len(items) == 0 {
			return a
		}
		return items
	})
	b.generics("static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source := sourceOf(a[0])
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				items := collect(m, source)
				if len(items) == 0 {
					items = []Value{m.env.zeroOf(t[0])}
				}
				sequenceOf(t[0], items).each(m, visit)
			})
		}
	})
	b.generics("static IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			first, second := sourceOf(a[0]), sourceOf(a[1])
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				more := true
				iterate(m, first, func(v Value) bool { more = visit(v); return more })
				if more {
					iterate(m, second, visit)
				}
			})
		}
	})
	b.generics("static IEnumerable<T[]> Chunk<T>(this IEnumerable<T> source, int size)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			source, size := sourceOf(a[0]), intOf(a[1])
			if size < 1 {
				throwOutOfRange("Specified argument was out of the range of valid values.", "size")
			}
			return lazy(m.env.arrayOf(t[0]), func(m *machine, visit func(Value) bool) {
				for part := range slices.Chunk(collect(m, source), size) {
					if !visit(arrayFrom(t[0], slices.Clone(part))) {
						return
					}
				}
			})
		}
	})
}

func (b *library) elements() {
	// All four search a (filtered) sequence; OrDefault gives default(T) where the others throw.
	for _, last := range []bool{false, true} {
		name := "First"
		if last {
			name = "Last"
		}
		find := func(m *machine, source Value, d *delegate) (found Value, ok bool) {
			if l, is := source.(*list); is && d == nil && len(l.items) > 0 {
				if last {
					return l.items[len(l.items)-1], true
				}
				return l.items[0], true
			}
			iterate(m, source, func(v Value) bool {
				m.step(1)
				if d == nil || d.invoke(m, v).(bool) {
					found, ok = v, true
					return last
				}
				return true
			})
			return found, ok
		}
		for _, filtered := range []bool{false, true} {
			list, message := "this IEnumerable<T> source", "Sequence contains no elements"
			if filtered {
				list, message = list+", Func<T, bool> predicate", "Sequence contains no matching element"
			}
			arg := func(a []Value) *delegate {
				if filtered {
					return a[1].(*delegate)
				}
				return nil
			}
			b.native("static T "+name+"<T>("+list+")", func(m *machine, a []Value) Value {
				v, ok := find(m, sourceOf(a[0]), arg(a))
				if !ok {
					throw("InvalidOperationException", message)
				}
				return v
			})
			b.generics("static T "+name+"OrDefault<T>("+list+")", func(t []*netType) nativeFunc {
				return func(m *machine, a []Value) Value {
					if v, ok := find(m, sourceOf(a[0]), arg(a)); ok {
						return v
					}
					return m.env.zeroOf(t[0])
				}
			})
		}
		b.native("static T "+name+"OrDefault<T>(this IEnumerable<T> source, T defaultValue)", func(m *machine, a []Value) Value {
			if v, ok := find(m, sourceOf(a[0]), nil); ok {
				return v
			}
			return a[1]
		})
	}
	single := func(m *machine, a []Value) (Value, bool) {
		var found Value
		n := 0
		iterate(m, sourceOf(a[0]), func(v Value) bool {
			m.step(1)
			if len(a) < 2 || a[1].(*delegate).invoke(m, v).(bool) {
				found = v
				n++
			}
			return n < 2
		})
		if n > 1 {
			if len(a) > 1 {
				throw("InvalidOperationException", "Sequence contains more than one matching element")
			}
			throw("InvalidOperationException", "Sequence contains more than one element")
		}
		return found, n == 1
	}
	for _, list := range []string{"this IEnumerable<T> source", "this IEnumerable<T> source, Func<T, bool> predicate"} {
		b.native("static T Single<T>("+list+")", func(m *machine, a []Value) Value {
			v, ok := single(m, a)
			if !ok {
				throwNoElements()
			}
			return v
		})
		b.generics("static T SingleOrDefault<T>("+list+")", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value {
				if v, ok := single(m, a); ok {
					return v
				}
				return m.env.zeroOf(t[0])
			}
		})
	}
	b.native("static T ElementAt<T>(this IEnumerable<T> source, int index)", func(m *machine, a []Value) Value {
		if x, ok := a[0].(arrayValue); ok && (intOf(a[1]) < 0 || intOf(a[1]) >= x.length()) {
			throwOutOfRange(indexMessage, "index")
		}
		return elementAt(m, sourceOf(a[0]), intOf(a[1]))
	})
	b.generics("static T ElementAtOrDefault<T>(this IEnumerable<T> source, int index)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			items := collect(m, sourceOf(a[0]))
			if i := intOf(a[1]); i >= 0 && i < len(items) {
				return items[i]
			}
			return m.env.zeroOf(t[0])
		}
	})
	b.native("static bool Any<T>(this IEnumerable<T> source)", func(m *machine, a []Value) Value {
		any := false
		iterate(m, sourceOf(a[0]), func(Value) bool { any = true; return false })
		return any
	})
	test := func(name string, want bool) {
		b.native("static bool "+name+"<T>(this IEnumerable<T> source, Func<T, bool> predicate)", func(m *machine, a []Value) Value {
			d, result := a[1].(*delegate), !want
			iterate(m, sourceOf(a[0]), func(v Value) bool {
				if d.invoke(m, v).(bool) == want {
					result = want
					return false
				}
				return true
			})
			return result
		})
	}
	test("Any", true)
	test("All", false)
	b.native("static bool Contains<T>(this IEnumerable<T> source, T value)", func(m *machine, a []Value) Value {
		if s, ok := a[0].(*hashSet); ok {
			return s.has(a[1])
		}
		return contains(m, sourceOf(a[0]), a[1], nil)
	})
	b.native("static bool Contains<T>(this IEnumerable<T> source, T value, IEqualityComparer<T> comparer)", func(m *machine, a []Value) Value {
		return contains(m, sourceOf(a[0]), a[1], comparerOf(a[2]))
	})
	b.native("static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second)", func(m *machine, a []Value) Value {
		return equalAll(collect(m, sourceOf(a[0])), collect(m, sourceOf(a[1])))
	})
	b.native("static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T> comparer)", func(m *machine, a []Value) Value {
		x, y, c := collect(m, sourceOf(a[0])), collect(m, sourceOf(a[1])), comparerOf(a[2])
		return slices.EqualFunc(x, y, func(u, w Value) bool { return c.equal(u, w) })
	})
}

func (b *library) setOperations() {
	// distinct makes a lazy method that keeps one of each; test decides by the set of the second sequence.
	operation := func(signature string, run func(m *machine, a []Value, seen *hashSet, visit func(Value) bool)) {
		for _, c := range []bool{false, true} {
			s := signature
			if c {
				s += ", IEqualityComparer<T> comparer"
			}
			b.generics(s+")", func(t []*netType) nativeFunc {
				return func(_ *machine, a []Value) Value {
					kept := slices.Clone(a)
					var by Value
					if c {
						by = a[len(a)-1]
					}
					sourceOf(a[0])
					return lazy(t[0], func(m *machine, visit func(Value) bool) {
						run(m, kept, newHashSet(nil, comparerOf(by)), visit)
					})
				}
			})
		}
	}
	operation("static IEnumerable<T> Distinct<T>(this IEnumerable<T> source", func(m *machine, a []Value, seen *hashSet, visit func(Value) bool) {
		iterate(m, a[0], func(v Value) bool { m.step(1); return !seen.add(m, v) || visit(v) })
	})
	operation("static IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second", func(m *machine, a []Value, seen *hashSet, visit func(Value) bool) {
		more := true
		for _, source := range a[:2] {
			iterate(m, source, func(v Value) bool {
				m.step(1)
				if seen.add(m, v) {
					more = visit(v)
				}
				return more
			})
			if !more {
				return
			}
		}
	})
	operation("static IEnumerable<T> Except<T>(this IEnumerable<T> first, IEnumerable<T> second", func(m *machine, a []Value, seen *hashSet, visit func(Value) bool) {
		iterate(m, a[1], func(v Value) bool { m.step(1); seen.add(m, v); return true })
		iterate(m, a[0], func(v Value) bool { m.step(1); return !seen.add(m, v) || visit(v) })
	})
	operation("static IEnumerable<T> Intersect<T>(this IEnumerable<T> first, IEnumerable<T> second", func(m *machine, a []Value, seen *hashSet, visit func(Value) bool) {
		iterate(m, a[1], func(v Value) bool { m.step(1); seen.add(m, v); return true })
		iterate(m, a[0], func(v Value) bool { m.step(1); return !seen.remove(v) || visit(v) })
	})
	b.generics("static IEnumerable<T> DistinctBy<T, K>(this IEnumerable<T> source, Func<T, K> key)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source, d := sourceOf(a[0]), a[1].(*delegate)
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				seen := newHashSet(nil, nil)
				iterate(m, source, func(v Value) bool { return !seen.add(m, d.invoke(m, v)) || visit(v) })
			})
		}
	})
}

func (b *library) conversionsOfSequences() {
	b.generics("static T[] ToArray<T>(this IEnumerable<T> source)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return arrayFrom(t[0], collect(m, sourceOf(a[0]))) }
	})
	b.generics("static List<T> ToList<T>(this IEnumerable<T> source)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.newList(t[0], collect(m, sourceOf(a[0]))) }
	})
	set := func(t []*netType, m *machine, source, c Value) Value {
		s := newHashSet(construct(m.env.generic("HashSet", 1), t[0]), comparerOf(c))
		iterate(m, sourceOf(source), func(v Value) bool { s.add(m, v); return true })
		return s
	}
	b.generics("static HashSet<T> ToHashSet<T>(this IEnumerable<T> source)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return set(t, m, a[0], nil) }
	})
	b.generics("static HashSet<T> ToHashSet<T>(this IEnumerable<T> source, IEqualityComparer<T> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return set(t, m, a[0], a[1]) }
	})
	table := func(k, v *netType, m *machine, source Value, key, value *delegate, c Value) Value {
		d := m.newDictionary(k, v, comparerOf(c))
		iterate(m, sourceOf(source), func(x Value) bool {
			y := x
			kv := key.invoke(m, x)
			if value != nil {
				y = value.invoke(m, x)
			}
			d.add(m, kv, y)
			return true
		})
		return d
	}
	b.generics("static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> key)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return table(t[1], t[0], m, a[0], a[1].(*delegate), nil, nil) }
	})
	b.generics("static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> key, IEqualityComparer<K> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return table(t[1], t[0], m, a[0], a[1].(*delegate), nil, a[2]) }
	})
	b.generics("static Dictionary<K, E> ToDictionary<T, K, E>(this IEnumerable<T> source, Func<T, K> key, Func<T, E> element)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			return table(t[1], t[2], m, a[0], a[1].(*delegate), a[2].(*delegate), nil)
		}
	})
	b.generics("static Dictionary<K, E> ToDictionary<T, K, E>(this IEnumerable<T> source, Func<T, K> key, Func<T, E> element, IEqualityComparer<K> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			return table(t[1], t[2], m, a[0], a[1].(*delegate), a[2].(*delegate), a[3])
		}
	})
}

package expr

// dictionaries declares Dictionary and the dictionary interfaces.
func (b *library) dictionaries() {
	b.on("Dictionary`2")
	create := func(t []*netType, m *machine, from, c Value) Value {
		d := m.newDictionary(t[0], t[1], comparerOf(c))
		if from != nil {
			iterate(m, from, func(v Value) bool {
				p := v.(*keyValue)
				d.add(m, p.key, p.value)
				return true
			})
		}
		return d
	}
	b.generics("new()", func(t []*netType) nativeFunc {
		return func(m *machine, _ []Value) Value { return create(t, m, nil, nil) }
	})
	b.generics("new(int capacity)", func(t []*netType) nativeFunc {
		return func(m *machine, _ []Value) Value { return create(t, m, nil, nil) }
	})
	b.generics("new(IEqualityComparer<K> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, nil, a[0]) }
	})
	b.generics("new(IDictionary<K, V> dictionary)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, a[0], nil) }
	})
	b.generics("new(IDictionary<K, V> dictionary, IEqualityComparer<K> comparer)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return create(t, m, a[0], a[1]) }
	})
	b.native("V this[K key]", func(m *machine, a []Value) Value {
		p, ok := a[0].(*dictionary).find(a[1])
		if !ok {
			throwMissingKey(m, a[1])
		}
		return p.value
	})
	b.set("this", nativeFunc(func(m *machine, a []Value) Value {
		d := a[0].(*dictionary)
		d.set(m, a[1], a[2])
		return nil
	}))
	b.property("int Count", func(v Value) Value { return int32(len(v.(*dictionary).index)) })
	b.generics("IEnumerable<K> Keys", func(t []*netType) nativeFunc { return pairPart(t[0], true) })
	b.generics("IEnumerable<V> Values", func(t []*netType) nativeFunc { return pairPart(t[1], false) })
	b.native("void Add(K key, V value)", func(m *machine, a []Value) Value { a[0].(*dictionary).add(m, a[1], a[2]); return nil })
	b.native("bool TryAdd(K key, V value)", func(m *machine, a []Value) Value {
		if _, ok := a[0].(*dictionary).find(a[1]); ok {
			return false
		}
		a[0].(*dictionary).set(m, a[1], a[2])
		return true
	})
	b.method("bool ContainsKey(K key)", func(a []Value) Value { _, ok := a[0].(*dictionary).find(a[1]); return ok })
	b.native("bool ContainsValue(V value)", func(m *machine, a []Value) Value {
		found := false
		iterate(m, a[0], func(v Value) bool { found = equalsValue(v.(*keyValue).value, a[1]); return !found })
		return found
	})
	b.method("bool Remove(K key)", func(a []Value) Value { _, ok := a[0].(*dictionary).remove(a[1]); return ok })
	b.method("void Clear()", func(a []Value) Value {
		d := a[0].(*dictionary)
		*d = dictionary{typ: d.typ, comparer: d.comparer, index: map[any]int{}, version: d.version + 1}
		return nil
	})
	b.generics("bool TryGetValue(K key, out V value)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			p, ok := a[0].(*dictionary).find(a[1])
			a[2].(*reference).value = m.env.zeroOf(t[1])
			if ok {
				a[2].(*reference).value = p.value
			}
			return ok
		}
	})
	for _, name := range []string{"IReadOnlyDictionary`2", "IDictionary`2"} {
		b.on(name)
		b.native("V this[K key]", func(m *machine, a []Value) Value {
			v, ok := lookup(m, a[0], a[1])
			if !ok {
				throwMissingKey(m, a[1])
			}
			return v
		})
		if name == "IDictionary`2" {
			b.set("this", nativeFunc(func(m *machine, a []Value) Value { a[0].(*dictionary).set(m, a[1], a[2]); return nil }))
			b.native("void Add(K key, V value)", func(m *machine, a []Value) Value { a[0].(*dictionary).add(m, a[1], a[2]); return nil })
			b.native("bool Remove(K key)", func(_ *machine, a []Value) Value { _, ok := a[0].(*dictionary).remove(a[1]); return ok })
		}
		b.native("bool ContainsKey(K key)", func(m *machine, a []Value) Value { _, ok := lookup(m, a[0], a[1]); return ok })
		b.generics("bool TryGetValue(K key, out V value)", func(t []*netType) nativeFunc {
			return func(m *machine, a []Value) Value {
				v, ok := lookup(m, a[0], a[1])
				a[2].(*reference).value = m.env.zeroOf(t[1])
				if ok {
					a[2].(*reference).value = v
				}
				return ok
			}
		})
		b.generics("IEnumerable<K> Keys", func(t []*netType) nativeFunc { return pairPart(t[0], true) })
		b.generics("IEnumerable<V> Values", func(t []*netType) nativeFunc { return pairPart(t[1], false) })
	}
}

func throwMissingKey(m *machine, key Value) {
	throwFull("System.Collections.Generic.KeyNotFoundException", "The given key '"+m.text(key)+"' was not present in the dictionary.")
}

// pairPart is the sequence of the keys or the values of a dictionary.
func pairPart(element *netType, keys bool) nativeFunc {
	return func(_ *machine, a []Value) Value {
		source := a[0]
		return &sequence{element: element, each: func(m *machine, visit func(Value) bool) {
			iterate(m, source, func(v Value) bool {
				p := v.(*keyValue)
				if keys {
					return visit(p.key)
				}
				return visit(p.value)
			})
		}}
	}
}

// keyed is a dictionary of the gateway's own.
type keyed interface {
	lookup(m *machine, key string) (Value, bool)
}

// lookup finds a key in any dictionary.
func lookup(m *machine, source, key Value) (Value, bool) {
	if key == nil {
		throwArgumentNull("key")
	}
	switch d := source.(type) {
	case *dictionary:
		p, ok := d.find(key)
		if !ok {
			return nil, false
		}
		return p.value, true
	case *jObject:
		t := d.get(key.(string))
		return tokenOrNil(t), t != nil
	case keyed:
		return d.lookup(m, key.(string))
	}
	return nil, false
}

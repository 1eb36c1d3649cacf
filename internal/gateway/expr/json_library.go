package expr

import (
	"slices"
	"strings"
)

func throwArgument(message string) { throw("ArgumentException", message) }

// kindName is the name of a token type in messages.
func kindName(t jToken) string {
	return [...]string{"None", "Object", "Array", "Constructor", "Property", "Comment", "Integer", "Float", "String", "Boolean", "Null", "Undefined", "Date", "Raw", "Bytes", "Guid", "Uri", "TimeSpan"}[t.kind()]
}

// indexToken is token[key].
func indexToken(t jToken, key Value) Value {
	switch x := t.(type) {
	case *jObject:
		name, ok := key.(string)
		if !ok {
			throwArgument("Accessed JObject values with invalid key value: " + quoteKey(key) + ". Object property name expected.")
		}
		return tokenOrNil(x.get(name))
	case *jArray:
		i, ok := key.(int32)
		if !ok {
			throwArgument("Accessed JArray values with invalid key value: " + quoteKey(key) + ". Int32 array index expected.")
		}
		if i < 0 || int(i) >= len(x.items) {
			throwOutOfRange(indexMessage, "index")
		}
		return x.items[i]
	}
	throw("InvalidOperationException", "Cannot access child value on "+tokenTypeName(t)+".")
	return nil
}

func quoteKey(key Value) string {
	if s, ok := key.(string); ok {
		return `"` + s + `"`
	}
	if n, ok := key.(int32); ok {
		return itoa(int(n))
	}
	return "null"
}

func setToken(m *machine, t jToken, key, v Value) {
	switch x := t.(type) {
	case *jObject:
		name, ok := key.(string)
		if !ok {
			throwArgument("Set JObject values with invalid key value: " + quoteKey(key) + ". Object property name expected.")
		}
		x.set(m, name, m.tokenFor(v))
	case *jArray:
		i, ok := key.(int32)
		if !ok {
			throwArgument("Set JArray values with invalid key value: " + quoteKey(key) + ". Int32 array index expected.")
		}
		if i < 0 || int(i) >= len(x.items) {
			throwOutOfRange(indexMessage, "index")
		}
		x.replaceToken(m, x.items[i], m.tokenFor(v))
	default:
		throw("InvalidOperationException", "Cannot set child value on "+tokenTypeName(t)+".")
	}
}

// descend visits all tokens below t.
func descend(m *machine, t jToken, visit func(jToken) bool) bool {
	c, ok := t.(jContainer)
	if !ok {
		return true
	}
	m.enterCall()
	defer m.leaveCall()
	for _, x := range slices.Clone(c.children()) {
		m.step(1)
		if !visit(x) || !descend(m, x, visit) {
			return false
		}
	}
	return true
}

// pathOf is JToken.Path.
func pathOf(t jToken) string {
	path := ""
	for {
		parent := t.holder().parent
		if parent == nil {
			return path
		}
		switch p := parent.(type) {
		case *jObject:
			name := t.(*jProperty).name
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$") != "" {
				name = "['" + name + "']"
			}
			if path != "" && path[0] != '[' {
				name += "."
			}
			path = name + path
		case *jArray:
			step := "[" + itoa(p.indexOf(t)) + "]"
			if path != "" && path[0] != '[' {
				step += "."
			}
			path = step + path
		}
		t = parent
	}
}

// tokenSequence is a lazy sequence of tokens of a static type.
func tokenSequence(m *machine, name string, each func(m *machine, visit func(Value) bool)) Value {
	return &sequence{element: m.env.named(name), each: each}
}

// tokens declares JToken and the LINQ extensions of tokens.
func (b *library) tokens() {
	b.on("JToken")
	kinds := b.env.named("JTokenType")
	b.property("JTokenType Type", func(v Value) Value { return Enum{kinds, int64(v.(jToken).kind())} })
	b.property("bool HasValues", func(v Value) Value { c, ok := v.(jContainer); return ok && len(c.children()) > 0 })
	b.property("string Path", func(v Value) Value { return pathOf(v.(jToken)) })
	b.property("JContainer Parent", func(v Value) Value {
		if p := v.(jToken).holder().parent; p != nil {
			return p
		}
		return nil
	})
	b.property("JToken Root", func(v Value) Value {
		t := v.(jToken)
		for t.holder().parent != nil {
			t = t.holder().parent
		}
		return t
	})
	end := func(last bool) func(v Value) Value {
		return func(v Value) Value {
			c, ok := v.(jContainer)
			if !ok {
				throw("InvalidOperationException", "Cannot access child value on "+tokenTypeName(v.(jToken))+".")
			}
			list := c.children()
			if len(list) == 0 {
				return nil
			}
			if last {
				return list[len(list)-1]
			}
			return list[0]
		}
	}
	b.property("JToken First", end(false))
	b.property("JToken Last", end(true))
	sibling := func(step int) func(v Value) Value {
		return func(v Value) Value {
			t := v.(jToken)
			if t.holder().parent == nil {
				return nil
			}
			list := t.holder().parent.children()
			i := slices.IndexFunc(list, func(x jToken) bool { return x == t }) + step
			if i < 0 || i >= len(list) {
				return nil
			}
			return list[i]
		}
	}
	b.property("JToken Next", sibling(1))
	b.property("JToken Previous", sibling(-1))
	b.native("JToken this[object key]", func(_ *machine, a []Value) Value { return indexToken(a[0].(jToken), a[1]) })
	b.set("this", nativeFunc(func(m *machine, a []Value) Value { setToken(m, a[0].(jToken), a[1], a[2]); return nil }))
	b.native("string ToString(Formatting formatting, params object[] converters)", func(m *machine, a []Value) Value {
		return jsonText(m, a[0].(jToken), a[1].(Enum).n == 1)
	})
	b.native("JToken DeepClone()", func(m *machine, a []Value) Value { return cloneToken(m, a[0].(jToken)) })
	b.native("static bool DeepEquals(JToken t1, JToken t2)", func(m *machine, a []Value) Value {
		x, _ := a[0].(jToken)
		y, _ := a[1].(jToken)
		return deepEqual(m, x, y)
	})
	b.native("static JToken Parse(string json)", func(m *machine, a []Value) Value { return parseJSON(m, textArgument(a[0], "s"), 1) })
	b.native("static JToken FromObject(object o)", func(m *machine, a []Value) Value { return fromObject(m, a[0]) })
	b.generics("T Value<T>(object key)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.tokenTo(indexToken(a[0].(jToken), a[1]), t[0]) }
	})
	b.generics("T ToObject<T>()", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.deserialize(a[0].(jToken), t[0], "") }
	})
	b.native("object ToObject(Type objectType)", func(m *machine, a []Value) Value { return m.deserialize(a[0].(jToken), a[1].(*typeValue).typ, "") })
	b.native("IEnumerable<JToken> Children()", func(m *machine, a []Value) Value {
		t := a[0]
		return tokenSequence(m, "JToken", func(m *machine, visit func(Value) bool) { iterate(m, t, visit) })
	})
	b.generics("IEnumerable<T> Children<T>()", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source := a[0]
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				iterate(m, source, func(v Value) bool { return !m.env.isInstance(v, t[0]) || visit(v) })
			})
		}
	})
	b.native("JToken SelectToken(string path)", func(m *machine, a []Value) Value { return selectOne(m, a[0].(jToken), a[1], false) })
	b.native("JToken SelectToken(string path, bool errorWhenNoMatch)", func(m *machine, a []Value) Value { return selectOne(m, a[0].(jToken), a[1], a[2].(bool)) })
	b.native("IEnumerable<JToken> SelectTokens(string path)", func(m *machine, a []Value) Value {
		t, steps := a[0].(jToken), parsePath(textArgument(a[1], "path"))
		return tokenSequence(m, "JToken", func(m *machine, visit func(Value) bool) {
			for _, x := range selectPath(m, t, steps, false) {
				if !visit(x) {
					return
				}
			}
		})
	})
	b.treeChanges()
	b.generics("IEnumerable<T> Values<T>()", func(t []*netType) nativeFunc { return childValues(t) })
	b.on("TokenExtensions")
	b.generics("static IEnumerable<T> Values<T>(this IEnumerable<JToken> source)", func(t []*netType) nativeFunc {
		return func(_ *machine, a []Value) Value {
			source := sourceOf(a[0])
			return lazy(t[0], func(m *machine, visit func(Value) bool) {
				iterate(m, source, func(v Value) bool {
					more := true
					if c, ok := v.(jContainer); ok {
						for _, x := range c.children() {
							if more = visit(m.tokenTo(x, t[0])); !more {
								break
							}
						}
						return more
					}
					return visit(m.tokenTo(v, t[0]))
				})
			})
		}
	})
	b.native("static IEnumerable<JToken> Children<T>(this IEnumerable<T> source)", func(m *machine, a []Value) Value {
		source := sourceOf(a[0])
		return tokenSequence(m, "JToken", func(m *machine, visit func(Value) bool) {
			iterate(m, source, func(v Value) bool {
				more := true
				iterate(m, v, func(x Value) bool { more = visit(x); return more })
				return more
			})
		})
	})
	b.generics("static T Value<T>(this IEnumerable<JToken> value)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return m.tokenTo(a[0], t[0]) }
	})
}

// childValues is token.Values<T>().
func childValues(t []*netType) nativeFunc {
	return func(_ *machine, a []Value) Value {
		source := a[0]
		return lazy(t[0], func(m *machine, visit func(Value) bool) {
			iterate(m, source, func(v Value) bool { return visit(m.tokenTo(v, t[0])) })
		})
	}
}

// treeChanges declares Remove, Replace and the like.
func (b *library) treeChanges() {
	attached := func(v Value) (jToken, jContainer) {
		t := v.(jToken)
		if t.holder().parent == nil {
			throw("InvalidOperationException", "The parent is missing.")
		}
		return t, t.holder().parent
	}
	b.native("void Remove()", func(_ *machine, a []Value) Value {
		t, parent := attached(a[0])
		parent.removeToken(t)
		return nil
	})
	b.native("void Replace(JToken value)", func(m *machine, a []Value) Value {
		t, parent := attached(a[0])
		parent.replaceToken(m, t, m.tokenFor(a[1]))
		return nil
	})
	for name, after := range map[string]int{"AddBeforeSelf": 0, "AddAfterSelf": 1} {
		b.native("void "+name+"(object content)", func(m *machine, a []Value) Value {
			t, parent := attached(a[0])
			insertToken(m, parent, slices.IndexFunc(parent.children(), func(x jToken) bool { return x == t })+after, a[1])
			return nil
		})
	}
	tokens := func(signature string, walk func(m *machine, t jToken, visit func(jToken) bool)) {
		b.native(signature, func(m *machine, a []Value) Value {
			t := a[0].(jToken)
			return tokenSequence(m, "JToken", func(m *machine, visit func(Value) bool) {
				walk(m, t, func(x jToken) bool { return visit(x) })
			})
		})
	}
	tokens("IEnumerable<JToken> Ancestors()", func(_ *machine, t jToken, visit func(jToken) bool) {
		for p := t.holder().parent; p != nil && visit(p); p = p.holder().parent {
		}
	})
	tokens("IEnumerable<JToken> AncestorsAndSelf()", func(_ *machine, t jToken, visit func(jToken) bool) {
		for visit(t) {
			if t.holder().parent == nil {
				return
			}
			t = t.holder().parent
		}
	})
	b.on("JContainer")
	tokens("IEnumerable<JToken> Descendants()", func(m *machine, t jToken, visit func(jToken) bool) { descend(m, t, visit) })
	tokens("IEnumerable<JToken> DescendantsAndSelf()", func(m *machine, t jToken, visit func(jToken) bool) {
		if visit(t) {
			descend(m, t, visit)
		}
	})
	b.on("JToken")
}

// insertToken puts content into a container at a position.
func insertToken(m *machine, c jContainer, at int, content Value) {
	switch x := c.(type) {
	case *jArray:
		if at < 0 || at > len(x.items) {
			throwOutOfRange("Index must be within the bounds of the List.", "index")
		}
		m.charge(2 * valueSize)
		x.items = slices.Insert(x.items, at, adopt(m, m.tokenFor(content), x))
	case *jObject:
		p, ok := content.(*jProperty)
		if !ok {
			throwArgument("Can not add " + m.env.typeOf(content).reflectionName() + " to Newtonsoft.Json.Linq.JObject.")
		}
		x.addProperty(m, p, at)
	default:
		c.addToken(m, m.tokenFor(content))
	}
}

// addContent adds constructor arguments: sequences spread, other values become tokens.
func addContent(m *machine, c jContainer, content Value) {
	switch x := content.(type) {
	case jToken, string:
	case *array, *list, *sequence, *hashSet, *queue, *group:
		m.enterCall()
		iterate(m, x, func(v Value) bool { addContent(m, c, v); return true })
		m.leaveCall()
		return
	}
	c.addToken(m, m.tokenFor(content))
}

// fromObject is JToken.FromObject; a token is copied.
func fromObject(m *machine, v Value) jToken {
	if v == nil {
		throwArgumentNull("o")
	}
	if t, ok := v.(jToken); ok {
		return cloneToken(m, t)
	}
	return m.tokenFor(v)
}

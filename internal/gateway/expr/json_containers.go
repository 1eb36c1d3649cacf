package expr

import (
	"slices"
)

// tokenContainers declares JObject, JArray, JProperty and JValue.
func (b *library) tokenContainers() {
	parse := func(name string, kind jsonKind, message string) {
		b.on(name).native("static "+name+" Parse(string json)", func(m *machine, a []Value) Value {
			t := parseJSON(m, textArgument(a[0], "s"), 1)
			if t.kind() != kind {
				r := &jsonReader{src: " ", pos: 1}
				r.fail(message + map[bool]string{true: "StartArray", false: "StartObject"}[t.kind() == jsonArray] + ".")
			}
			return t
		})
	}
	b.on("JContainer").property("int Count", func(v Value) Value { return int32(len(v.(jContainer).children())) })
	b.native("void Add(object content)", func(m *machine, a []Value) Value { addContent(m, a[0].(jContainer), a[1]); return nil })
	b.native("void AddFirst(object content)", func(m *machine, a []Value) Value { insertToken(m, a[0].(jContainer), 0, a[1]); return nil })
	clear := func(_ *machine, a []Value) Value {
		c := a[0].(jContainer)
		for _, x := range slices.Clone(c.children()) {
			c.removeToken(x)
		}
		return nil
	}
	b.native("void RemoveAll()", clear)
	b.native("void ReplaceAll(object content)", func(m *machine, a []Value) Value { clear(m, a); addContent(m, a[0].(jContainer), a[1]); return nil })
	b.native("void Merge(object content)", func(m *machine, a []Value) Value { mergeTokens(m, a[0].(jContainer), a[1], 0, false); return nil })
	b.native("void Merge(object content, JsonMergeSettings settings)", func(m *machine, a []Value) Value {
		s := a[2].(*settings)
		mergeTokens(m, a[0].(jContainer), a[1], s.number("MergeArrayHandling"), s.number("MergeNullValueHandling") == 1)
		return nil
	})
	parse("JObject", jsonObject, "Error reading JObject from JsonReader. Current JsonReader item is not an object: ")
	b.native("new()", func(*machine, []Value) Value { return newObject() })
	object := func(m *machine, a []Value) Value {
		o := newObject()
		if other, ok := a[0].(*jObject); ok {
			return cloneToken(m, other)
		}
		addContent(m, o, a[0])
		return o
	}
	b.native("new(JObject other)", object)
	b.native("new(object content)", object)
	b.native("new(params object[] content)", object)
	b.native("static JObject FromObject(object o)", func(m *machine, a []Value) Value {
		t, ok := fromObject(m, a[0]).(*jObject)
		if !ok {
			throwArgument("Object serialized to " + kindName(m.tokenFor(a[0])) + ". JObject instance expected.")
		}
		return t
	})
	b.native("JToken this[string propertyName]", func(_ *machine, a []Value) Value {
		if a[1] == nil {
			throwArgumentNull("propertyName")
		}
		return tokenOrNil(a[0].(*jObject).get(a[1].(string)))
	})
	b.set("this", nativeFunc(func(m *machine, a []Value) Value {
		a[0].(*jObject).set(m, textArgument(a[1], "propertyName"), m.tokenFor(a[2]))
		return nil
	}))
	b.native("void Add(string propertyName, JToken value)", func(m *machine, a []Value) Value {
		o := a[0].(*jObject)
		o.addProperty(m, newProperty(m, textArgument(a[1], "propertyName"), m.tokenFor(a[2])), len(o.members))
		return nil
	})
	b.method("bool ContainsKey(string propertyName)", func(a []Value) Value { return a[0].(*jObject).index[textArgument(a[1], "propertyName")] != nil })
	b.method("bool Remove(string propertyName)", func(a []Value) Value {
		o := a[0].(*jObject)
		p := o.index[textArgument(a[1], "propertyName")]
		if p == nil {
			return false
		}
		o.removeToken(p)
		return true
	})
	property := func(o *jObject, name string, mode Value) *jProperty {
		if p := o.index[name]; p != nil {
			return p
		}
		if mode != nil {
			for _, p := range o.members {
				if equalText(p.name, name, mode) == true {
					return p
				}
			}
		}
		return nil
	}
	b.method("JToken GetValue(string propertyName)", func(a []Value) Value { return tokenOrNil(a[0].(*jObject).get(optionalText(a[1]))) })
	b.method("JToken GetValue(string propertyName, StringComparison comparison)", func(a []Value) Value {
		if p := property(a[0].(*jObject), optionalText(a[1]), a[2]); p != nil {
			return p.value
		}
		return nil
	})
	try := func(o *jObject, name, mode, out Value) Value {
		p := property(o, optionalText(name), mode)
		ref := out.(*reference)
		ref.value = nil
		if p != nil {
			ref.value = p.value
		}
		return p != nil
	}
	b.method("bool TryGetValue(string propertyName, out JToken value)", func(a []Value) Value { return try(a[0].(*jObject), a[1], nil, a[2]) })
	b.method("bool TryGetValue(string propertyName, StringComparison comparison, out JToken value)", func(a []Value) Value { return try(a[0].(*jObject), a[1], a[2], a[3]) })
	b.method("JProperty Property(string name)", func(a []Value) Value {
		if p := a[0].(*jObject).index[optionalText(a[1])]; p != nil {
			return p
		}
		return nil
	})
	b.method("JProperty Property(string name, StringComparison comparison)", func(a []Value) Value {
		if p := property(a[0].(*jObject), optionalText(a[1]), a[2]); p != nil {
			return p
		}
		return nil
	})
	b.native("IEnumerable<JProperty> Properties()", func(m *machine, a []Value) Value {
		o := a[0]
		return tokenSequence(m, "JProperty", func(m *machine, visit func(Value) bool) { iterate(m, o, visit) })
	})
	b.native("IEnumerable<JToken> PropertyValues()", func(m *machine, a []Value) Value {
		o := a[0]
		return tokenSequence(m, "JToken", func(m *machine, visit func(Value) bool) {
			iterate(m, o, func(v Value) bool { return visit(v.(*jProperty).value) })
		})
	})
	parse("JArray", jsonArray, "Error reading JArray from JsonReader. Current JsonReader item is not an array: ")
	b.native("new()", func(*machine, []Value) Value { return &jArray{} })
	list := func(m *machine, a []Value) Value {
		if other, ok := a[0].(*jArray); ok {
			return cloneToken(m, other)
		}
		x := &jArray{}
		addContent(m, x, a[0])
		return x
	}
	b.native("new(JArray other)", list)
	b.native("new(object content)", list)
	b.native("new(params object[] content)", list)
	b.native("static JArray FromObject(object o)", func(m *machine, a []Value) Value {
		t, ok := fromObject(m, a[0]).(*jArray)
		if !ok {
			throwArgument("Object serialized to " + kindName(m.tokenFor(a[0])) + ". JArray instance expected.")
		}
		return t
	})
	b.native("JToken this[int index]", func(_ *machine, a []Value) Value { return indexToken(a[0].(jToken), a[1]) })
	b.set("this", nativeFunc(func(m *machine, a []Value) Value { setToken(m, a[0].(jToken), a[1], a[2]); return nil }))
	b.native("void Add(JToken item)", func(m *machine, a []Value) Value { a[0].(*jArray).addToken(m, m.tokenFor(a[1])); return nil })
	b.native("void Insert(int index, JToken item)", func(m *machine, a []Value) Value { insertToken(m, a[0].(*jArray), intOf(a[1]), a[2]); return nil })
	b.method("int IndexOf(JToken item)", func(a []Value) Value { t, _ := a[1].(jToken); return int32(a[0].(*jArray).indexOf(t)) })
	b.method("bool Contains(JToken item)", func(a []Value) Value { t, _ := a[1].(jToken); return a[0].(*jArray).indexOf(t) >= 0 })
	b.method("bool Remove(JToken item)", func(a []Value) Value {
		x := a[0].(*jArray)
		t, _ := a[1].(jToken)
		found := x.indexOf(t) >= 0
		if found {
			x.removeToken(t)
		}
		return found
	})
	b.method("void RemoveAt(int index)", func(a []Value) Value {
		x := a[0].(*jArray)
		if i := intOf(a[1]); i < 0 || i >= len(x.items) {
			throwOutOfRange(indexMessage, "index")
		}
		x.removeToken(x.items[intOf(a[1])])
		return nil
	})
	b.native("void Clear()", clear)
	b.leaves()
}

func (b *library) leaves() {
	b.on("JProperty")
	property := func(m *machine, a []Value) Value {
		p := &jProperty{name: textArgument(a[0], "name")}
		content := a[1]
		if x, ok := content.(*array); ok && len(x.items) == 1 && len(a) == 2 && a[1] == content && x.element.prim == primObject {
			content = x.items[0]
		}
		p.value = adopt(m, m.tokenFor(content), p)
		return p
	}
	b.native("new(string name, object content)", func(m *machine, a []Value) Value {
		p := &jProperty{name: textArgument(a[0], "name")}
		p.value = adopt(m, m.tokenFor(a[1]), p)
		return p
	})
	b.native("new(string name, params object[] content)", property)
	b.property("string Name", func(v Value) Value { return v.(*jProperty).name })
	b.property("JToken Value", func(v Value) Value { return v.(*jProperty).value })
	b.set("Value", nativeFunc(func(m *machine, a []Value) Value {
		p := a[0].(*jProperty)
		p.replaceToken(m, p.value, m.tokenFor(a[1]))
		return nil
	}))
	b.on("JValue")
	for _, k := range []string{"object", "string", "long", "ulong", "double", "float", "decimal", "bool", "char", "DateTime", "DateTimeOffset", "TimeSpan", "Guid", "Uri"} {
		b.native("new("+k+" value)", func(m *machine, a []Value) Value {
			if a[0] == nil {
				return &jValue{is: jsonNull}
			}
			if v, ok := a[0].(*jValue); ok {
				return cloneToken(m, v)
			}
			v := valueToken(m, a[0])
			if v == nil {
				throwArgument("Could not determine JSON object type for type " + m.env.typeOf(a[0]).reflectionName() + ".")
			}
			return v
		})
	}
	b.property("object Value", func(v Value) Value { return v.(*jValue).value })
	b.set("Value", nativeFunc(func(m *machine, a []Value) Value {
		v := a[0].(*jValue)
		n := valueToken(m, a[1])
		if n == nil {
			n = &jValue{is: jsonNull}
		}
		v.is, v.value = n.is, n.value
		return nil
	}))
	b.native("string ToString(string format)", func(m *machine, a []Value) Value { return m.format(a[0].(*jValue).value, optionalText(a[1])) })
	b.native("string ToString(IFormatProvider provider)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.native("string ToString(string format, IFormatProvider provider)", func(m *machine, a []Value) Value { return m.format(a[0].(*jValue).value, optionalText(a[1])) })
	b.native("static JValue CreateNull()", func(*machine, []Value) Value { return &jValue{is: jsonNull} })
	b.native("static JValue CreateString(string value)", func(_ *machine, a []Value) Value { return &jValue{is: jsonString, value: a[0]} })
	b.method("bool Equals(JValue other)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
	b.native("int CompareTo(JValue obj)", func(m *machine, a []Value) Value { return int32(compareValues(m, a[0], a[1])) })
	b.on("JRaw").native("new(object rawJson)", func(m *machine, a []Value) Value { return &jValue{is: jsonRaw, value: m.text(a[0])} })
}

// mergeTokens is JContainer.Merge.
func mergeTokens(m *machine, target jContainer, content Value, arrays int, nulls bool) {
	m.enterCall()
	defer m.leaveCall()
	switch x := target.(type) {
	case *jObject:
		other, ok := content.(*jObject)
		if !ok {
			return
		}
		for _, p := range slices.Clone(other.members) {
			own := x.index[p.name]
			if own == nil {
				x.set(m, p.name, p.value)
				continue
			}
			if c, ok := own.value.(jContainer); ok && c.kind() == p.value.kind() {
				mergeTokens(m, c, p.value, arrays, nulls)
			} else if p.value.kind() != jsonNull || nulls {
				own.replaceToken(m, own.value, p.value)
			}
		}
	case *jArray:
		other, ok := m.tokenFor(content).(*jArray)
		if !ok {
			return
		}
		switch arrays {
		case 2:
			x.items = nil
		case 1:
			for _, t := range other.items {
				if !slices.ContainsFunc(x.items, func(o jToken) bool { return deepEqual(m, o, t) }) {
					x.addToken(m, t)
				}
			}
			return
		case 3:
			for i, t := range other.items {
				if i >= len(x.items) {
					x.addToken(m, t)
				} else if c, ok := x.items[i].(jContainer); ok && c.kind() == t.kind() {
					mergeTokens(m, c, t, arrays, nulls)
				} else if t.kind() != jsonNull {
					x.replaceToken(m, x.items[i], t)
				}
			}
			return
		}
		for _, t := range slices.Clone(other.items) {
			x.addToken(m, t)
		}
	}
}

package expr

import (
	"math/big"
	"strings"
)

// b64 and unb64 convert between bytes and Base64 text for JSON casts.
func b64(m *machine, a []Value) Value { return encodeBase64(m, a[0].(*Bytes).Data) }

func unb64(m *machine, a []Value) Value { return decodeBase64(m, a[0].(string)) }

// settings is a settings object of Newtonsoft: names with values that only the serializer reads.
type settings struct {
	typ    *netType
	values map[string]Value
}

func (s *settings) typeIn(*Environment) *netType { return s.typ }

func (s *settings) number(name string) int {
	if s == nil {
		return 0
	}
	e, _ := s.values[name].(Enum)
	return int(e.n)
}

// dates is the DateParseHandling of settings.
func (s *settings) dates() int {
	if s == nil || s.values["DateParseHandling"] == nil {
		return 1
	}
	return s.number("DateParseHandling")
}

func settingsOf(v Value) *settings {
	s, _ := v.(*settings)
	return s
}

// settingsType declares a settings class with its properties.
func (b *library) settingsType(name string, properties ...string) {
	b.on(name)
	t := b.current
	b.native("new()", func(*machine, []Value) Value { return &settings{t, map[string]Value{}} })
	for _, p := range properties {
		typ := b.env.named(p)
		b.property(p+" "+p, func(v Value) Value {
			if x := v.(*settings).values[p]; x != nil {
				return x
			}
			return Enum{typ, 0}
		})
		b.set(p, nativeFunc(func(_ *machine, a []Value) Value { a[0].(*settings).values[p] = a[1]; return nil }))
	}
}

// jsonConvert declares JsonConvert and the settings that it takes.
func (b *library) jsonConvert() {
	b.settingsType("JsonSerializerSettings", "NullValueHandling", "DefaultValueHandling", "DateParseHandling", "DateFormatHandling", "DateTimeZoneHandling", "FloatParseHandling", "Formatting")
	b.settingsType("JsonMergeSettings", "MergeArrayHandling", "MergeNullValueHandling")
	b.on("JsonConvert")
	serialize := func(m *machine, v Value, indented bool, s *settings) Value {
		t := m.tokenFor(v)
		if s != nil {
			indented = indented || s.number("Formatting") == 1
		}
		w := jsonWriter{m: m, indented: indented, noNulls: s.number("NullValueHandling") == 1}
		if _, token := v.(jToken); token {
			w.noNulls = false
		}
		w.token(t)
		return w.out.String()
	}
	b.native("static string SerializeObject(object value)", func(m *machine, a []Value) Value { return serialize(m, a[0], false, nil) })
	b.native("static string SerializeObject(object value, Formatting formatting)", func(m *machine, a []Value) Value { return serialize(m, a[0], a[1].(Enum).n == 1, nil) })
	b.native("static string SerializeObject(object value, JsonSerializerSettings settings)", func(m *machine, a []Value) Value { return serialize(m, a[0], false, settingsOf(a[1])) })
	b.native("static string SerializeObject(object value, Formatting formatting, JsonSerializerSettings settings)", func(m *machine, a []Value) Value {
		return serialize(m, a[0], a[1].(Enum).n == 1, settingsOf(a[2]))
	})
	read := func(m *machine, text Value, t *netType, s *settings) Value {
		src := textArgument(text, "value")
		if strings.TrimSpace(src) == "" {
			return m.env.zeroOf(t)
		}
		m.charge(len(src))
		r := &jsonReader{m: m, src: src, dates: s.dates(), exact: s.number("FloatParseHandling") == 1}
		token := r.value()
		r.space()
		if r.pos < len(src) {
			r.fail("Additional text encountered after finished reading JSON content: " + src[r.pos:r.pos+1] + ".")
		}
		return m.deserialize(token, t, src)
	}
	object := b.env.primitives[primObject]
	b.native("static object DeserializeObject(string value)", func(m *machine, a []Value) Value { return read(m, a[0], object, nil) })
	b.native("static object DeserializeObject(string value, JsonSerializerSettings settings)", func(m *machine, a []Value) Value { return read(m, a[0], object, settingsOf(a[1])) })
	b.native("static object DeserializeObject(string value, Type type)", func(m *machine, a []Value) Value { return read(m, a[0], a[1].(*typeValue).typ, nil) })
	b.generics("static T DeserializeObject<T>(string value)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return read(m, a[0], t[0], nil) }
	})
	b.generics("static T DeserializeObject<T>(string value, JsonSerializerSettings settings)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return read(m, a[0], t[0], settingsOf(a[1])) }
	})
	b.generics("static T DeserializeAnonymousType<T>(string value, T anonymousTypeObject)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return read(m, a[0], t[0], nil) }
	})
}

// tokenTo is Value<T>(): a token of the wanted type, or the conversion of what a leaf holds.
func (m *machine) tokenTo(v Value, t *netType) Value {
	if v == nil {
		return m.env.zeroOf(t)
	}
	if m.env.isInstance(v, t) && t.prim != primObject {
		return v
	}
	leaf, ok := v.(*jValue)
	if !ok {
		if t.prim == primObject {
			return v
		}
		throw("InvalidCastException", "Cannot cast "+tokenTypeName(v.(jToken))+" to "+t.reflectionName()+".")
	}
	if t.prim == primObject {
		return leaf
	}
	if leaf.value == nil {
		if t.isValueType() && t.kind != nullableKind {
			throw("InvalidCastException", "Null object cannot be converted to a value type.")
		}
		return nil
	}
	if m.env.isInstance(leaf.value, t) {
		return leaf.value
	}
	u := t.underlying()
	switch {
	case u.prim == primString:
		return m.text(leaf.value)
	case u.prim >= primBool && u.prim <= primDecimal:
		return changeType(m, leaf.value, u.prim)
	}
	return castToken(m, v, t)
}

// failShape throws what Newtonsoft throws where JSON has another shape than the type.
func (m *machine) failShape(t jToken, want *netType) {
	what := map[jsonKind]string{jsonObject: "object (e.g. {\"name\":\"value\"})", jsonArray: "array (e.g. [1,2,3])"}[t.kind()]
	if what == "" {
		throwFull("Newtonsoft.Json.JsonSerializationException", "Error converting value "+jsonText(m, t, false)+" to type '"+want.reflectionName()+"'. Path '"+pathOf(t)+"'.")
	}
	throwFull("Newtonsoft.Json.JsonSerializationException", "Cannot deserialize the current JSON "+what+" into type '"+want.reflectionName()+"' because the type requires another JSON value to deserialize correctly. Path '"+pathOf(t)+"'.")
}

// deserialize makes a value of a type from a token.
func (m *machine) deserialize(t jToken, want *netType, src string) Value {
	m.enterCall()
	defer m.leaveCall()
	m.step(1)
	leaf, isLeaf := t.(*jValue)
	u := want.underlying()
	switch {
	case u.prim == primObject || u.kind == dynamicKind:
		if isLeaf {
			return leaf.value
		}
		t.holder().parent = nil
		return t
	case m.env.referenceConvertible(u, m.env.named("JToken")):
		if isLeaf && leaf.value == nil && u.name != "JToken" && u.name != "JValue" {
			return nil
		}
		if !m.env.isInstance(t, u) {
			m.failShape(t, u)
		}
		t.holder().parent = nil
		return t
	case isLeaf && leaf.value == nil:
		if want.isReference() || want.kind == nullableKind {
			return nil
		}
		throwFull("Newtonsoft.Json.JsonSerializationException", "Error converting value {null} to type '"+want.reflectionName()+"'. Path '"+pathOf(t)+"'.")
	case u.kind == anonymousKind:
		o, ok := t.(*jObject)
		if !ok {
			m.failShape(t, u)
		}
		v := &anonymousValue{typ: u}
		for _, f := range u.fields {
			member := o.get(f.name)
			if member == nil {
				v.values = append(v.values, m.env.zeroOf(f.typ))
				continue
			}
			v.values = append(v.values, m.deserialize(member, f.typ, src))
		}
		return v
	}
	if k, v := dictionaryTypes(m.env, u); k != nil {
		o, ok := t.(*jObject)
		if !ok {
			m.failShape(t, u)
		}
		d := m.newDictionary(k, v, nil)
		for _, p := range o.members {
			d.set(m, m.deserialize(&jValue{is: jsonString, value: p.name}, k, src), m.deserialize(p.value, v, src))
		}
		return d
	}
	if u.prim == primString || u.prim == primBool || u.prim == primChar || u.prim.numeric() || u.isValueType() && u.kind != enumKind || u.name == "Uri" || u.kind == arrayKind && u.element().prim == primByte && isLeaf {
		if !isLeaf {
			if u.prim == primString || t.kind() == jsonArray || t.kind() == jsonObject {
				throwFull("Newtonsoft.Json.JsonReaderException", "Unexpected character encountered while parsing value. Path '"+pathOf(t)+"'.")
			}
			m.failShape(t, u)
		}
		return m.leafTo(leaf, u)
	}
	if u.kind == enumKind && isLeaf {
		if n, ok := leaf.value.(int64); ok {
			return Enum{u, n}
		}
		for i, name := range u.values.names {
			if strings.EqualFold(name, m.text(leaf.value)) {
				return Enum{u, u.values.values[i]}
			}
		}
	}
	if element := listElement(m.env, u); element != nil {
		a, ok := t.(*jArray)
		if !ok {
			m.failShape(t, u)
		}
		items := make([]Value, len(a.items))
		for i, x := range a.items {
			items[i] = m.deserialize(x, element, src)
		}
		switch {
		case u.kind == arrayKind:
			return arrayFrom(element, items)
		case u.name == "HashSet":
			s := newHashSet(u, nil)
			for _, x := range items {
				s.add(m, x)
			}
			return s
		}
		return m.newList(element, items)
	}
	m.failShape(t, u)
	return nil
}

// leafTo converts a leaf while deserializing; what does not convert is a serialization error.
func (m *machine) leafTo(leaf *jValue, t *netType) (v Value) {
	defer func() {
		if r := recover(); r != nil {
			e := exceptionOf(r)
			kind := "Newtonsoft.Json.JsonSerializationException"
			if leaf.is == jsonString && t.prim.numeric() || t.prim == primInt && leaf.is == jsonFloat {
				kind = "Newtonsoft.Json.JsonReaderException"
			}
			if e.Type == "System.OverflowException" {
				kind = "Newtonsoft.Json.JsonReaderException"
			}
			throwFull(kind, "Could not convert "+kindName(leaf)+" to "+t.name+": "+jsonText(m, leaf, false)+". Path '"+pathOf(leaf)+"'.")
		}
	}()
	switch {
	case t.prim == primString && leaf.is == jsonBoolean:
		return map[bool]string{true: "true", false: "false"}[leaf.value.(bool)]
	case t.prim == primString && leaf.is == jsonDate:
		return m.text(leaf.value)
	case t.prim.integral() && leaf.is == jsonFloat:
		throwFormat("not an integer")
	case t.prim == primDecimal && leaf.is == jsonFloat:
		return decimalOf(leaf.value)
	case t.prim == primBool && leaf.is == jsonString:
		return changeType(m, leaf.value, primBool)
	}
	if _, ok := leaf.value.(*big.Int); ok && !t.prim.numeric() {
		return m.text(leaf.value)
	}
	return castToken(m, leaf, t)
}

// dictionaryTypes returns the types of key and value if t can be made from a JSON object as a dictionary.
func dictionaryTypes(e *Environment, t *netType) (*netType, *netType) {
	switch t.name {
	case "Dictionary", "IDictionary", "IReadOnlyDictionary":
		if len(t.arguments) == 2 {
			return t.arguments[0], t.arguments[1]
		}
	}
	return nil, nil
}

// listElement returns the element type if t can be made from a JSON array.
func listElement(_ *Environment, t *netType) *netType {
	if t.kind == arrayKind {
		return t.element()
	}
	switch t.name {
	case "List", "IList", "IEnumerable", "ICollection", "IReadOnlyList", "IReadOnlyCollection", "HashSet":
		if len(t.arguments) == 1 {
			return t.arguments[0]
		}
	}
	return nil
}

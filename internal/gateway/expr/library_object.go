package expr

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// object declares System.Object, Enum, Type, Nullable, exceptions, tuples and key-value pairs.
func (b *library) object() {
	b.on("Object")
	b.native("new()", func(*machine, []Value) Value { return &plainObject{} })
	b.native("string ToString()", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.method("bool Equals(object obj)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
	b.method("int GetHashCode()", func(a []Value) Value {
		h := fnv.New32a()
		_, _ = h.Write([]byte(describeKey(keyOf(a[0]))))
		return int32(h.Sum32())
	})
	b.native("Type GetType()", func(m *machine, a []Value) Value { return &typeValue{m.env.typeOf(a[0])} })
	b.method("static bool Equals(object a, object b)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
	b.method("static bool ReferenceEquals(object a, object b)", func(a []Value) Value { return sameReference(a[0], a[1], true) })
	b.on("Type").property("string Name", func(v Value) Value {
		t := v.(*typeValue).typ
		if len(t.arguments) > 0 && t.kind != arrayKind {
			return t.name + "`" + itoa(len(t.arguments))
		}
		if t.kind == arrayKind {
			return t.element().name + "[]"
		}
		return t.name
	})
	b.property("string FullName", func(v Value) Value { return v.(*typeValue).typ.reflectionName() })
	b.enums()
	b.nullables()
	b.exceptions()
	b.tuples()
}

// plainObject is new object().
type plainObject struct{ _ byte }

func (b *library) enums() {
	b.on("Enum")
	parse := func(m *machine, t *netType, text Value, ignoreCase bool) (Value, bool) {
		s := strings.TrimSpace(textArgument(text, "value"))
		if t.kind != enumKind {
			throw("ArgumentException", "Type provided must be an Enum. (Parameter 'enumType')")
		}
		var n int64
		for part := range strings.SplitSeq(s, ",") {
			part = strings.TrimSpace(part)
			found := false
			for i, name := range t.values.names {
				if name == part || ignoreCase && strings.EqualFold(name, part) {
					n |= t.values.values[i]
					found = true
					break
				}
			}
			if !found {
				v, result := parseInteger(part, styleInteger, primInt)
				if result != parsed || part == "" {
					return nil, false
				}
				n |= int64(v.(int32))
			}
		}
		return Enum{t, n}, true
	}
	must := func(m *machine, t *netType, text Value, ignoreCase bool) Value {
		v, ok := parse(m, t, text, ignoreCase)
		if !ok {
			if strings.TrimSpace(text.(string)) == "" {
				throw("ArgumentException", "Must specify valid information for parsing in the string. (Parameter 'value')")
			}
			throw("ArgumentException", "Requested value '"+text.(string)+"' was not found.")
		}
		return v
	}
	b.native("static object Parse(Type enumType, string value)", func(m *machine, a []Value) Value { return must(m, a[0].(*typeValue).typ, a[1], false) })
	b.native("static object Parse(Type enumType, string value, bool ignoreCase)", func(m *machine, a []Value) Value {
		return must(m, a[0].(*typeValue).typ, a[1], a[2].(bool))
	})
	b.generics("static T Parse<T>(string value)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return must(m, t[0], a[0], false) }
	})
	b.generics("static T Parse<T>(string value, bool ignoreCase)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return must(m, t[0], a[0], a[1].(bool)) }
	})
	try := func(t *netType, m *machine, text Value, ignoreCase bool, out Value) Value {
		ref := out.(*reference)
		ref.value = m.env.zeroOf(t)
		if text == nil {
			return false
		}
		v, ok := parse(m, t, text, ignoreCase)
		if ok {
			ref.value = v
		}
		return ok
	}
	b.generics("static bool TryParse<T>(string value, out T result)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return try(t[0], m, a[0], false, a[1]) }
	})
	b.generics("static bool TryParse<T>(string value, bool ignoreCase, out T result)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value { return try(t[0], m, a[0], a[1].(bool), a[2]) }
	})
	b.method("static bool IsDefined(Type enumType, object value)", func(a []Value) Value {
		t := a[0].(*typeValue).typ
		for i, name := range t.values.names {
			if a[1] == name || equalsValue(a[1], Enum{t, t.values.values[i]}) {
				return true
			}
			if n, _, ok := wholeNumber(a[1]); ok && n == t.values.values[i] {
				return true
			}
		}
		return false
	})
	b.native("static string[] GetNames(Type enumType)", func(m *machine, a []Value) Value { return m.stringArray(a[0].(*typeValue).typ.values.names) })
	b.native("static string GetName(Type enumType, object value)", func(m *machine, a []Value) Value { return m.text(a[1]) })
	b.native("string ToString(string format)", func(m *machine, a []Value) Value { return a[0].(Enum).format(m, optionalText(a[1])) })
	b.method("bool HasFlag(Enum flag)", func(a []Value) Value { return a[0].(Enum).n&a[1].(Enum).n == a[1].(Enum).n })
	b.native("int CompareTo(object target)", compareToObject)
}

func (b *library) nullables() {
	b.on("Nullable`1")
	b.property("bool HasValue", func(v Value) Value { return v != nil })
	b.property("T Value", func(v Value) Value {
		if v == nil {
			throw("InvalidOperationException", "Nullable object must have a value.")
		}
		return v
	})
	b.generics("T GetValueOrDefault()", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			if a[0] == nil {
				return m.env.zeroOf(t[0])
			}
			return a[0]
		}
	})
	b.method("T GetValueOrDefault(T defaultValue)", func(a []Value) Value {
		if a[0] == nil {
			return a[1]
		}
		return a[0]
	})
	b.native("string ToString()", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.native("new(T value)", func(_ *machine, a []Value) Value { return a[0] })
}

func (b *library) exceptions() {
	var all []*netType
	for _, list := range b.env.types {
		for _, t := range list {
			for c := t; c != nil; c = c.base {
				if c == b.env.exception {
					all = append(all, t)
					break
				}
			}
		}
	}
	for _, t := range all {
		name := t.space + "." + t.name
		b.current = t
		b.native("new()", func(*machine, []Value) Value { return newException(name, "Exception of type '"+name+"' was thrown.") })
		b.native("new(string message)", func(_ *machine, a []Value) Value { return newException(name, optionalText(a[0])) })
		b.native("new(string message, Exception innerException)", func(_ *machine, a []Value) Value {
			e := newException(name, optionalText(a[0]))
			e.inner, _ = a[1].(*Exception)
			return e
		})
	}
	argument := func(name, message string, parameter Value) Value {
		if p := optionalText(parameter); p != "" {
			message += " (Parameter '" + p + "')"
		}
		return newException(name, message)
	}
	b.on("ArgumentException").native("new(string message, string paramName)", func(_ *machine, a []Value) Value {
		return argument("System.ArgumentException", optionalText(a[0]), a[1])
	})
	for name, message := range map[string]string{"ArgumentNullException": "Value cannot be null.", "ArgumentOutOfRangeException": "Specified argument was out of the range of valid values."} {
		b.on(name).native("new(string paramName, string message)", func(_ *machine, a []Value) Value { return argument("System."+name, optionalText(a[1]), a[0]) })
		for i, p := range b.pending {
			// Their constructor with one text takes the parameter's name, not the message.
			if p.owner == b.current && p.signature == "new(string message)" {
				b.pending[i].implementation = nativeFunc(func(_ *machine, a []Value) Value { return argument("System."+name, message, a[0]) })
			}
		}
	}
	b.on("Exception")
	b.property("string Message", func(v Value) Value { return v.(*Exception).Message })
	b.property("string StackTrace", func(Value) Value { return "" })
	b.property("string Source", func(Value) Value { return nil })
	b.property("Exception InnerException", func(v Value) Value {
		if e := v.(*Exception).inner; e != nil {
			return e
		}
		return nil
	})
	b.method("Exception GetBaseException()", func(a []Value) Value {
		e := a[0].(*Exception)
		for e.inner != nil {
			e = e.inner
		}
		return e
	})
}

func (b *library) tuples() {
	names := "ABCDE"
	for n := 1; n <= 5; n++ {
		t := b.env.generic("Tuple", n)
		b.current = t
		var generics, parameters []string
		for i := range n {
			generics = append(generics, names[i:i+1])
			parameters = append(parameters, names[i:i+1]+" item"+itoa(i+1))
			b.property(t.parameters[i].name+" Item"+itoa(i+1), func(v Value) Value { return v.(*tupleValue).values[i] })
		}
		var own []string
		for i := range n {
			own = append(own, t.parameters[i].name+" item"+itoa(i+1))
		}
		make := func(types []*netType) nativeFunc {
			typ := construct(t, types...)
			return func(m *machine, a []Value) Value {
				return &tupleValue{typ: typ, values: append([]Value(nil), a...), depth: m.structure(a)}
			}
		}
		b.generics("new("+strings.Join(own, ", ")+")", make)
		list := strings.Join(generics, ", ")
		b.on("Tuple").generics("static Tuple<"+list+"> Create<"+list+">("+strings.Join(parameters, ", ")+")", make)
	}
	b.on("KeyValuePair`2")
	b.property("K Key", func(v Value) Value { return v.(*keyValue).key })
	b.property("V Value", func(v Value) Value { return v.(*keyValue).value })
	b.generics("new(K key, V value)", func(t []*netType) nativeFunc {
		return func(m *machine, a []Value) Value {
			m.structure(a)
			return &keyValue{m.env.pairType(t[0], t[1]), a[0], a[1]}
		}
	})
}

// randomValue is System.Random. One without a seed draws from Go's generator; a seeded one is repeatable but draws other numbers than .NET's.
type randomValue struct{ source *rand.Rand }

func (r *randomValue) typeIn(e *Environment) *netType { return e.named("Random") }

func (r *randomValue) float() float64 {
	if r.source != nil {
		return r.source.Float64()
	}
	return rand.Float64()
}

func (r *randomValue) below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	if r.source != nil {
		return r.source.Int64N(n)
	}
	return rand.Int64N(n)
}

func (b *library) random() {
	b.on("Random")
	b.native("new()", func(*machine, []Value) Value { return &randomValue{} })
	b.native("new(int seed)", func(_ *machine, a []Value) Value {
		seed := uint64(uint32(a[0].(int32)))
		return &randomValue{rand.New(rand.NewPCG(seed, seed^0x9E3779B97F4A7C15))}
	})
	b.method("int Next()", func(a []Value) Value { return int32(a[0].(*randomValue).below(1<<31 - 1)) })
	b.method("int Next(int maxValue)", func(a []Value) Value {
		if intOf(a[1]) < 0 {
			throwOutOfRange("'maxValue' must be greater than zero.", "maxValue")
		}
		return int32(a[0].(*randomValue).below(int64(intOf(a[1]))))
	})
	b.method("int Next(int minValue, int maxValue)", func(a []Value) Value {
		least, most := int64(intOf(a[1])), int64(intOf(a[2]))
		if least > most {
			throwOutOfRange("'minValue' cannot be greater than maxValue.", "minValue")
		}
		return int32(least + a[0].(*randomValue).below(most-least))
	})
	b.method("double NextDouble()", func(a []Value) Value { return a[0].(*randomValue).float() })
	b.method("void NextBytes(byte[] buffer)", func(a []Value) Value {
		for i := range a[1].(*Bytes).Data {
			a[1].(*Bytes).Data[i] = byte(a[0].(*randomValue).below(256))
		}
		return nil
	})
}

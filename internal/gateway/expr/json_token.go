package expr

import "slices"

// jsonKind is Newtonsoft.Json.Linq.JTokenType.
type jsonKind int64

const (
	jsonNone jsonKind = iota
	jsonObject
	jsonArray
	jsonConstructor
	jsonProperty
	jsonComment
	jsonInteger
	jsonFloat
	jsonString
	jsonBoolean
	jsonNull
	jsonUndefined
	jsonDate
	jsonRaw
	jsonBytes
	jsonGuid
	jsonURI
	jsonTimeSpan
)

// jToken is a node of a JSON tree.
type jToken interface {
	typed
	kind() jsonKind
	holder() *tokenBase
}

// jContainer is an object, an array or a property.
type jContainer interface {
	jToken
	children() []jToken
	addToken(m *machine, t jToken)
	removeToken(t jToken)
	replaceToken(m *machine, old, t jToken)
}

// tokenBase is what every token has: its place in the tree.
type tokenBase struct{ parent jContainer }

func (b *tokenBase) holder() *tokenBase { return b }

type (
	// jValue is JValue, a leaf.
	jValue struct {
		tokenBase
		is    jsonKind
		value Value
	}
	// jObject is JObject; members keep their order.
	jObject struct {
		tokenBase
		members []*jProperty
		index   map[string]*jProperty
	}
	// jArray is JArray.
	jArray struct {
		tokenBase
		items []jToken
	}
	// jProperty is JProperty.
	jProperty struct {
		tokenBase
		name  string
		value jToken
	}
)

func (v *jValue) kind() jsonKind    { return v.is }
func (o *jObject) kind() jsonKind   { return jsonObject }
func (a *jArray) kind() jsonKind    { return jsonArray }
func (p *jProperty) kind() jsonKind { return jsonProperty }

func (v *jValue) typeIn(e *Environment) *netType {
	if v.is == jsonRaw {
		return e.named("JRaw")
	}
	return e.named("JValue")
}
func (o *jObject) typeIn(e *Environment) *netType   { return e.named("JObject") }
func (a *jArray) typeIn(e *Environment) *netType    { return e.named("JArray") }
func (p *jProperty) typeIn(e *Environment) *netType { return e.named("JProperty") }

func newObject() *jObject { return &jObject{index: map[string]*jProperty{}} }

// tokenOrNil keeps a nil token from becoming a value that is not nil.
func tokenOrNil(t jToken) Value {
	if t == nil {
		return nil
	}
	return t
}

func (o *jObject) children() []jToken {
	list := make([]jToken, len(o.members))
	for i, p := range o.members {
		list[i] = p
	}
	return list
}
func (a *jArray) children() []jToken    { return a.items }
func (p *jProperty) children() []jToken { return []jToken{p.value} }

func (o *jObject) get(name string) jToken {
	if p := o.index[name]; p != nil {
		return p.value
	}
	return nil
}

// set assigns a member, at its place if there is one.
func (o *jObject) set(m *machine, name string, t jToken) {
	if p := o.index[name]; p != nil {
		p.replaceToken(m, p.value, t)
		return
	}
	o.addProperty(m, newProperty(m, name, t), len(o.members))
}

func newProperty(m *machine, name string, t jToken) *jProperty {
	p := &jProperty{name: name}
	p.value = adopt(m, t, p)
	return p
}

// adopt attaches a token to a parent; one that has a parent already is copied, as Newtonsoft does.
func adopt(m *machine, t jToken, parent jContainer) jToken {
	if t == nil {
		t = &jValue{is: jsonNull}
	}
	if t.holder().parent != nil || isAncestor(m, t, parent) {
		t = cloneToken(m, t)
	}
	t.holder().parent = parent
	return t
}

// isAncestor reports whether t is parent or stands above it; a token without children stands above nothing.
func isAncestor(m *machine, t jToken, parent jContainer) bool {
	if c, ok := t.(jContainer); !ok || t != jToken(parent) && len(c.children()) == 0 {
		return false
	}
	for p := parent; p != nil; p = p.holder().parent {
		m.step(1)
		if p == t {
			return true
		}
	}
	return false
}

func (o *jObject) addProperty(m *machine, p *jProperty, at int) {
	if o.index[p.name] != nil {
		throw("ArgumentException", "Can not add property "+p.name+" to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object.")
	}
	if m != nil {
		m.charge(len(p.name) + 3*valueSize)
	}
	p = adopt(m, p, o).(*jProperty)
	o.members = slices.Insert(o.members, at, p)
	o.index[p.name] = p
}

func (o *jObject) addToken(m *machine, t jToken) {
	p, ok := t.(*jProperty)
	if !ok {
		throw("ArgumentException", "Can not add "+tokenTypeName(t)+" to Newtonsoft.Json.Linq.JObject.")
	}
	o.addProperty(m, p, len(o.members))
}

func (o *jObject) removeToken(t jToken) {
	p, _ := t.(*jProperty)
	if i := slices.Index(o.members, p); i >= 0 {
		o.members = slices.Delete(o.members, i, i+1)
		delete(o.index, p.name)
		p.parent = nil
	}
}

func (o *jObject) replaceToken(m *machine, old, t jToken) {
	p, ok := t.(*jProperty)
	i := slices.Index(o.members, old.(*jProperty))
	if !ok || i < 0 {
		throw("ArgumentException", "Can not add "+tokenTypeName(t)+" to Newtonsoft.Json.Linq.JObject.")
	}
	o.removeToken(old)
	o.addProperty(m, p, i)
}

func (a *jArray) addToken(m *machine, t jToken) {
	if _, ok := t.(*jProperty); ok {
		throw("ArgumentException", "Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JArray.")
	}
	if m != nil {
		m.charge(2 * valueSize)
	}
	a.items = append(a.items, adopt(m, t, a))
}

func (a *jArray) indexOf(t jToken) int {
	return slices.IndexFunc(a.items, func(x jToken) bool { return x == t })
}

func (a *jArray) removeToken(t jToken) {
	if i := a.indexOf(t); i >= 0 {
		a.items = slices.Delete(a.items, i, i+1)
		t.holder().parent = nil
	}
}

func (a *jArray) replaceToken(m *machine, old, t jToken) {
	if i := a.indexOf(old); i >= 0 {
		old.holder().parent = nil
		a.items[i] = adopt(m, t, a)
	}
}

func (p *jProperty) addToken(m *machine, t jToken) {
	if p.value != nil && p.value.kind() != jsonNull {
		throwFull("Newtonsoft.Json.JsonException", "Newtonsoft.Json.Linq.JProperty cannot have multiple values.")
	}
	p.value = adopt(m, t, p)
}

func (p *jProperty) removeToken(jToken) {
	throwFull("Newtonsoft.Json.JsonException", "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.")
}

func (p *jProperty) replaceToken(m *machine, old, t jToken) {
	if old == t {
		return
	}
	if old != nil {
		old.holder().parent = nil
	}
	p.value = adopt(m, t, p)
}

// cloneToken is DeepClone.
func cloneToken(m *machine, t jToken) jToken {
	if m != nil {
		m.enterCall()
		defer m.leaveCall()
		m.charge(2 * valueSize)
	}
	switch t := t.(type) {
	case *jObject:
		c := newObject()
		for _, p := range t.members {
			c.addProperty(m, cloneToken(m, p).(*jProperty), len(c.members))
		}
		return c
	case *jArray:
		c := &jArray{}
		for _, x := range t.items {
			c.addToken(m, cloneToken(m, x))
		}
		return c
	case *jProperty:
		return newProperty(m, t.name, cloneToken(m, t.value))
	case *jValue:
		return &jValue{is: t.is, value: t.value}
	}
	return t
}

func (o *jObject) eachItem(_ *machine, visit func(Value) bool) {
	for _, p := range slices.Clone(o.members) {
		if !visit(p) {
			return
		}
	}
}

// eachPair is iteration over a JObject as a dictionary.
func (o *jObject) eachPair(_ *machine, pair *netType, visit func(Value) bool) {
	for _, p := range slices.Clone(o.members) {
		if !visit(&keyValue{pair, p.name, p.value}) {
			return
		}
	}
}

func (a *jArray) eachItem(_ *machine, visit func(Value) bool) {
	n := len(a.items)
	for i := 0; i < len(a.items); i++ {
		if !visit(a.items[i]) {
			return
		}
		if len(a.items) != n {
			throwModified()
		}
	}
}

func (p *jProperty) eachItem(_ *machine, visit func(Value) bool) { visit(p.value) }
func (v *jValue) eachItem(*machine, func(Value) bool)            {}

// tokenTypeName is the class name of a token, for messages.
func tokenTypeName(t jToken) string {
	switch t.(type) {
	case *jObject:
		return "Newtonsoft.Json.Linq.JObject"
	case *jArray:
		return "Newtonsoft.Json.Linq.JArray"
	case *jProperty:
		return "Newtonsoft.Json.Linq.JProperty"
	}
	return "Newtonsoft.Json.Linq.JValue"
}

// tokenFor makes a token of any value: JToken's implicit conversions, and FromObject for the rest.
func (m *machine) tokenFor(v Value) jToken {
	switch x := v.(type) {
	case nil:
		return &jValue{is: jsonNull}
	case jToken:
		return x
	}
	if t := valueToken(m, v); t != nil {
		return t
	}
	m.enterCall()
	defer m.leaveCall()
	m.step(1)
	switch x := v.(type) {
	case *dictionary:
		o := newObject()
		for _, p := range x.entries {
			if p != nil {
				o.set(m, m.text(p.key), m.tokenFor(p.value))
			}
		}
		return o
	case *anonymousValue:
		o := newObject()
		for i, f := range x.typ.fields {
			o.set(m, f.name, m.tokenFor(x.values[i]))
		}
		return o
	case *tupleValue:
		o := newObject()
		for i := range x.values {
			o.set(m, "Item"+itoa(i+1), m.tokenFor(x.values[i]))
		}
		return o
	case *keyValue:
		o := newObject()
		o.set(m, "Key", m.tokenFor(x.key))
		o.set(m, "Value", m.tokenFor(x.value))
		return o
	case *Exception:
		o := newObject()
		o.set(m, "ClassName", m.tokenFor(x.Type))
		o.set(m, "Message", m.tokenFor(x.Message))
		return o
	case *array, *list, *sequence, *queue, *hashSet, *group, *lookupTable:
		a := &jArray{}
		iterate(m, v, func(item Value) bool { a.addToken(m, m.tokenFor(item)); return true })
		return a
	}
	if i, _ := m.env.typeOf(v).asInstanceOf(m.env.enumerable); i != nil {
		if i.arguments[0].name == "KeyValuePair" {
			o := newObject()
			iterate(m, v, func(item Value) bool {
				p := item.(*keyValue)
				o.set(m, m.text(p.key), m.tokenFor(p.value))
				return true
			})
			return o
		}
		a := &jArray{}
		iterate(m, v, func(item Value) bool { a.addToken(m, m.tokenFor(item)); return true })
		return a
	}
	return &jValue{is: jsonString, value: m.text(v)}
}

// valueToken makes a leaf of a value that JSON holds as one; nil for others.
func valueToken(_ *machine, v Value) *jValue {
	switch x := v.(type) {
	case string:
		return &jValue{is: jsonString, value: x}
	case Char:
		return &jValue{is: jsonString, value: encodeUnit(rune(x))}
	case bool:
		return &jValue{is: jsonBoolean, value: x}
	case float64, float32, Decimal:
		return &jValue{is: jsonFloat, value: x}
	case DateTime, DateTimeOffset:
		return &jValue{is: jsonDate, value: x}
	case TimeSpan:
		return &jValue{is: jsonTimeSpan, value: x}
	case Guid:
		return &jValue{is: jsonGuid, value: x}
	case *uri:
		return &jValue{is: jsonURI, value: x}
	case *Bytes:
		return &jValue{is: jsonBytes, value: x}
	case Enum:
		return &jValue{is: jsonInteger, value: x.n}
	case uint64:
		return &jValue{is: jsonInteger, value: x}
	}
	if n, _, ok := wholeNumber(v); ok {
		return &jValue{is: jsonInteger, value: n}
	}
	return nil
}

// equals is JValue.Equals, which compares values.
func (v *jValue) equals(other Value) bool {
	o, ok := other.(*jValue)
	return ok && sameLeaf(v, o)
}

func (v *jValue) hashKey() any { return joinKeys("jvalue", []Value{int64(v.is), v.value}) }

func (v *jValue) compareTo(m *machine, other Value) int {
	if o, ok := other.(*jValue); ok {
		if v.value == nil || o.value == nil {
			return compareValues(m, v.value, o.value)
		}
		if v.is != o.is && (v.is == jsonFloat || o.is == jsonFloat) {
			return compareOrdered(floatOf(v.value), floatOf(o.value))
		}
		if s, ok := v.value.(string); ok {
			return compareOrdinal(s, m.text(o.value))
		}
		return compareValues(m, v.value, o.value)
	}
	throw("ArgumentException", "Object must be of type JValue.")
	return 0
}

func sameLeaf(a, b *jValue) bool {
	if a.is != b.is {
		return false
	}
	if x, _, ok := wholeNumber(a.value); ok {
		if y, _, ok := wholeNumber(b.value); ok {
			return x == y
		}
	}
	if a.is == jsonFloat && primitiveOf(a.value) != primitiveOf(b.value) {
		return floatOf(a.value) == floatOf(b.value)
	}
	if x, ok := a.value.(*Bytes); ok {
		y, ok := b.value.(*Bytes)
		return ok && string(x.Data) == string(y.Data)
	}
	return equalsValue(a.value, b.value)
}

// deepEqual is JToken.DeepEquals: member order does not count.
func deepEqual(m *machine, a, b jToken) bool {
	if a == nil || b == nil {
		return a == b
	}
	m.enterCall()
	defer m.leaveCall()
	m.step(1)
	switch x := a.(type) {
	case *jValue:
		y, ok := b.(*jValue)
		return ok && sameLeaf(x, y)
	case *jObject:
		y, ok := b.(*jObject)
		if !ok || len(x.members) != len(y.members) {
			return false
		}
		for _, p := range x.members {
			if q := y.index[p.name]; q == nil || !deepEqual(m, p.value, q.value) {
				return false
			}
		}
		return true
	case *jArray:
		y, ok := b.(*jArray)
		if !ok || len(x.items) != len(y.items) {
			return false
		}
		for i := range x.items {
			if !deepEqual(m, x.items[i], y.items[i]) {
				return false
			}
		}
		return true
	case *jProperty:
		y, ok := b.(*jProperty)
		return ok && x.name == y.name && deepEqual(m, x.value, y.value)
	}
	return false
}

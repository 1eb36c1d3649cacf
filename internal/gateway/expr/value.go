package expr

import (
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unsafe"
)

// Char is System.Char, one UTF-16 code unit.
type Char uint16

// Enum is a value of an enumeration.
type Enum struct {
	typ *netType
	n   int64
}

// reference is what ref and out arguments are passed as.
type reference struct{ value Value }

// typeValue is a System.Type, of which expressions can ask the names only.
type typeValue struct{ typ *netType }

// anonymousValue is an instance of an anonymous type.
type anonymousValue struct {
	typ    *netType
	values []Value
	depth  int
}

// tupleValue is a System.ValueTuple or, with class set, a System.Tuple.
type tupleValue struct {
	typ    *netType
	values []Value
	depth  int
}

// maxStructure bounds how deep tuples, anonymous objects and pairs nest through each other: comparing them recurses.
const maxStructure = 500

// depthOf is how deep a value of these types nests.
func depthOf(v Value) int {
	switch x := v.(type) {
	case *anonymousValue:
		return x.depth
	case *tupleValue:
		return x.depth
	case *keyValue:
		return 1 + max(depthOf(x.key), depthOf(x.value))
	}
	return 0
}

// structure charges for a new tuple or anonymous object and returns its depth.
func (m *machine) structure(values []Value) int {
	m.charge(valueSize * (2 + len(values)))
	depth := 0
	for _, v := range values {
		depth = max(depth, depthOf(v))
	}
	if depth >= maxStructure {
		panic(&LimitError{Limit: "depth"})
	}
	return depth + 1
}

func itoa(n int) string { return strconv.Itoa(n) }

// typeOf returns the run-time type of v, which is not null.
func (e *Environment) typeOf(v Value) *netType {
	switch v := v.(type) {
	case bool:
		return e.primitives[primBool]
	case Char:
		return e.primitives[primChar]
	case int8:
		return e.primitives[primSByte]
	case uint8:
		return e.primitives[primByte]
	case int16:
		return e.primitives[primShort]
	case uint16:
		return e.primitives[primUShort]
	case int32:
		return e.primitives[primInt]
	case uint32:
		return e.primitives[primUInt]
	case int64:
		return e.primitives[primLong]
	case uint64:
		return e.primitives[primULong]
	case float32:
		return e.primitives[primFloat]
	case float64:
		return e.primitives[primDouble]
	case Decimal:
		return e.primitives[primDecimal]
	case string:
		return e.primitives[primString]
	case Enum:
		return v.typ
	case typed:
		return v.typeIn(e)
	case *big.Int:
		return &netType{kind: structKind, name: "BigInteger", space: "System.Numerics", def: e.primitives[primObject]}
	case Response:
		return e.named("IResponse")
	case Request:
		return e.named("IRequest")
	case nil:
		return e.null
	}
	return e.primitives[primObject]
}

// typed is a value that knows its .NET type.
type typed interface {
	typeIn(e *Environment) *netType
}

func (v *typeValue) typeIn(e *Environment) *netType      { return e.named("Type") }
func (v *anonymousValue) typeIn(e *Environment) *netType { return v.typ }
func (v *tupleValue) typeIn(e *Environment) *netType     { return v.typ }
func (d *delegate) typeIn(e *Environment) *netType       { return d.typ }
func (e *Exception) typeIn(env *Environment) *netType    { return env.exceptionType(e.Type) }

// TypeName returns the full .NET name of the value's run-time type, "null" for null. A lazy sequence is IEnumerable<T>.
func TypeName(env *Environment, v Value) string {
	if v == nil {
		return "null"
	}
	if s, ok := v.(*sequence); ok {
		return "IEnumerable<" + s.element.fullName() + ">"
	}
	return env.typeOf(v).fullName()
}

// zeroOf is default(T).
func (e *Environment) zeroOf(t *netType) Value {
	switch t.kind {
	case enumKind:
		return Enum{t, 0}
	case structKind:
		switch t.prim {
		case primBool:
			return false
		case primChar:
			return Char(0)
		case primDecimal:
			return Decimal{}
		case noPrimitive:
			if t.def.zero != nil {
				return t.def.zero()
			}
			if t.name == "KeyValuePair" {
				return &keyValue{t, e.zeroOf(t.arguments[0]), e.zeroOf(t.arguments[1])}
			}
			return nil
		}
		return numberFromInt(0, t.prim)
	case tupleKind:
		v := &tupleValue{typ: t}
		for _, a := range t.arguments {
			v.values = append(v.values, e.zeroOf(a))
		}
		return v
	}
	return nil
}

// sameReference is object.ReferenceEquals for two values of reference types; boxed says that one of them was boxed on the spot.
func sameReference(a, b Value, boxed bool) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && len(x) == len(y) && (len(x) == 0 || unsafe.StringData(x) == unsafe.StringData(y))
	case bool, Char, int8, uint8, int16, uint16, int32, uint32, int64, uint64, float32, float64, Decimal, Enum, DateTime, DateTimeOffset, TimeSpan, Guid:
		// Values are not boxed one by one here, so a box is taken to be the same where both sides come from one place.
		return !boxed && a == b
	}
	return isComparable(a) && isComparable(b) && a == b
}

// isComparable reports whether == on v does not panic: values that implementations of the context's interfaces are may be of any Go type.
func isComparable(v Value) bool { return v == nil || reflect.ValueOf(v).Comparable() }

// equalsValue is a.Equals(b) for values of any type.
func equalsValue(a, b Value) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case float64:
		y, ok := b.(float64)
		return ok && (x == y || math.IsNaN(x) && math.IsNaN(y))
	case float32:
		y, ok := b.(float32)
		return ok && (x == y || x != x && y != y)
	case equaler:
		return x.equals(b)
	}
	if _, ok := b.(equaler); ok {
		return false
	}
	return isComparable(a) && isComparable(b) && a == b
}

// equaler is a value whose type overrides Equals.
type equaler interface{ equals(other Value) bool }

// keyOf returns a Go value that is equal for values that .NET's default comparer calls equal; it is used as a map key.
func keyOf(v Value) any {
	switch x := v.(type) {
	case hasher:
		return x.hashKey()
	case float64:
		if x != x {
			return "NaN"
		}
	case float32:
		if x != x {
			return "NaNf"
		}
	}
	return v
}

// hasher is a value whose identity as a key differs from Go's ==.
type hasher interface{ hashKey() any }

// structuralKey joins the keys of several values.
type structuralKey struct {
	kind string
	text string
}

func joinKeys(kind string, values []Value) any {
	var b strings.Builder
	for _, v := range values {
		text := describeKey(keyOf(v))
		b.WriteString(itoa(len(text)))
		b.WriteByte(':')
		b.WriteString(text)
	}
	return structuralKey{kind, b.String()}
}

func (v *tupleValue) equals(other Value) bool {
	o, ok := other.(*tupleValue)
	return ok && sameType(v.typ, o.typ) && equalAll(v.values, o.values)
}

func (v *tupleValue) hashKey() any { return joinKeys("tuple", v.values) }

func (v *anonymousValue) equals(other Value) bool {
	o, ok := other.(*anonymousValue)
	return ok && sameType(v.typ, o.typ) && equalAll(v.values, o.values)
}

func (v *anonymousValue) hashKey() any { return joinKeys(v.typ.String(), v.values) }

func equalAll(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equalsValue(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (v *typeValue) equals(other Value) bool {
	o, ok := other.(*typeValue)
	return ok && sameType(v.typ, o.typ)
}

func (v *typeValue) hashKey() any { return structuralKey{"type", v.typ.fullName()} }

// detach makes a result independent of the machine: lazy sequences are read while the budgets still hold.
func detach(m *machine, v Value) Value {
	if s, ok := v.(*sequence); ok {
		return sequenceOf(s.element, collect(m, s))
	}
	return v
}

package expr

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
)

// Text is what a policy inserts for a value in text: its ToString(), and nothing for null. The error is an *Exception or a *LimitError.
func Text(env *Environment, v Value) (text string, err error) {
	if s, ok := v.(string); ok {
		return wellFormed(s), nil
	}
	m := newRenderer(env)
	defer func() {
		if r := recover(); r != nil {
			text, err = "", recovered(r)
		}
	}()
	return wellFormed(m.text(v)), nil
}

// Bool is a value where a policy needs a condition: a bool, or text that bool.Parse reads.
func Bool(v Value) (bool, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		if b, ok := parseBool(x); ok {
			return b, nil
		}
	case *jValue:
		return Bool(x.value)
	}
	return false, errors.New("the value is neither a bool nor the text of one")
}

// Int is a value where a policy needs a whole number: an integer of any type, or text that is one.
func Int(v Value) (int64, error) {
	switch x := v.(type) {
	case string:
		if n, result := parseInteger(x, styleInteger, primLong); result == parsed {
			return n.(int64), nil
		}
	case *jValue:
		return Int(x.value)
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), nil
		}
	case Decimal:
		if n := x.truncate(); n.compare(x) == 0 && n.bigInt().IsInt64() {
			return n.bigInt().Int64(), nil
		}
	case Enum:
		return x.n, nil
	default:
		if n, large, ok := wholeNumber(v); ok && large == 0 && primitiveOf(v) != primChar {
			return n, nil
		}
	}
	return 0, errors.New("the value is neither a whole number nor the text of one")
}

// NewJSON parses JSON as an expression's JToken.Parse would, for a variable that holds JSON. The error is an *Exception.
func NewJSON(env *Environment, text string) (v Value, err error) {
	m := newRenderer(env)
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, recovered(r)
		}
	}()
	return parseJSON(m, text, 1), nil
}

// newRenderer is a machine for work outside an evaluation, with half of the default limits.
func newRenderer(env *Environment) *machine {
	return &machine{env: env, ctx: context.Background(), steps: env.limits.Steps / 2, memory: env.limits.Memory / 2, depth: env.limits.Depth}
}

// appendJSON appends a value in the form of the recorded vectors: text, characters, enums, GUIDs and URIs as strings, numbers with their own digits,
// dates in round-trip form, bytes in Base64, JSON and XML as strings of compact text, sequences as arrays, dictionaries and objects as objects.
// ok is false for a value that has no such form.
func (m *machine) appendJSON(b []byte, v Value) (out []byte, ok bool) {
	m.enterCall()
	defer m.leaveCall()
	quote := func(s string) ([]byte, bool) { return append(b, quoteJSON(wellFormed(s))...), true }
	switch x := v.(type) {
	case nil:
		return append(b, "null"...), true
	case string:
		return quote(x)
	case bool:
		if x {
			return append(b, "true"...), true
		}
		return append(b, "false"...), true
	case Char, Enum, Guid:
		return quote(m.text(v))
	case *uri:
		return quote(x.text(m))
	case DateTime:
		return quote(x.format(m, "o"))
	case DateTimeOffset:
		return quote(x.format(m, "o"))
	case TimeSpan:
		return quote(x.format(m, "c"))
	case *Bytes:
		return quote(base64.StdEncoding.EncodeToString(x.Data))
	case jToken:
		return quote(jsonText(m, x, false))
	case *xNode:
		return quote(xmlString(m, x, false))
	case *xAttribute:
		return quote(x.text(m))
	case *tupleValue:
		return m.appendList(b, x.values)
	case *anonymousValue:
		b = append(b, '{')
		for i, f := range x.typ.fields {
			if b, ok = m.appendMember(b, i == 0, f.name, x.values[i]); !ok {
				return b, false
			}
		}
		return append(b, '}'), true
	case *dictionary:
		b = append(b, '{')
		first := true
		for _, p := range x.entries {
			if p == nil {
				continue
			}
			if b, ok = m.appendMember(b, first, m.text(p.key), p.value); !ok {
				return b, false
			}
			first = false
		}
		return append(b, '}'), true
	case *array, *list, *sequence, *queue, *hashSet, *group:
		return m.appendList(b, collect(m, v))
	}
	if f, real := floatValue(v); real && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return quote(formatNumber(v, ""))
	}
	if primitiveOf(v).numeric() {
		return append(b, formatNumber(v, "")...), true
	}
	return b, false
}

func (m *machine) appendList(b []byte, values []Value) ([]byte, bool) {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = m.appendJSON(b, v); !ok {
			return b, false
		}
	}
	return append(b, ']'), true
}

func (m *machine) appendMember(b []byte, first bool, name string, v Value) ([]byte, bool) {
	if !first {
		b = append(b, ',')
	}
	b = append(append(b, quoteJSON(wellFormed(name))...), ':')
	return m.appendJSON(b, v)
}

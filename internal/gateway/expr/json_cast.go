package expr

import (
	"math/big"
)

// leafOf is the value of a token that a cast may read; an object or array is refused.
func leafOf(t jToken, to string) *jValue {
	if p, ok := t.(*jProperty); ok {
		t = p.value
	}
	v, ok := t.(*jValue)
	if !ok {
		throwArgument("Can not convert " + kindName(t) + " to " + to + ".")
	}
	return v
}

// castToken is the explicit conversion of a token to a type of the language.
func castToken(m *machine, v Value, to *netType) Value {
	target := to.underlying()
	nullable := to.kind == nullableKind || to.isReference()
	if v == nil {
		if nullable {
			return nil
		}
		throwArgumentNull("value")
	}
	leaf := leafOf(v.(jToken), target.name)
	if leaf.value == nil {
		if nullable && (leaf.is == jsonNull || leaf.is == jsonUndefined) {
			return nil
		}
		throwArgument("Can not convert " + kindName(leaf) + " to " + target.name + ".")
	}
	refuse := func() { throwArgument("Can not convert " + kindName(leaf) + " to " + target.name + ".") }
	if n, ok := leaf.value.(*big.Int); ok && target.prim.numeric() {
		if target.prim == primDouble || target.prim == primFloat {
			return convertNumber(floatOf(n), target.prim, false)
		}
		if target.prim == primULong && n.IsUint64() {
			return n.Uint64()
		}
		throwTooLarge(target.prim)
	}
	switch {
	case target.prim == primString:
		switch x := leaf.value.(type) {
		case *Bytes:
			return m.text(m.call(b64, x))
		case *uri:
			return x.original
		}
		return m.text(leaf.value)
	case target.prim == primBool || target.prim == primChar || target.prim.numeric():
		switch leaf.is {
		case jsonInteger, jsonFloat, jsonString, jsonBoolean:
			if leaf.is == jsonBoolean && target.prim == primChar {
				refuse()
			}
			return changeType(m, leaf.value, target.prim)
		}
		refuse()
	}
	switch target.name {
	case "DateTime":
		switch x := leaf.value.(type) {
		case DateTime:
			return x
		case DateTimeOffset:
			return DateTime{ticks: x.ticks}
		case string:
			return mustParseDate(x, 0)
		}
	case "DateTimeOffset":
		switch x := leaf.value.(type) {
		case DateTimeOffset:
			return x
		case DateTime:
			return toOffset(x)
		case string:
			p, ok := parseDateText(x)
			if !ok {
				failDate(x, p)
			}
			d, _ := p.offsetTime(0)
			return d
		}
	case "TimeSpan":
		switch x := leaf.value.(type) {
		case TimeSpan:
			return x
		case string:
			span, result := parseSpan(x)
			if result != parsed {
				throwFormat("String '" + x + "' was not recognized as a valid TimeSpan.")
			}
			return span
		}
	case "Guid":
		switch x := leaf.value.(type) {
		case Guid:
			return x
		case string:
			return mustParseGuid(x)
		}
	case "Uri":
		switch x := leaf.value.(type) {
		case *uri:
			return x
		case string:
			return mustParseURI(x, 0)
		}
	}
	if target.kind == arrayKind {
		switch x := leaf.value.(type) {
		case *Bytes:
			return x
		case string:
			return m.call(unb64, x)
		}
	}
	refuse()
	return nil
}

// tokenConversions declares JToken's operators.
func (b *library) tokenConversions() {
	b.on("JToken")
	e := b.env
	token := b.current
	var types []*netType
	for p := primBool; p <= primDecimal; p++ {
		if p != primChar {
			types = append(types, e.primitives[p])
		}
	}
	for _, n := range []string{"DateTime", "DateTimeOffset", "TimeSpan", "Guid"} {
		types = append(types, e.named(n))
	}
	add := func(t *netType) {
		token.conversions = append(token.conversions,
			&userConversion{from: t, to: token, implicit: true, apply: func(m *machine, a []Value) Value { return m.tokenFor(a[0]) }},
			&userConversion{from: token, to: t, apply: func(m *machine, a []Value) Value { return castToken(m, a[0], t) }})
	}
	for _, t := range types {
		add(t)
		add(e.nullableOf(t))
	}
	add(e.primitives[primString])
	add(e.named("Uri"))
	add(e.arrayOf(e.primitives[primByte]))
	char := e.primitives[primChar]
	for _, t := range []*netType{char, e.nullableOf(char)} {
		token.conversions = append(token.conversions, &userConversion{from: token, to: t, apply: func(m *machine, a []Value) Value { return castToken(m, a[0], t) }})
	}
}

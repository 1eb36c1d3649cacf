package expr

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// convertNames are the methods of System.Convert by the type they make.
var convertNames = map[primitive]string{primBool: "ToBoolean", primChar: "ToChar", primSByte: "ToSByte", primByte: "ToByte", primShort: "ToInt16", primUShort: "ToUInt16",
	primInt: "ToInt32", primUInt: "ToUInt32", primLong: "ToInt64", primULong: "ToUInt64", primFloat: "ToSingle", primDouble: "ToDouble", primDecimal: "ToDecimal"}

// changeType is Convert.ToX of any value: null is zero, numbers round half to even and are checked, text is parsed.
func changeType(m *machine, v Value, to primitive) Value {
	switch x := v.(type) {
	case nil:
		if to == primBool {
			return false
		}
		return numberFromInt(0, to)
	case string:
		return changeText(x, to)
	case bool:
		if to == primBool {
			return x
		}
		if to == primChar {
			break
		}
		if x {
			return numberFromInt(1, to)
		}
		return numberFromInt(0, to)
	case Enum:
		return changeType(m, x.n, to)
	case *jValue:
		return changeType(m, x.value, to)
	}
	from := primitiveOf(v)
	if from.numeric() {
		return changeNumber(v, from, to)
	}
	throw("InvalidCastException", "Unable to cast object of type '"+m.env.typeOf(v).reflectionName()+"' to type 'System.IConvertible'.")
	return nil
}

func changeText(s string, to primitive) Value {
	switch to {
	case primBool:
		v, ok := parseBool(s)
		if !ok {
			throwFormat("String '" + s + "' was not recognized as a valid Boolean.")
		}
		return v
	case primChar:
		if lengthOf(s) != 1 {
			throwFormat("String must be exactly one character long.")
		}
		c, _ := charAt(s, 0)
		return c
	}
	return mustParse(s, standardStyle(to), to)
}

func changeNumber(v Value, from, to primitive) Value {
	real := from == primFloat || from == primDouble || from == primDecimal
	switch {
	case to == primBool:
		if from == primChar {
			throw("InvalidCastException", "Invalid cast from 'Char' to 'Boolean'.")
		}
		return floatOf(v) != 0
	case from == primChar && (to == primFloat || to == primDouble || to == primDecimal), to == primChar && real:
		throw("InvalidCastException", "Invalid cast from '"+shortName(from)+"' to '"+shortName(to)+"'.")
	case real && to.integral():
		if d, ok := v.(Decimal); ok {
			return convertNumber(d.rescale(0, toEven), to, true)
		}
		f := math.RoundToEven(floatOf(v))
		least, most := integerRange(to)
		if f != f || f < float64(least) || f > float64(most) || most >= math.MaxInt64 && f >= float64(most) {
			throwTooLarge(to)
		}
		return floatToInteger(f, to, true)
	case to.integral():
		if n, large, _ := wholeNumber(v); !fits(n, large, to) {
			throwTooLarge(to)
		}
	}
	return convertNumber(v, to, true)
}

func shortName(p primitive) string { return strings.TrimPrefix(convertNames[p], "To") }

// conversions declares System.Convert and System.BitConverter.
func (b *library) conversions() {
	b.on("Convert")
	for p := primBool; p <= primDecimal; p++ {
		k, name := keywordOf[p], convertNames[p]
		for from := primBool; from <= primString; from++ {
			b.native("static "+k+" "+name+"("+keywordOf[from]+" value)", func(m *machine, a []Value) Value { return changeType(m, a[0], p) })
		}
		b.native("static "+k+" "+name+"(object value)", func(m *machine, a []Value) Value { return changeType(m, a[0], p) })
		b.native("static "+k+" "+name+"(object value, IFormatProvider provider)", func(m *machine, a []Value) Value { return changeType(m, a[0], p) })
		b.native("static "+k+" "+name+"(string value, IFormatProvider provider)", func(m *machine, a []Value) Value { return changeType(m, a[0], p) })
		if p.integral() && p != primChar {
			b.method("static "+k+" "+name+"(string value, int fromBase)", func(a []Value) Value { return parseBase(a[0], intOf(a[1]), p) })
		}
	}
	for from := primBool; from <= primString; from++ {
		b.native("static string ToString("+keywordOf[from]+" value)", func(m *machine, a []Value) Value {
			if a[0] == nil {
				return nil
			}
			return m.text(a[0])
		})
	}
	for _, k := range []string{"object", "DateTime"} {
		b.native("static string ToString("+k+" value)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	}
	b.native("static string ToString(object value, IFormatProvider provider)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	for _, p := range []primitive{primByte, primShort, primInt, primLong} {
		b.method("static string ToString("+keywordOf[p]+" value, int toBase)", func(a []Value) Value { return textInBase(a[0], intOf(a[1]), p) })
	}
	b.native("static DateTime ToDateTime(string value)", func(_ *machine, a []Value) Value {
		if a[0] == nil {
			return DateTime{}
		}
		return mustParseDate(a[0], 0)
	})
	b.native("static DateTime ToDateTime(object value)", func(m *machine, a []Value) Value {
		switch v := a[0].(type) {
		case nil:
			return DateTime{}
		case DateTime:
			return v
		case string:
			return mustParseDate(v, 0)
		}
		throw("InvalidCastException", "Invalid cast to 'DateTime'.")
		return nil
	})
	b.native("static object ChangeType(object value, Type conversionType)", func(m *machine, a []Value) Value {
		t := a[1].(*typeValue).typ
		switch {
		case t.prim == primString:
			return m.text(a[0])
		case t.prim >= primBool && t.prim <= primDecimal:
			return changeType(m, a[0], t.prim)
		case a[0] != nil && m.env.isInstance(a[0], t):
			return a[0]
		}
		throw("InvalidCastException", "Invalid cast to '"+t.reflectionName()+"'.")
		return nil
	})
	b.base64()
	b.bits()
}

// parseBase is Convert.ToInt32(text, base) and its like; hexadecimal text may be negative in two's complement.
func parseBase(v Value, base int, p primitive) Value {
	if base != 2 && base != 8 && base != 10 && base != 16 {
		throw("ArgumentException", "Invalid Base.")
	}
	if v == nil {
		return numberFromInt(0, p)
	}
	s := v.(string)
	if s == "" {
		throwOutOfRange("Index was out of range. Must be non-negative and less than the size of the collection.", "startIndex")
	}
	if base == 10 {
		return mustParse(s, styleLeadingSign, p)
	}
	if base == 16 {
		s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil {
		if strings.Trim(s, "0123456789abcdefABCDEF") == "" && s != "" && err.(*strconv.NumError).Err == strconv.ErrRange {
			throwTooLarge(p)
		}
		throwFormat("Could not find any recognizable digits.")
	}
	width := map[primitive]int{primSByte: 8, primByte: 8, primShort: 16, primUShort: 16, primInt: 32, primUInt: 32}[p]
	if width > 0 && n>>width != 0 {
		throwTooLarge(p)
	}
	if p == primULong {
		return n
	}
	return numberFromInt(int64(n), p)
}

func textInBase(v Value, base int, p primitive) Value {
	n, _, _ := wholeNumber(v)
	switch base {
	case 10:
		return strconv.FormatInt(n, 10)
	case 2, 8, 16:
		bits := uint64(n)
		if width := map[primitive]int{primByte: 8, primShort: 16, primInt: 32}[p]; width > 0 {
			bits &= 1<<width - 1
		}
		return strconv.FormatUint(bits, base)
	}
	throw("ArgumentException", "Invalid Base.")
	return nil
}

// bytesOf is a byte array argument that must not be null.
func bytesOf(v Value, name string) []byte {
	x, ok := v.(*Bytes)
	if !ok {
		throwArgumentNull(name)
	}
	return x.Data
}

// part cuts a byte array as offset and length say.
func part(data []byte, offset, count Value) []byte {
	from, n := intOf(offset), intOf(count)
	if from < 0 || n < 0 || from+n > len(data) {
		throwOutOfRange("Offset and length must refer to a position in the array.", "offset")
	}
	return data[from : from+n]
}

func encodeBase64(m *machine, data []byte) string {
	m.charge(len(data) * 3 / 2)
	return base64.StdEncoding.EncodeToString(data)
}

// decodeBase64 reads standard Base64 with padding; white space is ignored.
func decodeBase64(m *machine, s string) *Bytes {
	m.charge(len(s))
	data, err := base64.StdEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(s))
	if err != nil {
		throwFormat("The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters.")
	}
	return &Bytes{data}
}

func (b *library) base64() {
	encode := func(m *machine, data []byte, lines bool) Value {
		s := encodeBase64(m, data)
		if lines {
			var out strings.Builder
			for len(s) > 76 {
				out.WriteString(s[:76] + "\r\n")
				s = s[76:]
			}
			s = out.String() + s
		}
		return s
	}
	b.native("static string ToBase64String(byte[] inArray)", func(m *machine, a []Value) Value { return encode(m, bytesOf(a[0], "inArray"), false) })
	b.native("static string ToBase64String(byte[] inArray, Base64FormattingOptions options)", func(m *machine, a []Value) Value {
		return encode(m, bytesOf(a[0], "inArray"), a[1].(Enum).n == 1)
	})
	b.native("static string ToBase64String(byte[] inArray, int offset, int length)", func(m *machine, a []Value) Value {
		return encode(m, part(bytesOf(a[0], "inArray"), a[1], a[2]), false)
	})
	b.native("static byte[] FromBase64String(string s)", func(m *machine, a []Value) Value { return decodeBase64(m, textArgument(a[0], "s")) })
	b.native("static string ToHexString(byte[] inArray)", func(m *machine, a []Value) Value {
		data := bytesOf(a[0], "inArray")
		m.charge(2 * len(data))
		return strings.ToUpper(hex.EncodeToString(data))
	})
	b.native("static byte[] FromHexString(string s)", func(m *machine, a []Value) Value {
		s := textArgument(a[0], "s")
		m.charge(len(s))
		data, err := hex.DecodeString(s)
		if err != nil {
			throwFormat("The input is not a valid hex string as it contains a non-hex character.")
		}
		return &Bytes{data}
	})
}

func (b *library) bits() {
	b.on("BitConverter").add("static bool IsLittleEndian", true)
	text := func(m *machine, data []byte) Value {
		m.charge(3 * len(data))
		var out strings.Builder
		for i, x := range data {
			if i > 0 {
				out.WriteByte('-')
			}
			out.WriteString(strings.ToUpper(hex.EncodeToString([]byte{x})))
		}
		return out.String()
	}
	b.native("static string ToString(byte[] value)", func(m *machine, a []Value) Value { return text(m, bytesOf(a[0], "value")) })
	b.native("static string ToString(byte[] value, int startIndex)", func(m *machine, a []Value) Value {
		data := bytesOf(a[0], "value")
		return text(m, part(data, a[1], int32(len(data)-intOf(a[1]))))
	})
	b.native("static string ToString(byte[] value, int startIndex, int length)", func(m *machine, a []Value) Value { return text(m, part(bytesOf(a[0], "value"), a[1], a[2])) })
	size := map[primitive]int{primShort: 2, primUShort: 2, primInt: 4, primUInt: 4, primLong: 8, primULong: 8, primFloat: 4, primDouble: 8, primChar: 2, primBool: 1}
	for p, n := range size {
		b.method("static byte[] GetBytes("+keywordOf[p]+" value)", func(a []Value) Value {
			var bits uint64
			switch x := a[0].(type) {
			case float32:
				bits = uint64(math.Float32bits(x))
			case float64:
				bits = math.Float64bits(x)
			case bool:
				if x {
					bits = 1
				}
			case uint64:
				bits = x
			default:
				w, _, _ := wholeNumber(x)
				bits = uint64(w)
			}
			return &Bytes{binary.LittleEndian.AppendUint64(nil, bits)[:n:n]}
		})
		b.method("static "+keywordOf[p]+" "+convertNames[p]+"(byte[] value, int startIndex)", func(a []Value) Value {
			data := part(bytesOf(a[0], "value"), a[1], int32(n))
			bits := binary.LittleEndian.Uint64(append(append([]byte(nil), data...), make([]byte, 8)...))
			switch p {
			case primFloat:
				return math.Float32frombits(uint32(bits))
			case primDouble:
				return math.Float64frombits(bits)
			case primBool:
				return bits != 0
			case primULong:
				return bits
			}
			return numberFromInt(int64(bits), p)
		})
	}
}

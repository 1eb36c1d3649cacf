package expr

import (
	"math"
	"strings"
)

// numbers declares the members of the numeric types, Math and Random.
func (b *library) numbers() {
	for p := primSByte; p <= primDecimal; p++ {
		b.numericType(p)
	}
	b.floatType(primDouble)
	b.floatType(primFloat)
	b.on("Double").add("static double MaxValue", math.MaxFloat64).add("static double MinValue", -math.MaxFloat64).add("static double Epsilon", math.SmallestNonzeroFloat64).
		add("static double NaN", math.NaN()).add("static double PositiveInfinity", math.Inf(1)).add("static double NegativeInfinity", math.Inf(-1))
	b.on("Single").add("static float MaxValue", float32(math.MaxFloat32)).add("static float MinValue", float32(-math.MaxFloat32)).
		add("static float NaN", float32(math.NaN())).add("static float PositiveInfinity", float32(math.Inf(1))).add("static float NegativeInfinity", float32(math.Inf(-1)))
	most := Decimal{high: math.MaxUint32, low: math.MaxUint64}
	b.on("Decimal").add("static decimal MaxValue", most).add("static decimal MinValue", most.neg()).add("static decimal Zero", Decimal{}).
		add("static decimal One", decimalFromInt(1)).add("static decimal MinusOne", decimalFromInt(-1))
	b.decimalStatics()
	b.math()
	b.random()
}

// numericType declares what all numbers have.
func (b *library) numericType(p primitive) {
	name := map[primitive]string{primSByte: "SByte", primByte: "Byte", primShort: "Int16", primUShort: "UInt16", primInt: "Int32", primUInt: "UInt32",
		primLong: "Int64", primULong: "UInt64", primFloat: "Single", primDouble: "Double", primDecimal: "Decimal"}[p]
	k := keywordOf[p]
	b.on(name)
	if p.integral() {
		least, most := integerRange(p)
		b.add("static "+k+" MinValue", numberFromInt(least, p))
		if p == primULong {
			b.add("static ulong MaxValue", uint64(math.MaxUint64))
		} else {
			b.add("static "+k+" MaxValue", numberFromInt(int64(most), p))
		}
	}
	parse := func(s Value, style int) Value {
		text, ok := s.(string)
		if !ok {
			throwArgumentNull("s")
		}
		return mustParse(text, style, p)
	}
	zero := numberFromInt(0, p)
	try := func(s Value, style int, out Value) Value {
		text, ok := s.(string)
		ref := out.(*reference)
		ref.value = zero
		if !ok {
			return false
		}
		v, result := parseNumber(text, style, p)
		if result == parsed {
			ref.value = v
		}
		return result == parsed
	}
	standard := standardStyle(p)
	b.method("static "+k+" Parse(string s)", func(a []Value) Value { return parse(a[0], standard) })
	b.method("static "+k+" Parse(string s, IFormatProvider provider)", func(a []Value) Value { return parse(a[0], standard) })
	b.method("static "+k+" Parse(string s, NumberStyles style)", func(a []Value) Value { return parse(a[0], int(a[1].(Enum).n)) })
	b.method("static "+k+" Parse(string s, NumberStyles style, IFormatProvider provider)", func(a []Value) Value { return parse(a[0], int(a[1].(Enum).n)) })
	b.method("static bool TryParse(string s, out "+k+" result)", func(a []Value) Value { return try(a[0], standard, a[1]) })
	b.method("static bool TryParse(string s, IFormatProvider provider, out "+k+" result)", func(a []Value) Value { return try(a[0], standard, a[2]) })
	b.method("static bool TryParse(string s, NumberStyles style, IFormatProvider provider, out "+k+" result)", func(a []Value) Value { return try(a[0], int(a[1].(Enum).n), a[3]) })
	b.native("string ToString(string format)", func(m *machine, a []Value) Value { return m.format(a[0], optionalText(a[1])) })
	b.native("string ToString(IFormatProvider provider)", func(m *machine, a []Value) Value { return m.text(a[0]) })
	b.native("string ToString(string format, IFormatProvider provider)", func(m *machine, a []Value) Value { return m.format(a[0], optionalText(a[1])) })
	b.native("int CompareTo("+k+" value)", func(m *machine, a []Value) Value { return int32(compareValues(m, a[0], a[1])) })
	b.native("int CompareTo(object value)", compareToObject)
	b.method("bool Equals("+k+" value)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
}

// compareToObject is IComparable.CompareTo: null is less than anything, another type is an error.
func compareToObject(m *machine, a []Value) Value {
	if a[1] == nil {
		return int32(1)
	}
	if !sameType(m.env.typeOf(a[0]), m.env.typeOf(a[1])) {
		throw("ArgumentException", "Object must be of type "+m.env.typeOf(a[0]).name+".")
	}
	return int32(compareValues(m, a[0], a[1]))
}

// optionalText is a string argument that may be null.
func optionalText(v Value) string {
	s, _ := v.(string)
	return s
}

func (b *library) floatType(p primitive) {
	name, k := "Double", keywordOf[p]
	if p == primFloat {
		name = "Single"
	}
	b.on(name)
	test := func(method string, is func(f float64) bool) {
		b.method("static bool "+method+"("+k+" value)", func(a []Value) Value { return is(floatOf(a[0])) })
	}
	test("IsNaN", math.IsNaN)
	test("IsInfinity", func(f float64) bool { return math.IsInf(f, 0) })
	test("IsPositiveInfinity", func(f float64) bool { return math.IsInf(f, 1) })
	test("IsNegativeInfinity", func(f float64) bool { return math.IsInf(f, -1) })
	test("IsFinite", func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) })
}

func (b *library) decimalStatics() {
	b.on("Decimal")
	one := func(signature string, apply func(d Decimal) Value) {
		b.method("static "+signature, func(a []Value) Value { return apply(a[0].(Decimal)) })
	}
	two := func(name string, apply func(d, e Decimal) Value) {
		b.method("static "+name+"(decimal a, decimal b)", func(a []Value) Value { return apply(a[0].(Decimal), a[1].(Decimal)) })
	}
	one("decimal Truncate(decimal d)", func(d Decimal) Value { return d.truncate() })
	one("decimal Floor(decimal d)", func(d Decimal) Value { return d.rescale(0, toNegativeInfinity) })
	one("decimal Ceiling(decimal d)", func(d Decimal) Value { return d.rescale(0, toPositiveInfinity) })
	one("decimal Round(decimal d)", func(d Decimal) Value { return d.rescale(0, toEven) })
	one("decimal Negate(decimal d)", func(d Decimal) Value { return d.neg() })
	one("int ToInt32(decimal d)", func(d Decimal) Value { return convertNumber(d, primInt, true) })
	one("long ToInt64(decimal d)", func(d Decimal) Value { return convertNumber(d, primLong, true) })
	one("double ToDouble(decimal d)", func(d Decimal) Value { return d.float() })
	b.method("static decimal Round(decimal d, int decimals)", func(a []Value) Value { return roundDecimal(a[0], a[1], toEven) })
	b.method("static decimal Round(decimal d, MidpointRounding mode)", func(a []Value) Value { return roundDecimal(a[0], int32(0), int(a[1].(Enum).n)) })
	b.method("static decimal Round(decimal d, int decimals, MidpointRounding mode)", func(a []Value) Value { return roundDecimal(a[0], a[1], int(a[2].(Enum).n)) })
	two("decimal Add", func(d, e Decimal) Value { return d.add(e) })
	two("decimal Subtract", func(d, e Decimal) Value { return d.sub(e) })
	two("decimal Multiply", func(d, e Decimal) Value { return d.mul(e) })
	two("decimal Divide", func(d, e Decimal) Value { return d.div(e) })
	two("decimal Remainder", func(d, e Decimal) Value { return d.rem(e) })
	two("int Compare", func(d, e Decimal) Value { return int32(d.compare(e)) })
}

func roundDecimal(d, places Value, mode int) Value {
	n := intOf(places)
	if n < 0 || n > maxScale {
		throwOutOfRange("Decimal can only round to between 0 and 28 digits of precision.", "decimals")
	}
	return d.(Decimal).rescale(n, mode)
}

// roundFloat is Math.Round of a double.
func roundFloat(f float64, places, mode int) Value {
	if places < 0 || places > 15 {
		throwOutOfRange("Rounding digits must be between 0 and 15, inclusive.", "digits")
	}
	if math.Abs(f) >= 1e16 || f != f {
		return f
	}
	power := math.Pow10(places)
	x := f * power
	switch mode {
	case toEven:
		x = math.RoundToEven(x)
	case awayFromZero:
		x = math.Round(x)
	case toZero:
		x = math.Trunc(x)
	case toNegativeInfinity:
		x = math.Floor(x)
	case toPositiveInfinity:
		x = math.Ceil(x)
	}
	return x / power
}

func (b *library) math() {
	b.on("Math").add("static double PI", math.Pi).add("static double E", math.E)
	for _, p := range []primitive{primSByte, primShort, primInt, primLong, primFloat, primDouble, primDecimal} {
		k := keywordOf[p]
		b.method("static "+k+" Abs("+k+" value)", func(a []Value) Value { return absolute(a[0], p) })
		b.method("static int Sign("+k+" value)", func(a []Value) Value {
			if f := floatOf(a[0]); f != f {
				throw("ArithmeticException", "Function does not accept floating point Not-a-Number values.")
			}
			return int32(compareOrdered(floatOf(a[0]), 0))
		})
	}
	for p := primSByte; p <= primDecimal; p++ {
		k := keywordOf[p]
		pick := func(name string, want int) {
			b.native("static "+k+" "+name+"("+k+" val1, "+k+" val2)", func(m *machine, a []Value) Value {
				if f := floatOf(a[0]); f != f {
					return a[0]
				}
				if f := floatOf(a[1]); f != f {
					return a[1]
				}
				if compareValues(m, a[0], a[1])*want >= 0 {
					return a[0]
				}
				return a[1]
			})
		}
		pick("Max", 1)
		pick("Min", -1)
		b.native("static "+k+" Clamp("+k+" value, "+k+" min, "+k+" max)", func(m *machine, a []Value) Value {
			switch {
			case compareValues(m, a[1], a[2]) > 0:
				throw("ArgumentException", "'"+m.text(a[1])+"' cannot be greater than "+m.text(a[2])+".")
			case compareValues(m, a[0], a[1]) < 0:
				return a[1]
			case compareValues(m, a[0], a[2]) > 0:
				return a[2]
			}
			return a[0]
		})
	}
	for name, apply := range map[string]func(float64) float64{
		"Floor": math.Floor, "Ceiling": math.Ceil, "Truncate": math.Trunc, "Sqrt": math.Sqrt, "Exp": math.Exp, "Log": math.Log, "Log10": math.Log10, "Log2": math.Log2,
		"Sin": math.Sin, "Cos": math.Cos, "Tan": math.Tan, "Asin": math.Asin, "Acos": math.Acos, "Atan": math.Atan, "Sinh": math.Sinh, "Cosh": math.Cosh, "Tanh": math.Tanh, "Cbrt": math.Cbrt,
	} {
		b.method("static double "+name+"(double d)", func(a []Value) Value { return apply(a[0].(float64)) })
	}
	for name, mode := range map[string]int{"Floor": toNegativeInfinity, "Ceiling": toPositiveInfinity, "Truncate": toZero} {
		b.method("static decimal "+name+"(decimal d)", func(a []Value) Value { return a[0].(Decimal).rescale(0, mode) })
	}
	for name, apply := range map[string]func(x, y float64) float64{"Pow": math.Pow, "Atan2": math.Atan2, "IEEERemainder": math.Remainder} {
		b.method("static double "+name+"(double x, double y)", func(a []Value) Value { return apply(a[0].(float64), a[1].(float64)) })
	}
	b.method("static double Log(double a, double newBase)", func(a []Value) Value { return math.Log(a[0].(float64)) / math.Log(a[1].(float64)) })
	b.method("static double Round(double a)", func(a []Value) Value { return math.RoundToEven(a[0].(float64)) })
	b.method("static double Round(double value, int digits)", func(a []Value) Value { return roundFloat(a[0].(float64), intOf(a[1]), toEven) })
	b.method("static double Round(double value, MidpointRounding mode)", func(a []Value) Value { return roundFloat(a[0].(float64), 0, int(a[1].(Enum).n)) })
	b.method("static double Round(double value, int digits, MidpointRounding mode)", func(a []Value) Value { return roundFloat(a[0].(float64), intOf(a[1]), int(a[2].(Enum).n)) })
	b.method("static decimal Round(decimal d)", func(a []Value) Value { return roundDecimal(a[0], int32(0), toEven) })
	b.method("static decimal Round(decimal d, int decimals)", func(a []Value) Value { return roundDecimal(a[0], a[1], toEven) })
	b.method("static decimal Round(decimal d, MidpointRounding mode)", func(a []Value) Value { return roundDecimal(a[0], int32(0), int(a[1].(Enum).n)) })
	b.method("static decimal Round(decimal d, int decimals, MidpointRounding mode)", func(a []Value) Value { return roundDecimal(a[0], a[1], int(a[2].(Enum).n)) })
	for _, p := range []primitive{primInt, primLong} {
		k := keywordOf[p]
		divide, rest := arithmetic("/", p, false), arithmetic("%", p, false)
		b.method("static "+k+" DivRem("+k+" a, "+k+" b, out "+k+" result)", func(a []Value) Value {
			a[2].(*reference).value = rest(a[0], a[1])
			return divide(a[0], a[1])
		})
	}
	b.method("static long BigMul(int a, int b)", func(a []Value) Value { return int64(a[0].(int32)) * int64(a[1].(int32)) })
}

func absolute(v Value, p primitive) Value {
	switch x := v.(type) {
	case float64:
		return math.Abs(x)
	case float32:
		return float32(math.Abs(float64(x)))
	case Decimal:
		x.negative = false
		return x
	}
	n, _, _ := wholeNumber(v)
	if least, _ := integerRange(p); n == least {
		throw("OverflowException", "Negating the minimum value of a twos complement number is invalid.")
	}
	if n < 0 {
		n = -n
	}
	return numberFromInt(n, p)
}

// charTest declares a test of System.Char in its two forms.
func (b *library) charTest(name string, is func(r rune) bool) {
	b.method("static bool "+name+"(char c)", func(a []Value) Value { return is(rune(a[0].(Char))) })
	b.method("static bool "+name+"(string s, int index)", func(a []Value) Value {
		c, ok := charAt(a[0].(string), intOf(a[1]))
		if !ok {
			throwOutOfRange(indexMessage, "index")
		}
		return is(rune(c))
	})
}

// parseBool is bool.Parse, which ignores case and white space.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.Trim(s, " \t\r\n\v\f\x00")) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

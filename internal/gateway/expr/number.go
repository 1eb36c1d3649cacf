package expr

import (
	"math"
	"math/big"
)

// numberFromInt makes a number of a primitive type from n.
func numberFromInt(n int64, p primitive) Value {
	switch p {
	case primChar:
		return Char(n)
	case primSByte:
		return int8(n)
	case primByte:
		return uint8(n)
	case primShort:
		return int16(n)
	case primUShort:
		return uint16(n)
	case primInt:
		return int32(n)
	case primUInt:
		return uint32(n)
	case primLong:
		return n
	case primULong:
		return uint64(n)
	case primFloat:
		return float32(n)
	case primDouble:
		return float64(n)
	case primDecimal:
		return decimalFromInt(n)
	}
	return nil
}

// primitiveOf returns the primitive type of a Go value.
func primitiveOf(v Value) primitive {
	switch v.(type) {
	case bool:
		return primBool
	case Char:
		return primChar
	case int8:
		return primSByte
	case uint8:
		return primByte
	case int16:
		return primShort
	case uint16:
		return primUShort
	case int32:
		return primInt
	case uint32:
		return primUInt
	case int64:
		return primLong
	case uint64:
		return primULong
	case float32:
		return primFloat
	case float64:
		return primDouble
	case Decimal:
		return primDecimal
	case string:
		return primString
	}
	return noPrimitive
}

// wholeNumber returns the value of an integer type as int64, or as uint64 where only that holds it.
func wholeNumber(v Value) (n int64, big uint64, ok bool) {
	switch v := v.(type) {
	case Char:
		return int64(v), 0, true
	case int8:
		return int64(v), 0, true
	case uint8:
		return int64(v), 0, true
	case int16:
		return int64(v), 0, true
	case uint16:
		return int64(v), 0, true
	case int32:
		return int64(v), 0, true
	case uint32:
		return int64(v), 0, true
	case int64:
		return v, 0, true
	case uint64:
		if v > math.MaxInt64 {
			return int64(v), v, true
		}
		return int64(v), 0, true
	}
	return 0, 0, false
}

// intOf is the value of an argument of type int.
func intOf(v Value) int {
	n, _ := v.(int32)
	return int(n)
}

// floatOf is any number as a double.
func floatOf(v Value) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case float32:
		return float64(v)
	case Decimal:
		return v.float()
	case uint64:
		return float64(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	n, _, _ := wholeNumber(v)
	return float64(n)
}

// decimalOf is any number as a decimal; a double is rounded to 15 digits as .NET does.
func decimalOf(v Value) Decimal {
	switch v := v.(type) {
	case Decimal:
		return v
	case float64:
		return decimalFromFloat(v, 15)
	case float32:
		return decimalFromFloat(float64(v), 7)
	case uint64:
		return decimalFromUint(v)
	}
	n, _, _ := wholeNumber(v)
	return decimalFromInt(n)
}

// integerRange is the least and greatest value of an integer type.
func integerRange(p primitive) (int64, uint64) {
	switch p {
	case primChar, primUShort:
		return 0, math.MaxUint16
	case primSByte:
		return math.MinInt8, math.MaxInt8
	case primByte:
		return 0, math.MaxUint8
	case primShort:
		return math.MinInt16, math.MaxInt16
	case primInt:
		return math.MinInt32, math.MaxInt32
	case primUInt:
		return 0, math.MaxUint32
	case primLong:
		return math.MinInt64, math.MaxInt64
	}
	return 0, math.MaxUint64
}

// overflowNames are the names of the numeric types in the messages of OverflowException.
var overflowNames = map[primitive]string{
	primChar: "a character", primSByte: "a signed byte", primByte: "an unsigned byte", primShort: "an Int16", primUShort: "a UInt16", primInt: "an Int32",
	primUInt: "a UInt32", primLong: "an Int64", primULong: "a UInt64", primDecimal: "a Decimal",
}

func throwTooLarge(p primitive) {
	throw("OverflowException", "Value was either too large or too small for "+overflowNames[p]+".")
}

func throwArithmeticOverflow() {
	throw("OverflowException", "Arithmetic operation resulted in an overflow.")
}

// fits reports whether an integer lies within the range of p.
func fits(n int64, large uint64, p primitive) bool {
	least, most := integerRange(p)
	if large != 0 {
		return large <= most
	}
	if n < 0 {
		return n >= least
	}
	return uint64(n) <= most
}

// convertNumber is the cast of a number to another numeric type. Unchecked integers wrap; a decimal target always checks.
func convertNumber(v Value, to primitive, checked bool) Value {
	switch to {
	case primDouble:
		return floatOf(v)
	case primFloat:
		if f, ok := v.(float32); ok {
			return f
		}
		return float32(floatOf(v))
	case primDecimal:
		return decimalOf(v)
	}
	switch x := v.(type) {
	case float64:
		return floatToInteger(x, to, checked)
	case float32:
		return floatToInteger(float64(x), to, checked)
	case Decimal:
		n, ok := x.truncate().bigInt(), true
		least, most := integerRange(to)
		if n.Cmp(big.NewInt(least)) < 0 || n.Cmp(new(big.Int).SetUint64(most)) > 0 {
			ok = false
		}
		if !ok {
			throwTooLarge(to)
		}
		if n.IsInt64() {
			return numberFromInt(n.Int64(), to)
		}
		return n.Uint64()
	}
	n, large, _ := wholeNumber(v)
	if checked && !fits(n, large, to) {
		throwArithmeticOverflow()
	}
	return numberFromInt(n, to)
}

// floatToInteger casts a double: in range it is cut, out of range it saturates as .NET does since version 9, or throws when checked.
func floatToInteger(f float64, to primitive, checked bool) Value {
	least, most := integerRange(to)
	t := math.Trunc(f)
	inside := t >= float64(least) && t <= float64(most) && !(most >= math.MaxInt64 && t >= float64(most))
	if !inside {
		if checked {
			throwArithmeticOverflow()
		}
		switch {
		case f != f:
			return numberFromInt(0, to)
		case f < 0:
			return numberFromInt(least, to)
		case to == primULong:
			return uint64(math.MaxUint64)
		case to == primInt || to == primLong || to == primUInt:
			return numberFromInt(int64(most), to)
		}
		// Narrower types are cast by way of int.
		return numberFromInt(int64(floatToInteger(f, primInt, false).(int32)), to)
	}
	if to == primULong {
		return uint64(t)
	}
	return numberFromInt(int64(t), to)
}

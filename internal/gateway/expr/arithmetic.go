package expr

import "math"

// arithmetic returns the operation of an operator on two values of one type, nil where there is none.
func arithmetic(op string, p primitive, checked bool) func(a, c Value) Value {
	switch p {
	case primDouble:
		return doubleArithmetic(op)
	case primFloat:
		apply := doubleArithmetic(op)
		return func(a, c Value) Value {
			return float32(apply(float64(a.(float32)), float64(c.(float32))).(float64))
		}
	case primDecimal:
		return decimalArithmetic(op)
	case primInt:
		if !checked {
			if fast := intArithmetic(op); fast != nil {
				return fast
			}
		}
	case primULong:
		return ulongArithmetic(op, checked)
	}
	return integerArithmetic(op, p, checked)
}

// intArithmetic is the common case, 32-bit integers that wrap.
func intArithmetic(op string) func(a, c Value) Value {
	switch op {
	case "+":
		return func(a, c Value) Value { return a.(int32) + c.(int32) }
	case "-":
		return func(a, c Value) Value { return a.(int32) - c.(int32) }
	case "*":
		return func(a, c Value) Value { return a.(int32) * c.(int32) }
	}
	return nil
}

func doubleArithmetic(op string) func(a, c Value) Value {
	switch op {
	case "+":
		return func(a, c Value) Value { return a.(float64) + c.(float64) }
	case "-":
		return func(a, c Value) Value { return a.(float64) - c.(float64) }
	case "*":
		return func(a, c Value) Value { return a.(float64) * c.(float64) }
	case "/":
		return func(a, c Value) Value { return a.(float64) / c.(float64) }
	}
	return func(a, c Value) Value { return math.Mod(a.(float64), c.(float64)) }
}

func decimalArithmetic(op string) func(a, c Value) Value {
	switch op {
	case "+":
		return func(a, c Value) Value { return a.(Decimal).add(c.(Decimal)) }
	case "-":
		return func(a, c Value) Value { return a.(Decimal).sub(c.(Decimal)) }
	case "*":
		return func(a, c Value) Value { return a.(Decimal).mul(c.(Decimal)) }
	case "/":
		return func(a, c Value) Value { return a.(Decimal).div(c.(Decimal)) }
	}
	return func(a, c Value) Value { return a.(Decimal).rem(c.(Decimal)) }
}

// ulongArithmetic is the type that int64 cannot hold.
func ulongArithmetic(op string, checked bool) func(a, c Value) Value {
	return func(a, c Value) Value {
		x, y := a.(uint64), c.(uint64)
		var r uint64
		over := false
		switch op {
		case "+":
			r = x + y
			over = r < x
		case "-":
			r = x - y
			over = y > x
		case "*":
			r = x * y
			over = x != 0 && r/x != y
		case "/", "%":
			if y == 0 {
				throwDivideByZero()
			}
			r = x / y
			if op == "%" {
				r = x % y
			}
		case "&":
			r = x & y
		case "|":
			r = x | y
		case "^":
			r = x ^ y
		}
		if over && checked {
			throwArithmeticOverflow()
		}
		return r
	}
}

// integerArithmetic computes in 64 bits and cuts to the type.
func integerArithmetic(op string, p primitive, checked bool) func(a, c Value) Value {
	return func(a, c Value) Value {
		x, _, _ := wholeNumber(a)
		y, _, _ := wholeNumber(c)
		var r int64
		over := false
		switch op {
		case "+":
			r = x + y
			over = (r > x) != (y > 0) && y != 0
		case "-":
			r = x - y
			over = (r < x) != (y > 0) && y != 0
		case "*":
			r = x * y
			over = x != 0 && (r/x != y || x == -1 && y == math.MinInt64)
		case "/", "%":
			if y == 0 {
				throwDivideByZero()
			}
			if least, _ := integerRange(p); y == -1 && x == least && least != 0 {
				throwArithmeticOverflow()
			}
			r = x / y
			if op == "%" {
				r = x % y
			}
		case "&":
			r = x & y
		case "|":
			r = x | y
		case "^":
			r = x ^ y
		}
		if checked && (over || !fits(r, 0, p)) {
			throwArithmeticOverflow()
		}
		return numberFromInt(r, p)
	}
}

// shiftNumber is u << n or u >> n; the count is taken modulo the width.
func shiftNumber(op string, u Value, n int) Value {
	switch x := u.(type) {
	case int32:
		if op == "<<" {
			return x << (n & 31)
		}
		return x >> (n & 31)
	case uint32:
		if op == "<<" {
			return x << (n & 31)
		}
		return x >> (n & 31)
	case int64:
		if op == "<<" {
			return x << (n & 63)
		}
		return x >> (n & 63)
	case uint64:
		if op == "<<" {
			return x << (n & 63)
		}
		return x >> (n & 63)
	}
	return u
}

// comparison returns the comparison of two values of one numeric type.
func comparison(op string, p primitive) func(a, c Value) Value {
	var order func(a, c Value) int
	switch p {
	case primDouble, primFloat:
		return func(a, c Value) Value {
			x, y := floatOf(a), floatOf(c)
			switch op {
			case "==":
				return x == y
			case "!=":
				return x != y
			case "<":
				return x < y
			case ">":
				return x > y
			case "<=":
				return x <= y
			}
			return x >= y
		}
	case primDecimal:
		order = func(a, c Value) int { return a.(Decimal).compare(c.(Decimal)) }
	case primULong:
		order = func(a, c Value) int { return compareOrdered(a.(uint64), c.(uint64)) }
	default:
		order = func(a, c Value) int {
			x, _, _ := wholeNumber(a)
			y, _, _ := wholeNumber(c)
			return compareOrdered(x, y)
		}
	}
	test := orderTest(op)
	return func(a, c Value) Value { return test(order(a, c)) }
}

// orderTest turns an operator into a test of the result of a comparison.
func orderTest(op string) func(int) bool {
	switch op {
	case "==":
		return func(n int) bool { return n == 0 }
	case "!=":
		return func(n int) bool { return n != 0 }
	case "<":
		return func(n int) bool { return n < 0 }
	case ">":
		return func(n int) bool { return n > 0 }
	case "<=":
		return func(n int) bool { return n <= 0 }
	}
	return func(n int) bool { return n >= 0 }
}

func compareOrdered[T int64 | uint64 | float64 | int | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

package expr

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is System.Decimal: a 96-bit integer over a power of ten of at most 28. Trailing zeros are kept.
type Decimal struct {
	high     uint32
	low      uint64
	scale    uint8
	negative bool
}

// maxScale is the greatest number of decimal places.
const maxScale = 28

var (
	bigTen        = big.NewInt(10)
	decimalLimit  = new(big.Int).Lsh(big.NewInt(1), 96)
	decimalPowers = func() []*big.Int {
		list := make([]*big.Int, 80)
		p := big.NewInt(1)
		for i := range list {
			list[i] = new(big.Int).Set(p)
			p.Mul(p, bigTen)
		}
		return list
	}()
)

func decimalFromInt(n int64) Decimal {
	if n < 0 {
		return Decimal{low: uint64(-n), negative: true}
	}
	return Decimal{low: uint64(n)}
}

func decimalFromUint(n uint64) Decimal { return Decimal{low: n} }

// coefficient is the unscaled value without its sign.
func (d Decimal) coefficient() *big.Int {
	n := new(big.Int).SetUint64(uint64(d.high))
	n.Lsh(n, 64)
	return n.Or(n, new(big.Int).SetUint64(d.low))
}

// signed is the unscaled value with its sign.
func (d Decimal) signed() *big.Int {
	n := d.coefficient()
	if d.negative {
		n.Neg(n)
	}
	return n
}

// bigInt is the value of a decimal without places.
func (d Decimal) bigInt() *big.Int { return d.rescale(0, math.MaxInt).signed() }

func (d Decimal) isZero() bool { return d.high == 0 && d.low == 0 }

// makeDecimal rounds n / 10^scale half to even into a Decimal, or throws OverflowException.
func makeDecimal(n *big.Int, scale int) Decimal {
	negative := n.Sign() < 0
	c := new(big.Int).Abs(n)
	sticky := false
	for scale > maxScale || c.Cmp(decimalLimit) >= 0 && scale > 0 {
		drop := 1
		if scale > maxScale {
			drop = scale - maxScale
		}
		if extra := c.BitLen() - 96; extra > 0 {
			drop = max(drop, min(scale, int(float64(extra)*0.30103)))
		}
		drop = min(drop, len(decimalPowers)-1)
		divisor := decimalPowers[drop]
		q, r := new(big.Int).QuoRem(c, divisor, new(big.Int))
		half := new(big.Int).Rsh(divisor, 1)
		cmp := r.Cmp(half)
		// A rounded value that still is too large is divided again, from the unrounded quotient.
		if q.Cmp(decimalLimit) < 0 && scale-drop <= maxScale {
			if cmp > 0 || cmp == 0 && (sticky || q.Bit(0) == 1) {
				q.Add(q, big.NewInt(1))
			}
		}
		sticky = sticky || r.Sign() != 0
		c, scale = q, scale-drop
	}
	if c.Cmp(decimalLimit) >= 0 {
		throw("OverflowException", "Value was either too large or too small for a Decimal.")
	}
	low := new(big.Int).And(c, new(big.Int).SetUint64(math.MaxUint64))
	return Decimal{high: uint32(new(big.Int).Rsh(c, 64).Uint64()), low: low.Uint64(), scale: uint8(scale), negative: negative && c.Sign() != 0}
}

// align brings two decimals to one scale.
func align(a, b Decimal) (*big.Int, *big.Int, int) {
	x, y := a.signed(), b.signed()
	switch {
	case a.scale < b.scale:
		x.Mul(x, decimalPowers[b.scale-a.scale])
		return x, y, int(b.scale)
	case b.scale < a.scale:
		y.Mul(y, decimalPowers[a.scale-b.scale])
	}
	return x, y, int(a.scale)
}

func (d Decimal) add(o Decimal) Decimal {
	x, y, scale := align(d, o)
	return makeDecimal(x.Add(x, y), scale)
}

func (d Decimal) sub(o Decimal) Decimal { return d.add(o.neg()) }

func (d Decimal) neg() Decimal {
	d.negative = !d.negative && !d.isZero()
	return d
}

func (d Decimal) mul(o Decimal) Decimal {
	return makeDecimal(new(big.Int).Mul(d.signed(), o.signed()), int(d.scale)+int(o.scale))
}

func throwDivideByZero() {
	throw("DivideByZeroException", "Attempted to divide by zero.")
}

// div divides to 28 or 29 significant digits; an exact quotient keeps no more places than it needs, and at least the difference of the scales.
func (d Decimal) div(o Decimal) Decimal {
	if o.isZero() {
		throwDivideByZero()
	}
	x, y := d.signed(), o.signed()
	scale := int(d.scale) - int(o.scale)
	preferred := max(scale, 0)
	shift := 58
	x.Mul(x, decimalPowers[shift])
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	scale += shift
	if r.Sign() == 0 {
		rest := new(big.Int)
		for scale > preferred {
			t, _ := new(big.Int).QuoRem(q, bigTen, rest)
			if rest.Sign() != 0 {
				break
			}
			q, scale = t, scale-1
		}
	} else {
		// One more digit that is not zero keeps a tie from being taken for exact.
		q.Mul(q, bigTen)
		if x.Sign()*y.Sign() < 0 {
			q.Sub(q, big.NewInt(1))
		} else {
			q.Add(q, big.NewInt(1))
		}
		scale++
	}
	result := makeDecimal(q, scale)
	if r.Sign() != 0 {
		result = result.trimTo(preferred)
	}
	return result
}

// trimTo drops trailing zeros down to the given number of places.
func (d Decimal) trimTo(places int) Decimal {
	c, rest := d.coefficient(), new(big.Int)
	scale := int(d.scale)
	for scale > places {
		q, _ := new(big.Int).QuoRem(c, bigTen, rest)
		if rest.Sign() != 0 {
			break
		}
		c, scale = q, scale-1
	}
	if d.negative {
		c.Neg(c)
	}
	return makeDecimal(c, scale)
}

func (d Decimal) rem(o Decimal) Decimal {
	if o.isZero() {
		throwDivideByZero()
	}
	x, y, scale := align(d, o)
	return makeDecimal(x.Rem(x, y), scale)
}

func (d Decimal) compare(o Decimal) int {
	x, y, _ := align(d, o)
	return x.Cmp(y)
}

// Rounding modes of System.MidpointRounding.
const (
	toEven = iota
	awayFromZero
	toZero
	toNegativeInfinity
	toPositiveInfinity
)

// rescale rounds to at most the given places by a mode of MidpointRounding; math.MaxInt stands for cutting.
func (d Decimal) rescale(places, mode int) Decimal {
	if int(d.scale) <= places {
		return d
	}
	divisor := decimalPowers[int(d.scale)-places]
	q, r := new(big.Int).QuoRem(d.coefficient(), divisor, new(big.Int))
	up := false
	switch cmp := r.Cmp(new(big.Int).Rsh(divisor, 1)); mode {
	case toEven:
		up = cmp > 0 || cmp == 0 && q.Bit(0) == 1
	case awayFromZero:
		up = cmp >= 0
	case toNegativeInfinity:
		up = d.negative && r.Sign() != 0
	case toPositiveInfinity:
		up = !d.negative && r.Sign() != 0
	}
	if up {
		q.Add(q, big.NewInt(1))
	}
	if d.negative {
		q.Neg(q)
	}
	return makeDecimal(q, places)
}

func (d Decimal) truncate() Decimal { return d.rescale(0, toZero) }

func (d Decimal) float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// decimalFromFloat rounds a binary number to the given significant digits, as the .NET cast does.
func decimalFromFloat(f float64, digits int) Decimal {
	if f != f || math.Abs(f) >= 7.9228162514264338e28 {
		throw("OverflowException", "Value was either too large or too small for a Decimal.")
	}
	text := strconv.FormatFloat(f, 'e', digits-1, 64)
	d, _ := parseDecimalLiteral(text)
	return d.trimTo(0)
}

// parseDecimalLiteral reads digits with an optional sign, point and exponent.
func parseDecimalLiteral(s string) (d Decimal, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, overflow := r.(*Exception); !overflow {
				panic(r)
			}
			ok = false
		}
	}()
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		exponent, err = strconv.Atoi(s[i+1:])
		if err != nil {
			return Decimal{}, false
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := whole + fraction
	if len(digits) > 4096 {
		return Decimal{}, false
	}
	n, good := new(big.Int).SetString(digits, 10)
	if !good {
		return Decimal{}, false
	}
	scale := len(fraction) - exponent
	if scale < 0 {
		if -scale > 64 {
			return Decimal{}, n.Sign() == 0
		}
		n.Mul(n, decimalPowers[-scale])
		scale = 0
	}
	if scale > 5000 {
		return Decimal{}, true
	}
	return makeDecimal(n, scale), true
}

// String is the invariant text, trailing zeros included.
func (d Decimal) String() string {
	text := d.coefficient().String()
	if d.scale > 0 {
		for len(text) <= int(d.scale) {
			text = "0" + text
		}
		text = text[:len(text)-int(d.scale)] + "." + text[len(text)-int(d.scale):]
	}
	if d.negative {
		text = "-" + text
	}
	return text
}

func (d Decimal) equals(other Value) bool {
	o, ok := other.(Decimal)
	return ok && d.compare(o) == 0
}

func (d Decimal) hashKey() any { return structuralKey{"decimal", d.trimTo(0).String()} }

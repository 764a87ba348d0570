package order

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// compareNumbers compares two values of the four number types exactly. Only a
// comparison of a decimal with a fractional or huge double takes big integers.
func compareNumbers(a, b bson.RawValue) int {
	switch {
	case a.Type == bson.TypeDecimal128 || b.Type == bson.TypeDecimal128:
		return compareDecimals(a, b)
	case a.Type == bson.TypeDouble && b.Type == bson.TypeDouble:
		// cmp.Compare has NaN equal to itself and below everything: MongoDB's order.
		return cmp.Compare(doubleOf(a), doubleOf(b))
	case a.Type == bson.TypeDouble:
		return -compareIntDouble(intOf(b), doubleOf(a))
	case b.Type == bson.TypeDouble:
		return compareIntDouble(intOf(a), doubleOf(b))
	default:
		return cmp.Compare(intOf(a), intOf(b))
	}
}

func doubleOf(v bson.RawValue) float64 { return math.Float64frombits(uint64(int64Of(v.Value))) }

func intOf(v bson.RawValue) int64 {
	if v.Type == bson.TypeInt32 {
		if len(v.Value) < 4 {
			return 0
		}
		return int64(int32(binary.LittleEndian.Uint32(v.Value)))
	}
	return int64Of(v.Value)
}

// IsNaN reports whether a value is a number that is not one.
func IsNaN(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeDouble:
		return math.IsNaN(doubleOf(v))
	case bson.TypeDecimal128:
		return decimalOf(v).class == classNaN
	default:
		return false
	}
}

// compareIntDouble compares without rounding the integer to a double.
func compareIntDouble(i int64, d float64) int {
	switch {
	case math.IsNaN(d):
		return 1
	case d >= 1<<63:
		return -1
	case d < -(1 << 63):
		return 1
	}
	whole := math.Trunc(d)
	return cmp.Or(cmp.Compare(i, int64(whole)), cmp.Compare(0, d-whole))
}

const (
	classNaN = iota
	classMinusInf
	classFinite
	classInf
)

// A decimal is sign · coefficient · 10^exp. In normal form the coefficient of
// what is not zero has exactly 34 digits, which always fit in its 128 bits, so
// that exponents compare before coefficients. 34 is what a Decimal128 holds.
type decimal struct {
	class  int
	sign   int // -1, 0 or 1
	hi, lo uint64
	exp    int
}

// 10^33 and 10^34 in 128 bits.
const (
	e33hi, e33lo = 0x0000314dc6448d93, 0x38c15b0a00000000
	e34hi, e34lo = 0x0001ed09bead87c0, 0x378d8e6400000000
)

func compareDecimals(a, b bson.RawValue) int {
	if a.Type == bson.TypeDouble {
		return -compareDecimalDouble(decimalOf(b), doubleOf(a))
	}
	if b.Type == bson.TypeDouble {
		return compareDecimalDouble(decimalOf(a), doubleOf(b))
	}
	return decimalOf(a).compare(decimalOf(b))
}

// decimalOf converts an integer or decodes a Decimal128 (IEEE 754-2008, binary
// integer coefficient). An encoding of more than 34 digits is zero by that standard.
func decimalOf(v bson.RawValue) decimal {
	if v.Type != bson.TypeDecimal128 {
		return decimalOfInt(intOf(v))
	}
	if len(v.Value) < 16 {
		return decimal{class: classFinite}
	}
	lo, hi := binary.LittleEndian.Uint64(v.Value), binary.LittleEndian.Uint64(v.Value[8:])
	negative := hi>>63 == 1
	switch hi >> 58 & 0x1f {
	case 0x1f:
		return decimal{class: classNaN}
	case 0x1e:
		if negative {
			return decimal{class: classMinusInf}
		}
		return decimal{class: classInf}
	}
	if hi>>61&3 == 3 {
		return decimal{class: classFinite} // an implied coefficient of over 10^34
	}
	d := decimal{class: classFinite, sign: 1, hi: hi & (1<<49 - 1), lo: lo, exp: int(hi>>49&(1<<14-1)) - 6176}
	if negative {
		d.sign = -1
	}
	if !less128(d.hi, d.lo, e34hi, e34lo) {
		return decimal{class: classFinite}
	}
	return d.normal()
}

func decimalOfInt(i int64) decimal {
	d := decimal{class: classFinite, sign: cmp.Compare(i, 0), lo: uint64(i)}
	if i < 0 {
		d.lo = -d.lo // right for the lowest int64 too
	}
	return d.normal()
}

func (d decimal) normal() decimal {
	if d.hi == 0 && d.lo == 0 {
		return decimal{class: classFinite}
	}
	for less128(d.hi, d.lo, e33hi, e33lo) {
		carry, lo := bits.Mul64(d.lo, 10)
		d.hi, d.lo = d.hi*10+carry, lo
		d.exp--
	}
	return d
}

func less128(ahi, alo, bhi, blo uint64) bool { return ahi < bhi || ahi == bhi && alo < blo }

// compare compares decimals in normal form.
func (d decimal) compare(e decimal) int {
	if d.class != classFinite || e.class != classFinite {
		return cmp.Compare(d.class, e.class)
	}
	if d.sign != e.sign || d.sign == 0 {
		return cmp.Compare(d.sign, e.sign)
	}
	return d.sign * cmp.Or(cmp.Compare(d.exp, e.exp), cmp.Compare(d.hi, e.hi), cmp.Compare(d.lo, e.lo))
}

func compareDecimalDouble(d decimal, f float64) int {
	switch {
	case math.IsNaN(f):
		return d.compare(decimal{class: classNaN})
	case math.IsInf(f, 1):
		return d.compare(decimal{class: classInf})
	case math.IsInf(f, -1):
		return d.compare(decimal{class: classMinusInf})
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return d.compare(decimalOfInt(int64(f)))
	case d.class != classFinite:
		return cmp.Compare(d.class, classFinite)
	}
	sign := 1
	if f < 0 {
		sign = -1
	}
	if d.sign != sign {
		return cmp.Compare(d.sign, sign)
	}
	return sign * d.compareMagnitude(math.Abs(f))
}

// compareMagnitude compares |d|, which is not zero, with f > 0, both finite.
func (d decimal) compareMagnitude(f float64) int {
	// |d| is in [10^(exp+33), 10^(exp+34)); every double is in (10^-324, 10^309).
	// What is out of reach is told apart here, which bounds the big integers below.
	if d.exp+33 >= 309 {
		return 1
	}
	if d.exp+34 <= -324 {
		return -1
	}
	left := new(big.Int).SetUint64(d.hi)
	left.Lsh(left, 64).Or(left, new(big.Int).SetUint64(d.lo))
	fraction, exponent := math.Frexp(f)
	right := big.NewInt(int64(fraction * (1 << 53)))
	exponent -= 53
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.exp, -d.exp))), nil)
	if d.exp >= 0 {
		left.Mul(left, power)
	} else {
		right.Mul(right, power)
	}
	if exponent >= 0 {
		right.Lsh(right, uint(exponent))
	} else {
		left.Lsh(left, uint(-exponent))
	}
	return left.Cmp(right)
}

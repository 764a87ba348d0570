package extjson

import (
	"cmp"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// shortDecimal is the length of the longest text of a Decimal128 that has no zeros to
// spare: a sign, 34 digits with a point among them, an exponent.
const shortDecimal = 43

// parseDecimal is bson.ParseDecimal128, whose time grows with the square of the length
// for the sake of zeros that the exponent can stand for.
func parseDecimal(s string) (bson.Decimal128, bool) {
	if len(s) > shortDecimal {
		var ok bool
		if s, ok = shortened(s); !ok {
			return bson.Decimal128{}, false
		}
	}
	d, err := bson.ParseDecimal128(s)
	return d, err == nil
}

// shortened returns a long decimal with no zeros in front and, as bson.ParseDecimal128
// would take them away, none behind 34 digits. It reports false for what is none.
func shortened(s string) (string, bool) {
	sign, exp := "", 0
	if s[0] == '-' || s[0] == '+' {
		sign, s = s[:1], s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.Atoi(s[i+1:]); err != nil {
			return "", false
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if strings.Trim(digits, "0123456789") != "" || whole == "" && fraction == "" {
		return "", false
	}
	exp = min(max(exp, -1<<40), 1<<40) - len(fraction) // far out already, and cannot wrap
	for len(digits) > 34 && digits[len(digits)-1] == '0' {
		digits, exp = digits[:len(digits)-1], exp+1
	}
	return sign + cmp.Or(digits, "0") + "E" + strconv.Itoa(exp), len(digits) <= 34
}

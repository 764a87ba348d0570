package extjson

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
)

// scalars reads values that hold no others, those of JSON and, behind their type's name,
// those of Extended JSON. Each is appended to dst.
type scalars struct {
	source
	dst []byte
}

// text appends a string.
func (s *scalars) text() (err error) {
	dst, at := bsonappend.BeginString(s.dst)
	if dst, err = s.AppendString(dst); err != nil {
		return err
	}
	s.dst = bsonappend.EndString(dst, at)
	return nil
}

// number appends a number as relaxed Extended JSON has it: an integer is the
// smallest type that holds it, anything else a double.
func (s *scalars) number() (bson.Type, error) {
	digits, whole, err := s.Number()
	if err != nil {
		return 0, err
	}
	if whole && len(digits) <= maxDigits {
		if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			return s.integer(n), nil
		}
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		return 0, s.fail(`is beyond the range of a double: send it as {"$numberDecimal": "…"}`)
	}
	// JavaScript writes large doubles as integers: as few digits as tell the
	// double, then zeros. Any others would be lost.
	if whole && strconv.FormatFloat(f, 'f', -1, 64) != string(digits) {
		return 0, s.fail(`is an integer beyond 64 bits: send it as {"$numberDecimal": "…"}, or with an exponent as a double`)
	}
	s.dst = bsonappend.Double(s.dst, f)
	return bson.TypeDouble, nil
}

// maxDigits is the length of the longest integer of 64 bits, with its sign.
const maxDigits = 20

func (s *scalars) integer(n int64) bson.Type {
	if n == int64(int32(n)) {
		s.dst = bsonappend.Int32(s.dst, int32(n))
		return bson.TypeInt32
	}
	s.dst = bsonappend.Int64(s.dst, n)
	return bson.TypeInt64
}

func (s *scalars) objectID() (bson.Type, error) {
	const what = "an ObjectId: {\"$oid\": \"24 hexadecimal digits\"}"
	digits, err := s.want(what)
	if err != nil {
		return 0, err
	}
	var id bson.ObjectID
	if len(digits) != 2*len(id) {
		return 0, s.fail("is not %s", what)
	}
	if _, err := hex.Decode(id[:], digits); err != nil {
		return 0, s.fail("is not %s", what)
	}
	s.dst = append(s.dst, id[:]...)
	return bson.TypeObjectID, nil
}

func (s *scalars) numberInt() (bson.Type, error) {
	n, err := s.quotedInt("$numberInt", 32)
	s.dst = bsonappend.Int32(s.dst, int32(n))
	return bson.TypeInt32, err
}

func (s *scalars) numberLong() (bson.Type, error) {
	n, err := s.quotedInt("$numberLong", 64)
	s.dst = bsonappend.Int64(s.dst, n)
	return bson.TypeInt64, err
}

func (s *scalars) quotedInt(name string, bits int) (int64, error) {
	digits, err := s.want("a " + name + ": a string of digits")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(digits), 10, bits)
	if err != nil {
		return 0, s.fail("is not a %s: an integer of %d bits as a string", name, bits)
	}
	return n, nil
}

func (s *scalars) numberDouble() (bson.Type, error) {
	const what = "a $numberDouble: a number, Infinity, -Infinity or NaN as a string"
	number, err := s.want(what)
	if err != nil {
		return 0, err
	}
	f, ok := parseDouble(string(number))
	if !ok {
		return 0, s.fail("is not %s", what)
	}
	s.dst = bsonappend.Double(s.dst, f)
	return bson.TypeDouble, nil
}

func parseDouble(s string) (float64, bool) {
	switch s {
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	}
	if strings.ContainsAny(s, "xXpPnN_") { // more spellings that only Go has
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func (s *scalars) numberDecimal() (bson.Type, error) {
	const what = "a $numberDecimal: a decimal of at most 34 digits as a string"
	number, err := s.want(what)
	if err != nil {
		return 0, err
	}
	d, ok := parseDecimal(string(number))
	if !ok {
		return 0, s.fail("is not %s", what)
	}
	s.dst = bsonappend.Decimal128(s.dst, d)
	return bson.TypeDecimal128, nil
}

// time appends a date: what RFC 3339 has. What is finer than a millisecond BSON does not
// hold.
func (s *scalars) time() error {
	text, err := s.want(whatDate)
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05Z0700", string(text))
	}
	if err != nil {
		return s.fail("is not %s", whatDate)
	}
	s.dst = bsonappend.Int64(s.dst, t.UnixMilli())
	return nil
}

func (s *scalars) binary() (bson.Type, error) {
	const what = `a $binary: {"base64": "…", "subType": "two hexadecimal digits"}`
	data, digits, err := s.stringPair(what, "base64", "subType")
	if err != nil {
		return 0, err
	}
	subtype, err := strconv.ParseUint(string(digits[:min(len(digits), 3)]), 16, 8)
	if err != nil || len(digits) > 2 {
		return 0, s.fail("is not %s", what)
	}
	dst, at := bsonappend.BeginBinary(s.dst, byte(subtype))
	if s.dst, err = base64.StdEncoding.Strict().AppendDecode(dst, data); err != nil {
		return 0, s.fail("is not %s", what)
	}
	bsonappend.EndBinary(s.dst, at, byte(subtype))
	return bson.TypeBinary, nil
}

func (s *scalars) uuid() (bson.Type, error) {
	const what = "a $uuid: 32 hexadecimal digits with hyphens"
	text, err := s.want(what)
	if err != nil {
		return 0, err
	}
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return 0, s.fail("is not %s", what)
	}
	dst, at := bsonappend.BeginBinary(s.dst, bson.TypeBinaryUUID)
	if s.dst, err = hex.AppendDecode(dst, bytes.ReplaceAll(text, []byte("-"), nil)); err != nil || len(s.dst) != at+16 {
		return 0, s.fail("is not %s", what)
	}
	bsonappend.EndBinary(s.dst, at, bson.TypeBinaryUUID)
	return bson.TypeBinary, nil
}

func (s *scalars) timestamp() (bson.Type, error) {
	const what = `a $timestamp: {"t": seconds, "i": increment}, both integers of 32 bits`
	parts := map[string]uint32{}
	err := s.members(what, []string{"t", "i"}, func(name string) error {
		digits, whole, err := s.Number()
		if err != nil || !whole {
			return s.fail("is not %s", what)
		}
		n, err := strconv.ParseUint(string(digits), 10, 32)
		if err != nil {
			return s.fail("is not %s", what)
		}
		parts[name] = uint32(n)
		return nil
	})
	s.dst = bsonappend.Timestamp(s.dst, parts["t"], parts["i"])
	return bson.TypeTimestamp, err
}

// regex sorts the options, as BSON wants them.
func (s *scalars) regex() (bson.Type, error) {
	const what = `a $regularExpression: {"pattern": "…", "options": "…"}, without NUL`
	pattern, options, err := s.stringPair(what, "pattern", "options")
	if err != nil {
		return 0, err
	}
	if bytes.IndexByte(pattern, 0) >= 0 || slices.ContainsFunc(options, func(c byte) bool { return c < 'a' || c > 'z' }) {
		return 0, s.fail("is not %s", what)
	}
	s.dst = bsonappend.Regex(s.dst, pattern, options)
	slices.Sort(s.dst[len(s.dst)-1-len(options) : len(s.dst)-1])
	return bson.TypeRegex, nil
}

func (s *scalars) symbol() (bson.Type, error) {
	text, err := s.want("a $symbol: a string")
	s.dst = bsonappend.String(s.dst, text)
	return bson.TypeSymbol, err
}

func (s *scalars) undefined() (bson.Type, error) { return bson.TypeUndefined, s.Literal("true") }

// one takes the number 1, which stands for nothing more.
func (s *scalars) one(name string) error {
	if !s.Take('1') {
		return s.fail("is not {%q: 1}", name)
	}
	return nil
}

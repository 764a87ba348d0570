package extjson

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// typesByName are the types of Extended JSON v2 by the name that begins their
// object. Each appends the value that stands behind that name and returns its type.
// Not among them are the forms of version 1, of which some are operators as well.
var typesByName map[string]func(*parser) (bson.Type, error)

func init() { // some refer to the parser, which refers to them
	typesByName = map[string]func(*parser) (bson.Type, error){
		"$oid":               (*parser).objectID,
		"$numberInt":         (*parser).numberInt,
		"$numberLong":        (*parser).numberLong,
		"$numberDouble":      (*parser).numberDouble,
		"$numberDecimal":     (*parser).numberDecimal,
		"$date":              (*parser).date,
		"$binary":            (*parser).binary,
		"$uuid":              (*parser).uuid,
		"$timestamp":         (*parser).timestamp,
		"$regularExpression": (*parser).regex,
		"$symbol":            (*parser).symbol,
		"$code":              (*parser).code,
		"$dbPointer":         (*parser).dbPointer,
		"$undefined":         (*parser).undefined,
		"$minKey":            func(p *parser) (bson.Type, error) { return bson.TypeMinKey, p.one("$minKey") },
		"$maxKey":            func(p *parser) (bson.Type, error) { return bson.TypeMaxKey, p.one("$maxKey") },
	}
}

// want reads the string that a type has for its value.
func (p *parser) want(what string) ([]byte, error) {
	if p.peek() != '"' {
		return nil, p.fail("is not %s", what)
	}
	return p.quoted()
}

func (p *parser) objectID() (bson.Type, error) {
	const what = "an ObjectId: {\"$oid\": \"24 hexadecimal digits\"}"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	var id bson.ObjectID
	if len(s) != 2*len(id) {
		return 0, p.fail("is not %s", what)
	}
	if _, err := hex.Decode(id[:], s); err != nil {
		return 0, p.fail("is not %s", what)
	}
	p.dst = append(p.dst, id[:]...)
	return bson.TypeObjectID, nil
}

func (p *parser) numberInt() (bson.Type, error) {
	n, err := p.quotedInt("$numberInt", 32)
	p.dst = binary.LittleEndian.AppendUint32(p.dst, uint32(n))
	return bson.TypeInt32, err
}

func (p *parser) numberLong() (bson.Type, error) {
	n, err := p.quotedInt("$numberLong", 64)
	p.dst = binary.LittleEndian.AppendUint64(p.dst, uint64(n))
	return bson.TypeInt64, err
}

func (p *parser) quotedInt(name string, bits int) (int64, error) {
	s, err := p.want("a " + name + ": a string of digits")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(s), 10, bits)
	if err != nil {
		return 0, p.fail("is not a %s: an integer of %d bits as a string", name, bits)
	}
	return n, nil
}

func (p *parser) numberDouble() (bson.Type, error) {
	const what = "a $numberDouble: a number, Infinity, -Infinity or NaN as a string"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	f, ok := parseDouble(string(s))
	if !ok {
		return 0, p.fail("is not %s", what)
	}
	return p.double(f), nil
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

// date takes what RFC 3339 has, and milliseconds since 1970 for all the rest. What
// is finer than a millisecond BSON does not hold.
func (p *parser) date() (bson.Type, error) {
	const what = `a $date: a time of RFC 3339, or {"$numberLong": "milliseconds since 1970"}`
	if p.peek() == '{' {
		return bson.TypeDateTime, p.within(what, "$numberLong")
	}
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339, string(s))
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05Z0700", string(s))
	}
	if err != nil {
		return 0, p.fail("is not %s", what)
	}
	p.dst = binary.LittleEndian.AppendUint64(p.dst, uint64(t.UnixMilli()))
	return bson.TypeDateTime, nil
}

func (p *parser) binary() (bson.Type, error) {
	const what = `a $binary: {"base64": "…", "subType": "two hexadecimal digits"}`
	data, digits, err := p.two(what, "base64", "subType")
	if err != nil {
		return 0, err
	}
	kind, err := strconv.ParseUint(string(digits[:min(len(digits), 3)]), 16, 8)
	if err != nil || len(digits) > 2 {
		return 0, p.fail("is not %s", what)
	}
	at := p.beginBinary(byte(kind))
	if p.dst, err = base64.StdEncoding.Strict().AppendDecode(p.dst, data); err != nil {
		return 0, p.fail("is not %s", what)
	}
	p.endBinary(at, byte(kind))
	return bson.TypeBinary, nil
}

// beginBinary and endBinary are around the bytes.
func (p *parser) beginBinary(kind byte) (at int) {
	p.dst = append(p.dst, 0, 0, 0, 0, kind)
	if kind == bson.TypeBinaryBinaryOld { // repeats the length within the bytes
		p.dst = append(p.dst, 0, 0, 0, 0)
	}
	return len(p.dst)
}

func (p *parser) endBinary(at int, kind byte) {
	n := uint32(len(p.dst) - at)
	if kind == bson.TypeBinaryBinaryOld {
		binary.LittleEndian.PutUint32(p.dst[at-4:], n)
		at, n = at-4, n+4
	}
	binary.LittleEndian.PutUint32(p.dst[at-5:], n)
}

func (p *parser) uuid() (bson.Type, error) {
	const what = "a $uuid: 32 hexadecimal digits with hyphens"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, p.fail("is not %s", what)
	}
	at := p.beginBinary(bson.TypeBinaryUUID)
	if p.dst, err = hex.AppendDecode(p.dst, bytes.ReplaceAll(s, []byte("-"), nil)); err != nil || len(p.dst) != at+16 {
		return 0, p.fail("is not %s", what)
	}
	p.endBinary(at, bson.TypeBinaryUUID)
	return bson.TypeBinary, nil
}

// two reads an object of exactly these names, each with a string.
func (p *parser) two(what, first, second string) (a, b []byte, err error) {
	err = p.pairs(what, []string{first, second}, func(name string) (err error) {
		if name == first {
			a, err = p.want(what)
		} else {
			b, err = p.want(what)
		}
		return err
	})
	return a, b, err
}

// pairs reads an object of exactly these names, in any order. It takes them out of
// wanted.
func (p *parser) pairs(what string, wanted []string, read func(name string) error) error {
	if p.peek() != '{' {
		return p.fail("is not %s", what)
	}
	p.pos++
	p.space()
	for missing := wanted; ; {
		given, err := p.want(what)
		if err != nil {
			return err
		}
		at := slices.Index(missing, string(given))
		if at < 0 {
			return p.fail("is not %s", what)
		}
		name := missing[at]
		missing = slices.Delete(missing, at, at+1)
		if err := p.colon(); err != nil {
			return err
		}
		if err := read(name); err != nil {
			return err
		}
		if len(missing) == 0 {
			p.space()
			if p.peek() != '}' {
				return p.fail("is not %s", what)
			}
			p.pos++
			return nil
		}
		p.space()
		if p.peek() != ',' {
			return p.fail("is not %s", what)
		}
		p.pos++
		p.space()
	}
}

func (p *parser) timestamp() (bson.Type, error) {
	const what = `a $timestamp: {"t": seconds, "i": increment}, both integers of 32 bits`
	parts := map[string]uint32{}
	err := p.pairs(what, []string{"t", "i"}, func(name string) error {
		start := p.pos
		if whole, err := p.scanNumber(); err != nil || !whole {
			return p.fail("is not %s", what)
		}
		n, err := strconv.ParseUint(string(p.text[start:p.pos]), 10, 32)
		if err != nil {
			return p.fail("is not %s", what)
		}
		parts[name] = uint32(n)
		return nil
	})
	p.dst = binary.LittleEndian.AppendUint32(p.dst, parts["i"])
	p.dst = binary.LittleEndian.AppendUint32(p.dst, parts["t"])
	return bson.TypeTimestamp, err
}

// regex sorts the options, as BSON wants them.
func (p *parser) regex() (bson.Type, error) {
	const what = `a $regularExpression: {"pattern": "…", "options": "…"}, without NUL`
	pattern, options, err := p.two(what, "pattern", "options")
	if err != nil {
		return 0, err
	}
	if bytes.IndexByte(pattern, 0) >= 0 || slices.ContainsFunc(options, func(c byte) bool { return c < 'a' || c > 'z' }) {
		return 0, p.fail("is not %s", what)
	}
	p.dst = append(append(p.dst, pattern...), 0)
	at := len(p.dst)
	p.dst = append(p.dst, options...)
	slices.Sort(p.dst[at:])
	p.dst = append(p.dst, 0)
	return bson.TypeRegex, nil
}

func (p *parser) symbol() (bson.Type, error) {
	s, err := p.want("a $symbol: a string")
	p.appendString(s)
	return bson.TypeSymbol, err
}

// code is JavaScript, alone or with a $scope.
func (p *parser) code() (bson.Type, error) {
	s, err := p.want("a $code: a string")
	if err != nil {
		return 0, err
	}
	if p.space(); p.peek() != ',' {
		p.appendString(s)
		return bson.TypeJavaScript, nil
	}
	p.pos++
	p.space()
	if name, err := p.want("a $code with a $scope"); err != nil || string(name) != "$scope" {
		return 0, p.fail("is not a $code with a $scope")
	}
	if err := p.colon(); err != nil {
		return 0, err
	}
	at := len(p.dst)
	p.dst = append(p.dst, 0, 0, 0, 0)
	p.appendString(s)
	if inner, err := p.typeName(); err != nil {
		return 0, err
	} else if inner != "" || p.peek() != '{' {
		return 0, p.fail("has a $scope that is not a document")
	}
	if err := p.document(); err != nil {
		return 0, err
	}
	binary.LittleEndian.PutUint32(p.dst[at:], uint32(len(p.dst)-at))
	return bson.TypeCodeWithScope, nil
}

func (p *parser) dbPointer() (bson.Type, error) {
	const what = `a $dbPointer: {"$ref": "…", "$id": {"$oid": "…"}}`
	var ref []byte
	var id bson.ObjectID
	err := p.pairs(what, []string{"$ref", "$id"}, func(name string) (err error) {
		if name == "$ref" {
			ref, err = p.want(what)
			return err
		}
		at := len(p.dst)
		if err = p.within(what, "$oid"); err == nil {
			id = bson.ObjectID(p.dst[at:])
			p.dst = p.dst[:at]
		}
		return err
	})
	p.appendString(ref)
	p.dst = append(p.dst, id[:]...)
	return bson.TypeDBPointer, err
}

func (p *parser) undefined() (bson.Type, error) { return bson.TypeUndefined, p.literal("true") }

// one takes the 1 that stands for nothing more.
func (p *parser) one(name string) error {
	if p.peek() != '1' {
		return p.fail("is not {%q: 1}", name)
	}
	p.pos++
	return nil
}

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
func (p *parser) want(what string) (string, error) {
	if p.peek() != '"' {
		return "", p.fail("is not %s", what)
	}
	return p.text1()
}

func (p *parser) objectID() (bson.Type, error) {
	const what = "an ObjectId: {\"$oid\": \"24 hexadecimal digits\"}"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	id, err := hex.DecodeString(s)
	if err != nil || len(id) != 12 {
		return 0, p.fail("is not %s", what)
	}
	p.dst = append(p.dst, id...)
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
	n, err := strconv.ParseInt(s, 10, bits)
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
	f, ok := parseDouble(s)
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

func (p *parser) numberDecimal() (bson.Type, error) {
	const what = "a $numberDecimal: a decimal of at most 34 digits as a string"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		return 0, p.fail("is not %s", what)
	}
	high, low := d.GetBytes()
	p.dst = binary.LittleEndian.AppendUint64(p.dst, low)
	p.dst = binary.LittleEndian.AppendUint64(p.dst, high)
	return bson.TypeDecimal128, nil
}

// date takes what RFC 3339 has, and milliseconds since 1970 for all the rest. What
// is finer than a millisecond BSON does not hold.
func (p *parser) date() (bson.Type, error) {
	const what = `a $date: a time of RFC 3339, or {"$numberLong": "milliseconds since 1970"}`
	if p.peek() == '{' {
		at := len(p.dst)
		kind, err := p.object()
		if err == nil && (kind != bson.TypeInt64 || len(p.dst) != at+8) {
			err = p.fail("is not %s", what)
		}
		return bson.TypeDateTime, err
	}
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05Z0700", s)
	}
	if err != nil {
		return 0, p.fail("is not %s", what)
	}
	p.dst = binary.LittleEndian.AppendUint64(p.dst, uint64(t.UnixMilli()))
	return bson.TypeDateTime, nil
}

func (p *parser) binary() (bson.Type, error) {
	const what = `a $binary: {"base64": "…", "subType": "two hexadecimal digits"}`
	parts, err := p.parts(what, "base64", "subType")
	if err != nil {
		return 0, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(parts["base64"])
	kind, kindErr := strconv.ParseUint(parts["subType"], 16, 8)
	if err != nil || kindErr != nil || len(parts["subType"]) > 2 {
		return 0, p.fail("is not %s", what)
	}
	p.appendBinary(byte(kind), data)
	return bson.TypeBinary, nil
}

func (p *parser) appendBinary(kind byte, data []byte) {
	n := uint32(len(data))
	if kind == bson.TypeBinaryBinaryOld { // repeats the length within the bytes
		p.dst = append(binary.LittleEndian.AppendUint32(p.dst, n+4), kind)
		p.dst = binary.LittleEndian.AppendUint32(p.dst, n)
	} else {
		p.dst = append(binary.LittleEndian.AppendUint32(p.dst, n), kind)
	}
	p.dst = append(p.dst, data...)
}

func (p *parser) uuid() (bson.Type, error) {
	const what = "a $uuid: 32 hexadecimal digits with hyphens"
	s, err := p.want(what)
	if err != nil {
		return 0, err
	}
	id, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(id) != 16 || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, p.fail("is not %s", what)
	}
	p.appendBinary(bson.TypeBinaryUUID, id)
	return bson.TypeBinary, nil
}

// parts reads an object of exactly these names, each with a string.
func (p *parser) parts(what string, wanted ...string) (map[string]string, error) {
	parts := map[string]string{}
	err := p.pairs(what, wanted, func(name string) (err error) {
		parts[name], err = p.want(what)
		return err
	})
	return parts, err
}

// pairs reads an object of exactly these names, in any order.
func (p *parser) pairs(what string, wanted []string, read func(name string) error) error {
	if p.peek() != '{' {
		return p.fail("is not %s", what)
	}
	p.pos++
	p.space()
	for missing := slices.Clone(wanted); ; {
		name, err := p.want(what)
		if err != nil {
			return err
		}
		at := slices.Index(missing, name)
		if at < 0 {
			return p.fail("is not %s", what)
		}
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
	parts, err := p.parts(what, "pattern", "options")
	if err != nil {
		return 0, err
	}
	options := []byte(parts["options"])
	slices.Sort(options)
	if strings.Contains(parts["pattern"], "\x00") || slices.ContainsFunc(options, func(c byte) bool { return c < 'a' || c > 'z' }) {
		return 0, p.fail("is not %s", what)
	}
	p.dst = append(append(p.dst, parts["pattern"]...), 0)
	p.dst = append(append(p.dst, options...), 0)
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
	if name, err := p.want("a $code with a $scope"); err != nil || name != "$scope" {
		return 0, p.fail("is not a $code with a $scope")
	}
	if err := p.colon(); err != nil {
		return 0, err
	}
	at := len(p.dst)
	p.dst = append(p.dst, 0, 0, 0, 0)
	p.appendString(s)
	if p.peek() != '{' {
		return 0, p.fail("has a $scope that is not a document")
	}
	if kind, err := p.object(); err != nil {
		return 0, err
	} else if kind != bson.TypeEmbeddedDocument {
		return 0, p.fail("has a $scope that is not a document")
	}
	binary.LittleEndian.PutUint32(p.dst[at:], uint32(len(p.dst)-at))
	return bson.TypeCodeWithScope, nil
}

func (p *parser) dbPointer() (bson.Type, error) {
	const what = `a $dbPointer: {"$ref": "…", "$id": {"$oid": "…"}}`
	ref, id := "", []byte(nil)
	err := p.pairs(what, []string{"$ref", "$id"}, func(name string) (err error) {
		if name == "$ref" {
			ref, err = p.want(what)
			return err
		}
		at := len(p.dst)
		kind, err := p.value()
		if err == nil && kind != bson.TypeObjectID {
			err = p.fail("is not %s", what)
		}
		id = bytes.Clone(p.dst[at:])
		p.dst = p.dst[:at]
		return err
	})
	p.appendString(ref)
	p.dst = append(p.dst, id...)
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

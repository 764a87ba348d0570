package extjson

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// quoted reads one string and returns what it stands for: a part of the text, or,
// where there is an escape in it, memory of its own.
func (p *parser) quoted() ([]byte, error) {
	p.pos++
	s, err := p.plain()
	if err != nil || p.peek() == '"' {
		p.pos++
		return s, err
	}
	return p.unescape(bytes.Clone(s))
}

// appendQuoted appends a string.
func (p *parser) appendQuoted() error {
	at := len(p.dst)
	p.pos++
	s, err := p.plain()
	if err != nil {
		return err
	}
	if p.dst, err = p.unescape(append(append(p.dst, 0, 0, 0, 0), s...)); err != nil {
		return err
	}
	p.dst = append(p.dst, 0)
	binary.LittleEndian.PutUint32(p.dst[at:], uint32(len(p.dst)-at-4))
	return nil
}

func (p *parser) appendString(s []byte) {
	p.dst = binary.LittleEndian.AppendUint32(p.dst, uint32(len(s)+1))
	p.dst = append(append(p.dst, s...), 0)
}

// plain takes a string's bytes up to an escape or its end, and stops there.
func (p *parser) plain() ([]byte, error) {
	start := p.pos
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"', c == '\\':
			return p.text[start:p.pos:p.pos], nil
		case c < ' ':
			return nil, p.syntax("a control character in a string")
		}
	}
	return nil, p.syntax("a string does not end")
}

// unescape appends the rest of a string, from an escape or its end on.
func (p *parser) unescape(dst []byte) ([]byte, error) {
	for p.peek() == '\\' {
		r, err := p.escape()
		if err != nil {
			return dst, err
		}
		dst = utf8.AppendRune(dst, r)
		s, err := p.plain()
		if err != nil {
			return dst, err
		}
		dst = append(dst, s...)
	}
	p.pos++
	return dst, nil
}

// escape reads an escape; half of a surrogate pair stands for nothing.
func (p *parser) escape() (rune, error) {
	p.pos++
	c := p.peek()
	if c == 'u' {
		return p.unicodeEscape()
	}
	const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(letters, c)
	if i < 0 {
		return 0, p.syntax("not an escape")
	}
	p.pos++
	return rune(meant[i]), nil
}

func (p *parser) unicodeEscape() (rune, error) {
	r, ok := p.hex4()
	if !ok {
		return 0, p.syntax("not an escape")
	}
	if r < 0xD800 || r > 0xDFFF {
		return r, nil
	}
	if r < 0xDC00 && p.peek() == '\\' && p.pos+1 < len(p.text) && p.text[p.pos+1] == 'u' {
		p.pos++
		if low, ok := p.hex4(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, nil
		}
	}
	return 0, p.syntax("half of a surrogate pair")
}

// hex4 reads the u and four digits.
func (p *parser) hex4() (rune, bool) {
	if len(p.text)-p.pos < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.text[p.pos+1:p.pos+5]), 16, 16)
	p.pos += 5
	return rune(n), err == nil
}

// number appends a number as relaxed Extended JSON has it: an integer is the
// smallest type that holds it, anything else a double.
func (p *parser) number() (bson.Type, error) {
	start := p.pos
	whole, err := p.scanNumber()
	if err != nil {
		return 0, err
	}
	digits := p.text[start:p.pos]
	if whole && len(digits) <= maxDigits {
		if n, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
			return p.integer(n), nil
		}
	}
	f, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		return 0, p.fail(`is beyond the range of a double: send it as {"$numberDecimal": "…"}`)
	}
	// JavaScript writes large doubles as integers: as few digits as tell the
	// double, then zeros. Any others would be lost.
	if whole && strconv.FormatFloat(f, 'f', -1, 64) != string(digits) {
		return 0, p.fail(`is an integer beyond 64 bits: send it as {"$numberDecimal": "…"}, or with an exponent as a double`)
	}
	return p.double(f), nil
}

// maxDigits is the length of the longest integer of 64 bits, with its sign.
const maxDigits = 20

func (p *parser) integer(n int64) bson.Type {
	if n == int64(int32(n)) {
		p.dst = binary.LittleEndian.AppendUint32(p.dst, uint32(n))
		return bson.TypeInt32
	}
	p.dst = binary.LittleEndian.AppendUint64(p.dst, uint64(n))
	return bson.TypeInt64
}

func (p *parser) double(f float64) bson.Type {
	p.dst = binary.LittleEndian.AppendUint64(p.dst, math.Float64bits(f))
	return bson.TypeDouble
}

// scanNumber scans -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (p *parser) scanNumber() (whole bool, err error) {
	whole = true
	if p.peek() == '-' {
		p.pos++
	}
	if p.peek() == '0' {
		p.pos++
	} else if !p.digits() {
		return false, p.syntax("not a number")
	}
	if p.peek() == '.' {
		whole = false
		if p.pos++; !p.digits() {
			return false, p.syntax("not a number")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		whole = false
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if !p.digits() {
			return false, p.syntax("not a number")
		}
	}
	return whole, nil
}

func (p *parser) digits() bool {
	start := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos > start
}

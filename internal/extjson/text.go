package extjson

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// text1 reads one string.
func (p *parser) text1() (string, error) {
	start := p.pos + 1
	for p.pos = start; ; p.pos++ {
		switch c := p.peek(); {
		case c == '"':
			p.pos++
			return string(p.text[start : p.pos-1]), nil
		case c == '\\':
			return p.escaped(append([]byte(nil), p.text[start:p.pos]...))
		case p.pos >= len(p.text):
			return "", p.syntax("a string does not end")
		case c < ' ':
			return "", p.syntax("a control character in a string")
		}
	}
}

// escaped reads the rest of a string that has an escape in it.
func (p *parser) escaped(s []byte) (string, error) {
	for {
		switch c := p.peek(); {
		case c == '"':
			p.pos++
			return string(s), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			s = utf8.AppendRune(s, r)
			continue
		case p.pos >= len(p.text):
			return "", p.syntax("a string does not end")
		case c < ' ':
			return "", p.syntax("a control character in a string")
		default:
			s = append(s, c)
		}
		p.pos++
	}
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads an escape; half of a surrogate pair stands for nothing.
func (p *parser) escape() (rune, error) {
	p.pos++
	c := p.peek()
	if r, ok := escapes[c]; ok {
		p.pos++
		return r, nil
	}
	if c != 'u' {
		return 0, p.syntax("not an escape")
	}
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
	digits := string(p.text[start:p.pos])
	if whole {
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return p.integer(n), nil
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, p.fail(`is beyond the range of a double: send it as {"$numberDecimal": "…"}`)
	}
	// JavaScript writes large doubles as integers: as few digits as tell the
	// double, then zeros. Any others would be lost.
	if whole && strconv.FormatFloat(f, 'f', -1, 64) != digits {
		return 0, p.fail(`is an integer beyond 64 bits: send it as {"$numberDecimal": "…"}, or with an exponent as a double`)
	}
	return p.double(f), nil
}

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

package jsonscan

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// String reads a string, whose opening quote Peek has seen, and returns what it stands for: a
// part of the text, or memory of its own if there is an escape in it.
func (s *Scanner) String() ([]byte, error) {
	s.pos++
	plain, err := s.plain()
	if err != nil || s.Peek() == '"' {
		s.pos++
		return plain, err
	}
	return s.unescape(bytes.Clone(plain))
}

// AppendString is String, and appends to dst what the string stands for.
func (s *Scanner) AppendString(dst []byte) ([]byte, error) {
	s.pos++
	plain, err := s.plain()
	if err != nil {
		return dst, err
	}
	return s.unescape(append(dst, plain...))
}

// notPlain are the bytes that do not stand for themselves in a string.
var notPlain = func() (table [256]bool) {
	for c := range ' ' {
		table[c] = true
	}
	table['"'], table['\\'] = true, true
	return table
}()

// plain takes a string's bytes up to an escape or its end, and stops there.
func (s *Scanner) plain() ([]byte, error) {
	rest := s.text[s.pos:]
	for i, c := range rest {
		if notPlain[c] {
			s.pos += i
			if c < ' ' {
				return nil, s.syntax("a control character in a string")
			}
			return rest[:i:i], nil
		}
	}
	s.pos = len(s.text)
	return nil, s.syntax("a string does not end")
}

// unescape appends the rest of a string, from an escape or its end on.
func (s *Scanner) unescape(dst []byte) ([]byte, error) {
	for s.Peek() == '\\' {
		r, err := s.escape()
		if err != nil {
			return dst, err
		}
		dst = utf8.AppendRune(dst, r)
		plain, err := s.plain()
		if err != nil {
			return dst, err
		}
		dst = append(dst, plain...)
	}
	s.pos++
	return dst, nil
}

// escape reads an escape.
func (s *Scanner) escape() (rune, error) {
	s.pos++
	if s.Take('u') {
		return s.unicodeEscape()
	}
	const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(letters, s.Peek())
	if i < 0 {
		return 0, s.syntax("not an escape")
	}
	s.pos++
	return rune(meant[i]), nil
}

// unicodeEscape reads the four digits of an escape, and of a surrogate the other half of the
// pair: one half alone stands for no character, and decoders that put U+FFFD for it make
// two different texts the same.
func (s *Scanner) unicodeEscape() (rune, error) {
	r, ok := s.hex4()
	if !ok {
		return 0, s.syntax("not an escape")
	}
	if r < 0xD800 || r > 0xDFFF {
		return r, nil
	}
	if r < 0xDC00 && s.Peek() == '\\' && s.PeekSecond() == 'u' {
		s.pos += 2
		if low, ok := s.hex4(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, nil
		}
	}
	return 0, s.syntax("half of a surrogate pair")
}

func (s *Scanner) hex4() (rune, bool) {
	if len(s.text)-s.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.text[s.pos : s.pos+4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	s.pos += 4
	return r, true
}

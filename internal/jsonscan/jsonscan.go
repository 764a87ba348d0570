// Package jsonscan reads JSON text token by token, exactly as RFC 8259 has it: all in
// UTF-8, and no half of a surrogate pair, which parsers read differently or read as
// something else. What the tokens mean, and which names an object may have, is for the
// parser that is built on it to say: extjson and strictjson are.
//
// A parser is a recursive descent: it looks at the next byte with Peek, and calls the
// method that reads what begins so. An object or an array is
//
//	for more, err := s.Open('}', maxDepth); more && err == nil; more, err = s.More('}') { … }
package jsonscan

import (
	"fmt"
	"unicode/utf8"
)

// An Error says what is wrong with a text, and where, in bytes, but never what stands there.
type Error struct {
	// Reason goes on from the name of the text: "is not valid JSON at byte 7: not a number".
	Reason string
	// TooDeep says that the text may be JSON, but is nested deeper than the parser allows.
	TooDeep bool
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

// A Scanner is a place in a text. It holds no memory but the text.
type Scanner struct {
	text []byte
	pos  int
	// Depth is how many objects and arrays Open has opened and More has not closed. A parser
	// sets it to count anew.
	Depth int
}

// New returns a scanner at the beginning of a text. The text must be UTF-8.
func New(text []byte) (Scanner, error) {
	if !utf8.Valid(text) {
		return Scanner{}, &Error{Reason: "is not valid UTF-8"}
	}
	return Scanner{text: text}, nil
}

// syntax makes an error at the scanner's place.
func (s *Scanner) syntax(problem string) error {
	return &Error{Reason: fmt.Sprintf("is not valid JSON at byte %d: %s", s.pos, problem)}
}

// Pos returns the scanner's place, for Seek to come back to.
func (s *Scanner) Pos() int { return s.pos }

// Seek goes to a place that Pos has returned.
func (s *Scanner) Seek(pos int) { s.pos = pos }

// Peek returns the next byte, or 0, which JSON does not have, at the end.
func (s *Scanner) Peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// PeekSecond returns the byte behind the next one, or 0 if there is none.
func (s *Scanner) PeekSecond() byte {
	if s.pos+1 < len(s.text) {
		return s.text[s.pos+1]
	}
	return 0
}

// Take takes the next byte if it is c.
func (s *Scanner) Take(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// Space takes white space.
func (s *Scanner) Space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// End takes white space up to the end of the text.
func (s *Scanner) End() error {
	if s.Space(); s.pos < len(s.text) {
		return s.syntax("data after the value")
	}
	return nil
}

// Open takes the opening bracket of an object or array, which Peek has seen, and the white
// space behind it. It reports whether there is anything inside; if not, it takes the closing
// bracket, end, as well.
func (s *Scanner) Open(end byte, maxDepth int) (more bool, err error) {
	if s.Depth++; s.Depth > maxDepth {
		return false, &Error{Reason: fmt.Sprintf("is nested deeper than %d levels", maxDepth), TooDeep: true}
	}
	s.pos++
	s.Space()
	return !s.close(end), nil
}

// More takes what is behind a value in an object or array: a comma with white space around
// it, or the closing bracket, end.
func (s *Scanner) More(end byte) (bool, error) {
	s.Space()
	switch {
	case s.Take(','):
		s.Space()
		return true, nil
	case s.close(end):
		return false, nil
	case end == '}':
		return false, s.syntax("neither a comma nor the end of the object")
	}
	return false, s.syntax("neither a comma nor the end of the array")
}

func (s *Scanner) close(end byte) bool {
	if !s.Take(end) {
		return false
	}
	s.Depth--
	return true
}

// Name reads the name of a property. See String for its memory.
func (s *Scanner) Name() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.syntax("not a property's name")
	}
	return s.String()
}

// Colon takes a colon, with white space around it.
func (s *Scanner) Colon() error {
	s.Space()
	if !s.Take(':') {
		return s.syntax("no colon after a property's name")
	}
	s.Space()
	return nil
}

// Literal takes a word: true, false or null.
func (s *Scanner) Literal(word string) error {
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return s.syntax("no value begins so")
	}
	s.pos += len(word)
	return nil
}

// NoValue is the error for a byte with which no value begins.
func (s *Scanner) NoValue() error {
	if s.pos == len(s.text) {
		return s.syntax("it ends too early")
	}
	return s.syntax("no value begins so")
}

// Number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? and reports whether it is
// whole: has neither a fraction nor an exponent.
func (s *Scanner) Number() (number []byte, whole bool, err error) {
	start := s.pos
	whole = true
	s.Take('-')
	if !s.Take('0') && !s.digits() {
		return nil, false, s.syntax("not a number")
	}
	if s.Take('.') {
		whole = false
		if !s.digits() {
			return nil, false, s.syntax("not a number")
		}
	}
	if s.Take('e') || s.Take('E') {
		whole = false
		if !s.Take('+') {
			s.Take('-')
		}
		if !s.digits() {
			return nil, false, s.syntax("not a number")
		}
	}
	return s.text[start:s.pos:s.pos], whole, nil
}

func (s *Scanner) digits() bool {
	start := s.pos
	for c := s.Peek(); c >= '0' && c <= '9'; c = s.Peek() {
		s.pos++
	}
	return s.pos > start
}

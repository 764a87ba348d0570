package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/orgd/orgd/internal/tenant"
)

// jsonRules says how strict checkJSON is beyond RFC 8259.
type jsonRules struct {
	// maxDepth bounds the nesting of objects and arrays.
	maxDepth int
	// foldNames takes names that differ only in case for the same, as
	// encoding/json does. Documents of a client's own may have both.
	foldNames bool
	// extended are properties that hold such documents: there names may differ only in
	// case, and the nesting counts anew.
	extended []string
	// at points at what maxDepth is for; empty: at the whole.
	at string
}

// requestJSON is for the bodies of operations with a schema.
var requestJSON = jsonRules{maxDepth: tenant.MaxDepth, foldNames: true}

// checkJSON refuses what parsers read differently, or read leniently by losing
// something: a name given twice, invalid UTF-8, half a surrogate pair, data
// after the value. encoding/json, which comes after, takes all of those. It
// returns nil for a text that encoding/json decodes without loss.
func checkJSON(data []byte, rules jsonRules) *fieldError {
	if !utf8.Valid(data) {
		return &fieldError{Pointer: "#", Detail: "is not valid UTF-8"}
	}
	s := jsonScanner{data: data, rules: rules}
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	if s.space(); s.pos < len(data) {
		return s.syntax("data after the value")
	}
	return nil
}

// A jsonScanner walks a JSON text. Its recursion is bounded by maxDepth.
type jsonScanner struct {
	data  []byte
	pos   int
	rules jsonRules
	path  []string // names of the objects around pos
	depth int
}

// syntax says where, in bytes, and never what stands there.
func (s *jsonScanner) syntax(what string) *fieldError {
	return &fieldError{Pointer: "#", Detail: fmt.Sprintf("is not valid JSON at byte %d: %s", s.pos, what)}
}

// peek returns the byte at pos, or 0 (which no JSON text has) at the end.
func (s *jsonScanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *jsonScanner) value() *fieldError {
	switch c := s.peek(); {
	case c == '{':
		return s.nested(s.object)
	case c == '[':
		return s.nested(s.array)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.pos == len(s.data):
		return s.syntax("it ends too early")
	}
	return s.syntax("no value begins so")
}

func (s *jsonScanner) nested(what func() *fieldError) *fieldError {
	if s.depth++; s.depth > s.rules.maxDepth {
		return &fieldError{Pointer: cmp.Or(s.rules.at, "#"), Detail: fmt.Sprintf("is nested deeper than %d levels", s.rules.maxDepth)}
	}
	s.pos++
	s.space()
	err := what()
	s.depth--
	return err
}

func (s *jsonScanner) object() *fieldError {
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	seen := make(map[string]struct{}, 4)
	for {
		if err := s.member(seen); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return nil
		default:
			return s.syntax("neither a comma nor the end of the object")
		}
	}
}

func (s *jsonScanner) member(seen map[string]struct{}) *fieldError {
	if s.peek() != '"' {
		return s.syntax("not a property's name")
	}
	name, err := s.text()
	if err != nil {
		return err
	}
	s.path = append(s.path, name)
	key := name
	if s.rules.foldNames {
		key = foldName(name)
	}
	if _, twice := seen[key]; twice {
		return &fieldError{Pointer: pointer(s.path...), Detail: "is given more than once"}
	}
	seen[key] = struct{}{}
	s.space()
	if s.peek() != ':' {
		return s.syntax("no colon after a property's name")
	}
	s.pos++
	s.space()
	value := s.value
	if s.depth == 1 && slices.Contains(s.rules.extended, name) {
		value = s.extended
	}
	if err := value(); err != nil {
		return err
	}
	s.path = s.path[:len(s.path)-1]
	return nil
}

func (s *jsonScanner) array() *fieldError {
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return s.syntax("neither a comma nor the end of the array")
		}
	}
}

func (s *jsonScanner) literal(word string) *fieldError {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return s.syntax("no value begins so")
	}
	s.pos += len(word)
	return nil
}

// number is -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *jsonScanner) number() *fieldError {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.syntax("not a number")
	}
	if s.peek() == '.' {
		if s.pos++; !s.digits() {
			return s.syntax("not a number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.syntax("not a number")
		}
	}
	return nil
}

func (s *jsonScanner) digits() bool {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

// text scans a string and returns what it stands for.
func (s *jsonScanner) text() (string, *fieldError) {
	start, escaped := s.pos, false
	for s.pos++; ; {
		switch c := s.peek(); {
		case c == '"':
			s.pos++
			return unquote(s.data[start:s.pos], escaped), nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return "", err
			}
		case s.pos >= len(s.data):
			return "", s.syntax("a string does not end")
		case c < ' ':
			return "", s.syntax("a control character in a string")
		default:
			s.pos++
		}
	}
}

// unquote turns a valid JSON string into what it stands for.
func unquote(quoted []byte, escaped bool) string {
	if !escaped {
		return string(quoted[1 : len(quoted)-1])
	}
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		panic(err) // scanned just now
	}
	return out
}

func (s *jsonScanner) escape() *fieldError {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		return s.unicodeEscape()
	}
	return s.syntax("not an escape")
}

// unicodeEscape takes \uXXXX, and for a surrogate insists on the pair: decoders
// put U+FFFD for half of one, and two different texts become the same.
func (s *jsonScanner) unicodeEscape() *fieldError {
	s.pos++
	r, ok := s.hex4()
	if !ok {
		return s.syntax("not an escape")
	}
	if r < 0xD800 || r > 0xDFFF {
		return nil
	}
	if r < 0xDC00 && s.peek() == '\\' && s.pos+1 < len(s.data) && s.data[s.pos+1] == 'u' {
		s.pos += 2
		if low, ok := s.hex4(); ok && low >= 0xDC00 && low <= 0xDFFF {
			return nil
		}
	}
	return s.syntax("half of a surrogate pair")
}

func (s *jsonScanner) hex4() (rune, bool) {
	if len(s.data)-s.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.data[s.pos : s.pos+4] {
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

// foldName makes names the same that encoding/json takes for the same.
func foldName(name string) string {
	folded := make([]rune, 0, len(name))
	for _, r := range name {
		folded = append(folded, foldRune(r))
	}
	return string(folded)
}

// foldRune returns the smallest of the characters that differ from r in case.
func foldRune(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}

package extjson

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// Parse reads a document, relaxed or canonical or a mixture. An error is an
// *Error. The document is as the text has it: whether it may be stored is not
// looked at, but for its depth and that names hold no NUL.
func Parse(text []byte, g Grammar) (bson.Raw, error) {
	p := &parser{text: text, grammar: g, dst: make([]byte, 0, len(text)+16)}
	if !utf8.Valid(text) {
		return nil, p.fail("is not valid UTF-8")
	}
	p.space()
	if p.peek() != '{' {
		if err := p.skipValue(); err != nil {
			return nil, err
		}
		return nil, p.fail("must be of type object")
	}
	kind, err := p.object()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(text) {
		return nil, p.syntax("data after the value")
	}
	if kind != bson.TypeEmbeddedDocument {
		return nil, p.fail("must be a document, not a single value of a type of Extended JSON")
	}
	return p.dst, nil
}

// A parser walks the text once and writes BSON as it goes.
type parser struct {
	text    []byte
	pos     int
	grammar Grammar
	dst     []byte
	depth   int
	path    []step
}

// A step is a name or, where that is empty and index is not 0, the place index-1
// in an array.
type step struct {
	name  string
	index int
}

// fail makes an error at the parser's place.
func (p *parser) fail(format string, args ...any) error {
	e := &Error{Reason: fmt.Sprintf(format, args...)}
	for _, s := range p.path {
		if s.index > 0 {
			s.name = strconv.Itoa(s.index - 1)
		}
		e.Path = append(e.Path, s.name)
	}
	return e
}

// syntax says where, in bytes, and never what stands there.
func (p *parser) syntax(what string) error {
	return &Error{Reason: fmt.Sprintf("is not valid JSON at byte %d: %s", p.pos, what)}
}

// peek returns the byte at pos, or 0, which JSON does not have, at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// colon takes one, with space around it.
func (p *parser) colon() error {
	p.space()
	if p.peek() != ':' {
		return p.syntax("no colon after a property's name")
	}
	p.pos++
	p.space()
	return nil
}

// more takes a comma, with space around it, or stops at the closing bracket.
func (p *parser) more(end byte, neither string) (bool, error) {
	p.space()
	switch p.peek() {
	case ',':
		p.pos++
		p.space()
		return true, nil
	case end:
		return false, nil
	}
	return false, p.syntax(neither)
}

// element appends an element: its type comes first and is known last.
func (p *parser) element(name string) error {
	at := len(p.dst)
	p.dst = append(append(append(p.dst, 0), name...), 0)
	kind, err := p.value()
	if err != nil {
		return err
	}
	p.dst[at] = byte(kind)
	if len(p.dst) > docdb.MaxDocumentSize { // a short text can have a long form: [1,1,1
		return &Error{Reason: "is larger than 16 MiB", TooLarge: true}
	}
	return nil
}

// value appends a value and returns its type.
func (p *parser) value() (bson.Type, error) {
	switch c := p.peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return bson.TypeArray, p.array()
	case c == '"':
		s, err := p.text1()
		p.appendString(s)
		return bson.TypeString, err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		p.dst = append(p.dst, 1)
		return bson.TypeBoolean, p.literal("true")
	case c == 'f':
		p.dst = append(p.dst, 0)
		return bson.TypeBoolean, p.literal("false")
	case c == 'n':
		return bson.TypeNull, p.literal("null")
	case p.pos == len(p.text):
		return 0, p.syntax("it ends too early")
	}
	return 0, p.syntax("no value begins so")
}

func (p *parser) literal(word string) error {
	if len(p.text)-p.pos < len(word) || string(p.text[p.pos:p.pos+len(word)]) != word {
		return p.syntax("no value begins so")
	}
	p.pos += len(word)
	return nil
}

// begin and end are around what has a length in front and a NUL behind.
func (p *parser) begin() (at int, err error) {
	if p.depth++; p.depth > MaxDepth {
		return 0, p.fail("is nested deeper than %d levels", MaxDepth)
	}
	p.dst = append(p.dst, 0, 0, 0, 0)
	return len(p.dst) - 4, nil
}

func (p *parser) end(at int) {
	p.depth--
	p.dst = append(p.dst, 0)
	binary.LittleEndian.PutUint32(p.dst[at:], uint32(len(p.dst)-at))
}

// object appends a document, or the value of a type of Extended JSON.
func (p *parser) object() (bson.Type, error) {
	start := p.pos
	p.pos++
	p.space()
	if p.peek() == '"' && p.pos+1 < len(p.text) && (p.text[p.pos+1] == '$' || p.text[p.pos+1] == '\\') {
		name, err := p.text1()
		if err != nil {
			return 0, err
		}
		if read := typesByName[name]; read != nil {
			if err := p.colon(); err != nil {
				return 0, err
			}
			kind, err := read(p)
			if err != nil {
				return 0, err
			}
			p.space()
			if p.peek() != '}' {
				return 0, p.fail("is no value of %s", name)
			}
			p.pos++
			return kind, nil
		}
		p.pos = start + 1
		p.space()
	}
	return bson.TypeEmbeddedDocument, p.document()
}

// document appends what follows the opening brace.
func (p *parser) document() error {
	at, err := p.begin()
	if err != nil {
		return err
	}
	var seen names
	for more := p.peek() != '}'; more; {
		if err := p.member(&seen); err != nil {
			return err
		}
		if more, err = p.more('}', "neither a comma nor the end of the object"); err != nil {
			return err
		}
	}
	p.pos++
	p.end(at)
	return nil
}

func (p *parser) member(seen *names) error {
	if p.peek() != '"' {
		return p.syntax("not a property's name")
	}
	name, err := p.text1()
	if err != nil {
		return err
	}
	p.path = append(p.path, step{name: name})
	if err := p.checkName(name, seen); err != nil {
		return err
	}
	if err := p.colon(); err != nil {
		return err
	}
	if err := p.element(name); err != nil {
		return err
	}
	p.path = p.path[:len(p.path)-1]
	return nil
}

func (p *parser) checkName(name string, seen *names) error {
	if !seen.add(name) {
		return p.fail("is given more than once")
	}
	for i := range len(name) {
		if name[i] == 0 {
			return p.fail("has a NUL character in its name")
		}
	}
	if p.grammar == Documents && name != "" && name[0] == '$' {
		if typesByName[name] != nil {
			return p.fail("is a type of Extended JSON and stands beside other names")
		}
		return p.fail("begins with $ and is no type of Extended JSON")
	}
	return nil
}

// names are those of one object. Most have few.
type names struct {
	few  []string
	many map[string]struct{}
}

// add reports false for a name that is there.
func (n *names) add(name string) bool {
	if n.many == nil {
		for _, other := range n.few {
			if other == name {
				return false
			}
		}
		if n.few = append(n.few, name); len(n.few) <= 16 {
			return true
		}
		n.many = make(map[string]struct{}, 64)
		for _, other := range n.few {
			n.many[other] = struct{}{}
		}
		return true
	}
	if _, ok := n.many[name]; ok {
		return false
	}
	n.many[name] = struct{}{}
	return true
}

func (p *parser) array() error {
	at, err := p.begin()
	if err != nil {
		return err
	}
	p.pos++
	p.space()
	p.path = append(p.path, step{})
	for i, more := 0, p.peek() != ']'; more; i++ {
		p.path[len(p.path)-1].index = i + 1
		if err := p.element(strconv.Itoa(i)); err != nil {
			return err
		}
		if more, err = p.more(']', "neither a comma nor the end of the array"); err != nil {
			return err
		}
	}
	p.path = p.path[:len(p.path)-1]
	p.pos++
	p.end(at)
	return nil
}

// skipValue reads a value for the errors in it.
func (p *parser) skipValue() error {
	if _, err := p.value(); err != nil {
		return err
	}
	if p.space(); p.pos < len(p.text) {
		return p.syntax("data after the value")
	}
	return nil
}

func (p *parser) appendString(s string) {
	p.dst = binary.LittleEndian.AppendUint32(p.dst, uint32(len(s)+1))
	p.dst = append(append(p.dst, s...), 0)
}

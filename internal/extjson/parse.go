package extjson

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// Parse reads a document, relaxed or canonical or a mixture. An error is an
// *Error. The document is as the text has it: whether it may be stored is not
// looked at, but for docdb.MaxDepth and that names hold no NUL. It takes memory for
// the document, which has up to seven times the text's length ([1,1]) and no more than
// docdb.MaxDocumentSize, and of its own at most twice the text's.
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

// A parser walks the text once and writes BSON as it goes. It calls itself for
// documents and arrays and for nothing else, and those are counted: see begin.
type parser struct {
	text    []byte
	pos     int
	grammar Grammar
	dst     []byte
	depth   int
	path    []step
}

// A step is a name or, where index is not 0, the place index-1 in an array.
type step struct {
	name  []byte
	index int
}

// fail makes an error at the parser's place.
func (p *parser) fail(format string, args ...any) error {
	e := &Error{Reason: fmt.Sprintf(format, args...)}
	for _, s := range p.path {
		name := string(s.name)
		if s.index > 0 {
			name = strconv.Itoa(s.index - 1)
		}
		e.Path = append(e.Path, name)
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
func (p *parser) element(name []byte) error {
	at := len(p.dst)
	p.grow(len(name) + 32)
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

// grow makes room for n bytes, in longer steps than append takes: it would copy a
// document of many times its text's length over and over.
func (p *parser) grow(n int) {
	if cap(p.dst)-len(p.dst) < n {
		p.dst = slices.Grow(p.dst, max(n, len(p.dst)/2))
	}
}

// value appends a value and returns its type.
func (p *parser) value() (bson.Type, error) {
	switch c := p.peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return bson.TypeArray, p.array()
	case c == '"':
		return bson.TypeString, p.appendQuoted()
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
	if p.depth++; p.depth > docdb.MaxDepth {
		return 0, p.fail("is nested deeper than %d levels", docdb.MaxDepth)
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
	name, err := p.typeName()
	if err != nil {
		return 0, err
	}
	if name != "" {
		return p.typed(name)
	}
	return bson.TypeEmbeddedDocument, p.document()
}

// typeName takes the beginning of an object that is a value of a type of Extended
// JSON, and returns the type's name. Before anything else it stands still and
// returns none.
func (p *parser) typeName() (string, error) {
	start := p.pos
	if p.peek() != '{' {
		return "", nil
	}
	p.pos++
	p.space()
	if p.peek() == '"' && p.pos+1 < len(p.text) && (p.text[p.pos+1] == '$' || p.text[p.pos+1] == '\\') {
		name, err := p.quoted()
		if err != nil {
			return "", err
		}
		if typesByName[string(name)] != nil {
			return string(name), nil
		}
	}
	p.pos = start
	return "", nil
}

// typed appends the value of a type, whose object goes on behind the name.
func (p *parser) typed(name string) (bson.Type, error) {
	if err := p.colon(); err != nil {
		return 0, err
	}
	kind, err := typesByName[name](p)
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

// within appends the value of one type that stands within another's. Types hold no
// others than so, or they would nest without being counted.
func (p *parser) within(what, name string) error {
	inner, err := p.typeName()
	if err == nil && inner != name {
		err = p.fail("is not %s", what)
	}
	if err != nil {
		return err
	}
	_, err = p.typed(name)
	return err
}

// document appends one; it begins at its brace.
func (p *parser) document() error {
	at, err := p.begin()
	if err != nil {
		return err
	}
	p.pos++
	p.space()
	var names wire.Names
	for more := p.peek() != '}'; more; {
		if err := p.member(&names); err != nil {
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

func (p *parser) member(names *wire.Names) error {
	if p.peek() != '"' {
		return p.syntax("not a property's name")
	}
	name, err := p.quoted()
	if err != nil {
		return err
	}
	p.path = append(p.path, step{name: name})
	if err := p.checkName(name, names); err != nil {
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

// checkName checks a name that comes next in dst.
func (p *parser) checkName(name []byte, names *wire.Names) error {
	if bytes.IndexByte(name, 0) >= 0 {
		return p.fail("has a NUL character in its name")
	}
	if !names.Add(p.dst, len(p.dst)+1, name) {
		return p.fail("is given more than once")
	}
	if p.grammar == Documents && len(name) > 0 && name[0] == '$' {
		if typesByName[string(name)] != nil {
			return p.fail("is a type of Extended JSON and stands beside other names")
		}
		return p.fail("begins with $ and is no type of Extended JSON")
	}
	return nil
}

func (p *parser) array() error {
	at, err := p.begin()
	if err != nil {
		return err
	}
	p.pos++
	p.space()
	p.path = append(p.path, step{})
	var digits [20]byte
	for i, more := 0, p.peek() != ']'; more; i++ {
		p.path[len(p.path)-1].index = i + 1
		if err := p.element(strconv.AppendInt(digits[:0], int64(i), 10)); err != nil {
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

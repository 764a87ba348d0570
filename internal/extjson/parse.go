package extjson

import (
	"bytes"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
	"github.com/orgd/orgd/internal/jsonscan"
)

// Parse reads a document, relaxed or canonical or a mixture. An error is an
// *Error. The document is as the text has it: whether it may be stored is not
// checked, but for docdb.MaxDepth and that names hold no NUL. It takes memory for
// the document, which has up to seven times the text's length ([1,1]) and no more than
// docdb.MaxDocumentSize, and of its own at most twice the text's.
func Parse(text []byte, g Grammar) (bson.Raw, error) {
	scanner, err := jsonscan.New(text)
	if err != nil {
		return nil, &Error{Reason: err.Error()}
	}
	p := &parser{scalars: scalars{source: source{Scanner: scanner}, dst: make([]byte, 0, len(text)+16)}, grammar: g}
	if err := p.whole(); err != nil {
		return nil, p.located(err)
	}
	return p.dst, nil
}

// A parser walks the text once and writes BSON as it goes. It calls itself for
// documents and arrays and for nothing else, and those are counted: see open.
type parser struct {
	scalars
	grammar Grammar
}

// whole appends the document that the whole text must be.
func (p *parser) whole() error {
	p.Space()
	if p.Peek() != '{' {
		if _, err := p.value(); err != nil { // the value's own errors come first
			return err
		}
		if err := p.End(); err != nil {
			return err
		}
		return p.fail("must be of type object")
	}
	kind, err := p.object()
	if err != nil {
		return err
	}
	if err := p.End(); err != nil {
		return err
	}
	if kind != bson.TypeEmbeddedDocument {
		return p.fail("must be a document, not a single value of a type of Extended JSON")
	}
	return nil
}

// element appends an element, whose type comes first and is known last.
func (p *parser) element(name []byte) error {
	at := len(p.dst)
	p.grow(len(name) + 32)
	p.dst = bsonappend.Header(p.dst, 0, name)
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
	switch c := p.Peek(); {
	case c == '{':
		return p.object()
	case c == '[':
		return bson.TypeArray, p.array()
	case c == '"':
		return bson.TypeString, p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		p.dst = bsonappend.Boolean(p.dst, true)
		return bson.TypeBoolean, p.Literal("true")
	case c == 'f':
		p.dst = bsonappend.Boolean(p.dst, false)
		return bson.TypeBoolean, p.Literal("false")
	case c == 'n':
		return bson.TypeNull, p.Literal("null")
	}
	return 0, p.NoValue()
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

// open takes the opening bracket of a document or array, and begins that in dst.
func (p *parser) open(end byte) (at int, more bool, err error) {
	if more, err = p.Open(end, docdb.MaxDepth); err != nil {
		return 0, false, err
	}
	p.dst, at = bsonappend.Begin(p.dst)
	return at, more, nil
}

// document appends an object that is a document. The scanner is at its brace.
func (p *parser) document() error {
	at, more, err := p.open('}')
	if err != nil {
		return err
	}
	var names wire.Names
	for more {
		if err := p.member(&names); err != nil {
			return err
		}
		if more, err = p.More('}'); err != nil {
			return err
		}
	}
	p.dst = bsonappend.End(p.dst, at)
	return nil
}

func (p *parser) member(names *wire.Names) error {
	name, err := p.Name()
	if err != nil {
		return err
	}
	p.path = append(p.path, step{name: name})
	if err := p.checkName(name, names); err != nil {
		return err
	}
	if err := p.Colon(); err != nil {
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
	at, more, err := p.open(']')
	if err != nil {
		return err
	}
	p.path = append(p.path, step{})
	var digits [20]byte
	for i := 0; more; i++ {
		p.path[len(p.path)-1].index = i + 1
		if err := p.element(strconv.AppendInt(digits[:0], int64(i), 10)); err != nil {
			return err
		}
		if more, err = p.More(']'); err != nil {
			return err
		}
	}
	p.path = p.path[:len(p.path)-1]
	p.dst = bsonappend.End(p.dst, at)
	return nil
}

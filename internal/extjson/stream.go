package extjson

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// A Stream writes documents piece by piece, in memory that does not grow with them: as
// text a document may have six times its bytes.
type Stream struct {
	// Canonical is for canonical Extended JSON. Else it is relaxed.
	Canonical bool
	// Flush takes the text so far, and returns the slice to which the rest is appended,
	// most often the same memory. Its error ends the document.
	Flush func([]byte) ([]byte, error)
}

const (
	// flushAt is from how many bytes on the text is flushed.
	flushAt = 64 << 10
	// wholeBytes is the size up to which a value, or a piece of a string, is written at once.
	wholeBytes = 16 << 10
	// MaxStreamed is about how many bytes of a streamed document's text are in memory.
	MaxStreamed = flushAt + 6*wholeBytes
)

// Append appends a document as the functions Append and AppendCanonical do. The last text,
// of less than 64 KiB, is left for the caller to flush.
func (s Stream) Append(dst []byte, doc bson.Raw) ([]byte, error) {
	return s.value(dst, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}, 1)
}

func (s Stream) value(dst []byte, v bson.RawValue, depth int) (_ []byte, err error) {
	if len(v.Value) <= wholeBytes {
		dst = appendWhole(dst, v, s.Canonical)
		if len(dst) < flushAt {
			return dst, nil
		}
		return s.Flush(dst)
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		return s.fields(dst, v, depth)
	case bson.TypeString:
		return s.text(dst, textOf(v.Value))
	case bson.TypeJavaScript:
		return s.wrapped(dst, `{"$code":`, textOf(v.Value), `}`)
	case bson.TypeSymbol:
		return s.wrapped(dst, `{"$symbol":`, textOf(v.Value), `}`)
	case bson.TypeBinary:
		return s.binary(dst, v)
	case bson.TypeCodeWithScope:
		return s.code(dst, v.Value, depth)
	}
	return s.rare(dst, v)
}

// fields writes a document or an array. What is deeper than docdb.MaxDepth, which orgd does
// not store, is written whole.
func (s Stream) fields(dst []byte, v bson.RawValue, depth int) (_ []byte, err error) {
	if depth > docdb.MaxDepth {
		return s.Flush(appendWhole(dst, v, s.Canonical))
	}
	open, end := byte('{'), byte('}')
	if v.Type == bson.TypeArray {
		open, end = '[', ']'
	}
	dst = append(dst, open)
	comma := false
	for name, field := range wire.Fields(v.Value) {
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		if v.Type != bson.TypeArray {
			if dst, err = s.text(dst, name); err != nil {
				return nil, err
			}
			dst = append(dst, ':')
		}
		if dst, err = s.value(dst, field, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, end), nil
}

// text writes a string of any length. A piece does not end within a character.
func (s Stream) text(dst, text []byte) (_ []byte, err error) {
	dst = append(dst, '"')
	for len(text) > 0 {
		n := min(len(text), wholeBytes)
		for back := 1; back < utf8.UTFMax && n < len(text) && !utf8.RuneStart(text[n]); back++ {
			n--
		}
		at := len(dst)
		dst = appendText(dst, text[:n])
		dst = append(dst[:at], dst[at+1:len(dst)-1]...) // without the quotes
		if text = text[n:]; len(dst) >= flushAt {
			if dst, err = s.Flush(dst); err != nil {
				return nil, err
			}
		}
	}
	return append(dst, '"'), nil
}

func (s Stream) wrapped(dst []byte, before string, text []byte, after string) ([]byte, error) {
	dst, err := s.text(append(dst, before...), text)
	return append(dst, after...), err
}

// binary writes base64 in pieces of whole groups.
func (s Stream) binary(dst []byte, v bson.RawValue) (_ []byte, err error) {
	kind, data := v.Binary()
	dst = append(dst, `{"$binary":{"base64":"`...)
	for len(data) > 0 {
		n := min(len(data), wholeBytes/3*3)
		dst = base64.StdEncoding.AppendEncode(dst, data[:n])
		if data = data[n:]; len(dst) >= flushAt {
			if dst, err = s.Flush(dst); err != nil {
				return nil, err
			}
		}
	}
	dst = append(dst, `","subType":"`...)
	return append(hex.AppendEncode(dst, []byte{kind}), `"}}`...), nil
}

// code writes code with a scope: a length, a string, a document.
func (s Stream) code(dst, value []byte, depth int) ([]byte, error) {
	scope := 8 + int(binary.LittleEndian.Uint32(value[4:]))
	dst, err := s.wrapped(dst, `{"$code":`, textOf(value[4:scope]), `,"$scope":`)
	if err != nil {
		return nil, err
	}
	dst, err = s.value(dst, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: value[scope:]}, depth+1)
	return append(dst, '}'), err
}

// rare writes the types that have a long string in front, and something short behind it.
func (s Stream) rare(dst []byte, v bson.RawValue) ([]byte, error) {
	switch v.Type {
	case bson.TypeRegex:
		pattern, options := v.Regex()
		dst, err := s.wrapped(dst, `{"$regularExpression":{"pattern":`, []byte(pattern), `,"options":`)
		if err != nil {
			return nil, err
		}
		return s.wrapped(dst, "", []byte(options), `}}`)
	case bson.TypeDBPointer:
		ref, id := v.DBPointer()
		return s.wrapped(dst, `{"$dbPointer":{"$ref":`, []byte(ref), `,"$id":{"$oid":"`+id.Hex()+`"}}}`)
	}
	return appendWhole(dst, v, s.Canonical), nil // no other type can be so long
}

// textOf is the text of a string as BSON has it: its length in front, a NUL behind.
func textOf(value []byte) []byte { return value[4 : len(value)-1] }

func appendWhole(dst []byte, v bson.RawValue, canonical bool) []byte {
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeCodeWithScope:
		return appendNested(dst, v, canonical)
	}
	return appendValue(dst, v, canonical)
}

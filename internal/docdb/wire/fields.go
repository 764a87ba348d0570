package wire

import (
	"bytes"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Fields yields the names and values of a document's fields in their order. It
// decodes and copies nothing: both are parts of doc. A malformed document ends
// where it cannot be read on.
func Fields(doc bson.Raw) iter.Seq2[[]byte, bson.RawValue] {
	return func(yield func([]byte, bson.RawValue) bool) {
		for b := Elements(doc); ; {
			name, v, rest, ok := Next(b)
			if !ok || !yield(name, v) {
				return
			}
			b = rest
		}
	}
}

// Elements returns what Next reads: a document or array without its length and its
// terminator; empty if it is malformed.
func Elements(doc []byte) []byte {
	if len(doc) < 5 {
		return nil
	}
	n := int32At(doc)
	if n < 5 || n > len(doc) {
		return nil
	}
	return doc[4 : n-1]
}

// Next splits the first field off elements. It reports false at the end and at what is
// malformed. It serves loops that keep several documents open at a time, where Fields
// would need an iterator for each.
func Next(elements []byte) (name []byte, v bson.RawValue, rest []byte, ok bool) {
	name, value, rest := Split(elements)
	if name == nil {
		return nil, bson.RawValue{}, nil, false
	}
	return name, bson.RawValue{Type: bson.Type(elements[0]), Value: value}, rest, true
}

// Split is Next without the value's type, which is the first byte of elements. Its name is nil
// where Next reports false. It is for loops over many documents: what it returns fits into
// registers, and a RawValue does not, which takes longer to be moved than to be found.
func Split(elements []byte) (name, value, rest []byte) {
	if len(elements) < 2 {
		return nil, nil, nil
	}
	end := bytes.IndexByte(elements[1:], 0)
	if end < 0 {
		return nil, nil, nil
	}
	at := end + 2
	n := ValueSize(bson.Type(elements[0]), elements[at:])
	if n < 0 {
		return nil, nil, nil
	}
	// The capacity is cut so that an append by a caller cannot write into the document.
	return elements[1 : end+1], elements[at : at+n : at+n], elements[at+n:]
}

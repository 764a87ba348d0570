// Package index translates between docdb's indexes and MongoDB's.
//
// A docdb.Index is an index of MongoDB under the same name. A unique index has the keys of the
// docdb.Index and no other. A plain index has {_id: 1} as its last key, so that the index itself
// has documents of equal keys in the order of _id, and the server never sorts for an order of docdb.
//
// An index that a user made with MongoDB's tools is listed if it is exactly what CreateIndex would
// have made. All others (text, geo, hashed, wildcard, partial, sparse, hidden, TTL, with a
// collation, plain without _id, with a name that docdb does not permit) are neither listed nor
// touched: they give no order and docdb cannot drop them. Their names are taken all the same.
package index

import (
	"bytes"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// A Spec is an index as the server has it.
type Spec struct {
	Name   string
	keys   bson.Raw
	Unique bool
	Ours   bool // whether it is what CreateIndex makes of Index
	Index  docdb.Index
}

// HasPattern reports whether the index has these keys, in the form of a key pattern.
func (p Spec) HasPattern(pattern bson.Raw) bool {
	want, okWant := keysOf(pattern)
	have, ok := keysOf(p.keys)
	return ok && okWant && slices.Equal(want, have)
}

// Pattern returns the key pattern of the server's index for docdb's keys.
func Pattern(keys []docdb.Key, unique bool) bson.D {
	d := make(bson.D, 0, len(keys)+1)
	for _, key := range keys {
		direction := int32(1)
		if key.Desc {
			direction = -1
		}
		d = append(d, bson.E{Key: key.Path, Value: direction})
	}
	if !unique {
		d = append(d, bson.E{Key: "_id", Value: int32(1)})
	}
	return d
}

// keysOf reads a key pattern; false if a key is neither ascending nor descending.
func keysOf(raw bson.Raw) ([]docdb.Key, bool) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, false
	}
	keys := make([]docdb.Key, len(elements))
	for i, element := range elements {
		direction, ok := element.Value().AsInt64OK()
		if !ok || direction != 1 && direction != -1 {
			return nil, false
		}
		keys[i] = docdb.Key{Path: element.Key(), Desc: direction < 0}
	}
	return keys, true
}

// neutral are the fields of a specification that docdb's indexes may have too. An index with any
// other field set is not docdb's.
var neutral = [][]byte{[]byte("v"), []byte("key"), []byte("name"), []byte("ns"), []byte("unique"), []byte("background")}

// Parse reads the server's specification of an index.
func Parse(spec bson.Raw) Spec {
	p := Spec{}
	p.Name, _ = spec.Lookup("name").StringValueOK()
	p.keys, _ = spec.Lookup("key").DocumentOK()
	p.Unique, _ = spec.Lookup("unique").BooleanOK()
	keys, ok := keysOf(p.keys)
	if !ok || len(keys) == 0 || hasOptions(spec) {
		return p
	}
	if !p.Unique {
		last := keys[len(keys)-1]
		if last != (docdb.Key{Path: "_id"}) {
			return p
		}
		keys = keys[:len(keys)-1]
	}
	p.Index = docdb.Index{Name: p.Name, Keys: keys, Unique: p.Unique}
	p.Ours = docdb.ValidateIndex(p.Index) == nil
	return p
}

func hasOptions(spec bson.Raw) bool {
	elements, err := spec.Elements()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(elements, func(e bson.RawElement) bool {
		key := []byte(e.Key())
		if slices.ContainsFunc(neutral, func(n []byte) bool { return bytes.Equal(n, key) }) {
			return false
		}
		off, isBool := e.Value().BooleanOK()
		return !isBool || off // "sparse: false" has no effect
	})
}

// Admit refuses an index that the existing indexes of its collection do not permit.
func Admit(all []Spec, ix docdb.Index) error {
	if len(all) == 0 {
		return docdb.ErrNoCollection
	}
	for _, p := range all {
		same := p.Ours && slices.Equal(p.Index.Keys, ix.Keys)
		switch {
		case p.Name == ix.Name && same && p.Unique == ix.Unique:
			// The command is to be sent all the same: it waits while the index is being built.
			return nil
		case p.Name == ix.Name || same:
			return docdb.ErrExists
		}
	}
	if len(all) > docdb.MaxIndexes { // counting the index on _id
		return &outcome.Error{Kind: docdb.ErrInvalid, Text: "the collection has as many indexes as it may have"}
	}
	return nil
}

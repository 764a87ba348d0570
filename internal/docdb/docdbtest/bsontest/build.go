// Package bsontest makes BSON for tests: documents and values from Go expressions (Doc, Value),
// and generators of random ones for property tests (AnyDocument, AnyFilter).
package bsontest

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Value returns a value in BSON. It panics on what cannot be marshalled.
func Value(v any) bson.RawValue {
	switch v := v.(type) {
	case nil:
		return bson.RawValue{Type: bson.TypeNull}
	case bson.RawValue:
		return v
	}
	t, b, err := bson.MarshalValue(v)
	if err != nil {
		panic(fmt.Sprintf("bsontest: marshal %T: %v", v, err))
	}
	return bson.RawValue{Type: t, Value: b}
}

// Raw returns a document in BSON. It panics on what cannot be marshalled.
func Raw(v any) bson.Raw {
	b, err := bson.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bsontest: marshal %T: %v", v, err))
	}
	return b
}

// Doc returns a document with that _id and these names and values in turn.
func Doc(id any, namesAndValues ...any) bson.Raw {
	d := bson.D{{Key: "_id", Value: id}}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		d = append(d, bson.E{Key: namesAndValues[i].(string), Value: namesAndValues[i+1]})
	}
	return Raw(d)
}

// Sized returns a document with that _id of exactly size bytes, which is at
// least 20 more than the _id takes.
func Sized(id any, size int) bson.Raw {
	doc := Doc(id, "pad", bson.Binary{})
	doc = Doc(id, "pad", bson.Binary{Data: make([]byte, size-len(doc))})
	if len(doc) != size || int(binary.LittleEndian.Uint32(doc)) != size {
		panic(fmt.Sprintf("bsontest: made %d bytes, not %d", len(doc), size))
	}
	return doc
}

// Scalars returns values of every type that a filter takes operands of, but numbers, documents
// and arrays.
func Scalars() []bson.RawValue {
	oid := bson.ObjectID{11: 1}
	return []bson.RawValue{
		Value(nil), Value(""), Value("a"), Value("ab"), Value("a\x00"), Value("é"), Value("b"),
		Value(true), Value(false), Value(oid), Value(bson.ObjectID{0: 1}),
		Value(bson.Binary{}), Value(bson.Binary{Data: []byte{1}}), Value(bson.Binary{Subtype: 4, Data: make([]byte, 16)}),
		Value(bson.Binary{Subtype: 128, Data: []byte{0}}),
		Value(bson.DateTime(0)), Value(bson.DateTime(-1)), Value(bson.DateTime(1 << 40)),
		Value(bson.Timestamp{T: 1, I: 2}), Value(bson.Timestamp{T: math.MaxUint32, I: 1}),
	}
}

// NonOperands returns values of the types that a filter takes no operands of.
func NonOperands() []bson.RawValue {
	scope := bson.D{{Key: "a", Value: int32(1)}}
	return []bson.RawValue{
		Value(bson.MinKey{}), Value(bson.MaxKey{}), Value(bson.Undefined{}),
		Value(bson.Regex{Pattern: "^a", Options: "i"}), Value(bson.Regex{Pattern: "a"}),
		Value(bson.JavaScript("f()")), Value(bson.JavaScript("")),
		Value(bson.CodeWithScope{Code: "f()", Scope: scope}), Value(bson.CodeWithScope{Code: "f()", Scope: bson.D{}}),
		Value(bson.Symbol("a")), Value(bson.DBPointer{DB: "db.c", Pointer: bson.ObjectID{0: 1}}),
	}
}

// Embedded returns a document as a value.
func Embedded(doc bson.Raw) bson.RawValue {
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}
}

// Contains reports whether is holds for a value, or for a value nested in it.
func Contains(v bson.RawValue, is func(bson.RawValue) bool) bool {
	if is(v) {
		return true
	}
	var doc bson.Raw
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		doc = v.Value
	case bson.TypeCodeWithScope:
		_, doc = v.CodeWithScope()
	}
	values, err := doc.Values()
	return err == nil && slices.ContainsFunc(values, func(v bson.RawValue) bool { return Contains(v, is) })
}

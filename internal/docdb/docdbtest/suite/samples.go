package suite

import (
	"math/rand/v2"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// Numbered returns n documents with the _ids 0 to n-1; fields returns the names and values of each.
func Numbered(n int, fields func(i int) []any) []bson.Raw {
	docs := make([]bson.Raw, n)
	for i := range docs {
		docs[i] = bsontest.Doc(i, fields(i)...)
	}
	return docs
}

// EveryType returns values of every type, several of most, but for those that the server lacks.
func (s *T) EveryType() []bson.RawValue {
	values := append(bsontest.Scalars(), bsontest.NonOperands()...)
	inf, _ := bson.ParseDecimal128("-Infinity")
	precise, _ := bson.ParseDecimal128("1.000000000000000000000000000000000")
	for _, v := range []any{int32(-1), int64(1 << 60), 0.1, 1e300, precise, inf,
		bson.D{}, bson.D{{Key: "a", Value: bson.D{}}}, bson.A{}, bson.A{nil, bson.A{}, int32(1)},
		bson.Binary{Subtype: 2, Data: []byte("old")}, bson.Binary{Subtype: 9, Data: []byte{3, 0, 1}}} {
		values = append(values, bsontest.Value(v))
	}
	return slices.DeleteFunc(values, s.Lacks)
}

// EveryID returns values of every type that an _id may have, no two equal.
func (s *T) EveryID() []bson.RawValue {
	ids := append(s.EveryType(), bsontest.Value(int32(3)), bsontest.Value(2.5), bsontest.Value(int64(1<<53+1)), bsontest.Value("abc"))
	ids = slices.DeleteFunc(ids, func(v bson.RawValue) bool { return docdb.ValidateID(v) != nil })
	slices.SortFunc(ids, docdb.Compare)
	return slices.CompactFunc(ids, func(a, b bson.RawValue) bool { return docdb.Compare(a, b) == 0 })
}

// MixedDocuments returns documents with values of every type under a and b, in arrays, in
// documents and repeated; a or b may be missing, and only one of them holds an array.
func (s *T) MixedDocuments() []bson.Raw {
	var docs []bson.Raw
	add := func(fields ...any) {
		if doc := bsontest.Doc(len(docs), fields...); !s.Lacks(bsontest.Embedded(doc)) {
			docs = append(docs, doc)
		}
	}
	for i, v := range s.EveryType() {
		add("a", v)
		add("b", i%5, "a", v)
		add("a", bson.A{v, int32(i % 3)}, "b", i%2)
		add("a", bson.D{{Key: "b", Value: v}, {Key: "c", Value: i % 3}})
	}
	add("b", 1)
	add("a", bson.A{})
	add("a", bson.A{bson.A{}, bson.A{1}})
	add("a", bson.A{bson.D{{Key: "b", Value: 2}, {Key: "c", Value: 1}}, bson.D{{Key: "b", Value: 1}, {Key: "c", Value: 5}}, 7})
	Shuffle(docs)
	return docs
}

// Shuffle puts documents in an order that is unrelated to their values, and the same every time.
func Shuffle(docs []bson.Raw) {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
}

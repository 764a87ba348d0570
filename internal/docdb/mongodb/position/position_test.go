package position

import (
	"math"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/indexkey"
)

// fataler is what tests and property tests have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// satisfies decides a condition made by After, as MongoDB would. Only $type and operands that
// docdb's filters do not permit are decided here; docdb's filters decide the rest.
func satisfies(t fataler, doc bson.Raw, condition bson.D) bool {
	for _, e := range condition {
		switch e.Key {
		case "$and":
			for _, c := range e.Value.(bson.A) {
				if !satisfies(t, doc, c.(bson.D)) {
					return false
				}
			}
		case "$or":
			if !slices.ContainsFunc(e.Value.(bson.A), func(c any) bool { return satisfies(t, doc, c.(bson.D)) }) {
				return false
			}
		default:
			if !leaf(t, doc, e.Key, e.Value.(bson.D)[0]) {
				return false
			}
		}
	}
	return true
}

func leaf(t fataler, doc bson.Raw, path string, e bson.E) bool {
	value := e.Value
	if value, ok := value.(bson.RawValue); ok && (e.Key == "$gt" || e.Key == "$lt") && value.Type == bson.TypeEmbeddedDocument {
		// docdb's filters do not order documents; MongoDB's do.
		rows, err := indexkey.All(doc, []docdb.Key{{Path: path}})
		return err == nil && slices.ContainsFunc(rows, func(row []bson.RawValue) bool {
			c := docdb.Compare(row[0], value)
			return row[0].Type == value.Type && (e.Key == "$gt" && c > 0 || e.Key == "$lt" && c < 0)
		})
	}
	if e.Key == "$type" {
		types, ok := value.([]int32)
		if !ok {
			types = []int32{value.(int32)}
		}
		return slices.ContainsFunc(types, func(typ int32) bool { return hasType(doc, path, typ) })
	}
	if v, ok := value.(bson.RawValue); ok && v.Type == bson.TypeSymbol {
		value = bsontest.Value(v.Symbol()) // a string, which MongoDB has compare equal
	}
	f, err := docdb.ParseFilter(bsontest.Raw(bson.D{{Key: path, Value: bson.D{{Key: e.Key, Value: value}}}}))
	if err != nil {
		t.Fatalf("%s: %v: %v", path, e, err)
	}
	return f.Match(doc)
}

// hasType decides {path: {$type: typ}}: the type of the value or of an element. An empty
// array has none.
func hasType(doc bson.Raw, path string, typ int32) bool {
	is := func(v bson.RawValue) bool {
		return int32(v.Type) == typ || v.Type == bson.TypeMinKey && typ == -1
	}
	return reaches(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}, path, func(v bson.RawValue) bool {
		return is(v) || v.Type == bson.TypeArray && slices.ContainsFunc(elements(v), func(e bson.RawElement) bool { return is(e.Value()) })
	})
}

// reaches reports whether is holds for a value at the path. In an array on the way MongoDB looks at
// the element that a part of the path names, and into each document.
func reaches(v bson.RawValue, path string, is func(bson.RawValue) bool) bool {
	if path == "" {
		return is(v)
	}
	part, rest, _ := strings.Cut(path, ".")
	return slices.ContainsFunc(elements(v), func(e bson.RawElement) bool {
		return e.Key() == part && reaches(e.Value(), rest, is) ||
			v.Type == bson.TypeArray && e.Value().Type == bson.TypeEmbeddedDocument && reaches(e.Value(), path, is)
	})
}

// elements returns the elements of a document or array; another value has none.
func elements(v bson.RawValue) []bson.RawElement {
	if v.Type != bson.TypeEmbeddedDocument && v.Type != bson.TypeArray {
		return nil
	}
	all, _ := bson.Raw(v.Value).Elements()
	return all
}

// TestAfterIsASupersetOfPairs looks at every pair of documents from among those that an
// index and a condition treat differently, which TestAfterIsASuperset seldom draws.
func TestAfterIsASupersetOfPairs(t *testing.T) {
	var docs []bson.Raw
	b := func(v any) bson.D { return bson.D{{Key: "b", Value: v}} }
	for i, v := range []any{bson.MinKey{}, bson.Undefined{}, nil, math.NaN(), 1, "x", bson.D{}, b(1), b(nil), b(bson.A{}), b(bson.Undefined{}), b(bson.A{1, "x"}),
		bson.A{}, bson.A{nil}, bson.A{1}, bson.A{bson.A{}}, bson.A{bson.A{1}}, bson.A{bson.D{}}, bson.A{b(1), 5}, bson.A{b(1), b("x")}, bson.A{b(1), bson.D{}},
		bson.A{bson.Undefined{}}, bson.A{bson.MaxKey{}, bson.MinKey{}}, bson.Regex{Pattern: "x"}, bson.Symbol("x"), bson.JavaScript("x"), true, bson.MaxKey{}} {
		docs = append(docs, bsontest.Doc(i, "a", v))
	}
	docs = append(docs, bsontest.Doc("missing"))
	for _, path := range []string{"a", "a.b", "a.0", "a.0.b"} {
		for way := range 4 {
			keys, desc := []docdb.Key{{Path: path, Desc: way > 1}}, way%2 == 1
			for _, from := range docs {
				for _, doc := range docs {
					superset(t, doc, docdb.PositionOf(from, keys, desc), keys, desc)
				}
			}
		}
	}
}

// superset fails if a document behind a position is left out.
func superset(t fataler, doc bson.Raw, p docdb.Position, keys []docdb.Key, desc bool) {
	t.Helper()
	if docdb.ComparePositions(docdb.PositionOf(doc, keys, desc), p, keys, desc) <= 0 {
		return
	}
	if condition := After(keys, desc, p); !satisfies(t, doc, condition) {
		t.Fatalf("order %v desc %t:\n%s is behind %v,\nbut not in %v", keys, desc, doc, p, condition)
	}
}

// TestAfterIsASuperset: the condition never leaves out a document behind the position.
func TestAfterIsASuperset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := func(label string) bson.RawValue {
			return bsontest.AnyValue(1).Filter(func(v bson.RawValue) bool { return docdb.ValidateID(v) == nil }).Draw(t, label)
		}
		doc := bsontest.AnyDocument(id("id")).Draw(t, "document")
		from := bsontest.AnyDocument(id("from id")).Draw(t, "from")
		keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) docdb.Key {
			path := bsontest.AnyPath().Filter(func(p string) bool { return p != "_id" }).Draw(t, "path")
			return docdb.Key{Path: path, Desc: rapid.Bool().Draw(t, "key desc")}
		}), 0, 3, func(k docdb.Key) string { return k.Path }).Draw(t, "keys")
		desc := rapid.Bool().Draw(t, "desc")
		for _, d := range []bson.Raw{doc, from} {
			if _, err := indexkey.All(d, keys); err != nil {
				t.Skip("no index admits the document")
			}
		}
		superset(t, doc, docdb.PositionOf(from, keys, desc), keys, desc)
	})
}

func TestAfterIsExact(t *testing.T) {
	// Where no array is involved and the type has $gt, nothing before the
	// position is asked for: a page costs what it yields.
	keys := []docdb.Key{{Path: "a"}}
	doc := func(a any, id string) bson.Raw {
		return bsontest.Raw(bson.D{{Key: "_id", Value: id}, {Key: "a", Value: a}})
	}
	docs := []bson.Raw{
		bsontest.Raw(bson.D{{Key: "_id", Value: "m"}}), doc(nil, "n"), doc(1.5, "a"), doc(1.5, "b"), doc(int64(2), "a"),
		doc("x", "a"), doc("x", "b"), doc("y", "a"), doc(true, "a"), doc(bson.DateTime(7), "a"),
	}
	rapid.Check(t, func(t *rapid.T) {
		desc := rapid.Bool().Draw(t, "desc")
		a, b := rapid.SampledFrom(docs).Draw(t, "a"), rapid.SampledFrom(docs).Draw(t, "b")
		p, q := docdb.PositionOf(a, keys, desc), docdb.PositionOf(b, keys, desc)
		want := docdb.ComparePositions(q, p, keys, desc) > 0
		if got := satisfies(t, b, After(keys, desc, p)); got != want {
			t.Fatalf("%v after %v (desc %t): got %t, want %t: %v", b, a, desc, got, want, After(keys, desc, p))
		}
	})
}

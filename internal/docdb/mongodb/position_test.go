package mongodb

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest"
)

// satisfies decides a condition made by after, as MongoDB would. Apart from $type
// and operands that filters do not have, docdb's filters do.
func satisfies(t *rapid.T, doc bson.Raw, condition bson.D) bool {
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

func leaf(t *rapid.T, doc bson.Raw, path string, e bson.E) bool {
	value := e.Value
	if value, ok := value.(bson.RawValue); ok && (e.Key == "$gt" || e.Key == "$lt") && value.Type == bson.TypeEmbeddedDocument {
		// docdb's filters do not order documents; MongoDB's do.
		rows, err := docdb.IndexKeys(doc, []docdb.Key{{Path: path}})
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
		value = docdbtest.Value(v.Symbol()) // a string, which MongoDB has compare equal
	}
	f, err := docdb.ParseFilter(docdbtest.Raw(bson.D{{Key: path, Value: bson.D{{Key: e.Key, Value: value}}}}))
	if err != nil {
		t.Fatalf("%s: %v: %v", path, e, err)
	}
	return f.Match(doc)
}

// hasType decides {path: {$type: typ}}: the type of the value or, but for an array,
// of an element. An index finds the same elements, so its keys are asked, and the
// paths through arrays that an index has otherwise are left to arraysOn.
func hasType(doc bson.Raw, path string, typ int32) bool {
	if typ == arrayType {
		return isArray(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}, path)
	}
	rows, err := docdb.IndexKeys(doc, []docdb.Key{{Path: path}})
	if err != nil {
		return false
	}
	exists, err := docdb.ParseFilter(docdbtest.Raw(bson.D{{Key: path, Value: bson.D{{Key: "$exists", Value: true}}}}))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(rows, func(row []bson.RawValue) bool {
		v := row[0]
		if v.Type == bson.TypeNull && !exists.Match(doc) {
			return false // missing
		}
		t := int32(v.Type)
		if v.Type == bson.TypeMinKey {
			t = -1
		}
		return t == typ
	})
}

// isArray reports whether something at the path is an array: of an array on the way
// MongoDB looks at the element that a part names, and into each document.
func isArray(v bson.RawValue, path string) bool {
	if path == "" {
		return v.Type == bson.TypeArray
	}
	part, rest, _ := strings.Cut(path, ".")
	var elements []bson.RawElement
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		elements, _ = v.Document().Elements()
	case bson.TypeArray:
		elements, _ = bson.Raw(v.Array()).Elements()
	}
	return slices.ContainsFunc(elements, func(e bson.RawElement) bool {
		return e.Key() == part && isArray(e.Value(), rest) ||
			v.Type == bson.TypeArray && e.Value().Type == bson.TypeEmbeddedDocument && isArray(e.Value(), path)
	})
}

// TestAfterIsASuperset: the condition never leaves out a document behind the position.
func TestAfterIsASuperset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := func(label string) bson.RawValue {
			return docdbtest.AnyValue(1).Filter(func(v bson.RawValue) bool { return docdb.ValidateID(v) == nil }).Draw(t, label)
		}
		doc := docdbtest.Document(id("id")).Draw(t, "document")
		from := docdbtest.Document(id("from id")).Draw(t, "from")
		keys := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) docdb.Key {
			path := docdbtest.Path().Filter(func(p string) bool { return p != "_id" }).Draw(t, "path")
			return docdb.Key{Path: path, Desc: rapid.Bool().Draw(t, "key desc")}
		}), 0, 3, func(k docdb.Key) string { return k.Path }).Draw(t, "keys")
		desc := rapid.Bool().Draw(t, "desc")
		for _, d := range []bson.Raw{doc, from} {
			if _, err := docdb.IndexKeys(d, keys); err != nil {
				t.Skip("no index admits the document")
			}
		}
		p, q := docdb.PositionOf(from, keys, desc), docdb.PositionOf(doc, keys, desc)
		if docdb.ComparePositions(q, p, keys, desc) <= 0 {
			return
		}
		if condition := after(keys, desc, p); !satisfies(t, doc, condition) {
			t.Fatalf("order %v desc %t:\n%s is behind %v,\nbut not in %v", keys, desc, doc, p, condition)
		}
	})
}

func TestAfterIsExact(t *testing.T) {
	// Where no array is involved and the type has $gt, nothing before the
	// position is asked for: a page costs what it yields.
	keys := []docdb.Key{{Path: "a"}}
	doc := func(a any, id string) bson.Raw {
		return docdbtest.Raw(bson.D{{Key: "_id", Value: id}, {Key: "a", Value: a}})
	}
	docs := []bson.Raw{
		docdbtest.Raw(bson.D{{Key: "_id", Value: "m"}}), doc(nil, "n"), doc(1.5, "a"), doc(1.5, "b"), doc(int64(2), "a"),
		doc("x", "a"), doc("x", "b"), doc("y", "a"), doc(true, "a"), doc(bson.DateTime(7), "a"),
	}
	rapid.Check(t, func(t *rapid.T) {
		desc := rapid.Bool().Draw(t, "desc")
		a, b := rapid.SampledFrom(docs).Draw(t, "a"), rapid.SampledFrom(docs).Draw(t, "b")
		p, q := docdb.PositionOf(a, keys, desc), docdb.PositionOf(b, keys, desc)
		want := docdb.ComparePositions(q, p, keys, desc) > 0
		if got := satisfies(t, b, after(keys, desc, p)); got != want {
			t.Fatalf("%v after %v (desc %t): got %t, want %t: %v", b, a, desc, got, want, after(keys, desc, p))
		}
	})
}

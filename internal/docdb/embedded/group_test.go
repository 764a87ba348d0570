package embedded

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// longText is too long for a key, as are others that begin like it.
var longText = strings.Repeat("x", keys.MaxPart+100)

// genLong draws values that are long, alike, or around where keys end.
func genLong() *rapid.Generator[any] {
	return rapid.SampledFrom([]any{"a", "x", longText, longText + "a", longText + "b", longText + "\x00", longText[:keys.MaxPart-3], longText[:keys.MaxPart-2], longText[:keys.MaxPart-1],
		longText[:keys.MaxPart], "y", longText[1:] + "z", strings.Repeat("\x00", keys.MaxPart), bson.D{{Key: longText, Value: 1}}, bson.D{{Key: longText, Value: 2}}, 1, 2.0, nil})
}

// TestLongKeysKeepTheirOrder compares what is found among long values with the contract.
func TestLongKeysKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := Open(Config{Dir: "data", FS: vfs.NewMem(), MinFreeBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		db := e.Database("db")
		if err := db.Create(bg, "c"); err != nil {
			t.Fatal(err)
		}
		c := db.Collection("c")
		indexes := []docdb.Index{{Name: "a", Keys: keyOn("a")}, {Name: "b", Keys: []docdb.Key{{Path: "b", Desc: true}, {Path: "a"}}},
			{Name: "u", Keys: keyOn("u"), Unique: true}, {Name: "t", Keys: keyOn("t")}}
		for _, ix := range indexes {
			if err := c.CreateIndex(bg, ix); err != nil {
				t.Fatal(err)
			}
		}
		docs := drawLongDocs(t, c)
		checkConsistent(t, e)
		for range 10 {
			q := docdb.Query{Desc: rapid.Bool().Draw(t, "desc"), Limit: rapid.IntRange(0, 3).Draw(t, "limit")}
			if rapid.Bool().Draw(t, "by index") {
				q.Order = rapid.SampledFrom(indexes).Draw(t, "order").Keys
			}
			if len(docs) > 0 && rapid.Bool().Draw(t, "from") {
				at := docdb.PositionOf(rapid.SampledFrom(docs).Draw(t, "after"), q.Order, q.Desc)
				q.After = &at
			}
			if rapid.Bool().Draw(t, "filter") {
				q.Filter = drawLongFilter(t)
			}
			checkFind(t, c, docs, q)
			if n, err := c.Count(bg, q.Filter); err != nil || int(n) != len(model.Select(docs, docdb.Query{Filter: q.Filter})) {
				t.Fatalf("%s: counted %d, %v", q.Filter.Document(), n, err)
			}
		}
	})
}

func drawLongDocs(t *rapid.T, c docdb.Collection) []bson.Raw {
	var docs []bson.Raw
	for range rapid.IntRange(0, 15).Draw(t, "documents") {
		tags := bson.A(rapid.SliceOfN(genLong(), 0, 3).Draw(t, "tags"))
		d := doc("_id", genLong().Draw(t, "id"), "a", genLong().Draw(t, "a"), "b", genLong().Draw(t, "b"), "u", genLong().Draw(t, "u"), "t", tags)
		same := func(other bson.Raw, path string) bool {
			return docdb.Compare(other.Lookup(path), d.Lookup(path)) == 0
		}
		taken := slices.ContainsFunc(docs, func(other bson.Raw) bool { return same(other, "_id") || same(other, "u") })
		if err := c.Insert(bg, d); taken != (err != nil) {
			t.Fatalf("a key is taken: %v, inserting answers %v", taken, err)
		}
		if !taken {
			docs = append(docs, d)
		}
	}
	return docs
}

func drawLongFilter(t *rapid.T) docdb.Filter {
	path := rapid.SampledFrom([]string{"_id", "a", "b", "u", "t"}).Draw(t, "path")
	v := genLong().Draw(t, "operand")
	if op := rapid.SampledFrom([]string{"$eq", "$gt", "$gte", "$lt", "$lte"}).Draw(t, "op"); op != "$eq" {
		if text, ok := v.(string); ok {
			f, err := docdb.ParseFilter(doc(path, bson.D{{Key: op, Value: text}}))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	return docdb.Eq(path, v)
}

func checkFind(t rapid.TB, c docdb.Collection, docs []bson.Raw, q docdb.Query) {
	t.Helper()
	var got []bson.Raw
	for d, err := range c.Find(bg, q) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	want := model.Select(docs, q)
	if !slices.EqualFunc(got, want, func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("by %v, desc %v, after %v, limit %d, filter %s: found %d documents, want %d, or in another order", q.Order, q.Desc, q.After != nil, q.Limit, q.Filter.Document(), len(got), len(want))
	}
}

// TestALargeGroupIsSortedInPieces has more long keys alike than are sorted at a time.
func TestALargeGroupIsSortedInPieces(t *testing.T) {
	const n = 5 * (4 << 20) / (4 * (keys.MaxPart + 100))
	c := newCollection(t, openMem(t, vfs.NewMem()))
	var docs []bson.Raw
	for i := range n {
		docs = append(docs, doc("_id", longText+fmt.Sprint(i*7919%n)))
	}
	for part := range slices.Chunk(docs, maxBulk) {
		if _, err := c.InsertMany(bg, part); err != nil {
			t.Fatal(err)
		}
	}
	for _, desc := range []bool{false, true} {
		at := docdb.PositionOf(docs[n/9], nil, false)
		checkFind(t, c, docs, docdb.Query{Desc: desc, After: &at})
	}
}

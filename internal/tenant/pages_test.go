package tenant_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// TestPagesAreWhatAFilterAndASortSay: page by page there comes exactly what a naive
// reading of the filter and the sort says, on every engine.
func TestPagesAreWhatAFilterAndASortSay(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		docs := w.Documents(w.create("Acme", "a@acme.example").ID)
		orders := [][]tenant.Key{nil, {{Path: "a"}}, {{Path: "a", Desc: true}}, {{Path: "b", Desc: true}, {Path: "a"}}, {{Path: "b"}, {Path: "a", Desc: true}}}
		for name, keys := range map[string][]tenant.Key{"a": orders[1], "ba": orders[4]} {
			if err := docs.CreateIndex(t.Context(), tenant.Index{Name: name, Keys: keys}); err != nil {
				t.Fatal(err)
			}
		}
		drawn, rounds := bsontest.AnyDocument, 0
		if w.slow { // it is a server like MongoDB, which need not have every type
			drawn = plainDocument
		}
		rapid.Check(t, func(rt *rapid.T) {
			if rounds++; w.slow && rounds > 10 {
				return
			}
			all := refill(t, rt, docs, drawn)
			for range 8 {
				raw := bsontest.AnyFilter(2).Draw(rt, "filter")
				f, err := tenant.ParseFilter(raw)
				if err != nil {
					continue
				}
				q := tenant.PageQuery{Filter: f, Sort: rapid.SampledFrom(orders).Draw(rt, "sort"), Limit: rapid.IntRange(1, 8).Draw(rt, "limit"), Total: true, Timeout: time.Minute}
				q.Desc = q.Sort == nil && rapid.Bool().Draw(rt, "desc")
				want := naive(all, q)
				if got := pageByPage(rt, docs, q, len(want)); !slices.EqualFunc(got, want, func(a, b bson.Raw) bool { return slices.Equal(a, b) }) {
					rt.Fatalf("%s by %+v %v, %d at a time:\n%v\nwant\n%v", raw, q.Sort, q.Desc, q.Limit, got, want)
				}
			}
		})
	})
}

// refill replaces the stored documents; it leaves out documents that an index refuses.
func refill(t *testing.T, rt *rapid.T, docs *tenant.Documents, drawn func(bson.RawValue) *rapid.Generator[bson.Raw]) (all []bson.Raw) {
	n := rapid.IntRange(0, 12).Draw(rt, "documents")
	for i := range 12 {
		id := bsontest.Value(i)
		if err := docs.Delete(t.Context(), id, tenant.Condition{}); err != nil && !errors.Is(err, org.NotFound) {
			rt.Fatal(err)
		}
		if i >= n {
			continue
		}
		doc, err := docs.Insert(t.Context(), drawn(id).Draw(rt, "document"))
		if err == nil {
			all = append(all, doc.Body)
		} else if !errors.Is(err, org.Invalid) {
			rt.Fatal(err)
		}
	}
	return all
}

func naive(all []bson.Raw, q tenant.PageQuery) (want []bson.Raw) {
	for _, doc := range all {
		if q.Filter.Match(doc) {
			want = append(want, doc)
		}
	}
	// Of the orders that several indexes can have, the one that begins ascending is
	// asked for first; ties are by _id in the direction of the walk.
	keys, desc := slices.Clone(q.Sort), q.Desc
	switch {
	case len(keys) == 1:
		desc, keys[0].Desc = keys[0].Desc, false
	case len(keys) == 2 && keys[0].Desc:
		desc = true
		keys = []tenant.Key{{Path: "b"}, {Path: "a", Desc: true}}
	}
	slices.SortFunc(want, func(a, b bson.Raw) int {
		return docdb.ComparePositions(docdb.PositionOf(a, keys, desc), docdb.PositionOf(b, keys, desc), keys, desc)
	})
	return want
}

func pageByPage(t *rapid.T, docs *tenant.Documents, q tenant.PageQuery, total int) (got []bson.Raw) {
	for {
		page, err := docs.Page(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != int64(total) {
			t.Fatalf("the total is %d, want %d", page.Total, total)
		}
		for _, doc := range page.Documents {
			got = append(got, doc.Body)
		}
		if q.After = page.Next; q.After == nil {
			return got
		}
	}
}

// plainDocument draws a document of numbers, texts and null.
func plainDocument(id bson.RawValue) *rapid.Generator[bson.Raw] {
	value := rapid.SampledFrom([]any{nil, int32(1), int32(2), int64(1) << 40, 1.5, "", "a", "b", true})
	return rapid.Custom(func(t *rapid.T) bson.Raw {
		d := bson.D{{Key: "_id", Value: id}}
		for _, name := range []string{"a", "b"} {
			if rapid.Bool().Draw(t, "with "+name) {
				d = append(d, bson.E{Key: name, Value: value.Draw(t, name)})
			}
		}
		return bsontest.Raw(d)
	})
}

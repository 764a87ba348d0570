package scan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/scan"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

var bg = context.Background()

// filled opens the storage of an engine in which a collection "c" has been filled.
func filled(t *testing.T, fill func(c docdb.Collection) error) scan.Source {
	t.Helper()
	config := embedded.Config{Dir: "data", FS: vfs.NewMem(), MinFreeBytes: -1}
	e, err := embedded.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Database("db").Create(bg, "c")
	if err == nil {
		err = fill(e.Database("db").Collection("c"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(config, func(*store.Store) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return scan.Source{Store: s, Catalog: catalog.New(s), Name: catalog.Name{Database: "db", Collection: "c"}}
}

func raw(v any) bson.Raw {
	doc, err := bson.Marshal(v)
	if err != nil {
		panic(err)
	}
	return doc
}

func keyOn(path string) []docdb.Key { return []docdb.Key{{Path: path}} }

// TestPlans checks which keys are walked over, since a plan that is too wide is
// only slow.
func TestPlans(t *testing.T) {
	from := filled(t, func(c docdb.Collection) error {
		for name, on := range map[string][]docdb.Key{"a": keyOn("a"), "ab": {{Path: "a"}, {Path: "b", Desc: true}}, "tags": keyOn("tags")} {
			if err := c.CreateIndex(bg, docdb.Index{Name: name, Keys: on}); err != nil {
				return err
			}
		}
		for i := range 1000 {
			doc := raw(bson.D{{Key: "_id", Value: i}, {Key: "a", Value: i % 10}, {Key: "b", Value: i / 10}, {Key: "tags", Value: bson.A{i % 100, "x"}}})
			if err := c.Insert(bg, doc); err != nil {
				return err
			}
		}
		return nil
	})
	for _, q := range []struct {
		name   string
		filter bson.D
		order  []docdb.Key
		desc   bool
		walked int
	}{
		{"nothing to use", bson.D{{Key: "c", Value: 1}}, nil, false, 1000},
		{"_id", bson.D{{Key: "_id", Value: 7}}, nil, false, 1},
		{"several _ids", bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{7, 9.0, 500, 7, "none"}}}}}, nil, true, 3},
		{"an _id beyond a bound", bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{7, 8}}, {Key: "$gt", Value: 7}}}}, nil, true, 1},
		{"a range of _ids", bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: 10}, {Key: "$lte", Value: 20}}}}, nil, false, 10},
		{"an index by equality", bson.D{{Key: "a", Value: 3}}, nil, true, 100},
		{"the index with most keys", bson.D{{Key: "b", Value: 5}, {Key: "a", Value: 3}}, nil, false, 1},
		{"an index of arrays by equality", bson.D{{Key: "tags", Value: 3}}, nil, false, 10},
		{"null, which may be missing", bson.D{{Key: "a", Value: nil}}, nil, false, 1000},
		{"an order by a range", bson.D{{Key: "a", Value: bson.D{{Key: "$gte", Value: 8}}}}, keyOn("a"), false, 200},
		{"an order by equality and a range", bson.D{{Key: "a", Value: 8}, {Key: "b", Value: bson.D{{Key: "$lt", Value: 5}}}}, []docdb.Key{{Path: "a"}, {Path: "b", Desc: true}}, true, 5},
		{"an order of arrays, whose end is known", bson.D{{Key: "tags", Value: bson.D{{Key: "$lt", Value: 20}}}}, keyOn("tags"), false, 200},
		{"an order of arrays, whose beginning is not", bson.D{{Key: "tags", Value: bson.D{{Key: "$lt", Value: 20}}}}, keyOn("tags"), true, 2000},
		{"conditions that exclude each other", bson.D{{Key: "a", Value: 3}, {Key: "a", Value: bson.D{{Key: "$gt", Value: 5}}}}, keyOn("a"), false, 0},
	} {
		t.Run(q.name, func(t *testing.T) {
			f, err := docdb.ParseFilter(raw(q.filter))
			if err != nil {
				t.Fatal(err)
			}
			if got := scan.Walked(t, from, docdb.Query{Filter: f, Order: q.order, Desc: q.desc}); got != q.walked {
				t.Errorf("it walks over %d keys, want %d", got, q.walked)
			}
		})
	}
}

// TestLongIDsAreFoundOneByOne among others that begin like them.
func TestLongIDsAreFoundOneByOne(t *testing.T) {
	long := strings.Repeat("x", keys.MaxPart+100)
	from := filled(t, func(c docdb.Collection) error {
		for i := range 100 {
			for _, id := range []any{long + fmt.Sprint(i), i} {
				if err := c.Insert(bg, raw(bson.D{{Key: "_id", Value: id}})); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var ids []bson.RawValue
	for i := range 60 {
		ids = append(ids, docdb.StringID(long+fmt.Sprint(i*2)))
	}
	for _, desc := range []bool{false, true} {
		if n := scan.Walked(t, from, docdb.Query{Filter: docdb.Eq("_id", long+"7"), Desc: desc}); n != 1 {
			t.Errorf("for one it walks over %d keys", n)
		}
		if n := scan.Walked(t, from, docdb.Query{Filter: docdb.In("_id", ids), Desc: desc}); n != 50 { // ten are not there
			t.Errorf("for 60 it walks over %d keys", n)
		}
	}
}

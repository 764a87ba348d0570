package embedded

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
)

// TestAWalkThatPausesGoesOnWhereItWas makes every walk pause as often as it can.
func TestAWalkThatPausesGoesOnWhereItWas(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	e.maxWalk = 0
	c := newCollection(t, e)
	orders := [][]docdb.Key{nil, keyOn("n"), {{Path: "tags", Desc: true}}, {{Path: "n"}, {Path: "u"}}, keyOn("u")}
	for i, keys := range orders[1:] {
		mustIndex(t, c, docdb.Index{Name: fmt.Sprint("ix", i), Keys: keys, Unique: keys[0].Path == "u"})
	}
	var docs []bson.Raw
	for i := range 1500 {
		id := any(i)
		if i%10 == 0 {
			id = longText + fmt.Sprint(i)
		}
		docs = append(docs, doc("_id", id, "n", i%7, "tags", bson.A{i % 5, (i + 1) % 5}, "u", longText[:i%3*1070]+fmt.Sprint(i)))
	}
	for i := 0; i < len(docs); i += 500 {
		if _, err := c.InsertMany(bg, docs[i:i+500]); err != nil {
			t.Fatal(err)
		}
	}
	some := docdb.And(docdb.Eq("tags", 3), docdb.Eq("n", 4))
	for _, order := range orders {
		for _, desc := range []bool{false, true} {
			checkFind(t, c, docs, docdb.Query{Order: order, Desc: desc})
			checkFind(t, c, docs, docdb.Query{Order: order, Desc: desc, Filter: some})
		}
	}
	for _, f := range []docdb.Filter{{}, some, docdb.Eq("n", 4), docdb.Eq("tags", 3)} {
		want := len(model.Select(docs, docdb.Query{Filter: f}))
		if n, err := c.Count(bg, f); err != nil || n != int64(want) {
			t.Errorf("%s: counted %d, %v, want %d", f.Document(), n, err, want)
		}
	}
}

// TestAnIndexThatComesAndGoesHidesNothing reads by filters that use an index while it is
// dropped and created.
func TestAnIndexThatComesAndGoesHidesNothing(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	e.maxWalk = 0
	c := newCollection(t, e)
	for i := range 900 {
		mustInsert(t, c, doc("_id", i, "n", i%3))
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			if err := errors.Join(c.CreateIndex(bg, docdb.Index{Name: "n", Keys: keyOn("n")}), c.DropIndex(bg, "n")); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if docs := find(t, c, docdb.Query{Filter: docdb.Eq("n", 1)}); len(docs) != 300 {
			t.Errorf("found %d of 300", len(docs))
		}
		if n, err := c.Count(bg, docdb.Eq("n", 1)); err != nil || n != 300 {
			t.Errorf("counted %d of 300, %v", n, err)
		}
		n := 0
		for _, err := range c.Find(bg, docdb.Query{Order: keyOn("n")}) {
			if errors.Is(err, docdb.ErrNoIndex) {
				n = 900
			} else if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 900 && n < 901 {
			t.Errorf("found %d of 900 in the order of the index", n)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// firstPage is how many documents a scan reads at first.
const firstPage = 32

func TestAFindWhoseCollectionIsDroppedSaysSo(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	c := newCollection(t, e)
	for i := range 2 * firstPage {
		mustInsert(t, c, doc("_id", i))
	}
	n := 0
	var last error
	for _, err := range c.Find(bg, docdb.Query{}) {
		if n == 0 {
			if err := errors.Join(e.Database("db").Drop(bg, "c"), e.Database("db").Create(bg, "c"), c.Insert(bg, doc("_id", 1000))); err != nil {
				t.Fatal(err)
			}
		}
		n++
		last = err
	}
	if !errors.Is(last, docdb.ErrNoCollection) || n != firstPage+1 {
		t.Errorf("after %d documents it ends with %v", n-1, last)
	}
}

// TestLongIDsAreFoundOneByOne among others that begin like them.
func TestLongIDsAreFoundOneByOne(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	c := newCollection(t, e)
	var docs []bson.Raw
	for i := range 100 {
		docs = append(docs, doc("_id", longText+fmt.Sprint(i)), doc("_id", i))
	}
	mustInsert(t, c, docs...)
	var ids []bson.RawValue
	for i := range 60 {
		ids = append(ids, docdb.StringID(longText+fmt.Sprint(i*2)))
	}
	for _, desc := range []bool{false, true} {
		q := docdb.Query{Filter: docdb.Eq("_id", longText+"7"), Desc: desc}
		checkFind(t, c, docs, q)
		q.Filter = docdb.In("_id", ids)
		checkFind(t, c, docs, q) // in two pages
		q.Limit = 3
		at := docdb.PositionOf(doc("_id", longText+"4"), nil, desc)
		q.After = &at
		checkFind(t, c, docs, q)
	}
}

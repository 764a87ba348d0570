package catalog

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

// create makes an empty collection.
func create(t *testing.T, s *store.Store, c *Catalog, name Name) {
	t.Helper()
	co, err := c.Acquire(name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release(co)
	id, err := c.Number()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetState(co, s.DB.NewBatch(), &State{ID: id, NextIndex: 1}, false); err != nil {
		t.Fatal(err)
	}
}

func TestTheCatalogRemembersOnlyWhatThereIsRoomFor(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "data", FS: vfs.NewMem(), MinFreeBytes: -1}, func(*store.Store) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := New(s)
	for i := range 4 * maxCached {
		create(t, s, c, Name{"db", fmt.Sprint("c", i)})
	}
	for i := range 10_000 {
		co, err := c.Acquire(Name{"db", fmt.Sprint("none", i)})
		if err != nil || co.State.Load() != nil {
			t.Fatal(co, err)
		}
		c.Release(co)
	}
	kept := 0
	for i := range c.shards {
		for name, co := range c.shards[i].colls {
			if kept++; co.refs != 0 || co.State.Load() == nil {
				t.Errorf("%v is kept, with %d references", name, co.refs)
			}
		}
		if len(c.shards[i].colls) > maxCached {
			t.Errorf("a shard keeps %d collections", len(c.shards[i].colls))
		}
	}
	if kept > 4*maxCached {
		t.Errorf("%d collections are kept", kept)
	}
}

func TestNamesAreThoseOfTheDatabase(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "data", FS: vfs.NewMem(), MinFreeBytes: -1}, func(*store.Store) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := New(s)
	for _, name := range []Name{{"db", "b"}, {"db", "a"}, {"other", "a"}} {
		create(t, s, c, name)
	}
	if names, err := c.Names(context.Background(), "db", ""); err != nil || fmt.Sprint(names) != "[a b]" {
		t.Errorf("the names are %v, %v", names, err)
	}
}

package embedded

import (
	"errors"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb"
)

// TestCloseEndsTheMakingOfAnIndex lets Close begin before an index is made, however
// quickly that may be.
func TestCloseEndsTheMakingOfAnIndex(t *testing.T) {
	mem := vfs.NewMem()
	e := openMem(t, mem)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "a"))
	writers := c.(collection).coll(t).Writers
	if err := writers.Acquire(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	made, closed := make(chan error, 1), make(chan error, 1)
	go func() { made <- c.CreateIndex(bg, docdb.Index{Name: "i", Keys: keyOn("a")}) }()
	await(t, "the call has begun", func() bool { return e.store.InProgress() == 1 })
	go func() { closed <- e.Close() }()
	await(t, "Close has begun", e.store.Closing)
	writers.Release(1)
	if err := <-made; !errors.Is(err, docdb.ErrClosed) {
		t.Errorf("CreateIndex answers %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	e = openMem(t, mem)
	if list, err := e.Database("db").Collection("c").Indexes(bg); len(list) > 0 || err != nil {
		t.Errorf("there are %v, %v", list, err)
	}
	checkConsistent(t, e)
}

// TestAnIndexIsMadeAnewAfterOneThatCouldNotBeUndone: while tables can't be written nothing
// can be removed, and what was made of an index stays under the number of the next one.
func TestAnIndexIsMadeAnewAfterOneThatCouldNotBeUndone(t *testing.T) {
	e := openMem(t, vfs.NewMem())
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "a", "x", 1), doc("_id", "b", "x", 2))
	state := c.(collection).coll(t).State.Load()
	b := e.newBuilder(state, docdb.Index{Name: "i", Keys: keyOn("x")})
	b.newBatch()
	if err := errors.Join(b.addAll(t.Context()), b.spill()); err != nil {
		t.Fatal(err)
	}
	e.store.Health.Flushed(syscall.ENOSPC)
	if err := b.undo(docdb.ErrUnavailable); !errors.Is(err, docdb.ErrUnavailable) {
		t.Error(err)
	}
	e.store.Health.Flushed(nil)
	if err := c.Delete(bg, docdb.StringID("a"), docdb.Filter{}); err != nil {
		t.Fatal(err)
	}
	mustIndex(t, c, b.ix.Index)
	if docs := find(t, c, docdb.Query{Order: keyOn("x")}); len(docs) != 1 {
		t.Errorf("found %v", docs)
	}
	checkConsistent(t, e)
}

package record

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

func open(t *testing.T, fs vfs.FS) *store.Store {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "data", FS: fs, MinFreeBytes: -1}, func(*store.Store) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestABulkThatIsCutShortIsOnDisk runs out of room in the middle of a bulk: what went
// before can be seen, so it has to be on disk.
func TestABulkThatIsCutShortIsOnDisk(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, mem)
	c := catalog.New(s)
	co, err := c.Acquire(catalog.Name{Database: "db", Collection: "c"})
	if err != nil {
		t.Fatal(err)
	}
	state := &catalog.State{ID: 1, NextIndex: 1}
	if err := c.SetState(co, s.DB.NewBatch(), state, false); err != nil {
		t.Fatal(err)
	}
	doc, err := bson.Marshal(bson.D{{Key: "_id", Value: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	m := New(s).NewRecorder(context.Background(), state)
	defer m.Release()
	r, w := m.Stored(doc), m.NewWrite(co)
	w.Put(r, nil, doc)
	w.start()
	w.err = s.Commit(w.batch, false, false)
	if w.err != nil {
		t.Fatal(w.err)
	}
	w.batch, w.partial, w.err = nil, true, docdb.ErrUnavailable
	if err := w.Commit(false); !errors.Is(err, docdb.ErrOutcomeUnknown) || errors.Is(err, docdb.ErrUnavailable) {
		t.Errorf("commit answers %v", err)
	}
	if there, err := open(t, mem.CrashClone(vfs.CrashCloneCfg{})).Has(r.Key); !there || err != nil {
		t.Errorf("the document is there: %t, %v", there, err)
	}
}

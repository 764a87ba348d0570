package embedded

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/disk"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/record"
)

var bg = context.Background()

// open opens an engine and closes it with the test.
func open(t testing.TB, c Config) *Engine {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	e, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil && e.store.Health.Err() == nil {
			t.Error(err)
		}
	})
	return e
}

// openMem opens an engine in a memory file system.
func openMem(t testing.TB, fs vfs.FS) *Engine {
	t.Helper()
	return open(t, Config{Dir: "data", FS: fs, MinFreeBytes: -1})
}

// newCollection creates a collection "c" in a database "db".
func newCollection(t testing.TB, e *Engine) docdb.Collection {
	t.Helper()
	if err := e.Database("db").Create(bg, "c"); err != nil {
		t.Fatal(err)
	}
	return e.Database("db").Collection("c")
}

// doc makes a document of names and values.
func doc(pairs ...any) bson.Raw {
	d := bson.D{}
	for i := 0; i < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

func keyOn(path string) []docdb.Key { return []docdb.Key{{Path: path}} }

func mustIndex(t testing.TB, c docdb.Collection, ix docdb.Index) {
	t.Helper()
	if err := c.CreateIndex(bg, ix); err != nil {
		t.Fatal(err)
	}
}

func mustInsert(t testing.TB, c docdb.Collection, docs ...bson.Raw) {
	t.Helper()
	for _, d := range docs {
		if err := c.Insert(bg, d); err != nil {
			t.Fatalf("inserting %v: %v", d, err)
		}
	}
}

func find(t testing.TB, c docdb.Collection, q docdb.Query) []bson.Raw {
	t.Helper()
	var docs []bson.Raw
	for d, err := range c.Find(bg, q) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	return docs
}

// checkConsistent compares what the indexes hold with what the documents say
// they should: every entry has its document, every document its entries, and
// there is nothing else in the key space. Others may be writing.
func checkConsistent(t rapid.TB, e *Engine) {
	t.Helper()
	view := e.store.DB.NewSnapshot()
	defer view.Close()
	names := map[uint32]*catalog.State{}
	scanKeys(t, view, []byte{keys.SpaceCatalog}, func(key, value []byte) {
		state, err := catalog.DecodeState(value)
		if err != nil {
			t.Fatal(err)
		}
		if names[state.ID] != nil {
			t.Errorf("two collections have the number %d", state.ID)
		}
		names[state.ID] = state
	})
	building := map[string]bool{}
	scanKeys(t, view, []byte{keys.SpaceBuilding}, func(key, _ []byte) { building[string(key[1:])] = true })
	want := map[string]string{}
	scanKeys(t, view, []byte{keys.SpaceData}, func(key, value []byte) {
		coll := uint32(key[1])<<24 | uint32(key[2])<<16 | uint32(key[3])<<8 | uint32(key[4])
		state := names[coll]
		if state == nil {
			t.Fatalf("the key %x belongs to no collection", key)
		}
		if key[5] != keys.PartDocuments {
			return
		}
		r := recordOf(e, state, value)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if !bytes.Equal(r.Key, key) {
			t.Errorf("the document %v is under the key %x, not %x", bson.Raw(value), key, r.Key)
		}
		for _, en := range r.Entries {
			if owner, ok := want[string(en.Key)]; ok {
				t.Errorf("two documents have the entry %x: %s", en.Key, owner)
			}
			want[string(en.Key)] = string(en.Value)
		}
	})
	scanKeys(t, view, []byte{keys.SpaceData}, func(key, value []byte) {
		if key[5] == keys.PartDocuments || building[string(key[1:5])+string(key[6:10])] {
			return
		}
		if wanted, ok := want[string(key)]; !ok {
			t.Errorf("the entry %x has no document", key)
		} else if wanted != string(value) {
			t.Errorf("the entry %x is %x, not %x", key, value, wanted)
		}
		delete(want, string(key))
	})
	for key := range want {
		t.Errorf("the entry %x is missing", key)
	}
}

// recordOf is the record of a document that is stored, however much it is.
func recordOf(e *Engine, state *catalog.State, doc bson.Raw) record.Record {
	m := e.writes.NewRecorder(bg, state)
	defer m.Release()
	return m.Stored(doc)
}

func scanKeys(t rapid.TB, view pebble.Reader, prefix []byte, visit func(key, value []byte)) {
	t.Helper()
	it, err := view.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keys.Successor(prefix)})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		visit(it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
}

func name(prefix string, i int) string { return fmt.Sprintf("%s%06d", prefix, i) }

func rawValue(v any) bson.RawValue {
	t, b, err := bson.MarshalValue(v)
	if err != nil {
		panic(err)
	}
	return bson.RawValue{Type: t, Value: b}
}

// noRoom reports whether there was no room for a write.
func noRoom(err error) bool { return disk.IsFull(err) }

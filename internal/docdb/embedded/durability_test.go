package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// A slowLog is a file system on which syncs of the log wait while it is held.
type slowLog struct {
	vfs.FS
	mu sync.RWMutex
}

func newSlowLog() *slowLog {
	s := &slowLog{}
	s.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && isSync(op.Kind) {
			s.mu.RLock()
			defer s.mu.RUnlock()
		}
		return nil
	}))
	return s
}

func (s *slowLog) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return reuse(s.FS, oldname, newname, category)
}

func isSync(kind errorfs.OpKind) bool {
	return kind == errorfs.OpFileSync || kind == errorfs.OpFileSyncData || kind == errorfs.OpFileSyncTo
}

// shows reports whether Pebble shows a key, synced or not.
func shows(t *testing.T, e *Engine, key []byte) func() bool {
	return func() bool {
		there, err := e.store.Has(key)
		if err != nil {
			t.Error(err)
		}
		return there
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestReadsWaitForTheWriteTheySee holds up the sync of a write that Pebble shows
// already. Each reader must wait, until the write is on disk.
func TestReadsWaitForTheWriteTheySee(t *testing.T) {
	id := docdb.StringID("a")
	docKey := keys.Document(1, keys.AppendValue(nil, id))
	after := func(found bool, err error) error { // what a reader may tell once it may tell
		if err == nil && !found {
			err = errors.New("the write is missing")
		}
		return err
	}
	before := doc("_id", "a", "v", 1)
	for _, c := range []struct {
		name    string
		write   func(docdb.Database) error
		visible func(*testing.T, *Engine) func() bool
		read    func(docdb.Database) error
	}{
		{"Get of an inserted document", func(db docdb.Database) error { return db.Collection("c").Insert(bg, doc("_id", "b")) },
			func(t *testing.T, e *Engine) func() bool {
				return shows(t, e, keys.Document(1, keys.AppendValue(nil, docdb.StringID("b"))))
			},
			func(db docdb.Database) error { _, err := db.Collection("c").Get(bg, docdb.StringID("b")); return err }},
		{"Find of an inserted document", func(db docdb.Database) error { return db.Collection("c").Insert(bg, doc("_id", "b")) },
			func(t *testing.T, e *Engine) func() bool {
				return shows(t, e, keys.Document(1, keys.AppendValue(nil, docdb.StringID("b"))))
			},
			func(db docdb.Database) error {
				n := 0
				for _, err := range db.Collection("c").Find(bg, docdb.Query{}) {
					if err != nil {
						return err
					}
					n++
				}
				return after(n == 2, nil)
			}},
		{"Count of an inserted document", func(db docdb.Database) error { return db.Collection("c").Insert(bg, doc("_id", "b")) },
			func(t *testing.T, e *Engine) func() bool {
				return shows(t, e, keys.Document(1, keys.AppendValue(nil, docdb.StringID("b"))))
			},
			func(db docdb.Database) error {
				n, err := db.Collection("c").Count(bg, docdb.Filter{})
				return after(n == 2, err)
			}},
		{"Insert that finds its _id taken", func(db docdb.Database) error { return db.Collection("c").Insert(bg, doc("_id", "b")) },
			func(t *testing.T, e *Engine) func() bool {
				return shows(t, e, keys.Document(1, keys.AppendValue(nil, docdb.StringID("b"))))
			},
			func(db docdb.Database) error {
				err := db.Collection("c").Insert(bg, doc("_id", "b"))
				return after(errors.Is(err, docdb.ErrDuplicate), nil)
			}},
		{"Get of a deleted document", func(db docdb.Database) error { return db.Collection("c").Delete(bg, id, docdb.Filter{}) },
			func(t *testing.T, e *Engine) func() bool { return func() bool { return !shows(t, e, docKey)() } },
			func(db docdb.Database) error {
				_, err := db.Collection("c").Get(bg, id)
				return after(errors.Is(err, docdb.ErrNotFound), nil)
			}},
		{"Get in a dropped collection", func(db docdb.Database) error { return db.Drop(bg, "c") },
			func(t *testing.T, e *Engine) func() bool { return func() bool { return !shows(t, e, docKey)() } },
			func(db docdb.Database) error {
				_, err := db.Collection("c").Get(bg, id)
				return after(errors.Is(err, docdb.ErrNotFound), nil)
			}},
		{"Find in a dropped collection", func(db docdb.Database) error { return db.Drop(bg, "c") },
			func(t *testing.T, e *Engine) func() bool { return func() bool { return !shows(t, e, docKey)() } },
			func(db docdb.Database) error {
				n, err := db.Collection("c").Count(bg, docdb.Filter{})
				return after(n == 0, err)
			}},
		{"List of a created collection", func(db docdb.Database) error { return db.Create(bg, "d") },
			func(t *testing.T, e *Engine) func() bool { return shows(t, e, keys.Catalog("db", "d")) },
			func(db docdb.Database) error { names, err := db.List(bg, ""); return after(len(names) == 2, err) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := newSlowLog()
			e := openMem(t, fs)
			mustInsert(t, newCollection(t, e), before)
			db := e.Database("db")
			fs.mu.Lock()
			written, read := make(chan error, 1), make(chan error, 1)
			go func() { written <- c.write(db) }()
			await(t, "Pebble shows the write", c.visible(t, e))
			go func() { read <- c.read(db) }()
			select {
			case err := <-read:
				t.Errorf("the read ended (%v) before the write was on disk", err)
				read <- nil
			case err := <-written:
				t.Errorf("the write was acknowledged (%v) before it was on disk", err)
				written <- nil
			case <-time.After(50 * time.Millisecond):
			}
			fs.mu.Unlock()
			if err := <-written; err != nil {
				t.Error(err)
			}
			if err := <-read; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadsOfOtherDocumentsDoNotWait(t *testing.T) {
	fs := newSlowLog()
	e := openMem(t, fs)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "a"))
	fs.mu.Lock()
	written := make(chan error, 1)
	go func() { written <- c.Insert(bg, doc("_id", "b")) }()
	await(t, "Pebble shows the write", shows(t, e, keys.Document(1, keys.AppendValue(nil, docdb.StringID("b")))))
	if _, err := c.Get(bg, docdb.StringID("a")); err != nil { // would never return
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := c.Count(ctx, docdb.Filter{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a Count that has to wait longer than its context: %v", err)
	}
	fs.mu.Unlock()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// powerWorld is what writers and readers on a file system that loses power know
// must be there: the highest version of each document that was acknowledged, or seen.
type powerWorld struct {
	mu    sync.Mutex
	known map[string]int64
}

func (w *powerWorld) saw(id string, version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[id] = max(w.known[id], version)
}

func (w *powerWorld) copy() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := map[string]int64{}
	for id, version := range w.known {
		known[id] = version
	}
	return known
}

// TestPowerLoss takes away what is not synced, at random moments while documents
// are written and read. What was acknowledged or read before must be there.
func TestPowerLoss(t *testing.T) {
	const documents = 20
	fs := vfs.NewCrashableMem()
	e := openMem(t, fs)
	c := newCollection(t, e)
	mustIndex(t, c, docdb.Index{Name: "v", Keys: keyOn("v"), Unique: true})
	world := &powerWorld{known: map[string]int64{}}
	var stop atomic.Bool
	var wg sync.WaitGroup
	run := func(work func() error) {
		wg.Go(func() {
			for !stop.Load() {
				if err := work(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 8 {
		run(func() error { return bump(c, world, name("doc", rand.IntN(documents))) })
	}
	run(func() error { return world.lookByGet(c, name("doc", rand.IntN(documents))) })
	run(func() error { return world.lookByFind(c, docdb.Query{}) })
	run(func() error { return world.lookByFind(c, docdb.Query{Order: keyOn("v"), Desc: true}) })
	for round := range 30 {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		known := world.copy()
		lost := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: round % 3 * 40, RNG: rand.New(rand.NewPCG(uint64(round), 1))})
		checkAfterPowerLoss(t, lost, known)
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
}

func checkAfterPowerLoss(t *testing.T, fs vfs.FS, known map[string]int64) {
	t.Helper()
	e, err := Open(Config{Dir: "data", FS: fs, MinFreeBytes: -1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for id, want := range known {
		d, err := e.Database("db").Collection("c").Get(bg, docdb.StringID(id))
		if err != nil {
			t.Errorf("%s, known at version %d: %v", id, want, err)
		} else if got := d.Lookup("n").AsInt64(); got < want {
			t.Errorf("%s is at version %d, but %d was acknowledged or read", id, got, want)
		}
	}
	checkConsistent(t, e)
}

// bump raises a document's version n, creating it if need be.
func bump(c docdb.Collection, world *powerWorld, id string) error {
	old, err := c.Get(bg, docdb.StringID(id))
	if errors.Is(err, docdb.ErrNotFound) {
		err = c.Insert(bg, doc("_id", id, "n", int64(1), "v", id+" 1"))
		if errors.Is(err, docdb.ErrDuplicate) {
			return nil
		}
		world.saw(id, 1)
		return err
	}
	if err != nil {
		return err
	}
	n := old.Lookup("n").AsInt64()
	err = c.Replace(bg, docdb.StringID(id), docdb.Eq("n", n), doc("_id", id, "n", n+1, "v", fmt.Sprint(id, n+1)))
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	if err == nil {
		world.saw(id, n+1)
	}
	return err
}

func (w *powerWorld) lookByGet(c docdb.Collection, id string) error {
	d, err := c.Get(bg, docdb.StringID(id))
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err == nil {
		w.saw(id, d.Lookup("n").AsInt64())
	}
	return err
}

func (w *powerWorld) lookByFind(c docdb.Collection, q docdb.Query) error {
	for d, err := range c.Find(bg, q) {
		if err != nil {
			return err
		}
		w.saw(d.Lookup("_id").StringValue(), d.Lookup("n").AsInt64())
	}
	return nil
}

// TestPowerLossWhileCollectionsChange does the same to the catalog.
func TestPowerLossWhileCollectionsChange(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e := openMem(t, fs)
	db := e.Database("db")
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := liveAndDie(db, fmt.Sprint("c", i), n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range 20 {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		lost := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: round % 3 * 40, RNG: rand.New(rand.NewPCG(uint64(round), 2))})
		checkAfterPowerLoss(t, lost, nil)
	}
	stop.Store(true)
	wg.Wait()
	checkConsistent(t, e)
}

// liveAndDie leads a collection through everything that can happen to it.
func liveAndDie(db docdb.Database, name string, n int) error {
	if err := db.Create(bg, name); err != nil {
		return err
	}
	c := db.Collection(name)
	docs := make([]bson.Raw, 100)
	for i := range docs {
		docs[i] = doc("_id", i, "a", bson.A{i, n}, "b", i)
	}
	if _, err := c.InsertMany(bg, docs); err != nil {
		return err
	}
	for _, ix := range []docdb.Index{{Name: "a", Keys: keyOn("a")}, {Name: "b", Keys: keyOn("b"), Unique: true}} {
		if err := c.CreateIndex(bg, ix); err != nil {
			return err
		}
	}
	if err := c.Delete(bg, rawValue(int32(7)), docdb.Filter{}); err != nil {
		return err
	}
	if err := c.DropIndex(bg, "a"); err != nil {
		return err
	}
	return db.Drop(bg, name)
}

package embedded

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

func TestTheNumberOfACollectionIsNeverUsedAgain(t *testing.T) {
	mem := vfs.NewMem()
	seen := map[uint32]bool{}
	for range 3 {
		e := openMem(t, mem)
		db := e.Database("db")
		for range 256 + 10 { // more than are reserved at a time
			if err := db.Create(bg, "c"); err != nil {
				t.Fatal(err)
			}
			id := db.Collection("c").(collection).coll(t).State.Load().ID
			if seen[id] {
				t.Fatalf("the number %d is used again", id)
			}
			seen[id] = true
			if err := db.Drop(bg, "c"); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestManyCollectionsAreCheap(t *testing.T) {
	const n = 10_000
	dir := t.TempDir()
	e := open(t, Config{Dir: dir})
	db := e.Database("db")
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				c := db.Collection(name("org_", i))
				err := db.Create(bg, name("org_", i))
				if err == nil {
					err = c.CreateIndex(bg, docdb.Index{Name: "email", Keys: keyOn("email"), Unique: true})
				}
				if err == nil {
					err = c.Insert(bg, doc("_id", 1, "email", name("user", i)))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	before := heap()
	begun := time.Now()
	e = open(t, Config{Dir: dir})
	if err := e.Ping(bg); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	opened := heap()
	db = e.Database("db")
	for i := 1; i <= n; i++ {
		if _, err := db.Collection(name("org_", i)).Get(bg, rawValue(1)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("opened in %v with %d KiB of heap; %d KiB when all collections were used", took, (opened-before)>>10, (heap()-before)>>10)
	if took > 5*time.Second {
		t.Errorf("opening took %v", took)
	}
	if used := heap() - before; used > 64<<20 {
		t.Errorf("using all collections takes %d MiB of heap", used>>20)
	}
	names, err := db.List(bg, "org_00")
	if err != nil || len(names) != n-1 || !slices.IsSorted(names) {
		t.Errorf("listed %d names, %v", len(names), err)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// largeIndexDocs are too many for one batch of an index on a.
func largeIndexDocs(t *testing.T, c docdb.Collection) {
	t.Helper()
	docs := make([]bson.Raw, 2*store.MaxBatch/1800)
	for i := range docs {
		docs[i] = doc("_id", i, "a", fmt.Sprint(longText[:1800], i))
	}
	if _, err := c.InsertMany(bg, docs); err != nil {
		t.Fatal(err)
	}
}

func TestAnIndexThatIsNotFinishedLeavesNothing(t *testing.T) {
	mem := vfs.NewCrashableMem()
	e := openMem(t, mem)
	c := newCollection(t, e)
	largeIndexDocs(t, c)
	err := c.CreateIndex(bg, docdb.Index{Name: "x", Keys: []docdb.Key{{Path: "a"}}, Unique: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropIndex(bg, "x"); err != nil {
		t.Fatal(err)
	}
	checkConsistent(t, e)

	// A violation at the very end.
	mustInsert(t, c, doc("_id", "z", "a", fmt.Sprint(longText[:1800], 0)))
	if err := c.CreateIndex(bg, docdb.Index{Name: "x", Keys: keyOn("a"), Unique: true}); !errors.Is(err, docdb.ErrDuplicate) {
		t.Fatal(err)
	}
	checkConsistent(t, e)

	// A crash in the middle.
	co := c.(collection).coll(t)
	b := e.newBuilder(co.State.Load(), docdb.Index{Name: "y", Keys: keyOn("a")})
	b.newBatch()
	if err := b.addAll(bg); err != nil || !b.spilled {
		t.Fatal(err, b.spilled)
	}
	if err := e.store.Sync(); err != nil {
		t.Fatal(err)
	}
	e = openMem(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	scanKeys(t, e.store.DB, []byte{keys.SpaceBuilding}, func(key, _ []byte) { t.Errorf("an index is still marked as being built: %x", key) })
	checkConsistent(t, e)
	c = e.Database("db").Collection("c")
	if list, err := c.Indexes(bg); err != nil || len(list) != 0 {
		t.Errorf("the indexes are %v, %v", list, err)
	}
	mustIndex(t, c, docdb.Index{Name: "y", Keys: keyOn("a")})
	checkConsistent(t, e)
}

package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
)

// A brokenDisk is a file system on which what fails reports fails, while it is broken.
type brokenDisk struct {
	vfs.FS
	broken atomic.Bool
	avail  atomic.Uint64
}

func newBrokenDisk(failure error, fails func(errorfs.Op) bool) *brokenDisk {
	d := &brokenDisk{}
	d.avail.Store(1 << 40)
	d.FS = errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if d.broken.Load() && fails(op) {
			return failure
		}
		return nil
	}))
	return d
}

func (d *brokenDisk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return reuse(d.FS, oldname, newname, category)
}

// reuse makes a file anew where one might be used again: errorfs does not look at what is
// done to that, and two locks in a row of MemFS's may wait for a CrashClone between them.
func reuse(fs vfs.FS, oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, category)
}

func (d *brokenDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.avail.Load(), TotalBytes: 1 << 40}, nil
}

func fileSyncs(suffix string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool { return isSync(op.Kind) && strings.HasSuffix(op.Path, suffix) }
}

func fileWrites(suffix string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		return (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt) && strings.HasSuffix(op.Path, suffix)
	}
}

// checkRefusesAll asks that an engine that has failed answers nothing but that.
func checkRefusesAll(t *testing.T, e *Engine, c docdb.Collection) {
	t.Helper()
	_, findErr := firstOf(c)
	_, getErr := c.Get(bg, docdb.StringID("before"))
	_, countErr := c.Count(bg, docdb.Filter{})
	_, listErr := e.Database("db").List(bg, "")
	for what, err := range map[string]error{
		"Insert": c.Insert(bg, doc("_id", "later")), "Delete": c.Delete(bg, docdb.StringID("before"), docdb.Filter{}),
		"Get": getErr, "Find": findErr, "Count": countErr, "List": listErr, "Ping": e.Ping(bg), "Drop": e.Database("db").Drop(bg, "c"),
	} {
		if !errors.Is(err, docdb.ErrUnavailable) {
			t.Errorf("%s answers %v", what, err)
		}
	}
	select {
	case <-e.Failed():
	default:
		t.Error("Failed is not closed")
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	select {
	case err := <-closed:
		if !errors.Is(err, docdb.ErrUnavailable) {
			t.Errorf("Close answers %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Close hangs")
	}
}

func firstOf(c docdb.Collection) ([]byte, error) {
	for d, err := range c.Find(bg, docdb.Query{}) {
		return d, err
	}
	return nil, nil
}

// TestAFailedLogIsNeverAcknowledged breaks the log under writers. None that
// ends after that may succeed, and all must end.
func TestAFailedLogIsNeverAcknowledged(t *testing.T) {
	for name, fails := range map[string]func(errorfs.Op) bool{
		"sync fails":  fileSyncs(".log"),
		"write fails": fileWrites(".log"),
	} {
		t.Run(name, func(t *testing.T) {
			disk := newBrokenDisk(syscall.EIO, fails)
			e := openMem(t, disk)
			c := newCollection(t, e)
			mustInsert(t, c, doc("_id", "before"))
			var wg sync.WaitGroup
			for w := range 16 {
				wg.Go(func() {
					for i := 0; ; i++ {
						wasBroken := disk.broken.Load()
						// Large enough for Pebble to panic now and then, as it does when
						// it finds the log broken before it waits for the sync.
						err := c.Insert(bg, doc("_id", fmt.Sprint(w, "-", i), "pad", longText[:2000], "more", longText, "most", longText))
						if err == nil && !wasBroken {
							continue
						}
						if errors.Is(err, docdb.ErrOutcomeUnknown) == errors.Is(err, docdb.ErrUnavailable) {
							t.Errorf("a write to a broken log answers %v", err)
						}
						return
					}
				})
			}
			time.Sleep(20 * time.Millisecond)
			disk.broken.Store(true)
			wg.Wait()
			disk.broken.Store(false) // a sync that succeeds later proves nothing
			checkRefusesAll(t, e, c)
		})
	}
}

func TestAFailedManifestEndsTheEngine(t *testing.T) {
	disk := newBrokenDisk(syscall.EIO, func(op errorfs.Op) bool {
		return isSync(op.Kind) && strings.Contains(op.Path, "MANIFEST")
	})
	e := openMem(t, disk)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "before"))
	disk.broken.Store(true)
	go e.store.DB.Flush() // never returns
	<-e.Failed()
	checkRefusesAll(t, e, c)
}

// TestAFullDiskRefusesWritesWhileItLasts fills the disk for tables, not for the log.
func TestAFullDiskRefusesWritesWhileItLasts(t *testing.T) {
	disk := newBrokenDisk(syscall.ENOSPC, func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") })
	e := openMem(t, disk)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "before"))
	disk.broken.Store(true)
	if _, err := e.store.DB.AsyncFlush(); err != nil {
		t.Fatal(err)
	}
	await(t, "writes are refused", func() bool { return e.store.Health.Writable(true) != nil })
	if err := c.Insert(bg, doc("_id", "later")); !errors.Is(err, docdb.ErrUnavailable) {
		t.Errorf("Insert answers %v", err)
	}
	if _, err := c.Get(bg, docdb.StringID("before")); err != nil {
		t.Errorf("Get answers %v", err)
	}
	if _, err := firstOf(c); err != nil {
		t.Errorf("Find answers %v", err)
	}
	disk.broken.Store(false)
	await(t, "writes are accepted again", func() bool { return e.store.Health.Writable(false) == nil })
	mustInsert(t, c, doc("_id", "later"))
}

// TestAnEngineIsNotOpenedOnABrokenDisk has a log to replay, which means to write
// tables. Open must tell rather than try forever.
func TestAnEngineIsNotOpenedOnABrokenDisk(t *testing.T) {
	for name, fails := range map[string]func(errorfs.Op) bool{
		"tables":   func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") },
		"manifest": func(op errorfs.Op) bool { return isSync(op.Kind) && strings.Contains(op.Path, "MANIFEST") },
		"log":      func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".log") },
	} {
		t.Run(name, func(t *testing.T) {
			disk := newBrokenDisk(syscall.ENOSPC, fails)
			e := openMem(t, disk)
			mustInsert(t, newCollection(t, e), doc("_id", "before"))
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			disk.broken.Store(true)
			e, err := Open(Config{Dir: "data", FS: disk})
			if !errors.Is(err, syscall.ENOSPC) && (err == nil || !strings.Contains(err.Error(), "no space left")) {
				t.Errorf("Open answers %v, %v", e, err)
			}
		})
	}
}

func TestLittleSpaceRefusesWhatTakesRoom(t *testing.T) {
	disk := newBrokenDisk(nil, func(errorfs.Op) bool { return false })
	e := open(t, Config{Dir: "data", FS: disk, MinFreeBytes: 1 << 30})
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "a"), doc("_id", "b"))
	disk.avail.Store(1<<30 - 1)
	e.store.Tend()
	if err := c.Insert(bg, doc("_id", "c")); !errors.Is(err, docdb.ErrNoSpace) {
		t.Errorf("Insert answers %v", err)
	}
	if _, err := c.InsertMany(bg, nil); err != nil {
		t.Errorf("InsertMany of nothing answers %v", err)
	}
	if err := c.Delete(bg, docdb.StringID("a"), docdb.Filter{}); err != nil {
		t.Errorf("Delete answers %v", err)
	}
	if err := e.Database("db").Drop(bg, "c"); err != nil {
		t.Errorf("Drop answers %v", err)
	}
	disk.avail.Store(1 << 31)
	newCollection(t, e)
}

// coll returns what the process knows of the collection; it is not released.
func (c collection) coll(t testing.TB) *catalog.Collection {
	co, err := c.e.catalog.Acquire(c.name)
	if err != nil {
		t.Fatal(err)
	}
	return co
}

func checkThere(t *testing.T, fs vfs.FS, ids ...string) {
	t.Helper()
	e := openMem(t, fs)
	for _, id := range ids {
		if _, err := e.Database("db").Collection("c").Get(bg, docdb.StringID(id)); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

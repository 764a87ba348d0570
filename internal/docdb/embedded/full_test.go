package embedded

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb"
)

// A smallDisk is full from some write, or some byte, on, until room is made. What does not
// fit into a file is cut off, as it is on a disk.
type smallDisk struct {
	vfs.FS
	mu     sync.Mutex
	writes int // so many more go well; < 0: all
	seen   int
	hit    bool
}

func (d *smallDisk) fillAfter(writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes, d.hit = writes, false
}

// takes counts a write, and reports whether it finds room.
func (d *smallDisk) takes() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen++
	if d.writes == 0 {
		d.hit = true
		return false
	}
	d.writes--
	return true
}

func (d *smallDisk) wasHit() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

func (d *smallDisk) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return smallFile{f, d}, nil
}

func (d *smallDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !d.takes() {
		return nil, &vfsError{"create", name}
	}
	return d.file(d.FS.Create(name, category))
}

func (d *smallDisk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !d.takes() {
		return nil, &vfsError{"rename", newname}
	}
	return d.file(reuse(d.FS, oldname, newname, category))
}

// A vfsError is as os.PathError.
type vfsError struct{ op, path string }

func (e *vfsError) Error() string { return e.op + " " + e.path + ": no space left on device" }
func (e *vfsError) Unwrap() error { return syscall.ENOSPC }

type smallFile struct {
	vfs.File
	d *smallDisk
}

func (f smallFile) Write(p []byte) (int, error) {
	if f.d.takes() {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:len(p)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

// openSmall opens an engine that writes much to tables, and does not wait long for room.
func openSmall(disk *smallDisk) (*Engine, error) {
	e, err := Open(Config{Dir: "data", FS: disk, MinFreeBytes: -1, MemTableBytes: 32 << 10})
	if err == nil {
		e.store.Health.FullPause = time.Millisecond
	}
	return e, err
}

// A ledger knows which documents must be there, and which may be.
type ledger struct {
	t     *testing.T
	c     docdb.Collection
	known map[string]int // what was acknowledged of each; 0: that it is not there
}

// work writes, replaces and deletes documents. What is refused for want of room it
// tries again.
func (l *ledger) work() {
	pad := strings.Repeat("text that can't be said in less ", 30)
	for i := range 60 {
		id, old := name("doc", i%25), l.known[name("doc", i%25)]
		next := i + 1
		l.insist(func() error {
			switch {
			case old == 0:
				return l.c.Insert(bg, doc("_id", id, "v", next, "pad", pad[:i*13]))
			case i%3 == 0:
				next = 0
				return l.c.Delete(bg, docdb.StringID(id), docdb.Eq("v", old))
			}
			return l.c.Replace(bg, docdb.StringID(id), docdb.Eq("v", old), doc("_id", id, "v", next, "pad", pad[i*7:]))
		})
		l.known[id] = next
	}
	l.insist(func() error {
		return l.c.CreateIndex(bg, docdb.Index{Name: "pad", Keys: keyOn("pad")})
	})
}

func (l *ledger) insist(do func() error) {
	err := do()
	for deadline := time.Now().Add(20 * time.Second); errors.Is(err, docdb.ErrNoSpace) && time.Now().Before(deadline); err = do() {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		l.t.Error(err)
	}
}

func (l *ledger) check(e *Engine) {
	l.t.Helper()
	checkConsistent(l.t, e)
	for id, want := range l.known {
		d, err := e.Database("db").Collection("c").Get(bg, docdb.StringID(id))
		got := 0
		if err == nil {
			got = int(d.Lookup("v").AsInt64())
		} else if !errors.Is(err, docdb.ErrNotFound) {
			l.t.Error(err)
		}
		if got != want {
			l.t.Errorf("%s is %d, not %d", id, got, want)
		}
	}
}

// TestAFullDiskLosesNothing fills the disk at one write of a workload after another, to
// whatever file it goes. Reads go on, nothing ends, and when there is room all goes on.
func TestAFullDiskLosesNothing(t *testing.T) {
	total := fillAt(t, -1)
	step := max(1, total/60)
	for at := 0; at < total; at += step {
		t.Run(fmt.Sprint("write ", at), func(t *testing.T) { fillAt(t, at) })
		if t.Failed() {
			return
		}
	}
	t.Logf("%d writes", total)
}

// fillAt fills the disk at one write of the workload, and returns how many there are.
func fillAt(t *testing.T, at int) int {
	mem := vfs.NewCrashableMem()
	disk := &smallDisk{FS: mem, writes: -1}
	e, err := openSmall(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	anchor := e.Database("db").Collection("anchor")
	if err := e.Database("db").Create(bg, "anchor"); err != nil {
		t.Fatal(err)
	}
	mustInsert(t, anchor, doc("_id", "a"))
	l := &ledger{t: t, c: newCollection(t, e), known: map[string]int{}}
	disk.seen = 0
	disk.fillAfter(at)
	worked := make(chan struct{})
	go func() { defer close(worked); l.work() }()
	ended := func() bool { return isClosed(worked) }
	await(t, "the disk is full", func() bool { return ended() || disk.wasHit() && errors.Is(e.Writable(), docdb.ErrNoSpace) })
	if !ended() {
		checkReadsGoOn(t, e, anchor)
	}
	disk.fillAfter(-1)
	<-worked
	l.insist(func() error { return anchor.Insert(bg, doc("_id", "later")) }) // tables may be late to find room
	l.check(e)
	crashed, err := Open(Config{Dir: "data", FS: mem.CrashClone(vfs.CrashCloneCfg{}), MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer crashed.Close()
	l.check(crashed)
	return disk.seen
}

func checkReadsGoOn(t *testing.T, e *Engine, anchor docdb.Collection) {
	t.Helper()
	if _, err := anchor.Get(bg, docdb.StringID("a")); err != nil {
		t.Errorf("Get answers %v", err)
	}
	if n, err := anchor.Count(bg, docdb.Filter{}); n != 1 || err != nil {
		t.Errorf("Count answers %d, %v", n, err)
	}
	if err := e.Ping(bg); err != nil {
		t.Errorf("Ping answers %v", err)
	}
	if err := anchor.Insert(bg, doc("_id", "refused")); !errors.Is(err, docdb.ErrNoSpace) || !docdb.NothingDone(err) {
		t.Errorf("Insert answers %v", err)
	}
	select {
	case <-e.Failed():
		t.Error("the engine has failed")
	default:
	}
}

// TestAStartOnAFullDiskFailsCleanly fills the disk at each write of a start that has a log
// to read.
func TestAStartOnAFullDiskFailsCleanly(t *testing.T) {
	mem := vfs.NewCrashableMem()
	e := openMem(t, mem)
	l := &ledger{t: t, c: newCollection(t, e), known: map[string]int{}}
	l.work()
	failed := 0
	for at := range 100 {
		disk := &smallDisk{FS: mem.CrashClone(vfs.CrashCloneCfg{}), writes: at}
		e, err := Open(Config{Dir: "data", FS: disk, MinFreeBytes: -1})
		switch {
		case err == nil && !disk.wasHit():
			t.Logf("a start takes %d writes", at)
			if failed == 0 {
				t.Error("no start has failed")
			}
			l.check(e)
			_ = e.Close()
			return
		case err == nil: // it was hit when it was open
		case !noRoom(err) && !strings.Contains(err.Error(), "no space left"):
			t.Errorf("write %d: Open answers %v", at, err)
		default:
			failed++
		}
		if e != nil {
			_ = e.Close()
		}
		if disk.fillAfter(-1); err != nil {
			if e, err = openSmall(&smallDisk{FS: disk.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), writes: -1}); err != nil {
				t.Fatalf("write %d: with room Open answers %v", at, err)
			}
			l.check(e)
			_ = e.Close()
		}
	}
	t.Error("a start takes more writes than there are")
}

// TestCloseDoesNotWaitForRoom closes an engine whose log waits for it.
func TestCloseDoesNotWaitForRoom(t *testing.T) {
	mem := vfs.NewCrashableMem()
	disk := &smallDisk{FS: mem, writes: -1}
	e, err := openSmall(disk)
	if err != nil {
		t.Fatal(err)
	}
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "before"))
	disk.fillAfter(0)
	written := make(chan error, 1)
	go func() { written <- c.Insert(bg, doc("_id", "under way")) }()
	await(t, "the log waits", func() bool { return errors.Is(e.Writable(), docdb.ErrNoSpace) })
	if err := e.Close(); !errors.Is(err, docdb.ErrUnavailable) {
		t.Errorf("Close answers %v", err)
	}
	if err := <-written; !errors.Is(err, docdb.ErrOutcomeUnknown) {
		t.Errorf("the write answers %v", err)
	}
	checkThere(t, mem.CrashClone(vfs.CrashCloneCfg{}), "before")
}

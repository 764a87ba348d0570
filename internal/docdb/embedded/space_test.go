package embedded

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/disk"
)

// TestABatchIsHeldAgainstTheFreeSpace has room for a MiB above what is to be kept free,
// and looks at the disk no more.
func TestABatchIsHeldAgainstTheFreeSpace(t *testing.T) {
	const minFree, above = 64 << 20, 1 << 20
	disk := newBrokenDisk(nil, func(errorfs.Op) bool { return false })
	e := open(t, Config{Dir: "data", FS: disk, MinFreeBytes: minFree})
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "small"))
	disk.avail.Store(minFree + above)
	e.store.Tend()
	large := doc("_id", "large", "pad", strings.Repeat("x", above/2))
	if err := c.Insert(bg, large); !errors.Is(err, docdb.ErrNoSpace) || !docdb.NothingDone(err) {
		t.Errorf("Insert of what comes to take more than there is answers %v", err)
	}
	if _, err := c.InsertMany(bg, []bson.Raw{large}); !errors.Is(err, docdb.ErrNoSpace) {
		t.Errorf("InsertMany answers %v", err)
	}
	if err := e.Writable(); err != nil {
		t.Errorf("small writes are refused: %v", err)
	}
	// All of them are promised what is free at one look: none of it is given twice.
	promised := int64(0)
	for {
		cost, err := e.store.Health.Space.Promise(16<<10, false)
		if err != nil {
			break
		}
		promised += cost
	}
	if promised < above-64<<10 || promised > above {
		t.Errorf("%d bytes are promised of %d", promised, above)
	}
	if err := e.Writable(); err != nil {
		t.Errorf("what is promised and not written makes the disk full: %v", err)
	}
	e.store.Health.Space.Written(promised)
	if err := c.Insert(bg, doc("_id", "next", "pad", strings.Repeat("x", 16<<10))); err != nil {
		t.Error(err)
	}
}

// A ballastDisk is full until the ballast is removed, and holds so many writes then.
type ballastDisk struct {
	*smallDisk
	avail atomic.Uint64
}

func (d *ballastDisk) Remove(name string) error {
	if d.PathBase(name) == disk.BallastFile {
		d.fillAfter(1000)
		d.avail.Store(32 << 20)
	}
	return d.smallDisk.Remove(name)
}

func (d *ballastDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.avail.Load()}, nil
}

// TestTheBallastServesDeletionsAndAStart fills the disk but for the ballast.
func TestTheBallastServesDeletionsAndAStart(t *testing.T) {
	mem := vfs.NewCrashableMem()
	disk := &ballastDisk{smallDisk: &smallDisk{FS: mem, writes: -1}}
	disk.avail.Store(1 << 40)
	config := Config{Dir: "data", FS: disk, MinFreeBytes: 128 << 20}
	e := open(t, config)
	c := newCollection(t, e)
	mustInsert(t, c, doc("_id", "a"), doc("_id", "b"), doc("_id", "c"))
	e.store.Tend()
	if e.store.Health.Space.Ballast.Size() != 32<<20 {
		t.Fatal("there is no ballast")
	}
	disk.fillAfter(0)
	disk.avail.Store(0)
	e.store.Tend()
	if err := c.Insert(bg, doc("_id", "d")); !errors.Is(err, docdb.ErrNoSpace) {
		t.Errorf("Insert answers %v", err)
	}
	if err := c.Delete(bg, docdb.StringID("a"), docdb.Filter{}); err != nil {
		t.Errorf("Delete answers %v", err)
	}
	if e.store.Health.Space.Ballast.Size() != 0 {
		t.Error("the ballast is there still")
	}
	if err := c.Insert(bg, doc("_id", "d")); !errors.Is(err, docdb.ErrNoSpace) {
		t.Errorf("Insert into what the ballast has left answers %v", err)
	}
	disk.fillAfter(-1)
	disk.avail.Store(1 << 40)
	mustInsert(t, c, doc("_id", "d"))
	e.store.Tend() // makes it again
	if e.store.Health.Space.Ballast.Size() == 0 {
		t.Fatal("there is no ballast again")
	}

	config.FS = &ballastDisk{smallDisk: &smallDisk{FS: mem.CrashClone(vfs.CrashCloneCfg{})}}
	e = open(t, config)
	c = e.Database("db").Collection("c")
	if err := c.Delete(bg, docdb.StringID("b"), docdb.Filter{}); err != nil {
		t.Errorf("on a full disk Delete answers %v", err)
	}
	if _, err := c.Get(bg, docdb.StringID("c")); err != nil {
		t.Errorf("on a full disk Get answers %v", err)
	}
	if err := e.Writable(); !errors.Is(err, docdb.ErrNoSpace) {
		t.Errorf("on a full disk Writable answers %v", err)
	}
}

// TestAQuotaOfTheDiskIsAFullDisk too.
func TestAQuotaOfTheDiskIsAFullDisk(t *testing.T) {
	for _, err := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		if !noRoom(errors.Join(errors.New("write"), err)) {
			t.Error(err)
		}
	}
}

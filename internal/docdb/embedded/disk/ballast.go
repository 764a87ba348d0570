package disk

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

const (
	BallastFile = "BALLAST"
	// ballastPart is the part of the free space to keep that the ballast has besides.
	ballastPart = 4
)

// Ballast is a file that takes room for nothing, and is removed when the disk is full: so
// the log and the tables of what is under way, a start, and the deletions with which
// clients make room, need not wait for room. It is made again when there is
// plenty of room.
type Ballast struct {
	fs    vfs.FS
	dir   string
	log   *slog.Logger
	bytes int64 // 0: there is none

	mu   sync.Mutex // of making and removing it
	have atomic.Bool
}

func newBallast(d *journal.Directory, bytes int64) Ballast {
	return Ballast{fs: d.FS, dir: d.Dir, log: d.Logger, bytes: bytes}
}

func (b *Ballast) path() string { return b.fs.PathJoin(b.dir, BallastFile) }

// Find looks whether there is one from before, and removes one that was not finished.
func (b *Ballast) Find() {
	_ = b.fs.Remove(journal.Unfinished(b.path()))
	_, err := b.fs.Stat(b.path())
	b.have.Store(err == nil)
}

// Size is how much room letting it go makes.
func (b *Ballast) Size() int64 {
	if b.have.Load() {
		return b.bytes
	}
	return 0
}

// release removes it, and reports whether it was there.
func (b *Ballast) release() bool {
	if !b.have.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.have.Load() {
		return true // another has just done it
	}
	err := b.fs.Remove(b.path())
	b.have.Store(false)
	b.log.Error("the disk is full: the storage lives on what it has put by, and refuses writes until there is room",
		"dir", b.dir, "bytes", b.bytes)
	return err == nil
}

// make makes it; a file of that name is always whole.
func (b *Ballast) make() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := journal.ReplaceFile(b.fs, b.path(), b.fill); err != nil {
		return errors.Join(err, b.fs.Remove(journal.Unfinished(b.path())))
	}
	b.have.Store(true)
	return journal.SyncDir(b.fs, b.dir)
}

// fill takes the room; not every file system can without that it is written.
func (b *Ballast) fill(f vfs.File) error {
	if err := f.Preallocate(0, b.bytes); err == nil || IsFull(err) {
		return err
	}
	block := make([]byte, 1<<20)
	for left := b.bytes; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return err
		}
	}
	return nil
}

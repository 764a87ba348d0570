package disk

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardedFS ends the engine where Pebble would end the process: when the log, the
// manifest or a directory cannot be written or synced. Pebble never gets to see
// such an error. It would panic, at times while it unlocks, which no one can
// catch. Its goroutine stays where it is instead, and with it those that wait for
// it, the callers of which are answered by Engine.commit.
//
// A full disk is no such failure: a write that found no room has written so many bytes and no
// more, and can go on from there. On these files it waits until there is room, and what
// Pebble has begun goes on as if nothing had been. Tables Pebble writes anew. Only a sync
// that fails, for whatever reason, leaves open what is on the disk.
type guardedFS struct {
	vfs.FS
	h *Health
}

// Guard returns the file system, guarded.
func (h *Health) Guard(fs vfs.FS) vfs.FS { return guardedFS{fs, h} }

// guards reports whether Pebble can't go on without a file. What fails on tables
// it tries again.
func (g guardedFS) guards(name string) bool {
	base := g.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// open calls do, which opens a file to write it.
func (g guardedFS) open(name string, do func() (vfs.File, error)) (f vfs.File, err error) {
	vital := g.guards(name)
	err = g.h.withRoom(vital, func() error {
		f, err = do()
		return err
	})
	if err != nil && vital {
		return nil, g.h.broken(name, err)
	}
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, h: g.h, name: name, vital: vital}, nil
}

func (g guardedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

func (g guardedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(newname, func() (vfs.File, error) { return g.FS.ReuseForWrite(oldname, newname, category) })
}

func (g guardedFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedFile{File: f, h: g.h, name: name, vital: true}, nil
}

// Unwrap implements vfs.FS.
func (g guardedFS) Unwrap() vfs.FS { return g.FS }

// A guardedFile is a file that is written, or a directory.
type guardedFile struct {
	vfs.File
	h     *Health
	name  string
	vital bool // Pebble can't go on without it

	written atomic.Int64
}

func (f *guardedFile) check(err error) error {
	if err != nil && f.vital {
		return f.h.broken(f.name, err)
	}
	return err
}

func (f *guardedFile) Write(p []byte) (n int, err error) {
	err = f.h.withRoom(f.vital, func() error {
		written, err := f.File.Write(p[n:])
		n += written
		return err
	})
	f.written.Add(int64(n))
	return n, f.check(err)
}

func (f *guardedFile) Sync() error { return f.synced(f.File.Sync) }

func (f *guardedFile) SyncData() error { return f.synced(f.File.SyncData) }

// synced syncs the file, and notes what was written before.
func (f *guardedFile) synced(sync func() error) error {
	written := f.written.Load()
	err := sync()
	if err == nil && f.vital {
		f.h.Marker.Synced(f.name, written)
	}
	return f.check(err)
}

func (f *guardedFile) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.check(err)
}

func (f *guardedFile) Close() error { return f.check(f.File.Close()) }

// IsFull reports whether there was no room for a write.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// fullPause is how long a write waits on a full disk before it is tried again.
const fullPause = 100 * time.Millisecond

// withRoom calls do again while there is no room for it: for ever where Pebble can't go on
// without it, and else once, since Pebble tries again for itself, without a pause.
func (h *Health) withRoom(vital bool, do func() error) error {
	err := do()
	if !IsFull(err) {
		return err
	}
	waits := vital && !h.Lenient.Load()
	if waits {
		h.stalled.Add(1)
		defer h.stalled.Add(-1)
	}
	for again := true; again && IsFull(err); again = waits && !h.ended() {
		if !h.Space.Ballast.release() {
			h.pause()
		}
		err = do()
	}
	if IsFull(err) && h.Opening.Load() {
		// Of an Open that fails half-way Pebble leaves goroutines behind that panic.
		h.Fail(err)
		select {}
	}
	return err
}

// pause ends early when the engine does.
func (h *Health) pause() {
	timer := time.NewTimer(h.FullPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.Failed:
	case <-h.Stopping:
	}
}

// ended reports whether writes no longer wait for room.
func (h *Health) ended() bool {
	select {
	case <-h.Failed:
		return true
	case <-h.Stopping:
		return true
	default:
		return false
	}
}

// broken ends the engine and does not return, except while it is opened or closed:
// there Pebble returns most errors.
func (h *Health) broken(name string, err error) error {
	if h.Lenient.Load() {
		return err
	}
	h.Fail(fmt.Errorf("writing %s: %w", name, err))
	select {}
}

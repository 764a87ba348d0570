package embedded

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardedFS ends the engine where Pebble would end the process: when the log, the
// manifest or a directory cannot be written or synced. Pebble never gets to see
// such an error. It would panic, at times while it unlocks, which no one can
// catch. Its goroutine stays where it is instead, and with it those that wait for
// it, the callers of which are answered by Engine.commit.
type guardedFS struct {
	vfs.FS
	h *health
}

// guards reports whether Pebble can't go on without a file. What fails on tables
// it tries again.
func (g guardedFS) guards(name string) bool {
	base := g.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.")
}

// file wraps what opening a file has returned.
func (g guardedFS) file(name string, f vfs.File, err error) (vfs.File, error) {
	if !g.guards(name) {
		return f, err
	}
	if err != nil {
		return nil, g.h.broken(name, err)
	}
	return guardedFile{f, g.h, name}, nil
}

func (g guardedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, category)
	return g.file(name, f, err)
}

func (g guardedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	return g.file(newname, f, err)
}

func (g guardedFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guardedFile{f, g.h, name}, nil
}

// Unwrap implements vfs.FS.
func (g guardedFS) Unwrap() vfs.FS { return g.FS }

// A guardedFile is a file or directory that Pebble can't go on without.
type guardedFile struct {
	vfs.File
	h    *health
	name string
}

func (f guardedFile) check(err error) error {
	if err != nil {
		return f.h.broken(f.name, err)
	}
	return nil
}

func (f guardedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.check(err)
}

func (f guardedFile) Preallocate(offset, length int64) error {
	return f.check(f.File.Preallocate(offset, length))
}

func (f guardedFile) Sync() error { return f.check(f.File.Sync()) }

func (f guardedFile) SyncData() error { return f.check(f.File.SyncData()) }

func (f guardedFile) SyncTo(length int64) (fullSync bool, err error) {
	fullSync, err = f.File.SyncTo(length)
	return fullSync, f.check(err)
}

func (f guardedFile) Close() error { return f.check(f.File.Close()) }

// broken ends the engine and does not return, except while it is opened or closed:
// there Pebble returns most errors.
func (h *health) broken(name string, err error) error {
	if h.lenient.Load() {
		return err
	}
	h.fail(fmt.Errorf("writing %s: %w", name, err))
	select {}
}

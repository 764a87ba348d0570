package journal

import (
	"bytes"
	"errors"
	"io"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Directory is where an engine's files are.
type Directory struct {
	FS     vfs.FS
	Dir    string
	Logger *slog.Logger
	// MinFree is the free space that a write has to leave, in bytes; 0 or less: there is no limit.
	MinFree int64
	// AcceptLoss ends logs where they can be read to: see Config.AcceptLoss of the engine.
	AcceptLoss bool
}

// ReadFile reads a short file.
func (d *Directory) ReadFile(name string) (string, error) {
	f, err := d.FS.Open(d.FS.PathJoin(d.Dir, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	const enough = 256 // for any format's line
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(f, enough))
	return b.String(), err
}

// SyncDir has the names in a directory on disk.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Unfinished is what a file is called until ReplaceFile has finished it.
func Unfinished(path string) string { return path + ".new" }

// ReplaceFile puts a file that is whole, and on disk, in the place of another or of none. Its
// name is on disk when the directory has been synced.
func ReplaceFile(fs vfs.FS, path string, fill func(vfs.File) error) error {
	f, err := fs.Create(Unfinished(path), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(Unfinished(path), path)
}

package embedded

import (
	"bytes"
	"errors"
	"io"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A directory is where an engine's files are.
type directory struct {
	fs     vfs.FS
	dir    string
	logger *slog.Logger
	// minFree is the free space that a write has to leave, in bytes; 0 or less: there is no limit.
	minFree int64
	// acceptLoss ends logs where they can be read to: see Config.AcceptLoss.
	acceptLoss bool
}

// readFile reads a short file.
func (d *directory) readFile(name string) (string, error) {
	f, err := d.fs.Open(d.fs.PathJoin(d.dir, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	const enough = 256 // for any format's line
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(f, enough))
	return b.String(), err
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// unfinished is what a file is called until replaceFile has finished it.
func unfinished(path string) string { return path + ".new" }

// replaceFile puts a file that is whole, and on disk, in the place of another or of none. Its
// name is on disk when the directory has been synced.
func replaceFile(fs vfs.FS, path string, fill func(vfs.File) error) error {
	f, err := fs.Create(unfinished(path), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(unfinished(path), path)
}

package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// DamagedDir is where the logs are put that end earlier, or are not read, after AcceptLoss.
const DamagedDir = "damaged"

// loss is ErrLost; if it is accepted, the first of the logs ends where it is damaged, and
// the others, which go on from what is lost, are put aside: what is there then is what was
// there at one moment. It can be repeated after a crash.
func (j *journal) loss(what string, logs []uint64) error {
	if !j.d.AcceptLoss {
		return fmt.Errorf("%w: %s; restore the directory from a backup, or accept the loss of what cannot be read", ErrLost, what)
	}
	dir, aside := j.d.Dir, j.d.FS.PathJoin(j.d.Dir, DamagedDir)
	j.d.Logger.Warn("acknowledged writes are lost, as was accepted", "reason", what, "put_aside", aside)
	if err := j.d.FS.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	for i, number := range slices.Backward(logs) {
		var err error
		if i > 0 {
			err = j.d.FS.Rename(j.d.FS.PathJoin(dir, logName(number)), j.d.FS.PathJoin(aside, logName(number)))
		} else {
			err = j.cut(aside, number)
		}
		if err != nil {
			return fmt.Errorf("putting %s aside: %w", logName(number), err)
		}
	}
	err := j.d.FS.Remove(j.d.FS.PathJoin(dir, MarkFile)) // the number may come again
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, SyncDir(j.d.FS, aside), SyncDir(j.d.FS, dir))
}

// cut replaces a log by as much of it as can be read.
func (j *journal) cut(aside string, number uint64) error {
	name := logName(number)
	path, kept := j.d.FS.PathJoin(j.d.Dir, name), j.d.FS.PathJoin(aside, name)
	end, err := j.read(name, uint32(number), nil)
	if err != nil {
		return err
	}
	if err := j.copy(path, kept+".cut", end.bytes); err != nil {
		return err
	}
	if err := j.d.FS.Link(path, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return j.d.FS.Rename(kept+".cut", path)
}

// copy writes the first bytes of a file to another, on disk.
func (j *journal) copy(from, to string, bytes int64) error {
	in, err := j.d.FS.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := j.d.FS.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = io.CopyN(out, in, bytes); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// damagedDir is where the logs are put that end earlier, or are not read, after AcceptLoss.
const damagedDir = "damaged"

// loss is ErrLost; if it is accepted, the first of the logs ends where it is damaged, and
// the others, which go on from what is lost, are put aside: what is there then is what was
// there at one moment. It can be repeated after a crash.
func (j *journal) loss(what string, logs []uint64) error {
	if !j.d.acceptLoss {
		return fmt.Errorf("%w: %s; restore the directory from a backup, or accept the loss of what cannot be read", ErrLost, what)
	}
	dir, aside := j.d.dir, j.d.fs.PathJoin(j.d.dir, damagedDir)
	j.d.logger.Warn("acknowledged writes are lost, as was accepted", "reason", what, "put_aside", aside)
	if err := j.d.fs.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	for i, number := range slices.Backward(logs) {
		var err error
		if i > 0 {
			err = j.d.fs.Rename(j.d.fs.PathJoin(dir, logName(number)), j.d.fs.PathJoin(aside, logName(number)))
		} else {
			err = j.cut(aside, number)
		}
		if err != nil {
			return fmt.Errorf("putting %s aside: %w", logName(number), err)
		}
	}
	err := j.d.fs.Remove(j.d.fs.PathJoin(dir, markFile)) // the number may come again
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, syncDir(j.d.fs, aside), syncDir(j.d.fs, dir))
}

// cut replaces a log by as much of it as can be read.
func (j *journal) cut(aside string, number uint64) error {
	name := logName(number)
	path, kept := j.d.fs.PathJoin(j.d.dir, name), j.d.fs.PathJoin(aside, name)
	end, err := j.read(name, uint32(number), nil)
	if err != nil {
		return err
	}
	if err := j.copy(path, kept+".cut", end.bytes); err != nil {
		return err
	}
	if err := j.d.fs.Link(path, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return j.d.fs.Rename(kept+".cut", path)
}

// copy writes the first bytes of a file to another, on disk.
func (j *journal) copy(from, to string, bytes int64) error {
	in, err := j.d.fs.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := j.d.fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err = io.CopyN(out, in, bytes); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

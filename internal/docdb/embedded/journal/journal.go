// Package journal says at a start whether what was acknowledged is still there: it reads Pebble's
// logs and manifest (Directory.CheckJournal) and compares them with the mark of how much had been
// synced (Marker), and ends damaged logs where that is accepted.
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// What Open answers when the disk has lost something. The texts say what, and what to do.
var (
	// ErrDamaged: what was on disk cannot be read any more.
	ErrDamaged = errors.New("embedded: the data is damaged")
	// ErrLost is ErrDamaged where only the newest writes are lost: see Config.AcceptLoss of the engine.
	ErrLost = fmt.Errorf("%w: acknowledged writes are lost", ErrDamaged)
)

// A journal is what there is to read of Pebble's logs and manifest before Pebble opens
// them. Pebble takes what ends too early for what a crash has cut off, and goes on without
// what was acknowledged.
type journal struct {
	d        *Directory
	mark     Mark
	unloaded uint64 // the number of the first log that is not in tables
}

// CheckJournal looks whether the logs and the manifest hold all that was acknowledged:
// ErrDamaged if not. With AcceptLoss a log ends where it can be read to.
func (d *Directory) CheckJournal() error {
	j := &journal{d: d}
	if err := j.readMark(); err != nil {
		return err
	}
	if err := j.readManifest(); err != nil {
		return err
	}
	logs, err := j.logs()
	if err != nil {
		return err
	}
	for i, number := range logs {
		lost, err := j.readLog(number, i == len(logs)-1)
		if err != nil {
			return err
		}
		if lost != "" {
			return j.loss(lost, logs[i:])
		}
	}
	if last := j.mark.Log.number; last > 0 && last >= j.unloaded && !slices.Contains(logs, last) {
		return j.loss(fmt.Sprintf("%s, of which %d bytes were on disk, is missing", logName(last), j.mark.Log.Bytes), nil)
	}
	return nil
}

func (j *journal) readMark() error {
	text, err := j.d.ReadFile(MarkFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // written by a program that knew none, or restored from a backup
	}
	if err != nil {
		return err
	}
	var ok bool
	if j.mark, ok = parseMark(text); !ok {
		j.d.Logger.Warn("the file that says how much must be there is damaged: nothing can be said of the end of the log", "file", MarkFile)
		j.mark = Mark{}
	}
	return nil
}

// readManifest finds out which logs are to be read.
func (j *journal) readManifest() error {
	desc, err := pebble.Peek(j.d.Dir, j.d.FS)
	if err != nil {
		return err
	}
	if !desc.Exists {
		return nil // Pebble says so
	}
	name := j.d.FS.PathBase(desc.ManifestFilename)
	number, _, _ := NumberOf(name)
	end, err := j.read(name, 0, func(edit []byte) {
		if first, ok := unloadedLog(edit); ok {
			j.unloaded = first
		}
	})
	if err != nil {
		return err
	}
	marked := j.mark.manifest
	if number < marked.number || number == marked.number && end.before(marked.Bytes) {
		return fmt.Errorf("%w: %s, the list of what there is, can be read for %d bytes, but %d bytes of MANIFEST-%06d were on disk; restore the directory from a backup",
			ErrDamaged, name, end.bytes, marked.Bytes, marked.number)
	}
	return nil
}

// unloadedLog returns the first log that is not in tables, if an entry of the manifest
// says so, which it does at its beginning.
func unloadedLog(edit []byte) (number uint64, ok bool) {
	const tagComparer, tagLog = 1, 2
	r := bytes.NewReader(edit)
	tag, _ := binary.ReadUvarint(r)
	if tag == tagComparer {
		length, _ := binary.ReadUvarint(r)
		if _, err := r.Seek(int64(length), io.SeekCurrent); err != nil {
			return 0, false
		}
		tag, _ = binary.ReadUvarint(r)
	}
	if tag != tagLog {
		return 0, false
	}
	number, err := binary.ReadUvarint(r)
	return number, err == nil
}

// logs returns the numbers of the logs that are to be read, in their order.
func (j *journal) logs() (logs []uint64, err error) {
	names, err := j.d.FS.List(j.d.Dir)
	for _, name := range names {
		if number, isLog, ok := NumberOf(name); ok && isLog && number >= j.unloaded {
			logs = append(logs, number)
		}
	}
	slices.Sort(logs)
	return logs, err
}

// readLog says what is lost of a log, or nothing.
func (j *journal) readLog(number uint64, last bool) (lost string, err error) {
	end, err := j.read(logName(number), uint32(number), nil)
	if err != nil {
		return "", err
	}
	marked := int64(0)
	if number == j.mark.Log.number {
		marked = j.mark.Log.Bytes
	}
	j.d.Logger.Info("a log is read again", "log", logName(number), "writes", end.records, "ends_at", end.bytes, "known_to_be_on_disk", marked)
	switch {
	case end.damaged:
		return fmt.Sprintf("%s is damaged at byte %d, behind which are writes that were acknowledged later", logName(number), end.bytes), nil
	case end.before(marked):
		return fmt.Sprintf("%s can be read for %d bytes, but %d were on disk", logName(number), end.bytes, marked), nil
	case !last && !end.whole:
		return fmt.Sprintf("%s is damaged at byte %d, and another log follows it", logName(number), end.bytes), nil
	}
	return "", nil
}

func (j *journal) read(name string, number uint32, visit func([]byte)) (ending, error) {
	f, err := j.d.FS.Open(j.d.FS.PathJoin(j.d.Dir, name))
	if err != nil {
		return ending{}, err
	}
	defer f.Close()
	return readChunks(f, number, visit)
}

func logName(number uint64) string { return fmt.Sprintf("%06d.log", number) }

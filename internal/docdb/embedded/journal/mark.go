package journal

import (
	"fmt"
	"hash/crc32"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MarkFile holds how far the newest log and manifest were on disk at the least. Pebble can't
// tell a log that a crash has cut short from one that was damaged, unless something that
// was written much later is whole. The mark can: it is written once what it says has
// been synced, so that it is behind the disk at every moment, and a log that ends before it
// has lost what was acknowledged.
const MarkFile = "MARK"

// A Mark is the newest of Pebble's files of two kinds, and how many of their bytes were
// synced; the zero mark: nothing is known.
type Mark struct{ Log, manifest synced }

// synced is the first bytes of a file, by its number.
type synced struct {
	number uint64
	Bytes  int64
}

// add notes that a file was synced up to there.
func (s *synced) add(number uint64, bytes int64) {
	if number > s.number || number == s.number && bytes > s.Bytes {
		*s = synced{number, bytes}
	}
}

// A Marker knows the mark of an engine, and writes it.
type Marker struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	now   Mark
	Saved Mark
}

// NewMarker returns the marker of an engine in a directory.
func NewMarker(d *Directory) *Marker { return &Marker{fs: d.FS, dir: d.Dir} }

// Synced notes that a file is on disk up to there. It costs a write no I/O.
func (m *Marker) Synced(name string, bytes int64) {
	number, isLog, ok := NumberOf(m.fs.PathBase(name))
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if isLog {
		m.now.Log.add(number, bytes)
	} else {
		m.now.manifest.add(number, bytes)
	}
}

// NumberOf returns the number in the name of a log or a manifest.
func NumberOf(base string) (number uint64, isLog, ok bool) {
	digits, isLog := strings.CutSuffix(base, ".log")
	if !isLog {
		var isManifest bool
		if digits, isManifest = strings.CutPrefix(base, "MANIFEST-"); !isManifest {
			return 0, false, false
		}
	}
	_, err := fmt.Sscanf(digits, "%d", &number)
	return number, isLog, err == nil
}

// Save writes the mark if it is another one than before. Until its name is on disk the
// one before it holds.
func (m *Marker) Save() error {
	m.mu.Lock()
	now, saved := m.now, m.Saved
	m.mu.Unlock()
	if now == saved || now.Log.number == 0 || now.manifest.number == 0 {
		return nil
	}
	path := m.fs.PathJoin(m.dir, MarkFile)
	err := ReplaceFile(m.fs, path, func(f vfs.File) error {
		_, err := f.Write([]byte(now.text()))
		return err
	})
	if err == nil {
		err = SyncDir(m.fs, m.dir)
	}
	if err == nil {
		m.mu.Lock()
		m.Saved = now
		m.mu.Unlock()
	}
	return err
}

func (m Mark) text() string {
	line := fmt.Sprintf("log %d %d manifest %d %d", m.Log.number, m.Log.Bytes, m.manifest.number, m.manifest.Bytes)
	return fmt.Sprintf("%s check %08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}

// parseMark reads a mark; false if it is damaged.
func parseMark(text string) (m Mark, ok bool) {
	var check uint32
	_, err := fmt.Sscanf(text, "log %d %d manifest %d %d check %x",
		&m.Log.number, &m.Log.Bytes, &m.manifest.number, &m.manifest.Bytes, &check)
	return m, err == nil && m.text() == text
}

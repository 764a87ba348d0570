package disk

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

const (
	// spaceInterval is how old a look at the disk may be: others write to it too. A look costs
	// some microseconds.
	spaceInterval = 20 * time.Millisecond
	// writtenTimes is how much of the disk a batch may come to take: in the log, in a table,
	// and in the table that this one is compacted into before it goes.
	writtenTimes = 3
	// reservePart is the part of the free space to keep that even what frees room leaves
	// alone: a log that has to wait for room holds up every write that waits for the log.
	reservePart = 16
)

// Space refuses writes before the disk is full: a refused write can be tried again, and
// one that Pebble has begun can only wait. Every batch is held against the free space at
// the last look less what was promised to batches since, so that no number and no size of
// them passes one look.
type Space struct {
	FS      vfs.FS
	Dir     string
	minFree int64 // 0: there is no limit
	Ballast Ballast
	log     *slog.Logger

	mu       sync.Mutex
	next     time.Time // of the look
	known    bool      // not every file system can tell
	free     int64     // at the last look, less what was promised since
	promised int64     // to batches that are being written
	low      bool      // less than minFree, when it was last said
}

func newSpace(d *journal.Directory) *Space {
	minFree := max(d.MinFree, 0)
	return &Space{FS: d.FS, Dir: d.Dir, minFree: minFree, log: d.Logger, Ballast: newBallast(d, minFree/ballastPart)}
}

// Promise takes the room for a batch; the caller gives back what it returns when the batch
// is written. ErrNoSpace if there is none. What frees room is held to the reserve only.
func (s *Space) Promise(size int, frees bool) (cost int64, err error) {
	if s.minFree == 0 {
		return 0, nil
	}
	cost = int64(size) * writtenTimes
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().After(s.next) || !s.holds(cost, frees) {
		s.look()
	}
	if !s.holds(cost, frees) {
		return 0, fmt.Errorf("%w: a write that may take %d KiB would leave less than %d MiB free in %s",
			docdb.ErrNoSpace, cost>>10, s.least(frees)>>20, s.Dir)
	}
	s.free -= cost
	s.promised += cost
	return cost, nil
}

// Written gives back what was promised. What it has taken shows at the next look.
func (s *Space) Written(cost int64) {
	if cost != 0 {
		s.mu.Lock()
		s.promised -= cost
		s.mu.Unlock()
	}
}

// check reports ErrNoSpace while what takes room is refused, however little it is.
func (s *Space) check(frees bool) error {
	cost, err := s.Promise(0, frees)
	s.Written(cost)
	return err
}

// least is how much has to stay free.
func (s *Space) least(frees bool) int64 {
	if frees {
		return s.minFree / reservePart
	}
	return s.minFree
}

func (s *Space) holds(cost int64, frees bool) bool {
	free := s.free
	if frees {
		free += s.Ballast.Size() // which is let go when it is needed
	}
	return !s.known || free-cost >= s.least(frees)
}

// look asks how much is free. What has been promised and is not written yet is not.
func (s *Space) look() {
	usage, err := s.FS.GetDiskUsage(s.Dir)
	s.known = err == nil
	s.free = int64(min(usage.AvailBytes, 1<<62)) - s.promised
	s.next = time.Now().Add(spaceInterval)
}

// Tend says when writes begin to be refused and when they are taken again, and makes the
// ballast when there is so much room that it takes none from others.
func (s *Space) Tend() error {
	if s.minFree == 0 {
		return nil
	}
	s.mu.Lock()
	was := s.low
	s.look()
	s.low = s.known && s.free < s.minFree
	low, plenty := s.low, s.known && s.free >= s.minFree+s.Ballast.bytes
	s.mu.Unlock()
	switch {
	case low && !was:
		s.log.Error("the disk is nearly full: writes are refused until there is room", "dir", s.Dir, "needed_mib", s.minFree>>20)
	case was && !low:
		s.log.Info("there is room on the disk again: writes are taken", "dir", s.Dir)
	}
	if plenty && s.Ballast.Size() == 0 {
		return s.Ballast.make()
	}
	return nil
}

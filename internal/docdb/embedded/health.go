package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb"
)

// health decides whether the engine may still be believed.
//
// A failed write or sync of the log, or of Pebble's manifest, can't be repaired
// in place: what is in memory may not be on disk, and a second fsync that succeeds
// proves nothing about the first. Pebble would end the process. Here the engine
// ends instead: from that moment nothing is acknowledged, every call (reads too,
// since they might see what is not on disk) answers ErrUnavailable, Ping
// included, and the process has to be restarted, which replays what is on disk.
//
// Failing to write tables in the background (a full disk, mostly) loses nothing:
// reads go on, and writes are refused until it succeeds.
type health struct {
	log    *slog.Logger
	failed chan struct{} // closed when the engine has failed
	once   sync.Once
	cause  error // set before failed is closed

	opening atomic.Bool  // tables that can't be written are an error of Open
	lenient atomic.Bool  // a broken log or manifest is an error of Open or Close
	flush   atomic.Value // of flushState
	logged  atomic.Int64 // when background work last was, in nanoseconds
	space   space
}

// flushState is how the last write of tables in the background went.
type flushState struct{ err error }

func newHealth(log *slog.Logger) *health {
	return &health{log: log, failed: make(chan struct{})}
}

func (h *health) fail(cause error) {
	h.once.Do(func() {
		if !h.opening.Load() { // then it is Open's error
			h.log.Error("document storage has failed and refuses all calls; restart the process", "error", cause.Error())
		}
		h.cause = cause
		close(h.failed)
	})
}

// err is ErrUnavailable once the engine has failed.
func (h *health) err() error {
	select {
	case <-h.failed:
		return fmt.Errorf("%w: storage has failed: %w", docdb.ErrUnavailable, h.cause)
	default:
		return nil
	}
}

// writable is err, and ErrUnavailable while there is no room. What frees room may go on.
func (h *health) writable(frees bool) error {
	if err := h.err(); err != nil {
		return err
	}
	if s, _ := h.flush.Load().(flushState); s.err != nil {
		return fmt.Errorf("%w: writing tables fails: %w", docdb.ErrUnavailable, s.err)
	}
	if !frees {
		return h.space.check()
	}
	return nil
}

// nothingToFlush is how Pebble says that a flush went well and had no keys. It
// does not export the error.
const nothingToFlush = "pebble: empty table"

// flushed notes how a background write ended.
func (h *health) flushed(err error) {
	if err != nil && err.Error() == nothingToFlush {
		err = nil
	}
	was, _ := h.flush.Load().(flushState)
	if err == nil && was.err == nil {
		return
	}
	if h.opening.Load() { // Pebble would go on trying in there
		h.fail(fmt.Errorf("writing tables: %w", err))
	}
	h.flush.Store(flushState{err})
	if err != nil && was.err == nil { // once: Pebble tries again and again
		h.log.Error("writing tables fails; writes are refused until it succeeds", "error", err.Error())
	} else if err == nil {
		h.log.Info("writing tables succeeds again")
	}
}

// space refuses writes before the disk is full, since a log that cannot be
// written takes the engine down and a refused write does not.
type space struct {
	fs      vfs.FS
	dir     string
	minFree uint64
	next    atomic.Int64 // when to look again, as time since start
	low     atomic.Bool
	start   time.Time
}

const spaceInterval = time.Second

func (s *space) check() error {
	if s.minFree == 0 {
		return nil
	}
	now := int64(time.Since(s.start))
	if next := s.next.Load(); now >= next && s.next.CompareAndSwap(next, now+int64(spaceInterval)) {
		usage, err := s.fs.GetDiskUsage(s.dir)
		s.low.Store(err == nil && usage.AvailBytes < s.minFree) // not every file system can tell
	}
	if s.low.Load() {
		return fmt.Errorf("%w: less than %d MiB free in %s", docdb.ErrUnavailable, s.minFree>>20, s.dir)
	}
	return nil
}

// pebbleLogger passes Pebble's log on.
type pebbleLogger struct{ h *health }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.h.log.Debug("pebble: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.h.log.Error("pebble: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Fatalf ends the engine. Pebble does not expect it to return: the goroutine
// holds locks and half-changed state, and stays where it is.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf("%s", strings.TrimSpace(fmt.Sprintf(format, args...)))
	l.h.fail(err)
	select {}
}

// background logs an error of background work, at most one in backgroundInterval.
func (h *health) background(err error) {
	last, now := h.logged.Load(), time.Now().UnixNano()
	if now-last >= int64(backgroundInterval) && h.logged.CompareAndSwap(last, now) {
		h.log.Error("background work in storage fails and is tried again", "error", err.Error())
	}
}

const backgroundInterval = 10 * time.Second

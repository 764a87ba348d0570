package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
// Failing to write tables in the background loses nothing: reads go on, and writes are
// refused until it succeeds. So it is while the disk is full: see guardedFS for what is
// under way then, and space for how it is not to come to that.
type health struct {
	log    *slog.Logger
	failed chan struct{} // closed when the engine has failed
	once   sync.Once
	cause  error // set before failed is closed
	// stopping is closed when Close begins: nobody waits for room on the disk any more.
	stopping  chan struct{}
	fullPause time.Duration

	opening atomic.Bool  // tables that can't be written are an error of Open
	lenient atomic.Bool  // a broken log or manifest is an error of Open or Close
	flush   atomic.Value // of flushState
	logged  atomic.Int64 // when background work last was, in nanoseconds
	stalled atomic.Int64 // writes of the log or the manifest that wait for room
	space   *space
	marker  *marker
}

// flushState is how the last write of tables in the background went.
type flushState struct{ err error }

func newHealth(d *directory) *health {
	return &health{log: d.logger, failed: make(chan struct{}), stopping: make(chan struct{}), fullPause: fullPause,
		space: newSpace(d), marker: newMarker(d)}
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

// writable is err, and ErrNoSpace while there is no room for any write, or ErrUnavailable
// while tables can't be written for another reason. What frees room may go on for longer.
func (h *health) writable(frees bool) error {
	if err := h.flowing(); err != nil {
		return err
	}
	return h.space.check(frees)
}

// admit is writable for a batch of a size, for which it takes the room: see space.promise.
func (h *health) admit(size int, frees bool) (cost int64, err error) {
	if err := h.flowing(); err != nil {
		return 0, err
	}
	return h.space.promise(size, frees)
}

// flowing reports whether what was written before goes on to the disk.
func (h *health) flowing() error {
	if err := h.err(); err != nil {
		return err
	}
	if h.stalled.Load() > 0 {
		return fmt.Errorf("%w: the log waits for room in %s", docdb.ErrNoSpace, h.space.dir)
	}
	s, _ := h.flush.Load().(flushState)
	switch {
	case isFull(s.err):
		return fmt.Errorf("%w: writing tables fails: %w", docdb.ErrNoSpace, s.err)
	case s.err != nil:
		return fmt.Errorf("%w: writing tables fails: %w", docdb.ErrUnavailable, s.err)
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
	// Pebble would go on trying in Open, and while Close waits for a write that waits for this.
	if h.opening.Load() || h.ended() && !h.lenient.Load() {
		h.fail(fmt.Errorf("writing tables: %w", err))
	}
	h.flush.Store(flushState{err})
	if err != nil && was.err == nil { // once: Pebble tries again and again
		h.log.Error("writing tables fails; writes are refused until it succeeds", "error", err.Error())
	} else if err == nil {
		h.log.Info("writing tables succeeds again")
	}
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

// Package disk is what an engine has to know of the disk beneath Pebble while it runs: whether it
// may still be believed (Health), and whether there is room (Space, Ballast).
package disk

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

// Health decides whether the engine may still be believed.
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
// under way then, and Space for how it is not to come to that.
type Health struct {
	Log    *slog.Logger
	Failed chan struct{} // closed when the engine has failed
	once   sync.Once
	Cause  error // set before Failed is closed
	// Stopping is to be closed when Close begins: then no write waits for room on the disk any more.
	Stopping chan struct{}
	// FullPause is how long a write waits on a full disk before it is tried again.
	FullPause time.Duration

	Opening atomic.Bool  // tables that can't be written are an error of Open
	Lenient atomic.Bool  // a broken log or manifest is an error of Open or Close
	flush   atomic.Value // of flushState
	logged  atomic.Int64 // when background work last was, in nanoseconds
	stalled atomic.Int64 // writes of the log or the manifest that wait for room
	Space   *Space
	Marker  *journal.Marker
}

// flushState is how the last write of tables in the background went.
type flushState struct{ err error }

// NewHealth returns that of an engine in a directory.
func NewHealth(d *journal.Directory) *Health {
	return &Health{Log: d.Logger, Failed: make(chan struct{}), Stopping: make(chan struct{}), FullPause: fullPause,
		Space: newSpace(d), Marker: journal.NewMarker(d)}
}

// Fail ends the engine; the first cause counts.
func (h *Health) Fail(cause error) {
	h.once.Do(func() {
		if !h.Opening.Load() { // then it is Open's error
			h.Log.Error("document storage has failed and refuses all calls; restart the process", "error", cause.Error())
		}
		h.Cause = cause
		close(h.Failed)
	})
}

// Err is ErrUnavailable once the engine has failed.
func (h *Health) Err() error {
	select {
	case <-h.Failed:
		return fmt.Errorf("%w: storage has failed: %w", docdb.ErrUnavailable, h.Cause)
	default:
		return nil
	}
}

// Writable is err, and ErrNoSpace while there is no room for any write, or ErrUnavailable
// while tables can't be written for another reason. What frees room may go on for longer.
func (h *Health) Writable(frees bool) error {
	if err := h.Flowing(); err != nil {
		return err
	}
	return h.Space.check(frees)
}

// Admit is writable for a batch of a size, for which it takes the room: see Space.Promise.
func (h *Health) Admit(size int, frees bool) (cost int64, err error) {
	if err := h.Flowing(); err != nil {
		return 0, err
	}
	return h.Space.Promise(size, frees)
}

// Flowing reports whether what was written before goes on to the disk.
func (h *Health) Flowing() error {
	if err := h.Err(); err != nil {
		return err
	}
	if h.stalled.Load() > 0 {
		return fmt.Errorf("%w: the log waits for room in %s", docdb.ErrNoSpace, h.Space.Dir)
	}
	s, _ := h.flush.Load().(flushState)
	switch {
	case IsFull(s.err):
		return fmt.Errorf("%w: writing tables fails: %w", docdb.ErrNoSpace, s.err)
	case s.err != nil:
		return fmt.Errorf("%w: writing tables fails: %w", docdb.ErrUnavailable, s.err)
	}
	return nil
}

// nothingToFlush is how Pebble says that a flush went well and had no keys. It
// does not export the error.
const nothingToFlush = "pebble: empty table"

// Flushed notes how a background write ended.
func (h *Health) Flushed(err error) {
	if err != nil && err.Error() == nothingToFlush {
		err = nil
	}
	was, _ := h.flush.Load().(flushState)
	if err == nil && was.err == nil {
		return
	}
	// Pebble would go on trying in Open, and while Close waits for a write that waits for this.
	if h.Opening.Load() || h.ended() && !h.Lenient.Load() {
		h.Fail(fmt.Errorf("writing tables: %w", err))
	}
	h.flush.Store(flushState{err})
	if err != nil && was.err == nil { // once: Pebble tries again and again
		h.Log.Error("writing tables fails; writes are refused until it succeeds", "error", err.Error())
	} else if err == nil {
		h.Log.Info("writing tables succeeds again")
	}
}

// pebbleLogger passes Pebble's log on.
type pebbleLogger struct{ h *Health }

// PebbleLogger returns what passes Pebble's log on.
func (h *Health) PebbleLogger() pebble.Logger { return pebbleLogger{h} }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.h.Log.Debug("pebble: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.h.Log.Error("pebble: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// Fatalf ends the engine. Pebble does not expect it to return: the goroutine
// holds locks and half-changed state, and stays where it is.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf("%s", strings.TrimSpace(fmt.Sprintf(format, args...)))
	l.h.Fail(err)
	select {}
}

// Background logs an error of background work, at most one in backgroundInterval.
func (h *Health) Background(err error) {
	last, now := h.logged.Load(), time.Now().UnixNano()
	if now-last >= int64(backgroundInterval) && h.logged.CompareAndSwap(last, now) {
		h.Log.Error("background work in storage fails and is tried again", "error", err.Error())
	}
}

const backgroundInterval = 10 * time.Second

// Package embedded keeps docdb's promises on one directory, with Pebble beneath
// and no server to start.
//
// One key space holds everything; a collection is a prefix of it (package keys), so
// collections cost nothing until they are used. Documents are stored as they were
// given, under an encoding of their _id that sorts as docdb.Compare does
// (package keys), together with their index entries in one batch. Every write is
// synced before it is acknowledged, many of them with one sync; nobody reads
// it before that (gate.go). Find and Count read page by page and hold no
// iterator in between (find.go), so that slow callers, however many, keep no
// memtables and files from being released; a document that changes while a Find goes
// on may be met twice or not at all, as the contract has it.
//
// A filter is answered from _id, or from an index whose keys it fixes, or else by
// looking at every document; an order, from its index, as little of it as the
// filter on its first keys allows (plan.go). There are no statistics: an equality
// that most documents meet is slower by an index than without.
//
// Keys over 2 KiB are exact but slow: in order among those that begin alike they
// are sorted by looking at their documents (group.go). CreateIndex holds up
// writers to its collection for as long as it takes; Count without a filter takes
// time in proportion to the collection. What happens when the disk fails or is
// full is stated on health.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/semaphore"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/disk"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// Config says where and how to open an engine.
type Config struct {
	// Dir is the engine's own directory. It is created if it is missing, used if it is empty
	// or an engine's, refused otherwise, and made private (0700).
	Dir string
	// Logger gets what goes wrong in the background, and at level Debug what
	// Pebble does; nil: nobody.
	Logger *slog.Logger
	// CacheBytes is the size of the cache of blocks read; 0: 64 MiB.
	CacheBytes int64
	// MemTableBytes is how much is written before it goes into tables. Up to
	// three such memtables exist at a time; 0: 8 MiB.
	MemTableBytes uint64
	// MaxOpenTables is how many tables are kept open at a time; 0: 1000.
	MaxOpenTables int
	// MinFreeBytes is the free space on the disk that a write has to leave, with all that
	// it comes to take, or else it is refused with ErrNoSpace; 0: 128 MiB, negative: no
	// limit. A fourth of it is put by besides: see ballast.
	MinFreeBytes int64

	// AcceptLoss is for a directory that Open refuses with ErrDamaged because acknowledged
	// writes are missing at the end of a log: it is opened without them, and the damaged
	// logs are kept in its directory damaged.
	AcceptLoss bool

	// For tests: nil is the operating system's, and nobody tends what is unkept but they.
	fs     vfs.FS
	unkept bool
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 8 << 20
	}
	if c.MaxOpenTables == 0 {
		c.MaxOpenTables = 1000
	}
	if c.MinFreeBytes == 0 {
		c.MinFreeBytes = 128 << 20
	}
	return c
}

// disk is the engine's directory.
func (c *Config) disk() *disk.Directory {
	return &disk.Directory{FS: c.fs, Dir: c.Dir, Logger: c.Logger, MinFree: c.MinFreeBytes, AcceptLoss: c.AcceptLoss}
}

// An Engine is a docdb.Engine on one directory.
type Engine struct {
	db      *pebble.DB
	lock    *pebble.Lock
	health  *disk.Health
	calls   closing
	stop    sync.Once    // closes health.stopping
	seed    maphash.Seed // of the hashes in locks
	catalog *catalog
	heavy   *semaphore.Weighted // see heavyBytes
	large   largeDocuments
	maxWalk time.Duration // see walk.pause
	// memTable is the size of a memtable, in bytes: see behind.
	memTable uint64
	kept     chan struct{} // closed when keep has ended
}

var (
	_ docdb.Engine       = (*Engine)(nil)
	_ docdb.WriteChecker = (*Engine)(nil)
)

// begin begins a call; the caller must end it with e.calls.leave unless there is
// an error.
func (e *Engine) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.calls.enter(); err != nil {
		return err
	}
	if err := e.health.Err(); err != nil {
		e.calls.leave()
		return err
	}
	return nil
}

// Database implements docdb.Engine.
func (e *Engine) Database(name string) docdb.Database { return database{e, name} }

// Ping implements docdb.Engine: it reads the catalog.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.begin(ctx); err != nil {
		return err
	}
	defer e.calls.leave()
	_, _, err := e.get([]byte{keys.Counter})
	return err
}

// Writable implements docdb.WriteChecker.
func (e *Engine) Writable() error { return e.health.Writable(false) }

// Failed is closed when the storage has failed and the engine answers nothing
// but ErrUnavailable until the process is restarted. A service should end then.
func (e *Engine) Failed() <-chan struct{} { return e.health.Failed }

// Close implements docdb.Engine. Closing an engine that has failed returns why;
// the directory then stays locked until the process ends.
func (e *Engine) Close() error {
	e.stop.Do(func() { close(e.health.Stopping) })
	if !e.calls.close() {
		return nil
	}
	if err := e.health.Err(); err != nil {
		return err // Pebble would wait for goroutines that have stopped for good
	}
	e.health.Lenient.Store(true)
	done := make(chan error, 1)
	go func() { done <- e.close() }()
	select {
	case err := <-done:
		return err
	case <-e.health.Failed: // in what Pebble was still doing
		return e.health.Err()
	}
}

// close leaves a mark behind that says all that there is.
func (e *Engine) close() error {
	<-e.kept
	err := e.db.Close()
	if err == nil {
		if err := e.health.Marker.Save(); err != nil {
			e.health.Background(err) // the mark before it holds as well
		}
	}
	return errors.Join(err, e.lock.Close())
}

// get reads a key. The value is the caller's.
func (e *Engine) get(key []byte) (value []byte, ok bool, err error) {
	v, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading storage: %w", err)
	}
	value = append(make([]byte, 0, len(v)), v...)
	return value, true, closer.Close()
}

// commit writes a batch and, if sync, waits until it is on disk; the batch must
// not be used any more. What frees room goes on when there is little of it.
// ErrUnavailable: nothing was done, for want of room if it is ErrNoSpace.
// ErrOutcomeUnknown: the engine has failed meanwhile, or was closed on a full disk.
//
// The write goes on in a goroutine of its own: when the log breaks, Pebble stays
// in it for good (see guardedFS), the process being about to end, and the caller
// still gets an answer.
func (e *Engine) commit(batch *pebble.Batch, sync, frees bool) error {
	cost, err := e.health.Admit(batch.Len(), frees)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer e.health.Space.Written(cost)
		if err := e.db.Apply(batch, &pebble.WriteOptions{Sync: sync}); err != nil {
			e.health.Fail(fmt.Errorf("writing the log: %w", err))
		}
	}()
	select {
	case <-done:
	case <-e.health.Failed:
	}
	if e.health.Err() != nil { // not to be wrapped: it says that nothing was done
		return fmt.Errorf("%w: storage has failed: %w", docdb.ErrOutcomeUnknown, e.health.Cause)
	}
	return batch.Close() // only here, where Pebble is done with it
}

// sync waits until all that was committed before is on disk.
func (e *Engine) sync() error {
	batch := e.db.NewBatch()
	if err := batch.LogData(nil, nil); err != nil {
		return err
	}
	return e.commit(batch, true, true)
}

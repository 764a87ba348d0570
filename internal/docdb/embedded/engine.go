// Package embedded keeps docdb's promises on one directory, with Pebble beneath
// and no server to start.
//
// One key space holds everything; a collection is a prefix of it (package keys), so
// collections cost nothing until they are used. Documents are stored as they were
// given, under an encoding of their _id that sorts as docdb.Compare does
// (package keys), together with their index entries in one batch. Every write is
// synced before it is acknowledged, many of them with one sync; no call reads
// it before that (package locks). Find and Count read page by page and hold no
// iterator in between (package scan), so that slow callers, however many, keep no
// memtables and files from being released; a document that changes while a Find goes
// on may be met twice or not at all, as the contract has it.
//
// A filter is answered from _id, or from an index whose keys it fixes, or else by
// looking at every document; an order, from its index, as little of it as the
// filter on its first keys allows (scan/plan.go). There are no statistics: an equality
// that most documents meet is slower by an index than without.
//
// Keys over 2 KiB are exact but slow: in order among those that begin alike they
// are sorted by looking at their documents (scan/group.go). CreateIndex holds up
// writers to its collection for as long as it takes; Count without a filter takes
// time in proportion to the collection. What happens when the disk fails or is
// full is stated on disk.Health.
package embedded

import (
	"context"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/journal"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/record"
	"github.com/orgd/orgd/internal/docdb/embedded/scan"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

// Config says where and how to open an engine.
type Config = store.Config

// What Open answers. The texts say what to do.
var (
	// ErrLocked: the directory is in use by another engine, mostly in another process.
	ErrLocked = store.ErrLocked
	// ErrFormat: the directory holds something else, or was written by a version of this
	// program that this version does not know.
	ErrFormat = store.ErrFormat
	// ErrFull: the disk has no room for what a start writes.
	ErrFull = store.ErrFull
	// ErrDamaged: what was on disk cannot be read any more.
	ErrDamaged = journal.ErrDamaged
	// ErrLost is ErrDamaged where only the newest writes are lost: see Config.AcceptLoss.
	ErrLost = journal.ErrLost
)

// Open opens the engine in a directory, creating it if need be.
func Open(config Config) (*Engine, error) {
	s, err := store.Open(config, sweepUnfinishedIndexes)
	if err != nil {
		return nil, err
	}
	return &Engine{store: s, catalog: catalog.New(s), writes: record.New(s), maxWalk: scan.MaxWalk}, nil
}

// An Engine is a docdb.Engine on one directory.
type Engine struct {
	store   *store.Store
	catalog *catalog.Catalog
	writes  *record.Shared
	maxWalk time.Duration // see scan.MaxWalk
}

var (
	_ docdb.Engine       = (*Engine)(nil)
	_ docdb.WriteChecker = (*Engine)(nil)
)

// Database implements docdb.Engine.
func (e *Engine) Database(name string) docdb.Database { return database{e, name} }

// Ping implements docdb.Engine: it reads the catalog.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.store.Begin(ctx); err != nil {
		return err
	}
	defer e.store.Leave()
	_, _, err := e.store.Get([]byte{keys.Counter})
	return err
}

// Writable implements docdb.WriteChecker.
func (e *Engine) Writable() error { return e.store.Health.Writable(false) }

// Failed is closed when the storage has failed and the engine answers nothing
// but ErrUnavailable until the process is restarted. A service should end then.
func (e *Engine) Failed() <-chan struct{} { return e.store.Health.Failed }

// Close implements docdb.Engine. Closing an engine that has failed returns why;
// the directory then stays locked until the process ends.
func (e *Engine) Close() error { return e.store.Close() }

// VerifyTables reads every block of every table, and returns what is wrong with those
// that are not as they were written, by the names of their files. The logs Open has read.
func (e *Engine) VerifyTables(ctx context.Context) (damaged map[string]error, err error) {
	return e.store.VerifyTables(ctx)
}

package record

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/locks"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// A Write collects what a call writes to documents. It goes to Pebble in batches,
// of which only the last is synced: the log is one, so that with it all are. A
// document and its entries are always in one batch. After the first error the
// write does nothing more; Commit returns it.
type Write struct {
	store   *store.Store
	co      *catalog.Collection
	turn    meter.Turn        // of the call, which ends before the disk is waited for
	batch   *pebble.Batch     // nil before the first put or remove
	started *locks.Generation // once there is something to wait for
	partial bool              // a batch was committed, not synced
	err     error
}

// NewWrite returns a write to a collection, with nothing in it.
func (m *Recorder) NewWrite(co *catalog.Collection) *Write {
	return &Write{store: m.shared.store, co: co, turn: m.turn}
}

// Put stores a document and its entries; old are those of the one it replaces.
func (w *Write) Put(r Record, old []entry, doc bson.Raw) {
	if w.makeRoom(len(doc) + r.Size); w.err != nil {
		return
	}
	if w.err = w.batch.Set(r.Key, doc, nil); w.err == nil {
		w.err = setEntries(w.batch, old, r.Entries)
	}
}

// Remove deletes a document and its entries.
func (w *Write) Remove(r Record) {
	if w.makeRoom(r.Size); w.err != nil {
		return
	}
	if w.err = w.batch.Delete(r.Key, nil); w.err == nil {
		w.err = setEntries(w.batch, r.Entries, nil)
	}
}

// makeRoom sees to it that there is a batch with room for n bytes.
func (w *Write) makeRoom(n int) {
	if w.err != nil {
		return
	}
	if w.batch != nil && w.batch.Len()+n > store.MaxBatch {
		w.start()
		if w.err = w.store.Commit(w.batch, false, false); w.err != nil {
			return
		}
		w.batch, w.partial = nil, true
	}
	if w.batch == nil {
		const overhead = 1 << 10 // for keys, so that a large document is not copied as they grow it
		w.batch = w.store.DB.NewBatchWithSize(n + overhead)
	}
}

func (w *Write) start() {
	if w.started == nil {
		w.started = w.co.Inflight.Begin()
	}
}

// Commit writes what is left and waits until all is on disk. The caller holds
// the locks of all documents until then. docdb.ErrOutcomeUnknown if only a part
// was written.
func (w *Write) Commit(frees bool) error {
	if w.err == nil && w.batch != nil {
		w.start()
		w.turn.Done()
		w.err = w.store.Commit(w.batch, true, frees)
	}
	if w.started != nil {
		defer w.co.Inflight.End(w.started)
	}
	if w.err == nil || !w.partial {
		return w.err
	}
	// The part can be seen once the locks are free. If this fails, nothing can.
	_ = w.store.Sync()
	return fmt.Errorf("%w: only a part was written: %v", docdb.ErrOutcomeUnknown, w.err)
}

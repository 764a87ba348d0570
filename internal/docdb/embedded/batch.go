package embedded

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// maxBatch is how many bytes of a large write go to Pebble at once. Batches up to
// 1 MiB are used again; of more than half a memtable, they are kept besides it.
const maxBatch = 768 << 10

// A write collects what a call writes to documents. It goes to Pebble in batches,
// of which only the last is synced: the log is one, so that with it all are. A
// document and its entries are always in one batch. After the first error the
// write does nothing more; commit returns it.
type write struct {
	e       *Engine
	co      *coll
	turn    meter.Turn    // of who writes, which ends before the disk is waited for
	batch   *pebble.Batch // nil before the first put or remove
	started *generation   // once there is something to wait for
	partial bool          // a batch was committed, not synced
	err     error
}

func (m *recorder) newWrite(co *coll) *write {
	return &write{e: m.e, co: co, turn: m.turn}
}

// put stores a document and its entries; old are those of the one it replaces.
func (w *write) put(r record, old []entry, doc bson.Raw) {
	if w.makeRoom(len(doc) + r.size); w.err != nil {
		return
	}
	if w.err = w.batch.Set(r.key, doc, nil); w.err == nil {
		w.err = setEntries(w.batch, old, r.entries)
	}
}

// remove deletes a document and its entries.
func (w *write) remove(r record) {
	if w.makeRoom(r.size); w.err != nil {
		return
	}
	if w.err = w.batch.Delete(r.key, nil); w.err == nil {
		w.err = setEntries(w.batch, r.entries, nil)
	}
}

// makeRoom sees to it that there is a batch with room for n bytes.
func (w *write) makeRoom(n int) {
	if w.err != nil {
		return
	}
	if w.batch != nil && w.batch.Len()+n > maxBatch {
		w.start()
		if w.err = w.e.commit(w.batch, false, false); w.err != nil {
			return
		}
		w.batch, w.partial = nil, true
	}
	if w.batch == nil {
		const overhead = 1 << 10 // for keys, so that a large document is not copied as they grow it
		w.batch = w.e.db.NewBatchWithSize(n + overhead)
	}
}

func (w *write) start() {
	if w.started == nil {
		w.started = w.co.inflight.begin()
	}
}

// commit writes what is left and waits until all is on disk. The caller holds
// the locks of all documents until then. docdb.ErrOutcomeUnknown if only a part
// was written.
func (w *write) commit(frees bool) error {
	if w.err == nil && w.batch != nil {
		w.start()
		w.turn.Done()
		w.err = w.e.commit(w.batch, true, frees)
	}
	if w.started != nil {
		defer w.co.inflight.end(w.started)
	}
	if w.err == nil || !w.partial {
		return w.err
	}
	// The part can be seen once the locks are free. If this fails, nothing can.
	_ = w.e.sync()
	return fmt.Errorf("%w: only a part was written: %v", docdb.ErrOutcomeUnknown, w.err)
}

package embedded

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// maxBatch is how many bytes of a large write go to Pebble at once. What is more
// than half a memtable would be kept apart from it, in memory as large as itself.
const maxBatch = 4 << 20

// A write collects what a call writes to documents. It goes to Pebble in batches,
// of which only the last is synced: the log is one, so that with it all are. A
// document and its entries are always in one batch. After the first error the
// write does nothing more; commit returns it.
type write struct {
	e       *Engine
	co      *coll
	batch   *pebble.Batch
	started *generation // once a batch was committed
	err     error
}

func (e *Engine) newWrite(co *coll) *write {
	return &write{e: e, co: co, batch: e.db.NewBatch()}
}

// put stores a document and its entries; old are those of the one it replaces.
func (w *write) put(r record, old []entry, doc bson.Raw) {
	w.makeRoom(len(doc))
	if w.err == nil {
		w.err = w.batch.Set(r.key, doc, nil)
	}
	if w.err == nil {
		w.err = setEntries(w.batch, old, r.entries)
	}
}

// remove deletes a document and its entries.
func (w *write) remove(r record) {
	w.err = w.batch.Delete(r.key, nil)
	for _, en := range r.entries {
		if w.err == nil {
			w.err = w.batch.Delete(en.key, nil)
		}
	}
}

// makeRoom commits what there is if n bytes more would be too much.
func (w *write) makeRoom(n int) {
	if w.err != nil || w.batch.Empty() || w.batch.Len()+n <= maxBatch {
		return
	}
	w.start()
	w.err = w.e.commit(w.batch, false, false)
	w.batch = w.e.db.NewBatch()
}

func (w *write) start() {
	if w.started == nil {
		w.started = w.co.inflight.begin()
	}
}

// commit writes what is left and waits until all is on disk. The caller holds
// the stripes of all documents until then.
func (w *write) commit(frees bool) error {
	if w.err == nil && !w.batch.Empty() {
		w.start()
		w.err = w.e.commit(w.batch, true, frees)
	}
	if w.started == nil {
		return w.err
	}
	defer w.co.inflight.end(w.started)
	if w.err != nil {
		// What went before the error can be seen once the stripes are free.
		return errors.Join(w.err, w.e.sync())
	}
	return nil
}

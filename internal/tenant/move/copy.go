package move

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/walk"
)

// Copy fills the target in the order of _id, from where an earlier try has stopped. Documents written
// meanwhile are recorded, and brought up to date by the catch-up.
func (m *Move) Copy(ctx context.Context) error {
	if m.x.Op.Progress.Last == nil {
		var total int64
		err := m.x.WithHeartbeat(ctx, func(ctx context.Context) (err error) {
			total, err = m.source().Count(ctx, docdb.Filter{})
			return err
		})
		if err != nil {
			return err
		}
		m.x.Op.Progress = master.Progress{Total: total, Began: m.mover.Now()}
	}
	q := docdb.Query{}
	if last := m.x.Op.Progress.Last; last != nil {
		q.After = &docdb.Position{ID: docdb.ID(last)}
	}
	read := walk.Ahead(ctx, walk.Batches(m.source(), q))
	defer read.Stop()
	for batch, err := range read.All() {
		if err != nil {
			return err
		}
		if err := m.writeBatch(ctx, batch); err != nil {
			return err
		}
		if err := m.x.Heartbeat(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writeBatch inserts a batch and records the progress of the copy. A document whose unique key is taken
// by an older version of another document is left to the catch-up.
func (m *Move) writeBatch(ctx context.Context, batch []bson.Raw) error {
	results, err := m.target().InsertMany(ctx, batch)
	if err != nil {
		return err
	}
	var later []bson.RawValue
	size := 0
	for i, err := range results {
		size += len(batch[i])
		var dup *docdb.DuplicateError
		switch {
		case errors.As(err, &dup):
			if dup.Index != docdb.IDIndex { // else an earlier try has inserted it
				later = append(later, docdb.ID(batch[i]))
			}
		case err != nil:
			return unmovable(batch[i], err)
		}
	}
	if err := m.putOff(ctx, later); err != nil {
		return err
	}
	last, err := bson.Marshal(bson.D{{Key: "_id", Value: docdb.ID(batch[len(batch)-1])}})
	if err != nil {
		return err
	}
	p := &m.x.Op.Progress
	p.Copied, p.Bytes, p.Last = p.Copied+int64(len(batch)), p.Bytes+int64(size), last
	return nil
}

// putOff leaves documents to the next round by recording them as a writer would.
func (m *Move) putOff(ctx context.Context, ids []bson.RawValue) error {
	if len(ids) == 0 {
		return nil
	}
	o, err := m.mover.Master.Organizations.Get(ctx, m.x.Op.OrgID)
	if err != nil {
		return err
	}
	if o.Move == nil {
		return master.ErrLeaseLost
	}
	return m.mover.Dirty.Record(ctx, o.Move.Dirty, o.Epoch, false, ids...)
}

package move

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/walk"
)

// Copy fills the target in the order of _id, from where an earlier try has stopped. Documents written
// meanwhile are recorded, and brought up to date by the catch-up.
func (m *Move) Copy(ctx context.Context) error { return m.copying.run(ctx) }

// copying fills the target of a move with what is in the source.
type copying struct {
	x           *operation.Execution
	collections *collections
	catchUp     *catchUp
	now         func() time.Time
}

func (c *copying) run(ctx context.Context) error {
	if c.x.Op.Progress.Last == nil {
		var total int64
		err := c.x.WithHeartbeat(ctx, func(ctx context.Context) (err error) {
			total, err = c.collections.source().Count(ctx, docdb.Filter{})
			return err
		})
		if err != nil {
			return err
		}
		c.x.Op.Progress = master.Progress{Total: total, Began: c.now()}
	}
	q := docdb.Query{}
	if last := c.x.Op.Progress.Last; last != nil {
		q.After = &docdb.Position{ID: docdb.ID(last)}
	}
	read := walk.Ahead(ctx, walk.Batches(c.collections.source(), q))
	defer read.Stop()
	for batch, err := range read.All() {
		if err != nil {
			return err
		}
		if err := c.writeBatch(ctx, batch); err != nil {
			return err
		}
		if err := c.x.Heartbeat(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writeBatch inserts a batch and records the progress of the copy. A document whose unique key is taken
// by an older version of another document is left to the catch-up.
func (c *copying) writeBatch(ctx context.Context, batch []bson.Raw) error {
	results, err := c.collections.target().InsertMany(ctx, batch)
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
	if err := c.catchUp.putOff(ctx, later); err != nil {
		return err
	}
	last, err := bson.Marshal(bson.D{{Key: "_id", Value: docdb.ID(batch[len(batch)-1])}})
	if err != nil {
		return err
	}
	p := &c.x.Op.Progress
	p.Copied, p.Bytes, p.Last = p.Copied+int64(len(batch)), p.Bytes+int64(size), last
	return nil
}

package record

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
)

// maxRun is how many bytes of entries InsertRun makes before it writes what it has.
const maxRun = 4 << 20

// InsertRun inserts the first n documents, and sets their errors.
func (m *Recorder) InsertRun(co *catalog.Collection, docs []bson.Raw, errs []error) (n int, err error) {
	var records []Record
	var keys []uint64
	bytes := 0
	for m.size = 0; n < len(docs) && m.size < maxRun; n++ {
		if err := errors.Join(m.ctx.Err(), m.turn.Rest(m.ctx)); err != nil {
			return n, err
		}
		bytes += len(docs[n])
		var r Record
		if errs[n] = docdb.Validate(docs[n]); errs[n] == nil {
			r = m.Fresh(docs[n], bytes)
			keys = m.shared.AppendLocks(keys, r)
		}
		records = append(records, r)
	}
	return n, m.Holding(co, keys, func() error {
		if err := m.shared.checkBulk(m.ctx, records, errs); err != nil {
			return err
		}
		w := m.NewWrite(co)
		for i, r := range records {
			if errs[i] == nil {
				w.Put(r, nil, docs[i])
			}
		}
		return w.Commit(false)
	})
}

// checkBulk sets the errors of the records that have none so far and can't be
// added: for what is stored, or for another of them.
func (w *Shared) checkBulk(ctx context.Context, records []Record, errs []error) error {
	claimed := make(map[string]struct{}, len(records))
	for i, r := range records {
		if errs[i] != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := claimedBy(claimed, r)
		if err == nil {
			err = w.CheckNew(r)
		}
		if err != nil && !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrInvalid) {
			return err
		}
		if errs[i] = err; err != nil {
			continue
		}
		claimed[string(r.Key)] = struct{}{}
		for _, en := range r.Entries {
			if en.Unique != nil {
				claimed[string(en.Key)] = struct{}{}
			}
		}
	}
	return nil
}

// claimedBy returns a *docdb.DuplicateError if an earlier document of the call
// has the _id or a unique key of r.
func claimedBy(claimed map[string]struct{}, r Record) error {
	if _, ok := claimed[string(r.Key)]; ok {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	for _, en := range r.Entries {
		if en.Unique == nil {
			continue
		}
		if _, ok := claimed[string(en.Key)]; ok {
			return &docdb.DuplicateError{Index: en.Unique.Name}
		}
	}
	return nil
}

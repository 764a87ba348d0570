package embedded

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// The limits of InsertMany.
const (
	maxBulk      = 1000
	maxBulkBytes = 48 << 20
	// maxRun is how many bytes of entries it makes before it writes what it has.
	maxRun = 4 << 20
)

// InsertMany implements docdb.Collection. It holds the keys of documents until
// the last one is on disk, so that one sync serves all: of all documents, or of so many as have
// maxRun bytes of entries.
func (c collection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	size := 0
	for _, doc := range docs {
		size += len(doc)
	}
	if len(docs) > maxBulk || size > maxBulkBytes {
		return nil, fmt.Errorf("%w: %d documents of %d bytes at once, the limits are %d and %d",
			docdb.ErrTooLarge, len(docs), size, maxBulk, maxBulkBytes)
	}
	errs := make([]error, len(docs))
	err := c.write(ctx, func(co *coll, state *collState) error {
		if state == nil {
			return c.noCollection()
		}
		m := c.e.newRecorder(ctx, state)
		defer m.release()
		if err := m.begin(); err != nil {
			return err
		}
		for done := 0; done < len(docs); {
			n, err := m.insertRun(co, docs[done:], errs[done:])
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// insertRun inserts the first n documents, and sets their errors.
func (m *recorder) insertRun(co *coll, docs []bson.Raw, errs []error) (n int, err error) {
	var records []record
	var keys []uint64
	bytes := 0
	for m.size = 0; n < len(docs) && m.size < maxRun; n++ {
		if err := errors.Join(m.ctx.Err(), m.turn.Rest(m.ctx)); err != nil {
			return n, err
		}
		bytes += len(docs[n])
		var r record
		if errs[n] = docdb.Validate(docs[n]); errs[n] == nil {
			r = m.fresh(docs[n], bytes)
			keys = m.e.appendLocks(keys, r)
		}
		records = append(records, r)
	}
	return n, m.holding(co, keys, func() error {
		if err := m.e.checkBulk(m.ctx, records, errs); err != nil {
			return err
		}
		w := m.newWrite(co)
		for i, r := range records {
			if errs[i] == nil {
				w.put(r, nil, docs[i])
			}
		}
		return w.commit(false)
	})
}

// checkBulk sets the errors of the records that have none so far and can't be
// added: for what is stored, or for another of them.
func (e *Engine) checkBulk(ctx context.Context, records []record, errs []error) error {
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
			err = e.checkNew(r)
		}
		if err != nil && !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrInvalid) {
			return err
		}
		if errs[i] = err; err != nil {
			continue
		}
		claimed[string(r.key)] = struct{}{}
		for _, en := range r.entries {
			if en.unique != nil {
				claimed[string(en.key)] = struct{}{}
			}
		}
	}
	return nil
}

// claimedBy returns a *docdb.DuplicateError if an earlier document of the call
// has the _id or a unique key of r.
func claimedBy(claimed map[string]struct{}, r record) error {
	if _, ok := claimed[string(r.key)]; ok {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	for _, en := range r.entries {
		if en.unique == nil {
			continue
		}
		if _, ok := claimed[string(en.key)]; ok {
			return &docdb.DuplicateError{Index: en.unique.Name}
		}
	}
	return nil
}

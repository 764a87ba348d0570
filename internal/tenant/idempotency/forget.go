package idempotency

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
)

// forgetBatch is how many entries are read at a time: there may be very many.
const forgetBatch = 256

// Expire removes the entries that are older than AnswersKept.
func (s *Keys) Expire(ctx context.Context) error {
	q := docdb.Query{Order: master.Index("until").Keys, Limit: forgetBatch}
	for {
		batch, err := s.entries.Query(ctx, q)
		if err != nil {
			return err
		}
		over := slices.IndexFunc(batch, func(e *Entry) bool { return s.cfg.Now().Before(e.Until) })
		if over < 0 {
			over = len(batch)
		}
		if err := master.ForAllBeside(ctx, batch[:over], s.entries.Remove); err != nil || over < q.Limit {
			return err
		}
	}
}

// Forget removes the entries of a deleted organization. Of the entry that created it only the key
// stays: a request with that key that is in progress, or is sent again, must not create the
// organization again.
func (s *Keys) Forget(ctx context.Context, orgID string) error {
	q := docdb.Query{Filter: docdb.Eq("org_id", orgID), Limit: forgetBatch}
	for {
		batch, err := s.entries.Query(ctx, q)
		if err != nil {
			return err
		}
		var changed atomic.Bool // meanwhile, by the request that has the key
		err = master.ForAllBeside(ctx, batch, func(ctx context.Context, e *Entry) error {
			err := s.forget(ctx, e)
			if errors.Is(err, docdb.ErrNoMatch) {
				changed.Store(true)
			}
			return err
		})
		if err != nil || len(batch) < forgetBatch && !changed.Load() {
			return err
		}
	}
}

func (s *Keys) forget(ctx context.Context, e *Entry) error {
	if e.Operation == "" {
		return s.entries.Remove(ctx, e)
	}
	e.OrgID, e.Operation, e.Answer, e.Spent = e.Stranger, "", nil, true
	return s.entries.Swap(ctx, e)
}

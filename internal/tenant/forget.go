package tenant

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
)

// Entries are read in batches, and removed several at a time: there may be very many, and the
// storage takes as long for one as for some side by side.
const (
	forgetBatch   = 256
	forgetAtATime = 16
)

// sideBySide is forAll for what can be done at the same time.
func sideBySide[P any](ctx context.Context, all []P, do func(context.Context, P) error) error {
	var some sync.WaitGroup
	errs := make([]error, forgetAtATime)
	size := (len(all) + forgetAtATime - 1) / forgetAtATime
	for i := range errs {
		from, to := min(i*size, len(all)), min((i+1)*size, len(all))
		some.Go(func() { errs[i] = forAll(ctx, all[from:to], do) })
	}
	some.Wait()
	return errors.Join(errs...)
}

// expireAnswers removes the entries whose time is over.
func (s *Store) expireAnswers(ctx context.Context) error {
	q := docdb.Query{Order: masterIndex("until").Keys, Limit: forgetBatch}
	for {
		batch, err := s.idempotency.query(ctx, q)
		if err != nil {
			return err
		}
		over := slices.IndexFunc(batch, func(e *idempotent) bool { return s.now().Before(e.Until) })
		if over < 0 {
			over = len(batch)
		}
		if err := sideBySide(ctx, batch[:over], s.idempotency.remove); err != nil || over < q.Limit {
			return err
		}
	}
}

// removeAnswers removes what answers tell of a deleted organization. The key that made it
// stays, and nothing else with it: a request with it that is still under way, or sent once
// more, must not make the organization again.
func (r *run) removeAnswers(ctx context.Context) error {
	q := docdb.Query{Filter: docdb.Eq("org_id", r.op.OrgID), Limit: forgetBatch}
	for {
		batch, err := r.idempotency.query(ctx, q)
		if err != nil || len(batch) == 0 {
			return err
		}
		if err := sideBySide(ctx, batch, r.forgetAnswer); err != nil {
			return err
		}
	}
}

func (s *Store) forgetAnswer(ctx context.Context, e *idempotent) error {
	if e.Operation == "" {
		return s.idempotency.remove(ctx, e)
	}
	e.OrgID, e.Operation, e.Answer, e.Spent = e.Stranger, "", nil, true
	return s.idempotency.swap(ctx, e)
}

package tenant

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

const (
	// applyWorkers is how many documents are brought up to date at a time: each
	// is a durable write, and the engine syncs those together that come together.
	applyWorkers = 32
	// fewEnough is how many a round may leave behind for the fence, where every
	// one of them is time that clients wait.
	fewEnough = 256
	// maxRounds bounds a move whose writers are faster than it.
	maxRounds = 60
)

// catchUp goes on with rounds until one is small.
func (r *run) catchUp(ctx context.Context) error {
	for range maxRounds {
		n, err := r.round(ctx)
		if err != nil {
			return err
		}
		if n <= fewEnough {
			return nil
		}
	}
	return org.Errorf(org.Unavailable, "The data changes faster than it can be moved. Try again when there is less to do. Nothing was changed.")
}

// round raises the epoch, waits for the writers of the earlier ones, and brings
// what they recorded up to date in the target. It returns how many that were.
func (r *run) round(ctx context.Context) (int, error) {
	o, err := r.turn(ctx, func(o *organization) error { return r.enter(o, copying) })
	if err != nil {
		return 0, err
	}
	if r.cfg.skip.epochs { // writers go on in the epoch that counts as applied
		o.Epoch++
	}
	if err := r.drain(ctx); err != nil {
		return 0, err
	}
	p := &r.op.Progress
	n, err := r.apply(ctx, o.Move.Dirty, p.Applied, o.Epoch, false)
	if err != nil {
		return 0, err
	}
	p.Applied = o.Epoch - 1
	return n, r.keep(ctx)
}

// apply brings what was recorded after one epoch and before another up to date in
// the target. Two documents may have exchanged a unique key; so one that is in the
// way of another goes first, and comes back after all the rest. A document that then
// still finds its key taken was changed meanwhile, or the other was: it is put
// off, unless nobody writes any more.
func (r *run) apply(ctx context.Context, set string, after, before int64, final bool) (n int, err error) {
	late, n, err := r.syncAll(ctx, r.dirtyIDs(ctx, set, after, before))
	if err != nil || len(late) == 0 {
		return n, err
	}
	late, _, err = r.syncAll(ctx, each(late))
	if err != nil || len(late) == 0 || final {
		return n, err
	}
	return n, r.putOff(ctx, late)
}

func each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// syncAll runs sync for many ids, some at a time, and returns those that found
// their key taken, and the number of all.
func (r *run) syncAll(ctx context.Context, ids iter.Seq2[bson.RawValue, error]) (late []bson.RawValue, n int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		room = make(chan struct{}, applyWorkers)
	)
	for id, idErr := range ids {
		if idErr != nil {
			cancel(idErr)
			break
		}
		if err := r.keep(ctx); err != nil {
			cancel(err)
			break
		}
		n++
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			taken, err := r.sync(ctx, id)
			if err != nil {
				cancel(err)
			}
			if taken {
				mu.Lock()
				late = append(late, id)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return late, n, context.Cause(ctx)
}

// sync makes the target's document of that _id equal to the source's. It reports
// whether a unique key was taken; then the target has no such document.
func (r *run) sync(ctx context.Context, id bson.RawValue) (taken bool, err error) {
	from, err := found(r.source().Get(ctx, id))
	if err != nil {
		return false, err
	}
	to, err := found(r.target().Get(ctx, id))
	if err != nil || bytes.Equal(from, to) {
		return false, err
	}
	return r.supplant(ctx, id, to, from)
}

// supplant puts a document, or none, in the place of the target's. The two _ids
// may be equal and not the same, as 1 and 1.0 are.
func (r *run) supplant(ctx context.Context, id bson.RawValue, to, from bson.Raw) (taken bool, err error) {
	if to != nil && from != nil && docdb.ID(to).Equal(docdb.ID(from)) {
		err = r.target().Replace(ctx, id, docdb.Filter{}, from)
		if errors.Is(err, docdb.ErrNoMatch) { // the id was recorded twice, and another worker has it
			return true, nil
		}
		if !errors.Is(err, docdb.ErrDuplicate) {
			return false, unmovable(from, err)
		}
		taken = true
	}
	if to != nil {
		if err := r.target().Delete(ctx, id, docdb.Filter{}); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return false, err
		}
	}
	if from == nil || taken {
		return taken, nil
	}
	err = r.target().Insert(ctx, from)
	if errors.Is(err, docdb.ErrDuplicate) {
		return true, nil
	}
	return false, unmovable(from, err)
}

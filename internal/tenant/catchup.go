package tenant

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

const (
	// applyWorkers is how many documents are brought up to date at a time: each
	// is a durable write, and the engine syncs those together that come together.
	// applyBytes bounds what they hold in memory.
	applyWorkers = 64
	applyBytes   = 64 << 20
	// applyBatch is how many documents are read at a time.
	applyBatch = 500
	// maxRounds bounds a move whose writers are faster than it.
	maxRounds = 60
	// longestFence is for how long the last documents may keep clients waiting, as far
	// as the rounds before show how long one takes.
	longestFence = 100 * time.Millisecond
	// fewEnough is how many are left to the fence without a further look at the clock.
	fewEnough = 16
)

// catchUp goes on with rounds until what a round leaves to the fence is little: as many
// documents as can be brought over while clients hardly notice, at the speed that was
// measured; or, where every round takes its time whatever there is to do, no fewer than
// the round before.
func (r *run) catchUp(ctx context.Context) error {
	last := -1
	for range maxRounds {
		began := time.Now()
		n, err := r.round(ctx)
		if err != nil {
			return err
		}
		steady := last >= 0 && n >= last-last/4
		if n <= fewEnough || time.Since(began) <= longestFence || steady && n <= applyBatch {
			return nil
		}
		last = n
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
	before := o.Epoch
	if r.cfg.skip.epochs { // writers go on in the epoch that counts as applied
		before++
	}
	if err := r.drainAndTell(ctx, o); err != nil {
		return 0, err
	}
	p := &r.op.Progress
	n := 0
	var batch []bson.RawValue
	for entry, err := range r.dirtyIDs(ctx, o.Move.Dirty, p.Applied, before) {
		if err != nil {
			return n, err
		}
		if batch = append(batch, entry.ID); len(batch) < applyBatch {
			continue
		}
		if err := r.applySome(ctx, batch); err != nil {
			return n, err
		}
		n, batch = n+len(batch), batch[:0]
	}
	if err := r.applySome(ctx, batch); err != nil {
		return n, err
	}
	p.Applied = before - 1
	return n + len(batch), r.keep(ctx)
}

// drainAndTell waits for the writers of earlier epochs, and records which of theirs got no
// answer.
func (r *run) drainAndTell(ctx context.Context, o *organization) error {
	if err := r.drain(ctx); err != nil {
		return err
	}
	return r.recordUnanswered(ctx, o)
}

// applySome brings documents up to date while clients go on. One that still finds its
// key taken was changed meanwhile, or the other was: it is put off.
func (r *run) applySome(ctx context.Context, ids []bson.RawValue) error {
	late, err := r.apply(ctx, ids)
	if err != nil {
		return err
	}
	return r.putOff(ctx, late)
}

// apply makes the target's documents of those _ids equal to the source's. Two documents
// may have exchanged a unique key; so one that is in the way of another goes first, and
// comes back after all the rest. It returns those whose key was taken even then.
func (r *run) apply(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	late = ids
	for range 2 {
		if late, err = r.syncAll(ctx, late); err != nil || len(late) == 0 {
			return nil, err
		}
	}
	return late, nil
}

// syncAll compares the documents of those _ids, and supplants those that differ, some at
// a time. It returns those that found their key taken.
func (r *run) syncAll(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		room = make(chan struct{}, applyWorkers)
		size = semaphore.NewWeighted(applyBytes)
		to   = r.target()
	)
	for pair, err := range r.couplesOf(ctx, ids) {
		if err == nil {
			err = r.keep(ctx)
		}
		weight := min(int64(len(pair.source)+len(pair.target)), applyBytes)
		if err == nil && !bytes.Equal(pair.source, pair.target) {
			err = size.Acquire(ctx, weight)
		} else if err == nil {
			continue
		}
		if err != nil {
			cancel(err)
			break
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room; size.Release(weight) }()
			taken, err := r.supplant(ctx, to, pair)
			if err != nil {
				cancel(err)
			}
			if taken {
				mu.Lock()
				late = append(late, pair.id())
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return late, context.Cause(ctx)
}

// couplesOf yields the documents of those _ids: read together, as many as a filter takes,
// or one after the other where their _ids are nothing that a filter can ask for.
func (r *run) couplesOf(ctx context.Context, ids []bson.RawValue) iter.Seq2[couple, error] {
	return func(yield func(couple, error) bool) {
		var batch []bson.RawValue
		size := 0
		for i, id := range ids {
			if askable(id) {
				batch, size = append(batch, id), size+len(id.Value)
			} else if p, err := r.coupleOf(ctx, id); !yield(p, err) || err != nil {
				return
			}
			if len(batch) == 0 || len(batch) < askableIDs && size < askableBytes && i < len(ids)-1 {
				continue
			}
			for p, err := range r.sideBySide(ctx, docdb.Query{Filter: docdb.In("_id", batch)}) {
				if !yield(p, err) || err != nil {
					return
				}
			}
			batch, size = batch[:0], 0
		}
	}
}

func (r *run) coupleOf(ctx context.Context, id bson.RawValue) (couple, error) {
	source, err := found(r.source().Get(ctx, id))
	if err != nil {
		return couple{}, err
	}
	target, err := found(r.target().Get(ctx, id))
	return couple{source, target}, err
}

// What one filter asks for: its own limits are docdb.MaxInValues and docdb.MaxFilterSize, and
// to some compatible servers each value is a comparison more for every document found.
const (
	askableIDs   = 100
	askableBytes = 256 << 10
)

// askable reports whether a filter can ask for an _id.
func askable(id bson.RawValue) bool {
	switch id.Type {
	case bson.TypeString, bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128,
		bson.TypeBinary, bson.TypeBoolean, bson.TypeDateTime, bson.TypeTimestamp, bson.TypeNull:
		return len(id.Value) <= askableBytes
	case bson.TypeEmbeddedDocument:
		for name := range docdb.Fields(id.Value) {
			return len(id.Value) <= askableBytes && !bytes.HasPrefix(name, []byte("$")) // else an operator
		}
		return true
	}
	return false
}

// supplant puts the source's document, or none, in the place of the target's. It reports
// whether a unique key was taken; then the target has no such document. Each write asks
// that the target still has what was read there, so that one that arrives late does
// nothing. The two _ids may be equal and not the same, as 1 and 1.0 are.
func (r *run) supplant(ctx context.Context, to docdb.Collection, p couple) (taken bool, err error) {
	if p.target != nil && p.source != nil && docdb.ID(p.target).Equal(docdb.ID(p.source)) {
		err = to.Replace(ctx, p.id(), r.unchanged(p.target), p.source)
		if errors.Is(err, docdb.ErrNoMatch) { // the id was recorded twice, and another worker has it
			return true, nil
		}
		if !errors.Is(err, docdb.ErrDuplicate) {
			return false, unmovable(p.source, err)
		}
		taken = true
	}
	if p.target != nil {
		err := to.Delete(ctx, docdb.ID(p.target), r.unchanged(p.target))
		if errors.Is(err, docdb.ErrNoMatch) {
			return p.source != nil, nil
		}
		if err != nil {
			return false, err
		}
	}
	if p.source == nil || taken {
		return taken, nil
	}
	err = to.Insert(ctx, p.source)
	if errors.Is(err, docdb.ErrDuplicate) {
		return true, nil
	}
	return false, unmovable(p.source, err)
}

// unchanged is the condition that the target's document is still the one that was read.
func (r *run) unchanged(doc bson.Raw) docdb.Filter {
	if r.cfg.skip.conditions {
		return docdb.Filter{}
	}
	return unstored(doc).unchanged()
}

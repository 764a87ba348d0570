package tenant

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/semaphore"

	"github.com/orgd/orgd/internal/docdb"
)

const (
	// syncReaders is how many filters are asked at a time, and syncWriters how many
	// documents are brought up to date: each is a durable write, and the engine syncs those
	// together that come together. syncBytes bounds what they hold in memory.
	syncReaders = 4
	syncWriters = 64
	syncBytes   = 64 << 20
)

// syncing makes documents of a move's target equal to the source's, many side by side.
type syncing struct {
	r        *run
	from, to docdb.Collection
	readers  chan struct{}
	writers  chan struct{}
	size     *semaphore.Weighted
	all      sync.WaitGroup
	fail     context.CancelCauseFunc

	mu   sync.Mutex
	late []bson.RawValue
}

// syncAll compares the documents of those _ids, and supplants those that differ. It returns
// those that found their key taken.
func (r *run) syncAll(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &syncing{
		r: r, from: r.source(), to: r.target(), fail: cancel, size: semaphore.NewWeighted(syncBytes),
		readers: make(chan struct{}, syncReaders), writers: make(chan struct{}, syncWriters),
	}
	for some := range slices.Chunk(ids, askableIDs) {
		if err := r.keep(ctx); err != nil {
			cancel(err)
		}
		s.readers <- struct{}{}
		s.all.Go(func() {
			defer func() { <-s.readers }()
			s.compare(ctx, some)
		})
	}
	s.all.Wait()
	return s.late, context.Cause(ctx)
}

// compare looks for documents that differ.
func (s *syncing) compare(ctx context.Context, ids []bson.RawValue) {
	for pair, err := range s.couplesOf(ctx, ids) {
		if err == nil && bytes.Equal(pair.source, pair.target) {
			continue
		}
		weight := min(int64(len(pair.source)+len(pair.target)), syncBytes)
		if err == nil {
			err = s.size.Acquire(ctx, weight)
		}
		if err != nil {
			s.fail(err)
			return
		}
		s.writers <- struct{}{}
		s.all.Go(func() {
			defer func() { <-s.writers; s.size.Release(weight) }()
			s.supplant(ctx, pair)
		})
	}
}

func (s *syncing) supplant(ctx context.Context, p couple) {
	taken, err := s.r.supplant(ctx, s.to, p)
	if err != nil {
		s.fail(err)
	}
	if taken {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = append(s.late, p.id())
	}
}

// couplesOf yields the documents of those _ids: read together, as many as a filter takes,
// or one after the other where their _ids are nothing that a filter can ask for.
func (s *syncing) couplesOf(ctx context.Context, ids []bson.RawValue) iter.Seq2[couple, error] {
	return func(yield func(couple, error) bool) {
		var batch []bson.RawValue
		size := 0
		for i, id := range ids {
			if askable(id) {
				batch, size = append(batch, id), size+len(id.Value)
			} else if p, err := s.coupleOf(ctx, id); !yield(p, err) || err != nil {
				return
			}
			if len(batch) == 0 || len(batch) < askableIDs && size < askableBytes && i < len(ids)-1 {
				continue
			}
			for p, err := range pairs(ctx, s.from, s.to, docdb.Query{Filter: docdb.In("_id", batch)}) {
				if !yield(p, err) || err != nil {
					return
				}
			}
			batch, size = batch[:0], 0
		}
	}
}

func (s *syncing) coupleOf(ctx context.Context, id bson.RawValue) (couple, error) {
	source, err := found(s.from.Get(ctx, id))
	if err != nil {
		return couple{}, err
	}
	target, err := found(s.to.Get(ctx, id))
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

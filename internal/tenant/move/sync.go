package move

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
	"github.com/orgd/orgd/internal/docdb/wire"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/walk"
)

const (
	// syncReaders is how many queries run at a time, and syncWriters how many documents are written:
	// each is a durable write, and the engine syncs writes of the same moment together. syncBytes
	// bounds the documents in memory.
	syncReaders = 4
	syncWriters = 64
	syncBytes   = 64 << 20
)

// syncing makes documents of a move's target equal to the source's, many at the same time.
type syncing struct {
	from, to docdb.Collection
	readers  chan struct{}
	writers  chan struct{}
	size     *semaphore.Weighted
	all      sync.WaitGroup
	fail     context.CancelCauseFunc

	mu   sync.Mutex
	late []bson.RawValue
}

// syncAll compares the documents with those _ids, and replaces those that differ. It returns the _ids of
// those whose unique key was taken.
func (c *collections) syncAll(ctx context.Context, ids []bson.RawValue) (late []bson.RawValue, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &syncing{
		from: c.source(), to: c.target(), fail: cancel, size: semaphore.NewWeighted(syncBytes),
		readers: make(chan struct{}, syncReaders), writers: make(chan struct{}, syncWriters),
	}
	for some := range slices.Chunk(ids, access.AskableIDs) {
		if err := c.x.Heartbeat(ctx); err != nil {
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
	for pair, err := range s.pairsOf(ctx, ids) {
		if err == nil && bytes.Equal(pair.Source, pair.Target) {
			continue
		}
		weight := min(int64(len(pair.Source)+len(pair.Target)), syncBytes)
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
			s.replaceTarget(ctx, pair)
		})
	}
}

func (s *syncing) replaceTarget(ctx context.Context, p walk.Pair) {
	taken, err := replaceIn(ctx, s.to, p)
	if err != nil {
		s.fail(err)
	}
	if taken {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.late = append(s.late, p.ID())
	}
}

// pairsOf yields the documents with those _ids: read together, as many as a filter can list, or one by
// one if a filter cannot list their _ids.
func (s *syncing) pairsOf(ctx context.Context, ids []bson.RawValue) iter.Seq2[walk.Pair, error] {
	return func(yield func(walk.Pair, error) bool) {
		var batch []bson.RawValue
		size := 0
		for i, id := range ids {
			if askable(id) {
				batch, size = append(batch, id), size+len(id.Value)
			} else if p, err := s.pairOf(ctx, id); !yield(p, err) || err != nil {
				return
			}
			if len(batch) == 0 || len(batch) < access.AskableIDs && size < askableBytes && i < len(ids)-1 {
				continue
			}
			for p, err := range walk.Pairs(ctx, s.from, s.to, docdb.Query{Filter: docdb.In("_id", batch)}) {
				if !yield(p, err) || err != nil {
					return
				}
			}
			batch, size = batch[:0], 0
		}
	}
}

func (s *syncing) pairOf(ctx context.Context, id bson.RawValue) (walk.Pair, error) {
	source, err := master.Found(s.from.Get(ctx, id))
	if err != nil {
		return walk.Pair{}, err
	}
	target, err := master.Found(s.to.Get(ctx, id))
	return walk.Pair{Source: source, Target: target}, err
}

// askableBytes bounds the sum of the sizes of the _ids in one filter.
const askableBytes = 256 << 10

// askable reports whether a filter can ask for an _id.
func askable(id bson.RawValue) bool {
	switch id.Type {
	case bson.TypeString, bson.TypeObjectID, bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128,
		bson.TypeBinary, bson.TypeBoolean, bson.TypeDateTime, bson.TypeTimestamp, bson.TypeNull:
		return len(id.Value) <= askableBytes
	case bson.TypeEmbeddedDocument:
		for name := range wire.Fields(id.Value) {
			return len(id.Value) <= askableBytes && !bytes.HasPrefix(name, []byte("$")) // else an operator
		}
		return true
	}
	return false
}

// replaceIn replaces the document of the target, to, by the source's, or removes it. It reports whether a
// unique key was taken; then the target has no such document. Each write has the condition that the
// target still has the document that was read there, so a late write does nothing. The two _ids may be
// equal but not the same, as 1 and 1.0 are.
func replaceIn(ctx context.Context, to docdb.Collection, p walk.Pair) (taken bool, err error) {
	if p.Target != nil && p.Source != nil && docdb.ID(p.Target).Equal(docdb.ID(p.Source)) {
		err = to.Replace(ctx, p.ID(), document.FromStored(p.Target).Unchanged(), p.Source)
		if errors.Is(err, docdb.ErrNoMatch) { // the _id was recorded twice, and another worker has written it
			return true, nil
		}
		if !errors.Is(err, docdb.ErrDuplicate) {
			return false, unmovable(p.Source, err)
		}
		taken = true
	}
	if p.Target != nil {
		err := to.Delete(ctx, docdb.ID(p.Target), document.FromStored(p.Target).Unchanged())
		if errors.Is(err, docdb.ErrNoMatch) {
			return p.Source != nil, nil
		}
		if err != nil {
			return false, err
		}
	}
	if p.Source == nil || taken {
		return taken, nil
	}
	err = to.Insert(ctx, p.Source)
	if errors.Is(err, docdb.ErrDuplicate) {
		return true, nil
	}
	return false, unmovable(p.Source, err)
}

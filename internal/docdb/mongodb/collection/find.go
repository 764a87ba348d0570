package collection

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/filter"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
	"github.com/orgd/orgd/internal/docdb/mongodb/position"
)

const (
	// batchDocuments bounds the documents of a batch; the server bounds their size by 16 MiB.
	// A stream holds one batch.
	batchDocuments = 500
	// resumeTries is how often in a row a stream is resumed without a document in between.
	resumeTries = 3
	// closeTimeout bounds the message that tells the server to close a cursor.
	closeTimeout = 2 * time.Second
)

// Find implements docdb.Collection.
//
// It reads a cursor over the index that has the order. A cursor does not survive a change of the
// primary, nor ten minutes without a read; then the stream goes on with a new cursor after its
// last document, which is possible because the order is total.
func (c *Collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		s := &stream{c: c, q: q, yield: yield, after: q.After, room: meter.RoomOf(ctx)}
		err := s.run(ctx)
		if s.full != nil {
			err = s.full
		}
		if err != nil && !s.stopped {
			yield(nil, err)
		}
	}
}

// stream is one Find under way.
type stream struct {
	c     *Collection
	q     docdb.Query
	yield func(bson.Raw, error) bool
	room  meter.Room
	full  error // set when there was no room for the next document

	after   *docdb.Position // where the cursor begins
	last    place           // the document yielded last
	yielded int
	skipped int  // documents of the cursor that were not behind after
	stopped bool // the caller has left the loop over the stream
}

func (s *stream) run(ctx context.Context) error {
	calls := s.c.shared.calls
	if err := s.validate(); err != nil {
		return err
	}
	if err := calls.Enter(); err != nil {
		return err
	}
	defer calls.Leave()
	// With a limit the server ends the cursor by itself, which saves a message. But the
	// documents that the stream skips count too, so as many are missing at the end.
	limited := s.q.Limit > 0
	for tries := 1; ; tries++ {
		before := s.yielded
		cut, err := s.pass(ctx, limited)
		switch {
		case s.stopped || err == nil && (!cut || s.skipped == 0 || s.yielded == s.q.Limit):
			return nil
		case err == nil:
			limited = false
			continue
		case s.yielded > before:
			tries = 1
		}
		if tries > resumeTries || !outcome.Resumable(err) || ctx.Err() != nil || !outcome.Pause(ctx, tries) {
			return calls.Errors.Read(ctx, "find in "+s.c.Namespace, err)
		}
	}
}

func (s *stream) validate() error {
	if err := s.c.Validate(); err != nil {
		return err
	}
	if s.after == nil {
		return nil
	}
	if len(s.after.Keys) != len(s.q.Order) {
		return &outcome.Error{Kind: docdb.ErrInvalid, Text: "find in " + s.c.Namespace + ": the position is not one of this order"}
	}
	return docdb.ValidateID(s.after.ID)
}

// pass reads one cursor to its end; cut says that the limit ended it.
func (s *stream) pass(ctx context.Context, limited bool) (cut bool, err error) {
	s.skipped = 0
	if s.yielded > 0 {
		s.after = s.last.position()
	}
	limit := 0
	if limited {
		limit = s.q.Limit - s.yielded
	}
	cursor, err := s.open(ctx, limit)
	if err != nil || cursor == nil {
		return false, err
	}
	defer s.close(ctx, cursor)
	served := 0
	for s.next(ctx, cursor) {
		served++
		if more, err := s.take(cursor.Current); !more {
			return false, err
		}
	}
	if err := cursor.Err(); err != nil {
		return false, err
	}
	return limited && served == limit, ctx.Err()
}

// next moves the cursor on. Only a step that sends a message to the server has a timeout.
func (s *stream) next(ctx context.Context, cursor *mongo.Cursor) bool {
	if cursor.RemainingBatchLength() > 0 {
		return ctx.Err() == nil && cursor.Next(ctx)
	}
	leave, err := s.c.scan(ctx)
	if err != nil {
		return false // pass returns the context's error
	}
	defer leave()
	ctx, cancel := s.c.shared.calls.Bounded(ctx)
	defer cancel()
	return cursor.Next(ctx)
}

// take yields a document if it is behind the stream's position; false ends the stream.
func (s *stream) take(current bson.Raw) (more bool, err error) {
	p := docdb.PositionOf(current, s.q.Order, s.q.Desc)
	if s.after != nil && docdb.ComparePositions(p, *s.after, s.q.Order, s.q.Desc) <= 0 {
		s.skipped++
		return true, nil
	}
	// An _id never changes, so a stream by _id always goes forward. If it goes back, the
	// server's order of values is not MongoDB's, and a copy that goes on from a position would
	// leave documents out. In an index a document may move meanwhile, so there the
	// order cannot be checked.
	if len(s.q.Order) == 0 && s.yielded > 0 && docdb.ComparePositions(p, s.last.at, nil, s.q.Desc) <= 0 {
		return false, &outcome.Error{Text: "find in " + s.c.Namespace + ": the server does not keep MongoDB's order of _id"}
	}
	s.last.set(p)
	if s.full = s.room(len(current)); s.full != nil {
		return false, s.full
	}
	if !s.yield(bytes.Clone(current), nil) {
		s.stopped = true
		return false, nil
	}
	s.yielded++
	return s.yielded != s.q.Limit, nil
}

// A place is a position with its own memory. A docdb.Position points into its document, whose
// memory belongs to the caller or is reused for the next batch.
type place struct {
	at     docdb.Position
	memory []byte
}

func (p *place) set(from docdb.Position) {
	p.memory, p.at.Keys = p.memory[:0], p.at.Keys[:0]
	for _, key := range from.Keys {
		p.at.Keys = append(p.at.Keys, p.keep(key))
	}
	p.at.ID = p.keep(from.ID)
}

func (p *place) keep(v bson.RawValue) bson.RawValue {
	start := len(p.memory)
	p.memory = append(p.memory, v.Value...)
	return bson.RawValue{Type: v.Type, Value: p.memory[start:]}
}

// position returns a copy, which a later set does not change.
func (p *place) position() *docdb.Position {
	var c place
	c.set(p.at)
	return &c.at
}

// close tells the server to close the cursor, even if the caller's context has ended. It ignores a
// failure, since the server closes idle cursors by itself.
func (s *stream) close(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = cursor.Close(ctx)
}

// open begins a cursor at the stream's position; nil if the collection does not exist.
func (s *stream) open(ctx context.Context, limit int) (*mongo.Cursor, error) {
	leave, err := s.c.scan(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := s.c.shared.calls.Bounded(ctx)
	defer cancel()
	order, err := s.c.order(ctx, s.q.Order, false)
	if err != nil || order == nil {
		return nil, err
	}
	cursor, err := s.cursor(ctx, order, limit)
	if !outcome.HasCode(err, outcome.BadValue) {
		return cursor, err
	}
	// The server has refused the hint: the index is gone, or was replaced by another.
	if order, err = s.c.order(ctx, s.q.Order, true); err != nil || order == nil {
		return nil, err
	}
	return s.cursor(ctx, order, limit)
}

func (s *stream) cursor(ctx context.Context, order bson.D, limit int) (*mongo.Cursor, error) {
	opts := options.Find().SetSort(directed(order, s.q.Desc)).SetBatchSize(s.batch())
	if !s.narrows(limit) {
		opts.SetHint(order)
	}
	if limit > 0 {
		opts.SetLimit(int64(limit))
	}
	var filter any = s.q.Filter.Document()
	if s.after != nil {
		behind := position.After(s.q.Order, s.q.Desc, *s.after)
		filter = behind
		if !s.q.Filter.IsZero() {
			filter = bson.D{{Key: "$and", Value: bson.A{s.q.Filter.Document(), behind}}}
		}
	}
	return s.c.coll.Find(ctx, filter, opts)
}

// batch returns how many documents to ask for at a time: all at once if the filter lists their
// _ids, though the server may send fewer. It asks for one more document than there can be, so
// that a page which ends with the collection ends the cursor as well.
func (s *stream) batch() int32 {
	most := batchDocuments
	if n := s.listed(); n > 0 {
		most = n + 1
	}
	if s.q.Limit > 0 {
		most = min(s.q.Limit-s.yielded+1, most)
	}
	return int32(most)
}

// listed returns how many _ids the filter lists, 0 if it has conditions on other paths.
func (s *stream) listed() (n int) {
	conditions, _ := s.q.Filter.Conditions()
	for _, c := range conditions {
		if c.Path != "_id" {
			return 0
		}
		if c.Op == "$in" {
			n = len(c.Values)
		}
	}
	return n
}

// narrows reports whether to let the server choose the index. In the order of _id, with a limit
// and conditions on other paths, an index on those paths may be better than a walk through all
// documents, and to sort what it finds the server keeps no more than the limit in memory. A list
// of _ids is looked up one by one, which not every compatible server does when it is told to walk
// the index.
func (s *stream) narrows(limit int) bool {
	if len(s.q.Order) == 0 && s.listed() > 0 {
		return true
	}
	if limit <= 0 || len(s.q.Order) > 0 {
		return false
	}
	conditions, _ := s.q.Filter.Conditions()
	return slices.ContainsFunc(conditions, func(c filter.Condition) bool { return c.Path != "_id" })
}

// directed returns the sort of a walk along an index, reversed if desc.
func directed(order bson.D, desc bool) bson.D {
	if !desc {
		return order
	}
	reversed := make(bson.D, len(order))
	for i, e := range order {
		reversed[i] = bson.E{Key: e.Key, Value: -e.Value.(int32)}
	}
	return reversed
}

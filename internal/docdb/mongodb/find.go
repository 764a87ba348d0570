package mongodb

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
)

const (
	// batchDocuments bounds a batch by number; the server bounds it by 16 MiB. A
	// stream holds one batch.
	batchDocuments = 500
	// resumeTries is how often in a row a stream is taken up again without a
	// document in between.
	resumeTries = 3
	// closeTimeout bounds telling the server that a cursor is not needed any more.
	closeTimeout = 2 * time.Second
)

// Find implements docdb.Collection.
//
// It reads one cursor over the index that has the order. A cursor does not
// survive a change of the primary, nor ten minutes without a read; then the stream goes on
// with a new one from its last document, which the order, being total, permits.
func (c *collection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
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
	c     *collection
	q     docdb.Query
	yield func(bson.Raw, error) bool
	room  meter.Room
	full  error // why there was no room for the next document

	after   *docdb.Position // where the cursor begins
	last    place           // the document yielded last
	yielded int
	skipped int  // documents of the cursor that were before after
	stopped bool // the loop over the stream was left
}

func (s *stream) run(ctx context.Context) error {
	e := s.c.engine()
	if err := s.validate(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	// With a limit the server ends the cursor by itself, which saves a message,
	// but then as many documents are missing at the end as are skipped.
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
		if tries > resumeTries || !resumable(err) || ctx.Err() != nil || !pause(ctx, tries) {
			return e.readFault(ctx, "find in "+s.c.ns, err)
		}
	}
}

func (s *stream) validate() error {
	if err := s.c.validate(); err != nil {
		return err
	}
	if s.after == nil {
		return nil
	}
	if len(s.after.Keys) != len(s.q.Order) {
		return &fault{is: docdb.ErrInvalid, text: "find in " + s.c.ns + ": the position is not one of this order"}
	}
	return docdb.ValidateID(s.after.ID)
}

// resumable reports whether a stream that broke with this error may go on with
// another cursor.
func resumable(err error) bool {
	code := codeOf(err)
	return hasLabel(err, labelNetwork) || code == codeCursorNotFound || notPrimaryCodes[code] ||
		interruptedCodes[code] && code != 50 && code != 175
}

// pass reads one cursor to its end; cut says that it ended by the server's limit.
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

// next moves the cursor on. Only a step that asks the server is bounded.
func (s *stream) next(ctx context.Context, cursor *mongo.Cursor) bool {
	if cursor.RemainingBatchLength() > 0 {
		return ctx.Err() == nil && cursor.Next(ctx)
	}
	leave, err := s.c.scan(ctx)
	if err != nil {
		return false // pass looks at the context
	}
	defer leave()
	ctx, cancel := s.c.engine().bounded(ctx)
	defer cancel()
	return cursor.Next(ctx)
}

// take yields a document, unless the position is behind it; false ends the stream.
func (s *stream) take(current bson.Raw) (more bool, err error) {
	p := docdb.PositionOf(current, s.q.Order, s.q.Desc)
	if s.after != nil && docdb.ComparePositions(p, *s.after, s.q.Order, s.q.Desc) <= 0 {
		s.skipped++
		return true, nil
	}
	// An _id never changes, so a stream by _id goes forward. If it does not, the server
	// orders values otherwise than MongoDB, and to go on from a position would
	// leave documents out of a copy. Of an index that cannot be told: a document may
	// have moved in it meanwhile.
	if len(s.q.Order) == 0 && s.yielded > 0 && docdb.ComparePositions(p, s.last.at, nil, s.q.Desc) <= 0 {
		return false, &fault{text: "find in " + s.c.ns + ": the server does not keep MongoDB's order of _id"}
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

// A place is a position in memory of its own: that of a document is the caller's,
// or the next batch's.
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

// position returns a copy, which a later set leaves as it is.
func (p *place) position() *docdb.Position {
	var c place
	c.set(p.at)
	return &c.at
}

// close tells the server that the cursor is done, also when the caller's context
// has ended. A failure is no concern: the server closes idle cursors.
func (s *stream) close(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = cursor.Close(ctx)
}

// open begins a cursor at the stream's place; nil if the collection does not exist.
func (s *stream) open(ctx context.Context, limit int) (*mongo.Cursor, error) {
	leave, err := s.c.scan(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := s.c.engine().bounded(ctx)
	defer cancel()
	order, err := s.c.order(ctx, s.q.Order, false)
	if err != nil || order == nil {
		return nil, err
	}
	cursor, err := s.cursor(ctx, order, limit)
	if !hasCode(err, codeBadValue) {
		return cursor, err
	}
	// The hint was refused: the index is gone, or is another one by now.
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
		position := after(s.q.Order, s.q.Desc, *s.after)
		filter = position
		if !s.q.Filter.IsZero() {
			filter = bson.D{{Key: "$and", Value: bson.A{s.q.Filter.Document(), position}}}
		}
	}
	return s.c.coll.Find(ctx, filter, opts)
}

// batch is how many documents to ask for at a time: those listed by _id all at once, as
// far as the server has room for them in a message. With one more than there can be, a
// page that ends with the collection ends the cursor as well.
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

// listed is how many _ids the filter lists, if it asks of nothing else.
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

// narrows reports whether the server had better choose the index: for the few documents
// in the order of _id that a filter selects by something else, one on that is better
// than a walk through all. To sort those few it keeps no more than the limit in memory.
// Of a list of _ids any server looks up each, which not every compatible one does when
// it is told to walk the index.
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

// directed returns the order of a walk along an index.
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

package concurrency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// Cancellations are about a context that is cancelled while a write is under way, for every
// kind of write.
var Cancellations = suite.Cases{
	"a cancelled Insert was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection()
		cancelAtRandom(s, racers, func(ctx context.Context, i int) error { return c.Insert(ctx, bsontest.Doc(i)) },
			func(i int) bool { return hasDocument(s, c, i) })
	},
	"a cancelled InsertMany was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection()
		cancelAtRandom(s, 2, func(ctx context.Context, i int) error {
			docs := make([]bson.Raw, 100)
			for n := range docs {
				docs[n] = bsontest.Doc(i*100 + n)
			}
			errs, err := c.InsertMany(ctx, docs)
			return errors.Join(append(errs, err)...)
		}, func(i int) bool { return hasDocument(s, c, i*100) && hasDocument(s, c, i*100+99) })
	},
	"a cancelled Replace was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection(suite.Index("i", "a"))
		s.Load(c, suite.Numbered(callsInAll(s, racers), func(int) []any { return nil }))
		cancelAtRandom(s, racers, func(ctx context.Context, i int) error {
			return c.Replace(ctx, bsontest.Value(i), suite.When("a", nil), bsontest.Doc(i, "a", i))
		},
			func(i int) bool { return len(s.Find(c, docdb.Query{Filter: suite.When("a", i)})) > 0 })
	},
	"a cancelled Delete was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection()
		s.Load(c, suite.Numbered(callsInAll(s, racers), func(int) []any { return nil }))
		cancelAtRandom(s, racers, func(ctx context.Context, i int) error { return c.Delete(ctx, bsontest.Value(i), suite.All) },
			func(i int) bool { return !hasDocument(s, c, i) })
	},
	"a cancelled Create was done, or never will be, as it says": func(s *suite.T) {
		cancelAtRandom(s, 1, func(ctx context.Context, i int) error { return s.DB.Create(ctx, fmt.Sprint("c", i)) },
			func(i int) bool { return hasCollection(s, fmt.Sprint("c", i)) })
	},
	"a cancelled Drop was done, or never will be, as it says": func(s *suite.T) {
		for i := range callsInAll(s, 1) {
			s.Must(s.DB.Create(s.Context(), fmt.Sprint("c", i)))
		}
		cancelAtRandom(s, 1, func(ctx context.Context, i int) error { return s.DB.Drop(ctx, fmt.Sprint("c", i)) },
			func(i int) bool { return !hasCollection(s, fmt.Sprint("c", i)) })
	},
	"a cancelled CreateIndex was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection()
		s.Load(c, suite.Numbered(500, func(i int) []any { return []any{"a", i} }))
		cancelAtRandom(s, 1, func(ctx context.Context, i int) error {
			return c.CreateIndex(ctx, suite.Index(fmt.Sprint("i", i), "a", fmt.Sprint("b", i)))
		},
			func(i int) bool { return hasIndex(s, c, fmt.Sprint("i", i)) })
	},
	"a cancelled DropIndex was done, or never will be, as it says": func(s *suite.T) {
		c := s.Collection()
		for i := range callsInAll(s, 1) {
			s.Must(c.CreateIndex(s.Context(), suite.Index(fmt.Sprint("i", i), fmt.Sprint("a", i))))
		}
		cancelAtRandom(s, 1, func(ctx context.Context, i int) error { return c.DropIndex(ctx, fmt.Sprint("i", i)) },
			func(i int) bool { return !hasIndex(s, c, fmt.Sprint("i", i)) })
	},
	"a cancelled CarryIndexes of one index was done, or never will be, as it says": func(s *suite.T) {
		for i := range callsInAll(s, 1) + 1 {
			s.Must(s.DB.Create(s.Context(), fmt.Sprint("c", i)))
		}
		from := fmt.Sprint("c", callsInAll(s, 1))
		s.Must(s.DB.Collection(from).CreateIndex(s.Context(), suite.Index("i", "a")))
		cancelAtRandom(s, 1, func(ctx context.Context, i int) error { return s.DB.CarryIndexes(ctx, from, fmt.Sprint("c", i)) },
			func(i int) bool { return hasIndex(s, s.DB.Collection(fmt.Sprint("c", i)), "i") })
	},
}

// callsInAll is how many calls cancelAtRandom makes, atOnce of them at a time.
func callsInAll(s *suite.T, atOnce int) int { return atOnce * max(5, s.Rounds/10) }

// cancelAtRandom makes calls and cancels all but the first batch, at a random time before or after
// their end. Each answer has to be definite, and to agree with what done finds in the storage, at
// once and when all calls have ended.
func cancelAtRandom(s *suite.T, atOnce int, call func(ctx context.Context, i int) error, done func(i int) bool) {
	s.Helper()
	began := time.Now()
	answers := suite.Race(atOnce, func(i int) error { return call(s.Context(), i) })
	s.Must(errors.Join(answers...))
	took := time.Since(began)
	for len(answers) < callsInAll(s, atOnce) {
		first := len(answers)
		ctx, cancel := context.WithCancel(s.Context())
		timer := time.AfterFunc(rand.N(took*3/2+1), cancel)
		answers = append(answers, suite.Race(atOnce, func(i int) error { return call(ctx, first+i) })...)
		timer.Stop()
		cancel()
		for i, err := range answers[first:] {
			agrees(s, first+i, err, done(first+i))
		}
	}
	for i, err := range answers {
		agrees(s, i, err, done(i))
	}
}

// agrees asserts that the answer of a cancelled write is definite and true.
func agrees(s *suite.T, i int, err error, done bool) {
	s.Helper()
	nothing := errors.Is(err, docdb.ErrUnavailable) && errors.Is(err, context.Canceled)
	if err != nil && (!nothing || errors.Is(err, docdb.ErrOutcomeUnknown)) || done != (err == nil) {
		s.Errorf("call %d: got error %v, and the write was done: %v", i, err, done)
	}
}

// hasDocument reports whether the collection has the document with that _id.
func hasDocument(s *suite.T, c docdb.Collection, id int) bool {
	s.Helper()
	_, err := c.Get(s.Context(), bsontest.Value(id))
	if err != nil {
		s.Fails(err, docdb.ErrNotFound)
	}
	return err == nil
}

// hasCollection reports whether the database has a collection of that name.
func hasCollection(s *suite.T, name string) bool {
	s.Helper()
	names, err := s.DB.List(s.Context(), name)
	s.Must(err)
	return slices.Contains(names, name)
}

// hasIndex reports whether the collection has an index of that name.
func hasIndex(s *suite.T, c docdb.Collection, name string) bool {
	s.Helper()
	list, err := c.Indexes(s.Context())
	s.Must(err)
	return slices.ContainsFunc(list, func(ix docdb.Index) bool { return ix.Name == name })
}

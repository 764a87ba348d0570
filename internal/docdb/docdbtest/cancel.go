package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// cancelCases are what the contract says of a context that is cancelled while a write is
// under way, for each that there is.
var cancelCases = map[string]func(*suite){
	"a cancelled Insert was done, or never will be, as it says": func(s *suite) {
		c := s.collection()
		s.hangUp(racers, func(ctx context.Context, i int) error { return c.Insert(ctx, Doc(i)) },
			func(i int) bool { return s.has(c, i) })
	},
	"a cancelled InsertMany was done, or never will be, as it says": func(s *suite) {
		c := s.collection()
		s.hangUp(2, func(ctx context.Context, i int) error {
			docs := make([]bson.Raw, 100)
			for n := range docs {
				docs[n] = Doc(i*100 + n)
			}
			errs, err := c.InsertMany(ctx, docs)
			return errors.Join(append(errs, err)...)
		}, func(i int) bool { return s.has(c, i*100) && s.has(c, i*100+99) })
	},
	"a cancelled Replace was done, or never will be, as it says": func(s *suite) {
		c := s.collection(index("i", "a"))
		s.load(c, numbered(s.hangUps(racers), func(int) []any { return nil }))
		s.hangUp(racers, func(ctx context.Context, i int) error {
			return c.Replace(ctx, Value(i), when("a", nil), Doc(i, "a", i))
		},
			func(i int) bool { return len(s.find(c, docdb.Query{Filter: when("a", i)})) > 0 })
	},
	"a cancelled Delete was done, or never will be, as it says": func(s *suite) {
		c := s.collection()
		s.load(c, numbered(s.hangUps(racers), func(int) []any { return nil }))
		s.hangUp(racers, func(ctx context.Context, i int) error { return c.Delete(ctx, Value(i), all) },
			func(i int) bool { return !s.has(c, i) })
	},
	"a cancelled Create was done, or never will be, as it says": func(s *suite) {
		s.hangUp(1, func(ctx context.Context, i int) error { return s.db.Create(ctx, fmt.Sprint("c", i)) },
			func(i int) bool { return s.there(fmt.Sprint("c", i)) })
	},
	"a cancelled Drop was done, or never will be, as it says": func(s *suite) {
		for i := range s.hangUps(1) {
			s.must(s.db.Create(s.Context(), fmt.Sprint("c", i)))
		}
		s.hangUp(1, func(ctx context.Context, i int) error { return s.db.Drop(ctx, fmt.Sprint("c", i)) },
			func(i int) bool { return !s.there(fmt.Sprint("c", i)) })
	},
	"a cancelled CreateIndex was done, or never will be, as it says": func(s *suite) {
		c := s.collection()
		s.load(c, numbered(500, func(i int) []any { return []any{"a", i} }))
		s.hangUp(1, func(ctx context.Context, i int) error {
			return c.CreateIndex(ctx, index(fmt.Sprint("i", i), "a", fmt.Sprint("b", i)))
		},
			func(i int) bool { return s.indexed(c, fmt.Sprint("i", i)) })
	},
	"a cancelled DropIndex was done, or never will be, as it says": func(s *suite) {
		c := s.collection()
		for i := range s.hangUps(1) {
			s.must(c.CreateIndex(s.Context(), index(fmt.Sprint("i", i), fmt.Sprint("a", i))))
		}
		s.hangUp(1, func(ctx context.Context, i int) error { return c.DropIndex(ctx, fmt.Sprint("i", i)) },
			func(i int) bool { return !s.indexed(c, fmt.Sprint("i", i)) })
	},
	"a cancelled CarryIndexes of one was done, or never will be, as it says": func(s *suite) {
		for i := range s.hangUps(1) + 1 {
			s.must(s.db.Create(s.Context(), fmt.Sprint("c", i)))
		}
		from := fmt.Sprint("c", s.hangUps(1))
		s.must(s.db.Collection(from).CreateIndex(s.Context(), index("i", "a")))
		s.hangUp(1, func(ctx context.Context, i int) error { return s.db.CarryIndexes(ctx, from, fmt.Sprint("c", i)) },
			func(i int) bool { return s.indexed(s.db.Collection(fmt.Sprint("c", i)), "i") })
	},
}

// hangUps is how many calls hangUp makes, some at a time.
func (s *suite) hangUps(atOnce int) int { return atOnce * max(5, s.opts.Rounds/10) }

// hangUp makes calls and hangs up on all but the first ones, at some time before or after
// their end. Each answer has to be definite, and to agree with what is there, at once and
// when all are through.
func (s *suite) hangUp(atOnce int, call func(ctx context.Context, i int) error, done func(i int) bool) {
	s.Helper()
	began := time.Now()
	answers := race(atOnce, func(i int) error { return call(s.Context(), i) })
	s.must(errors.Join(answers...))
	took := time.Since(began)
	for len(answers) < s.hangUps(atOnce) {
		first := len(answers)
		ctx, hang := context.WithCancel(s.Context())
		timer := time.AfterFunc(rand.N(took*3/2+1), hang)
		answers = append(answers, race(atOnce, func(i int) error { return call(ctx, first+i) })...)
		timer.Stop()
		hang()
		for i, err := range answers[first:] {
			s.agrees(first+i, err, done(first+i))
		}
	}
	for i, err := range answers {
		s.agrees(i, err, done(i))
	}
}

// agrees asks that a cancelled write's answer is definite and true.
func (s *suite) agrees(i int, err error, done bool) {
	s.Helper()
	nothing := errors.Is(err, docdb.ErrUnavailable) && errors.Is(err, context.Canceled)
	if err != nil && (!nothing || errors.Is(err, docdb.ErrOutcomeUnknown)) || done != (err == nil) {
		s.Errorf("call %d: got error %v, and it was done: %v", i, err, done)
	}
}

// has reports whether the document with that _id is there.
func (s *suite) has(c docdb.Collection, id int) bool {
	s.Helper()
	_, err := c.Get(s.Context(), Value(id))
	if err != nil {
		s.fails(err, docdb.ErrNotFound)
	}
	return err == nil
}

// there reports whether there is a collection of that name.
func (s *suite) there(name string) bool {
	s.Helper()
	names, err := s.db.List(s.Context(), name)
	s.must(err)
	return slices.Contains(names, name)
}

// indexed reports whether the collection has an index of that name.
func (s *suite) indexed(c docdb.Collection, name string) bool {
	s.Helper()
	list, err := c.Indexes(s.Context())
	s.must(err)
	return slices.ContainsFunc(list, func(ix docdb.Index) bool { return ix.Name == name })
}

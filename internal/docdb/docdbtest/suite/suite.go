// Package suite is what the cases of docdbtest share: the engine under test and an empty
// database (T), assertions on collections, sample documents, and the options by which a run
// leaves out what the server beneath an engine cannot do. The cases themselves are in the
// packages below it, by subject.
package suite

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// Options adapt a run to the engine under test. The zero Options leave out nothing.
type Options struct {
	// Rounds is how often a race is run; 0 is 200. A server that syncs a
	// hundred writes a second wants fewer.
	Rounds int
	// Lacks, if not nil, reports whether the server beneath cannot hold a value (it turns
	// the type into another, say) or misplaces it in an order. Cases about all types
	// leave such values out. Say in a comment which fault of the server is the reason.
	Lacks func(bson.RawValue) bool
	// Skip names the cases to skip, each with the reason, a fault of the server beneath.
	Skip map[string]string
	// Avoid, if not nil, reports whether a step that the differential test has
	// drawn meets a known fault of the server beneath; such a step is left out.
	// Say in a comment which fault. Faults of the engine itself are not for it.
	Avoid func(Step) bool
}

// A Step is what the differential test is about to do.
type Step struct {
	Document bson.Raw      // the document to insert or put in place, nil if none
	Filter   bson.Raw      // the filter or condition in MongoDB's form, empty if none
	Index    *docdb.Index  // the index to create, nil if none
	Query    *docdb.Query  // the query, nil if none
	Indexes  []docdb.Index // the collection's indexes
	Stored   []bson.Raw    // the collection's documents
}

// Cases maps sentences of the contract to the tests of them.
type Cases map[string]func(*T)

// T is the testing.T of one case, with the engine under test and an empty database.
type T struct {
	*testing.T
	Rounds  int
	Avoid   func(Step) bool
	Engine  docdb.Engine                    // shared by all cases
	Open    func(t *testing.T) docdb.Engine // opens an engine for this case only
	DB      docdb.Database                  // of this case only
	lacking func(bson.RawValue) bool
}

// New returns the T of a case; engine is shared by all cases.
func New(t *testing.T, engine docdb.Engine, open func(t *testing.T) docdb.Engine, opts Options) *T {
	s := &T{T: t, Rounds: opts.Rounds, Avoid: opts.Avoid, lacking: opts.Lacks, Engine: engine, Open: open}
	if s.Rounds == 0 {
		s.Rounds = 200
	}
	if s.lacking == nil {
		s.lacking = func(bson.RawValue) bool { return false }
	}
	if s.Avoid == nil {
		s.Avoid = func(Step) bool { return false }
	}
	s.DB = s.NewDatabase(engine)
	return s
}

// Lacks reports whether the server beneath lacks a value, or a value nested in it.
func (s *T) Lacks(v bson.RawValue) bool { return bsontest.Contains(v, s.lacking) }

// NewDatabase returns an empty database of the engine. The shared engine drops its collections
// in the end, since the other engine may be closed by then.
func (s *T) NewDatabase(engine docdb.Engine) docdb.Database {
	name := "docdbtest_" + strings.ToLower(rand.Text())
	s.Cleanup(func() {
		ctx, db := context.WithoutCancel(s.Context()), s.Engine.Database(name)
		names, err := db.List(ctx, "")
		s.Must(err)
		for _, name := range names {
			s.Must(db.Drop(ctx, name))
		}
	})
	return engine.Database(name)
}

// Collection creates a collection with indexes.
func (s *T) Collection(indexes ...docdb.Index) docdb.Collection {
	s.Helper()
	name := "c" + strings.ToLower(rand.Text())
	s.Must(s.DB.Create(s.Context(), name))
	c := s.DB.Collection(name)
	for _, ix := range indexes {
		s.Must(c.CreateIndex(s.Context(), ix))
	}
	return c
}

// Index describes an index; "-a" is the path a, descending.
func Index(name string, paths ...string) docdb.Index {
	ix := docdb.Index{Name: name}
	for _, p := range paths {
		path, desc := strings.CutPrefix(p, "-")
		ix.Keys = append(ix.Keys, docdb.Key{Path: path, Desc: desc})
	}
	return ix
}

// Unique describes a unique index, in the form of Index.
func Unique(name string, paths ...string) docdb.Index {
	ix := Index(name, paths...)
	ix.Unique = true
	return ix
}

// Insert inserts documents one by one.
func (s *T) Insert(c docdb.Collection, docs ...bson.Raw) {
	s.Helper()
	for _, doc := range docs {
		s.Must(c.Insert(s.Context(), doc))
	}
}

// Load inserts many documents.
func (s *T) Load(c docdb.Collection, docs []bson.Raw) {
	s.Helper()
	for part := range slices.Chunk(docs, 1000) {
		errs, err := c.InsertMany(s.Context(), part)
		s.Must(err)
		s.Must(errors.Join(errs...))
	}
}

// Find returns the documents that a query yields.
func (s *T) Find(c docdb.Collection, q docdb.Query) []bson.Raw {
	s.Helper()
	docs, err := Collect(s.Context(), c, q)
	s.Must(err)
	return docs
}

// Collect returns the documents that a query yields before its end or its error.
func Collect(ctx context.Context, c docdb.Collection, q docdb.Query) ([]bson.Raw, error) {
	var docs []bson.Raw
	for doc, err := range c.Find(ctx, q) {
		if err != nil {
			return docs, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// Filter parses a filter in MongoDB's form.
func (s *T) Filter(d bson.D) docdb.Filter {
	s.Helper()
	f, err := docdb.ParseFilter(bsontest.Raw(d))
	s.Must(err)
	return f
}

// Race runs n calls at once and returns their errors.
func Race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// Repeat runs a round Rounds/fraction times, but at least twice, until one fails.
func (s *T) Repeat(fraction int, round func(i int)) {
	s.Helper()
	for i := range max(2, s.Rounds/fraction) {
		round(i)
		if s.Failed() {
			s.Fatalf("in round %d", i)
		}
	}
}

// All is the filter that every document satisfies.
var All docdb.Filter

// When is the condition that a path equals a value.
func When(path string, value any) docdb.Filter { return docdb.Eq(path, value) }

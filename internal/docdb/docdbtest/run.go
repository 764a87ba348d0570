// Package docdbtest says what it takes to be a docdb.Engine, as tests: Run, which
// every engine passes, with a case for each sentence of docdb's contract. It also has an
// engine that fails, dies or is late at a chosen call (Faulty), the contract in its most obvious
// form (Model), and generators of values, documents and filters for property tests.
//
// Not covered by Run, because no portable test can: that acknowledged writes
// survive a crash of the process or the machine, that a read returns only what would, and
// the cost of Drop. Each engine's own tests have to.
package docdbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// Options adapt Run to the engine at hand. The zero Options hide nothing.
type Options struct {
	// Rounds is how often a race is run; 0 is 200. A server that syncs a
	// hundred writes a second wants fewer.
	Rounds int
	// Lacks, if not nil, reports whether the server beneath cannot hold a value, as
	// of a type that it turns into another, or misplaces it in an order. Such values are
	// left out of what the cases that are about all types write. Say in a comment which fault.
	Lacks func(bson.RawValue) bool
	// Skip names cases not to run, with the fault of the server beneath that is
	// the reason. They show as skipped, with the reason.
	Skip map[string]string
	// Avoid, if not nil, reports whether a step that the differential test has
	// drawn meets a known fault of the server beneath; such a step is left out.
	// Say in a comment which fault. It is not for faults of the engine.
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

// A suite is one Run.
type suite struct {
	*testing.T
	opts   Options
	engine docdb.Engine
	db     docdb.Database // empty, the case's own
	open   func(t *testing.T) docdb.Engine
}

// Run runs every case against engines that open returns. Open is called for the
// suite and again for cases that close an engine; Run closes each when it is done
// with it. Engines may share their storage: every case uses databases of its own, named
// "docdbtest_" and a random part, and drops the collections in them.
//
// The number of runs of the differential test, and a run to do again, are rapid's flags:
// -rapid.checks, -rapid.seed, -rapid.failfile.
func Run(t *testing.T, open func(t *testing.T) docdb.Engine, opts Options) {
	if opts.Rounds == 0 {
		opts.Rounds = 200
	}
	engine := open(t)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	groups := []map[string]func(*suite){engineCases, documentCases, writeCases, cancelCases, raceCases, findCases, pagingCases, indexCases, sizeCases, orderCases, differentialCases}
	for _, group := range groups {
		for _, name := range sortedKeys(group) {
			t.Run(name, func(t *testing.T) {
				if reason := opts.Skip[name]; reason != "" {
					t.Skip(reason)
				}
				s := &suite{T: t, opts: opts, engine: engine, open: open}
				s.db = s.newDatabase(engine)
				group[name](s)
			})
		}
	}
	for name := range opts.Skip {
		if !slices.ContainsFunc(groups, func(g map[string]func(*suite)) bool { return g[name] != nil }) {
			t.Errorf("Options.Skip names the case %q, which is not there", name)
		}
	}
}

// lacks reports whether a value is or holds one that Options.Lacks is about.
func (s *suite) lacks(v bson.RawValue) bool {
	if s.opts.Lacks == nil {
		return false
	}
	if s.opts.Lacks(v) {
		return true
	}
	var doc bson.Raw
	switch v.Type {
	case bson.TypeEmbeddedDocument, bson.TypeArray:
		doc = v.Value
	case bson.TypeCodeWithScope:
		_, doc = v.CodeWithScope()
	}
	values, err := doc.Values()
	return err == nil && slices.ContainsFunc(values, s.lacks)
}

// document is a document as a value, for lacks.
func document(doc bson.Raw) bson.RawValue {
	return bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}
}

func sortedKeys(cases map[string]func(*suite)) []string {
	names := make([]string, 0, len(cases))
	for name := range cases {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// newDatabase returns a database that is empty and emptied in the end, by the
// suite's engine, since the other may be closed by then.
func (s *suite) newDatabase(engine docdb.Engine) docdb.Database {
	name := "docdbtest_" + strings.ToLower(rand.Text())
	s.Cleanup(func() {
		ctx, db := context.WithoutCancel(s.Context()), s.engine.Database(name)
		names, err := db.List(ctx, "")
		s.must(err)
		for _, name := range names {
			s.must(db.Drop(ctx, name))
		}
	})
	return engine.Database(name)
}

// collection creates a collection with indexes.
func (s *suite) collection(indexes ...docdb.Index) docdb.Collection {
	s.Helper()
	name := "c" + strings.ToLower(rand.Text())
	s.must(s.db.Create(s.Context(), name))
	c := s.db.Collection(name)
	for _, ix := range indexes {
		s.must(c.CreateIndex(s.Context(), ix))
	}
	return c
}

// index describes an index; "-a" is the path a, descending.
func index(name string, paths ...string) docdb.Index {
	ix := docdb.Index{Name: name}
	for _, p := range paths {
		path, desc := strings.CutPrefix(p, "-")
		ix.Keys = append(ix.Keys, docdb.Key{Path: path, Desc: desc})
	}
	return ix
}

func unique(name string, paths ...string) docdb.Index {
	ix := index(name, paths...)
	ix.Unique = true
	return ix
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// fails asks for an error that is want.
func (s *suite) fails(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got error %v, want %v", err, want)
	}
}

// duplicates asks for a *docdb.DuplicateError that names the index.
func (s *suite) duplicates(err error, index string) {
	s.Helper()
	s.fails(err, docdb.ErrDuplicate)
	if got := (*docdb.DuplicateError)(nil); !errors.As(err, &got) || got.Index != index {
		s.Errorf("got error %v, want a *DuplicateError that names %q", err, index)
	}
}

// insert inserts documents one by one.
func (s *suite) insert(c docdb.Collection, docs ...bson.Raw) {
	s.Helper()
	for _, doc := range docs {
		s.must(c.Insert(s.Context(), doc))
	}
}

// load inserts many documents.
func (s *suite) load(c docdb.Collection, docs []bson.Raw) {
	s.Helper()
	for part := range slices.Chunk(docs, 1000) {
		errs, err := c.InsertMany(s.Context(), part)
		s.must(err)
		s.must(errors.Join(errs...))
	}
}

func (s *suite) find(c docdb.Collection, q docdb.Query) []bson.Raw {
	s.Helper()
	docs, err := collect(s.Context(), c, q)
	s.must(err)
	return docs
}

func collect(ctx context.Context, c docdb.Collection, q docdb.Query) ([]bson.Raw, error) {
	var docs []bson.Raw
	for doc, err := range c.Find(ctx, q) {
		if err != nil {
			return docs, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// holds asks that the collection holds exactly these documents, in any order, byte for byte.
func (s *suite) holds(c docdb.Collection, want ...bson.Raw) {
	s.Helper()
	s.same(s.find(c, docdb.Query{}), Select(want, docdb.Query{}))
}

// same asks for these documents in this order, byte for byte.
func (s *suite) same(got, want []bson.Raw) {
	s.Helper()
	if diff := differ(want, got); diff != "" {
		s.Errorf("documents (-want +got):\n%s", diff)
	}
}

// differ says how lists of documents differ, empty if they are the same byte for byte.
func differ(want, got []bson.Raw) string {
	if slices.EqualFunc(want, got, func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
		return ""
	}
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		return diff
	}
	return "they read the same, but their bytes are not"
}

func texts(docs []bson.Raw) []string {
	list := []string{}
	for _, doc := range docs {
		if len(doc) > 4096 {
			list = append(list, fmt.Sprintf("_id %v, %d bytes", docdb.ID(doc), len(doc)))
		} else {
			list = append(list, doc.String())
		}
	}
	return list
}

// ids reads the _ids, which are of type int32.
func ids(docs []bson.Raw) []int {
	list := []int{}
	for _, doc := range docs {
		list = append(list, int(docdb.ID(doc).Int32()))
	}
	return list
}

// inOrder asks for documents with these _ids in this order.
func (s *suite) inOrder(got []bson.Raw, want ...int) {
	s.Helper()
	if diff := cmp.Diff(append([]int{}, want...), ids(got)); diff != "" {
		s.Errorf("_ids (-want +got):\n%s", diff)
	}
}

// filter reads a filter given as a bson.D.
func (s *suite) filter(d bson.D) docdb.Filter {
	s.Helper()
	f, err := docdb.ParseFilter(Raw(d))
	s.must(err)
	return f
}

// race runs n calls at once and returns their errors.
func race(n int, call func(i int) error) []error {
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

// oneWins asks that exactly one call succeeded and all others failed with an
// error that is want; it returns the winner.
func (s *suite) oneWins(errs []error, want error) int {
	s.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			s.Fatalf("calls %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, want):
			s.Fatalf("call %d: got error %v, want %v", i, err, want)
		}
	}
	if winner < 0 {
		s.Fatalf("no call succeeded: %v", errors.Join(errs...))
	}
	return winner
}

// rounds runs a race as often as the options say, or a fraction of it.
func (s *suite) rounds(fraction int, round func(i int)) {
	s.Helper()
	for i := range max(2, s.opts.Rounds/fraction) {
		round(i)
		if s.Failed() {
			s.Fatalf("in round %d", i)
		}
	}
}

// all is the condition that always holds.
var all docdb.Filter

func when(path string, value any) docdb.Filter { return docdb.Eq(path, value) }

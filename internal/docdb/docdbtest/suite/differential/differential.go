// Package differential has the case of docdbtest that gives an engine and the model the same
// random calls, and compares their answers.
package differential

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

var Cases = suite.Cases{
	"the engine answers random calls as the model does": differentialCase,
}

// A rival makes the same calls on the engine under test and on the model.
type rival struct {
	*suite.T
	ctx     context.Context
	subject docdb.Collection
	model   docdb.Collection
	docs    []bson.Raw    // the model's
	indexes []docdb.Index // the model's
}

// differentialCase draws documents, indexes, writes and queries, and compares
// every answer with the model's. Rapid prints the draws of a run that fails, made
// as short as it can, and the seed to run it again.
func differentialCase(s *suite.T) {
	rounds := 0
	rapid.Check(s.T, func(t *rapid.T) {
		rounds++
		r := &rival{T: s, ctx: s.Context()}
		name, model := fmt.Sprint("c", rounds), model.New().Database("m")
		r.subject, r.model = s.DB.Collection(name), model.Collection(name)
		for _, db := range []docdb.Database{s.DB, model} {
			if err := db.Create(r.ctx, name); err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert":       r.insertStep,
			"insert many":  r.insertManyStep,
			"replace":      r.replaceStep,
			"delete":       r.deleteStep,
			"create index": r.createIndexStep,
			"drop index":   r.dropIndexStep,
			"find":         r.findStep,
			"find again":   r.findStep, // twice as likely
			"count":        r.countStep,
		})
		r.sameDocuments(t, docdb.Query{})
		if err := s.DB.Drop(r.ctx, name); err != nil {
			t.Fatal(err)
		}
	})
}

// try skips a step that suite.Options leaves out.
func (r *rival) try(t *rapid.T, step suite.Step) {
	step.Indexes, step.Stored = r.indexes, r.docs
	if step.Document != nil && r.Lacks(bsontest.Embedded(step.Document)) || step.Filter != nil && r.Lacks(bsontest.Embedded(step.Filter)) {
		t.Skip("holds a value that the server lacks")
	}
	if r.Avoid(step) {
		t.Skip("avoided")
	}
}

// outcomes are the errors that the contract tells apart.
var outcomes = []error{nil, docdb.ErrNotFound, docdb.ErrNoMatch, docdb.ErrDuplicate, docdb.ErrExists, docdb.ErrNoCollection, docdb.ErrNoIndex, docdb.ErrTooLarge, docdb.ErrInvalid}

func (r *rival) sameOutcome(t *rapid.T, got, want error) {
	t.Helper()
	for _, outcome := range outcomes {
		if refused(got) && refused(want) {
			break // two reasons apply, and the engine may give either
		}
		if errors.Is(want, outcome) != errors.Is(got, outcome) {
			t.Fatalf("the engine answers %v, the model %v", got, want)
		}
	}
	// The model holds this now.
	var err error
	if r.docs, err = suite.Collect(r.ctx, r.model, docdb.Query{}); err != nil {
		t.Fatal(err)
	}
	if r.indexes, err = r.model.Indexes(r.ctx); err != nil {
		t.Fatal(err)
	}
}

// refused reports whether a unique index or a rule refuses a document.
func refused(err error) bool {
	return errors.Is(err, docdb.ErrDuplicate) || errors.Is(err, docdb.ErrInvalid)
}

// differentialIDs are _ids of many types, no two equal.
var differentialIDs = []bson.RawValue{bsontest.Value(int32(1)), bsontest.Value(int64(2)), bsontest.Value(2.5), bsontest.Value(int64(1<<53 + 1)),
	bsontest.Value("a"), bsontest.Value("b"), bsontest.Value(""),
	bsontest.Value(nil), bsontest.Value(true), bsontest.Value(bson.ObjectID{1}), bsontest.Value(bson.D{{Key: "a", Value: int32(1)}}),
	bsontest.Value(bson.Binary{Data: []byte{1}}), bsontest.Value(bson.DateTime(5))}

func drawID(t *rapid.T) bson.RawValue {
	// Drawn by its position in the list, so that it prints short.
	return differentialIDs[rapid.IntRange(0, len(differentialIDs)-1).Draw(t, "_id")]
}

func (r *rival) drawDocument(t *rapid.T, id bson.RawValue) bson.Raw {
	doc := bsontest.AnyDocument(id).Draw(t, "document")
	t.Log(doc) // rapid prints it as bytes
	r.try(t, suite.Step{Document: doc})
	return doc
}

func (r *rival) drawFilter(t *rapid.T) docdb.Filter {
	raw := bsontest.AnyFilter(2).Draw(t, "filter")
	t.Log(raw)
	r.try(t, suite.Step{Filter: raw})
	f, err := docdb.ParseFilter(raw)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (r *rival) insertStep(t *rapid.T) {
	doc := r.drawDocument(t, drawID(t))
	r.sameOutcome(t, r.subject.Insert(r.ctx, doc), r.model.Insert(r.ctx, doc))
}

// insertManyStep inserts documents with different _ids, so that each has only one correct
// outcome. Of two documents with one unique key, either may take it, so the step is skipped
// while there is a unique index.
func (r *rival) insertManyStep(t *rapid.T) {
	if slices.ContainsFunc(r.indexes, func(ix docdb.Index) bool { return ix.Unique }) {
		t.Skip("there is a unique index")
	}
	var docs []bson.Raw
	for _, id := range differentialIDs {
		if rapid.Bool().Draw(t, "take "+id.String()) {
			docs = append(docs, r.drawDocument(t, id))
		}
	}
	got, err := r.subject.InsertMany(r.ctx, docs)
	want, wantErr := r.model.InsertMany(r.ctx, docs)
	if len(got) != len(want) {
		t.Fatalf("the engine answers %v, %v, the model %v, %v", got, err, want, wantErr)
	}
	r.sameOutcome(t, err, wantErr)
	for i := range want {
		r.sameOutcome(t, got[i], want[i])
	}
}

func (r *rival) replaceStep(t *rapid.T) {
	id, when := drawID(t), r.drawFilter(t)
	doc := r.drawDocument(t, id)
	r.sameOutcome(t, r.subject.Replace(r.ctx, id, when, doc), r.model.Replace(r.ctx, id, when, doc))
}

func (r *rival) deleteStep(t *rapid.T) {
	id, when := drawID(t), r.drawFilter(t)
	r.sameOutcome(t, r.subject.Delete(r.ctx, id, when), r.model.Delete(r.ctx, id, when))
}

func (r *rival) createIndexStep(t *rapid.T) {
	ix := docdb.Index{Name: rapid.SampledFrom([]string{"i", "j", "k"}).Draw(t, "name"), Unique: rapid.IntRange(0, 3).Draw(t, "unique") == 0}
	paths := bsontest.AnyPath().Filter(func(p string) bool { return p != "_id" })
	for _, p := range rapid.SliceOfNDistinct(paths, 1, 2, rapid.ID).Draw(t, "paths") {
		ix.Keys = append(ix.Keys, docdb.Key{Path: p, Desc: rapid.Bool().Draw(t, "desc")})
	}
	r.try(t, suite.Step{Index: &ix})
	r.sameOutcome(t, r.subject.CreateIndex(r.ctx, ix), r.model.CreateIndex(r.ctx, ix))
}

func (r *rival) dropIndexStep(t *rapid.T) {
	name := rapid.SampledFrom([]string{"i", "j", "k"}).Draw(t, "name")
	r.sameOutcome(t, r.subject.DropIndex(r.ctx, name), r.model.DropIndex(r.ctx, name))
	got, err := r.subject.Indexes(r.ctx)
	if diff := cmp.Diff(append([]docdb.Index{}, r.indexes...), append([]docdb.Index{}, got...)); err != nil || diff != "" {
		t.Fatalf("indexes: %v (-model +engine):\n%s", err, diff)
	}
}

func (r *rival) findStep(t *rapid.T) {
	raw := bsontest.AnyFilter(2).Draw(t, "filter")
	t.Log(raw)
	q := docdb.Query{Desc: rapid.Bool().Draw(t, "desc"), Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	if len(r.indexes) > 0 && rapid.IntRange(0, 3).Draw(t, "by index") > 0 {
		q.Order = rapid.SampledFrom(r.indexes).Draw(t, "index").Keys
	}
	switch from := rapid.IntRange(0, 3).Draw(t, "after"); {
	case from == 1 && len(r.docs) > 0: // a document that is there
		at := docdb.PositionOf(r.docs[rapid.IntRange(0, len(r.docs)-1).Draw(t, "from")], q.Order, q.Desc)
		q.After = &at
	case from == 2: // a document that may not be there
		doc := r.drawDocument(t, drawID(t))
		at := docdb.PositionOf(doc, q.Order, q.Desc)
		q.After = &at
	}
	r.try(t, suite.Step{Filter: raw, Query: &q})
	var err error
	if q.Filter, err = docdb.ParseFilter(raw); err != nil {
		t.Fatal(err)
	}
	r.sameDocuments(t, q)
}

func (r *rival) sameDocuments(t *rapid.T, q docdb.Query) {
	t.Helper()
	got, err := suite.Collect(r.ctx, r.subject, q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := suite.Diff(model.Select(r.docs, q), got); diff != "" {
		t.Fatalf("filter %v, order %v, descending %v, after %v, limit %d (-model +engine):\n%s", q.Filter.Document(), q.Order, q.Desc, q.After, q.Limit, diff)
	}
}

func (r *rival) countStep(t *rapid.T) {
	f := r.drawFilter(t)
	got, err := r.subject.Count(r.ctx, f)
	if want := len(model.Select(r.docs, docdb.Query{Filter: f})); err != nil || got != int64(want) {
		t.Fatalf("%v: the engine counts %d, %v, the model %d", f.Document(), got, err, want)
	}
}

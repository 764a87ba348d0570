package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
)

var differentialCases = map[string]func(*suite){
	"whatever is asked of it, it answers as the model does": differentialCase,
}

// A rival asks an engine and the model the same.
type rival struct {
	*suite
	ctx     context.Context
	avoid   func(Step) bool
	engine  docdb.Collection
	model   docdb.Collection
	docs    []bson.Raw    // what the model holds
	indexes []docdb.Index // the model's
}

// differentialCase draws documents, indexes, writes and queries, and compares
// every answer with the model's. Rapid prints the draws of a run that fails, made
// as short as it can, and the seed to run it again.
func differentialCase(s *suite) {
	rounds := 0
	rapid.Check(s.T, func(t *rapid.T) {
		rounds++
		r := &rival{suite: s, ctx: s.Context(), avoid: s.opts.Avoid}
		name, model := fmt.Sprint("c", rounds), NewModel().Database("m")
		r.engine, r.model = s.db.Collection(name), model.Collection(name)
		for _, db := range []docdb.Database{s.db, model} {
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
		if err := s.db.Drop(r.ctx, name); err != nil {
			t.Fatal(err)
		}
	})
}

// try leaves a step out that Options.Avoid or Lacks want left out.
func (r *rival) try(t *rapid.T, step Step) {
	step.Indexes, step.Stored = r.indexes, r.docs
	if step.Document != nil && r.lacks(document(step.Document)) || step.Filter != nil && r.lacks(document(step.Filter)) {
		t.Skip("holds a value that the server lacks")
	}
	if r.avoid != nil && r.avoid(step) {
		t.Skip("avoided")
	}
}

// outcomes are the errors that the contract tells apart.
var outcomes = []error{nil, docdb.ErrNotFound, docdb.ErrNoMatch, docdb.ErrDuplicate, docdb.ErrExists, docdb.ErrNoCollection, docdb.ErrNoIndex, docdb.ErrTooLarge, docdb.ErrInvalid}

func (r *rival) sameOutcome(t *rapid.T, got, want error) {
	t.Helper()
	for _, outcome := range outcomes {
		if refused(got) && refused(want) {
			break // for two reasons at once, of which either may be given
		}
		if errors.Is(want, outcome) != errors.Is(got, outcome) {
			t.Fatalf("the engine answers %v, the model %v", got, want)
		}
	}
	// What the model holds now.
	var err error
	if r.docs, err = collect(r.ctx, r.model, docdb.Query{}); err != nil {
		t.Fatal(err)
	}
	if r.indexes, err = r.model.Indexes(r.ctx); err != nil {
		t.Fatal(err)
	}
}

// refused reports whether an index, or a rule, refuses what is written.
func refused(err error) bool {
	return errors.Is(err, docdb.ErrDuplicate) || errors.Is(err, docdb.ErrInvalid)
}

// differentialIDs are _ids of many types, no two equal.
var differentialIDs = []bson.RawValue{Value(int32(1)), Value(int64(2)), Value(2.5), Value(int64(1<<53 + 1)), Value("a"), Value("b"), Value(""),
	Value(nil), Value(true), Value(bson.ObjectID{1}), Value(bson.D{{Key: "a", Value: int32(1)}}), Value(bson.Binary{Data: []byte{1}}), Value(bson.DateTime(5))}

func drawID(t *rapid.T) bson.RawValue {
	// Drawn by its place, so that it prints short.
	return differentialIDs[rapid.IntRange(0, len(differentialIDs)-1).Draw(t, "_id")]
}

func (r *rival) drawDocument(t *rapid.T, id bson.RawValue) bson.Raw {
	doc := Document(id).Draw(t, "document")
	t.Log(doc) // rapid prints it as bytes
	r.try(t, Step{Document: doc})
	return doc
}

func (r *rival) drawFilter(t *rapid.T) docdb.Filter {
	raw := Filter(2).Draw(t, "filter")
	t.Log(raw)
	r.try(t, Step{Filter: raw})
	f, err := docdb.ParseFilter(raw)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (r *rival) insertStep(t *rapid.T) {
	doc := r.drawDocument(t, drawID(t))
	r.sameOutcome(t, r.engine.Insert(r.ctx, doc), r.model.Insert(r.ctx, doc))
}

// insertManyStep inserts documents with _ids in order, so that each has one
// outcome, and unique keys are left to the engine: those that clash within one call are
// taken by either, so none is drawn while there is a unique index.
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
	got, err := r.engine.InsertMany(r.ctx, docs)
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
	r.sameOutcome(t, r.engine.Replace(r.ctx, id, when, doc), r.model.Replace(r.ctx, id, when, doc))
}

func (r *rival) deleteStep(t *rapid.T) {
	id, when := drawID(t), r.drawFilter(t)
	r.sameOutcome(t, r.engine.Delete(r.ctx, id, when), r.model.Delete(r.ctx, id, when))
}

func (r *rival) createIndexStep(t *rapid.T) {
	ix := docdb.Index{Name: rapid.SampledFrom([]string{"i", "j", "k"}).Draw(t, "name"), Unique: rapid.IntRange(0, 3).Draw(t, "unique") == 0}
	paths := Path().Filter(func(p string) bool { return p != "_id" })
	for _, p := range rapid.SliceOfNDistinct(paths, 1, 2, rapid.ID).Draw(t, "paths") {
		ix.Keys = append(ix.Keys, docdb.Key{Path: p, Desc: rapid.Bool().Draw(t, "desc")})
	}
	r.try(t, Step{Index: &ix})
	r.sameOutcome(t, r.engine.CreateIndex(r.ctx, ix), r.model.CreateIndex(r.ctx, ix))
}

func (r *rival) dropIndexStep(t *rapid.T) {
	name := rapid.SampledFrom([]string{"i", "j", "k"}).Draw(t, "name")
	r.sameOutcome(t, r.engine.DropIndex(r.ctx, name), r.model.DropIndex(r.ctx, name))
	got, err := r.engine.Indexes(r.ctx)
	if diff := cmp.Diff(append([]docdb.Index{}, r.indexes...), append([]docdb.Index{}, got...)); err != nil || diff != "" {
		t.Fatalf("indexes: %v (-model +engine):\n%s", err, diff)
	}
}

func (r *rival) findStep(t *rapid.T) {
	raw := Filter(2).Draw(t, "filter")
	t.Log(raw)
	q := docdb.Query{Desc: rapid.Bool().Draw(t, "desc"), Limit: rapid.IntRange(0, 4).Draw(t, "limit")}
	if len(r.indexes) > 0 && rapid.IntRange(0, 3).Draw(t, "by index") > 0 {
		q.Order = rapid.SampledFrom(r.indexes).Draw(t, "index").Keys
	}
	switch from := rapid.IntRange(0, 3).Draw(t, "after"); {
	case from == 1 && len(r.docs) > 0: // a document that is there
		at := docdb.PositionOf(r.docs[rapid.IntRange(0, len(r.docs)-1).Draw(t, "from")], q.Order, q.Desc)
		q.After = &at
	case from == 2: // one that may not be
		doc := r.drawDocument(t, drawID(t))
		at := docdb.PositionOf(doc, q.Order, q.Desc)
		q.After = &at
	}
	r.try(t, Step{Filter: raw, Query: &q})
	var err error
	if q.Filter, err = docdb.ParseFilter(raw); err != nil {
		t.Fatal(err)
	}
	r.sameDocuments(t, q)
}

func (r *rival) sameDocuments(t *rapid.T, q docdb.Query) {
	t.Helper()
	got, err := collect(r.ctx, r.engine, q)
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(Select(r.docs, q), got); diff != "" {
		t.Fatalf("filter %v, order %v, descending %v, after %v, limit %d (-model +engine):\n%s", q.Filter.Document(), q.Order, q.Desc, q.After, q.Limit, diff)
	}
}

func (r *rival) countStep(t *rapid.T) {
	f := r.drawFilter(t)
	got, err := r.engine.Count(r.ctx, f)
	if want := len(Select(r.docs, docdb.Query{Filter: f})); err != nil || got != int64(want) {
		t.Fatalf("%v: the engine counts %d, %v, the model %d", f.Document(), got, err, want)
	}
}

// TwoSidedRange reports whether a filter in MongoDB's form has a lower and an
// upper bound on one path, for Options.Avoid.
func TwoSidedRange(filter bson.Raw) bool {
	bounds := map[string]int{}
	findBounds(filter, "", bounds)
	for _, sides := range bounds {
		if sides == 3 {
			return true
		}
	}
	return false
}

// findBounds collects, by path, 1 for a lower bound and 2 for an upper one.
func findBounds(doc bson.Raw, path string, bounds map[string]int) {
	elements, err := doc.Elements()
	if err != nil {
		return
	}
	for _, e := range elements {
		key, v := e.Key(), e.Value()
		switch key {
		case "$gt", "$gte":
			bounds[path] |= 1
		case "$lt", "$lte":
			bounds[path] |= 2
		case "$and", "$or":
			list, _ := v.Array().Values()
			for _, kid := range list {
				findBounds(kid.Document(), "", bounds)
			}
		default:
			at := path
			if key[0] != '$' {
				at = key
			}
			if kid, ok := v.DocumentOK(); ok {
				findBounds(kid, at, bounds)
			}
		}
	}
}

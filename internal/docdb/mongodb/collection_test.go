package mongodb_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// driver returns the collection as users see it with MongoDB's own tools.
func driver(t *testing.T, database string) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(mongotest.URI(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return client.Database(database).Collection("c")
}

func TestInsertManyAnswersByPosition(t *testing.T) {
	c := create(t, mongotest.URI(t))
	for _, ix := range []docdb.Index{
		{Name: "by-a", Keys: []docdb.Key{{Path: "a"}}, Unique: true},
		{Name: "by-b.c", Keys: []docdb.Key{{Path: "b"}, {Path: "c", Desc: true}}, Unique: true},
	} {
		ix.Name = ix.Name[:4]
		if err := c.CreateIndex(t.Context(), ix); err != nil {
			t.Fatal(err)
		}
	}
	doc := func(id any, a, b, c int) bson.Raw {
		return raw(t, bson.D{{Key: "_id", Value: id}, {Key: "a", Value: a}, {Key: "b", Value: b}, {Key: "c", Value: c}})
	}
	insert(t, c, doc(1, 1, 1, 1))
	many := []bson.Raw{
		doc(2, 2, 2, 2),
		doc(1, 3, 3, 3),                      // the _id is taken
		raw(t, bson.D{{Key: "a", Value: 4}}), // no _id
		doc(5, 1, 5, 5),                      // a is taken
		bsontest.Sized(6, docdb.MaxDocumentSize+1),
		doc(7, 7, 1, 1), // b and c are taken
		doc(8, 8, 1, 2),
		doc(2, 9, 9, 9), // the _id is taken by the first
	}
	errs, err := c.InsertMany(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, err := range errs {
		var duplicate *docdb.DuplicateError
		switch {
		case errors.As(err, &duplicate):
			got = append(got, duplicate.Index)
		case errors.Is(err, docdb.ErrInvalid):
			got = append(got, "invalid")
		case errors.Is(err, docdb.ErrTooLarge):
			got = append(got, "too large")
		case err == nil:
			got = append(got, "")
		default:
			got = append(got, err.Error())
		}
	}
	if diff := cmp.Diff([]string{"", "_id_", "invalid", "by-a", "too large", "by-b", "", "_id_"}, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if n := len(find(t, c, docdb.Query{})); n != 3 {
		t.Errorf("%d documents, want 3", n)
	}
}

func TestIndexesMadeByOthers(t *testing.T) {
	uri, name := mongotest.URI(t), mongotest.Database(t)
	db := open(t, mongodb.Config{URI: uri}).Database(name)
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	c, theirs := db.Collection("c"), driver(t, name)
	for _, m := range []mongo.IndexModel{
		{Keys: bson.D{{Key: "plain", Value: 1}}},
		{Keys: bson.D{{Key: "sparse", Value: 1}}, Options: options.Index().SetSparse(true).SetUnique(true)},
		{Keys: bson.D{{Key: "same", Value: 1}, {Key: "_id", Value: 1}}, Options: options.Index().SetName("same")},
		{Keys: bson.D{{Key: "unique", Value: -1}}, Options: options.Index().SetName("unique").SetUnique(true)},
	} {
		if _, err := theirs.Indexes().CreateOne(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Indexes(t.Context())
	want := []docdb.Index{{Name: "same", Keys: []docdb.Key{{Path: "same"}}}, {Name: "unique", Keys: []docdb.Key{{Path: "unique", Desc: true}}, Unique: true}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, indexes (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{"plain_1", "sparse_1", "*", docdb.IDIndex, ""} {
		isOutcome(t, c.DropIndex(t.Context(), name), docdb.ErrNotFound)
	}
	for doc, err := range c.Find(t.Context(), docdb.Query{Order: []docdb.Key{{Path: "plain"}}}) {
		if !errors.Is(err, docdb.ErrNoIndex) {
			t.Errorf("by an index without _id: %v, %v", doc, err)
		}
	}
	isOutcome(t, c.CreateIndex(t.Context(), docdb.Index{Name: "plain_1", Keys: []docdb.Key{{Path: "plain"}}}), docdb.ErrExists)
	specs, err := theirs.Indexes().ListSpecifications(t.Context())
	if err != nil || len(specs) != 5 {
		t.Errorf("%v, %d indexes, want 5", err, len(specs))
	}
	// A plain index of docdb beside theirs on the same keys.
	if err := c.CreateIndex(t.Context(), docdb.Index{Name: "mine", Keys: []docdb.Key{{Path: "plain"}}}); err != nil {
		t.Error(err)
	}
}

// TestOrderAfterAnotherProcessChangedTheIndexes: Find asks the server again when what it remembers
// of an index is wrong.
func TestOrderAfterAnotherProcessChangedTheIndexes(t *testing.T) {
	uri, name := mongotest.URI(t), mongotest.Database(t)
	db := open(t, mongodb.Config{URI: uri}).Database(name)
	other := open(t, mongodb.Config{URI: uri}).Database(name).Collection("c")
	if err := db.Create(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	c := db.Collection("c")
	insert(t, c, bson.D{{Key: "_id", Value: 1}, {Key: "a", Value: 2}}, bson.D{{Key: "_id", Value: 2}, {Key: "a", Value: 1}})
	keys := []docdb.Key{{Path: "a"}}
	ids := func() (ids []int64) {
		for _, doc := range find(t, c, docdb.Query{Order: keys}) {
			ids = append(ids, docdb.ID(doc).AsInt64())
		}
		return ids
	}
	for _, unique := range []bool{false, true, false} {
		if err := other.CreateIndex(t.Context(), docdb.Index{Name: "a", Keys: keys, Unique: unique}); err != nil {
			t.Fatal(err)
		}
		if got := ids(); !slices.Equal(got, []int64{2, 1}) {
			t.Errorf("unique %t: got %v", unique, got)
		}
		if err := other.DropIndex(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	for doc, err := range c.Find(t.Context(), docdb.Query{Order: keys}) {
		if !errors.Is(err, docdb.ErrNoIndex) {
			t.Errorf("without an index: %v, %v", doc, err)
		}
	}
}

func TestListLeavesOutCollectionsThatAreNotDocdbs(t *testing.T) {
	uri, name := mongotest.URI(t), mongotest.Database(t)
	db := open(t, mongodb.Config{URI: uri}).Database(name)
	theirs := driver(t, name).Database()
	for _, name := range []string{"c", "c.2", "cx2", "d"} {
		if err := db.Create(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := theirs.CreateView(t.Context(), "c.view", "c", mongo.Pipeline{}); err != nil {
		t.Fatal(err)
	}
	if err := theirs.CreateCollection(t.Context(), "c with spaces"); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{"": {"c", "c.2", "cx2", "d"}, "c": {"c", "c.2", "cx2"}, "c.": {"c.2"}, "c.*": {}, "x": {}} {
		got, err := db.List(t.Context(), prefix)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("List(%q): %v (-want +got):\n%s", prefix, err, diff)
		}
	}
	isOutcome(t, db.Create(t.Context(), "c.view"), docdb.ErrExists)
}

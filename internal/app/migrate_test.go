package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// everyType has a value of every type of BSON, and of some the ones at the edge.
// The deprecated ones are left out for the stand-in, which turns them into others.
func everyType(deprecated bool) bson.D {
	decimal, _ := bson.ParseDecimal128("-0.00100E-6000")
	d := bson.D{
		{Key: "double", Value: 1.5}, {Key: "nan", Value: math.NaN()}, {Key: "infinity", Value: math.Inf(-1)}, {Key: "minus zero", Value: math.Copysign(0, -1)},
		{Key: "string", Value: "Ünï\u0000cödé 🚀"}, {Key: "empty string", Value: ""}, {Key: "a.b", Value: "a dot"},
		{Key: "object", Value: bson.D{{Key: "b", Value: 1}, {Key: "", Value: bson.D{}}, {Key: "$c", Value: "a dollar"}}}, {Key: "array", Value: bson.A{1, "two", bson.A{}, nil, bson.D{{Key: "x", Value: 1}}}},
		{Key: "binary", Value: bson.Binary{Data: []byte{0, 255}}}, {Key: "uuid", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}}, {Key: "own", Value: bson.Binary{Subtype: 128, Data: []byte("x")}},
		{Key: "id", Value: bson.NewObjectID()}, {Key: "true", Value: true}, {Key: "false", Value: false}, {Key: "null", Value: nil},
		{Key: "date", Value: bson.NewDateTimeFromTime(time.Unix(-1, 5e6))}, {Key: "regex", Value: bson.Regex{Pattern: "^a", Options: "im"}},
		{Key: "code", Value: bson.JavaScript("function(){}")}, {Key: "int32", Value: int32(math.MinInt32)}, {Key: "int64", Value: int64(math.MaxInt64)}, {Key: "small int64", Value: int64(1)},
		{Key: "timestamp", Value: bson.Timestamp{T: 1, I: 2}}, {Key: "decimal", Value: decimal}, {Key: "min", Value: bson.MinKey{}}, {Key: "max", Value: bson.MaxKey{}},
	}
	if deprecated {
		d = append(d, bson.E{Key: "undefined", Value: bson.Undefined{}}, bson.E{Key: "symbol", Value: bson.Symbol("s")},
			bson.E{Key: "dbpointer", Value: bson.DBPointer{DB: "db.c", Pointer: bson.NewObjectID()}},
			bson.E{Key: "code with scope", Value: bson.CodeWithScope{Code: "f()", Scope: bson.D{{Key: "x", Value: 1}}}})
	}
	return d
}

// manyDocuments are of every type, with ids of many, more than one batch of a
// copy, and one that is large.
func manyDocuments(t *testing.T, deprecated bool) []bson.Raw {
	t.Helper()
	var docs []bson.Raw
	add := func(id any, fields bson.D) {
		raw, err := bson.Marshal(append(bson.D{{Key: "_id", Value: id}, {Key: "own id", Value: len(docs)}}, fields...))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, raw)
	}
	for _, id := range []any{"text", 7, -1.5, bson.NewObjectID(), true, bson.DateTime(1), bson.Binary{Data: []byte("x")}, bson.D{{Key: "a", Value: 1}}, nil} {
		add(id, everyType(deprecated))
	}
	add("large", bson.D{{Key: "n", Value: -1}, {Key: "text", Value: strings.Repeat("x", 6<<20)}})
	for i := range 1100 {
		add(fmt.Sprintf("doc%04d", i), bson.D{{Key: "n", Value: i}, {Key: "tags", Value: bson.A{"a", i % 7}}, {Key: "nested", Value: bson.D{{Key: "k", Value: i % 3}}}})
	}
	return docs
}

var someIndexes = []docdb.Index{
	{Name: "by_n", Keys: []docdb.Key{{Path: "n", Desc: true}}},
	{Name: "by_tags_and_kind", Keys: []docdb.Key{{Path: "tags"}, {Path: "nested.k", Desc: true}}},
	{Name: "unique_anything", Keys: []docdb.Key{{Path: "own id"}}, Unique: true},
}

// TestUpdateOnTheEmbeddedEngineKeepsEveryDocumentAndIndex plants what no operation
// can write yet, with the server stopped: the engine belongs to one process.
func TestUpdateOnTheEmbeddedEngineKeepsEveryDocumentAndIndex(t *testing.T) {
	t.Parallel()
	w := start(t)
	acc := w.account("Acme")
	var planted []bson.Raw
	w.withEngine(func(e docdb.Engine) {
		c := e.Database(w.Config.TenantDBName).Collection(acc.collection)
		for _, ix := range someIndexes {
			if err := c.CreateIndex(t.Context(), ix); err != nil {
				t.Fatal(err)
			}
		}
		for docs := range slices.Chunk(manyDocuments(t, true), 500) {
			results, err := c.InsertMany(t.Context(), docs)
			if err = errors.Join(append(results, err)...); err != nil {
				t.Fatal(err)
			}
		}
		planted = w.documents(c)
	})
	w.Server = apptest.StartWith(t, w.Config)
	w.journal.follow(w.Server)
	moved := w.do("PUT", "/org/update", object("organization_name", "Globex"), acc.auth).is(200).text("collection_name")
	w.Stop(t)
	e, err := embedded.Open(embedded.Config{Dir: filepath.Join(w.Config.DataDir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	db := e.Database(w.Config.TenantDBName)
	same(t, planted, w.documents(db.Collection(moved)))
	indexes, err := db.Collection(moved).Indexes(t.Context())
	if diff := cmp.Diff(someIndexes, indexes); err != nil || diff != "" {
		t.Errorf("indexes (-want +got): %v\n%s", err, diff)
	}
	if names, err := db.List(t.Context(), ""); err != nil || !slices.Equal(names, []string{moved}) {
		t.Errorf("collections %q, %v; want only %s", names, err, moved)
	}
}

func same(t *testing.T, want, got []bson.Raw) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d documents have become %d", len(want), len(got))
	}
	for i := range min(len(want), len(got)) {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("document %d: %.500s has become %.500s", i, want[i], got[i])
		}
	}
}

// all reads a collection as the server has it.
func all(t *testing.T, c *mongo.Collection) []bson.Raw {
	t.Helper()
	cursor, err := c.Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	var docs []bson.Raw
	if err := cursor.All(t.Context(), &docs); err != nil {
		t.Fatal(err)
	}
	return docs
}

// TestUpdateOnMongoDBKeepsEveryDocument plants documents with the driver, as the
// organization's own programs would, and compares what the server has before and after.
func TestUpdateOnMongoDBKeepsEveryDocument(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	acc := w.account("Acme")
	db := w.tenantDB()
	docs := []any{}
	for _, doc := range manyDocuments(t, !mongotest.IsStandIn()) {
		docs = append(docs, doc)
	}
	if _, err := db.Collection(acc.collection).InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	before := all(t, db.Collection(acc.collection))
	if len(before) != len(docs) {
		t.Fatalf("%d documents were planted, %d are there", len(docs), len(before))
	}
	moved := w.do("PUT", "/org/update", `{"organization_name":"Globex"}`, acc.auth).is(200).text("collection_name")
	same(t, before, all(t, db.Collection(moved)))
	if names, err := db.ListCollectionNames(t.Context(), bson.D{}); err != nil || !slices.Equal(names, []string{moved}) {
		t.Errorf("collections %q, %v; want only %s", names, err, moved)
	}
	stays := w.do("PUT", "/org/update", `{"organization_name":"Initech","migrate":false}`, acc.auth).is(200).text("collection_name")
	if stays != moved {
		t.Errorf("migrate: false has moved the data from %s to %s", moved, stays)
	}
}

// MongoDB takes documents that orgd itself would not write. One of them must not
// wedge its organization: it is moved, or the update says that it cannot be and
// everything is as it was.
func TestADocumentThatOrgdWouldNotWriteWedgesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	t.Parallel()
	w := startMongo(t)
	for i, fields := range []bson.D{{{Key: "", Value: 1}}, {{Key: "$set", Value: 1}}} {
		acc := w.account(fmt.Sprint("Acme ", i))
		planted := w.tenantDB().Collection(acc.collection)
		if _, err := planted.InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: "odd"}}, fields...)); err != nil {
			t.Logf("the server refuses %v: %v", fields, err)
			continue
		}
		before := all(t, planted)
		a := w.do("PUT", "/org/update", object("organization_name", fmt.Sprint("Globex ", i)), acc.auth)
		if a.status == 422 {
			a.is(422, "invalid")
			same(t, before, all(t, planted))
			w.do("GET", getPath(acc.name), "", acc.auth).is(200).hasExactly(organizationKeys)
		} else {
			same(t, before, all(t, w.tenantDB().Collection(a.is(200).text("collection_name"))))
		}
		w.do("PUT", "/org/update", `{"migrate":false}`, acc.auth).is(200)
		w.do("DELETE", "/org/delete", "", acc.auth).is(200)
	}
}

// Indexes made with MongoDB's own tools are the organization's as well: what they
// do (uniqueness, expiry) must go on after a move.
func TestUpdateOnMongoDBKeepsEveryIndex(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	acc := w.account("Acme")
	db := w.tenantDB()
	if _, err := db.Collection(acc.collection).InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "email", Value: "x"}}); err != nil {
		t.Fatal(err)
	}
	for _, ix := range []mongo.IndexModel{
		{Keys: bson.D{{Key: "plain", Value: 1}}},
		{Keys: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: -1}}},
		{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)},
		{Keys: bson.D{{Key: "seen", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(3600)},
		{Keys: bson.D{{Key: "maybe", Value: 1}}, Options: options.Index().SetSparse(true)},
		{Keys: bson.D{{Key: "some", Value: 1}}, Options: options.Index().SetPartialFilterExpression(bson.D{{Key: "some", Value: bson.D{{Key: "$gt", Value: 5}}}})},
	} {
		if _, err := db.Collection(acc.collection).Indexes().CreateOne(t.Context(), ix); err != nil {
			t.Fatal(err)
		}
	}
	before := indexesOf(t, db.Collection(acc.collection))
	moved := w.do("PUT", "/org/update", "{}", acc.auth).is(200).text("collection_name")
	if diff := cmp.Diff(before, indexesOf(t, db.Collection(moved))); diff != "" {
		t.Errorf("the move has changed the indexes (-before +after):\n%s", diff)
	}
}

// What an organization has set for its collection, such as a validator, counts after
// a move as it did before.
func TestUpdateOnMongoDBKeepsTheCollectionsOptions(t *testing.T) {
	t.Parallel()
	w := startMongo(t)
	acc := w.account("Acme")
	db := w.tenantDB()
	err := db.RunCommand(t.Context(), bson.D{{Key: "collMod", Value: acc.collection},
		{Key: "validator", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$type", Value: "number"}}}}}, {Key: "validationLevel", Value: "moderate"}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	before := optionsOf(t, db, acc.collection)
	moved := w.do("PUT", "/org/update", "{}", acc.auth).is(200).text("collection_name")
	if diff := cmp.Diff(before, optionsOf(t, db, moved)); diff != "" {
		t.Errorf("the move has changed the options (-before +after):\n%s", diff)
	}
}

func optionsOf(t *testing.T, db *mongo.Database, name string) string {
	t.Helper()
	specs, err := db.ListCollectionSpecifications(t.Context(), bson.D{{Key: "name", Value: name}})
	if err != nil || len(specs) != 1 {
		t.Fatalf("%d collections %s, %v", len(specs), name, err)
	}
	return specs[0].Options.String()
}

// indexesOf lists indexes as the server describes them, without what names the collection.
func indexesOf(t *testing.T, c *mongo.Collection) []string {
	t.Helper()
	cursor, err := c.Indexes().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var specs []bson.D
	if err := cursor.All(t.Context(), &specs); err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, spec := range specs {
		spec = slices.DeleteFunc(spec, func(e bson.E) bool { return e.Key == "ns" || e.Key == "v" })
		lines = append(lines, fmt.Sprint(spec))
	}
	slices.Sort(lines)
	return lines
}

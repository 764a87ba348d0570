package app_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
)

// What tests look for and plant behind orgd's back.

// driver returns a client of the MongoDB server that the world is on.
func (w *world) driver() *mongo.Client {
	w.t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(w.uri))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Disconnect(context.Background()) }) // the server may be gone
	return c
}

func (w *world) masterDB() *mongo.Database { return w.driver().Database(w.Config.MasterDBName) }
func (w *world) tenantDB() *mongo.Database { return w.driver().Database(w.Config.TenantDBName) }

// withEngine calls f with the storage beneath the server; the embedded one belongs
// to one process at a time, so that the server is stopped for it, for good.
func (w *world) withEngine(f func(docdb.Engine)) {
	w.t.Helper()
	var e docdb.Engine
	var err error
	if w.uri != "" {
		e, err = mongodb.Open(w.t.Context(), mongodb.Config{URI: w.uri})
	} else {
		w.Stop(w.t)
		e, err = embedded.Open(embedded.Config{Dir: filepath.Join(w.Config.DataDir, "db")})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			w.t.Error(err)
		}
	}()
	f(e)
}

// dump returns everything in both databases, one line a document, collection or index.
func (w *world) dump() []string {
	w.t.Helper()
	var lines []string
	w.withEngine(func(e docdb.Engine) {
		for _, name := range []string{w.Config.MasterDBName, w.Config.TenantDBName} {
			db := e.Database(name)
			collections, err := db.List(w.t.Context(), "")
			if err != nil {
				w.t.Fatal(err)
			}
			for _, collection := range collections {
				lines = append(lines, "collection "+collection)
				for _, doc := range w.documents(db.Collection(collection)) {
					lines = append(lines, collection+" "+doc.String())
				}
				indexes, err := db.Collection(collection).Indexes(w.t.Context())
				if err != nil {
					w.t.Fatal(err)
				}
				for _, ix := range indexes {
					lines = append(lines, fmt.Sprintf("%s %+v", collection, ix))
				}
			}
		}
	})
	return lines
}

// documents returns all of a collection, by _id.
func (w *world) documents(c docdb.Collection) []bson.Raw {
	w.t.Helper()
	var all []bson.Raw
	for doc, err := range c.Find(w.t.Context(), docdb.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, doc)
	}
	return all
}

// grep returns the lines that hold any of the texts, in any case.
func grep(lines []string, texts ...string) []string {
	var found []string
	for _, line := range lines {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(line), strings.ToLower(text)) {
				found = append(found, text+": "+line)
			}
		}
	}
	return found
}

// set changes fields of a master document, which no operation does that is there yet.
func (w *world) set(collection, id string, fields bson.D) {
	w.t.Helper()
	res, err := w.masterDB().Collection(collection).UpdateOne(w.t.Context(), bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$set", Value: fields}})
	if err != nil || res.MatchedCount != 1 {
		w.t.Fatalf("change %s of %s: %+v, %v", id, collection, res, err)
	}
}

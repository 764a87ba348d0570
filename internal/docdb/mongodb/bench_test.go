package mongodb_test

import (
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// BenchmarkCalls compares calls of the engine with what the driver by itself
// takes for the same command under the same concerns.
func BenchmarkCalls(b *testing.B) {
	c := create(b, mongotest.URI(b))
	journal := true
	client, err := mongo.Connect(options.Client().ApplyURI(mongotest.URI(b)).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Disconnect(b.Context()) })
	bare := client.Database(mongotest.Database(b)).Collection("c")
	doc := func(id string, v int) bson.Raw {
		return raw(b, bson.D{{Key: "_id", Value: id}, {Key: "v", Value: v}, {Key: "text", Value: "some text as documents have it"}})
	}
	first := doc("first", 0)
	if err := c.Insert(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	if _, err := bare.InsertOne(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	id, versions, next := docdb.StringID("first"), [2]int{}, 0
	for _, bench := range []struct {
		name string
		call func() error
	}{
		{"get/engine", func() error { _, err := c.Get(b.Context(), id); return err }},
		{"get/driver", func() error { _, err := bare.FindOne(b.Context(), bson.D{{Key: "_id", Value: id}}).Raw(); return err }},
		{"insert/engine", func() error { next++; return c.Insert(b.Context(), doc(strconv.Itoa(next), 0)) }},
		{"insert/driver", func() error { next++; _, err := bare.InsertOne(b.Context(), doc(strconv.Itoa(next), 0)); return err }},
		{"replace/engine", func() error {
			versions[0]++
			return c.Replace(b.Context(), id, docdb.Eq("v", versions[0]-1), doc("first", versions[0]))
		}},
		{"replace/driver", func() error {
			versions[1]++
			r, err := bare.ReplaceOne(b.Context(), bson.D{{Key: "_id", Value: id}, {Key: "v", Value: versions[1] - 1}}, doc("first", versions[1]))
			if err == nil && r.MatchedCount != 1 {
				b.Fatal("no match")
			}
			return err
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

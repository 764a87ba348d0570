package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// Each benchmark has a sub-benchmark "bare": the same calls on the bare driver, with the same
// durability.

const (
	benchDocs  = 100_000
	benchBatch = 1000
)

var benchText = strings.Repeat("0123456789abcdef", 20)

func benchName(i int) string { return fmt.Sprintf("document-%08d", i) }

func benchDoc(i int) bson.Raw { return benchVersion(i, i%100) }

func benchVersion(i, n int) bson.Raw {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: benchName(i)}, {Key: "email", Value: fmt.Sprintf("user-%08d", i)},
		{Key: "n", Value: int64(n)}, {Key: "text", Value: benchText}})
	if err != nil {
		panic(err) // these values can be marshaled
	}
	return raw
}

// benchCollections returns a new, empty collection twice: of the engine and of the driver.
func benchCollections(b *testing.B, indexes ...docdb.Index) (docdb.Collection, *mongo.Collection) {
	b.Helper()
	uri, database := mongotest.URI(b), mongotest.Database(b)
	e, err := mongodb.Open(b.Context(), mongodb.Config{URI: uri})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	if err := e.Database(database).Create(b.Context(), "bench"); err != nil {
		b.Fatal(err)
	}
	c := e.Database(database).Collection("bench")
	for _, ix := range indexes {
		if err := c.CreateIndex(b.Context(), ix); err != nil {
			b.Fatal(err)
		}
	}
	return c, client.Database(database).Collection("bench")
}

func benchFill(b *testing.B, c docdb.Collection, n int) {
	b.Helper()
	for i := 0; i < n; i += benchBatch {
		var docs []bson.Raw
		for k := i; k < min(i+benchBatch, n); k++ {
			docs = append(docs, benchDoc(k))
		}
		errs, err := c.InsertMany(b.Context(), docs)
		if err := errors.Join(append(errs, err)...); err != nil {
			b.Fatal(err)
		}
	}
}

// benchParallel runs do in that many goroutines, b.N times in all.
func benchParallel(b *testing.B, workers int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var work sync.WaitGroup
	errs := make([]error, workers)
	b.ResetTimer()
	for k := range workers {
		work.Go(func() {
			for i := next.Add(1); i <= int64(b.N) && errs[k] == nil; i = next.Add(1) {
				errs[k] = do(int(i))
			}
		})
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	c, bare := benchCollections(b)
	benchFill(b, c, benchBatch)
	b.Run("bare", func(b *testing.B) {
		benchParallel(b, 8, func(int) error {
			_, err := bare.FindOne(b.Context(), bson.D{{Key: "_id", Value: benchName(rand.IntN(benchBatch))}}).Raw()
			return err
		})
	})
	b.Run("engine", func(b *testing.B) {
		benchParallel(b, 8, func(int) error {
			_, err := c.Get(b.Context(), docdb.StringID(benchName(rand.IntN(benchBatch))))
			return err
		})
	})
}

// BenchmarkInsert is of documents with one unique index.
func BenchmarkInsert(b *testing.B) {
	email := docdb.Index{Name: "email", Keys: []docdb.Key{{Path: "email"}}, Unique: true}
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(writers, "/bare"), func(b *testing.B) {
			_, bare := benchCollections(b, email)
			benchParallel(b, writers, func(i int) error {
				_, err := bare.InsertOne(b.Context(), benchDoc(i))
				return err
			})
		})
		b.Run(fmt.Sprint(writers, "/engine"), func(b *testing.B) {
			c, _ := benchCollections(b, email)
			benchParallel(b, writers, func(i int) error { return c.Insert(b.Context(), benchDoc(i)) })
		})
	}
}

// BenchmarkCAS reads a document and replaces it if it is still as it was read.
func BenchmarkCAS(b *testing.B) {
	for _, writers := range []int{1, 32} {
		c, bare := benchCollections(b)
		benchFill(b, c, benchBatch)
		b.Run(fmt.Sprint(writers, "/bare"), func(b *testing.B) {
			benchParallel(b, writers, func(i int) error {
				i %= benchBatch
				old, err := bare.FindOne(b.Context(), bson.D{{Key: "_id", Value: benchName(i)}}).Raw()
				if err != nil {
					return err
				}
				n := old.Lookup("n").AsInt64()
				_, err = bare.ReplaceOne(b.Context(), bson.D{{Key: "_id", Value: benchName(i)}, {Key: "n", Value: n}}, benchVersion(i, int(n)+1))
				return err
			})
		})
		b.Run(fmt.Sprint(writers, "/engine"), func(b *testing.B) {
			benchParallel(b, writers, func(i int) error {
				i %= benchBatch
				id := docdb.StringID(benchName(i))
				old, err := c.Get(b.Context(), id)
				if err != nil {
					return err
				}
				n := old.Lookup("n").AsInt64()
				err = c.Replace(b.Context(), id, docdb.Eq("n", n), benchVersion(i, int(n)+1))
				if errors.Is(err, docdb.ErrNoMatch) { // another writer of the benchmark was faster
					err = nil
				}
				return err
			})
		})
	}
}

// BenchmarkFind lists 100,000 documents.
func BenchmarkFind(b *testing.B) {
	c, bare := benchCollections(b, docdb.Index{Name: "n", Keys: []docdb.Key{{Path: "n"}}})
	benchFill(b, c, benchDocs)
	for _, list := range []struct {
		name   string
		ours   docdb.Filter
		theirs bson.D
		want   int
	}{
		{"all", docdb.Filter{}, bson.D{}, benchDocs},
		{"filtered", docdb.Eq("email", "user-00000077"), bson.D{{Key: "email", Value: "user-00000077"}}, 1},
		{"indexed", docdb.Eq("n", int64(7)), bson.D{{Key: "n", Value: int64(7)}}, benchDocs / 100},
	} {
		b.Run(list.name+"/bare", func(b *testing.B) {
			for b.Loop() {
				cursor, err := bare.Find(b.Context(), list.theirs, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for cursor.Next(b.Context()) {
					n++
				}
				if err := cursor.Err(); err != nil || n != list.want {
					b.Fatal(n, err)
				}
			}
		})
		b.Run(list.name+"/engine", func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range c.Find(b.Context(), docdb.Query{Filter: list.ours}) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != list.want {
					b.Fatal(n)
				}
			}
		})
	}
}

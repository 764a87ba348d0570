package embedded

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// Each benchmark has a sub-benchmark "bare": the same keys and values on the same
// Pebble with nothing around it.

var benchText = strings.Repeat("0123456789abcdef", 20)

func benchDoc(i int) bson.Raw {
	return doc("_id", name("document", i), "email", name("user", i), "n", i%100, "text", benchText)
}

func benchKey(i int) []byte { return binary.BigEndian.AppendUint64([]byte("document-"), uint64(i)) }

const benchDocs = 100_000

// fill puts benchDocs documents into a collection and flushes them into tables.
func fill(b *testing.B, e *Engine, c docdb.Collection) {
	b.Helper()
	for i := 0; i < benchDocs; i += maxBulk {
		docs := make([]bson.Raw, maxBulk)
		for k := range docs {
			docs[k] = benchDoc(i + k)
		}
		if _, err := c.InsertMany(bg, docs); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.store.DB.Flush(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	e := open(b, Config{})
	c := newCollection(b, e)
	fill(b, e, c)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				id := docdb.StringID(name("document", rand.IntN(benchDocs)))
				v, closer, err := e.store.DB.Get(keys.Document(1, keys.AppendValue(nil, id)))
				if err != nil {
					b.Fatal(err)
				}
				_ = append([]byte(nil), v...)
				closer.Close()
			}
		})
	})
	b.Run("engine", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := c.Get(bg, docdb.StringID(name("document", rand.IntN(benchDocs)))); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// parallel runs do in the given number of goroutines, b.N times in all.
func parallel(b *testing.B, writers int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	errs := make(chan error, writers)
	b.ResetTimer()
	for range writers {
		go func() {
			for {
				i := int(next.Add(1))
				if i > b.N {
					errs <- nil
					return
				}
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkInsert compares a document with one unique index to two bare keys.
func BenchmarkInsert(b *testing.B) {
	for _, writers := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(writers, "/bare"), func(b *testing.B) {
			e := open(b, Config{})
			parallel(b, writers, func(i int) error {
				batch := e.store.DB.NewBatch()
				_ = batch.Set(benchKey(i), benchDoc(i), nil)
				_ = batch.Set(append(benchKey(i), 'x'), benchKey(i), nil)
				return batch.Commit(pebble.Sync)
			})
		})
		b.Run(fmt.Sprint(writers, "/engine"), func(b *testing.B) {
			e := open(b, Config{})
			c := newCollection(b, e)
			mustIndex(b, c, docdb.Index{Name: "email", Keys: keyOn("email"), Unique: true})
			parallel(b, writers, func(i int) error { return c.Insert(bg, benchDoc(i)) })
		})
	}
}

// BenchmarkCAS is a conditional replace of a document of one's own.
func BenchmarkCAS(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprint(writers, "/bare"), func(b *testing.B) {
			e := open(b, Config{})
			for i := range 1000 {
				_ = e.store.DB.Set(benchKey(i), benchDoc(i), pebble.NoSync)
			}
			parallel(b, writers, func(i int) error {
				v, closer, err := e.store.DB.Get(benchKey(i % 1000))
				if err != nil {
					return err
				}
				_ = append([]byte(nil), v...)
				closer.Close()
				return e.store.DB.Set(benchKey(i%1000), benchDoc(i), pebble.Sync)
			})
		})
		b.Run(fmt.Sprint(writers, "/engine"), func(b *testing.B) {
			e := open(b, Config{})
			c := newCollection(b, e)
			for i := range 1000 {
				mustInsert(b, c, doc("_id", i, "version", 0, "text", benchText))
			}
			parallel(b, writers, func(i int) error {
				id := rawValue(i % 1000)
				old, err := c.Get(bg, id)
				if err != nil {
					return err
				}
				version := old.Lookup("version").AsInt64()
				err = c.Replace(bg, id, docdb.Eq("version", version), doc("_id", i%1000, "version", version+1, "text", benchText))
				if err == docdb.ErrNoMatch { // another writer of the benchmark was faster
					err = nil
				}
				return err
			})
		})
	}
}

// BenchmarkFind lists 100,000 documents; documents/s counts those looked at.
func BenchmarkFind(b *testing.B) {
	e := open(b, Config{})
	c := newCollection(b, e)
	mustIndex(b, c, docdb.Index{Name: "n", Keys: keyOn("n")})
	fill(b, e, c)
	run := func(name string, q docdb.Query, want int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range c.Find(bg, q) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != want {
					b.Fatalf("found %d, want %d", n, want)
				}
			}
		})
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			it, err := e.store.DB.NewIter(&pebble.IterOptions{LowerBound: keys.Documents(1), UpperBound: keys.Successor(keys.Documents(1))})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for ok := it.First(); ok; ok = it.Next() {
				_ = append([]byte(nil), it.Value()...)
				n++
			}
			if err := it.Close(); err != nil || n != benchDocs {
				b.Fatal(n, err)
			}
		}
	})
	run("all", docdb.Query{}, benchDocs)
	run("scan for 1 in 100", docdb.Query{Filter: docdb.Eq("email", name("user", 77))}, 1)
	run("by index 1 in 100", docdb.Query{Filter: docdb.Eq("n", 7)}, benchDocs/100)
	run("page of 100", docdb.Query{Limit: 100, After: &docdb.Position{ID: docdb.StringID(name("document", 50_000))}}, 100)
	run("all in order of an index", docdb.Query{Order: keyOn("n")}, benchDocs)
	run("range of an index, descending", docdb.Query{Order: keyOn("n"), Desc: true, Filter: docdb.And(docdb.Eq("n", 7))}, benchDocs/100)
	b.Run("count all", func(b *testing.B) {
		for b.Loop() {
			if n, err := c.Count(bg, docdb.Filter{}); err != nil || n != benchDocs {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("count by index", func(b *testing.B) {
		for b.Loop() {
			if n, err := c.Count(bg, docdb.Eq("n", 7)); err != nil || n != benchDocs/100 {
				b.Fatal(n, err)
			}
		}
	})
}

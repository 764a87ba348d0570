package tenant_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/tenant"
)

// BenchmarkMoveByMessageTime moves an organization's data while clients write a hundred
// documents a second, on a storage whose messages take some time. It tells how long the
// longest write took during the move and the middle one before it. The fast storage is the
// embedded engine with that time before every call, which shows what the protocol costs;
// the other is the test's MongoDB server behind a proxy, and is busy with that load.
func BenchmarkMoveByMessageTime(b *testing.B) {
	for _, message := range []time.Duration{1, 5, 20, 60, 100} {
		message *= time.Millisecond
		b.Run("fast/"+message.String(), func(b *testing.B) {
			storage := faulty.New(openEmbedded(b))
			w := newSteady(b, storage, masterDB, tenantDB)
			storage.On(func(faulty.Call) error { time.Sleep(message); return nil })
			for b.Loop() {
				w.move(b, message)
			}
		})
		b.Run("MongoDB/"+message.String(), func(b *testing.B) {
			proxy := mongotest.NewProxy(b, mongotest.URI(b))
			e, err := mongodb.Open(b.Context(), mongodb.Config{URI: proxy.URI(), Timeout: time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = e.Close() })
			w := newSteady(b, e, mongotest.Database(b), mongotest.Database(b))
			proxy.Delay(message)
			for b.Loop() {
				w.move(b, message)
			}
		})
	}
}

// steady is an organization that clients write at a steady rate.
type steady struct {
	s    *tenant.Store
	docs *tenant.Documents
}

const steadyDocuments = 1000

func newSteady(b *testing.B, e docdb.Engine, master, data string) *steady {
	s, err := tenant.Open(b.Context(), tenant.Config{Engine: e, MasterDB: master, TenantDB: data, Passwords: plainPasswords{}})
	if err != nil {
		b.Fatal(err)
	}
	o, err := s.Create(b.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
	if err != nil {
		b.Fatal(err)
	}
	var docs []bson.Raw
	for i := range steadyDocuments {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: i}, {Key: "v", Value: 0}})
		if err != nil {
			b.Fatal(err)
		}
		docs = append(docs, raw)
	}
	if _, err := s.Documents(o.ID).InsertMany(b.Context(), docs); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var beat sync.WaitGroup
	beat.Go(func() {
		for ctx.Err() == nil {
			_ = s.Beat(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(tenant.BeatEvery):
			}
		}
	})
	b.Cleanup(func() { stop(); beat.Wait(); _ = s.Close(context.Background()) })
	return &steady{s: s, docs: s.Documents(o.ID)}
}

// move measures one move.
func (w *steady) move(b *testing.B, message time.Duration) {
	p, err := w.s.Login(b.Context(), "acme@x.example", password)
	if err != nil {
		b.Fatal(err)
	}
	var (
		mu         sync.Mutex
		all        sync.WaitGroup
		before, in []time.Duration
		moving     bool
	)
	ctx, stop := context.WithCancel(b.Context())
	all.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			all.Go(func() {
				raw, _ := bson.Marshal(bson.D{{Key: "_id", Value: rand.IntN(steadyDocuments)}, {Key: "v", Value: rand.Int()}})
				began := time.Now()
				_, _, err := w.docs.Put(context.Background(), tenant.Condition{}, raw)
				took := time.Since(began)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					b.Error(err)
				case moving:
					in = append(in, took)
				default:
					before = append(before, took)
				}
			})
		}
	})
	time.Sleep(max(2*time.Second, 20*message)) // what is measured before the move
	mu.Lock()
	moving = true
	mu.Unlock()
	began := time.Now()
	_, err = w.s.Update(b.Context(), p, tenant.UpdateInput{Migrate: true})
	took := time.Since(began)
	stop()
	all.Wait()
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(before)
	slices.Sort(in)
	b.ReportMetric(took.Seconds(), "s/move")
	b.ReportMetric(float64(before[len(before)/2].Milliseconds()), "ms/write-before")
	b.ReportMetric(float64(in[len(in)/2].Milliseconds()), "ms/write-in")
	b.ReportMetric(float64(in[len(in)-1].Milliseconds()), "ms/longest-in")
	b.ReportMetric(0, "ns/op")
}

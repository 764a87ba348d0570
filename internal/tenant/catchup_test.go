package tenant_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/tenant"
)

const (
	// fastWrites are made while one round of a catch-up is under way: more than the fence
	// takes without a further look.
	fastWrites = 600
	// slowRead is how long the storage takes to say what is left to bring over: longer than
	// clients may be kept waiting.
	slowRead = 110 * time.Millisecond
	// longCatchUp is how many rounds the writers keep up.
	longCatchUp = 20
)

// TestAMoveEndsBesideWritersThatAreAsFast: every round leaves as much as the one before it.
func TestAMoveEndsBesideWritersThatAreAsFast(t *testing.T) {
	t.Parallel()
	if rounds := moveBesideFastWriters(t); rounds >= longCatchUp {
		t.Errorf("the move ended with its writers, after %d rounds", rounds)
	}
}

func TestWithoutSteadyRoundsAMoveWaitsForItsWriters(t *testing.T) {
	t.Parallel()
	if rounds := moveBesideFastWriters(t, "steady rounds"); rounds < longCatchUp {
		t.Errorf("it ended after %d rounds all the same", rounds)
	}
}

// moveBesideFastWriters returns how many rounds a move took beside writers that change
// fastWrites documents in each of the first longCatchUp.
func moveBesideFastWriters(t *testing.T, skip ...string) (rounds int) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, func(c *tenant.Config) {
		for _, part := range skip {
			c.Skip(part)
		}
	})
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	docs := w.Documents(o.ID)
	for i := range fastWrites {
		putNumber(t, docs, i)
	}
	var last atomic.Int64
	write := func() {
		v := last.Add(1)
		for i := range fastWrites {
			raw := bsontest.Raw(bson.D{{Key: "_id", Value: i}, {Key: "v", Value: v}})
			if _, _, err := docs.Put(t.Context(), tenant.Condition{}, raw); err != nil {
				t.Error(err)
			}
		}
	}
	patience := 300 * time.Millisecond // then the fence holds them
	if len(skip) > 0 {
		patience = time.Minute // there is none before they are through, on a busy machine neither
	}
	var writing atomic.Bool
	var writers sync.WaitGroup
	f.On(func(c faulty.Call) error {
		if c.Op != "Find" || !strings.HasPrefix(c.Collection, "dirty_") {
			return nil
		}
		began := time.Now()
		if rounds++; rounds <= longCatchUp && writing.CompareAndSwap(false, true) {
			written := make(chan struct{})
			writers.Go(func() { write(); writing.Store(false); close(written) })
			select {
			case <-written:
			case <-time.After(patience):
			}
		}
		time.Sleep(slowRead - time.Since(began))
		return nil
	})
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	writers.Wait()
	for i := range fastWrites {
		if got := numberOf(t, docs, i); got != last.Load() {
			t.Fatalf("document %d is %d, after %d was written", i, got, last.Load())
		}
	}
	return rounds
}

func numberOf(t *testing.T, d *tenant.Documents, id int) int64 {
	t.Helper()
	doc, err := d.Get(t.Context(), bsonValue(t, id))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := doc.Body.Lookup("v").AsInt64OK()
	return v
}

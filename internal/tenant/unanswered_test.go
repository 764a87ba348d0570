package tenant_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// TestAWriteWithoutAnAnswerIsSeenForGoodOrNotAtAll: a client's write is held up, and carried
// out at one of the calls of a move, each in turn; whoever reads it at the source reads it
// at the target as well.
func TestAWriteWithoutAnAnswerIsSeenForGoodOrNotAtAll(t *testing.T) {
	for k, more := 1, true; more; k++ {
		more = lateAtCall(t, k)
	}
}

// lateAtCall reports whether the move had a k-th call.
func lateAtCall(t *testing.T, k int) (met bool) {
	e := model.New()
	f := faulty.New(e)
	clock := func(c *tenant.Config) { c.Now = time.Now }
	w, reader := newWorld(t, f, plain, shared, clock), newWorld(t, e, plain, shared, clock)
	beating(t, reader.Store)
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "doc"}, {Key: "v", Value: "late"}})
	if err != nil {
		t.Fatal(err)
	}
	f.FailOn(faulty.Nth(1, "Insert", o.Collection, faulty.Late))
	if _, err := w.Documents(o.ID).Insert(t.Context(), raw); !errors.Is(err, org.OutcomeUnknown) {
		t.Fatal(err)
	}
	f.FailOn(nil)
	seen, n := make(chan string, 1), atomic.Int64{}
	f.On(func(c faulty.Call) error {
		if c.Collection != "instances" && n.Add(1) == int64(k) { // those come as often as they come
			met = true
			f.Deliver()
			done := make(chan struct{})
			go func() { seen <- valueOf(t, reader.Documents(o.ID), "doc"); close(done) }()
			select {
			case <-done:
			case <-time.After(200 * time.Millisecond): // it waits for the move, which waits for this call
			}
		}
		return nil
	})
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	f.On(nil)
	if !met {
		return false
	}
	if before, after := <-seen, valueOf(t, reader.Documents(o.ID), "doc"); before != "" && after == "" {
		t.Errorf("carried out at call %d of the move: it was read, and is not there any more", k)
	}
	return true
}

// TestDoctorFindsAMoveThatHasLostWrites: with the source kept, it is compared with the target.
func TestDoctorFindsAMoveThatHasLostWrites(t *testing.T) {
	w := sharedWorld(t, func(c *tenant.Config) { c.MoveGrace = time.Hour })
	w.clock = time.Now().Add(time.Minute) // revisions have the time of day
	o := w.create("Acme", "acme@x.example")
	for i := range 4 {
		putNumber(t, w.Documents(o.ID), i)
	}
	moved, err := w.Update(t.Context(), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	d := w.doctor(false)
	d.Deep = true
	if r, err := d.Diagnose(t.Context()); err != nil || r.Findings() != 0 || len(r.Kept) != 1 || r.Kept[0].Documents != 4 {
		t.Errorf("after a move: %+v, %v", r, err)
	}
	target := w.engine.Database(tenantDB).Collection(moved.Collection)
	old := func(id int) bson.Raw {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "_rev", Value: bson.NewObjectIDFromTimestamp(time.Now().Add(-time.Hour))}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if err := target.Replace(t.Context(), bsonValue(t, 1), docdb.Filter{}, old(1)); err != nil { // as a late write would
		t.Fatal(err)
	}
	if err := target.Insert(t.Context(), old(9)); err != nil {
		t.Fatal(err)
	}
	if err := target.Delete(t.Context(), bsonValue(t, 2), docdb.Filter{}); err != nil {
		t.Fatal(err)
	}
	r, err := d.Diagnose(t.Context())
	if err != nil || r.Findings() != 1 || r.Kept[0].Behind != 1 || r.Kept[0].Revived != 1 || r.Kept[0].Absent != 1 {
		t.Errorf("after a loss: %+v, %v", r, err)
	}
}

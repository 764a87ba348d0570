package tenant_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// What instances do without being asked they do less often while nothing happens.

// calls counts the calls of the storage while do runs.
func calls(f *faulty.Engine, do func()) int {
	before := f.Calls()
	do()
	return f.Calls() - before
}

// TestPurgeLooksWhenOneIsDue, and otherwise every few minutes.
func TestPurgeLooksWhenOneIsDue(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, withGrace, shared)
	other := newWorld(t, f, withGrace, shared, func(c *tenant.Config) { c.Now = func() time.Time { return w.clock } })
	purge := func(w *world) func() { return func() { w.t.Helper(); w.wants("purge", w.Purge(t.Context()), "") } }
	purge(w)()
	purge(other)()
	acme := w.create("Acme", "acme@x.example")
	if _, err := w.Delete(t.Context(), w.login("acme@x.example")); err != nil {
		t.Fatal(err)
	}
	if n := calls(f, purge(w)); n != 0 {
		t.Errorf("it looks %d times at once", n)
	}
	w.clock = w.clock.Add(5 * time.Minute) // now the other learns of it
	if n := calls(f, purge(other)); n != 1 {
		t.Errorf("it looks %d times after five minutes", n)
	}
	w.clock = w.clock.Add(55*time.Minute - time.Millisecond)
	purge(other)()
	if n := calls(f, purge(other)); n != 0 {
		t.Errorf("it looks %d times before one is due", n)
	}
	w.in(acme.ID, org.StateDeleting)
	w.clock = w.clock.Add(time.Millisecond)
	purge(other)()
	if _, err := w.Organization(t.Context(), acme.ID); err == nil {
		t.Error("it was not purged in time")
	}
}

// TestAPurgeThatFailsIsTriedAgain at the next call.
func TestAPurgeThatFailsIsTriedAgain(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, withGrace)
	acme := w.create("Acme", "acme@x.example")
	if _, err := w.Delete(t.Context(), w.login("acme@x.example")); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(time.Hour)
	f.FailOn(faulty.Nth(1, "Find", "organizations", faulty.Before))
	if err := w.Purge(t.Context()); err == nil {
		t.Fatal("nothing failed")
	}
	f.FailOn(nil)
	w.wants("purge", w.Purge(t.Context()), "")
	if _, err := w.Organization(t.Context(), acme.ID); err == nil {
		t.Error("it was not purged")
	}
}

// TestReconcileInTime: everything is looked at soon after an operation, and a part at a time later.
func TestReconcileInTime(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, shared)
	reconcile := func() { w.t.Helper(); w.wants("reconcile", w.ReconcileInTime(t.Context()), "") }
	// busy reports whether the next call looks everywhere.
	busy := func() bool {
		w.clock = w.clock.Add(tenant.ReconcileEvery)
		return calls(f, reconcile) > 8
	}
	leave := func() {
		w.plant("reservations", bson.D{{Key: "_id", Value: "name:x"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	}
	w.create("Acme", "acme@x.example")
	leave()
	if !busy() || w.count("reservations") != 2 || !busy() {
		t.Error("after an operation it is quiet")
	}
	for range 3 {
		if busy() {
			t.Error("it is never quiet")
		}
	}
	leave()        // by another instance, of which this one knows nothing
	for range 40 { // twenty minutes
		if busy() {
			t.Error("while it is quiet it looks everywhere")
		}
	}
	if n := w.count("reservations"); n != 2 {
		t.Errorf("%d reservations", n)
	}
	w.delete("acme@x.example")
	if !busy() {
		t.Error("after another operation it is quiet")
	}
}

// TestReconcileOfManyThatAreInUse: what is in use costs a few calls a page.
func TestReconcileOfManyThatAreInUse(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, shared)
	few := calls(f, w.reconcile)
	for _, name := range []string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"} {
		w.create(name, name+"@x.example")
	}
	if many := calls(f, w.reconcile); many > few+3 {
		t.Errorf("%d calls with ten organizations, and %d with none", many, few)
	}
}

package tenant_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/tenant"
)

// TestReconcileRemovesWhatADeadStaleOwnerLeaves: an owner stalls anywhere, another
// takes over and finishes, and now and then the organization is deleted after that; then
// the stale owner wakes and dies a few calls later, mostly before it has tidied up.
func TestReconcileRemovesWhatADeadStaleOwnerLeaves(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	n, left := 80, 0
	switch {
	case testing.Short():
		n = 30
	case os.Getenv("ORGD_TEST_LONG") != "":
		n = 1000
	}
	for _, l := range lifecycles() {
		_, calls := uninterrupted(t, model.New(), l)
		for range n {
			s := stale{stall: 1 + draw.IntN(calls), after: draw.IntN(8), mode: faulty.Modes[draw.IntN(3)], erase: draw.IntN(3) == 0}
			t.Run(fmt.Sprintf("%s %+v", l.name, s), func(t *testing.T) {
				if s.run(t, l) {
					left++
				}
			})
		}
	}
	if t.Logf("%d of %d left something behind", left, n*len(lifecycles())); left == 0 {
		t.Error("nothing was ever left behind: what is this test for?")
	}
}

// A stale is one owner's fate.
type stale struct {
	stall int // the call at which it stalls
	after int // how many calls it makes after it wakes
	mode  faulty.Mode
	erase bool // whether all organizations are deleted before it wakes
}

// run reports whether anything was left behind.
func (x stale) run(t *testing.T, l lifecycle) bool {
	c := newCrashed(t, model.New(), l, nil)
	f, s := c.instance(t, "a", 0)
	_, other := c.instance(t, "b", 1)
	beating(t, other)
	stall := f.Calls() + x.stall
	woken := stallAt(f, stall, func() error {
		f.DieAt(stall+x.after, x.mode)
		_, err := other.Resume(t.Context())
		if x.erase {
			deleteAll(t, other)
		}
		return err
	})
	_ = c.call(t.Context(), s, c.principal)
	woken()

	_, last := c.instance(t, "c", 2)
	if _, err := last.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := len(unsound(t.Context(), t, c.engine)) > 0
	for range 2 { // the second finds nothing to do
		if err := last.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, bad := range unsound(t.Context(), t, c.engine) {
			t.Error(bad)
		}
	}
	return left
}

// deleteAll deletes every organization of a crash test that is there.
func deleteAll(t *testing.T, s *tenant.Store) {
	for _, email := range []string{"new@x.example", "acme@x.example", "globex@x.example"} {
		for _, pw := range []string{password, rotated} {
			if p, err := s.Login(t.Context(), email, pw); err == nil {
				if _, err := s.Delete(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// sharedWorld is a world on an engine that other instances may use.
func sharedWorld(t *testing.T, edits ...func(*tenant.Config)) *world {
	return newWorld(t, model.New(), append([]func(*tenant.Config){plain, shared}, edits...)...)
}

func shared(c *tenant.Config) { c.Exclusive = false }

// eachShared runs a test on every engine, as if other instances used it.
func eachShared(t *testing.T, f func(*testing.T, *world)) {
	t.Run("model", func(t *testing.T) { f(t, sharedWorld(t)) })
	t.Run("embedded", func(t *testing.T) { f(t, newWorld(t, embeddedEngine(t), plain, shared)) })
	t.Run("MongoDB", func(t *testing.T) { f(t, newWorld(t, mongoEngine(t), plain, shared)) })
}

func (w *world) reconcile() {
	w.t.Helper()
	if err := w.Reconcile(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// plant writes a document to the master database, past the store.
func (w *world) plant(collection string, doc bson.D) {
	w.t.Helper()
	raw, err := bson.Marshal(append(doc, bson.E{Key: "version", Value: int64(1)}))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.Database(masterDB).Collection(collection).Insert(w.t.Context(), raw); err != nil {
		w.t.Fatal(err)
	}
}

// physical lists the collections of the tenant database.
func (w *world) physical() []string {
	w.t.Helper()
	names, err := w.engine.Database(tenantDB).List(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

func (w *world) make(db, collection string) {
	w.t.Helper()
	if err := w.engine.Database(db).Create(w.t.Context(), collection); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(collection string) int64 {
	w.t.Helper()
	n, err := w.engine.Database(masterDB).Collection(collection).Count(w.t.Context(), docdb.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) delete(email string) {
	w.t.Helper()
	if _, err := w.Delete(w.t.Context(), w.login(email)); err != nil {
		w.t.Fatal(err)
	}
}

// No physical name is used twice, by anybody, however long ago that was; and what remembers
// the names does not tell them.
func TestAPhysicalNameIsNeverUsedAgain(t *testing.T) {
	eachShared(t, aPhysicalNameIsNeverUsedAgain)
	t.Run("exclusive", func(t *testing.T) { aPhysicalNameIsNeverUsedAgain(t, newWorld(t, embeddedEngine(t), plain)) })
}

func aPhysicalNameIsNeverUsedAgain(t *testing.T, w *world) {
	for _, want := range []string{"org_acme", "org_acme.3", "org_acme.5"} {
		if o := w.create("Acme", "a@x.example"); o.Collection != want {
			t.Errorf("it was given %s, not %s", o.Collection, want)
		}
		if _, err := w.Update(t.Context(), w.login("a@x.example"), tenant.UpdateInput{Migrate: true}); err != nil {
			t.Fatal(err)
		}
		w.delete("a@x.example")
		w.clock = w.clock.Add(25 * time.Hour)
		w.reconcile()
		if err := w.Beat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"quarantine", "names"} {
		for doc, err := range w.engine.Database(masterDB).Collection(name).Find(t.Context(), docdb.Query{}) {
			if err != nil || strings.Contains(doc.String(), "acme") {
				t.Errorf("a trace of the deleted organization in %s: %s, %v", name, doc, err)
			}
		}
	}
	if n := w.count("quarantine"); n != 0 {
		t.Errorf("%d names are in quarantine for ever", n)
	}
	if n := w.count("names"); n != 1 {
		t.Errorf("%d records of one name", n)
	}
}

// What was there before orgd counted names, or was made without it, is left alone.
func TestANameThatIsThereIsLeftAlone(t *testing.T) {
	w := sharedWorld(t)
	w.make(tenantDB, "org_acme")
	w.make(tenantDB, "org_acme.2")
	if o := w.create("Acme", "a@x.example"); o.Collection != "org_acme.3" {
		t.Errorf("it was given %s", o.Collection)
	}
}

func TestAnOrphanIsSweptOnlyIfItIsOurs(t *testing.T) {
	var log strings.Builder
	w := sharedWorld(t, func(c *tenant.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	w.create("Acme", "a@x.example")
	w.create("Globex", "b@x.example")
	w.delete("a@x.example")
	for _, name := range []string{"org_acme", "org_foreign", "other"} {
		w.make(tenantDB, name)
	}
	w.put("org_acme", bson.D{{Key: "_id", Value: 1}})
	w.put("org_foreign", bson.D{{Key: "_id", Value: 1}})
	for range 3 {
		w.reconcile()
		w.clock = w.clock.Add(time.Hour)
	}
	if got, want := w.physical(), []string{"org_foreign", "org_globex", "other"}; !slices.Equal(got, want) {
		t.Errorf("physical collections %q, want %q", got, want)
	}
	if n := strings.Count(log.String(), "collection_name=org_foreign"); n != 1 {
		t.Errorf("the foreign collection was reported %d times:\n%s", n, &log)
	}
	if n := w.count("collections"); n != 1 {
		t.Errorf("%d registry entries", n)
	}
}

func TestTheSourceOfAMoveIsDroppedWhenItsTimeIsOver(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		w := newWorld(t, model.New(), plain, func(c *tenant.Config) {
			c.Exclusive, c.MoveGrace = exclusive, time.Hour
		})
		w.create("Acme", "a@x.example")
		if _, err := w.Update(t.Context(), w.login("a@x.example"), tenant.UpdateInput{Migrate: true}); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(59 * time.Minute)
		w.reconcile()
		if got := w.physical(); len(got) != 2 {
			t.Errorf("before its time: %q", got)
		}
		w.clock = w.clock.Add(time.Minute)
		w.reconcile()
		if got := w.physical(); !slices.Equal(got, []string{"org_acme.2"}) {
			t.Errorf("after its time: %q", got)
		}
		w.sound()
	}
}

func TestReconcileRemovesResiduesOfOperationsThatAreOver(t *testing.T) {
	eachShared(t, reconcileRemovesResiduesOfWhatIsOver)
}

func reconcileRemovesResiduesOfWhatIsOver(t *testing.T, w *world) {
	o := w.create("Acme", "a@x.example")
	w.plant("collections", bson.D{{Key: "_id", Value: "org_x"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}, {Key: "state", Value: "building"}})
	w.make(tenantDB, "org_x")
	w.plant("collections", bson.D{{Key: "_id", Value: "org_y"}, {Key: "org_id", Value: o.ID}, {Key: "op_id", Value: "gone"}, {Key: "state", Value: "retired"}})
	w.plant("admins", bson.D{{Key: "_id", Value: "x"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	w.plant("reservations", bson.D{{Key: "_id", Value: "name:x"}, {Key: "org_id", Value: o.ID}, {Key: "op_id", Value: "gone"}})
	w.plant("instances", bson.D{{Key: "_id", Value: "x"}, {Key: "seen_at", Value: w.clock.Add(-2 * time.Hour)}})
	w.plant("organizations", bson.D{{Key: "_id", Value: "x"}, {Key: "state", Value: "provisioning"}, {Key: "operation", Value: "gone"}})
	set := "dirty_019ab000-0000-7000-8000-000000000000_3"
	w.make(masterDB, set)
	w.make(masterDB, "dirty_laundry_3")
	w.reconcile()
	master := w.engine.Database(masterDB)
	names, err := master.List(t.Context(), "dirty_")
	if err != nil || !slices.Equal(names, []string{"dirty_laundry_3"}) {
		t.Errorf("%q, %v", names, err)
	}
	if err := master.Drop(t.Context(), "dirty_laundry_3"); err != nil { // not ours, and not what sound knows
		t.Fatal(err)
	}
	w.sound()
	if n := w.count("instances"); n != 1 {
		t.Errorf("%d instances", n)
	}
}

// Reconcile does not touch records that a running operation has or an organization uses.
func TestReconcileLeavesRecordsInUseAlone(t *testing.T) {
	for _, l := range lifecycles() {
		t.Run(l.name, func(t *testing.T) {
			_, calls := uninterrupted(t, model.New(), l)
			c := newCrashed(t, model.New(), l, nil)
			f, s := c.instance(t, "a", 0)
			f.On(func(call faulty.Call) error {
				// A process of its own, so that every round is one from the beginning.
				_, other := c.instance(t, fmt.Sprint("b", call.N), 0)
				defer other.Close(context.WithoutCancel(t.Context()))
				return other.Reconcile(t.Context())
			})
			if err := l.call(t.Context(), s, c.principal); err != nil || f.Calls() < calls {
				t.Errorf("%d calls, %v", f.Calls(), err)
			}
			for _, bad := range unsound(t.Context(), t, c.engine) {
				t.Error(bad)
			}
		})
	}
}

func TestReconcileGoesThroughEverythingPageByPage(t *testing.T) {
	w := sharedWorld(t)
	const many = 500
	for i := range many {
		w.plant("admins", bson.D{{Key: "_id", Value: fmt.Sprintf("%05d", i)}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	}
	for _, left := range []int64{300, 100, 0, 0} {
		w.reconcile()
		if n := w.count("admins"); n != left {
			t.Fatalf("%d admins are left, want %d", n, left)
		}
	}
	w.plant("admins", bson.D{{Key: "_id", Value: "00000"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	if w.reconcile(); w.count("admins") != 0 {
		t.Error("it does not begin again")
	}
}

// A live collection whose organization is lost is not dropped; one that was only proposed, by a message that came too
// late, if it is empty.
func TestReconcileDropsALiveCollectionNever(t *testing.T) {
	w := sharedWorld(t)
	for _, name := range []string{"org_lost", "org_foreign", "org_proposed"} {
		w.make(tenantDB, name)
		w.plant("collections", entry(name, "gone", "gone", "live"))
	}
	w.change("collections", "org_lost", "fence", int64(1))
	w.put("org_foreign", bson.D{{Key: "_id", Value: 1}})
	w.reconcile()
	if got := w.physical(); !slices.Equal(got, []string{"org_foreign", "org_lost"}) {
		t.Errorf("%q", got)
	}
	if n := w.count("collections"); n != 1 {
		t.Errorf("%d registry entries", n)
	}
}

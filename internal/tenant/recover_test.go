package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
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

// TestAnOrphanDoesNotWaitForLargeMoves: more moves than may be resumed at a time are stuck
// half-way; a create that was killed is undone all the same, and its name is free.
func TestAnOrphanDoesNotWaitForLargeMoves(t *testing.T) {
	e := model.New()
	c := &crashed{engine: e}
	_, a := c.instance(t, "a", 0)
	for i := range 6 {
		email := fmt.Sprint(i, "@x.example")
		w := &world{t: t, Store: a, engine: e}
		w.fill(w.create(fmt.Sprint("Org ", i), email).Collection, 20)
		p := w.login(email)
		dies, s := c.instance(t, fmt.Sprint("mover ", i), i+1) // to which those before it are dead
		dies.On(func(call faulty.Call) error {
			if call.Op == "InsertMany" {
				dies.Kill()
			}
			return nil
		})
		_, _ = s.Update(t.Context(), p, tenant.UpdateInput{Migrate: true})
	}
	killed, b := c.instance(t, "b", 10)
	killed.On(func(call faulty.Call) error {
		if call.Op == "Create" && call.Database == tenantDB {
			killed.Kill()
		}
		return nil
	})
	_, _ = b.Create(t.Context(), tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password})

	slow, last := c.instance(t, "last", 12)
	release := make(chan struct{})
	var stuck atomic.Int64
	slow.On(func(call faulty.Call) error {
		if call.Op == "InsertMany" && call.Database == tenantDB {
			stuck.Add(1)
			<-release
		}
		return nil
	})
	beating(t, last)
	if err := last.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the moves are under way", func() bool { return stuck.Load() > 0 })
	until(t, "the name is free or in use", func() bool {
		if err := last.Recover(t.Context()); err != nil { // the search goes on at its own pace
			t.Fatal(err)
		}
		return count(t, e.Database(masterDB).Collection("operations"), docdb.And(docdb.Eq("kind", "create"), docdb.Eq("outcome", "running"))) == 0
	})
	close(release)
	if err := last.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.sound(t)
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it is never true that %s", what)
		}
	}
}

// handOver stops an instance in the middle of a copy, has another go on, and returns how
// many documents that one copied anew.
func handOver(t *testing.T, stop func(*faulty.Engine, *tenant.Store)) (copied int) {
	e := model.New()
	c := &crashed{engine: e}
	f, s := c.instance(t, "a", 0)
	w := &world{t: t, Store: s, engine: e}
	o := w.create("Acme", "acme@x.example")
	w.fill(o.Collection, 3000)
	p := w.login("acme@x.example")
	batches, stopped := 0, make(chan struct{})
	f.On(func(call faulty.Call) error {
		if call.Op == "InsertMany" && call.Database == tenantDB {
			if batches++; batches == 3 {
				go func() { stop(f, s); close(stopped) }()
				<-time.After(20 * time.Millisecond) // until the end of its life has reached it
			}
		}
		return nil
	})
	_, _ = s.Update(t.Context(), p, tenant.UpdateInput{Migrate: true})
	<-stopped

	g, other := c.instance(t, "b", 1)
	beating(t, other)
	g.On(func(call faulty.Call) error {
		if call.Op == "InsertMany" && call.Database == tenantDB {
			copied++
		}
		return nil
	})
	if n, err := other.Resume(t.Context()); n != 1 || err != nil {
		t.Fatalf("resumed %d, %v", n, err)
	}
	if n := count(t, e.Database(tenantDB).Collection(o.Collection+".2"), docdb.Filter{}) + count(t, e.Database(tenantDB).Collection(o.Collection+".3"), docdb.Filter{}); n != 3000 {
		t.Errorf("%d documents", n)
	}
	c.sound(t)
	return copied
}

// An instance that is stopped hands its move over as it is. A killed instance may have messages under
// way, so the copy begins anew.
func TestAMoveIsHandedOver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	stop := func(_ *faulty.Engine, s *tenant.Store) {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ended)
	}
	if n := handOver(t, stop); n == 0 || n > 1 {
		t.Errorf("it copied %d batches of 3, and one was left", n)
	}
	if n := handOver(t, func(f *faulty.Engine, _ *tenant.Store) { f.Kill() }); n != 3 {
		t.Errorf("after a kill it copied %d batches of 3", n)
	}
}

// disorder lists what it finds in some collections backwards.
type disorder struct {
	docdb.Engine
	prefix string
}

type disorderDatabase struct {
	docdb.Database
	prefix string
}

type disorderCollection struct{ docdb.Collection }

func (e disorder) Database(name string) docdb.Database {
	return disorderDatabase{e.Engine.Database(name), e.prefix}
}

func (d disorderDatabase) Collection(name string) docdb.Collection {
	if c := d.Database.Collection(name); !strings.HasPrefix(name, d.prefix) {
		return c
	} else {
		return disorderCollection{c}
	}
}

func (c disorderCollection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	q.Desc, q.After = true, nil
	return c.Collection.Find(ctx, q)
}

// TestAStorageThatDoesNotKeepTheOrderLosesNothing: a move that cannot rely on the order of
// its dirty set gives up, and says so, rather than to leave writes behind.
func TestAStorageThatDoesNotKeepTheOrderLosesNothing(t *testing.T) {
	e := model.New()
	w := newWorld(t, disorder{e, "dirty_"}, plain, shared)
	o := w.create("Acme", "acme@x.example")
	docs := w.Documents(o.ID)
	f := faulty.New(disorder{e, "dirty_"})
	mover := newWorld(t, f, plain, shared)
	beating(t, w.Store)
	beating(t, mover.Store)
	written := false
	f.On(func(call faulty.Call) error {
		if call.Op == "Find" && call.Collection == o.Collection && !written { // the copy
			written = true
			for i := range 5 {
				putNumber(t, docs, i)
			}
		}
		return nil
	})
	putNumber(t, docs, 0)
	_, err := mover.Update(t.Context(), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true})
	now := w.login("acme@x.example")
	org, authErr := w.Authenticate(t.Context(), now)
	if authErr != nil {
		t.Fatal(authErr)
	}
	if err == nil || org.Collection != o.Collection {
		t.Errorf("it moved to %s, %v", org.Collection, err)
	}
	if n := len((&crashed{engine: e}).documents(t, w.Store, o.ID)); n != 5 {
		t.Errorf("%d documents", n)
	}
}

func putNumber(t *testing.T, d *tenant.Documents, n int) {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: n}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Put(t.Context(), tenant.Condition{}, raw); err != nil {
		t.Fatal(err)
	}
}

// TestAnUpdateThatArrivesTooLateNeverBegins: the process that sent an update has died, and the update arrives an hour
// later, when its client may have made another change. The process that finds it may die at any of its calls: the
// next one refuses it all the same.
func TestAnUpdateThatArrivesTooLateNeverBegins(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		for _, mode := range []faulty.Mode{faulty.Before, faulty.After} {
			t.Run(fmt.Sprintf("exclusive %t, %s", exclusive, mode), func(t *testing.T) {
				t.Parallel() // most of it waits before it tries again
				for k, died := 1, true; died; k++ {
					died = foundTooLate(t, exclusive, mode, k)
				}
			})
		}
	}
}

// foundTooLate reports whether the process that finds the update made a k-th call, at which it died.
func foundTooLate(t *testing.T, exclusive bool, mode faulty.Mode, k int) (died bool) {
	e := model.New()
	start := func(e docdb.Engine, hours int) (*tenant.Store, error) {
		return tenant.Open(t.Context(), tenant.Config{
			Engine: e, MasterDB: masterDB, TenantDB: tenantDB, Passwords: plainPasswords{}, Exclusive: exclusive,
			Now: func() time.Time { return time.Date(2026, 11, 23, 12+hours, 0, 0, 0, time.UTC) },
		})
	}
	sender := faulty.New(e)
	s, err := start(sender, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, Store: s, engine: e}
	w.create("Acme", "acme@x.example")
	w.renameLate(sender)

	finder := faulty.New(e)
	finder.DieAt(k, mode)
	if s, err := start(finder, 1); err == nil {
		_, _ = s.Resume(t.Context())
	}
	_, died = finder.Died()
	if w.Store, err = start(e, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Lookup(t.Context(), "Globex"); !errors.Is(err, org.NotFound) {
		t.Errorf("died at call %d: it was carried out: %v", k, err)
	}
	w.sound()
	return died
}

// renameLate has the process of an engine die when it has sent the update that renames Acme to Globex, which then
// arrives.
func (w *world) renameLate(sender *faulty.Engine) {
	w.t.Helper()
	p := w.login("acme@x.example")
	sender.FailOn(faulty.Nth(1, "Insert", "operations", faulty.Late))
	sender.On(func(faulty.Call) error {
		if len(sender.Held()) == 1 {
			sender.Kill()
		}
		return nil
	})
	_, err := w.Update(w.t.Context(), p, tenant.UpdateInput{Name: ptr("Globex")})
	sender.Deliver()
	if n := w.count("operations"); err == nil || n != 2 { // with the create
		w.t.Fatalf("%d operations, and it is told %v", n, err)
	}
}

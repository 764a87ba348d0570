package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A lifecycle is a call that is killed at every engine call that it makes.
type lifecycle struct {
	name string
	call func(context.Context, *tenant.Store, org.Principal) error
	// undone and done are the credentials that log in if the call has not taken effect and
	// if it has; empty if no credentials do.
	undone, done [2]string
	// prepare, if not nil, makes of acme what the call is about.
	prepare func(*world, org.Principal)
	// grace is the time of grace of deletions.
	grace time.Duration
}

func (l lifecycle) config(c *tenant.Config) {
	plain(c)
	c.DeleteGrace = l.grace
}

const rotated = "another password"

func plain(c *tenant.Config) { c.Passwords = plainPasswords{} }

// updating returns a call that updates.
func updating(in tenant.UpdateInput) func(context.Context, *tenant.Store, org.Principal) error {
	return func(ctx context.Context, s *tenant.Store, p org.Principal) error {
		_, err := s.Update(ctx, p, in)
		return err
	}
}

func lifecycles() []lifecycle {
	remove := func(ctx context.Context, s *tenant.Store, p org.Principal) error {
		_, err := s.Delete(ctx, p)
		return err
	}
	acme := [2]string{"acme@x.example", password}
	return []lifecycle{
		{name: "create", call: func(ctx context.Context, s *tenant.Store, _ org.Principal) error {
			_, err := s.Create(ctx, tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password})
			return err
		}, done: [2]string{"new@x.example", password}},
		{name: "refused create", call: func(ctx context.Context, s *tenant.Store, _ org.Principal) error {
			_, err := s.Create(ctx, tenant.CreateInput{Name: "Newco", Email: "acme@x.example", Password: password})
			if errors.Is(err, org.EmailTaken) {
				err = nil
			}
			return err
		}, undone: acme, done: acme},
		{name: "update everything", call: updating(tenant.UpdateInput{
			Name: ptr("Globex"), Email: ptr("globex@x.example"), Password: ptr(rotated), Migrate: true,
		}), undone: acme, done: [2]string{"globex@x.example", rotated}},
		{name: "rename", call: updating(tenant.UpdateInput{Name: ptr("Globex")}), undone: acme, done: acme},
		{name: "rotate the password", call: updating(tenant.UpdateInput{Password: ptr(rotated)}), undone: acme, done: [2]string{"acme@x.example", rotated}},
		{name: "change the address", call: updating(tenant.UpdateInput{Email: ptr("globex@x.example")}), undone: acme, done: [2]string{"globex@x.example", password}},
		{name: "move", call: updating(tenant.UpdateInput{Migrate: true}), undone: acme, done: acme},
		{name: "delete", call: remove, undone: acme},
		{name: "delete with grace", call: remove, undone: acme, grace: time.Hour},
		{name: "suspend", call: func(ctx context.Context, s *tenant.Store, p org.Principal) error {
			_, err := s.SuspendOrganization(ctx, p.OrgID)
			return err
		}},
		{name: "resume", call: func(ctx context.Context, s *tenant.Store, p org.Principal) error {
			_, err := s.ResumeOrganization(ctx, p.OrgID)
			return err
		}, prepare: (*world).suspend},
		{name: "restore", call: func(ctx context.Context, s *tenant.Store, p org.Principal) error {
			_, err := s.RestoreOrganization(ctx, p.OrgID)
			return err
		}, done: acme, prepare: deletedIn(2999), grace: time.Hour},
		{name: "purge", call: func(ctx context.Context, s *tenant.Store, _ org.Principal) error {
			return s.Purge(ctx)
		}, prepare: deletedIn(1999), grace: time.Hour},
	}
}

func (w *world) suspend(p org.Principal) {
	if _, err := w.SuspendOrganization(w.t.Context(), p.OrgID); err != nil {
		w.t.Fatal(err)
	}
}

// deletedIn deletes with a time of grace that, by the clocks of all stores, is long
// over or far from it.
func deletedIn(year int) func(*world, org.Principal) {
	return func(w *world, p org.Principal) {
		w.clock = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, err := w.Delete(w.t.Context(), p); err != nil {
			w.t.Fatal(err)
		}
	}
}

// crashed is one engine before, during and after a lifecycle call.
type crashed struct {
	lifecycle
	engine        docdb.Engine
	principal     org.Principal
	before, after state
}

// newCrashed seeds an engine with an organization to change and a bystander.
func newCrashed(t *testing.T, e docdb.Engine, l lifecycle, after state) *crashed {
	t.Helper()
	w := newWorld(t, e, l.config)
	w.put(w.create("Bystander", "by@x.example").Collection, bson.D{{Key: "_id", Value: "by"}})
	w.fill(w.create("Acme", "acme@x.example").Collection, 20)
	p := w.login("acme@x.example")
	if l.prepare != nil {
		l.prepare(w, p)
	}
	return &crashed{lifecycle: l, engine: e, principal: p, before: dump(t.Context(), t, e), after: after}
}

// instance opens a store of a process of its own, whose engine the test can
// make fail. hours moves its clock, to let leases run out.
func (c *crashed) instance(t *testing.T, name string, hours int) (*faulty.Engine, *tenant.Store) {
	f := faulty.New(c.engine)
	return f, openStore(t, f, func(cfg *tenant.Config) {
		c.config(cfg)
		cfg.Instance, cfg.Exclusive = name, false
		cfg.MaxKeys = 1000
		cfg.Now = func() time.Time { return time.Date(2026, 11, 23, 12+hours, 0, 0, 0, time.UTC) }
	})
}

// beating keeps an instance answering what others ask of it.
func beating(t *testing.T, s *tenant.Store) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = s.Beat(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// stallAt makes the process stall in its n-th call while meanwhile runs. The function
// returned waits for that: a request that makes two calls side by side may fail in the
// other, and return, while this one stalls.
func stallAt(f *faulty.Engine, n int, meanwhile func() error) (woken func()) {
	var stalled sync.Mutex
	f.On(func(call faulty.Call) error {
		if call.N != n {
			return nil
		}
		stalled.Lock()
		defer stalled.Unlock()
		return meanwhile()
	})
	return func() {
		stalled.Lock()
		defer stalled.Unlock()
	}
}

// settled checks that the call has happened or has not, and returns which.
func (c *crashed) settled(t *testing.T, s *tenant.Store) (done bool) {
	t.Helper()
	got := dump(t.Context(), t, c.engine)
	done = reflect.DeepEqual(got, c.after)
	if !done && !reflect.DeepEqual(got, c.before) {
		t.Fatalf("neither before nor after; differs from before: %s; from after: %s", cmp.Diff(c.before, got), cmp.Diff(c.after, got))
	}
	for _, bad := range unsound(t.Context(), t, c.engine) {
		t.Error(bad)
	}
	right, wrong := c.lifecycle.undone, c.lifecycle.done
	if done {
		right, wrong = wrong, right
	}
	if right[0] != "" {
		if _, err := s.Login(t.Context(), right[0], right[1]); err != nil {
			t.Errorf("%q cannot log in: %v", right, err)
		}
	}
	if wrong[0] != "" && wrong != right {
		if _, err := s.Login(t.Context(), wrong[0], wrong[1]); !errors.Is(err, org.BadCredentials) {
			t.Errorf("%q can log in: %v", wrong, err)
		}
	}
	return done
}

// uninterrupted returns the state after the call, and how many engine calls it made.
func uninterrupted(t *testing.T, e docdb.Engine, l lifecycle) (state, int) {
	t.Helper()
	c := newCrashed(t, e, l, nil)
	f, s := c.instance(t, "a", 0)
	opened := f.Calls()
	if err := l.call(t.Context(), s, c.principal); err != nil {
		t.Fatal(err)
	}
	calls := f.Calls() - opened
	after := dump(t.Context(), t, e)
	if reflect.DeepEqual(after, c.before) {
		t.Log("this call leaves no difference to see")
	}
	return after, calls
}

func newModel(*testing.T) docdb.Engine { return model.New() }

// eachCrash runs f for every engine call of every lifecycle and every way to
// die in it.
func eachCrash(t *testing.T, engine func(*testing.T) docdb.Engine, f func(t *testing.T, c *crashed, k int, mode faulty.Mode)) {
	for _, l := range lifecycles() {
		t.Run(l.name, func(t *testing.T) {
			after, calls := uninterrupted(t, engine(t), l)
			for k := 1; k <= calls; k++ {
				for _, mode := range faulty.Modes {
					t.Run(fmt.Sprintf("call %d %s", k, mode), func(t *testing.T) {
						f(t, newCrashed(t, engine(t), l, after), k, mode)
					})
				}
			}
		})
	}
}

// TestCrashAtEveryCall: the process dies at any engine call, and starts again.
func TestCrashAtEveryCall(t *testing.T) { eachCrash(t, newModel, restart) }

func TestCrashAtEveryCallEmbedded(t *testing.T) {
	if testing.Short() || os.Getenv("ORGD_TEST_LONG") == "" {
		sampled(t, embeddedEngine, 60)
		return
	}
	eachCrash(t, embeddedEngine, restart)
}

func TestCrashAtEveryCallMongoDB(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	if os.Getenv("ORGD_TEST_LONG") == "" {
		sampled(t, mongoEngine, 12)
		return
	}
	eachCrash(t, mongoEngine, restart)
}

// sampled does a part of eachCrash, drawn anew each time.
func sampled(t *testing.T, engine func(*testing.T) docdb.Engine, n int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	all := lifecycles()
	for range n {
		l := all[draw.IntN(len(all))]
		after, calls := uninterrupted(t, model.New(), l)
		k, mode := 1+draw.IntN(calls), faulty.Modes[draw.IntN(len(faulty.Modes))]
		t.Run(fmt.Sprintf("%s call %d %s", l.name, k, mode), func(t *testing.T) {
			restart(t, newCrashed(t, engine(t), l, after), k, mode)
		})
	}
}

func restart(t *testing.T, c *crashed, k int, mode faulty.Mode) {
	f, s := c.instance(t, "a", 0)
	f.DieAt(f.Calls()+k, mode)
	err := c.call(t.Context(), s, c.principal)
	if _, died := f.Died(); !died {
		t.Fatal("did not die: fewer calls than before")
	}
	again := openStore(t, c.engine, c.config)
	done := c.settled(t, again)
	if err == nil && !done {
		t.Error("acknowledged and lost")
	}
	if !done { // nothing is burnt: the same call succeeds now
		if err := c.call(t.Context(), again, c.principal); err != nil {
			t.Fatalf("again: %v", err)
		}
		if !c.settled(t, again) {
			t.Error("again, and nothing happened")
		}
	}
}

// TestCrashAndTakeOver: the process dies, another instance takes over when the
// lease has run out, and may die as well, wherever it is.
func TestCrashAndTakeOver(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	eachCrash(t, newModel, func(t *testing.T, c *crashed, k int, mode faulty.Mode) {
		fa, a := c.instance(t, "a", 0)
		fa.DieAt(fa.Calls()+k, mode)
		callErr := c.call(t.Context(), a, c.principal)

		_, early := c.instance(t, "b", 0)
		if n, err := early.Resume(t.Context()); n != 0 || err != nil {
			t.Fatalf("resumed %d before the lease ran out, %v", n, err)
		}
		fb, b := c.instance(t, "b", 1)
		fb.DieAt(fb.Calls()+1+draw.IntN(40), mode)
		_, _ = b.Resume(t.Context())

		_, last := c.instance(t, "c", 2)
		if _, err := last.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if done := c.settled(t, last); callErr == nil && !done {
			t.Error("acknowledged and lost")
		}
	})
}

// TestStallAtEveryCall: one engine call fails, or its answer gets lost, and the engine goes on. The
// answer to the caller is true.
func TestStallAtEveryCall(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	eachCrash(t, newModel, func(t *testing.T, c *crashed, k int, mode faulty.Mode) {
		t.Parallel() // most of it waits before it tries again
		f, s := c.instance(t, "a", 0)
		f.FailAt(f.Calls()+k, mode)
		err := c.call(t.Context(), s, c.principal)
		if _, resumeErr := s.Resume(t.Context()); resumeErr != nil {
			t.Fatal(resumeErr)
		}
		done := c.settled(t, s)
		switch {
		case err == nil && !done:
			t.Error("acknowledged and not done")
		case errors.Is(err, org.Unavailable) && done && !equalStates(c.before, c.after):
			t.Error("unavailable, which says that nothing was done, and done")
		case err != nil && !errors.Is(err, org.Unavailable) && !errors.Is(err, org.OutcomeUnknown):
			t.Errorf("a stall became %v", err)
		}
	})
}

func equalStates(a, b state) bool { return reflect.DeepEqual(a, b) }

// TestStalledOwnerIsStoppedByTheFence: an owner that stalls anywhere while
// another takes over and finishes does no harm when it wakes.
func TestStalledOwnerIsStoppedByTheFence(t *testing.T) {
	for _, l := range lifecycles() {
		t.Run(l.name, func(t *testing.T) {
			after, calls := uninterrupted(t, model.New(), l)
			for k := 1; k <= calls; k++ {
				t.Run(fmt.Sprintf("call %d", k), func(t *testing.T) {
					c := newCrashed(t, model.New(), l, after)
					f, s := c.instance(t, "a", 0)
					_, other := c.instance(t, "b", 1)
					beating(t, other)
					woken := stallAt(f, f.Calls()+k, func() error {
						_, err := other.Resume(t.Context())
						return err
					})
					err := c.call(t.Context(), s, c.principal)
					woken()
					done := c.settled(t, other)
					if err == nil && !done {
						t.Error("acknowledged and lost")
					}
				})
			}
		})
	}
}

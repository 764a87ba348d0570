package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const third = "the password after that"

// A sequel is what is asked of an organization after an update of it whose owner has stalled.
type sequel struct {
	name string
	call func(ctx context.Context, s *tenant.Store, p org.Principal) error
	// check says what does not hold once the call was acknowledged.
	check func(ctx context.Context, s *tenant.Store) error
}

// sequels take the same name and address as the update, others, a new collection, or nothing.
func sequels() []sequel {
	renames := func(name, email string) sequel {
		in := tenant.UpdateInput{Name: ptr(name), Email: ptr(email), Password: ptr(third)}
		return sequel{"rename to " + name, updating(in), func(ctx context.Context, s *tenant.Store) error {
			_, loginErr := s.Login(ctx, email, third)
			_, err := s.Lookup(ctx, name)
			return errors.Join(loginErr, err)
		}}
	}
	return []sequel{
		renames("Initech", "initech@x.example"), renames("Globex", "globex@x.example"),
		{"move", updating(tenant.UpdateInput{Migrate: true}), func(context.Context, *tenant.Store) error { return nil }},
		{"delete", func(ctx context.Context, s *tenant.Store, p org.Principal) error {
			_, err := s.Delete(ctx, p)
			return err
		}, func(ctx context.Context, s *tenant.Store) error {
			for _, name := range []string{"Acme", "Globex"} {
				if _, err := s.Lookup(ctx, name); !errors.Is(err, org.NotFound) {
					return fmt.Errorf("look %s up: %w", name, err)
				}
			}
			return nil
		}},
	}
}

// TestAStaleOwnerLeavesTheNextOperationAlone stalls an update at each of its calls until another instance has ended it,
// and has come to some call of the next operation on the same organization. What the stale owner
// still does then takes nothing from that.
func TestAStaleOwnerLeavesTheNextOperationAlone(t *testing.T) {
	for _, l := range lifecycles() {
		if !slices.Contains([]string{"update everything", "rename", "rotate the password", "change the address"}, l.name) {
			continue
		}
		for _, next := range sequels() {
			t.Run(l.name+", then "+next.name, func(t *testing.T) {
				_, calls := uninterrupted(t, model.New(), l)
				for at := 1; at <= calls; at++ {
					reached := true
					for then := 1 + at%staleStride(); reached; then += staleStride() {
						t.Run(fmt.Sprintf("call %d, the next one at call %d", at, then), func(t *testing.T) {
							reached = staleAt(t, l, at, next, then)
						})
					}
				}
			})
		}
	}
}

// staleStride is how many calls of the next operation are left out between two that are tried.
func staleStride() int {
	switch {
	case os.Getenv("ORGD_TEST_LONG") != "":
		return 1
	case testing.Short():
		return 13
	}
	return 5
}

// staleAt stalls the update at a call, and the next operation at another. It reports whether that
// came so far.
func staleAt(t *testing.T, l lifecycle, at int, next sequel, then int) (reached bool) {
	t.Helper()
	c := newCrashed(t, model.New(), l, nil)
	stale, owner := c.instance(t, "a", 0)
	f, other := c.instance(t, "b", 1)
	beating(t, other)
	goOn, there, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	began := false
	woken := stallAt(stale, stale.Calls()+at, func() error {
		if _, err := other.Resume(t.Context()); err != nil {
			return err
		}
		began = true
		p := loginEither(t, other, l)
		holdAt(f, then, there, goOn)
		go func() { over <- next.call(t.Context(), other, p) }()
		select {
		case <-there:
			reached = true
		case err := <-over:
			over <- err
		}
		return nil
	})
	_ = c.call(t.Context(), owner, c.principal)
	woken()
	close(goOn)
	if !began {
		return false
	}
	if err := <-over; err == nil {
		if err := next.check(t.Context(), other); err != nil {
			t.Errorf("it was acknowledged, and is not so: %v", err)
		}
	}
	for range 2 {
		if err := other.Reconcile(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range unsound(t.Context(), t, c.engine) {
		t.Error(bad)
	}
	return reached
}

// holdAt holds the n-th call from now on, not counting those of heartbeats, until goOn is closed.
func holdAt(f *faulty.Engine, n int, there, goOn chan struct{}) {
	var calls atomic.Int64
	f.On(func(call faulty.Call) error {
		if call.Collection != "instances" && calls.Add(1) == int64(n) {
			close(there)
			<-goOn
		}
		return nil
	})
}

// loginEither logs in with the credentials before or after the update, whichever are in force.
func loginEither(t *testing.T, s *tenant.Store, l lifecycle) org.Principal {
	t.Helper()
	for _, account := range [][2]string{l.undone, l.done} {
		if p, err := s.Login(t.Context(), account[0], account[1]); err == nil {
			return p
		}
	}
	t.Error(fmt.Sprint("nobody can log in after ", l.name))
	return org.Principal{}
}

// TestAStaleCreateActivatesNoInsertThatCameLater: the owner of a create inserts its organization twice, since the first
// insert got no answer. While it stalls, another instance ends the create, and the organization is deleted; then
// the first insert arrives, which looks like the owner's own.
func TestAStaleCreateActivatesNoInsertThatCameLater(t *testing.T) {
	c := &crashed{engine: model.New()}
	stale, owner := c.instance(t, "a", 0)
	_, other := c.instance(t, "b", 1)
	beating(t, other)
	stale.FailOn(faulty.Nth(1, "Insert", "organizations", faulty.Late))
	arrived := false
	stale.On(func(call faulty.Call) error {
		if arrived || call.Op != "Replace" || call.Collection != "organizations" { // until it activates
			return nil
		}
		if n, err := other.Resume(t.Context()); n != 1 || err != nil {
			t.Errorf("resumed %d, %v", n, err)
		}
		deleteAll(t, other)
		if _, err := other.Lookup(t.Context(), "Newco"); !errors.Is(err, org.NotFound) {
			t.Errorf("it is not deleted: %v", err)
		}
		arrived = len(stale.Held()) == 1
		stale.Deliver()
		return nil
	})
	_, err := owner.Create(t.Context(), tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password})
	if !arrived || !errors.Is(err, org.OutcomeUnknown) {
		t.Errorf("the insert arrived: %t; it is told %v", arrived, err)
	}
	if n := count(t, c.engine.Database(masterDB).Collection("organizations"), docdb.Filter{}); n != 0 {
		t.Errorf("%d organizations are there, and it was deleted", n)
	}
	c.sound(t)
}

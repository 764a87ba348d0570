package tenant_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A crossing is a store with one place for moves, which Acme's move has until release.
type crossing struct {
	*tenant.Store
	acme, globex, initech org.Principal
	held                  chan error // how Acme's move ends
	release               func()
}

// newCrossing makes one; before, if not nil, is done while the place is free.
func newCrossing(t *testing.T, before func(e docdb.Engine, globex org.Principal)) *crossing {
	e := model.New()
	w := newWorld(t, e, plain)
	c := &crossing{held: make(chan error, 1)}
	for name, p := range map[string]*org.Principal{"Acme": &c.acme, "Globex": &c.globex, "Initech": &c.initech} {
		w.create(name, name+"@x.example")
		*p = w.login(name + "@x.example")
	}
	if before != nil {
		before(e, c.globex)
	}
	f := faulty.New(e)
	c.Store = openOther(t, f, "b", 1)
	beating(t, c.Store)
	reached, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.On(func(call faulty.Call) error {
		if call.Op == "Create" && strings.HasPrefix(call.Collection, "org_acme") {
			once.Do(func() { close(reached); <-gate })
		}
		return nil
	})
	go func() {
		_, err := c.Update(context.Background(), c.acme, tenant.UpdateInput{Migrate: true})
		c.held <- err
	}()
	<-reached
	c.release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(c.release)
	return c
}

func openOther(t *testing.T, e docdb.Engine, instance string, hours int) *tenant.Store {
	return openStore(t, e, func(c *tenant.Config) {
		plain(c)
		c.Instance, c.Exclusive, c.MaxMoves = instance, false, 1
		c.Now = func() time.Time { return time.Date(2026, 11, 23, 12+hours, 0, 0, 0, time.UTC) }
	})
}

func TestAMoveWaitsForItsTurn(t *testing.T) {
	c := newCrossing(t, nil)
	name := "Initrode"
	if _, err := c.Update(t.Context(), c.initech, tenant.UpdateInput{Name: &name}); err != nil {
		t.Errorf("an update without a move: %v", err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	if _, err := c.UpdateAsync(ctx, c.globex, tenant.UpdateInput{Migrate: true}); !errors.Is(err, org.Unavailable) {
		t.Errorf("who does not wait for so long: %v", err)
	}
	begun := make(chan error, 1)
	go func() {
		_, err := c.UpdateAsync(t.Context(), c.globex, tenant.UpdateInput{Migrate: true})
		begun <- err
	}()
	c.release()
	for what, ended := range map[string]chan error{"the first": c.held, "the second": begun} {
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Update(t.Context(), c.initech, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Errorf("a place is still taken: %v", err)
	}
}

// TestAResumedOperationNeedsNoPlace: an operation that a crash has interrupted goes on, however many
// moves are in progress.
func TestAResumedOperationNeedsNoPlace(t *testing.T) {
	c := newCrossing(t, func(e docdb.Engine, globex org.Principal) {
		f := faulty.New(e)
		dying := openOther(t, f, "a", 0)
		f.On(func(call faulty.Call) error {
			if call.Op == "Create" && strings.HasPrefix(call.Collection, "org_globex") {
				f.DieAt(f.Calls()+1, faulty.Modes[0])
			}
			return nil
		})
		_, err := dying.Update(t.Context(), globex, tenant.UpdateInput{Migrate: true})
		if _, died := f.Died(); !died || err == nil {
			t.Fatalf("did not die: %v", err)
		}
	})
	if n, err := c.Resume(t.Context()); n != 1 || err != nil {
		t.Errorf("%d resumed, %v", n, err)
	}
	c.release()
	if err := <-c.held; err != nil {
		t.Error(err)
	}
}

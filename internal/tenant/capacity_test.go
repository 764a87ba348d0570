package tenant_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func atMost(n int64) func(*tenant.Config) {
	return func(c *tenant.Config) { c.MaxOrganizations = n }
}

// try creates an organization if there may be one more.
func (w *world) try(name string) bool {
	w.t.Helper()
	_, err := w.Create(w.t.Context(), tenant.CreateInput{Name: name, Email: name + "@x.example", Password: password})
	if err != nil && !errors.Is(err, org.QuotaExceeded) {
		w.t.Errorf("create %s: %v", name, err)
	}
	return err == nil
}

func TestOrganizationsAreBounded(t *testing.T) {
	w := newWorld(t, model.New(), plain, atMost(3))
	w.create("a", "a@x.example")
	w.create("b", "b@x.example")
	for range 3 { // what is refused for something else takes no place
		if _, err := w.Create(t.Context(), tenant.CreateInput{Name: "a", Email: "other@x.example", Password: password}); !errors.Is(err, org.NameTaken) {
			t.Errorf("a name that is taken: %v", err)
		}
	}
	if !w.try("c") || w.try("d") {
		t.Error("not three")
	}
	if _, err := w.Delete(t.Context(), w.login("a@x.example")); err != nil {
		t.Fatal(err)
	}
	if !w.try("d") || w.try("e") {
		t.Error("not three when one has gone")
	}
}

func TestRacingSignUpsDoNotExceedTheBound(t *testing.T) {
	w := newWorld(t, model.New(), plain, atMost(7))
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() { w.try(fmt.Sprint("racer", i)) })
	}
	all.Wait()
	for i := range 7 {
		w.try(fmt.Sprint("late", i)) // one that raced may have been refused for another that was
	}
	if n := count(t, w.engine.Database(masterDB).Collection("organizations"), docdb.Filter{}); n != 7 {
		t.Errorf("there are %d organizations, want 7", n)
	}
}

// The organizations of other instances on the same databases count after a while.
func TestOrganizationsOfOtherInstancesCount(t *testing.T) {
	e := model.New()
	shared := func(c *tenant.Config) { c.Exclusive = false }
	a, b := newWorld(t, e, plain, atMost(4), shared), newWorld(t, e, plain, atMost(4), shared)
	a.create("a", "a@x.example")
	b.create("b", "b@x.example")
	b.create("c", "c@x.example")
	b.create("d", "d@x.example")
	a.clock = a.clock.Add(11 * time.Second)
	if a.try("e") {
		t.Error("there are five")
	}
}

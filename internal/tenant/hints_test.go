package tenant_test

import (
	"context"
	"errors"
	"testing"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A process that has seen an organization's name and an admin's address remembers whose they were.
// TestWhatIsRememberedOfNamesIsChecked has another process give them to others, and take them back.
func TestWhatIsRememberedOfNamesIsChecked(t *testing.T) {
	engine := model.New()
	shared := func(c *tenant.Config) { c.Exclusive, c.Passwords = false, plainPasswords{} }
	here := newWorld(t, engine, shared)
	there := newWorld(t, engine, shared)
	beating(t, here.Store)
	beating(t, there.Store)
	first := there.create("Acme", "acme@x.example")
	is := func(when string, want org.Organization, name, email string) {
		t.Helper()
		if o, err := here.Lookup(t.Context(), name); err != nil || o.ID != want.ID {
			t.Errorf("%s: Lookup(%s) is %+v, %v", when, name, o, err)
		}
		if p, err := here.Login(t.Context(), email, password); err != nil || p.OrgID != want.ID {
			t.Errorf("%s: Login(%s) is %+v, %v", when, email, p, err)
		}
	}
	isNobodys := func(when, name, email string) {
		t.Helper()
		if o, err := here.Lookup(t.Context(), name); !errors.Is(err, org.NotFound) {
			t.Errorf("%s: Lookup(%s) is %+v, %v", when, name, o, err)
		}
		if p, err := here.Login(t.Context(), email, password); !errors.Is(err, org.BadCredentials) {
			t.Errorf("%s: Login(%s) is %+v, %v", when, email, p, err)
		}
	}
	rename := func(from, name, email string) {
		t.Helper()
		if _, err := there.Update(t.Context(), there.login(from), tenant.UpdateInput{Name: &name, Email: &email}); err != nil {
			t.Fatal(err)
		}
	}
	is("before", first, "Acme", "acme@x.example")
	rename("acme@x.example", "Globex", "globex@x.example")
	isNobodys("renamed", "Acme", "acme@x.example")
	is("renamed", first, "Globex", "globex@x.example")
	second := there.create("Acme", "acme@x.example")
	is("given to another", second, "Acme", "acme@x.example")
	there.delete("acme@x.example")
	isNobodys("deleted", "Acme", "acme@x.example")
	rename("globex@x.example", "Acme", "acme@x.example")
	is("taken back", first, "Acme", "acme@x.example")

	// A deletion frees the names before the organization is gone.
	f := faulty.New(engine)
	deleter := openStore(t, f, shared)
	goOn, reached, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	p := there.login("acme@x.example")
	f.On(func(c faulty.Call) error {
		if c.Op == "Delete" && c.Collection == "admins" {
			close(reached)
			<-goOn
		}
		return nil
	})
	go func() {
		_, err := deleter.Delete(context.WithoutCancel(t.Context()), p)
		over <- err
	}()
	<-reached
	third := there.create("Acme", "acme@x.example")
	is("free before the first is gone", third, "Acme", "acme@x.example")
	close(goOn)
	if err := <-over; err != nil {
		t.Error(err)
	}
	is("after that", third, "Acme", "acme@x.example")
}

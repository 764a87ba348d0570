package tenant_test

import (
	"errors"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// kindOf is the kind of an error, or "".
func kindOf(err error) org.Kind {
	var e *org.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// wants fails the test unless the error has that kind; "" is none.
func (w *world) wants(what string, err error, kind org.Kind) {
	w.t.Helper()
	if got := kindOf(err); got != kind || (err == nil) != (kind == "") {
		w.t.Errorf("%s: %v, want %q", what, err, kind)
	}
}

func (w *world) in(id string, want org.State) org.Organization {
	w.t.Helper()
	o, err := w.Organization(w.t.Context(), id)
	if err != nil || o.State != want {
		w.t.Errorf("the organization is %+v, want it %s; %v", o, want, err)
	}
	return o
}

func TestSuspendAndResume(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme := w.create("Acme", "acme@x.example")
		p := w.login("acme@x.example")
		for range 2 { // and again: each can be repeated
			w.suspend(p)
			w.in(acme.ID, org.StateSuspended)
		}
		_, err := w.Authenticate(ctx, p)
		w.wants("a token", err, org.Suspended)
		_, err = w.AuthenticateWatcher(ctx, p)
		w.wants("a watcher", err, org.Suspended)
		_, err = w.Login(ctx, "acme@x.example", password)
		w.wants("login", err, org.Suspended)
		_, err = w.Login(ctx, "acme@x.example", "not "+password)
		w.wants("login with a wrong password", err, org.BadCredentials)
		_, err = w.Update(ctx, p, tenant.UpdateInput{Migrate: true})
		w.wants("update", err, org.Suspended)
		_, err = w.Delete(ctx, p)
		w.wants("delete", err, org.Suspended)
		w.sound()
		for range 2 {
			if o, err := w.ResumeOrganization(ctx, acme.ID); err != nil || o.State != org.StateActive {
				t.Errorf("resumed: %+v, %v", o, err)
			}
		}
		_, err = w.Authenticate(ctx, p)
		w.wants("the same token", err, "")
		for _, call := range []func() error{
			func() error { _, err := w.SuspendOrganization(ctx, "nobody"); return err },
			func() error { _, err := w.ResumeOrganization(ctx, "nobody"); return err },
			func() error { _, err := w.RestoreOrganization(ctx, "nobody"); return err },
			func() error { _, err := w.Organization(ctx, "nobody"); return err },
		} {
			w.wants("nobody", call(), org.NotFound)
		}
	})
}

// A suspension does not wait for a move, and a move does not undo it.
func TestSuspendDuringAMove(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain)
	acme := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	suspended := false
	f.On(func(c faulty.Call) error {
		if c.Op == "Create" && c.Database == tenantDB && !suspended {
			suspended = true
			w.suspend(p)
		}
		return nil
	})
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil || !suspended {
		t.Fatal(err)
	}
	if o := w.in(acme.ID, org.StateSuspended); o.Generation != 2 {
		t.Errorf("generation %d", o.Generation)
	}
	w.sound()
}

// While an organization is created or deleted it is not the operator's to change.
func TestStatesOfOperationsAreTheirOwn(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain)
	ctx := t.Context()
	try := func(kind, restore org.Kind) {
		all, _, err := w.Organizations(ctx, "", "", 1)
		if err != nil || len(all) != 1 || all[0].Operation == "" {
			t.Fatalf("%+v, %v", all, err)
		}
		_, err = w.SuspendOrganization(ctx, all[0].ID)
		w.wants("suspend", err, kind)
		_, err = w.ResumeOrganization(ctx, all[0].ID)
		w.wants("resume", err, kind)
		_, err = w.RestoreOrganization(ctx, all[0].ID)
		w.wants("restore", err, restore)
	}
	tried := 0
	f.On(func(c faulty.Call) error {
		switch {
		case c.Op == "Create" && c.Database == tenantDB:
			tried++
			try(org.OperationInProgress, org.OperationInProgress)
		case c.Op == "Drop" && c.Database == tenantDB:
			tried++
			try(org.OrganizationDeleting, org.NotFound)
		}
		return nil
	})
	w.create("Acme", "acme@x.example")
	if _, err := w.Delete(ctx, w.login("acme@x.example")); err != nil || tried != 2 {
		t.Errorf("tried %d times, %v", tried, err)
	}
}

func withGrace(c *tenant.Config) { plain(c); c.DeleteGrace = time.Hour }

func TestDeleteWithGrace(t *testing.T) {
	w := newWorld(t, model.New(), withGrace)
	ctx := t.Context()
	acme := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	receipt, err := w.Delete(ctx, p)
	if due := w.clock.Add(time.Hour); err != nil || receipt.OrganizationID != acme.ID || receipt.Name != "Acme" || !receipt.DeletedAt.Equal(w.clock) ||
		!receipt.PurgeAfter.Equal(due) || len(receipt.Collections) > 0 || !w.in(acme.ID, org.StateDeleting).PurgeAfter.Equal(due) {
		t.Fatalf("%+v, %v", receipt, err)
	}
	_, err = w.Authenticate(ctx, p)
	w.wants("a token", err, org.TokenRevoked)
	_, err = w.AuthenticateWatcher(ctx, p)
	w.wants("a watcher", err, org.TokenRevoked)
	_, err = w.Login(ctx, "acme@x.example", password)
	w.wants("login", err, org.BadCredentials)
	_, err = w.Delete(ctx, p)
	w.wants("delete again", err, org.TokenRevoked)
	_, err = w.Create(ctx, tenant.CreateInput{Name: "ACME", Email: "other@x.example", Password: password})
	w.wants("its name", err, org.NameTaken)
	_, err = w.Create(ctx, tenant.CreateInput{Name: "Other", Email: "acme@x.example", Password: password})
	w.wants("its address", err, org.EmailTaken)
	_, err = w.SuspendOrganization(ctx, acme.ID)
	w.wants("suspend", err, org.OrganizationDeleting)
	_, err = w.ResumeOrganization(ctx, acme.ID)
	w.wants("resume", err, org.OrganizationDeleting)
	w.clock = w.clock.Add(time.Hour - time.Millisecond)
	w.wants("purge before its time", w.Purge(ctx), "")
	w.sound()

	for range 2 {
		o, err := w.RestoreOrganization(ctx, acme.ID)
		if err != nil || o.State != org.StateActive || !o.PurgeAfter.IsZero() {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	_, err = w.Authenticate(ctx, p)
	w.wants("a token from before the deletion", err, org.TokenRevoked)
	_, err = w.Update(ctx, p, tenant.UpdateInput{Migrate: true})
	w.wants("an update with it", err, org.TokenRevoked)
	_, err = w.Authenticate(ctx, w.login("acme@x.example"))
	w.wants("a token from after it", err, "")
	w.clock = w.clock.Add(24 * time.Hour)
	w.wants("purge of nothing", w.Purge(ctx), "")
	w.in(acme.ID, org.StateActive)
	w.sound()
}

func TestPurge(t *testing.T) {
	eachEngine(t, func(t *testing.T, base *world) {
		w := newWorld(t, base.engine, withGrace)
		ctx := t.Context()
		by := w.create("Bystander", "by@x.example")
		acme := w.create("Acme", "acme@x.example")
		w.fill(acme.Collection, 10)
		if _, err := w.Delete(ctx, w.login("acme@x.example")); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(time.Hour)
		_, err := w.RestoreOrganization(ctx, acme.ID)
		w.wants("restore after the time of grace", err, org.NotFound)
		w.in(acme.ID, org.StateDeleting)
		w.wants("purge", w.Purge(ctx), "")
		w.wants("purge again", w.Purge(ctx), "")
		_, err = w.Organization(ctx, acme.ID)
		w.wants("the organization", err, org.NotFound)
		w.in(by.ID, org.StateActive)
		w.sound()
		w.create("Acme", "acme@x.example")
	})
}

func TestDeleteWithGraceWaitsForNoOperation(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, withGrace)
	w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	tried := false
	f.On(func(c faulty.Call) error {
		if c.Op == "Create" && c.Database == tenantDB && !tried {
			tried = true
			_, err := w.Delete(t.Context(), p)
			w.wants("delete during a move", err, org.OperationInProgress)
		}
		return nil
	})
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil || !tried {
		t.Error(err)
	}
}

func TestOrganizationsInPages(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		var want []string
		for i, name := range []string{"A", "B", "C", "D", "E"} {
			o := w.create(name, name+"@x.example")
			want = append([]string{o.ID}, want...)
			if i%2 == 0 {
				w.suspend(w.login(name + "@x.example"))
			}
		}
		for limit := 1; limit < 7; limit++ {
			for state, ids := range map[org.State][]string{
				"": want, org.StateSuspended: {want[0], want[2], want[4]}, org.StateActive: {want[1], want[3]}, org.StateDeleting: nil,
			} {
				got, after := []string(nil), ""
				for {
					page, next, err := w.Organizations(t.Context(), state, after, limit)
					if err != nil || len(page) > limit {
						t.Fatal(len(page), err)
					}
					for _, o := range page {
						got = append(got, o.ID)
					}
					if after = next; next == "" {
						break
					}
				}
				if !equal(got, ids) {
					t.Errorf("state %q, %d at a time: %v, want %v", state, limit, got, ids)
				}
			}
		}
	})
}

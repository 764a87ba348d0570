package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A message that was sent may arrive any time later, at most once, also after its sender
// gave up. These tests hold one up at every place where there is one.

// eachLate holds up every write of every lifecycle, until release is called.
func eachLate(t *testing.T, f func(t *testing.T, c *crashed, s *tenant.Store, release func(), err error)) {
	for _, l := range lifecycles() {
		after, calls := uninterrupted(t, model.New(), l)
		t.Run(l.name, func(t *testing.T) {
			for k := 1; k <= calls; k++ {
				t.Run(fmt.Sprint("call ", k), func(t *testing.T) {
					t.Parallel() // most of it waits before it tries again
					c := newCrashed(t, model.New(), l, after)
					engine, s := c.instance(t, "a", 0)
					engine.FailAt(engine.Calls()+k, faulty.Late)
					err := c.call(t.Context(), s, c.principal)
					held := engine.Held()
					if len(held) == 0 {
						return // it was a read
					}
					if notTold(held[0]) && err != nil && !errors.Is(err, org.OutcomeUnknown) {
						t.Errorf("%s was held up, and it is told %v", held[0], err)
					} else if !notTold(held[0]) && err != nil {
						t.Errorf("%s was held up, and a healthy owner gave up: %v", held[0], err)
					}
					f(t, c, s, func() { engine.Deliver() }, err)
				})
			}
		})
	}
}

// notTold reports whether a call cannot be sent again, so that its outcome stays unknown.
func notTold(c faulty.Call) bool { return c.Collection == "operations" && c.Op == "Insert" }

// cleanUp lets an instance of an hour later finish and tidy up.
func (c *crashed) cleanUp(t *testing.T, hours int) *tenant.Store {
	t.Helper()
	_, s := c.instance(t, fmt.Sprint("late ", hours), hours)
	beating(t, s)
	if _, err := s.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestAMessageThatIsLate(t *testing.T) {
	eachLate(t, func(t *testing.T, c *crashed, _ *tenant.Store, release func(), err error) {
		release()
		if done := c.settled(t, c.cleanUp(t, 2)); err == nil && !done {
			t.Error("acknowledged and lost")
		}
	})
}

// TestAMessageThatIsLaterThanTheNextChanges: clients have written and deleted documents, and
// the data was moved again, when it arrives.
func TestAMessageThatIsLaterThanTheNextChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	eachLate(t, func(t *testing.T, c *crashed, _ *tenant.Store, release func(), _ error) {
		s := c.cleanUp(t, 2)
		p, err := s.Login(t.Context(), "acme@x.example", password)
		if err != nil {
			release()
			c.cleanUp(t, 3)
			c.sound(t)
			return
		}
		docs := s.Documents(p.OrgID)
		for _, id := range []int{0, 3} {
			if err := docs.Delete(t.Context(), bsonValue(t, id), tenant.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
		putValue(t, docs, "new")
		want := c.documents(t, s, p.OrgID)
		if _, err := s.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
			t.Fatal(err)
		}
		release()
		last := c.cleanUp(t, 3)
		if diff := cmp.Diff(want, c.documents(t, last, p.OrgID)); diff != "" {
			t.Errorf("what was acknowledged has changed: %s", diff)
		}
		c.sound(t)
	})
}

// TestAMessageThatIsLaterThanALife: all organizations are deleted and made again when
// it arrives.
func TestAMessageThatIsLaterThanALife(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	eachLate(t, func(t *testing.T, c *crashed, _ *tenant.Store, release func(), _ error) {
		s := c.cleanUp(t, 2)
		deleteAll(t, s)
		var made []string
		for _, name := range []string{"Newco", "Acme", "Globex"} {
			_, err := s.Create(t.Context(), tenant.CreateInput{Name: name, Email: name + "@x.example", Password: password})
			if err == nil { // else it is deleted with a time of grace, and keeps its name
				made = append(made, name)
			}
		}
		release()
		last := c.cleanUp(t, 3)
		for _, name := range made {
			if _, err := last.Lookup(t.Context(), name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		c.sound(t)
	})
}

func (c *crashed) sound(t *testing.T) {
	t.Helper()
	for _, bad := range unsound(t.Context(), t, c.engine) {
		t.Error(bad)
	}
}

// documents are an organization's, by _id.
func (c *crashed) documents(t *testing.T, s *tenant.Store, orgID string) map[string]string {
	t.Helper()
	page, _, err := s.Documents(orgID).List(t.Context(), docdb.Query{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, doc := range page {
		all[doc.ID().String()] = doc.Revision + doc.Body.String()
	}
	return all
}

func bsonValue(t testing.TB, v any) bson.RawValue {
	t.Helper()
	kind, raw, err := bson.MarshalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return bson.RawValue{Type: kind, Value: raw}
}

// heldWrite moves an organization's data while a client changes a document, and holds up
// the mover's n-th write of that kind to a target. Then clients change the document twice.
// It returns what they read when the message has arrived.
func heldWrite(t *testing.T, op string, n int, skip ...string) (got, want string) {
	e := model.New()
	f := faulty.New(e)
	w := newWorld(t, f, plain, shared, func(c *tenant.Config) {
		for _, part := range skip {
			if !c.Skip(part) {
				t.Fatalf("there is no part %q", part)
			}
		}
	})
	o := w.create("Acme", "acme@x.example")
	docs := w.Documents(o.ID)
	putValue(t, docs, "first")
	target := false
	f.FailOn(faulty.Nth(n, op, o.Collection+".", faulty.Late))
	f.On(func(c faulty.Call) error {
		if c.Op == "Find" && c.Collection == o.Collection && !target { // the copy begins
			target = true
			return nil
		}
		if target && c.Op == "InsertMany" && c.Collection == o.Collection+".2" {
			f.On(nil)
			switch op {
			case "Replace":
				putValue(t, docs, "second") // the copy has the first
			case "Delete":
				if err := docs.Delete(t.Context(), docdb.StringID("doc"), tenant.Condition{}); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	})
	if _, err := w.Update(t.Context(), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatalf("a healthy mover gave up: %v", err)
	}
	if len(f.Held()) != 1 {
		t.Fatalf("held: %v", f.Held())
	}
	putValue(t, docs, "third")
	if op == "InsertMany" {
		if err := docs.Delete(t.Context(), docdb.StringID("doc"), tenant.Condition{}); err != nil {
			t.Fatal(err)
		}
	} else {
		putValue(t, docs, "fourth")
		want = "fourth"
	}
	f.Deliver()
	return valueOf(t, docs, "doc"), want
}

func TestAMoversWriteThatIsLateDoesNoHarm(t *testing.T) {
	for _, op := range []string{"Replace", "Delete", "InsertMany"} {
		t.Run(op, func(t *testing.T) {
			if got, want := heldWrite(t, op, 1); got != want {
				t.Errorf("the document is %q, acknowledged was %q", got, want)
			}
		})
	}
	t.Run("without a fresh target it does", func(t *testing.T) {
		if got, want := heldWrite(t, "InsertMany", 1, "fresh target"); got == want {
			t.Error("a late insert is not found")
		}
		if got, want := heldWrite(t, "Replace", 1, "fresh target", "conditions"); got == want {
			t.Error("a late replace without a condition is not found")
		}
	})
}

// A change of state that seemed to fail is not made again over another that was made since.
func TestAChangeOfStateTakesEffectOnce(t *testing.T) {
	for _, mode := range []faulty.Mode{faulty.After, faulty.Late} {
		for _, change := range []struct {
			name string
			made func(*tenant.Store, string) error
		}{
			{"resume", func(s *tenant.Store, id string) error {
				_, err := s.ResumeOrganization(context.Background(), id)
				return err
			}},
			{"set a quota", func(s *tenant.Store, id string) error {
				_, err := s.SetQuota(context.Background(), id, org.Quota{MaxDocuments: 5})
				return err
			}},
			{"restore", func(s *tenant.Store, id string) error {
				_, err := s.RestoreOrganization(context.Background(), id)
				return err
			}},
		} {
			for after := range 4 {
				if mode == faulty.Late {
					after = 1000 // till then the two are concurrent, and either may come last
				}
				t.Run(fmt.Sprintf("%s, %s, %d calls later", change.name, mode, after), func(t *testing.T) {
					changeOnce(t, change.name, mode, after, change.made)
				})
			}
		}
	}
}

// changeOnce makes a change whose answer gets lost, or which is late; after some more calls of the same
// process another change comes between.
func changeOnce(t *testing.T, name string, mode faulty.Mode, after int, change func(*tenant.Store, string) error) {
	e := model.New()
	grace := func(c *tenant.Config) { c.DeleteGrace = time.Hour }
	w := newWorld(t, e, plain, shared, grace)
	f := faulty.New(e)
	s := newWorld(t, f, plain, shared, grace).Store
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	switch name {
	case "resume":
		w.suspend(p)
	case "restore":
		if _, err := w.Delete(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	between := func() error {
		switch name {
		case "set a quota":
			_, err := w.SetQuota(t.Context(), o.ID, org.Quota{MaxDocuments: 9})
			return err
		case "restore": // somebody else restores it first, and its admin deletes it again
			if _, err := w.RestoreOrganization(t.Context(), o.ID); err != nil {
				return err
			}
			again, err := w.Login(t.Context(), "acme@x.example", password)
			if err == nil {
				_, err = w.Delete(t.Context(), again)
			}
			return err
		}
		_, err := w.SuspendOrganization(t.Context(), o.ID)
		return err
	}
	f.FailOn(faulty.Nth(1, "Replace", "organizations", mode))
	sent, acknowledged := -1, false
	f.On(func(c faulty.Call) error {
		if c.Op == "Replace" && sent < 0 {
			sent = c.N
		}
		if sent >= 0 && c.N == sent+1+after && !acknowledged {
			acknowledged = true
			return between()
		}
		return nil
	})
	err := change(s, o.ID)
	if !acknowledged {
		if err := between(); err != nil {
			t.Fatal(err)
		}
	}
	f.Deliver()
	now, lookErr := w.Organization(t.Context(), o.ID)
	if lookErr != nil {
		t.Fatal(lookErr)
	}
	if err != nil && !errors.Is(err, org.OutcomeUnknown) {
		t.Errorf("it is told %v", err)
	}
	ok := map[string]bool{"resume": now.State == org.StateSuspended, "set a quota": now.Quota.MaxDocuments == 9, "restore": now.State == org.StateDeleting}
	if !ok[name] {
		t.Errorf("an acknowledged change was undone: %s, %+v (told %v)", now.State, now.Quota, err)
	}
}

// TestAMoversWriteThatIsLateOnTheWire: a proxy before the server holds the mover's replace of
// a document back, longer than anybody waits for it.
func TestAMoversWriteThatIsLateOnTheWire(t *testing.T) {
	proxy := mongotest.NewProxy(t, mongotest.URI(t))
	e, err := mongodb.Open(t.Context(), mongodb.Config{URI: proxy.URI(), Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	f := faulty.New(renamed{e, map[string]string{masterDB: mongotest.Database(t), tenantDB: mongotest.Database(t)}})
	w := newWorld(t, f, plain, shared)
	o := w.create("Acme", "acme@x.example")
	docs := w.Documents(o.ID)
	putValue(t, docs, "first")
	f.On(func(c faulty.Call) error {
		if c.Op == "InsertMany" && c.Collection == o.Collection+".2" { // with the first
			f.On(nil)
			putValue(t, docs, "second")
		}
		return nil
	})
	proxy.On(mongotest.Nth(1, "update", o.Collection+".2", mongotest.Hold))
	if _, err := w.Update(t.Context(), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatalf("a healthy mover gave up: %v", err)
	}
	if n := len(proxy.Held()); n != 1 {
		t.Fatalf("%d messages were held", n)
	}
	putValue(t, docs, "third")
	putValue(t, docs, "fourth")
	proxy.Deliver()
	if got := valueOf(t, docs, "doc"); got != "fourth" {
		t.Errorf("the document is %q", got)
	}
}

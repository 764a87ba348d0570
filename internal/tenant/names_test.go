package tenant_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A drop that is late must find no later collection under its name: whoever gives a name up has
// counted it before the drop is sent.

// A proposal is a create that dies when it has entered the first name of its organization's collection.
func (c *crashed) proposal(t *testing.T, name string) {
	t.Helper()
	f, s := c.instance(t, "dies", 0)
	f.On(func(call faulty.Call) error {
		if call.Op != "InsertMany" || call.Collection != "reservations" {
			return nil
		}
		for len(entries(t, c.engine)) == 0 { // it is entered at the same time
			time.Sleep(time.Millisecond)
		}
		f.Kill()
		return faulty.ErrDied
	})
	_, err := s.Create(t.Context(), tenant.CreateInput{Name: name, Email: "dead@x.example", Password: password})
	if err == nil {
		t.Fatal("it has not died")
	}
}

// entries are the names in the registry that were only proposed.
func entries(t *testing.T, e docdb.Engine) (names []string) {
	t.Helper()
	for doc, err := range e.Database(masterDB).Collection("collections").Find(t.Context(), docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if token, _ := doc.Lookup("fence").AsInt64OK(); token == 0 {
			names = append(names, doc.Lookup("_id").StringValue())
		}
	}
	return names
}

// undoneWithALateDrop has another instance undo the proposal, while the storage holds the first drop of a collection.
func undoneWithALateDrop(t *testing.T, f *faulty.Engine, s *tenant.Store) {
	t.Helper()
	f.FailOn(faulty.Nth(1, "Drop", "org_", faulty.Late))
	if n, err := s.Resume(t.Context()); n != 1 || err != nil {
		t.Errorf("%d operations were ended: %v", n, err)
	}
	if len(f.Held()) != 1 {
		t.Errorf("held: %v", f.Held())
	}
}

func TestTheDropOfAnUndoneCreateIsLate(t *testing.T) {
	c := &crashed{engine: model.New()}
	c.proposal(t, "Newco")
	f, s := c.instance(t, "b", 1)
	beating(t, s)
	undoneWithALateDrop(t, f, s)
	o, err := s.Create(t.Context(), tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	putDocument(t, c.engine, o.Collection, bson.D{{Key: "_id", Value: 1}})
	f.Deliver()
	keeps(t, s, "new@x.example", 1)
	c.sound(t)
}

// A rename with a move claims the new name's first collection while a create of that name is undone. The claim is
// held up at each of its calls until that is over.
func TestTheDropOfAnUndoneCreateIsLaterThanAMove(t *testing.T) {
	for n, met := 1, true; met; n++ {
		met = false
		c := &crashed{engine: model.New()}
		c.proposal(t, "Globex")
		f, s := c.instance(t, "a", 1)
		g, other := c.instance(t, "b", 1)
		beating(t, s)
		beating(t, other)
		o, err := s.Create(t.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		putDocument(t, c.engine, o.Collection, bson.D{{Key: "_id", Value: 1}})
		p, err := s.Login(t.Context(), "acme@x.example", password)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		var mu sync.Mutex // two of its calls go side by side
		f.On(func(call faulty.Call) error {
			mu.Lock()
			defer mu.Unlock()
			if call.Collection != "collections" && call.Collection != "names" && call.Op != "List" || met {
				return nil
			}
			if seen++; seen == n {
				met = true
				undoneWithALateDrop(t, g, other)
			}
			return nil
		})
		if _, err := s.Update(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex"), Migrate: true}); err != nil {
			t.Fatal(err)
		}
		f.On(nil)
		g.Deliver()
		keeps(t, s, "acme@x.example", 1)
		c.cleanUp(t, 2)
		c.sound(t)
	}
}

// A create that is refused leaves the name of its collection to the next.
func TestARefusedCreateTakesNoName(t *testing.T) {
	eachShared(t, func(t *testing.T, w *world) {
		w.create("Acme", "acme@x.example")
		for range 2 {
			_, err := w.Create(t.Context(), tenant.CreateInput{Name: "Newco", Email: "acme@x.example", Password: password})
			if !errors.Is(err, org.EmailTaken) {
				t.Error(err)
			}
		}
		if o := w.create("Newco", "new@x.example"); o.Collection != "org_newco" {
			t.Errorf("the collection is %s", o.Collection)
		}
		w.sound()
	})
}

// keeps checks how many documents an admin's organization has.
func keeps(t *testing.T, s *tenant.Store, email string, want int64) {
	t.Helper()
	p, err := s.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Documents(p.OrgID).Page(t.Context(), tenant.PageQuery{Limit: 10, Total: true})
	if err != nil || page.Total != want {
		t.Errorf("%+v are left, want %d: %v", page, want, err)
	}
}

// The owner of a create finds a collection that is not orgd's under the first name, and loses its lease: what it
// removes then is its own.
func TestAStaleCreateDropsNoForeignCollection(t *testing.T) {
	c := &crashed{engine: model.New()}
	db := c.engine.Database(tenantDB)
	if err := db.Create(t.Context(), "org_newco"); err != nil {
		t.Fatal(err)
	}
	putDocument(t, c.engine, "org_newco", bson.D{{Key: "_id", Value: "mine"}})
	stale, owner := c.instance(t, "a", 0)
	_, other := c.instance(t, "b", 1)
	beating(t, other)
	over := false
	stale.On(func(call faulty.Call) error {
		if call.Op != "Replace" || call.Collection != "operations" || over {
			return nil
		}
		over = true
		_, err := other.Resume(t.Context())
		deleteAll(t, other)
		return err
	})
	_, err := owner.Create(t.Context(), tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password})
	if !over || err == nil {
		t.Errorf("taken over: %t; it is told %v", over, err)
	}
	if n, err := db.Collection("org_newco").Count(t.Context(), docdb.Filter{}); n != 1 || err != nil {
		t.Errorf("%d documents are left of the foreign collection: %v", n, err)
	}
}

// Somebody makes a collection without orgd just when an operation has claimed its name: it is neither taken nor dropped.
func TestAForeignCollectionIsMadeMeanwhile(t *testing.T) {
	for _, name := range []string{"org_globex", "org_acme.2"} {
		t.Run(name, func(t *testing.T) {
			f := faulty.New(model.New())
			w := newWorld(t, f, plain)
			w.put(w.create("Acme", "acme@x.example").Collection, bson.D{{Key: "_id", Value: 1}})
			made := false
			f.On(func(c faulty.Call) error {
				if c.Op != "Create" || c.Collection != name || made {
					return nil
				}
				made = true
				w.make(tenantDB, name)
				w.put(name, bson.D{{Key: "_id", Value: "mine"}})
				return nil
			})
			in := tenant.UpdateInput{Migrate: true}
			if name == "org_globex" {
				in.Name = ptr("Globex")
			}
			o, err := w.Update(t.Context(), w.login("acme@x.example"), in)
			if err != nil || !made || o.Collection == name {
				t.Errorf("the data is in %s, made: %t, %v", o.Collection, made, err)
			}
			keeps(t, w.Store, "acme@x.example", 1)
			if _, err := w.Delete(t.Context(), w.login("acme@x.example")); err != nil {
				t.Error(err)
			}
			w.reconcile()
			if n := count(t, w.engine.Database(tenantDB).Collection(name), docdb.Filter{}); n != 1 {
				t.Errorf("%d documents are left of the foreign collection", n)
			}
		})
	}
}

// A reservation that cannot be read refuses the update, and leaves the organization free for others.
func TestADamagedReservationRefusesAnUpdate(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	w.change("reservations", "name:acme", "org_id", int32(5))
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex")}); !errors.Is(err, org.Internal) {
		t.Errorf("it is told %v", err)
	}
	w.change("reservations", "name:acme", "org_id", o.ID)
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex")}); err != nil {
		t.Error(err)
	}
	w.sound()
}

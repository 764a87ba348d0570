package tenant_test

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A drop that is late must find no later collection under its name: whoever gives a name up has
// counted it before the drop is sent.

// refusedWithALateDrop has the storage hold the first drop of a collection, and an organization refused for its
// address or name. It reports whether there was a drop.
func refusedWithALateDrop(t *testing.T, f *faulty.Engine, s *tenant.Store, name, email string, kind org.Kind) bool {
	t.Helper()
	f.FailOn(faulty.Nth(1, "Drop", "org_", faulty.Late))
	_, err := s.Create(t.Context(), tenant.CreateInput{Name: name, Email: email, Password: password})
	if !errors.Is(err, kind) {
		t.Errorf("it is told %v", err)
	}
	return len(f.Held()) > 0
}

func TestTheDropOfARefusedCreateIsLate(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, shared)
	w.create("Acme", "acme@x.example")
	if !refusedWithALateDrop(t, f, w.Store, "Newco", "acme@x.example", org.EmailTaken) {
		t.Fatal("nothing is held")
	}
	w.put(w.create("Newco", "new@x.example").Collection, bson.D{{Key: "_id", Value: 1}})
	f.Deliver()
	w.keeps("new@x.example", 1)
	w.sound()
}

// A rename with a move claims the new name's first collection while a create of that name is refused. The claim is
// held up at each of its calls until that is over.
func TestTheDropOfARefusedCreateIsLaterThanAMove(t *testing.T) {
	dropped := 0
	for _, op := range []string{"List", "Insert", "Get", "Replace"} {
		for n := 1; n <= 8; n++ {
			e := model.New()
			f, g := faulty.New(e), faulty.New(e)
			w, other := newWorld(t, f, plain, shared), newWorld(t, g, plain, shared)
			beating(t, w.Store)
			beating(t, other.Store)
			w.put(w.create("Acme", "acme@x.example").Collection, bson.D{{Key: "_id", Value: 1}})
			p := w.login("acme@x.example")
			seen, met := 0, false
			f.On(func(c faulty.Call) error {
				claims := c.Collection == "collections" || c.Collection == "names" || c.Op == "List"
				if c.Op != op || !claims || met {
					return nil
				}
				if seen++; seen == n {
					met = true
					if refusedWithALateDrop(t, g, other.Store, "Globex", "new@x.example", org.NameTaken) {
						dropped++
					}
				}
				return nil
			})
			if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex"), Migrate: true}); err != nil {
				t.Fatal(err)
			}
			f.On(nil)
			if !met {
				break
			}
			g.Deliver()
			w.keeps("acme@x.example", 1)
			w.sound()
		}
	}
	if dropped == 0 {
		t.Error("no create has dropped a collection")
	}
}

// keeps checks how many documents an admin's organization has.
func (w *world) keeps(email string, want int64) {
	w.t.Helper()
	page, err := w.Documents(w.login(email).OrgID).Page(w.t.Context(), tenant.PageQuery{Limit: 10, Total: true})
	if err != nil || page.Total != want {
		w.t.Errorf("%+v are left, want %d: %v", page, want, err)
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
		if over || call.Op != "Replace" || call.Collection != "operations" {
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

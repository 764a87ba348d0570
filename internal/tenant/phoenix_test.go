package tenant_test

import (
	"errors"
	"fmt"
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

// An organization is deleted, and another of its name and address comes into being, while
// something is under way that knows the first.

// reads are all ways to read an organization's data. Each returns its result as text, which shows whose
// data it is.
var reads = []struct {
	name string
	do   func(w *world, p org.Principal) (string, error)
}{
	{"get", func(w *world, p org.Principal) (string, error) {
		doc, err := w.Documents(p.OrgID).Get(w.t.Context(), docdb.StringID("doc"))
		return doc.Body.String(), err
	}},
	{"get of who was not let in", func(w *world, p org.Principal) (string, error) {
		doc, err := w.Documents(p.OrgID).As(p).Get(w.t.Context(), docdb.StringID("doc"))
		return doc.Body.String(), err
	}},
	{"page with a count", func(w *world, p org.Principal) (string, error) {
		page, err := w.Documents(p.OrgID).Page(w.t.Context(), tenant.PageQuery{Limit: 10, Total: true})
		return fmt.Sprint(page.Documents, page.Total), err
	}},
	{"stats", func(w *world, p org.Principal) (string, error) {
		stats, err := w.Documents(p.OrgID).Stats(w.t.Context(), time.Minute)
		return fmt.Sprint(stats.Documents, stats.Indexes), err
	}},
	{"indexes", func(w *world, p org.Principal) (string, error) {
		list, err := w.Documents(p.OrgID).Indexes(w.t.Context())
		return fmt.Sprint(list), err
	}},
	{"export", func(w *world, p org.Principal) (string, error) {
		page, _, err := w.Documents(p.OrgID).ExportPage(w.t.Context(), docdb.Filter{}, bson.RawValue{})
		return fmt.Sprint(page), err
	}},
}

// furnish gives an organization documents and an index that tell whose they are; the
// second has more of them.
func (w *world) furnish(orgID, owner string, n int) {
	w.t.Helper()
	docs := w.Documents(orgID)
	for i := range n {
		id := "doc"
		if i > 0 {
			id = fmt.Sprint(owner, i)
		}
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: owner, Value: i}})
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := docs.Insert(w.t.Context(), raw); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := docs.CreateIndex(w.t.Context(), tenant.Index{Name: owner, Keys: []tenant.Key{{Path: owner}}}); err != nil {
		w.t.Fatal(err)
	}
}

// meanwhiles are what can happen to an organization while it is read, and what a reader is
// told then.
var meanwhiles = []struct {
	name string
	do   func(w *world, p org.Principal)
	told org.Kind
}{
	{"deleted and made again", func(w *world, p org.Principal) {
		w.delete("acme@x.example")
		w.furnish(w.create("Acme", "acme@x.example").ID, "second", 5)
	}, org.TokenRevoked},
	{"suspended", (*world).suspend, org.Suspended},
}

// rereads runs every read on an engine, with something else at each of its calls: done by
// another instance, where there can be one. It returns what went wrong.
func rereads(t *testing.T, exclusive bool, skip ...string) (wrong []string) {
	for _, m := range meanwhiles {
		for _, read := range reads {
			for k, more := 1, true; more; k++ {
				var seen string
				var err error
				seen, more, err = reread(t, exclusive, k, m.do, read.do, skip)
				at := fmt.Sprintf("%s, %s at call %d: ", read.name, m.name, k)
				switch {
				case err == nil && strings.Contains(seen, "second"), err == nil && !strings.Contains(seen, "first"):
					wrong = append(wrong, at+"it reads "+seen)
				case err != nil && !errors.Is(err, m.told):
					wrong = append(wrong, at+"it is told "+err.Error())
				}
			}
		}
	}
	return wrong
}

// reread does something at the k-th call of a read, and reports whether there was one.
func reread(t *testing.T, exclusive bool, k int, do func(*world, org.Principal), read func(*world, org.Principal) (string, error), skip []string) (seen string, met bool, err error) {
	e := model.New()
	f := faulty.New(e)
	config := func(c *tenant.Config) {
		c.Exclusive = exclusive
		for _, part := range skip {
			c.Skip(part)
		}
	}
	w := newWorld(t, f, plain, config)
	other := w
	if !exclusive {
		other = newWorld(t, e, plain, config)
		beating(t, w.Store)
		beating(t, other.Store)
	}
	w.furnish(w.create("Acme", "acme@x.example").ID, "first", 2)
	p := w.login("acme@x.example")
	var n atomic.Int64
	f.On(func(c faulty.Call) error {
		if c.Collection == "instances" || n.Add(1) != int64(k) { // the heartbeat's do not count
			return nil
		}
		met = true
		do(other, p)
		return nil
	})
	seen, err = read(w, p)
	return seen, met, err
}

func TestNobodyReadsAnotherOrganization(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		t.Run(fmt.Sprint("exclusive ", exclusive), func(t *testing.T) {
			for _, wrong := range rereads(t, exclusive) {
				t.Error(wrong)
			}
			if len(rereads(t, exclusive, "re-read")) == 0 {
				t.Error("without the second look nothing is found: this test shows nothing")
			}
		})
	}
	// With the second look a name that is used again is found where it is not looked at.
	t.Run("names used again", func(t *testing.T) {
		if len(rereads(t, false, "re-read", "new names")) == 0 {
			t.Error("nothing is found")
		}
	})
}

// reconcilePhoenix deletes and creates an organization again at every call of a reconciler of another
// instance, and returns what is wrong after that.
func reconcilePhoenix(t *testing.T, skip ...string) (wrong []string) {
	config := func(c *tenant.Config) {
		for _, part := range skip {
			c.Skip(part)
		}
	}
	for k, more := 1, true; more; k++ {
		e := model.New()
		w := newWorld(t, e, plain, shared, config)
		beating(t, w.Store)
		f := faulty.New(e)
		other := newWorld(t, f, plain, shared, config)
		beating(t, other.Store)
		w.create("Acme", "acme@x.example")
		w.delete("acme@x.example")
		// Something to judge at every table: what belongs to the dead.
		w.plant("reservations", bson.D{{Key: "_id", Value: "name:acme"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
		w.plant("reservations", bson.D{{Key: "_id", Value: "email:acme@x.example"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
		n := 0
		more = false
		f.On(func(c faulty.Call) error {
			if c.Collection == "instances" { // the heartbeat's
				return nil
			}
			if n++; n != k {
				return nil
			}
			more = true
			for _, id := range []string{"name:acme", "email:acme@x.example"} { // as another instance's reconciler does
				err := e.Database(masterDB).Collection("reservations").Delete(t.Context(), docdb.StringID(id), docdb.Filter{})
				if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
					return err
				}
			}
			w.create("Acme", "acme@x.example")
			return nil
		})
		if err := other.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.On(nil)
		if more {
			for _, bad := range unsound(t.Context(), t, e) {
				wrong = append(wrong, fmt.Sprintf("call %d: %s", k, bad))
			}
		}
	}
	return wrong
}

func TestAReconcilerTakesNothingFromTheLiving(t *testing.T) {
	for _, wrong := range reconcilePhoenix(t) {
		t.Error(wrong)
	}
	if len(reconcilePhoenix(t, "unique versions")) == 0 {
		t.Error("with versions that begin at 1 nothing is found: this test shows nothing")
	}
}

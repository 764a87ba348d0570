package tenant_test

import (
	"fmt"
	"slices"
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

func (w *world) doctor(exclusive bool) *tenant.Doctor {
	d := tenant.NewDoctor(w.t.Context(), tenant.Config{Engine: w.engine, MasterDB: masterDB, TenantDB: tenantDB,
		Passwords: plainPasswords{}, Exclusive: exclusive, Now: func() time.Time { return w.clock }})
	d.ConfirmAfter = time.Millisecond
	return d
}

// findings are the report's, "check: subject" each, of those that are repairable or not.
func findings(t *testing.T, d *tenant.Doctor, repairable bool) []string {
	t.Helper()
	r, err := d.Diagnose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if f.Detail == "" || f.Remedy == "" {
				t.Errorf("%s: %s: %q; %q", c.Name, f.Subject, f.Detail, f.Remedy)
			}
			if f.Repairable == repairable {
				all = append(all, c.Name+": "+f.Subject)
			}
		}
	}
	return all
}

// change sets a field of a master document, past the store.
func (w *world) change(collection, id, field string, value any) {
	w.t.Helper()
	c := w.engine.Database(masterDB).Collection(collection)
	raw, err := c.Get(w.t.Context(), docdb.StringID(id))
	if err != nil {
		w.t.Fatal(err)
	}
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(doc, func(e bson.E) bool { return e.Key == field })
	if i < 0 {
		i, doc = len(doc), append(doc, bson.E{Key: field})
	}
	doc[i].Value = value
	if raw, err = bson.Marshal(doc); err != nil {
		w.t.Fatal(err)
	}
	if err := c.Replace(w.t.Context(), docdb.StringID(id), docdb.Filter{}, raw); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(collection, id string) {
	w.t.Helper()
	err := w.engine.Database(masterDB).Collection(collection).Delete(w.t.Context(), docdb.StringID(id), docdb.Filter{})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drop(db, collection string) {
	w.t.Helper()
	if err := w.engine.Database(db).Drop(w.t.Context(), collection); err != nil {
		w.t.Fatal(err)
	}
}

func entry(id, orgID, opID, state string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "org_id", Value: orgID}, {Key: "op_id", Value: opID}, {Key: "state", Value: state}}
}

// claimed is the entry of a collection that an owner has claimed.
func claimed(entry bson.D) bson.D { return append(entry, bson.E{Key: "fence", Value: int64(1)}) }

const someOperation = "019ab000-0000-7000-8000-000000000000"

// stuck is an operation of an instance that is dead.
func stuck(w *world, orgID, kind string) bson.D {
	return bson.D{{Key: "_id", Value: someOperation}, {Key: "kind", Value: kind}, {Key: "org_id", Value: orgID},
		{Key: "step", Value: "attach"}, {Key: "outcome", Value: "running"}, {Key: "plan", Value: bson.D{{Key: "admin_id", Value: "nobody"}}},
		{Key: "lease", Value: bson.D{{Key: "owner", Value: "x"}, {Key: "until", Value: w.clock.Add(-time.Hour)}, {Key: "fence", Value: int64(1)}}}}
}

// ailments are what can be wrong, and what the doctor then says.
var ailments = []struct {
	name         string
	plant        func(w *world, o org.Organization)
	safe, unsafe []string // O stands for the organization's id, A for its admin's
}{
	{"an index is missing", func(w *world, _ org.Organization) {
		if err := w.engine.Database(masterDB).Collection("admins").DropIndex(w.t.Context(), "by_org_id"); err != nil {
			w.t.Fatal(err)
		}
	}, []string{"master-indexes: admins.by_org_id"}, nil},
	{"a collection of the master database is missing", func(w *world, _ org.Organization) { w.drop(masterDB, "quarantine") },
		[]string{"master-indexes: quarantine"}, nil},
	{"a document cannot be read", func(w *world, _ org.Organization) {
		w.plant("admins", bson.D{{Key: "_id", Value: "x"}, {Key: "org_id", Value: 5}})
	}, nil, []string{`master-documents: admins "x"`}},
	{"an operation is stuck", func(w *world, o org.Organization) { w.plant("operations", stuck(w, o.ID, "update")) },
		[]string{"operations: " + someOperation}, nil},
	{"an operation of a later version is stuck", func(w *world, o org.Organization) { w.plant("operations", stuck(w, o.ID, "teleport")) },
		nil, []string{"operations: " + someOperation}},
	{"an operation has left its organization behind", func(w *world, o org.Organization) { w.change("organizations", o.ID, "operation", "gone") },
		[]string{"operation-references: O"}, nil},
	{"new credentials wait for nothing", func(w *world, o org.Organization) {
		w.change("admins", o.AdminID, "next", bson.D{{Key: "op_id", Value: "gone"}})
	}, []string{"operation-references: A"}, nil},
	{"an organization is half created for ever", func(w *world, o org.Organization) { w.change("organizations", o.ID, "state", "provisioning") },
		nil, []string{"operation-references: O"}},
	{"a collection is not there", func(w *world, o org.Organization) { w.drop(tenantDB, o.Collection) },
		nil, []string{"organization-collections: O"}},
	{"a collection is not registered", func(w *world, o org.Organization) { w.remove("collections", o.Collection) },
		nil, []string{"organization-collections: O", "orphans: org_acme"}},
	{"a collection is registered as retired", func(w *world, o org.Organization) { w.change("collections", o.Collection, "state", "retired") },
		nil, []string{"organization-collections: O"}},
	{"a collection is registered as another's", func(w *world, o org.Organization) { w.change("collections", o.Collection, "org_id", "gone") },
		nil, []string{"organization-collections: O", "registry: org_acme"}},
	{"an organization has no admin", func(w *world, o org.Organization) { w.change("organizations", o.ID, "admin_id", "gone") },
		nil, []string{"organization-admins: O"}},
	{"an organization does not hold its name", func(w *world, _ org.Organization) { w.remove("reservations", "name:acme") },
		[]string{"organization-names: O"}, nil},
	{"another holds an organization's name", func(w *world, o org.Organization) { w.change("organizations", o.ID, "name_key", "bystander") },
		[]string{"reservations: name:acme"}, []string{"organization-names: O"}},
	{"an admin does not hold the address", func(w *world, _ org.Organization) { w.remove("reservations", "email:a@x.example") },
		[]string{"admin-emails: A"}, nil},
	{"an admin has no organization", func(w *world, _ org.Organization) {
		w.plant("admins", bson.D{{Key: "_id", Value: "x"}, {Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	}, []string{"admins: x"}, nil},
	{"a reservation has no organization", func(w *world, _ org.Organization) {
		w.plant("reservations", entry("name:x", "gone", "gone", ""))
	}, []string{"reservations: name:x"}, nil},
	{"a reservation has no use", func(w *world, o org.Organization) { w.plant("reservations", entry("email:x", o.ID, "gone", "")) },
		[]string{"reservations: email:x"}, nil},
	{"a collection half built", func(w *world, o org.Organization) {
		w.plant("collections", entry("org_x", o.ID, "gone", "building"))
		w.make(tenantDB, "org_x")
	}, []string{"registry: org_x"}, nil},
	{"a retired collection of nobody", func(w *world, _ org.Organization) { w.plant("collections", entry("org_x", "gone", "gone", "retired")) },
		[]string{"registry: org_x"}, nil},
	{"a live collection of nobody", func(w *world, _ org.Organization) {
		w.plant("collections", claimed(entry("org_x", "gone", "gone", "live")))
		w.make(tenantDB, "org_x")
	}, nil, []string{"registry: org_x"}},
	{"a live entry without a collection", func(w *world, o org.Organization) {
		w.plant("collections", claimed(entry("org_x", o.ID, "gone", "live")))
	}, nil, []string{"registry: org_x"}},
	{"an entry that was proposed too late", func(w *world, o org.Organization) { w.plant("collections", entry("org_x", o.ID, "gone", "live")) },
		[]string{"registry: org_x"}, nil},
	{"an orphan", func(w *world, _ org.Organization) { w.make(tenantDB, "org_x") }, nil, []string{"orphans: org_x"}},
	{"an orphan of ours", func(w *world, _ org.Organization) {
		w.create("Initech", "i@x.example")
		w.delete("i@x.example")
		w.make(tenantDB, "org_initech")
	}, []string{"orphans: org_initech"}, nil},
	{"a dirty set", func(w *world, _ org.Organization) { w.make(masterDB, "dirty_"+someOperation+"_1") },
		[]string{"dirty-sets: dirty_" + someOperation + "_1"}, nil},
	{"a dead instance", func(w *world, _ org.Organization) {
		w.plant("instances", bson.D{{Key: "_id", Value: "x"}, {Key: "seen_at", Value: w.clock.Add(-2 * time.Hour)}})
	}, []string{"instances: x"}, nil},
}

// TestDoctor: it reports every inconsistency and nothing else, repairs those that are safe to repair,
// and leaves the rest as it is.
func TestDoctor(t *testing.T) {
	for _, ail := range ailments {
		t.Run(ail.name, func(t *testing.T) {
			w := sharedWorld(t)
			o := w.create("Acme", "a@x.example")
			w.create("Bystander", "by@x.example")
			d := w.doctor(false)
			if got := slices.Concat(findings(t, d, true), findings(t, d, false)); len(got) > 0 {
				t.Fatalf("before anything is wrong: %q", got)
			}
			ail.plant(w, o)
			named := func(in []string) []string {
				out := []string{}
				for _, f := range in {
					f = replaceLast(f, ": O", ": "+o.ID)
					out = append(out, replaceLast(f, ": A", ": "+o.AdminID))
				}
				return out
			}
			was := whole(t, w)
			if diff := cmp.Diff([][]string{named(ail.safe), named(ail.unsafe)}, [][]string{findings(t, d, true), findings(t, d, false)}); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(was, whole(t, w)); diff != "" {
				t.Errorf("to look has changed something: %s", diff)
			}
			if err := d.Repair(t.Context()); err != nil && len(ail.unsafe) == 0 {
				t.Error(err)
			}
			if diff := cmp.Diff([][]string{{}, named(ail.unsafe)}, [][]string{findings(t, d, true), findings(t, d, false)}); diff != "" {
				t.Errorf("after the repair: %s", diff)
			}
			if ail.safe == nil { // the repair has nothing to do
				if diff := cmp.Diff(was, whole(t, w)); diff != "" {
					t.Errorf("the repair has changed something: %s", diff)
				}
			}
		})
	}
}

func replaceLast(s, old, by string) string {
	if len(s) >= len(old) && s[len(s)-len(old):] == old {
		return s[:len(s)-len(old)] + by
	}
	return s
}

// whole is everything in both databases.
func whole(t *testing.T, w *world) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, db := range []string{masterDB, tenantDB} {
		names, err := w.engine.Database(db).List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out[db+" "+name] = contents(t.Context(), t, w.engine.Database(db).Collection(name))
		}
	}
	return out
}

func TestDoctorCountsDocuments(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		o := w.create("Acme", "a@x.example")
		w.fill(o.Collection, 7)
		r, err := w.doctor(true).Diagnose(t.Context())
		if want := []tenant.Contents{{Organization: o.ID, Collection: o.Collection, Documents: 7}}; err != nil || !cmp.Equal(r.Collections, want) || r.Findings() != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// What a crash leaves is repaired as the next start would.
func TestDoctorRepairsWhatACrashHasLeft(t *testing.T) {
	eachCrash(t, newModel, func(t *testing.T, c *crashed, k int, mode faulty.Mode) {
		f, s := c.instance(t, "a", 0)
		f.DieAt(f.Calls()+k, mode)
		_ = c.call(t.Context(), s, c.principal)
		w := &world{t: t, engine: c.engine, clock: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)}
		d := w.doctor(k%2 == 0)
		if got := findings(t, d, false); len(got) > 0 {
			t.Errorf("not repairable: %q", got)
		}
		if err := d.Repair(t.Context()); err != nil {
			t.Error(err)
		}
		if got := slices.Concat(findings(t, d, true), findings(t, d, false)); len(got) > 0 {
			t.Errorf("after the repair: %q", got)
		}
		w.sound()
	})
}

// Whatever an operation that runs has done so far, it is no finding.
func TestDoctorFindsNothingWhileOperationsRun(t *testing.T) {
	for _, l := range lifecycles() {
		t.Run(l.name, func(t *testing.T) {
			c := newCrashed(t, model.New(), l, nil)
			f, s := c.instance(t, "a", 0)
			w := &world{t: t, engine: c.engine, clock: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
			d := w.doctor(false)
			f.On(func(call faulty.Call) error {
				if got := fmt.Sprint(findings(t, d, true), findings(t, d, false)); got != "[] []" {
					t.Errorf("at %s: %s", call, got)
				}
				return nil
			})
			if err := l.call(t.Context(), s, c.principal); err != nil {
				t.Error(err)
			}
		})
	}
}

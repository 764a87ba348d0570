package tenant_test

import (
	"errors"
	"slices"
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

// uses are all that can be done with an organization's data, once each.
var uses = map[string]func(*testing.T, *tenant.Documents) error{
	"get": func(t *testing.T, d *tenant.Documents) error {
		_, err := d.Get(t.Context(), docdb.StringID("doc"))
		return err
	},
	"page": func(t *testing.T, d *tenant.Documents) error {
		_, err := d.Page(t.Context(), tenant.PageQuery{Limit: 10})
		return err
	},
	"stats": func(t *testing.T, d *tenant.Documents) error {
		_, err := d.Stats(t.Context(), time.Minute)
		return err
	},
	"export": func(t *testing.T, d *tenant.Documents) error {
		_, _, err := d.ExportPage(t.Context(), docdb.Filter{}, bson.RawValue{})
		return err
	},
	"put": func(t *testing.T, d *tenant.Documents) error {
		_, _, err := d.Put(t.Context(), tenant.Condition{}, withID(t, "doc"))
		return err
	},
	"delete": func(t *testing.T, d *tenant.Documents) error {
		return d.Delete(t.Context(), docdb.StringID("doc"), tenant.Condition{})
	},
	"index": func(t *testing.T, d *tenant.Documents) error {
		return d.CreateIndex(t.Context(), tenant.Index{Name: "n", Keys: []tenant.Key{{Path: "n"}}})
	},
}

func withID(t *testing.T, id string) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestDataOfABearer: every call for a principal that was not authenticated yet is refused if the
// principal is not valid, and carried out if it is.
func TestDataOfABearer(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "shared": false} {
		for use, do := range uses {
			t.Run(name+" "+use, func(t *testing.T) {
				w := newWorld(t, model.New(), func(c *tenant.Config) { c.Exclusive, c.Passwords = alone, plainPasswords{} })
				o := w.create("Acme", "admin@acme.example")
				old := w.login("admin@acme.example")
				w.create("Globex", "admin@globex.example")
				if _, err := w.Documents(o.ID).Insert(t.Context(), withID(t, "doc")); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Update(t.Context(), old, tenant.UpdateInput{Password: new(password)}); err != nil {
					t.Fatal(err)
				}
				for who, p := range map[string]org.Principal{"whose token is void": old, "of another organization": w.login("admin@globex.example")} {
					if err := do(t, w.Documents(o.ID).As(p)); !errors.Is(err, org.TokenRevoked) {
						t.Errorf("by one %s: %v", who, err)
					}
				}
				if stats, err := w.Documents(o.ID).Stats(t.Context(), time.Minute); err != nil || stats.Documents != 1 || len(stats.Indexes) != 0 {
					t.Errorf("afterwards there are %+v, %v", stats, err)
				}
				if err := do(t, w.Documents(o.ID).As(w.login("admin@acme.example"))); err != nil {
					t.Errorf("by its admin: %v", err)
				}
			})
		}
	}
}

// TestAGetAuthenticatesAtNoExtraCost: the organization, its admin and the document are read once each.
func TestAGetAuthenticatesAtNoExtraCost(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "shared": false} {
		t.Run(name, func(t *testing.T) {
			storage := faulty.New(model.New())
			w := newWorld(t, storage, func(c *tenant.Config) { c.Exclusive, c.Passwords = alone, plainPasswords{} })
			o := w.create("Acme", "admin@acme.example")
			p := w.login("admin@acme.example")
			if _, err := w.Documents(o.ID).Insert(t.Context(), withID(t, "doc")); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex // on a shared engine some are asked at the same time
			var asked []string
			storage.On(func(c faulty.Call) error {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, c.Collection)
				return nil
			})
			if _, err := w.Documents(o.ID).As(p).Get(t.Context(), docdb.StringID("doc")); err != nil {
				t.Fatal(err)
			}
			slices.Sort(asked)
			if want := []string{"admins", "org_acme", "organizations"}; !slices.Equal(asked, want) {
				t.Errorf("asked %v, want %v", asked, want)
			}
		})
	}
}

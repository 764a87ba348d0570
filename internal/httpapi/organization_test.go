package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// full is what its own admins are told of an organization that was made at noon.
func full(o org.Organization, updated string) string {
	operation := ""
	if o.Operation != "" {
		operation = `,"operation":"` + o.Operation + `"`
	}
	return fmt.Sprintf(`{"admin_id":"%s","collection_name":"%s","created_at":"2026-11-23T12:00:00.123Z","generation":%d,"id":"%s"%s,"organization_name":"%s","state":"active","updated_at":"%s"}`+"\n",
		o.AdminID, o.Collection, o.Generation, o.ID, operation, o.Name, updated)
}

// brief is what all others are told.
func brief(o org.Organization) string {
	return fmt.Sprintf(`{"collection_name":"%s","created_at":"2026-11-23T12:00:00.123Z","id":"%s","organization_name":"%s","state":"active"}`+"\n",
		o.Collection, o.ID, o.Name)
}

func TestCreateOrganization(t *testing.T) {
	s := start(t)
	const name = "Ä & B/C #1"
	got := s.do("POST", "/org/create", strings.Replace(create, "Newco", name, 1))
	made, err := s.store.Lookup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != name || made.Collection != "org_a_b_c_1" || made.Generation != 1 {
		t.Errorf("made %+v", made)
	}
	want := strings.Replace(full(made, "2026-11-23T12:00:00.123Z"), "&", `\u0026`, 1)
	if got.status != 201 || got.body != want {
		t.Errorf("%d %s", got.status, cmp.Diff(want, got.body))
	}
	location := got.header.Get("Location")
	if location != "/org/get?organization_name=%C3%84+%26+B%2FC+%231" {
		t.Errorf("Location is %s", location)
	}
	admin := s.store.principal("admin@newco.example", "correct horse battery")
	if admin.OrgID != made.ID || admin.AdminID != made.AdminID {
		t.Errorf("its admin is %+v", admin)
	}
	if got := s.do("GET", location, ""); got.status != 200 {
		t.Errorf("Location leads to %d", got.status)
	}
}

func TestLocationFitsTheContract(t *testing.T) {
	s := start(t)
	// do holds the answer against the contract.
	got := s.do("POST", "/org/create", strings.Replace(create, "Newco", strings.Repeat("\U0001F41D", org.MaxNameLength), 1))
	if got.status != 201 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestGetOrganization(t *testing.T) {
	s := start(t)
	b := s.store
	other := b.create("Other", "admin@other.example")
	b.advance(time.Hour)
	owner := b.principal(email, password)
	for range 2 {
		b.must(b.Update(t.Context(), owner, tenant.UpdateInput{Migrate: true}))
	}
	release := b.hold()
	op, err := b.UpdateAsync(t.Context(), owner, tenant.UpdateInput{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	acme := b.stored(b.acme.ID)
	if acme.Generation != 3 || acme.Operation != op.ID || other.Generation != 1 {
		t.Fatalf("there are %+v and %+v", acme, other)
	}
	for _, c := range []struct{ what, name, bearer, want string }{
		{"anonymous", "Acme", "X-None: 1", brief(acme)},
		{"its own admin", "Acme", s.bearer(), full(acme, "2026-11-23T13:00:00.123Z")},
		{"another's admin", "Other", s.bearer(), brief(other)},
	} {
		got := s.do("GET", "/org/get?organization_name="+c.name, "", c.bearer)
		if got.status != 200 || got.body != c.want {
			t.Errorf("%s: %d %s", c.what, got.status, cmp.Diff(c.want, got.body))
		}
	}
	release()
}

func TestNamesArriveAsTheyAre(t *testing.T) {
	s := start(t)
	for i, name := range []string{"a,b", "a", "€", "100%", `"a"`, "123", "null"} {
		s.store.create(name, fmt.Sprintf("a%d@x.example", i))
	}
	for in, want := range map[string]string{"a%2Cb": "a,b", "a,b": "a,b", "+a+": "a", "%E2%82%AC": "€", "100%25": "100%", "%22a%22": `\"a\"`, "123": "123", "null": "null"} {
		if got := s.do("GET", "/org/get?organization_name="+in, ""); got.status != 200 || !strings.Contains(got.body, `"organization_name":"`+want+`"`) {
			t.Errorf("%s arrives as %s, want %q", in, got.body, want)
		}
	}
}

func TestUpdateOrganization(t *testing.T) {
	const newEmail, newPassword = "n@new.example", "new password 1"
	for body, want := range map[string]struct {
		name, email, password string
		generation            int64
	}{
		`{}`:                            {"Acme", email, password, 2},
		`{"migrate":true}`:              {"Acme", email, password, 2},
		`{"migrate":false}`:             {"Acme", email, password, 1},
		`{"organization_name":"New"}`:   {"New", email, password, 2},
		`{"email":"n@new.example"}`:     {"Acme", newEmail, password, 2},
		`{"password":"new password 1"}`: {"Acme", email, newPassword, 2},
		`{"organization_name":"New","email":"n@new.example","password":"new password 1","migrate":false}`: {"New", newEmail, newPassword, 1},
	} {
		s := start(t)
		s.store.advance(time.Hour)
		other := s.store.create("Other", "admin@other.example")
		got := s.do("PUT", "/org/update", body, s.bearer())
		now := s.store.stored(s.store.acme.ID)
		if wantBody := full(now, "2026-11-23T13:00:00.123Z"); got.status != 200 || got.body != wantBody {
			t.Errorf("%s: %d %s", body, got.status, cmp.Diff(wantBody, got.body))
		}
		if now.Name != want.name || now.Generation != want.generation {
			t.Errorf("%s: it is %+v", body, now)
		}
		if p := s.store.principal(want.email, want.password); p.OrgID != now.ID {
			t.Errorf("%s: %s is of %s", body, want.email, p.OrgID)
		}
		if diff := cmp.Diff(other, s.store.stored(other.ID)); diff != "" {
			t.Errorf("%s: another organization: %s", body, diff)
		}
	}
}

func TestDeleteOrganization(t *testing.T) {
	for _, c := range []struct {
		what       string
		edit       func(*tenant.Config)
		kept, rest string // collections, and the end of the answer
	}{
		{"at once", func(c *tenant.Config) { c.MoveGrace = time.Hour }, `["org_acme","org_acme.2"]`, ""},
		{"later", func(c *tenant.Config) { c.DeleteGrace = 90 * time.Minute }, `[]`, `,"purge_after":"2026-11-23T13:30:00.123Z"`},
	} {
		b := openBackend(t, c.edit, func(c *tenant.Config) {
			now := c.Now
			c.Now = func() time.Time { return now().In(time.FixedZone("", 3600)) }
		})
		s := serve(t, b)
		b.must(b.Update(t.Context(), b.principal(email, password), tenant.UpdateInput{Migrate: true}))
		want := `{"collections":` + c.kept + `,"deleted_at":"2026-11-23T12:00:00.123Z","id":"` + b.acme.ID + `","organization_name":"Acme"` + c.rest + "}\n"
		if got := s.do("DELETE", "/org/delete", "", s.bearer()); got.status != 200 || got.body != want {
			t.Errorf("%s: %d %s", c.what, got.status, cmp.Diff(want, got.body))
		}
	}
}

func TestAnIDThatIsNoneIsAFault(t *testing.T) {
	for _, spoil := range []struct{ collection, id, field, value string }{
		{"organizations", "", "admin_id", ""}, {"organizations", "", "operation", "x"}, {"reservations", "name:bad", "org_id", "1"},
	} {
		s := start(t)
		bad := s.store.create("Bad", "admin@bad.example")
		if spoil.id == "" {
			spoil.id = bad.ID
		} else {
			s.store.spoil("organizations", bad.ID, "_id", spoil.value)
		}
		s.store.spoil(spoil.collection, spoil.id, spoil.field, spoil.value)
		got := s.do("GET", "/org/get?organization_name=Bad", "")
		if got.status != 500 {
			t.Errorf("%s of %s: %d %s", spoil.field, spoil.collection, got.status, got.body)
		}
		if lines := s.log.lines(t, "request failed", 1); !strings.Contains(fmt.Sprint(lines[0]["error"]), "parse the id of an ") {
			t.Errorf("%s of %s: logged %v", spoil.field, spoil.collection, lines)
		}
	}
}

// spoil gives a field of a document of the master database another value.
func (b *backend) spoil(collection, id, field, value string) {
	b.t.Helper()
	ctx, c := context.Background(), b.engine.Database("master_db").Collection(collection)
	raw, err := c.Get(ctx, docdb.StringID(id))
	if err != nil {
		b.t.Fatal(err)
	}
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		b.t.Fatal(err)
	}
	at := slices.IndexFunc(doc, func(e bson.E) bool { return e.Key == field })
	if at < 0 {
		at, doc = len(doc), append(doc, bson.E{Key: field})
	}
	doc[at].Value = value
	if raw, err = bson.Marshal(doc); err != nil {
		b.t.Fatal(err)
	}
	if field == "_id" {
		err = c.Insert(ctx, raw)
	} else {
		err = c.Replace(ctx, docdb.StringID(id), docdb.Filter{}, raw)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

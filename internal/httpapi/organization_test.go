package httpapi

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const (
	full = `{"admin_id":"` + adminID + `","collection_name":"org_acme_inc","created_at":"2026-11-23T12:00:00.123Z","generation":3,"id":"` + orgID +
		`","operation":"` + otherID + `","organization_name":"Acme Inc","state":"active","updated_at":"2026-11-23T13:00:00.123Z"}` + "\n"
	brief = `{"collection_name":"org_acme_inc","created_at":"2026-11-23T12:00:00.123Z","id":"` + orgID +
		`","organization_name":"Acme Inc","state":"active"}` + "\n"
)

func TestCreateOrganization(t *testing.T) {
	var asked tenant.CreateInput
	s := start(t, func(_ *Config, st *script) {
		st.create = func(_ context.Context, in tenant.CreateInput) (org.Organization, error) {
			asked = in
			o := acme
			o.Name = "Ä & B/C #1"
			return o, nil
		}
	})
	got := s.do("POST", "/org/create", create)
	want := strings.Replace(full, "Acme Inc", `Ä \u0026 B/C #1`, 1)
	if got.status != 201 || got.body != want {
		t.Errorf("%d %s", got.status, cmp.Diff(want, got.body))
	}
	if location := got.header.Get("Location"); location != "/org/get?organization_name=%C3%84+%26+B%2FC+%231" {
		t.Errorf("Location is %s", location)
	}
	if want := (tenant.CreateInput{Name: "Acme Inc", Email: "admin@acme.example", Password: "correct horse battery"}); asked != want {
		t.Errorf("asked for %+v", asked)
	}
	if got := s.do("GET", got.header.Get("Location"), ""); got.status != 200 {
		t.Errorf("Location leads to %d", got.status)
	}
}

func TestLocationFitsTheContract(t *testing.T) {
	s := start(t, func(_ *Config, st *script) {
		st.create = func(context.Context, tenant.CreateInput) (org.Organization, error) {
			o := acme
			o.Name = strings.Repeat("\U0001F41D", org.MaxNameLength)
			return o, nil
		}
	})
	s.do("POST", "/org/create", create) // do holds the answer against the contract
}

func TestGetOrganization(t *testing.T) {
	other := acme
	other.ID = otherID
	var asked string
	s := start(t, func(_ *Config, st *script) {
		st.lookup = func(_ context.Context, name string) (org.Organization, error) {
			if asked = name; name == "Other" {
				return other, nil
			}
			return acme, nil
		}
	})
	for _, c := range []struct{ what, name, bearer, want string }{
		{"anonymous", "Acme", "X-None: 1", brief},
		{"its own admin", "Acme", s.bearer(), full},
		{"another's admin", "Other", s.bearer(), strings.Replace(brief, orgID, otherID, 1)},
	} {
		got := s.do("GET", "/org/get?organization_name="+c.name, "", c.bearer)
		if got.status != 200 || got.body != c.want || asked != c.name {
			t.Errorf("%s: %d, asked for %q: %s", c.what, got.status, asked, cmp.Diff(c.want, got.body))
		}
	}
	for in, want := range map[string]string{"a%2Cb": "a,b", "a,b": "a,b", "+a+": " a ", "%E2%82%AC": "€", "100%25": "100%", "%22a%22": `"a"`, "123": "123", "null": "null"} {
		if s.do("GET", "/org/get?organization_name="+in, ""); asked != want {
			t.Errorf("%s arrives as %q, want %q", in, asked, want)
		}
	}
}

func TestUpdateOrganization(t *testing.T) {
	var asked tenant.UpdateInput
	s := start(t, func(_ *Config, st *script) {
		st.update = func(_ context.Context, p org.Principal, in tenant.UpdateInput) (org.Organization, error) {
			if p != owner {
				t.Errorf("updates as %+v", p)
			}
			asked = in
			return acme, nil
		}
	})
	text := func(s string) *string { return &s }
	for body, want := range map[string]tenant.UpdateInput{
		`{}`:                            {Migrate: true},
		`{"migrate":true}`:              {Migrate: true},
		`{"migrate":false}`:             {},
		`{"organization_name":"New"}`:   {Name: text("New"), Migrate: true},
		`{"email":"n@new.example"}`:     {Email: text("n@new.example"), Migrate: true},
		`{"password":"new password 1"}`: {Password: text("new password 1"), Migrate: true},
		`{"organization_name":"New","email":"n@new.example","password":"new password 1","migrate":false}`: {
			Name: text("New"), Email: text("n@new.example"), Password: text("new password 1")},
	} {
		got := s.do("PUT", "/org/update", body, s.bearer())
		if got.status != 200 || got.body != full {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

func TestDeleteOrganization(t *testing.T) {
	receipt := org.DeletionReceipt{OrganizationID: orgID, Name: "Acme Inc", Collections: []string{"org_acme", "org_acme.2"},
		DeletedAt: noon.In(time.FixedZone("", 3600))}
	s := start(t, func(_ *Config, st *script) {
		st.remove = func(_ context.Context, p org.Principal) (org.DeletionReceipt, error) {
			if p != owner {
				t.Errorf("deletes as %+v", p)
			}
			return receipt, nil
		}
	})
	for _, want := range []string{`["org_acme","org_acme.2"]`, `[]`} {
		want = `{"collections":` + want + `,"deleted_at":"2026-11-23T12:00:00.123Z","id":"` + orgID + `","organization_name":"Acme Inc"}` + "\n"
		if got := s.do("DELETE", "/org/delete", "", s.bearer()); got.status != 200 || got.body != want {
			t.Errorf("%d %s", got.status, cmp.Diff(want, got.body))
		}
		receipt.Collections = nil
	}
}

func TestAnIDThatIsNoneIsAFault(t *testing.T) {
	bad := acme
	s := start(t, func(_ *Config, st *script) {
		st.lookup = func(context.Context, string) (org.Organization, error) { return bad, nil }
	})
	for _, spoil := range []func(){
		func() { bad.ID = "1" }, func() { bad.AdminID = "" }, func() { bad.Operation = "x" },
	} {
		bad = acme
		spoil()
		if got := s.do("GET", "/org/get?organization_name=Acme", ""); got.status != 500 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

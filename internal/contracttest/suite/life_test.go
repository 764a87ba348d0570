package suite

import (
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/contracttest"
)

// What the answers have. That there is nothing else is for a test to say: to anybody
// but its own admins an organization shows less than its schema allows.
const (
	summaryKeys = "collection_name,created_at,id,organization_name,state"
	ownKeys     = "admin_id,collection_name,created_at,generation,id,organization_name,state,updated_at"
)

func (a answer) hasExactly(keys string) answer {
	a.t.Helper()
	if got := contracttest.Keys(a.fields); got != keys {
		a.t.Errorf("the answer has %s, want %s", got, keys)
	}
	return a
}

// has fails the test unless the fields have these values: name, value, name, value.
func (a answer) has(pairs ...any) answer {
	a.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.fields[pairs[i].(string)]; got != pairs[i+1] {
			a.t.Errorf("%s is %v, want %v", pairs[i], got, pairs[i+1])
		}
	}
	return a
}

// blames fails the test unless an error of the problem is at that property.
func (a answer) blames(property string) answer {
	a.t.Helper()
	if !a.pointsAt([]string{property}) {
		a.t.Errorf("no error at %s in %s", property, a.body)
	}
	return a
}

// near reports whether a field is a time within a minute of another.
func (a answer) near(field string, want time.Time) {
	a.t.Helper()
	if got, err := time.Parse(time.RFC3339, a.text(field)); err != nil || got.Sub(want).Abs() > time.Minute {
		a.t.Errorf("%s is %q, want about %s", field, a.text(field), want.UTC().Format(time.RFC3339))
	}
}

// life is the life of an organization, with the values that the answers must have:
// of them the schemas know only the form.
func life(t testing.TB, s setup) {
	w := s.start(t, 0)
	made := born(t, w)
	auth := admitted(t, w, made)
	auth = changed(t, w, made, auth)
	gone(t, w, made, auth)
}

const (
	acme  = "Acme & Söhne"
	email = "Admin@Acme.example"
)

func born(t testing.TB, w *world) answer {
	made := w.do(t, "POST", "/org/create", object("organization_name", " "+acme, "email", email, "password", password)).is(201).hasExactly(ownKeys)
	made.has("organization_name", acme, "state", "active", "generation", 1.0, "collection_name", "org_acme_sohne", "updated_at", made.text("created_at"))
	made.near("created_at", time.Now())
	w.do(t, "GET", made.header.Get("Location"), "").is(200).hasExactly(summaryKeys).
		has("id", made.text("id"), "organization_name", acme, "state", "active", "collection_name", "org_acme_sohne", "created_at", made.text("created_at"))
	w.do(t, "POST", "/org/create", object("organization_name", strings.ToUpper(acme), "email", "b@acme.example", "password", password)).
		is(409, "name_taken").blames("organization_name")
	w.do(t, "POST", "/org/create", object("organization_name", "Globex", "email", strings.ToUpper(email), "password", password)).
		is(409, "email_taken").blames("email")
	w.do(t, "POST", "/org/create", object("organization_name", "Globex", "email", "g@globex.example", "password", strings.Repeat("株", 25))).
		is(422, "invalid").blames("password")
	w.do(t, "POST", "/org/create", object("organization_name", "\u200b", "email", "g@globex.example", "password", password)).
		is(422, "invalid").blames("organization_name")
	w.do(t, "GET", "/org/get?organization_name=Globex", "").is(404, "not_found")
	w.do(t, "GET", "/org/get?organization_name=%E2%80%8B", "").is(422, "invalid")
	return made
}

func admitted(t testing.TB, w *world, made answer) (auth string) {
	w.do(t, "POST", "/admin/login", object("email", email, "password", "not "+password)).is(401, "bad_credentials")
	w.do(t, "POST", "/admin/login", object("email", "nobody@acme.example", "password", password)).is(401, "bad_credentials")
	token := w.do(t, "POST", "/admin/login", object("email", strings.ToLower(email), "password", password)).is(200)
	token.hasExactly("access_token,admin_id,expires_at,expires_in,org_id,token_type").
		has("token_type", "Bearer", "expires_in", 3600.0, "admin_id", made.text("admin_id"), "org_id", made.text("id"))
	token.near("expires_at", time.Now().Add(time.Hour))
	auth = "Authorization: Bearer " + token.text("access_token")

	w.do(t, "GET", made.header.Get("Location"), "", auth).is(200).hasExactly(ownKeys).has("admin_id", made.text("admin_id"), "generation", 1.0)
	other := "Authorization: " + w.account(t).auth
	w.do(t, "GET", made.header.Get("Location"), "", other).is(200).hasExactly(summaryKeys)
	for _, request := range [][3]string{{"PUT", "/org/update", `{}`}, {"DELETE", "/org/delete", ""}} {
		w.do(t, request[0], request[1], request[2]).is(401, "unauthenticated")
		w.do(t, request[0], request[1], request[2], auth+"x").is(401, "unauthenticated")
	}
	return auth
}

func changed(t testing.TB, w *world, made answer, auth string) string {
	const fresh = "another good password"
	second := w.do(t, "PUT", "/org/update", `{}`, auth).is(200).hasExactly(ownKeys).
		has("id", made.text("id"), "organization_name", acme, "generation", 2.0, "created_at", made.text("created_at"), "state", "active")
	if second.text("collection_name") == made.text("collection_name") {
		t.Errorf("the data did not move: %s", second.body)
	}
	w.do(t, "PUT", "/org/update", `{"organization_name":"Initech","migrate":false}`, auth).is(200).
		has("organization_name", "Initech", "generation", 2.0, "collection_name", second.text("collection_name"))
	w.do(t, "GET", made.header.Get("Location"), "").is(404, "not_found")
	taken := w.account(t)
	w.do(t, "PUT", "/org/update", object("organization_name", taken.name), auth).is(409, "name_taken").blames("organization_name")
	w.do(t, "PUT", "/org/update", object("email", taken.email), auth).is(409, "email_taken").blames("email")
	w.do(t, "PUT", "/org/update", object("password", strings.Repeat("é", 37)), auth).is(422, "invalid").blames("password")

	w.do(t, "PUT", "/org/update", object("password", fresh), auth).is(200).has("generation", 3.0)
	w.do(t, "GET", "/org/get?organization_name=Initech", "", auth).is(401, "token_revoked")
	w.do(t, "PUT", "/org/update", `{}`, auth).is(401, "token_revoked")
	w.do(t, "POST", "/admin/login", object("email", email, "password", password)).is(401, "bad_credentials")
	return "Authorization: " + w.login(t, email, fresh)
}

func gone(t testing.TB, w *world, made answer, auth string) {
	last := w.do(t, "GET", "/org/get?organization_name=Initech", "", auth).is(200)
	receipt := w.do(t, "DELETE", "/org/delete", "", auth).is(200).hasExactly("collections,deleted_at,id,organization_name").
		has("id", made.text("id"), "organization_name", "Initech")
	receipt.near("deleted_at", time.Now())
	if dropped, _ := receipt.fields["collections"].([]any); len(dropped) != 1 || dropped[0] != last.text("collection_name") {
		t.Errorf("dropped %v, want %s", dropped, last.text("collection_name"))
	}
	w.do(t, "GET", "/org/get?organization_name=Initech", "").is(404, "not_found")
	w.do(t, "DELETE", "/org/delete", "", auth).is(401, "token_revoked")
	w.do(t, "POST", "/admin/login", object("email", email, "password", password)).is(401, "bad_credentials")
	w.do(t, "POST", "/org/create", object("organization_name", acme, "email", email, "password", password)).is(201)
}

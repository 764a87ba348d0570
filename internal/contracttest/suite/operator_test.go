package suite

import (
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/contracttest"
)

const asOperator = "Authorization: Bearer " + operatorKey

const operatorKeys = ownKeys

// fillIn puts what is there in the place of the ids of an example, where the
// example's organization is and its admin is logged in.
func (w *world) fillIn(t testing.TB, r *contracttest.Request) {
	t.Helper()
	if _, ok := r.Path["id"]; !ok {
		return
	}
	auth := "Authorization: " + w.auth
	id := w.do(t, "GET", "/org/operations?limit=1", "", auth).is(200).items()[0]["id"]
	if r.Operation.Scheme == "operatorKey" {
		id = w.do(t, "GET", "/operator/organizations", "", asOperator).is(200).items()[0]["id"]
	}
	switch {
	case r.Operation.Scheme == "operatorKey", r.Operation.ID == "getOperation":
		r.Path["id"], _ = id.(string)
	}
}

// items are those of a list.
func (a answer) items() []map[string]any {
	a.t.Helper()
	list, _ := a.fields["items"].([]any)
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i], _ = list[i].(map[string]any)
	}
	return out
}

// operator: what the operator finds, suspends and resumes; what is not there; and
// callers that are not the operator.
func operator(t testing.TB, s setup) {
	w := s.start(t, 0)
	acc := w.account(t)
	auth, path := "Authorization: "+acc.auth, "/operator/organizations/"+acc.id
	look := "/org/get?organization_name=" + strings.ReplaceAll(acc.name, " ", "+")
	w.do(t, "GET", path, "", asOperator).is(200).hasExactly(operatorKeys).
		has("id", acc.id, "organization_name", acc.name, "state", "active", "generation", 1.0, "admin_id", acc.adminID)
	for range 2 {
		w.do(t, "POST", path+"/suspend", "", asOperator).is(200).hasExactly(operatorKeys).has("state", "suspended")
	}
	w.do(t, "GET", look, "", auth).is(423, "suspended")
	w.do(t, "POST", "/admin/login", object("email", acc.email, "password", password)).is(423, "suspended")
	w.do(t, "GET", look, "").is(200).has("state", "suspended")
	w.do(t, "POST", path+"/restore", "", asOperator).is(200).has("state", "suspended")
	found := w.do(t, "GET", "/operator/organizations?state=suspended", "", asOperator).is(200).hasExactly("items")
	if items := found.items(); len(items) != 1 || items[0]["id"] != acc.id {
		t.Errorf("suspended are %s", found.body)
	}
	for range 2 {
		w.do(t, "POST", path+"/resume", "", asOperator).is(200).has("state", "active")
	}
	w.do(t, "GET", look, "", auth).is(200).hasExactly(ownKeys)

	other := w.account(t)
	first := w.do(t, "GET", "/operator/organizations?limit=1", "", asOperator).is(200).hasExactly("items,next_cursor")
	last := w.do(t, "GET", "/operator/organizations?limit=1&cursor="+first.text("next_cursor"), "", asOperator).is(200).hasExactly("items")
	if a, b := first.items(), last.items(); len(a) != 1 || len(b) != 1 || a[0]["id"] != other.id || b[0]["id"] != acc.id {
		t.Errorf("pages of one: %s, %s", first.body, last.body)
	}
	w.do(t, "GET", "/operator/organizations?cursor=x", "", asOperator).is(422, "invalid")

	for _, o := range operations(t) {
		if o.Scheme != "operatorKey" {
			continue
		}
		for _, r := range o.Examples(t) {
			w.request(t, r).is(401, "unauthenticated")
			r.Header.Set("Authorization", acc.auth)
			w.request(t, r).is(401, "unauthenticated")
			if r.Header.Set("Authorization", "Bearer "+operatorKey); len(r.Path) > 0 {
				w.request(t, r).is(404, "not_found") // the example's organization
			}
		}
	}
}

// noOperator: without a key there is no operator plane.
func noOperator(t testing.TB, s setup) {
	s.noOperator = true
	w := s.start(t, 0)
	for _, o := range operations(t) {
		for _, r := range o.Examples(t) {
			if o.Scheme == "operatorKey" {
				w.request(t, r).is(404, "not_found")
				r.Header.Set("Authorization", "Bearer "+operatorKey)
				w.request(t, r).is(404, "not_found")
			}
		}
	}
}

// grace: a deletion with a time of grace, and its end by the operator.
func grace(t testing.TB, s setup) {
	s.grace = time.Hour
	w := s.start(t, 0)
	acc := w.account(t)
	auth, path := "Authorization: "+acc.auth, "/operator/organizations/"+acc.id
	look := "/org/get?organization_name=" + strings.ReplaceAll(acc.name, " ", "+")
	receipt := w.do(t, "DELETE", "/org/delete", "", auth, "Prefer: respond-async").is(200).
		hasExactly("collections,deleted_at,id,organization_name,purge_after").has("id", acc.id, "organization_name", acc.name)
	receipt.near("purge_after", time.Now().Add(time.Hour))
	receipt.near("deleted_at", time.Now())
	w.do(t, "GET", look, "").is(200).hasExactly(summaryKeys).has("state", "deleting")
	w.do(t, "GET", look, "", auth).is(401, "token_revoked")
	w.do(t, "POST", "/admin/login", object("email", acc.email, "password", password)).is(401, "bad_credentials")
	w.do(t, "POST", "/org/create", object("organization_name", acc.name, "email", "x@x.example", "password", password)).is(409, "name_taken")
	w.do(t, "GET", path, "", asOperator).is(200).has("state", "deleting", "purge_after", receipt.text("purge_after"))
	for _, verb := range []string{"/suspend", "/resume"} {
		w.do(t, "POST", path+verb, "", asOperator).is(409, "organization_deleting")
	}
	for range 2 {
		w.do(t, "POST", path+"/restore", "", asOperator).is(200).hasExactly(operatorKeys).has("state", "active")
	}
	w.do(t, "GET", look, "", auth).is(401, "token_revoked")
	again := w.do(t, "POST", "/admin/login", object("email", acc.email, "password", password)).is(200)
	w.do(t, "GET", look, "", "Authorization: Bearer "+again.text("access_token")).is(200).hasExactly(ownKeys)
}

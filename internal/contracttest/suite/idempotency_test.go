package suite

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/policy"
)

// idempotency: a request that comes twice with one key has its effect once, and both
// get the same answer.
func idempotency(t testing.TB, s setup) {
	w := s.start(t, 0)
	acme := object("organization_name", "Acme", "email", "acme@x.example", "password", password)
	made := w.twice(t, "/org/create", acme)
	w.do(t, "POST", "/org/create", strings.Replace(acme, "Acme", "Globex", 1), "Idempotency-Key: k").is(409, "email_taken") // its own request
	w.do(t, "POST", "/org/create", acme).is(409, "name_taken")

	auth := "Authorization: " + w.login(t, "acme@x.example", password)
	w.do(t, "GET", made.header.Get("Location"), "", auth).is(200).has("id", made.text("id"))
	one := w.twice(t, "/org/documents", `{"n":1}`, auth)
	if there := w.do(t, "GET", one.header.Get("Location"), "", auth).is(200); there.body != one.body {
		t.Errorf("at %s is %s, not %s", one.header.Get("Location"), there.body, one.body)
	}
	w.do(t, "POST", "/org/documents", `{"n":2}`, auth, "Idempotency-Key: k").is(422, "idempotency_key_reused")
	w.do(t, "POST", "/org/documents", `{"n":1}`, "Authorization: "+w.account(t).auth, "Idempotency-Key: k").is(201)
	w.do(t, "POST", "/org/documents", `{"n":1}`, auth, "Idempotency-Key: other").is(201)
	w.do(t, "GET", "/org/stats", "", auth).is(200).has("documents", 2.0)

	// A refusal leaves the key as good as new; a large answer is made again.
	w.do(t, "POST", "/org/documents", `{"_id":1}`, auth, "Idempotency-Key: large").is(422, "invalid")
	large := `{"_id":"large","text":"` + strings.Repeat("x", 100<<10) + `"}`
	first := w.do(t, "POST", "/org/documents", large, auth, "Idempotency-Key: large").is(201)
	w.do(t, "PUT", "/org/documents/large", `{}`, auth).is(200)
	w.again(t, first, "/org/documents", large, auth, "Idempotency-Key: large")
}

// twice sends a request two times.
func (w *world) twice(t testing.TB, path, body string, headers ...string) answer {
	t.Helper()
	headers = append(headers, "Idempotency-Key: k")
	first := w.do(t, "POST", path, body, headers...).is(201)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the first answer says that it is not: %v", first.header)
	}
	w.again(t, first, path, body, headers...)
	return first
}

// again fails the test unless the same request gets the same answer.
func (w *world) again(t testing.TB, first answer, path, body string, headers ...string) {
	t.Helper()
	second := w.do(t, "POST", path, body, headers...).is(201)
	if second.body != first.body || second.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %v %s", second.header, second.body)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type"} {
		if second.header.Get(name) != first.header.Get(name) {
			t.Errorf("again: %s is %q, was %q", name, second.header.Get(name), first.header.Get(name))
		}
	}
}

// working: while a request is being worked on, the same one is told to wait.
func working(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	auth := "Authorization: " + w.account(t).auth
	acme := object("organization_name", "Acme", "email", "acme@x.example", "password", password)
	for path, body := range map[string]string{"/org/create": acme, "/org/documents": `{"n":1}`} {
		reached, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w.faulty.On(func(c faulty.Call) error {
			if c.Database == tenantDB && (c.Op == "Create" || c.Op == "Insert") {
				once.Do(func() { close(reached); <-release })
			}
			return nil
		})
		done := make(chan answer, 1)
		go func() {
			defer close(done)
			done <- w.do(t, "POST", path, body, auth, "Idempotency-Key: k")
		}()
		select {
		case <-reached:
		case a := <-done:
			t.Fatalf("nothing held it up: %d %s", a.status, a.body)
		}
		second := w.do(t, "POST", path, body, auth, "Idempotency-Key: k").is(http.StatusConflict, "idempotency_in_progress")
		if second.header.Get("Retry-After") == "" {
			t.Errorf("it does not say when to come again: %v", second.header)
		}
		close(release)
		if a := <-done; a.status != 201 {
			t.Errorf("the first: %d %s", a.status, a.body)
		}
	}
}

// tooManyKeys: a request with a new key is refused where no more are remembered, and has no
// effect; one that is sent again, or has no key, is not.
func tooManyKeys(t testing.TB, s setup) {
	s.maxKeys = 2
	w := s.start(t, 0)
	auth, path := "Authorization: "+w.account(t).auth, "/org/documents"
	first := w.do(t, "POST", path, `{"n":1}`, auth, "Idempotency-Key: a").is(201)
	w.do(t, "POST", path, `{"n":2}`, auth, "Idempotency-Key: b").is(201)
	w.do(t, "POST", path, `{"n":3}`, auth, "Idempotency-Key: c").is(429, "rate_limited")
	w.again(t, first, path, `{"n":1}`, auth, "Idempotency-Key: a")
	w.do(t, "POST", path, `{"n":3}`, auth).is(201)
	w.do(t, "GET", "/org/stats", "", auth).is(200).has("documents", 3.0)

	// Of strangers count the keys of organizations that have gone again.
	newco := object("organization_name", "Newco", "email", "new@x.example", "password", password)
	for _, key := range []string{"a", "b"} {
		w.do(t, "POST", "/org/create", newco, "Idempotency-Key: "+key).is(201)
		w.do(t, "DELETE", "/org/delete", "", "Authorization: "+w.login(t, "new@x.example", password)).is(200)
	}
	w.do(t, "POST", "/org/create", newco, "Idempotency-Key: c").is(429, "rate_limited")
	w.do(t, "POST", "/org/create", newco, "Idempotency-Key: a").is(422, "idempotency_key_reused")
	w.do(t, "POST", "/org/create", newco).is(201)
}

// quotas: what the operator allows, and no more.
func quotas(t testing.TB, s setup) {
	w := s.start(t, 0)
	w.expect = []int{http.StatusInsufficientStorage}
	acc := w.account(t)
	auth, path := "Authorization: "+acc.auth, "/operator/organizations/"+acc.id
	shows := func(a answer, want float64) {
		t.Helper()
		if q, _ := a.fields["quota"].(map[string]any); q["max_documents"] != want || q["max_bytes"] != nil {
			t.Errorf("the quota is %v", a.fields["quota"])
		}
	}
	shows(w.do(t, "PUT", path+"/quota", `{"max_documents":1,"max_bytes":null}`, asOperator).is(200), 1)
	shows(w.do(t, "GET", path, "", asOperator).is(200), 1)
	shows(w.do(t, "GET", "/org/get?organization_name="+strings.ReplaceAll(acc.name, " ", "+"), "", auth).is(200), 1)
	shows(w.do(t, "PUT", "/org/update", `{}`, auth).is(200), 1)
	shows(w.do(t, "GET", "/org/stats", "", auth).is(200), 1)

	w.do(t, "PUT", "/org/documents/ada", `{}`, auth).is(201)
	w.do(t, "PUT", "/org/documents/bob", `{}`, auth).is(507, "quota_exceeded")
	w.do(t, "POST", "/org/documents", `{}`, auth).is(507, "quota_exceeded")
	w.do(t, "PUT", "/org/documents/ada", `{"n":1}`, auth).is(200)
	w.do(t, "PUT", path+"/quota", `{"max_bytes":1}`, asOperator).is(200)
	merge := "Content-Type: application/merge-patch+json"
	w.do(t, "PATCH", "/org/documents/ada", `{"more":1}`, auth, merge).is(507, "quota_exceeded")
	w.do(t, "PATCH", "/org/documents/ada", `{"n":null}`, auth, merge).is(200)
	w.do(t, "POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, auth).is(507, "quota_exceeded")
	w.do(t, "PUT", path+"/quota", `{}`, asOperator).is(200).hasExactly(operatorKeys)
	w.do(t, "PUT", "/org/documents/bob", `{}`, auth).is(201)
}

// tenantLimits: the limits of an organization, and of its admins' new credentials.
func tenantLimits(t testing.TB, s setup) {
	w := s.start(t, 1)
	auth := w.account(t).auth
	long := object("password", strings.Repeat("é", 37))
	w.do(t, "PUT", "/org/update", long, "Authorization: "+auth).is(422, "invalid")
	w.do(t, "PUT", "/org/update", long, "Authorization: "+auth).is(429, "rate_limited")
	w.do(t, "GET", "/org/documents", "", "Authorization: "+auth).is(200)
	for _, o := range operations(t) {
		if policyOf(t, o).Limiter != policy.LimitData {
			continue
		}
		for _, r := range o.Examples(t) {
			r.Header.Set("Authorization", auth)
			w.request(t, r).is(429, "rate_limited")
		}
	}
}

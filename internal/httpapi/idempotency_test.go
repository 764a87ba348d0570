package httpapi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
)

const signUp = `{"organization_name":"Newco","email":"new@x.example","password":"a secret password"}`

// TestAKeyHoldsAcrossInstances, and what is stored of it does not tell the password.
func TestAKeyHoldsAcrossInstances(t *testing.T) {
	secret := func(c *Config) { c.FingerprintSecret = []byte("the same on all instances") }
	data := openBackend(t)
	one, two := serve(t, data, secret), serve(t, data, secret)
	first := one.do("POST", "/org/create", signUp, "Idempotency-Key: k")
	second := two.do("POST", "/org/create", signUp, "Idempotency-Key: k")
	if first.status != 201 || second.status != 201 || first.body != second.body || second.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %v %s", first.status, first.body, second.status, second.header, second.body)
	}
	if a := two.do("POST", "/org/create", strings.Replace(signUp, "secret", "hidden", 1), "Idempotency-Key: k"); a.code() != "name_taken" {
		t.Errorf("another password: %d %s", a.status, a.body) // a client without it learns what every client can
	}
	if a := one.do("POST", "/org/create", signUp, "Idempotency-Key: a", "Idempotency-Key: b"); a.status != 400 || !strings.Contains(a.body, "more than once") {
		t.Errorf("two keys: %d %s", a.status, a.body)
	}
	digest := sha256.Sum256([]byte(signUp))
	n := 0
	for raw, err := range data.engine.Database("master_db").Collection("idempotency").Find(t.Context(), docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; bytes.Contains(raw, []byte("secret password")) || bytes.Contains(raw, digest[:]) {
			t.Errorf("stored: %s", raw)
		}
	}
	if n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestTheAnswerToASignUpIsKept, whatever the name: it is given again without another sign-up.
func TestTheAnswerToASignUpIsKept(t *testing.T) {
	s := start(t)
	for i, name := range []string{"<", "𝔸", "ﷺ", "x", "é"} {
		body := fmt.Sprintf(`{"organization_name":"%d%s","email":"new%d@x.example","password":"a secret password"}`, i, strings.Repeat(name, 99), i)
		if a := s.do("POST", "/org/create", body, "Idempotency-Key: k"); a.status != 201 && a.status != 422 {
			t.Errorf("%q: %d %s", name, a.status, a.body)
		}
	}
	n := 0
	for raw, err := range s.store.engine.Database("master_db").Collection("idempotency").Find(t.Context(), docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; raw.Lookup("answer", "body").Type == 0 || len(raw) > 4<<10 {
			t.Errorf("%d bytes are stored: %s", len(raw), raw)
		}
	}
	if n < 4 {
		t.Errorf("%d entries", n)
	}
}

// TestAKeyAfterAFault: a request that failed, or whose outcome is not known, is tried again; and
// the answer of what was done does not wait for being kept.
func TestAKeyAfterAFault(t *testing.T) {
	s := startData(t)
	fail := func(op, collection string) {
		var once sync.Once
		s.store.faulty.On(func(c faulty.Call) (err error) {
			if c.Op == op && strings.HasPrefix(c.Collection, collection) {
				once.Do(func() { err = errors.New("upside down") })
			}
			return err
		})
	}
	const path, body = "/org/documents", `{"n":1}`
	fail("Insert", "org_")
	s.ask(500, "POST", path, body, "Idempotency-Key: k")
	first := s.ask(201, "POST", path, body, "Idempotency-Key: k")
	fail("Replace", "idempotency")
	second := s.ask(201, "POST", path, body, "Idempotency-Key: other")
	s.store.faulty.On(nil)
	for key, want := range map[string]answer{"k": first, "other": second} {
		if again := s.ask(201, "POST", path, body, "Idempotency-Key: "+key); again.body != want.body || again.header.Get("ETag") != want.header.Get("ETag") {
			t.Errorf("%s: %v %s, then %v %s", key, want.header, want.body, again.header, again.body)
		}
	}
	if list := s.ask(200, "GET", path+"?count=true", ""); !strings.Contains(list.body, `"total":2`) {
		t.Errorf("there are %s", list.body)
	}
}

// TestRequestsOfAnOrganization: they are limited after the credential was checked, and
// only those for data.
func TestRequestsOfAnOrganization(t *testing.T) {
	s := startData(t, func(c *Config) { c.RequestsPerMinute = 2 })
	for range 3 {
		if a := s.do("GET", "/org/documents", ""); a.status != 401 {
			t.Errorf("without a token: %d", a.status)
		}
	}
	s.ask(200, "GET", "/org/documents", "")
	s.ask(200, "GET", "/org/stats", "")
	if a := s.ask(429, "POST", "/org/documents", "no JSON"); a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	if a := s.do("GET", "/org/operations", "", s.bearer()); a.status == 429 {
		t.Error("operations are limited, too")
	}
}

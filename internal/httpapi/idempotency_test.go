package httpapi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/tenant"
)

const signUp = `{"organization_name":"Newco","email":"new@x.example","password":"a secret password"}`

// TestFingerprints: each part of a request tells, and where it ends.
func TestFingerprints(t *testing.T) {
	f := newFingerprints([]byte("secret"))
	of := func(method, target, body string) string {
		return string(f.of(httptest.NewRequest(method, target, nil), []byte(body)))
	}
	seen := map[string]string{}
	for _, r := range [][3]string{
		{"POST", "/a", "x"}, {"PUT", "/a", "x"}, {"POST", "/a?x", ""}, {"POST", "/ax", ""}, {"POST", "/a", "y"}, {"POST", "/a?", "x"}, {"POST", "/a%62", "x"},
	} {
		name := strings.Join(r[:], " ")
		if other, twice := seen[of(r[0], r[1], r[2])]; twice && r[1] != "/a?" {
			t.Errorf("%q is taken for %q", name, other)
		}
		seen[of(r[0], r[1], r[2])] = name
	}
	r := httptest.NewRequest("POST", "/a", nil)
	if bytes.Equal(newFingerprints([]byte("other")).of(r, nil), f.of(r, nil)) {
		t.Error("the secret does not matter")
	}
	if !bytes.Equal(newFingerprints([]byte("secret")).of(r, nil), f.of(r, nil)) {
		t.Error("another instance makes another of it")
	}
}

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
		t.Errorf("another password: %d %s", a.status, a.body) // who does not know it learns what everybody can
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

// TestTheAnswerToASignUpIsKept, whatever the name: nobody has to be let in once more to be told.
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

// TestNetworks: one is told from another, and nobody without the secret can tell which it is.
func TestNetworks(t *testing.T) {
	f, other := newFingerprints([]byte("secret")), newFingerprints([]byte("other"))
	one := f.network("192.0.2.1")
	if one != f.network("192.0.3.4") || one == f.network("192.1.2.1") || one == f.network("2001:db8::1") || one == other.network("192.0.2.1") {
		t.Error("not by the provider's network and the secret")
	}
}

// TestAKeyAfterAFault: what came to nothing, or to nobody knows what, is tried again; and
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

// TestALongAnswerIsNotHeldWhole: what is too long to be kept goes on as soon as that is known
// and written down, and nothing of it before.
func TestALongAnswerIsNotHeldWhole(t *testing.T) {
	for _, size := range []int{10, tenant.MaxKeptBody, tenant.MaxKeptBody + 1, 1 << 20} {
		w := httptest.NewRecorder()
		kept := 0
		h := &heldAnswer{ResponseWriter: w, keep: func(a tenant.Answer) {
			if kept++; w.Body.Len() > 0 || a.Status != 201 || a.ETag != `"1"` || len(a.Body) > size || len(a.Body) < min(size, tenant.MaxKeptBody) {
				t.Errorf("%d: kept are %d %q and %d bytes, and the client has %d", size, a.Status, a.ETag, len(a.Body), w.Body.Len())
			}
		}}
		h.Header().Set("ETag", `"1"`)
		h.WriteHeader(201)
		piece := make([]byte, 4<<10)
		for left := size; left > 0; left -= len(piece) {
			piece = piece[:min(len(piece), left)]
			if n, err := h.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
			if held := h.body.Len(); held > tenant.MaxKeptBody {
				t.Fatalf("%d: %d bytes are held", size, held)
			}
		}
		if err := h.release(); err != nil || kept != 1 || w.Code != 201 || w.Body.Len() != size {
			t.Errorf("%d: kept %d times, and the client has %d and %d bytes: %v", size, kept, w.Code, w.Body.Len(), err)
		}
	}
}

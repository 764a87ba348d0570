package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

const operatorKey = `0123456789=abcdef!"#$%&'()*+,-./:;<=>?@[]^_{|}~`

func withOperator(c *Config) { c.OperatorKey = operatorKey }

func TestOperatorKey(t *testing.T) {
	s := serve(t, openBackend(t, func(c *tenant.Config) { c.DeleteGrace = time.Hour }), withOperator)
	b, id := s.store, s.store.acme.ID
	for i := range 3 {
		other := b.create(fmt.Sprint("Other ", i), fmt.Sprintf("o%d@x.example", i))
		b.must(b.SuspendOrganization(t.Context(), other.ID))
	}
	b.create("Active", "active@x.example")
	resume := func() { b.must(b.ResumeOrganization(t.Context(), id)) }
	suspend := func() { b.must(b.SuspendOrganization(t.Context(), id)) }
	remove := func() {
		if _, err := b.Delete(t.Context(), b.principal(email, password)); err != nil {
			t.Fatal(err)
		}
	}
	path := "/operator/organizations/" + id
	for _, c := range []struct {
		method, path  string
		before        func()
		state, served org.State // of the organization, before it and when it was served
		body          string    // what is in the answer
	}{
		{"GET", path, resume, org.StateActive, org.StateActive, `"id":"` + id + `"`},
		{"POST", path + "/suspend", resume, org.StateActive, org.StateSuspended, `"state":"suspended"`},
		{"POST", path + "/resume", suspend, org.StateSuspended, org.StateActive, `"state":"active"`},
		{"GET", "/operator/organizations?state=suspended&limit=2", resume, org.StateActive, org.StateActive, `"organization_name":"Other 1"`},
		{"POST", path + "/restore", remove, org.StateDeleting, org.StateActive, `"state":"active"`},
	} {
		for auth, want := range map[string]int{
			"Bearer " + operatorKey: 200, "bearer  " + operatorKey: 200,
			"": 401, "Bearer": 401, "Bearer ": 401, "Basic " + operatorKey: 401, operatorKey: 401, "Bearer x" + operatorKey: 401,
			"Bearer " + operatorKey[1:]: 401, "Bearer " + strings.ToUpper(operatorKey): 401, "Bearer " + s.token: 401,
		} {
			headers := []string{"Authorization: " + auth}
			if auth == "" {
				headers = nil
			}
			if b.stored(id).State != c.state {
				c.before()
			}
			b.asked()
			got := s.do(c.method, c.path, "", headers...)
			asked, after := b.asked(), c.state
			if want == 200 {
				after = c.served
			}
			if got.status != want || (want == 200) == (asked == "") || (want == 200) != strings.Contains(got.body, c.body) {
				t.Errorf("%s %s with %q: %d, asked %s: %s", c.method, c.path, auth, got.status, asked, got.body)
			}
			if now := b.stored(id).State; now != after {
				t.Errorf("%s %s with %q: it is %s", c.method, c.path, auth, now)
			}
		}
	}
	twice := s.do("GET", path, "", "Authorization: Bearer "+operatorKey, "Authorization: Bearer "+operatorKey)
	if twice.status != 401 {
		t.Errorf("two headers: %d", twice.status)
	}
	list := s.do("GET", "/operator/organizations?state=suspended&limit=2", "", "Authorization: Bearer "+operatorKey).body
	if strings.Count(list, `"state":"suspended"`) != 2 || strings.Count(list, `"state":`) != 2 || !strings.Contains(list, `"next_cursor":"`) {
		t.Errorf("two that are suspended: %s", list)
	}
}

// The operator's key opens nothing else, and without one there is no such plane.
func TestOperatorPlaneIsApart(t *testing.T) {
	s := start(t, withOperator)
	if got := s.do("DELETE", "/org/delete", "", "Authorization: Bearer "+operatorKey); got.status != 401 {
		t.Errorf("the operator's key as a token: %d", got.status)
	}
	none := start(t)
	id := none.store.acme.ID
	for _, path := range []string{"", "/" + id, "/" + id + "/suspend", "/" + id + "/nothing"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			for _, auth := range []string{"Bearer", "Bearer ", "Bearer " + none.token, "Bearer " + operatorKey} {
				if got := none.do(method, "/operator/organizations"+path, "", "Authorization: "+auth); got.status != 404 {
					t.Errorf("%s %s with %q: %d %s", method, path, auth, got.status, got.body)
				}
			}
		}
	}
	if asked := none.store.asked(); asked != "" {
		t.Errorf("asked %s", asked)
	}
}

// TestIntegersMayBeWrittenInAnyWay: what JSON Schema takes for an integer is one.
func TestIntegersMayBeWrittenInAnyWay(t *testing.T) {
	s := start(t, withOperator)
	id, before := s.store.acme.ID, org.Quota{MaxDocuments: 5, MaxBytes: 5}
	for body, want := range map[string]org.Quota{
		`{"max_documents":1.0,"max_bytes":1e3}`:                   {MaxDocuments: 1, MaxBytes: 1000},
		`{"max_documents":10E-1,"max_bytes":9007199254740991}`:    {MaxDocuments: 1, MaxBytes: 9007199254740991},
		`{"max_documents":null,"max_bytes":9.007199254740991e15}`: {MaxBytes: 9007199254740991},
		`{"max_documents":1.5}`:                                   before, `{"max_bytes":1e300}`: before, `{"max_bytes":1e400}`: before, `{"max_bytes":0.0}`: before,
	} {
		s.store.must(s.store.SetQuota(t.Context(), id, before))
		s.store.asked()
		got := s.do("PUT", "/operator/organizations/"+id+"/quota", body, "Authorization: Bearer "+operatorKey, "Content-Type: application/json")
		status := 200
		if want == before {
			status = 400
		}
		if asked := s.store.asked(); got.status != status || (status == 400) != (asked == "") {
			t.Errorf("%s: %d %s, asked %q", body, got.status, got.body, asked)
		}
		if quota := s.store.stored(id).Quota; quota != want {
			t.Errorf("%s: the quota is %+v, want %+v", body, quota, want)
		}
	}
	none := s.do("PUT", "/operator/organizations/"+nobodysID+"/quota", `{"max_bytes":1}`, "Authorization: Bearer "+operatorKey)
	if none.status != 404 {
		t.Errorf("of no organization: %d", none.status)
	}
}

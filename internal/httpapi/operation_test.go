package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func TestPreferRespondAsync(t *testing.T) {
	for prefer, async := range map[string]bool{
		"respond-async": true, "Respond-Async": true, "wait=10, respond-async": true, " respond-async ; x=1": true, "respond-async,": true,
		"": false, "return=minimal": false, "respond-asynchronously": false, "\"respond-async\"": false, "x=respond-async": false,
	} {
		s := start(t)
		for _, c := range []struct {
			method, path, body string
			done               func(org.Organization, error) bool // what is read of the organization says so
		}{
			{"PUT", "/org/update", "{}", func(o org.Organization, _ error) bool { return o.Generation == 2 && o.Operation == "" }},
			{"DELETE", "/org/delete", "", func(_ org.Organization, err error) bool { return errors.Is(err, org.NotFound) }},
		} {
			done := func() bool { return c.done(s.store.Organization(t.Context(), s.store.acme.ID)) }
			want, release := 200, func() {}
			if async {
				want, release = 202, s.store.hold()
			}
			got := s.do(c.method, c.path, c.body, s.bearer(), "Prefer: "+prefer)
			if got.status != want || done() == async {
				t.Errorf("%s with Prefer: %s: %d, done: %v", c.path, prefer, got.status, done())
			}
			location, applied := got.header.Get("Location"), got.header.Get("Preference-Applied")
			if async {
				id := s.store.stored(s.store.acme.ID).Operation
				if location != "/org/operations/"+id || applied != "respond-async" || !strings.Contains(got.body, `"id":"`+id+`"`) {
					t.Errorf("%s with Prefer: %s: Location %q, Preference-Applied %q: %s", c.path, prefer, location, applied, got.body)
				}
			} else if location+applied != "" {
				t.Errorf("%s with Prefer: %s: Location %q, Preference-Applied %q", c.path, prefer, location, applied)
			}
			release()
			eventually(t, "the operation is done", done)
		}
	}
}

// TestWhoWatchesADeletion: the admins of an organization that is being deleted learn how that
// gets on, and nothing else.
func TestWhoWatchesADeletion(t *testing.T) {
	s := start(t)
	release := s.store.hold()
	deletion := s.do("DELETE", "/org/delete", "", s.bearer(), "Prefer: respond-async")
	for path, want := range map[string]int{
		"/org/operations": 200, deletion.header.Get("Location"): 200,
		"/org/documents": 401, "/org/documents/x": 401, "/org/indexes": 401, "/org/stats": 401, "/org/get?organization_name=Acme": 401,
	} {
		if got := s.do("GET", path, "", s.bearer()); got.status != want {
			t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
		}
	}
	release()
	eventually(t, "the organization is gone", func() bool {
		_, err := s.store.Organization(t.Context(), s.store.acme.ID)
		return errors.Is(err, org.NotFound)
	})
	if got := s.do("GET", "/org/operations", "", s.bearer()); got.status != 401 {
		t.Errorf("of one that is gone: %d %s", got.status, got.body)
	}
}

func TestOperationsInPages(t *testing.T) {
	s := start(t)
	auth := s.bearer()
	owner := s.store.principal(email, password)
	for i := range 51 { // and one has made it
		s.store.must(s.store.Update(t.Context(), owner, tenant.UpdateInput{Name: new(fmt.Sprint("Acme ", i))}))
	}
	all, _, err := s.store.Operations(t.Context(), owner.OrgID, "", 100)
	if err != nil || len(all) != 52 {
		t.Fatalf("%d operations: %v", len(all), err)
	}
	type operations struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
		Next string `json:"next_cursor"`
	}
	list := func(query string, want []org.Operation, more bool) (page operations) {
		t.Helper()
		got := s.do("GET", "/org/operations"+query, "", auth)
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != 200 || len(page.Items) != len(want) || (page.Next != "") != more {
			t.Fatalf("%q: %d %s", query, got.status, got.body)
		}
		for i, op := range want {
			if page.Items[i].ID != op.ID {
				t.Errorf("%q: number %d is %s, want %s", query, i, page.Items[i].ID, op.ID)
			}
		}
		return page
	}
	list("?limit=7", all[:7], true)
	page := list("", all[:50], true)
	list("?limit=7&cursor="+page.Next, all[50:], false)
	list("?limit=1&cursor="+page.Next, all[50:51], true)
	for _, bad := range []string{"x", "AAAA", page.Next + "AA", strings.Repeat("_", 256), page.Next[:21] + "_"} {
		got := s.do("GET", "/org/operations?cursor="+bad, "", auth)
		if got.status != 422 || !strings.HasPrefix(strings.Join(got.errors(), ""), "cursor: ") {
			t.Errorf("cursor %s: %d %s", bad, got.status, got.body)
		}
	}
}

func TestFailureOfAnOperation(t *testing.T) {
	op := org.Operation{ID: nobodysID, Kind: "update", State: org.OperationFailed, Failure: &org.Error{Kind: org.NameTaken}}
	body, err := operationBody(op)
	if err != nil || body.Error == nil || body.Error.Code != "name_taken" || body.Error.Detail == "" {
		t.Errorf("%+v, %v", body, err)
	}
	op.Failure = &org.Error{Kind: "later", Message: "innards"}
	if body, err = operationBody(op); err != nil || body.Error.Code != "internal" || strings.Contains(body.Error.Detail, "innards") {
		t.Errorf("%+v, %v", body.Error, err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to it that %s", what)
		}
	}
}

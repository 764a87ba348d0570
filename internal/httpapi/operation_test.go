package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/org"
)

func TestPreferRespondAsync(t *testing.T) {
	for prefer, async := range map[string]bool{
		"respond-async": true, "Respond-Async": true, "wait=10, respond-async": true, " respond-async ; x=1": true, "respond-async,": true,
		"": false, "return=minimal": false, "respond-asynchronously": false, "\"respond-async\"": false, "x=respond-async": false,
	} {
		s := start(t)
		for _, c := range []struct{ method, path, body, call string }{
			{"PUT", "/org/update", "{}", "update"}, {"DELETE", "/org/delete", "", "delete"},
		} {
			got := s.do(c.method, c.path, c.body, "Authorization: Bearer "+s.token, "Prefer: "+prefer)
			want, call := 200, c.call
			if async {
				want, call = 202, c.call+" async"
			}
			if calls := s.store.took(); got.status != want || calls != "authenticate "+call {
				t.Errorf("%s with Prefer: %s: %d, calls %s", c.path, prefer, got.status, calls)
			}
			location, applied := got.header.Get("Location"), got.header.Get("Preference-Applied")
			if async && (location != "/org/operations/"+otherID || applied != "respond-async") || !async && location+applied != "" {
				t.Errorf("%s with Prefer: %s: Location %q, Preference-Applied %q", c.path, prefer, location, applied)
			}
		}
	}
}

func TestOperationsInPages(t *testing.T) {
	s := start(t)
	auth := "Authorization: Bearer " + s.token
	var page struct {
		Items []map[string]any `json:"items"`
		Next  string           `json:"next_cursor"`
	}
	first := s.do("GET", "/org/operations", "", auth)
	if err := json.Unmarshal([]byte(first.body), &page); err != nil || first.status != 200 || len(page.Items) != 1 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	s.do("GET", "/org/operations?limit=7&cursor="+page.Next, "", auth)
	want := `as watcher authenticate operations ` + orgID + ` "" 50 as watcher authenticate operations ` + orgID + ` "` + otherID + `" 7`
	if got := s.store.took(); got != want {
		t.Errorf("calls %s\nwant  %s", got, want)
	}
	for _, bad := range []string{"x", "AAAA", page.Next + "AA", strings.Repeat("_", 256), page.Next[:21] + "_"} {
		got := s.do("GET", "/org/operations?cursor="+bad, "", auth)
		if got.status != 422 || !strings.HasPrefix(strings.Join(got.errors(), ""), "cursor: ") {
			t.Errorf("cursor %s: %d %s", bad, got.status, got.body)
		}
	}
}

func TestFailureOfAnOperation(t *testing.T) {
	op := moving
	op.State, op.Failure = org.OperationFailed, &org.Error{Kind: org.NameTaken}
	body, err := operationBody(op)
	if err != nil || body.Error == nil || body.Error.Code != "name_taken" || body.Error.Detail == "" {
		t.Errorf("%+v, %v", body, err)
	}
	op.Failure = &org.Error{Kind: "later", Message: "innards"}
	if body, err = operationBody(op); err != nil || body.Error.Code != "internal" || strings.Contains(body.Error.Detail, "innards") {
		t.Errorf("%+v, %v", body.Error, err)
	}
}

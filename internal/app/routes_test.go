package app_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/contracttest"
)

// TestMethodsOfEveryPath: what the contract does not have is answered with 405 and
// what would do instead; HEAD goes wherever GET does.
func TestMethodsOfEveryPath(t *testing.T) {
	t.Parallel()
	w := start(t, "OPERATOR_KEY=Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA")
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	for path, documented := range contract.Methods() {
		allowed := append(slices.Clone(documented), http.MethodOptions)
		if slices.Contains(documented, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		slices.Sort(allowed)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"} {
			if slices.Contains(documented, method) {
				continue
			}
			a := w.do(method, path, "")
			want := http.StatusMethodNotAllowed
			switch {
			case method == http.MethodOptions:
				want = http.StatusNoContent
			case method == http.MethodHead && slices.Contains(allowed, method):
				if a.status == http.StatusMethodNotAllowed || a.body != "" {
					t.Errorf("HEAD %s: %d %q", path, a.status, a.body)
				}
				continue
			}
			got := strings.Split(a.header.Get("Allow"), ", ")
			slices.Sort(got)
			if diff := cmp.Diff(allowed, got); a.status != want || diff != "" || a.status == 405 && method != "HEAD" && a.text("code") != "method_not_allowed" {
				t.Errorf("%s %s: %d, want %d; Allow (-want +got):\n%s%s", method, path, a.status, want, diff, a.body)
			}
		}
	}
}

func TestPathsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Acme").auth
	for _, path := range []string{
		"/", "/org", "/org/", "/org/create/", "/ORG/create", "/org//create", "//org/create", "/org%2Fcreate", "/org/./create", "/x/../org/create",
		"/org/get/Acme", "/admin", "/admin/logout", "/metrics", "/debug/pprof/", "/debug/vars", "/.env", "/operator/organizations", "/openapi.yml",
		"/docs/../../etc/passwd", "/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/nothing", "/org/create%00", "/" + strings.Repeat("x", 8000),
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			w.do(method, path, "", auth).is(404, "not_found")
		}
	}
}

var linked = regexp.MustCompile(`(?:src|href)="([^"]+)"`)

func TestTheContractIsServedAsItIsAndAsAPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	if got := w.do("GET", "/openapi.yaml", "").is(200); got.body != orgd.OpenAPI {
		t.Error("/openapi.yaml is not the file")
	}
	if got := w.do("GET", "/openapi.json", "").is(200); got.text("openapi") != "3.0.3" {
		t.Errorf("/openapi.json is %.200s", got.body)
	}
	page := w.do("GET", "/docs", "").is(200)
	links := linked.FindAllStringSubmatch(page.body, -1)
	if len(links) < 3 {
		t.Errorf("the page has %d links:\n%s", len(links), page.body)
	}
	for _, link := range links {
		path := link[1]
		if strings.Contains(path, "//") {
			t.Errorf("the page needs %s, from elsewhere", path)
			continue
		}
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		w.do("GET", path, "").is(200)
	}
	if policy := page.header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src") {
		t.Errorf("the page's policy is %q", policy)
	}
}

// A request may bring its id, unless it is one that could not stand in a log.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, id := range []string{"a", "0af7651916cd43dd8448eb211c80319c-b7:1._", strings.Repeat("x", 128)} {
		if got := w.do("GET", "/livez", "", "X-Request-Id: "+id).is(200).header.Get("X-Request-Id"); got != id {
			t.Errorf("the id %s comes back as %s", id, got)
		}
	}
	for _, id := range []string{"", "two words", "level=ERROR", `"`, "é", strings.Repeat("x", 129), "a\tb"} {
		a := w.do("GET", "/nowhere", "", "X-Request-Id: "+id).is(404, "not_found")
		if got := a.header.Get("X-Request-Id"); got == id || a.text("request_id") != got {
			t.Errorf("the id %q is taken", id)
		}
	}
	first, second := w.do("GET", "/livez", ""), w.do("GET", "/livez", "")
	if first.header.Get("X-Request-Id") == second.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

package contracttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/contracttest"
)

const (
	id       = "019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55"
	summary  = `{"id":"` + id + `","organization_name":"Acme","collection_name":"org_acme","state":"active","created_at":"2026-11-23T12:00:00Z"}`
	notFound = `{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","request_id":"r1"}`
)

// A journal is a test that only notes its failures.
type journal struct {
	testing.TB
	failures []string
}

func (j *journal) Helper() {}

func (j *journal) Errorf(format string, args ...any) {
	j.failures = append(j.failures, fmt.Sprintf(format, args...))
}

// An answer is what the server of a test sends.
type answer struct {
	method, path string // of the request; default GET /org/get
	status       int
	contentType  string // default application/json, or problem+json from 400 on
	id           string // default r1
	body         string
}

// hold sends the request and returns what the Transport finds wrong with the answer.
func hold(t *testing.T, a answer, c contracttest.Config) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		contentType := a.contentType
		if contentType == "" {
			contentType = map[bool]string{false: "application/json", true: "application/problem+json"}[a.status >= 400]
		}
		w.Header().Set("Content-Type", contentType)
		if w.Header().Set("X-Request-Id", "r1"); a.id != "" {
			w.Header().Set("X-Request-Id", a.id)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	defer server.Close()
	if a.method == "" {
		a.method, a.path = http.MethodGet, "/org/get?organization_name=Acme"
	}
	req, err := http.NewRequest(a.method, server.URL+a.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{TB: t}
	resp, err := contracttest.New(j, c).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != a.body && a.method != http.MethodHead {
		t.Errorf("the answer is handed on as %q, %v", body, err)
	}
	return j.failures
}

func TestAnswersThatFitTheContractPass(t *testing.T) {
	for name, a := range map[string]answer{
		"a documented answer":                       {status: 200, body: summary},
		"a documented problem":                      {status: 404, body: notFound},
		"a path that is not in it, with a problem":  {method: "GET", path: "/nowhere", status: 404, body: notFound},
		"a path that only looks like one":           {method: "POST", path: "/org%2Fcreate/", status: 404, body: notFound},
		"a method that is not in it":                {method: "OPTIONS", path: "/org/get", status: 204},
		"HEAD, which has no body to look at":        {method: "HEAD", path: "/org/get", status: 404},
		"a page":                                    {method: "GET", path: "/docs", status: 200, contentType: "text/html", body: "<!doctype html>"},
		"an object that is open by its own account": {method: "GET", path: "/openapi.json", status: 200, body: `{"openapi":"3.0.3","info":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hold(t, a, contracttest.Config{}); len(got) > 0 {
				t.Errorf("refused: %q", got)
			}
		})
	}
}

func TestAnswersThatBreakTheContractFail(t *testing.T) {
	for name, c := range map[string]struct {
		answer answer
		want   string
	}{
		"an undocumented status":             {answer{status: 202, body: summary}, "status is not supported"},
		"another content type":               {answer{status: 200, contentType: "text/plain", body: summary}, "Content-Type"},
		"a value of the wrong type":          {answer{status: 200, body: strings.Replace(summary, `"active"`, "7", 1)}, "state"},
		"a property that is missing":         {answer{status: 200, body: strings.Replace(summary, `"state":"active",`, "", 1)}, `"state" is missing`},
		"a property that nobody documented":  {answer{status: 200, body: strings.Replace(summary, "{", `{"password_hash":"x",`, 1)}, `"password_hash" is unsupported`},
		"no JSON at all":                     {answer{status: 200, body: "{"}, "decode"},
		"a malformed request id":             {answer{status: 200, id: "two words", body: summary}, "X-Request-Id"},
		"an error that is no problem":        {answer{status: 404, contentType: "text/plain", body: "404"}, "an error comes as"},
		"an unknown code":                    {answer{status: 404, body: strings.Replace(notFound, "not_found", "gone", 1)}, "code"},
		"a problem with another request id":  {answer{status: 404, id: "r2", body: notFound}, "request_id is r1"},
		"a problem of another status":        {answer{status: 400, body: notFound}, "the problem's status is 404"},
		"no problem outside of the contract": {answer{method: "GET", path: "/nowhere", status: 404, body: "{}"}, "not a problem"},
		"a fault of the server": {answer{status: 500, body: strings.NewReplacer("404", "500", "not_found", "internal").Replace(notFound)},
			"a fault of the server"},
		"a required header that is missing": {answer{status: 401, body: strings.NewReplacer("404", "401", "not_found", "unauthenticated").Replace(notFound)},
			"WWW-Authenticate"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(hold(t, c.answer, contracttest.Config{}), "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("failures %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnExpectedFaultPasses(t *testing.T) {
	a := answer{status: 500, body: strings.NewReplacer("404", "500", "not_found", "internal").Replace(notFound)}
	if got := hold(t, a, contracttest.Config{Expect: []int{500}}); len(got) > 0 {
		t.Errorf("refused: %q", got)
	}
}

func TestCoverageCountsDocumentedAnswers(t *testing.T) {
	var seen contracttest.Coverage
	all, err := seen.Missing()
	if err != nil {
		t.Fatal(err)
	}
	hold(t, answer{status: 404, body: notFound}, contracttest.Config{Seen: &seen})
	hold(t, answer{method: "GET", path: "/nowhere", status: 404, body: notFound}, contracttest.Config{Seen: &seen})
	left, err := seen.Missing()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(len(all)-1, len(left)); diff != "" || seen.Count(contracttest.Response{Operation: "getOrganization", Status: 404}) != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package contracttest_test

import (
	"fmt"
	"io"
	"maps"
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
	change       func(http.Header) // of the headers that a good answer has
}

// headers are those that every answer has, and those of pages.
func headers(page bool) http.Header {
	h := http.Header{
		"Cache-Control": {"no-store"}, "Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Resource-Policy": {"same-origin"}, "Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"DENY"},
	}
	if page {
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("ETag", `"`+strings.Repeat("0", 32)+`"`)
		h.Set("Vary", "Accept-Encoding")
	}
	return h
}

// hold sends the request and returns what the Transport finds wrong with the answer.
func hold(t *testing.T, a answer, c contracttest.Config) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		contentType := a.contentType
		if contentType == "" {
			contentType = map[bool]string{false: "application/json", true: "application/problem+json"}[a.status >= 400]
		}
		maps.Copy(w.Header(), headers(a.path == "/docs" || a.path == "/openapi.json"))
		w.Header().Set("Content-Type", contentType)
		if w.Header().Set("X-Request-Id", "r1"); a.id != "" {
			w.Header().Set("X-Request-Id", a.id)
		}
		if a.change != nil {
			a.change(w.Header())
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
		"a header of another value": {answer{status: 200, body: summary, change: func(h http.Header) { h.Set("Cache-Control", "max-age=60") }},
			"the header Cache-Control is"},
		"a header that comes twice": {answer{status: 200, body: summary, change: func(h http.Header) { h.Add("Cache-Control", "no-store") }},
			"Cache-Control comes more than once"},
		"a header that is not declared": {answer{status: 200, body: summary, change: func(h http.Header) { h.Set("Server", "orgd") }},
			"the header Server is not declared"},
		"a header of all that an unlisted answer lacks": {answer{method: "GET", path: "/nowhere", status: 404, body: notFound,
			change: func(h http.Header) { h.Del("X-Content-Type-Options") }}, "the header X-Content-Type-Options is missing"},
		"a header that HEAD has of another value": {answer{method: "HEAD", path: "/org/get", status: 200,
			change: func(h http.Header) { h.Set("X-Frame-Options", "ALLOWALL") }}, "the header X-Frame-Options is"},
		"a number that is none": {answer{status: 429, body: strings.NewReplacer("404", "429", "not_found", "rate_limited").Replace(notFound),
			change: func(h http.Header) { h.Set("Retry-After", "soon") }}, "the header Retry-After is no number"},
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

func TestHeadersThatMayBeThereAreToBeSeenBothWays(t *testing.T) {
	var seen contracttest.Coverage
	conflict := strings.NewReplacer("404", "409", "not_found", "name_taken").Replace(notFound)
	for _, change := range []func(http.Header){nil, func(h http.Header) { h.Set("Retry-After", "1") }} {
		before, err := seen.MissingHeaders()
		if err != nil {
			t.Fatal(err)
		}
		hold(t, answer{method: "POST", path: "/org/create", status: 409, body: conflict, change: change}, contracttest.Config{Seen: &seen})
		after, err := seen.MissingHeaders()
		if err != nil || len(after) != len(before)-1 {
			t.Errorf("missing %v, then %v, %v", before, after, err)
		}
	}
}

package orgd_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	orgd "github.com/orgd/orgd/sdk/go"
)

// A fake is a server without a network, so that synctest's clock applies. It
// answers with what its script returns; logins, unless scripted, with token-1,
// token-2 and so on.
type fake struct {
	answer  func(n int, req *http.Request) (*http.Response, error) // n counts from 1, logins apart
	login   func(n int, req *http.Request) (*http.Response, error)
	seconds int // a token's life

	mu       sync.Mutex
	requests []seen
	n        int
	logins   int
}

// A seen is a request as the fake got it.
type seen struct {
	method, path string
	header       http.Header
	body         string
}

// RoundTrip implements http.RoundTripper.
func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	f.mu.Lock()
	f.requests = append(f.requests, seen{req.Method, req.URL.Path, req.Header, string(body)})
	script, n := f.answer, &f.n
	if req.URL.Path == "/admin/login" {
		script, n = f.login, &f.logins
	}
	*n++
	count := *n
	f.mu.Unlock()
	if script == nil {
		script = f.issue
	}
	resp, err := script(count, req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

func (f *fake) issue(n int, _ *http.Request) (*http.Response, error) {
	if f.seconds == 0 {
		f.seconds = 3600
	}
	return reply(200, fmt.Sprintf(`{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, n, f.seconds))
}

// client returns a client of the fake.
func (f *fake) client(t testing.TB, opts ...orgd.Option) *orgd.Client {
	t.Helper()
	return dial(t, "http://orgd.test", append([]orgd.Option{orgd.WithHTTPClient(&http.Client{Transport: f})}, opts...)...)
}

func dial(t testing.TB, url string, opts ...orgd.Option) *orgd.Client {
	t.Helper()
	c, err := orgd.New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// paths returns the requests, as "GET /org/get token".
func (f *fake) paths() (paths []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		line := r.method + " " + r.path + " " + strings.TrimPrefix(r.header.Get("Authorization"), "Bearer ")
		paths = append(paths, strings.TrimSpace(line))
	}
	return paths
}

// reply is an answer; headers are names and values in turn.
func reply(status int, body string, headers ...string) (*http.Response, error) {
	resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	if status >= 400 {
		resp.Header.Set("Content-Type", "application/problem+json")
	}
	for i := 0; i < len(headers); i += 2 {
		resp.Header.Set(headers[i], headers[i+1])
	}
	return resp, nil
}

func refuse(status int, code orgd.Code, headers ...string) (*http.Response, error) {
	return reply(status, fmt.Sprintf(`{"type":"about:blank","title":"x","status":%d,"code":%q,"detail":"Because.","request_id":"r1"}`, status, string(code)), headers...)
}

const organization = `{"id":"019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55","organization_name":"Acme Inc","collection_name":"org_acme_inc",` +
	`"state":"active","generation":1,"admin_id":"019aaf2e-53c4-7d51-a2a7-1b1b2c2d3e3f","created_at":"2026-11-23T12:00:00.000Z",` +
	`"updated_at":"2026-11-23T12:00:00.000Z"}`

const (
	email    = "admin@acme.example"
	password = "correct horse battery"
)

var acme = orgd.NewOrganization{Name: "Acme Inc", Email: email, Password: password}

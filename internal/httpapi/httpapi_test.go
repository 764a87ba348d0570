package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder) // it knows none
	os.Exit(m.Run())
}

// dataPolicy is the Content-Security-Policy of answers that are data and never a page.
const dataPolicy = "default-src 'none'; frame-ancestors 'none'"

// nobodysID is no organization's, and no operation's either.
const nobodysID = "019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

// A logBook is what was logged, for any number of goroutines.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBook) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines returns the log's lines with that message, once there are n of them:
// a line is written after the client has its answer.
func (l *logBook) lines(t *testing.T, message string, n int) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		var found []map[string]any
		for _, line := range strings.Split(strings.TrimSpace(l.String()), "\n") {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == message {
				found = append(found, m)
			}
		}
		if len(found) >= n {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("log has %d lines %q, want %d:\n%s", len(found), message, n, l)
		}
	}
}

func testTokens(t testing.TB) *auth.Tokens {
	t.Helper()
	tokens, err := auth.NewTokens(auth.TokensConfig{
		Algorithm: "HS256", Secret: []byte("0123456789abcdef0123456789abcdef"), TTL: time.Hour, Issuer: "orgd", Audience: "orgd",
	})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// readContract reads the contract once for all tests, which hold answers against it.
var readContract = sync.OnceValues(func() (contract.Contract, error) { return contract.Parse(orgd.OpenAPI) })

// A server is an API behind real HTTP.
type server struct {
	t        testing.TB
	url      string
	store    *backend
	log      *logBook
	api      *API
	token    string // a good one, of Acme's admin
	contract contract.Contract
	checked  int // answers held against an operation of the contract
	problem  *openapi3.Schema
}

// start serves an API on a store of its own; what may change how the API is made.
func start(t testing.TB, what ...func(*Config)) *server {
	t.Helper()
	return serve(t, openBackend(t), what...)
}

// serve is start on a store that there is.
func serve(t testing.TB, b *backend, what ...func(*Config)) *server {
	t.Helper()
	s := &server{t: t, store: b, log: b.log}
	c := Config{Store: b.Store, Tokens: testTokens(t), Logger: b.log.logger()}
	for _, change := range what {
		change(&c)
	}
	var err error
	if s.api, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.api.holdback.Wait = time.Millisecond
	s.become(email, password)
	ts := httptest.NewUnstartedServer(nil)
	counted := wire.NewConnections(1000, 1000, nil)
	ts.Config, ts.Listener = wire.NewServer(s.api, c.Logger, counted), counted.Listen(ts.Listener)
	ts.Start()
	t.Cleanup(ts.Close)
	s.url = ts.URL
	if s.contract, err = readContract(); err != nil {
		t.Fatal(err)
	}
	s.problem = s.contract["login"].Route.Spec.Components.Schemas["Problem"].Value
	return s
}

// become has requests come from that admin from now on.
func (s *server) become(email, password string) {
	s.t.Helper()
	p := s.store.principal(email, password)
	token, _, err := s.api.Tokens.Issue(auth.Claims{AdminID: p.AdminID, OrgID: p.OrgID, Role: p.Role, Cred: p.Credential})
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = token
	s.store.asked()
}

// An answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the problem's code, or "".
func (a answer) code() string {
	var p problem.Problem
	_ = json.Unmarshal([]byte(a.body), &p)
	return string(p.Code)
}

// errors are the problem's field errors, "where: detail" each.
func (a answer) errors() []string {
	var p problem.Problem
	_ = json.Unmarshal([]byte(a.body), &p)
	out := []string{}
	for _, e := range p.Errors {
		out = append(out, e.Pointer+e.Parameter+": "+e.Detail)
	}
	return out
}

// do sends a request and holds the answer against the contract. Headers are
// "Name: value"; a body is JSON unless they say otherwise.
func (s *server) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			req.Header.Del(name)
		}
		if value != "" || name != "Content-Type" {
			req.Header.Add(name, value)
		}
	}
	return s.send(req)
}

func (s *server) send(req *http.Request) answer {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.holdAgainstContract(req, resp, body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// holdAgainstContract checks what every answer must have, and that an answer
// of an endpoint of the contract is one that the contract documents.
func (s *server) holdAgainstContract(req *http.Request, resp *http.Response, body []byte) {
	s.t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			s.t.Errorf("%s %s: %s is %q, want %q", req.Method, req.URL.Path, name, got, want)
		}
	}
	if resp.StatusCode >= 400 && req.Method != http.MethodHead {
		s.checkProblem(req, resp, body)
	}
	e := s.contract.At(req.Method, req.URL.EscapedPath())
	if e == nil {
		return
	}
	s.checked++
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: e.Route},
		Status:                 resp.StatusCode, Header: resp.Header,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(req.Context(), input); err != nil {
		s.t.Errorf("%s %s: answer breaks the contract: %v\n%s", req.Method, req.URL.Path, err, body)
	}
}

func (s *server) checkProblem(req *http.Request, resp *http.Response, body []byte) {
	s.t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		s.t.Errorf("%s %s: %d comes as %q", req.Method, req.URL.Path, resp.StatusCode, got)
	}
	if got := resp.Header.Get("Content-Security-Policy"); got != dataPolicy {
		s.t.Errorf("%s %s: policy of a problem is %q", req.Method, req.URL.Path, got)
	}
	var p any
	if err := json.Unmarshal(body, &p); err != nil {
		s.t.Errorf("%s %s: %v in %s", req.Method, req.URL.Path, err, body)
		return
	}
	if err := s.problem.VisitJSON(p, openapi3.MultiErrors()); err != nil {
		s.t.Errorf("%s %s: not a Problem: %v", req.Method, req.URL.Path, err)
	}
	if id := p.(map[string]any)["request_id"]; id != resp.Header.Get("X-Request-Id") || id == "" {
		s.t.Errorf("%s %s: request_id %v, X-Request-Id %q", req.Method, req.URL.Path, id, resp.Header.Get("X-Request-Id"))
	}
	if status := p.(map[string]any)["status"]; status != float64(resp.StatusCode) {
		s.t.Errorf("%s %s: status %v in the body of a %d", req.Method, req.URL.Path, status, resp.StatusCode)
	}
}

// bearer is the header with a good token.
func (s *server) bearer() string { return "Authorization: Bearer " + s.token }

const (
	create = `{"organization_name":"Newco","email":"admin@newco.example","password":"correct horse battery"}`
	login  = `{"email":"` + email + `","password":"` + password + `"}`
)

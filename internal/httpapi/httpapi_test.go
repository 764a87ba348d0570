package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder) // it knows none
	os.Exit(m.Run())
}

const (
	orgID   = "019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55"
	adminID = "019aaf2e-53c4-7d51-a2a7-1b1b2c2d3e3f"
	otherID = "019aaf2e-53c4-7d51-a2a7-5c5d6e6f7071"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)

var acme = org.Organization{
	ID: orgID, Name: "Acme Inc", Collection: "org_acme_inc", Generation: 3, State: org.StateActive,
	AdminID: adminID, Operation: otherID, CreatedAt: noon, UpdatedAt: noon.Add(time.Hour),
}

// moving is an operation of acme's.
var moving = org.Operation{
	ID: otherID, Kind: "update", State: org.OperationRunning, Step: "copy", DocumentsCopied: 1, DocumentsTotal: 3, BytesCopied: 100,
	StartedAt: noon, UpdatedAt: noon.Add(time.Second), ETA: noon.Add(3 * time.Second),
}

var owner = org.Principal{AdminID: adminID, OrgID: orgID, Role: org.RoleOwner, Credential: 7}

// A script is a Store that answers as it is told: it keeps nothing. A nil
// function answers with acme.
type script struct {
	create       func(context.Context, tenant.CreateInput) (org.Organization, error)
	lookup       func(context.Context, string) (org.Organization, error)
	update       func(context.Context, org.Principal, tenant.UpdateInput) (org.Organization, error)
	remove       func(context.Context, org.Principal) (org.DeletionReceipt, error)
	login        func(context.Context, string, string) (org.Principal, error)
	authenticate func(context.Context, org.Principal) (org.Organization, error)
	ready        func(context.Context) error
	documents    func(orgID string) *tenant.Documents
	attempt      func(context.Context, tenant.IdempotentRequest) (*tenant.Claim, *tenant.Answer, error)

	mu    sync.Mutex
	calls []string
}

func (s *script) called(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
}

// took returns and forgets the calls so far.
func (s *script) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.calls, " ")
	s.calls = nil
	return all
}

func (s *script) Create(ctx context.Context, in tenant.CreateInput) (org.Organization, error) {
	s.called("create")
	if s.create == nil {
		return acme, nil
	}
	return s.create(ctx, in)
}

func (s *script) Lookup(ctx context.Context, name string) (org.Organization, error) {
	s.called("lookup")
	if s.lookup == nil {
		return acme, nil
	}
	return s.lookup(ctx, name)
}

func (s *script) Update(ctx context.Context, p org.Principal, in tenant.UpdateInput) (org.Organization, error) {
	s.called("update")
	if s.update == nil {
		return acme, nil
	}
	return s.update(ctx, p, in)
}

func (s *script) Delete(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	s.called("delete")
	if s.remove == nil {
		return org.DeletionReceipt{OrganizationID: orgID, Name: acme.Name, Collections: []string{acme.Collection}, DeletedAt: noon}, nil
	}
	return s.remove(ctx, p)
}

func (s *script) UpdateAsync(context.Context, org.Principal, tenant.UpdateInput) (org.Operation, error) {
	s.called("update async")
	return moving, nil
}

func (s *script) DeleteAsync(context.Context, org.Principal) (*org.Operation, org.DeletionReceipt, error) {
	s.called("delete async")
	return &moving, org.DeletionReceipt{}, nil
}

func (s *script) Operation(_ context.Context, orgID, id string) (org.Operation, error) {
	s.called("operation " + orgID + " " + id)
	return moving, nil
}

func (s *script) Operations(_ context.Context, orgID, after string, limit int) ([]org.Operation, string, error) {
	s.called(fmt.Sprintf("operations %s %q %d", orgID, after, limit))
	return []org.Operation{moving}, moving.ID, nil
}

func (s *script) Organization(_ context.Context, id string) (org.Organization, error) {
	s.called("organization " + id)
	return acme, nil
}

func (s *script) Organizations(_ context.Context, state org.State, after string, limit int) ([]org.Organization, string, error) {
	s.called(fmt.Sprintf("organizations %q %q %d", state, after, limit))
	return []org.Organization{acme}, "", nil
}

func (s *script) SuspendOrganization(_ context.Context, id string) (org.Organization, error) {
	s.called("suspend " + id)
	return acme, nil
}

func (s *script) ResumeOrganization(_ context.Context, id string) (org.Organization, error) {
	s.called("resume " + id)
	return acme, nil
}

func (s *script) RestoreOrganization(_ context.Context, id string) (org.Organization, error) {
	s.called("restore " + id)
	return acme, nil
}

func (s *script) SetQuota(_ context.Context, id string, q org.Quota) (org.Organization, error) {
	s.called(fmt.Sprintf("SetQuota %d %d", q.MaxDocuments, q.MaxBytes))
	return org.Organization{}, org.Errorf(org.NotFound, "There is no organization %s.", id)
}

func (s *script) Claim(ctx context.Context, once tenant.IdempotentRequest) (*tenant.Claim, *tenant.Answer, error) {
	s.called("Claim")
	if s.attempt == nil {
		return nil, nil, org.NotFound
	}
	return s.attempt(ctx, once)
}

func (s *script) Login(ctx context.Context, email, password string) (org.Principal, error) {
	s.called("login")
	if s.login == nil {
		return owner, nil
	}
	return s.login(ctx, email, password)
}

func (s *script) Authenticate(ctx context.Context, p org.Principal) (org.Organization, error) {
	s.called("authenticate")
	if s.authenticate == nil {
		return acme, nil
	}
	return s.authenticate(ctx, p)
}

func (s *script) AuthenticateWatcher(ctx context.Context, p org.Principal) (org.Organization, error) {
	s.called("as watcher")
	return s.Authenticate(ctx, p)
}

func (s *script) Documents(orgID string) *tenant.Documents {
	if s.documents == nil {
		return someDocuments()
	}
	return s.documents(orgID)
}

func (s *script) GetDocument(ctx context.Context, p org.Principal, id bson.RawValue) (tenant.Document, error) {
	if _, err := s.Authenticate(ctx, p); err != nil {
		return tenant.Document{}, err
	}
	return s.Documents(p.OrgID).Get(ctx, id)
}

func (s *script) Ready(ctx context.Context) error {
	if s.ready == nil {
		return nil
	}
	return s.ready(ctx)
}

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

// lines returns the log's lines with that message, once there are n of them:
// a line is written after the client has its answer.
func (l *logBook) lines(t *testing.T, message string, n int) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
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

// A server is an API behind real HTTP.
type server struct {
	t        testing.TB
	url      string
	store    *script
	log      *logBook
	api      *API
	token    string // a good one, of owner
	contract contract
	checked  int // answers held against an operation of the contract
	problem  *openapi3.Schema
}

// start serves an API on a scripted store; what may change how either is made.
func start(t testing.TB, what ...func(*Config, *script)) *server {
	t.Helper()
	s := &server{t: t, store: &script{}, log: &logBook{}}
	tokens := testTokens(t)
	c := Config{
		Store: s.store, Tokens: tokens,
		Logger: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range what {
		change(&c, s.store)
	}
	var err error
	if s.api, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.api.heldFor = time.Millisecond
	if s.token, _, err = tokens.Issue(auth.Claims{AdminID: adminID, OrgID: orgID, Role: org.RoleOwner, Cred: 7}); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(nil)
	counted := NewConnections(1000, 1000, nil)
	ts.Config, ts.Listener = NewServer(s.api, c.Logger, counted), counted.Listen(ts.Listener)
	ts.Start()
	t.Cleanup(ts.Close)
	s.url = ts.URL
	if s.contract, err = loadContract(orgd.OpenAPI); err != nil {
		t.Fatal(err)
	}
	s.problem = s.contract["login"].route.Spec.Components.Schemas["Problem"].Value
	return s
}

// An answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// code is the problem's code, or "".
func (a answer) code() string {
	var p problem
	_ = json.Unmarshal([]byte(a.body), &p)
	return string(p.Code)
}

// errors are the problem's field errors, "where: detail" each.
func (a answer) errors() []string {
	var p problem
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
// of an operation of the contract is one that the contract documents.
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
	op := s.contract.at(req.Method, req.URL.EscapedPath())
	if op == nil {
		return
	}
	s.checked++
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: op.route},
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
	if got := resp.Header.Get("Content-Security-Policy"); got != apiPolicy {
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
	create = `{"organization_name":"Acme Inc","email":"admin@acme.example","password":"correct horse battery"}`
	login  = `{"email":"admin@acme.example","password":"correct horse battery"}`
)

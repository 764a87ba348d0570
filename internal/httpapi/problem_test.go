package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/org"
)

// TestProblems has each kind of error come out of an operation that documents
// it, and compares the whole body. The storage answers with it: the store hands on what is
// an *org.Error already.
func TestProblems(t *testing.T) {
	s := start(t)
	type request struct{ method, path, body string }
	var (
		creating = request{"POST", "/org/create", create}
		getting  = request{"GET", "/org/get?organization_name=Acme", ""}
		updating = request{"PUT", "/org/update", `{"email":"new@acme.example"}`}
		logging  = request{"POST", "/admin/login", login}
	)
	secret := errors.New("dial tcp 10.0.0.7:27017: admin@acme.example")
	for _, c := range []struct {
		name    string
		err     error
		request request
		status  int
		header  string // one that must be there
		body    string // what stands between title and request_id
	}{
		{"invalid in a body", &org.Error{Kind: org.Invalid, Message: "The password cannot be accepted.", Err: secret,
			Fields: []org.FieldError{{Field: "password", Detail: "is too common"}}}, creating, 422, "",
			`"title":"Unprocessable Entity","status":422,"code":"invalid","detail":"The password cannot be accepted.","request_id":"r-1","errors":[{"pointer":"#/password","detail":"is too common"}]`},
		{"invalid in a query", &org.Error{Kind: org.Invalid, Fields: []org.FieldError{{Field: "organization_name", Detail: "holds no visible character"}}}, getting, 422, "",
			`"title":"Unprocessable Entity","status":422,"code":"invalid","detail":"A value is refused.","request_id":"r-1","errors":[{"parameter":"organization_name","detail":"holds no visible character"}]`},
		{"not found", org.Errorf(org.NotFound, "There is no organization of this name."), getting, 404, "",
			`"title":"Not Found","status":404,"code":"not_found","detail":"There is no organization of this name.","request_id":"r-1"`},
		{"name taken", &org.Error{Kind: org.NameTaken}, creating, 409, "",
			`"title":"Conflict","status":409,"code":"name_taken","detail":"Another organization has this name. Choose another.","request_id":"r-1","errors":[{"pointer":"#/organization_name","detail":"is taken"}]`},
		{"e-mail taken", &org.Error{Kind: org.EmailTaken}, updating, 409, "",
			`"title":"Conflict","status":409,"code":"email_taken","detail":"Another admin has this e-mail address. Choose another.","request_id":"r-1","errors":[{"pointer":"#/email","detail":"is taken"}]`},
		{"operation in progress", &org.Error{Kind: org.OperationInProgress, Operation: nobodysID}, updating, 409, "",
			`"title":"Conflict","status":409,"code":"operation_in_progress","detail":"The organization is being changed. Try again when that is done.","request_id":"r-1","operation_id":"` + nobodysID + `"`},
		{"bad credentials", &org.Error{Kind: org.BadCredentials}, logging, 401, `Www-Authenticate: Bearer realm="orgd"`,
			`"title":"Unauthorized","status":401,"code":"bad_credentials","detail":"The e-mail address or the password is wrong.","request_id":"r-1"`},
		{"token revoked", &org.Error{Kind: org.TokenRevoked}, updating, 401, `Www-Authenticate: Bearer realm="orgd", error="invalid_token"`,
			`"title":"Unauthorized","status":401,"code":"token_revoked","detail":"The token is no longer good. Log in again.","request_id":"r-1"`},
		{"suspended", &org.Error{Kind: org.Suspended}, updating, 423, "",
			`"title":"Locked","status":423,"code":"suspended","detail":"The organization is suspended. Ask the operator of this service.","request_id":"r-1"`},
		{"rate limited", &org.Error{Kind: org.RateLimited, RetryAfter: 1500 * time.Millisecond}, logging, 429, "Retry-After: 2",
			`"title":"Too Many Requests","status":429,"code":"rate_limited","detail":"Too many attempts. Try again later.","request_id":"r-1"`},
		{"unavailable", &org.Error{Kind: org.Unavailable, Err: secret}, getting, 503, "Retry-After: 1",
			`"title":"Service Unavailable","status":503,"code":"unavailable","detail":"The service cannot answer at the moment. Nothing was done. Try again later.","request_id":"r-1"`},
		{"outcome unknown", &org.Error{Kind: org.OutcomeUnknown, RetryAfter: 90000 * time.Second, Err: secret}, creating, 503, "Retry-After: 86400",
			`"title":"Service Unavailable","status":503,"code":"outcome_unknown","detail":"The service stopped answering half-way; it may have been done. Look before you try again.","request_id":"r-1"`},
		{"internal", &org.Error{Kind: org.Internal, Message: "the shard key is wrong", Fields: []org.FieldError{{Field: "email", Detail: "x"}}, Err: secret}, creating, 500, "",
			`"title":"Internal Server Error","status":500,"code":"internal","detail":"A fault of the server. Its log has the details under request_id.","request_id":"r-1"`},
		{"an error of no kind", secret, getting, 500, "",
			`"title":"Internal Server Error","status":500,"code":"internal","detail":"A fault of the server. Its log has the details under request_id.","request_id":"r-1"`},
		{"a kind that nobody knows", &org.Error{Kind: "novel", Message: "hush"}, getting, 500, "",
			`"title":"Internal Server Error","status":500,"code":"internal","detail":"A fault of the server. Its log has the details under request_id.","request_id":"r-1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			call, collection := "Get", "reservations"
			switch {
			case errors.Is(c.err, org.TokenRevoked) || errors.Is(c.err, org.Suspended):
				collection = "organizations" // which a bearer is let in by
			case c.request == creating || c.request == updating:
				call, collection = "Insert", "operations"
			case c.request == logging:
				collection = "admins"
			}
			s.store.answers(call, collection, c.err)
			got := s.do(c.request.method, c.request.path, c.request.body, "X-Request-Id: r-1", s.bearer())
			want := `{"type":"about:blank",` + c.body + "}\n"
			if got.status != c.status || got.body != want {
				t.Errorf("%d %s", got.status, cmp.Diff(want, got.body))
			}
			if name, value, _ := strings.Cut(c.header, ": "); name != "" && got.header.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
			}
			if strings.Contains(got.body, "27017") {
				t.Errorf("the cause is in the answer: %s", got.body)
			}
		})
	}
}

// TestProblemsOfOtherErrors has a handler fail by what no store returns.
func TestProblemsOfOtherErrors(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name         string
		err          error
		endpoint     string
		target, body string
		status       int
		retryAfter   string
		want         string // what stands between title and request_id
	}{
		{"a deadline that nobody explains", fmt.Errorf("insert: %w", context.DeadlineExceeded), "createOrganization", "/org/create", create, 503, "1",
			`"title":"Service Unavailable","status":503,"code":"outcome_unknown","detail":"The service stopped answering half-way; it may have been done. Look before you try again.","request_id":"r-1"`},
		{"a bare kind in a chain", fmt.Errorf("look up: %w", org.NotFound), "getOrganization", "/org/get?organization_name=Acme", "", 404, "",
			`"title":"Not Found","status":404,"code":"not_found","detail":"There is no such thing.","request_id":"r-1"`},
		{"an error of no kind", errors.New("dial tcp 10.0.0.7:27017"), "getOrganization", "/org/get?organization_name=Acme", "", 500, "",
			`"title":"Internal Server Error","status":500,"code":"internal","detail":"A fault of the server. Its log has the details under request_id.","request_id":"r-1"`},
	} {
		e := s.contract[c.endpoint]
		s.api.echo.Add(e.Method, e.Path, func(echo.Context) error { return c.err }, s.api.guard.Before(e))
		got := s.do(e.Method, c.target, c.body, "X-Request-Id: r-1")
		if want := `{"type":"about:blank",` + c.want + "}\n"; got.status != c.status || got.body != want || got.header.Get("Retry-After") != c.retryAfter {
			t.Errorf("%s: %d, Retry-After %q: %s", c.name, got.status, got.header.Get("Retry-After"), cmp.Diff(want, got.body))
		}
	}
}

func TestFaultsAreLoggedOnceWithTheirCause(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name, message, level, cause string
		answer                      func() error
	}{
		{"plain", "request failed", "ERROR", "internal: the index is gone", func() error { return errors.New("the index is gone") }},
		{"abroad", "request not served", "WARN", "unavailable: no primary", func() error { return &org.Error{Kind: org.Unavailable, Err: errors.New("no primary")} }},
		{"panic", "panic", "ERROR", "the sky is falling", func() error { panic("the sky is falling") }},
	} {
		s.store.faulty.On(func(faulty.Call) error { return c.answer() })
		got := s.do("GET", "/org/get?organization_name="+c.name, "", "X-Request-Id: id-of-"+c.name)
		if strings.Contains(got.body, "falling") || strings.Contains(got.body, "index") || strings.Contains(got.body, "goroutine") {
			t.Errorf("%s: the answer shows internals: %s", c.name, got.body)
		}
		lines := s.log.lines(t, c.message, 1)
		if len(lines) != 1 || lines[0]["error"] != c.cause || lines[0]["level"] != c.level || lines[0]["request_id"] != "id-of-"+c.name {
			t.Errorf("%s: logged %v", c.name, lines)
		}
	}
	if stack := fmt.Sprint(s.log.lines(t, "panic", 1)[0]["stack"]); !strings.Contains(stack, "problem_test.go") {
		t.Errorf("stack does not lead here: %s", stack)
	}
}

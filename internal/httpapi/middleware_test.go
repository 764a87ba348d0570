package httpapi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/tenant"
)

var (
	deleteRequest = api.DeleteOrganizationRequestObject{}
	updateRequest = api.UpdateOrganizationRequestObject{Body: &api.OrganizationUpdate{}}
)

func TestRequestIDs(t *testing.T) {
	s := start(t)
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, c := range []struct {
		given string
		kept  bool
	}{
		{"", false}, {"a", true}, {"A.b_c:d-9", true}, {strings.Repeat("x", 128), true}, {strings.Repeat("x", 129), false},
		{"with space", false}, {"<script>", false}, {"a\tb", false}, {"ü", false}, {"a/b", false}, {`a"b`, false},
	} {
		for _, path := range []string{"/livez", "/nowhere", "/org/get"} {
			got := s.do("GET", path, "", "X-Request-Id: "+c.given).header["X-Request-Id"]
			if len(got) != 1 || c.kept && got[0] != c.given || !c.kept && !made.MatchString(got[0]) {
				t.Errorf("%s with %q: %q", path, c.given, got)
			}
		}
	}
	if a, b := s.do("GET", "/livez", ""), s.do("GET", "/livez", ""); a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

func TestAccessLog(t *testing.T) {
	s := start(t)
	s.store.create("Secret Name", "admin@secret.example")
	s.do("GET", "/org/get?organization_name=Secret+Name", "", "X-Request-Id: one", s.bearer(), "User-Agent: Mozilla")
	s.do("POST", "/org/create", "{", "X-Request-Id: two")
	s.do("GET", "/some/path/with-a-token", "", "X-Request-Id: three")
	s.do("BREW", "/org/get", "", "X-Request-Id: four")
	s.do("GET", "/livez", "", "X-Request-Id: five")
	s.do("GET", "/readyz", "", "X-Request-Id: six")
	want := []map[string]any{
		{"level": "INFO", "method": "GET", "route": "/org/get", "status": 200.0, "request_id": "one", "client": "127.0.0.1", "org_id": s.store.acme.ID},
		{"level": "INFO", "method": "POST", "route": "/org/create", "status": 400.0, "request_id": "two", "client": "127.0.0.1"},
		{"level": "INFO", "method": "GET", "route": "", "status": 404.0, "request_id": "three", "client": "127.0.0.1"},
		{"level": "INFO", "method": "other", "route": "/org/get", "status": 405.0, "request_id": "four", "client": "127.0.0.1"},
		{"level": "DEBUG", "method": "GET", "route": "/livez", "status": 200.0, "request_id": "five", "client": "127.0.0.1"},
		{"level": "DEBUG", "method": "GET", "route": "/readyz", "status": 200.0, "request_id": "six", "client": "127.0.0.1"},
	}
	got := s.log.lines(t, "request", len(want))
	for i := range got {
		for _, name := range []string{"bytes", "duration_ms"} {
			if n, ok := got[i][name].(float64); !ok || n < 0 || name == "bytes" && n == 0 {
				t.Errorf("%v has no %s", got[i], name)
			}
			delete(got[i], name)
		}
		delete(got[i], "time")
		delete(got[i], "msg")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNothingSecretIsLogged plants secrets wherever a request can carry one, in
// requests that are served, refused and fail, and looks for them in the log.
func TestNothingSecretIsLogged(t *testing.T) {
	s := start(t)
	// What is asked of reservations is asked once a bearer is let in.
	storages := []func(){
		func() { s.store.answers("Get", "reservations", errors.New("the storage is broken")) },
		func() {
			s.store.faulty.On(func(c faulty.Call) error {
				if c.Collection == "reservations" {
					panic("no storage")
				}
				return nil
			})
		},
		func() { s.store.faulty.On(nil) },
	}
	const (
		password = "PLANTED-password-1"
		email    = "PLANTED-email@secret.example"
		name     = "PLANTED name"
	)
	bodies := []string{
		fmt.Sprintf(`{"organization_name":%q,"email":%q,"password":%q}`, name, email, password),
		fmt.Sprintf(`{"organization_name":%q,"email":%q,"password":[%q]}`, name, email, password),
		fmt.Sprintf(`{"organization_name":%q,"email":%q,"password":%q,"extra":%q}`, name, email, password, password),
		fmt.Sprintf(`{"email":%q,"password":%q}`, email, password),
		fmt.Sprintf(`{"email":%q,"password":%q}`, email, password+" that is wrong"),
		fmt.Sprintf(`{"email":%q,"password":%q`, email, password),
		fmt.Sprintf(`{"email":%q,"password":%q,"password":%q}`, email, password, password),
		fmt.Sprintf(`{%q:%q}`, password, email),
		fmt.Sprintf(`email=%s&password=%s`, email, password),
		password,
	}
	for _, turn := range storages {
		turn()
		for _, body := range bodies {
			for _, op := range []string{"POST /org/create", "POST /admin/login", "PUT /org/update", "DELETE /org/delete", "GET /org/get", "POST /nowhere/PLANTED-path"} {
				method, path, _ := strings.Cut(op, " ")
				for _, bearer := range []string{s.bearer(), "Authorization: Bearer PLANTED-token", "Authorization: Basic PLANTED-basic"} {
					s.do(method, path+"?organization_name=PLANTED-query&email=PLANTED", body, bearer,
						"Cookie: session=PLANTED-cookie", "User-Agent: PLANTED-agent", "Referer: http://PLANTED/", "X-Request-Id: PLANTED id")
					s.do(method, path, body, bearer)
				}
			}
		}
	}
	s.log.lines(t, "request", len(storages)*2*len(bodies)*6*3)
	log := s.log.String()
	for _, secret := range []string{"PLANTED", "planted", s.token, s.token[len(s.token)-20:], "secret.example"} {
		if at := strings.Index(log, secret); at >= 0 {
			t.Errorf("log holds %q: …%s…", secret, log[max(0, at-300):min(len(log), at+100)])
		}
	}
	if !strings.Contains(log, "the storage is broken") || !strings.Contains(log, "no storage") {
		t.Error("the faults did not reach the log")
	}
	for _, path := range []string{"/org/create", "/admin/login"} {
		if !slices.ContainsFunc(s.log.lines(t, "request", 1), func(line map[string]any) bool { return line["route"] == path && line["status"].(float64) < 300 }) {
			t.Errorf("no %s was served", path)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := start(t, withPages) // do checks those that are on every answer
	for path, want := range map[string][2]string{
		"/livez":   {"no-store", dataPolicy},
		"/nowhere": {"no-store", dataPolicy},
		"/page":    {"no-store", "default-src 'self'"},
	} {
		got := s.do("GET", path, "")
		if have := [2]string{got.header.Get("Cache-Control"), got.header.Get("Content-Security-Policy")}; have != want {
			t.Errorf("%s: %q, want %q", path, have, want)
		}
		if got.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS without TLS", path)
		}
	}
}

func TestHeaderFloods(t *testing.T) {
	s := start(t)
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("X-Filler-%d: %s", i, strings.Repeat("f", 50)))
	}
	if got := s.do("GET", "/livez", "", many...); got.status != 200 {
		t.Errorf("300 headers: %d", got.status)
	}
	if got := s.do("GET", "/livez", "", "X-Forwarded-For: "+strings.Repeat("1.1.1.1,", 3000)); got.status != 200 {
		t.Errorf("a long X-Forwarded-For: %d", got.status)
	}
	conn := dial(t, s.url)
	fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n")
	for range 24000 {
		if _, err := fmt.Fprint(conn, "X-Filler: ffffffffffffffffffff\r\n"); err != nil {
			break
		}
	}
	fmt.Fprint(conn, "\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 431 ") {
		t.Errorf("24000 headers: %q %v", line, err)
	}
}

// What is too long by a little is refused by the contract, which says what: whichever
// parameters are, all at once, in characters of four bytes. And it says where there is room.
func TestParametersThatAreTooLongAreAProblem(t *testing.T) {
	s := start(t)
	ct, err := contract.Parse(orgd.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ct {
		query := url.Values{}
		for _, p := range op.Route.Operation.Parameters {
			if s := p.Value.Schema.Value; s.MaxLength != nil && p.Value.In == "query" {
				query.Set(p.Value.Name, longest(s)+strings.Repeat("x", 100))
			}
		}
		if len(query) == 0 {
			continue
		}
		path := strings.ReplaceAll(op.Path, "{id}", "x")
		got := s.do(op.Method, path+"?"+query.Encode(), "", s.bearer())
		if got.status == 431 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", op.ID, got.status, got.body)
		}
		for _, p := range op.Route.Operation.Parameters {
			other, ok := p.Value.Schema.Value.Extensions["x-longer"].(string)
			if want := p.Value.Name + ": must have at most 1024 characters; for a longer one there is " + other; ok && !slices.Contains(got.errors(), want) {
				t.Errorf("%s: %q, without %q", op.ID, got.errors(), want)
			}
		}
	}
}

func TestAnAnswerThatFailsHalfWayIsCutOff(t *testing.T) {
	s := start(t, func(c *Config) {
		c.Pages = map[string]http.Handler{}
	})
	s.api.echo.GET("/stream", func(ec echo.Context) error {
		ec.Response().WriteHeader(http.StatusOK)
		_, _ = io.WriteString(ec.Response(), "the beginning")
		ec.Response().Flush()
		return errors.New("the cursor died")
	})
	resp, err := http.Get(s.url + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer ends as if whole: %q", body)
	}
	if lines := s.log.lines(t, "request failed", 1); len(lines) != 1 || lines[0]["error"] != "the cursor died" {
		t.Errorf("logged %v", lines)
	}
	if lines := s.log.lines(t, "request", 1); len(lines) != 1 || lines[0]["route"] != "/stream" {
		t.Errorf("logged %v", lines)
	}
}

func TestAClientThatLeavesIsNoFault(t *testing.T) {
	begun, wait := make(chan struct{}), false
	s := serve(t, openBackend(t, func(c *tenant.Config) {
		c.Passwords = plainPasswords{verifying: func(ctx context.Context) error {
			if !wait {
				return nil
			}
			close(begun)
			<-ctx.Done()
			return fmt.Errorf("verify: %w", ctx.Err())
		}}
	}))
	wait = true
	ctx, leave := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "POST", s.url+"/admin/login", strings.NewReader(login))
	req.Header.Set("Content-Type", "application/json")
	go func() { <-begun; leave() }()
	if _, err := http.DefaultClient.Do(req); !errors.Is(err, context.Canceled) {
		t.Fatalf("the client got %v", err)
	}
	line := s.log.lines(t, "request", 1)[0]
	if line["status"] != 499.0 || line["level"] != "DEBUG" {
		t.Errorf("logged %v", line)
	}
	if log := s.log.String(); strings.Contains(log, `"WARN"`) || strings.Contains(log, `"ERROR"`) {
		t.Errorf("a fault is logged: %s", log)
	}
}

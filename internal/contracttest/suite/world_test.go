package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/auth"
	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/tenant"
	"github.com/orgd/orgd/internal/webui"
)

// A setup says what the tests are run against. The zero setup is orgd as it is.
type setup struct {
	// grace is the time of grace of deletions.
	grace time.Duration
	// maxOrganizations is how many there may be; 0 is no limit.
	maxOrganizations int64
	// maxKeys is how many idempotency keys are remembered; 0 is no limit.
	maxKeys int64
	// clock, if not nil, is that of startFaulty's servers.
	clock *clock
	// noOperator leaves the operator's key out.
	noOperator bool
	// fault is put round the service to break it.
	fault func(http.Handler) http.Handler
	seen  *contracttest.Coverage
}

// A world is a server, and what it takes to ask it something.
type world struct {
	setup
	url    string
	expect []int // faults of the server that are provoked
	// faulty is the storage, in worlds of startFaulty.
	faulty *faulty.Engine
	auth   string // the header of an account that was good when last used
}

// start starts a server with so many sign-ups and logins a minute; 0 is no limit.
func (s setup) start(t testing.TB, perMinute int) *world {
	t.Helper()
	if s.fault != nil {
		return s.startFaulty(t, perMinute)
	}
	limit := fmt.Sprint(perMinute)
	server := apptest.Start(t, "RATE_LIMIT_SIGNUP="+limit, "RATE_LIMIT_LOGIN="+limit, "RATE_LIMIT_ORGANIZATION="+limit, "RATE_LIMIT_LOOKUP="+limit,
		"MAX_ORGANIZATIONS="+fmt.Sprint(s.maxOrganizations), "MAX_IDEMPOTENCY_KEYS="+fmt.Sprint(s.maxKeys), "OPERATOR_KEY="+s.operatorKey(),
		"DELETE_GRACE="+s.grace.String())
	return &world{setup: s, url: server.URL}
}

func (s setup) operatorKey() string {
	if s.noOperator {
		return ""
	}
	return operatorKey
}

const operatorKey = "Vt7_kQ2.rZ9-pX4~mB6+wN1/cL8=hD3yS5gF0jA"

// The names of startFaulty's databases.
const masterDB, tenantDB = "master_db", "tenant_db"

// startFaulty starts a server on storage that can be made to fail. The server is
// put together as in package app, which always takes a storage that is well.
func (s setup) startFaulty(t testing.TB, perMinute int) *world {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	storage := faulty.New(engine)
	passwords, err := auth.NewPasswords(auth.PasswordsConfig{Cost: 4, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	store, err := tenant.Open(context.WithoutCancel(t.Context()), tenant.Config{
		Engine: storage, MasterDB: masterDB, TenantDB: tenantDB, Passwords: passwords, Exclusive: true,
		DeleteGrace: s.grace, MaxOrganizations: s.maxOrganizations, MaxKeys: s.maxKeys, Now: s.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = s.newAPI(t, store, perMinute)
	if s.fault != nil {
		handler = s.fault(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		storage.On(nil)
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := store.Close(ctx); err != nil {
			t.Errorf("close the store: %v", err)
		}
		passwords.Close()
		if err := engine.Close(); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	return &world{setup: s, url: server.URL, faulty: storage}
}

// pages are made once: it takes longer than all the rest of a server.
var pages = sync.OnceValues(func() (map[string]http.Handler, error) { return webui.Pages(orgd.OpenAPI) })

func (s setup) newAPI(t testing.TB, store *tenant.Store, perMinute int) *httpapi.API {
	t.Helper()
	tokens, err := auth.NewTokens(auth.TokensConfig{
		Algorithm: "HS256", Secret: []byte("a secret of forty letters, more or less."), TTL: time.Hour, Issuer: "orgd", Audience: "orgd", Now: s.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	api, err := httpapi.New(httpapi.Config{
		Store: store, Tokens: tokens, Logger: slog.New(slog.DiscardHandler), Pages: pages,
		SignupsPerMinute: perMinute, LoginsPerMinute: perMinute, RequestsPerMinute: perMinute, LookupsPerMinute: perMinute, OperatorKey: s.operatorKey(),
		QueryTimeout: queryTimeout, Now: s.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// An answer is a response, read whole.
type answer struct {
	t      rapid.TB
	status int
	header http.Header
	body   string
	fields map[string]any // of a JSON object
}

// send sends a request and holds the answer against the contract.
func (w *world) send(t rapid.TB, req *http.Request) answer {
	t.Helper()
	transport := contracttest.New(t, contracttest.Config{Seen: w.seen, Expect: w.expect})
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{t: t, status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.fields) // pages and contracts have none
	if w.fault == nil {
		codes.Store(a.text("code"), true)
	}
	return a
}

// do sends a request with a JSON body. Headers are "Name: value".
func (w *world) do(t rapid.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, w.url+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	return w.send(t, req)
}

// is fails the test unless the answer has that status, and, for a problem, that code.
func (a answer) is(status int, code ...string) answer {
	a.t.Helper()
	if a.status != status || strings.Join(code, "") != a.text("code") {
		a.t.Fatalf("answer %d %s, want %d %s\n%s", a.status, a.text("code"), status, strings.Join(code, ""), a.body)
	}
	return a
}

// text is a field that is a text.
func (a answer) text(field string) string {
	s, _ := a.fields[field].(string)
	return s
}

// object is a JSON object of texts: name, value, name, value.
func object(pairs ...string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // texts only
	}
	return string(text)
}

const password = "a good enough password"

// An account is an organization and its admin, logged in.
type account struct{ id, adminID, name, email, auth string }

var accounts atomic.Int64

// account creates an organization of its own.
func (w *world) account(t rapid.TB) account {
	t.Helper()
	n := accounts.Add(1)
	acc := account{name: fmt.Sprintf("Tenant no %d", n), email: fmt.Sprintf("admin%d@tenants.example", n)}
	made := w.do(t, "POST", "/org/create", object("organization_name", acc.name, "email", acc.email, "password", password)).is(201)
	acc.id, acc.adminID = made.text("id"), made.text("admin_id")
	acc.auth = w.login(t, acc.email, password)
	return acc
}

// login returns the header with a token.
func (w *world) login(t rapid.TB, email, password string) string {
	t.Helper()
	return "Bearer " + w.do(t, "POST", "/admin/login", object("email", email, "password", password)).is(200).text("access_token")
}

// credentials says for each security scheme of the contract how to come by one.
var credentials = map[string]func(rapid.TB, *world) (authorization string){
	"bearerAuth":  func(t rapid.TB, w *world) string { return w.account(t).auth },
	"operatorKey": func(rapid.TB, *world) string { return "Bearer " + operatorKey },
}

func (w *world) credential(t rapid.TB, o contracttest.Operation) string {
	t.Helper()
	get := credentials[o.Scheme]
	if get == nil {
		t.Fatalf("%s takes the security scheme %q: say in credentials how to come by one", o, o.Scheme)
	}
	return get(t, w)
}

// authorized sends a request with a credential: the one of last time, unless that
// is no longer good.
func (w *world) authorized(t rapid.TB, r contracttest.Request) answer {
	t.Helper()
	for fresh := w.auth == ""; ; fresh = true {
		if fresh {
			w.auth = w.credential(t, r.Operation)
		}
		r.Header = r.Header.Clone()
		r.Header.Set("Authorization", w.auth)
		if a := w.request(t, r); fresh || a.status != http.StatusUnauthorized {
			return a
		}
	}
}

// request sends a request as it is.
func (w *world) request(t rapid.TB, r contracttest.Request) answer {
	t.Helper()
	req, err := r.HTTP(context.Background(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	return w.send(t, req)
}

// asAllowed sends a request with the credential that its operation needs, if any.
func (w *world) asAllowed(t rapid.TB, r contracttest.Request) answer {
	t.Helper()
	if r.Operation.Scheme == "" {
		return w.request(t, r)
	}
	return w.authorized(t, r)
}

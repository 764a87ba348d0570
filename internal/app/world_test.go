package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/orgd/orgd/internal/app/apptest"
	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

const (
	jwtSecret = "q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt"
	password  = "correct horse battery"
)

// A world is a whole orgd, and a client that holds every answer against the contract.
type world struct {
	*apptest.Server
	t       *testing.T
	http    *http.Client
	journal *journal
	uri     string // of MongoDB; empty on the embedded engine
}

// start starts an orgd on the embedded engine. Each env is a variable.
func start(t *testing.T, env ...string) *world {
	t.Helper()
	return startExpecting(t, nil, env...)
}

// startExpecting is start for a test that provokes those statuses from 500 on.
func startExpecting(t *testing.T, faults []int, env ...string) *world {
	t.Helper()
	w := &world{t: t, journal: &journal{}}
	// First here, so last of all, when the server has stopped and its log is whole.
	t.Cleanup(func() { w.journal.check(t) })
	w.http = &http.Client{
		Transport:     contracttest.New(t, contracttest.Config{Base: w.journal, Expect: faults}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.Server = apptest.Start(t, append([]string{"JWT_SECRET=" + jwtSecret}, env...)...)
	w.journal.follow(w.Server)
	return w
}

// startMongo starts an orgd on databases of its own on the shared MongoDB server.
func startMongo(t *testing.T, env ...string) *world {
	t.Helper()
	return startMongoAt(t, sharedMongo(t), nil, env...)
}

// sharedMongo is the connection string of the shared MongoDB server, with a minute for every
// call: many tests share it and two cores, and a call that takes long for that reason is not
// what they are about.
func sharedMongo(t *testing.T) string {
	t.Helper()
	uri, separator := mongotest.URI(t), "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + "timeoutMS=60000"
}

func startMongoAt(t *testing.T, uri string, faults []int, env ...string) *world {
	t.Helper()
	w := startExpecting(t, faults, append([]string{"MONGO_URI=" + uri,
		"MASTER_DB_NAME=" + mongotest.Database(t), "TENANT_DB_NAME=" + mongotest.Database(t)}, env...)...)
	w.uri = uri
	return w
}

// another starts a second server on what the first one has, with a client of its own.
func (w *world) another() *world {
	w.t.Helper()
	o := *w
	o.Server = apptest.StartWith(w.t, w.Config)
	o.journal.follow(o.Server)
	return &o
}

// eachEngine runs a test on both engines.
func eachEngine(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		f(t, start(t))
	})
	t.Run("MongoDB", func(t *testing.T) {
		t.Parallel()
		f(t, startMongo(t))
	})
}

// longOnMongoDB leaves the test to make test-long where it works with MongoDB: the server
// that the tests bring takes ten times as long as the embedded engine.
func (w *world) longOnMongoDB() {
	w.t.Helper()
	if w.uri != "" && testing.Short() {
		w.t.Skip("takes long: make test-long")
	}
}

// An answer is a response, read whole.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	fields map[string]any // of a JSON object
}

// do sends a request. Headers are "Name: value"; a body is JSON unless they say
// otherwise, and "Content-Type: " alone sends none.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	return w.send(w.request(method, path, r, headers...))
}

func (w *world) request(method, path string, body io.Reader, headers ...string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil && !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Content-Type:") }) {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if name, value, _ := strings.Cut(h, ": "); h != "Content-Type: " {
			req.Header.Add(name, value)
		}
	}
	return req
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return newAnswer(w.t, resp, body)
}

func newAnswer(t *testing.T, resp *http.Response, body []byte) answer {
	a := answer{t: t, status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.fields) // pages have none
	return a
}

// text is a field that is a text.
func (a answer) text(field string) string {
	s, _ := a.fields[field].(string)
	return s
}

// keys are the names of the fields, sorted.
func (a answer) keys() []string {
	keys := []string{}
	for k := range a.fields {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// errors are the problem's errors, "where: what" each.
func (a answer) errors() []string {
	all := []string{}
	list, _ := a.fields["errors"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		where := m["pointer"]
		if where == nil {
			where = m["parameter"]
		}
		all = append(all, fmt.Sprintf("%v: %v", where, m["detail"]))
	}
	return all
}

// is fails the test unless the answer has that status, and, for a problem, that code.
func (a answer) is(status int, code ...string) answer {
	a.t.Helper()
	if a.status != status || strings.Join(code, "") != a.text("code") {
		a.t.Fatalf("answer %d %s, want %d %s\n%s", a.status, a.text("code"), status, strings.Join(code, ""), a.body)
	}
	return a
}

// blames fails the test unless the problem says that this input is wrong.
func (a answer) blames(where string) answer {
	a.t.Helper()
	if !slices.ContainsFunc(a.errors(), func(e string) bool { return strings.HasPrefix(e, where+": ") }) {
		a.t.Errorf("errors %q do not say that %s is wrong", a.errors(), where)
	}
	return a
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

// An account is an organization and its admin, logged in.
type account struct {
	name, email, password         string
	id, adminID, collection, auth string // auth is a whole header
}

var accounts atomic.Int64

// newEmail returns an address that no admin has.
func newEmail() string { return fmt.Sprintf("admin%d@tenants.example", accounts.Add(1)) }

// signUp creates an organization.
func (w *world) signUp(name, email, password string) answer {
	w.t.Helper()
	w.journal.keep(email, password)
	return w.do("POST", "/org/create", object("organization_name", name, "email", email, "password", password))
}

func (w *world) login(email, password string) answer {
	w.t.Helper()
	a := w.do("POST", "/admin/login", object("email", email, "password", password))
	w.journal.keep(a.text("access_token"))
	return a
}

// account creates an organization and logs its admin in.
func (w *world) account(name string) account {
	w.t.Helper()
	acc := account{name: name, email: newEmail(), password: password}
	made := w.signUp(acc.name, acc.email, acc.password).is(201)
	acc.id, acc.adminID, acc.collection = made.text("id"), made.text("admin_id"), made.text("collection_name")
	acc.auth = w.bearer(acc)
	return acc
}

// bearer logs in and returns the header with the token.
func (w *world) bearer(acc account) string {
	w.t.Helper()
	return "Authorization: Bearer " + w.login(acc.email, acc.password).is(200).text("access_token")
}

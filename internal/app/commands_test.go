package app_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/tenant"
)

// A span is one command to the server, from when it was sent until its answer came.
type span struct {
	name       string // the command and its collection
	begin, end time.Time
}

// commands are those that one request has sent.
type commands struct {
	mu   sync.Mutex
	all  []*span
	open map[int64]*span // by the driver's number
}

// rounds is the longest chain of commands each of which was sent after the answer to the one before.
func (c *commands) rounds() int {
	byEnd := slices.SortedFunc(slices.Values(c.all), func(a, b *span) int { return a.end.Compare(b.end) })
	n, last := 0, time.Time{}
	for _, s := range byEnd {
		if s.begin.After(last) {
			n, last = n+1, s.end
		}
	}
	return n
}

// String lists them, in the order in which they were sent.
func (c *commands) String() string {
	var names []string
	for _, s := range c.all {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

type commandsKey struct{}

// sideBySide is how long a command is held up before it is sent, so that those which do not
// wait for one another overlap however fast the server answers.
const sideBySide = 20 * time.Millisecond

// commandMonitor notes the commands of requests that carry commands in their context. A command
// for the organizations' database is one for data.
func commandMonitor(data string) *event.CommandMonitor {
	end := func(ctx context.Context, request int64) {
		if c, ok := ctx.Value(commandsKey{}).(*commands); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			if s := c.open[request]; s != nil {
				s.end = time.Now()
			}
		}
	}
	return &event.CommandMonitor{
		Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			c, ok := ctx.Value(commandsKey{}).(*commands)
			if !ok {
				return
			}
			of := "data"
			if e.DatabaseName != data {
				of = collectionOf(e.Command)
			}
			c.mu.Lock()
			s := &span{name: e.CommandName + " " + of, begin: time.Now()}
			c.all, c.open[e.RequestID] = append(c.all, s), s
			c.mu.Unlock()
			time.Sleep(sideBySide)
		},
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) { end(ctx, e.RequestID) },
		Failed:    func(ctx context.Context, e *event.CommandFailedEvent) { end(ctx, e.RequestID) },
	}
}

// collectionOf names the collection that a command is for, without what is different each time.
func collectionOf(command bson.Raw) string {
	for _, key := range []string{"collection", command.Index(0).Key()} {
		if name, ok := command.Lookup(key).StringValueOK(); ok {
			name, _, _ = strings.Cut(name, "_")
			return name
		}
	}
	return ""
}

// A counting is an orgd on MongoDB that counts the commands of each request.
type counting struct {
	*world
	store *tenant.Store
	last  atomic.Pointer[commands]
}

func startCounting(t *testing.T) *counting {
	t.Helper()
	masterDB, tenantDB := mongotest.Database(t), mongotest.Database(t)
	engine, err := mongodb.Open(t.Context(), mongodb.Config{URI: sharedMongo(t), Monitor: commandMonitor(tenantDB)})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{}
	c.world, c.store = assemble(t, tenant.Config{Engine: engine, MasterDB: masterDB, TenantDB: tenantDB, RestAfter: time.Hour},
		httpapi.Config{OperatorKey: isolationKey}, c.counted)
	return c
}

// counted has the commands of each request counted apart.
func (c *counting) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := &commands{open: map[int64]*span{}}
		c.last.Store(all)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), commandsKey{}, all)))
	})
}

// A measured is an operation of the contract, and a request for it that succeeds.
type measured struct {
	operation, when string // when is empty where the operation is measured once
	request         func() answer
}

// inOrder is what is measured, one after the other on one organization.
func (c *counting) inOrder() []measured {
	acme := c.account("Acme")
	operator := "Authorization: Bearer " + isolationKey
	as := func(auth, method, path, body string, status int, headers ...string) func() answer {
		return func() answer { return c.do(method, path, body, append(headers, auth)...).is(status) }
	}
	acmes := func(method, path, body string, status int, headers ...string) func() answer {
		return as(acme.auth, method, path, body, status, headers...)
	}
	operators := func(method, path string, body string) func() answer {
		return as(operator, method, strings.Replace(path, "ID", acme.id, 1), body, 200)
	}
	const doc = "/org/documents/a"
	key := "Idempotency-Key: " + uuid.NewString()
	open := func(path string) func() answer { return func() answer { return c.do("GET", path, "").is(200) } }
	return []measured{
		{"createOrganization", "", func() answer { return c.signUp("Globex", newEmail(), password).is(201) }},
		{"createOrganization", "with a key", func() answer {
			return c.do("POST", "/org/create", object("organization_name", "Initech", "email", newEmail(), "password", password), key).is(201)
		}},
		{"getOrganization", "for the first time", open(getPath("Acme"))},
		{"getOrganization", "", open(getPath("Acme"))},
		{"getOrganization", "with a token", acmes("GET", getPath("Acme"), "", 200)},
		{"login", "", func() answer { return c.login(acme.email, acme.password).is(200) }},
		{"createDocument", "", acmes("POST", "/org/documents", `{"n":1}`, 201)},
		{"createDocument", "with a key", acmes("POST", "/org/documents", `{"n":1}`, 201, key)},
		{"putDocument", "new", acmes("PUT", doc, `{"n":1}`, 201)},
		{"putDocument", "", acmes("PUT", doc, `{"n":2}`, 200)},
		{"patchDocument", "", acmes("PATCH", doc, `{"n":3}`, 200, "Content-Type: application/merge-patch+json")},
		{"getDocument", "", acmes("GET", doc, "", 200)},
		{"deleteDocument", "", acmes("DELETE", doc, "", 204)},
		{"importDocuments", "1000 documents", acmes("POST", "/org/import", numbered(1000), 200, asLines)},
		{"createIndex", "", acmes("POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, 201)},
		{"listIndexes", "", acmes("GET", "/org/indexes", "", 200)},
		{"listDocuments", "", acmes("GET", "/org/documents", "", 200)},
		{"queryDocuments", "counted", acmes("POST", "/org/documents/query", `{"filter":{"n":{"$gte":1}},"count":true}`, 200)},
		{"exportDocuments", "1000 documents", acmes("GET", "/org/export", "", 200)},
		{"exportQuery", "1000 documents", acmes("POST", "/org/export", `{}`, 200)},
		{"getStats", "", acmes("GET", "/org/stats", "", 200)},
		{"updateOrganization", "1000 documents move", acmes("PUT", "/org/update", `{}`, 200)},
		{"updateOrganization", "a new name", acmes("PUT", "/org/update", `{"organization_name":"Umbrella","migrate":false}`, 200)},
		{"deleteIndex", "", acmes("DELETE", "/org/indexes/by_n", "", 204)},
		{"listOperations", "", acmes("GET", "/org/operations", "", 200)},
		{"getOperation", "", func() answer {
			items := c.do("GET", "/org/operations", "", acme.auth).is(200).fields["items"].([]any)
			return c.do("GET", "/org/operations/"+items[0].(map[string]any)["id"].(string), "", acme.auth).is(200)
		}},
		{"listOrganizations", "", operators("GET", "/operator/organizations", "")},
		{"inspectOrganization", "", operators("GET", "/operator/organizations/ID", "")},
		{"setQuota", "", operators("PUT", "/operator/organizations/ID/quota", `{"max_bytes":1000000000}`)},
		{"suspendOrganization", "", operators("POST", "/operator/organizations/ID/suspend", "")},
		{"resumeOrganization", "", operators("POST", "/operator/organizations/ID/resume", "")},
		{"updateOrganization", "a new password", acmes("PUT", "/org/update", `{"password":"another `+password+`","migrate":false}`, 200)},
		{"deleteOrganization", "", func() answer {
			return c.do("DELETE", "/org/delete", "", c.bearer(account{email: acme.email, password: "another " + password})).is(200)
		}},
	}
}

// numbered are that many lines of documents.
func numbered(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"_id":"d%04d","n":%d}`+"\n", i, i)
	}
	return lines.String()
}

// unmeasured are the operations that do not use the storage, or that another test measures.
var unmeasured = []string{"getLiveness", "getReadiness", "getContractYAML", "getContractJSON", "getDocs", "restoreOrganization"}

const commandsFile = "testdata/commands.txt"

var updateCommands = flag.Bool("commands", false, "write "+commandsFile+" anew")

// TestCommandsOfEveryOperation holds the commands that each operation sends to MongoDB, and how
// many of them wait for another's answer, against a table. It is a count, not a timing: more is
// a regression, less is to be entered in the table (-commands does).
func TestCommandsOfEveryOperation(t *testing.T) {
	want := committedCounts(t)
	var table string
	least := map[string]tally{}
	// A busy machine can keep two commands from going side by side, and cannot make them.
	for try := 1; try == 1 || try <= 3 && len(tooMany(least, want)) > 0 && !*updateCommands; try++ {
		table = startCounting(t).all(least)
	}
	checkAllMeasured(t, least)
	if *updateCommands {
		if err := os.WriteFile(commandsFile, []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if names := tooMany(least, want); len(names) > 0 {
		t.Errorf("more than in %s: %q:\n%s", commandsFile, names, table)
	}
}

// checkAllMeasured checks that every operation of the contract is measured.
func checkAllMeasured(t *testing.T, got map[string]tally) {
	t.Helper()
	contract, err := contracttest.Load()
	if err != nil {
		t.Fatal(err)
	}
	operations, err := contract.Operations()
	if err != nil {
		t.Fatal(err)
	}
	measured := slices.Clone(unmeasured)
	for name := range got {
		operation, _, _ := strings.Cut(name, ", ")
		measured = append(measured, operation)
	}
	for _, o := range operations {
		if !slices.Contains(measured, o.ID) {
			t.Errorf("%s is not measured", o.ID)
		}
	}
}

// all measures every operation, and keeps the fewest of all tries. It returns the table of this try.
func (c *counting) all(least map[string]tally) (table string) {
	for _, m := range c.inOrder() {
		name, n, sent := c.count(m)
		table += fmt.Sprintf("%s: %d commands in %d rounds: %s\n", name, n.commands, n.rounds, sent)
		n.commands, n.rounds = n.commands-n.seconds, n.rounds-n.seconds
		if was, ok := least[name]; ok {
			n.commands, n.rounds = min(n.commands, was.commands), min(n.rounds, was.rounds)
		}
		least[name] = n
	}
	return table
}

// tooMany returns the operations of which the table has fewer commands or rounds.
func tooMany(got, want map[string]tally) (names []string) {
	for name, n := range got {
		if w, ok := want[name]; !ok || n.commands > w.commands || n.rounds > w.rounds {
			names = append(names, name)
		}
	}
	return names
}

// A tally is how many commands there were, and how many waited for another; and how many seconds it
// took, since an operation makes one more checkpoint for each.
type tally struct{ commands, rounds, seconds int }

// count measures one operation.
func (c *counting) count(m measured) (name string, n tally, sent *commands) {
	c.t.Helper()
	if err := c.store.Beat(c.t.Context()); err != nil { // as orgd does once a second
		c.t.Fatal(err)
	}
	began := time.Now()
	m.request()
	took := int(time.Since(began).Seconds())
	sent = c.last.Load()
	sent.mu.Lock()
	defer sent.mu.Unlock()
	if name = m.operation; m.when != "" {
		name += ", " + m.when
	}
	return name, tally{len(sent.all), sent.rounds(), took}, sent
}

// committedCounts reads the table.
func committedCounts(t *testing.T) map[string]tally {
	t.Helper()
	text, err := os.ReadFile(commandsFile)
	if err != nil && !*updateCommands {
		t.Fatal(err)
	}
	all := map[string]tally{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ": ")
		var n tally
		if _, err := fmt.Sscanf(rest, "%d commands in %d rounds", &n.commands, &n.rounds); err != nil {
			t.Fatalf("%s: %q: %v", commandsFile, line, err)
		}
		all[name] = n
	}
	return all
}

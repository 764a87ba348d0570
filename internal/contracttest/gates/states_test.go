package gates

import (
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/contracttest"
)

// stateNames are the states that an organization can be in. Those of the contract's
// `deleting` are two: within its time of grace, and gone.
var stateNames = []string{"provisioning", "active", "suspended", "deleting", "deleted"}

// An outcome is a status and, for a problem, its code.
type outcome struct {
	status int
	code   string
}

// A row says how an operation answers about an organization in each of stateNames.
type row [5]outcome

// everywhere is for operations that are about no organization.
func everywhere(status int) row {
	o := outcome{status, ""}
	return row{o, o, o, o, o}
}

// withToken is for operations of the tenant plane: what they answer while the
// organization is active, and what every token meets in the other states.
func withToken(active int, code ...string) row {
	revoked := outcome{401, "token_revoked"}
	return row{revoked, {active, strings.Join(code, "")}, {423, "suspended"}, revoked, revoked}
}

var (
	good    = outcome{200, ""}
	missing = outcome{404, "not_found"}
	begun   = outcome{409, "operation_in_progress"}
	ending  = outcome{409, "organization_deleting"}
	nobody  = outcome{401, "bad_credentials"}
)

// table says for every operation of the contract how it answers about an
// organization in each state. An operation that is not here fails the test.
var table = map[string]row{
	"createOrganization": everywhere(201),
	"getLiveness":        everywhere(200),
	"getReadiness":       everywhere(200),
	"getContractYAML":    everywhere(200),
	"getContractJSON":    everywhere(200),
	"getDocs":            everywhere(200),

	"getOrganization":    withToken(200), // by an admin; by anybody else: see anonymousGet
	"updateOrganization": withToken(200),
	"deleteOrganization": withToken(200),
	"listOperations":     withToken(200),
	"getOperation":       withToken(200),
	"login":              {nobody, good, {423, "suspended"}, nobody, nobody},

	"listDocuments":  withToken(200),
	"queryDocuments": withToken(200),
	"createDocument": withToken(201),
	"putDocument":    withToken(201),
	"getDocument":    withToken(404, "not_found"), // the subject has none
	"patchDocument":  withToken(404, "not_found"),
	"deleteDocument": withToken(404, "not_found"),
	"listIndexes":    withToken(200),
	"createIndex":    withToken(201),
	"deleteIndex":    withToken(404, "not_found"),
	"getStats":       withToken(200),

	"importDocuments": withToken(200),
	"exportDocuments": withToken(200),
	"exportQuery":     withToken(200),

	"listOrganizations":   everywhere(200),
	"inspectOrganization": {good, good, good, good, missing},
	"suspendOrganization": {begun, good, good, ending, missing},
	"resumeOrganization":  {begun, good, good, ending, missing},
	"setQuota":            {good, good, good, good, missing},
	"restoreOrganization": {begun, good, good, good, missing},
}

// anonymousGet is getOrganization without a token.
var anonymousGet = row{missing, good, good, good, missing}

// states: every operation, about an organization in every state.
func states(t testing.TB, s setup) {
	known := map[string]bool{}
	for i, state := range stateNames {
		s := s
		if state == "deleting" {
			s.grace = time.Hour
		}
		w := s.startFaulty(t, 0)
		for _, o := range operations(t) {
			known[o.ID] = true
			want, ok := table[o.ID]
			if !ok {
				t.Errorf("%s is not in the table of states_test.go: say there how it answers in each state", o)
				continue
			}
			one := w.subject(t)
			w.bring(t, one, state)
			for _, r := range o.Examples(t) {
				w.inState(t, r, one, state, want[i])
				if o.ID == "getOrganization" {
					one.auth = ""
					w.inState(t, r, one, state, anonymousGet[i])
				}
				break // one example will do: it is the state that is asked about
			}
		}
	}
	for id := range table {
		if !known[id] {
			t.Errorf("%s is in the table of states_test.go and not in the contract", id)
		}
	}
}

// A subject is an organization to be brought into a state.
type subject struct {
	account
	operation string // one of its own
}

func (w *world) subject(t testing.TB) *subject {
	t.Helper()
	acc := w.account(t)
	id, _ := w.do(t, "GET", "/org/operations", "", "Authorization: "+acc.auth).is(200).items()[0]["id"].(string)
	return &subject{acc, id}
}

func (w *world) bring(t testing.TB, one *subject, state string) {
	t.Helper()
	switch state {
	case "provisioning":
		w.provisioning(t, one.id)
	case "suspended":
		w.suspend(t, one.id)
	case "deleting", "deleted":
		w.do(t, "DELETE", "/org/delete", "", "Authorization: "+one.auth).is(200)
	}
}

// inState sends an example about the subject.
func (w *world) inState(t testing.TB, r contracttest.Request, one *subject, state string, want outcome) {
	t.Helper()
	r.Header.Del("Prefer")
	switch r.Operation.Scheme {
	case "bearerAuth":
		if r.Header.Del("Authorization"); one.auth != "" {
			r.Header.Set("Authorization", one.auth)
		}
	case "operatorKey":
		r.Header.Set("Authorization", "Bearer "+operatorKey)
	}
	switch {
	case r.Operation.ID == "getOrganization":
		r.Query.Set("organization_name", one.name)
	case r.Operation.ID == "login":
		r.SetBody("application/json", map[string]any{"email": one.email, "password": password})
	case r.Operation.ID == "createOrganization":
		r.SetBody("application/json", map[string]any{"organization_name": "Beside " + one.id, "email": one.id + "@x.example", "password": password})
	case r.Operation.ID == "getOperation":
		r.Path["id"] = one.operation
	case strings.HasPrefix(r.Operation.Path, "/operator/") && len(r.Path) > 0:
		r.Path["id"] = one.id
	}
	delete(r.Query, "cursor")
	if a := w.request(t, r); a.status != want.status || a.text("code") != want.code {
		t.Errorf("%s about an organization that is %s: %d %s, want %d %s\n%s", r.Operation, state, a.status, a.text("code"), want.status, want.code, a.body)
	}
}

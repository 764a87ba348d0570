package suite

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd"
	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/policy"
)

// A stage is where an organization is in its life. The contract's `deleting` is two.
type stage struct {
	name  string
	state org.State // "" when it is gone
	// ended: no token of before is good any more, whatever the state.
	ended bool
}

var (
	provisioning = stage{name: "provisioning", state: org.StateProvisioning}
	active       = stage{name: "active", state: org.StateActive}
	suspension   = stage{name: "suspended", state: org.StateSuspended}
	deletion     = stage{name: "being deleted", state: org.StateDeleting}
	inGrace      = stage{name: "in its time of grace", state: org.StateDeleting, ended: true}
	deleted      = stage{name: "deleted", ended: true}
)

var stages = []stage{provisioning, active, suspension, deletion, inGrace, deleted}

// An outcome is a status and, for a problem, its code.
type outcome struct {
	status int
	code   string
}

var (
	missing = outcome{404, "not_found"}
	begun   = outcome{409, "operation_in_progress"}
	ending  = outcome{409, "organization_deleting"}
	nobody  = outcome{401, "bad_credentials"}
	revoked = outcome{401, "token_revoked"}
	locked  = outcome{423, "suspended"}
)

// policies are those of the contract's operations, by operationId.
var policies = sync.OnceValues(func() (map[string]policy.Operation, error) {
	_, all, err := policy.Parse(orgd.OpenAPI)
	byID := map[string]policy.Operation{}
	for _, o := range all {
		byID[o.ID] = o
	}
	return byID, err
})

func policyOf(t testing.TB, o contracttest.Operation) policy.Operation {
	t.Helper()
	all, err := policies()
	if err != nil {
		t.Fatal(err)
	}
	return all[o.ID]
}

// allows reports whether the contract allows an operation then, with an optional token or
// without.
func (at stage) allows(o policy.Operation, optional bool) bool {
	switch {
	case len(o.States) == 0:
		return true
	case optional:
		return at.state == org.StateActive
	case o.Plane == policy.Tenant && at.ended:
		return false
	}
	return o.Allows(at.state)
}

// refusal is what an operation answers that is not allowed.
func (at stage) refusal(o policy.Operation, token bool) outcome {
	switch {
	case o.Plane == policy.Operator && at == provisioning:
		return begun
	case o.Plane == policy.Operator && at.state == org.StateDeleting:
		return ending
	case o.Plane == policy.Operator, !token && o.Credential == policy.OptionalToken:
		return missing
	case at == suspension:
		return locked
	case token:
		return revoked
	}
	return nobody
}

// success is what the contract documents of an operation that finds what it is about.
func success(t testing.TB, o contracttest.Operation) outcome {
	t.Helper()
	for status := 200; status < 300; status++ {
		if o.Documents(status) {
			return outcome{status, ""}
		}
	}
	t.Fatalf("%s documents no success", o)
	return outcome{}
}

// states: every operation, about an organization at every stage, is allowed if its policy
// says so, and refused if not.
func states(t testing.TB, s setup) {
	for _, at := range stages {
		s := s
		if at == inGrace {
			s.grace = time.Hour
		}
		w := s.startFaulty(t, 0)
		release := w.holding("Drop")
		if at != deletion {
			release()
		}
		defer release()
		for _, o := range operations(t) {
			// What is not for tenants is asked in the time of grace: the operator brings nothing back before.
			if at != deletion || o.Scheme == "bearerAuth" {
				w.atStage(t, o, at)
			}
		}
	}
}

// atStage sends one example, which will do: it is the stage that is asked about.
func (w *world) atStage(t testing.TB, o contracttest.Operation, at stage) {
	t.Helper()
	one := w.subject(t)
	w.bring(t, one, at)
	for _, r := range o.Examples(t) {
		w.about(t, r, one, at)
		if o.Anonymous && o.Scheme != "" {
			one.auth = ""
			w.about(t, r, one, at)
		}
		return
	}
}

// A subject is an organization to be brought to a stage. What the examples are about is there.
type subject struct {
	account
	operation string // one of its own
}

func (w *world) subject(t testing.TB) *subject {
	t.Helper()
	acc := w.account(t)
	auth := "Authorization: " + acc.auth
	w.do(t, "PUT", "/org/documents/ada", "{}", auth).is(201)
	w.do(t, "POST", "/org/indexes", `{"name":"by_city","keys":[{"path":"city"}]}`, auth).is(201)
	id, _ := w.do(t, "GET", "/org/operations", "", auth).is(200).items()[0]["id"].(string)
	return &subject{acc, id}
}

func (w *world) bring(t testing.TB, one *subject, to stage) {
	t.Helper()
	switch auth := "Authorization: " + one.auth; to {
	case provisioning:
		w.provisioning(t, one.id)
	case suspension:
		w.suspend(t, one.id)
	case deletion:
		w.do(t, "DELETE", "/org/delete", "", auth, "Prefer: respond-async").is(202)
	case inGrace, deleted:
		w.do(t, "DELETE", "/org/delete", "", auth).is(200)
	}
}

// about sends an example about the subject, and wants what the policy says.
func (w *world) about(t testing.TB, r contracttest.Request, one *subject, at stage) answer {
	t.Helper()
	o, token := policyOf(t, r.Operation), one.auth != "" && r.Operation.Scheme == "bearerAuth"
	want := at.refusal(o, token)
	if at.allows(o, token && r.Operation.Anonymous) {
		want = success(t, r.Operation)
	}
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
	a := w.request(t, r)
	if a.status != want.status || a.text("code") != want.code {
		t.Errorf("%s about an organization that is %s: %d %s, want %d %s\n%s", r.Operation, at.name, a.status, a.text("code"), want.status, want.code, a.body)
	}
	return a
}

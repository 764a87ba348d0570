package suite

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/policy"
)

// A clock is moved by the test. A nil clock is that of the machine.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)} }

func (c *clock) now() time.Time {
	if c == nil {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// pass moves the clock, and returns what it shows then.
func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

// untimed are what the contract has, of an operation or of any, that cannot be shown here, and why.
var untimed = map[string]string{
	"eta":                             "is there only in the middle of a copy, which internal/tenant's tests of operations hold up",
	"updateOrganization finished_at":  "an answer that does not wait for the end does not know it",
	"deleteOrganization finished_at":  "an answer that does not wait for the end does not know it",
	"suspendOrganization purge_after": "what is deleted cannot be suspended",
	"resumeOrganization purge_after":  "what is deleted cannot be resumed",
	"restoreOrganization purge_after": "what is restored is not deleted",
}

// A timekeeper holds the instants and durations of answers against a clock, and notes
// those that it has seen.
type timekeeper struct {
	*world
	seen map[string]map[string]bool // by operation
}

// at holds an object of an operation's answer against what its times have to be: all that
// the contract has for the operation and that are there.
func (k *timekeeper) at(t testing.TB, id string, object map[string]any, want map[string]any) map[string]any {
	t.Helper()
	if k.seen[id] == nil {
		k.seen[id] = map[string]bool{}
	}
	got := map[string]any{}
	for _, name := range timesOf(t, id) {
		value, there := object[name]
		if text, ok := value.(string); ok {
			value, _ = time.Parse(time.RFC3339, text) // the Transport sees to the form
		}
		if there {
			got[name], k.seen[id][name] = value, true
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the times of %s are %v, want %v", id, got, want)
	}
	return object
}

func timesOf(t testing.TB, id string) []string {
	t.Helper()
	for _, o := range operations(t) {
		if o.ID == id {
			return o.Times()
		}
	}
	t.Fatalf("the contract has no operation %s", id)
	return nil
}

// times: every instant and every duration in an answer is what a clock shows that goes on
// between any two requests.
func times(t testing.TB, s setup) {
	s.grace, s.clock = time.Hour, newClock()
	k := &timekeeper{s.startFaulty(t, 0), map[string]map[string]bool{}}
	born := s.clock.now()
	made := k.do(t, "POST", "/org/create", object("organization_name", "Acme", "email", email, "password", password)).is(201)
	k.at(t, "createOrganization", made.fields, span(born, born))
	auth, changed := k.changing(t, born)
	k.operating(t, made.text("id"), auth, born, changed)
	s.grace = 0
	k.world = s.startFaulty(t, 0)
	k.deleting(t)
	for _, o := range operations(t) {
		for _, name := range o.Times() {
			if reason := untimed[name] + untimed[o.ID+" "+name]; k.seen[o.ID][name] == (reason != "") {
				t.Errorf("%s of %s: seen is %t, and untimed says %q", name, o, k.seen[o.ID][name], reason)
			}
		}
	}
}

func span(created, updated time.Time) map[string]any {
	return map[string]any{"created_at": created, "updated_at": updated}
}

const aWhile = 61 * time.Second

// changing is what the admin does: a login, and a move that is over after a while.
func (k *timekeeper) changing(t testing.TB, born time.Time) (auth string, changed time.Time) {
	now := k.clock.pass(aWhile)
	token := k.do(t, "POST", "/admin/login", object("email", email, "password", password)).is(200)
	k.at(t, "login", token.fields, map[string]any{"expires_in": 3600.0, "expires_at": now.Add(time.Hour)})
	auth = "Authorization: Bearer " + token.text("access_token")

	begun, release := k.clock.pass(aWhile), k.holding("Create")
	defer release()
	running := k.do(t, "PUT", "/org/update", "{}", auth, "Prefer: respond-async").is(202)
	k.at(t, "updateOrganization", running.fields, map[string]any{"started_at": begun, "updated_at": begun})
	over := k.clock.pass(aWhile)
	release()
	done := k.until(t, running.header.Get("Location"), auth, func(a answer) bool { return a.text("state") != "running" }).is(200).has("state", "succeeded")
	ran := map[string]any{"started_at": begun, "updated_at": over, "finished_at": over}
	k.at(t, "getOperation", done.fields, ran)
	k.at(t, "listOperations", k.do(t, "GET", "/org/operations?limit=1", "", auth).is(200).items()[0], ran)
	k.clock.pass(aWhile)
	k.at(t, "getOrganization", k.do(t, "GET", "/org/get?organization_name=Acme", "", auth).is(200).fields, span(born, over))

	changed = k.clock.pass(aWhile)
	renamed := k.do(t, "PUT", "/org/update", `{"organization_name":"Globex","migrate":false}`, auth).is(200)
	k.at(t, "updateOrganization", renamed.fields, span(born, changed))
	return auth, changed
}

// operating is what the operator does, and the deletion that can be taken back.
func (k *timekeeper) operating(t testing.TB, id, auth string, born, changed time.Time) {
	path := "/operator/organizations/" + id
	k.clock.pass(aWhile)
	k.at(t, "inspectOrganization", k.do(t, "GET", path, "", asOperator).is(200).fields, span(born, changed))
	k.at(t, "listOrganizations", k.do(t, "GET", "/operator/organizations", "", asOperator).is(200).items()[0], span(born, changed))
	for _, change := range []struct{ id, verb string }{{"suspendOrganization", "/suspend"}, {"resumeOrganization", "/resume"}} {
		changed = k.clock.pass(aWhile)
		k.at(t, change.id, k.do(t, "POST", path+change.verb, "", asOperator).is(200).fields, span(born, changed))
	}
	changed = k.clock.pass(aWhile)
	k.at(t, "setQuota", k.do(t, "PUT", path+"/quota", `{"max_documents":7}`, asOperator).is(200).fields, span(born, changed))

	gone := k.clock.pass(aWhile)
	purge := gone.Add(k.grace)
	receipt := k.do(t, "DELETE", "/org/delete", "", auth).is(200)
	k.at(t, "deleteOrganization", receipt.fields, map[string]any{"deleted_at": gone, "purge_after": purge})
	k.clock.pass(aWhile)
	deleted := span(born, gone)
	deleted["purge_after"] = purge
	for id, object := range map[string]map[string]any{
		"setQuota":            k.do(t, "PUT", path+"/quota", `{"max_documents":7}`, asOperator).is(200).fields,
		"inspectOrganization": k.do(t, "GET", path, "", asOperator).is(200).fields,
		"listOrganizations":   k.do(t, "GET", "/operator/organizations", "", asOperator).is(200).items()[0],
	} {
		k.at(t, id, object, deleted)
	}
	restored := k.clock.pass(purge.Sub(k.clock.now()) - time.Second)
	k.at(t, "restoreOrganization", k.do(t, "POST", path+"/restore", "", asOperator).is(200).fields, span(born, restored))
}

// deleting is a deletion that cannot be taken back.
func (k *timekeeper) deleting(t testing.TB) {
	auth := "Authorization: " + k.account(t).auth
	begun := k.clock.pass(aWhile)
	release := k.holding("Drop")
	defer release()
	running := k.do(t, "DELETE", "/org/delete", "", auth, "Prefer: respond-async").is(202)
	k.at(t, "deleteOrganization", running.fields, map[string]any{"started_at": begun, "updated_at": begun})
}

// ends: what is good until an instant is good just before it, and not after it.
func ends(t testing.TB, s setup) {
	s.grace, s.clock = time.Hour, newClock()
	w := s.startFaulty(t, 0)
	acme := object("organization_name", "Acme", "email", email, "password", password)
	kept := s.clock.now().Add(24 * time.Hour)
	made := w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(201)
	token := w.do(t, "POST", "/admin/login", object("email", email, "password", password)).is(200)
	seconds, _ := token.fields["expires_in"].(float64)
	auth := "Authorization: Bearer " + token.text("access_token")
	s.clock.pass(time.Duration(seconds-1) * time.Second)
	w.do(t, "GET", "/org/stats", "", auth).is(200)
	s.clock.pass(7 * time.Second) // clocks may differ by five
	w.do(t, "GET", "/org/stats", "", auth).is(401, "unauthenticated")

	s.clock.pass(kept.Sub(s.clock.now()) - time.Second)
	if again := w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(201); again.body != made.body {
		t.Errorf("again: %s", again.body)
	}
	s.clock.pass(2 * time.Second)
	w.do(t, "POST", "/org/create", acme, "Idempotency-Key: k").is(409, "name_taken")

	receipt := w.do(t, "DELETE", "/org/delete", "", "Authorization: "+w.login(t, email, password)).is(200)
	purge, err := time.Parse(time.RFC3339, receipt.text("purge_after"))
	if err != nil {
		t.Fatal(err)
	}
	s.clock.pass(purge.Sub(s.clock.now()) + time.Second)
	w.do(t, "POST", "/operator/organizations/"+made.text("id")+"/restore", "", asOperator).is(404, "not_found")
}

// comeAgain: a client that is limited may send again after Retry-After, and not a second before.
func comeAgain(t testing.TB, s setup) {
	s.clock = newClock()
	w := s.startFaulty(t, 2)
	for _, o := range operations(t) {
		if !o.Documents(http.StatusTooManyRequests) {
			continue
		}
		s.clock.pass(2 * time.Minute) // nothing is left of the one before
		r := w.limited(t, o)
		var refused answer
		for try := 0; try < 4 && refused.status != http.StatusTooManyRequests; try++ {
			refused = w.request(t, r)
		}
		after, err := strconv.Atoi(refused.header.Get("Retry-After"))
		if err != nil {
			t.Errorf("%s is not limited: %d %s", o, refused.status, refused.body)
			continue
		}
		s.clock.pass(time.Duration(after-1) * time.Second)
		early := w.request(t, r)
		s.clock.pass(time.Second)
		if late := w.request(t, r); early.status != http.StatusTooManyRequests || late.status == http.StatusTooManyRequests {
			t.Fatalf("%s, Retry-After %d: a second before it is %d, then %d", o, after, early.status, late.status)
		}
	}
}

// limited is a request of the operation that is counted: an example; a login that fails; of
// updates one with new credentials, which are refused and so change nothing.
func (w *world) limited(t testing.TB, o contracttest.Operation) contracttest.Request {
	t.Helper()
	examples := o.Examples(t)
	r := examples[slices.Sorted(maps.Keys(examples))[0]]
	switch policyOf(t, o).Limiter {
	case policy.LimitLogins:
		r.SetBody("application/json", map[string]any{"email": "nobody@x.example", "password": password})
	case policy.LimitUpdates:
		r.SetBody("application/json", map[string]any{"password": strings.Repeat("é", 37)})
	}
	if o.Scheme == "bearerAuth" && !o.Anonymous {
		r.Header.Set("Authorization", w.account(t).auth)
	}
	return r
}

// later makes a fault that moves an instant of answers.
func later(name string, by time.Duration) func(http.Handler) http.Handler {
	return fields(func(_ *reply, o map[string]any) {
		if at, err := time.Parse(time.RFC3339, text(o, name)); err == nil {
			o[name] = at.Add(by).Format(time.RFC3339Nano)
		}
	})
}

// retryAfter makes a fault that has limited clients come again at another time.
func retryAfter(change func(int) int) func(http.Handler) http.Handler {
	return out(func(r *reply) {
		if n, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && r.status == http.StatusTooManyRequests {
			r.header.Set("Retry-After", fmt.Sprint(max(change(n), 1)))
		}
	})
}

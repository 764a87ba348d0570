package suite

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
)

const (
	runningKeys  = "bytes_copied,documents_copied,documents_total,id,kind,started_at,state,step,updated_at"
	finishedKeys = "bytes_copied,documents_copied,documents_total,finished_at,id,kind,started_at,state,step,updated_at"
)

// holding makes every change of collections wait until the function it returns is called.
func (w *world) holding(ops ...string) (release func()) {
	gate := make(chan struct{})
	w.faulty.On(func(c faulty.Call) error {
		for _, op := range ops {
			if c.Op == op && c.Database == tenantDB {
				<-gate
			}
		}
		return nil
	})
	return sync.OnceFunc(func() { close(gate) })
}

// async: changes that answer before they are done, and how to follow them.
func async(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	acc, other := w.account(t), w.account(t)
	auth, later := "Authorization: "+acc.auth, "Prefer: wait=5, respond-async"
	release := w.holding("Create")
	defer release()

	w.do(t, "PUT", "/org/update", object("organization_name", other.name), auth, later).is(409, "name_taken").blames("organization_name")
	begun := w.do(t, "PUT", "/org/update", `{}`, auth, later).is(202).hasExactly(runningKeys).has("kind", "update", "state", "running")
	begun.near("started_at", time.Now())
	if got := begun.header.Get("Preference-Applied"); got != "respond-async" {
		t.Errorf("Preference-Applied is %q", got)
	}
	location := begun.header.Get("Location")
	w.do(t, "GET", location, "", auth).is(200).hasExactly(runningKeys).has("id", begun.text("id"), "state", "running")
	w.do(t, "GET", location, "", "Authorization: "+other.auth).is(404, "not_found")
	w.do(t, "PUT", "/org/update", `{}`, auth, later).is(409, "operation_in_progress").has("operation_id", begun.text("id"))
	w.do(t, "DELETE", "/org/delete", "", auth, later).is(409, "operation_in_progress").has("operation_id", begun.text("id"))
	release()
	over := w.until(t, location, auth, func(a answer) bool { return a.text("state") != "running" })
	over.is(200).hasExactly(finishedKeys).has("state", "succeeded", "id", begun.text("id"))
	over.near("finished_at", time.Now())

	first := w.do(t, "GET", "/org/operations?limit=1", "", auth).is(200).hasExactly("items,next_cursor")
	last := w.do(t, "GET", "/org/operations?cursor="+first.text("next_cursor"), "", auth).is(200).hasExactly("items")
	if a, b := first.items(), last.items(); len(a) != 1 || len(b) != 1 || a[0]["id"] != begun.text("id") || b[0]["kind"] != "create" {
		t.Errorf("pages of operations: %s, %s", first.body, last.body)
	}
	w.do(t, "GET", "/org/operations?cursor=AAAA", "", auth).is(422, "invalid")
	w.do(t, "GET", "/org/operations?limit=101", "", auth).is(400, "malformed")
	w.deletedAsync(t, acc)
}

func (w *world) deletedAsync(t testing.TB, acc account) {
	auth := "Authorization: " + acc.auth
	release := w.holding("Drop")
	defer release()
	begun := w.do(t, "DELETE", "/org/delete", "", auth, "Prefer: respond-async").is(202).hasExactly(runningKeys).has("kind", "delete", "state", "running")
	location := begun.header.Get("Location")
	w.do(t, "GET", location, "", auth).is(200).has("state", "running")
	w.do(t, "PUT", "/org/update", "{}", auth).is(401, "token_revoked")
	release()
	w.until(t, location, auth, func(a answer) bool { return a.status != 200 }).is(401, "token_revoked")
	look := "/org/get?organization_name=" + strings.ReplaceAll(acc.name, " ", "+")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) { // its last steps
		if a := w.do(t, "GET", look, ""); a.status == 404 || time.Now().After(deadline) {
			a.is(404, "not_found")
			return
		}
	}
}

// until asks until the answer is what is waited for.
func (w *world) until(t testing.TB, path, auth string, is func(answer) bool) answer {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if a := w.do(t, "GET", path, "", auth); is(a) || time.Now().After(deadline) {
			return a
		}
	}
}

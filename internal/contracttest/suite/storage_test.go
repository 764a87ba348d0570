package suite

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/contracttest"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
)

// storageDown: without its storage orgd answers 503 wherever the contract has that.
func storageDown(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	w.expect = []int{http.StatusServiceUnavailable}
	w.failing(t, docdb.ErrUnavailable, func(r contracttest.Request) {
		_, static := unseen[contracttest.Response{Operation: r.Operation.ID, Status: 503}]
		if r.Operation.Documents(503) && !static {
			w.request(t, r).is(503, "unavailable")
		}
	})
	acc := w.account(t)
	w.faulty.On(func(c faulty.Call) error {
		if c.Write() {
			return docdb.ErrNoSpace
		}
		return nil
	})
	defer w.faulty.On(nil)
	w.do(t, "PUT", "/org/documents/ada", `{}`, "Authorization: "+acc.auth).is(503, "storage_full")
	w.do(t, "GET", "/org/documents", "", "Authorization: "+acc.auth).is(200)
}

// innards must not get out.
const innards = "page 7 of the tree is upside down"

// unknownFaults: an error of the storage that orgd does not know is 500, and the answer
// does not show it.
func unknownFaults(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	w.expect = []int{500, 503}
	w.failing(t, errors.New(innards), func(r contracttest.Request) {
		a := w.request(t, r)
		if _, static := unseen[contracttest.Response{Operation: r.Operation.ID, Status: 500}]; !static {
			a.is(500, "internal")
		}
		if strings.Contains(a.body, innards) {
			t.Errorf("%s shows its innards: %s", r.Operation, a.body)
		}
	})
}

// failing sends the examples of all operations, as allowed, while every call of
// the storage fails with err.
func (w *world) failing(t testing.TB, err error, send func(contracttest.Request)) {
	t.Helper()
	exampleAccount(t, w)
	acc := w.account(t)
	w.faulty.On(func(faulty.Call) error { return err })
	defer w.faulty.On(nil)
	for _, o := range operations(t) {
		for _, r := range o.Examples(t) {
			switch o.Scheme {
			case "bearerAuth":
				r.Header.Set("Authorization", acc.auth)
			case "operatorKey":
				r.Header.Set("Authorization", "Bearer "+operatorKey)
			}
			send(r)
			break // the first to come will do
		}
	}
}

// halfWay: where the storage fails in the middle of a change, the answer does not say
// that nothing was done.
func halfWay(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	w.expect = []int{http.StatusServiceUnavailable}
	w.faulty.On(func(c faulty.Call) error {
		if c.Op == "Create" && c.Database == tenantDB {
			return docdb.ErrUnavailable
		}
		return nil
	})
	w.first(t, "createOrganization").is(503, "outcome_unknown")
}

// suspended: the admins of a suspended organization are refused by 423, and
// anybody sees that it is suspended.
func suspended(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	one := w.subject(t)
	w.bring(t, one, suspension)
	for _, o := range operations(t) {
		for _, r := range o.Examples(t) {
			if o.Documents(http.StatusLocked) {
				w.about(t, r, one, suspension).is(423, "suspended")
			}
		}
	}
	w.do(t, "GET", "/org/get?organization_name="+strings.ReplaceAll(one.name, " ", "+"), "").is(200).hasExactly(summaryKeys).has("state", "suspended")
}

// suspend is what the operator does.
func (w *world) suspend(t testing.TB, id string) {
	t.Helper()
	w.do(t, "POST", "/operator/organizations/"+id+"/suspend", "", asOperator).is(200).has("state", "suspended")
}

// provisioning makes an organization what it is in the middle of its creation, when
// no admin has a token yet.
func (w *world) provisioning(t testing.TB, id string) {
	t.Helper()
	organizations := w.faulty.Database(masterDB).Collection("organizations")
	raw, err := organizations.Get(context.Background(), docdb.StringID(id))
	if err != nil {
		t.Fatal(err)
	}
	var doc bson.D
	if err := bson.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	half := map[string]any{"state": "provisioning", "collection_name": "", "generation": int64(0), "operation": id}
	for i := range doc {
		if v, ok := half[doc[i].Key]; ok {
			doc[i].Value = v
		}
	}
	if raw, err = bson.Marshal(doc); err == nil {
		err = organizations.Replace(context.Background(), docdb.StringID(id), docdb.Filter{}, raw)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// busy: while an organization is being changed, another change of it is 409, and
// its admins see by what.
func busy(t testing.TB, s setup) {
	w := s.startFaulty(t, 0)
	acc := w.account(t)
	auth := "Authorization: " + acc.auth
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once // should there be another change after all, it must not wait
	w.faulty.On(func(c faulty.Call) error {
		if c.Op == "CarryIndexes" && c.Database == tenantDB {
			once.Do(func() { close(reached); <-release })
		}
		return nil
	})
	done := make(chan answer)
	go func() {
		defer close(done)
		done <- w.do(t, "PUT", "/org/update", `{}`, auth)
	}()
	defer func() {
		close(release)
		for a := range done {
			if a.status != 200 || a.fields["generation"] != 2.0 {
				t.Errorf("the update: %d %s", a.status, a.body)
			}
		}
	}()
	select {
	case <-reached:
	case a := <-done:
		t.Fatalf("the update did not move the data: %d %s", a.status, a.body)
	}
	operation := w.do(t, "GET", "/org/get?organization_name="+strings.ReplaceAll(acc.name, " ", "+"), "", auth).is(200).text("operation")
	w.do(t, "PUT", "/org/update", `{}`, auth).is(409, "operation_in_progress").has("operation_id", operation)
	w.do(t, "DELETE", "/org/delete", "", auth).is(409, "operation_in_progress").has("operation_id", operation)
	w.do(t, "POST", "/org/indexes", `{"name":"x","keys":[{"path":"x"}]}`, auth).is(409, "operation_in_progress").has("operation_id", operation)
	w.do(t, "DELETE", "/org/indexes/x", "", auth).is(409, "operation_in_progress").has("operation_id", operation)
}

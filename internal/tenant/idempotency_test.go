package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A keyed is a request with an idempotency key, as httpapi carries it out: it returns
// what the answer would say.
type keyed struct {
	name string
	once func(orgID string) tenant.IdempotentRequest
	do   func(context.Context, *tenant.Store, *tenant.Claim, string) (string, error)
	// count is how often it had its effect.
	count func(t *testing.T, e docdb.Engine, orgID string) int
}

var keyedRequests = []keyed{
	{
		name: "create an organization",
		once: func(string) tenant.IdempotentRequest {
			return tenant.IdempotentRequest{Key: "k", Fingerprint: []byte("f")}
		},
		do: func(ctx context.Context, s *tenant.Store, a *tenant.Claim, _ string) (string, error) {
			o, err := s.Create(ctx, tenant.CreateInput{Name: "Newco", Email: "new@x.example", Password: password, Claim: a})
			return o.ID, err
		},
		count: func(t *testing.T, e docdb.Engine, _ string) int {
			return count(t, e.Database(masterDB).Collection("organizations"), docdb.Eq("name_key", "newco"))
		},
	},
	{
		name: "create a document",
		once: func(orgID string) tenant.IdempotentRequest {
			return tenant.IdempotentRequest{OrgID: orgID, Key: "k", Fingerprint: []byte("f")}
		},
		do: func(ctx context.Context, s *tenant.Store, a *tenant.Claim, orgID string) (string, error) {
			id := bson.NewObjectID()
			if a != nil {
				id = a.Document().ID
			}
			raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "n", Value: "once"}})
			if err != nil {
				return "", err
			}
			doc, err := s.Documents(orgID).InsertOnce(ctx, a.Document(), raw)
			return doc.Revision + " " + doc.Body.String(), err
		},
		count: func(t *testing.T, e docdb.Engine, orgID string) int {
			o, err := e.Database(masterDB).Collection("organizations").Get(t.Context(), docdb.StringID(orgID))
			if err != nil {
				t.Fatal(err)
			}
			return count(t, e.Database(tenantDB).Collection(o.Lookup("collection_name").StringValue()), docdb.Eq("n", "once"))
		},
	},
}

func count(t *testing.T, c docdb.Collection, f docdb.Filter) int {
	t.Helper()
	n, err := c.Count(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// send is a request from its beginning to the end of its attempt.
func (r keyed) send(ctx context.Context, s *tenant.Store, orgID string) (string, error) {
	a, answer, err := s.Claim(ctx, r.once(orgID))
	if err != nil {
		return "", err
	}
	if answer != nil && !answer.Remake {
		return string(answer.Body), nil
	}
	text, err := r.do(ctx, s, a, orgID)
	var known *org.Error
	switch {
	case answer != nil:
	case err == nil:
		_ = a.Done(ctx, tenant.Answer{Status: 201, Body: []byte(text)})
	case errors.As(err, &known) && known.Kind != org.Unavailable && known.Kind != org.OutcomeUnknown && known.Kind != org.Internal:
		_ = a.Withdraw(ctx)
	default:
		_ = a.Release(ctx)
	}
	return text, err
}

// eachKeyed runs f for every engine call of every request, and every way to fail in it.
func eachKeyed(t *testing.T, f func(t *testing.T, r keyed, e docdb.Engine, orgID string, k int, mode faulty.Mode)) {
	for _, r := range keyedRequests {
		seed := func(t *testing.T) (docdb.Engine, string) {
			e := model.New()
			return e, newWorld(t, e, plain).create("Acme", "acme@x.example").ID
		}
		t.Run(r.name, func(t *testing.T) {
			e, orgID := seed(t)
			storage, s := (&crashed{engine: e}).instance(t, "a", 0)
			opened := storage.Calls()
			if _, err := r.send(t.Context(), s, orgID); err != nil {
				t.Fatal(err)
			}
			for k := 1; k <= storage.Calls()-opened; k++ {
				for _, mode := range faulty.Modes {
					t.Run(fmt.Sprintf("call %d %s", k, mode), func(t *testing.T) {
						e, orgID := seed(t)
						f(t, r, e, orgID, k, mode)
					})
				}
			}
		})
	}
}

// TestOneEffectAcrossACrash: the process dies at any engine call, and the client sends
// the request again: to another instance when the lease has run out, and then to a third.
func TestOneEffectAcrossACrash(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r keyed, e docdb.Engine, orgID string, k int, mode faulty.Mode) {
		c := &crashed{engine: e}
		f, s := c.instance(t, "a", 0)
		f.DieAt(f.Calls()+k, mode)
		told, err := r.send(t.Context(), s, orgID)
		if _, died := f.Died(); !died {
			t.Fatal("did not die")
		}
		_, b := c.instance(t, "b", 1)
		again, againErr := r.send(t.Context(), b, orgID)
		if againErr != nil {
			t.Fatalf("again: %v", againErr)
		}
		if err == nil && told != again {
			t.Errorf("told %q, then %q", told, again)
		}
		_, last := c.instance(t, "c", 2)
		if third, err := r.send(t.Context(), last, orgID); err != nil || third != again {
			t.Errorf("a third time: %q, %v; before %q", third, err, again)
		}
		if n := r.count(t, e, orgID); n != 1 {
			t.Errorf("done %d times", n)
		}
		for _, bad := range unsound(t.Context(), t, e) {
			t.Error(bad)
		}
	})
}

// TestOneEffectAcrossAStall: one engine call fails, or its answer gets lost, and the
// client sends the request again at once, until it gets an answer.
func TestOneEffectAcrossAStall(t *testing.T) {
	eachKeyed(t, func(t *testing.T, r keyed, e docdb.Engine, orgID string, k int, mode faulty.Mode) {
		t.Parallel() // most of it waits before it tries again
		f, s := (&crashed{engine: e}).instance(t, "a", 0)
		f.FailAt(f.Calls()+k, mode)
		told, err := r.send(t.Context(), s, orgID)
		for range 3 {
			if err == nil {
				break
			}
			told, err = r.send(t.Context(), s, orgID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.send(t.Context(), s, orgID); err != nil || again != told {
			t.Errorf("again: %q, %v; before %q", again, err, told)
		}
		if n := r.count(t, e, orgID); n != 1 {
			t.Errorf("done %d times", n)
		}
	})
}

// TestRacingRequestsWithOneKey: one of them is carried out, on whichever instance.
func TestRacingRequestsWithOneKey(t *testing.T) {
	for _, r := range keyedRequests {
		t.Run(r.name, func(t *testing.T) {
			e := model.New()
			orgID := newWorld(t, e, plain).create("Acme", "acme@x.example").ID
			c := &crashed{engine: e}
			_, a := c.instance(t, "a", 0)
			_, b := c.instance(t, "b", 0)
			var all sync.WaitGroup
			var mu sync.Mutex
			told := map[string]int{}
			for i := range 20 {
				all.Go(func() {
					text, err := r.send(t.Context(), []*tenant.Store{a, b}[i%2], orgID)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						told[text]++
					case !errors.Is(err, org.IdempotencyInProgress):
						t.Error(err)
					}
				})
			}
			all.Wait()
			if n := r.count(t, e, orgID); n != 1 || len(told) != 1 {
				t.Errorf("done %d times, answers %v", n, told)
			}
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	acme, globex := w.create("Acme", "acme@x.example"), w.create("Globex", "globex@x.example")
	once := tenant.IdempotentRequest{OrgID: acme.ID, Key: "k", Fingerprint: []byte("one")}
	begin := func(o tenant.IdempotentRequest) (*tenant.Claim, *tenant.Answer, error) {
		return w.Claim(t.Context(), o)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	first, answer, err := begin(once)
	must(err)
	if answer != nil {
		t.Fatal("an answer to nothing")
	}
	var wait *org.Error
	if _, _, err := begin(once); !errors.As(err, &wait) || wait.Kind != org.IdempotencyInProgress || wait.RetryAfter <= 0 {
		t.Errorf("while it is being worked on: %v", err)
	}
	other := once
	other.Fingerprint = []byte("two")
	if _, _, err := begin(other); !errors.Is(err, org.IdempotencyKeyReused) {
		t.Errorf("another request: %v", err)
	}
	other.OrgID = globex.ID
	if _, answer, err := begin(other); answer != nil || err != nil {
		t.Errorf("another organization's: %v, %v", answer, err)
	}

	must(first.Withdraw(t.Context())) // refused: another request may have the key
	other.OrgID = acme.ID
	second, _, err := begin(other)
	must(err)
	must(second.Release(t.Context())) // nobody knows
	third, _, err := begin(other)
	must(err)
	if third.Document().ID != second.Document().ID {
		t.Error("another attempt has another _id")
	}
	must(third.Withdraw(t.Context())) // the second may have done something
	if _, _, err := begin(once); !errors.Is(err, org.IdempotencyKeyReused) {
		t.Errorf("the key is taken for new: %v", err)
	}
	last, _, err := begin(other)
	must(err)
	must(last.Done(t.Context(), tenant.Answer{Status: 201, Location: "/x", Body: make([]byte, tenant.MaxKeptBody+1)}))
	if a, answer, err := begin(other); err != nil || answer == nil || !answer.Remake || answer.Body != nil || !a.Answered() {
		t.Errorf("a large answer: %+v, %v", answer, err)
	}

	w.clock = w.clock.Add(tenant.AnswersKept - time.Minute)
	must(w.Reconcile(t.Context()))
	if _, _, err := begin(once); !errors.Is(err, org.IdempotencyKeyReused) {
		t.Errorf("before its time: %v", err)
	}
	w.clock = w.clock.Add(time.Minute)
	if _, answer, err := begin(once); answer != nil || err != nil {
		t.Errorf("after its time: %v, %v", answer, err)
	}
	must(w.Reconcile(t.Context()))
	if n := count(t, w.engine.Database(masterDB).Collection("idempotency"), docdb.Filter{}); n != 1 {
		t.Errorf("%d entries are left, want the one just made", n)
	}
}

// TestAKeyOfThePublicPlaneBlocksNoOtherRequest: a stranger's request with a guessed key is another
// request, before the request that the key was drawn for and after it; the same request is recognized.
func TestAKeyOfThePublicPlaneBlocksNoOtherRequest(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	mine := tenant.IdempotentRequest{Key: "k", Fingerprint: []byte("mine")}
	stranger := tenant.IdempotentRequest{Key: "k", Fingerprint: []byte("a stranger's")}
	if _, answer, err := w.Claim(t.Context(), stranger); answer != nil || err != nil {
		t.Fatalf("the stranger's: %v, %v", answer, err)
	}
	a, answer, err := w.Claim(t.Context(), mine)
	if answer != nil || err != nil {
		t.Fatalf("the key is blocked: %v, %v", answer, err)
	}
	if err := a.Done(t.Context(), tenant.Answer{Status: 201, Location: "/mine"}); err != nil {
		t.Fatal(err)
	}
	if _, answer, err := w.Claim(t.Context(), tenant.IdempotentRequest{Key: "k", Fingerprint: []byte("another's")}); answer != nil || err != nil {
		t.Errorf("another's: %+v, %v", answer, err)
	}
	if _, answer, err := w.Claim(t.Context(), mine); err != nil || answer == nil || answer.Location != "/mine" {
		t.Errorf("sent again: %+v, %v", answer, err)
	}
}

// TestAKeyGoesWithItsOrganization: of its entry only the fact that the organization was created
// outlives the organization: the same request does not create it again.
func TestAKeyGoesWithItsOrganization(t *testing.T) {
	for _, r := range keyedRequests {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, model.New(), plain)
			acme := w.create("Acme", "acme@x.example")
			told, err := r.send(t.Context(), w.Store, acme.ID)
			if err != nil {
				t.Fatal(err)
			}
			create := r.once("").OrgID == "" && r.name == "create an organization"
			email := map[bool]string{true: "new@x.example", false: "acme@x.example"}[create]
			if _, err := w.Delete(t.Context(), w.login(email)); err != nil {
				t.Fatal(err)
			}
			for entry, err := range w.engine.Database(masterDB).Collection("idempotency").Find(t.Context(), docdb.Query{}) {
				if err != nil || !create || strings.Contains(entry.String(), told) {
					t.Errorf("left is %s, %v", entry, err)
				}
			}
			if _, err := r.send(t.Context(), w.Store, acme.ID); create != errors.Is(err, org.IdempotencyKeyReused) {
				t.Errorf("sent again: %v", err)
			}
			if n := count(t, w.engine.Database(masterDB).Collection("organizations"), docdb.Filter{}); create && n != 1 {
				t.Errorf("there are %d organizations", n)
			}
			w.clock = w.clock.Add(25 * time.Hour)
			w.reconcile()
			if n := count(t, w.engine.Database(masterDB).Collection("idempotency"), docdb.Filter{}); n != 0 {
				t.Errorf("%d entries are left for ever", n)
			}
		})
	}
}

// The request that has created an organization ends between the deletion's reading of its key and the removal: sent
// again, it creates no other.
func TestAKeyEndsWhileItsOrganizationIsDeleted(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain)
	create := keyedRequests[0]
	a, _, err := w.Claim(t.Context(), create.once(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create.do(t.Context(), w.Store, a, ""); err != nil {
		t.Fatal(err)
	}
	p := w.login("new@x.example")
	ended := false
	f.On(func(c faulty.Call) error {
		if c.Op != "Replace" || c.Collection != "idempotency" || ended {
			return nil
		}
		ended = true
		return a.Release(t.Context())
	})
	if _, err := w.Delete(t.Context(), p); err != nil || !ended {
		t.Fatal(err, ended)
	}
	if _, err := create.send(t.Context(), w.Store, ""); !errors.Is(err, org.IdempotencyKeyReused) {
		t.Errorf("sent again: %v", err)
	}
	if n := count(t, w.engine.Database(masterDB).Collection("organizations"), docdb.Filter{}); n != 0 {
		t.Errorf("there are %d organizations", n)
	}
}

// TestAnOperationThatIsLateDoesNotBegin: an attempt's operation is sent and held up; the next
// attempt makes the organization, which is deleted; then the operation arrives, and its
// owner goes on.
func TestAnOperationThatIsLateDoesNotBegin(t *testing.T) {
	e := model.New()
	newWorld(t, e, plain)
	c, r := &crashed{engine: e}, keyedRequests[0]
	f, s := c.instance(t, "a", 0)
	_, b := c.instance(t, "b", 1)
	beating(t, b)
	f.On(func(call faulty.Call) error {
		if call.Op != "Insert" || call.Collection != "operations" {
			return nil
		}
		f.On(nil)
		if _, err := r.send(t.Context(), b, ""); err != nil {
			t.Error(err)
		}
		deleteAll(t, b)
		return nil
	})
	if told, err := r.send(t.Context(), s, ""); err == nil {
		t.Errorf("the deleted organization is back: %s", told)
	}
	if n := r.count(t, e, ""); n != 0 {
		t.Errorf("there are %d", n)
	}
	for _, bad := range unsound(t.Context(), t, e) {
		t.Error(bad)
	}
}

// answerLost is an attempt that does all it should, and is over without an answer; told
// is what that would have said.
func (w *world) answerLost(r keyed, orgID string) (a *tenant.Claim, told string) {
	w.t.Helper()
	a, _, err := w.Claim(w.t.Context(), r.once(orgID))
	if err != nil {
		w.t.Fatal(err)
	}
	if told, err = r.do(w.t.Context(), w.Store, a, orgID); err != nil {
		w.t.Fatal(err)
	}
	if err := a.Release(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return a, told
}

// TestADocumentThatWasChangedIsStillOnce: the first attempt's answer got lost, the document was changed
// since, and the request comes again.
func TestADocumentThatWasChangedIsStillOnce(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	acme := w.create("Acme", "acme@x.example")
	r := keyedRequests[1]
	a, told := w.answerLost(r, acme.ID)
	id := a.Document().ID
	body, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "n", Value: "once"}, {Key: "more", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Documents(acme.ID).Put(t.Context(), tenant.Condition{}, body); err != nil {
		t.Fatal(err)
	}
	if again, err := r.send(t.Context(), w.Store, acme.ID); err != nil || again != told {
		t.Errorf("again: %q, %v; before %q", again, err, told)
	}
	if n := r.count(t, w.engine, acme.ID); n != 1 {
		t.Errorf("done %d times", n)
	}
}

// TestARequestThatWasDoneIsNotRefused: the first attempt's answer got lost, and by now there is no room
// for such a document.
func TestARequestThatWasDoneIsNotRefused(t *testing.T) {
	w := newWorld(t, model.New(), plain)
	acme := w.create("Acme", "acme@x.example")
	w.limit(acme.ID, 1, 0)
	r := keyedRequests[1]
	_, told := w.answerLost(r, acme.ID)
	if again, err := r.send(t.Context(), w.Store, acme.ID); err != nil || again != told {
		t.Errorf("again: %q, %v; before %q", again, err, told)
	}
}

// TestALostAnswerIsFoundAtOnce: the storage has added the document and did not say so.
func TestALostAnswerIsFoundAtOnce(t *testing.T) {
	e := model.New()
	orgID := newWorld(t, e, plain).create("Acme", "acme@x.example").ID
	r := keyedRequests[1]
	f, s := (&crashed{engine: e}).instance(t, "a", 0)
	a, _, err := s.Claim(t.Context(), r.once(orgID))
	if err != nil {
		t.Fatal(err)
	}
	f.FailAt(f.Calls()+2, faulty.After) // it reads the organization, and inserts
	if _, err := r.do(t.Context(), s, a, orgID); err != nil {
		t.Error(err)
	}
	if n := r.count(t, e, orgID); n != 1 {
		t.Errorf("done %d times", n)
	}
}

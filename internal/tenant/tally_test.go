package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func keys(n int64) func(*tenant.Config) { return func(c *tenant.Config) { c.MaxKeys = n } }

func keyOf(orgID string, n int) tenant.IdempotentRequest {
	return tenant.IdempotentRequest{OrgID: orgID, Key: fmt.Sprint("k", n), Fingerprint: []byte("f")}
}

func stranger(network string, n int) tenant.IdempotentRequest {
	return tenant.IdempotentRequest{Network: network, Key: fmt.Sprint("k", n), Fingerprint: []byte("f")}
}

// attempt sends a request with a key whose effect is none, and reports whether it may have one.
func attempt(t *testing.T, s *tenant.Store, once tenant.IdempotentRequest) bool {
	t.Helper()
	a, answer, err := s.Claim(t.Context(), once)
	var refused *org.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == org.RateLimited:
		if refused.RetryAfter < time.Minute || refused.RetryAfter > tenant.AnswersKept {
			t.Errorf("come again in %v", refused.RetryAfter)
		}
		return false
	case err != nil:
		t.Errorf("%+v: %v", once, err)
	case answer == nil:
		if err := a.Done(t.Context(), tenant.Answer{Status: 201}); err != nil {
			t.Error(err)
		}
	}
	return err == nil
}

// admitted is how many of the n requests may have their effect, each with another key.
func admitted(t *testing.T, s *tenant.Store, n int, once func(int) tenant.IdempotentRequest) (many int) {
	t.Helper()
	for i := range n {
		if attempt(t, s, once(i)) {
			many++
		}
	}
	return many
}

func (w *world) entries() int {
	return count(w.t, w.engine.Database(masterDB).Collection("idempotency"), docdb.Filter{})
}

// TestKeysAreBounded: no more keys are remembered than the limit, and a request beyond it is refused
// before it has an effect; a request whose key is remembered is answered all the same, and a forgotten
// key makes room.
func TestKeysAreBounded(t *testing.T) {
	bounded := func(t *testing.T, w *world) {
		acme, globex := w.create("Acme", "acme@x.example"), w.create("Globex", "globex@x.example")
		of := func(n int) tenant.IdempotentRequest { return keyOf(acme.ID, n) }
		if n := admitted(t, w.Store, 12, of); n != 8 || w.entries() != 8 {
			t.Errorf("%d of 12 are admitted, and %d remembered, want 8", n, w.entries())
		}
		if n := admitted(t, w.Store, 8, of); n != 8 {
			t.Errorf("sent again, %d of 8 are answered", n)
		}
		if !attempt(t, w.Store, keyOf(globex.ID, 1)) {
			t.Error("another organization is refused, too")
		}
		w.clock = w.clock.Add(tenant.AnswersKept)
		w.reconcile()
		if n := admitted(t, w.Store, 20, func(n int) tenant.IdempotentRequest { return keyOf(acme.ID, 100+n) }); n != 8 {
			t.Errorf("when the old ones are forgotten %d are admitted, want 8", n)
		}
	}
	t.Run("embedded", func(t *testing.T) { bounded(t, newWorld(t, embeddedEngine(t), plain, keys(8))) })
	t.Run("MongoDB", func(t *testing.T) { bounded(t, newWorld(t, mongoEngine(t), plain, keys(8), shared)) })
}

// TestARefusedKeyTakesNoPlace: what came to nothing is not remembered, and so does not count.
func TestARefusedKeyTakesNoPlace(t *testing.T) {
	w := newWorld(t, model.New(), plain, keys(3))
	for i := range 20 {
		a, _, err := w.Claim(t.Context(), keyOf("acme", i))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Withdraw(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := admitted(t, w.Store, 5, func(n int) tenant.IdempotentRequest { return keyOf("acme", n) }); n != 3 {
		t.Errorf("%d are admitted, want 3", n)
	}
}

// TestRacingKeysDoNotExceedTheBound: of one instance never, of several by a sixteenth each.
func TestRacingKeysDoNotExceedTheBound(t *testing.T) {
	const bound = 32
	for instances, slack := range map[int]int{1: 0, 3: 3 * bound / 16} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			// Entries take their time, so that many are under way while others count.
			slow := faulty.New(model.New())
			slow.On(func(c faulty.Call) error {
				if c.Op == "Insert" && c.Collection == "idempotency" {
					time.Sleep(time.Millisecond)
				}
				return nil
			})
			w := newWorld(t, slow, plain, keys(bound), shared)
			stores := []*tenant.Store{w.Store}
			for len(stores) < instances {
				stores = append(stores, newWorld(t, w.engine, plain, keys(bound), shared).Store)
			}
			var all sync.WaitGroup
			var done atomic.Int64
			for i := range 8 * bound {
				all.Go(func() {
					if attempt(t, stores[i%instances], keyOf("acme", i)) {
						done.Add(1)
					}
				})
			}
			all.Wait()
			if n := w.entries(); n > bound+slack || n != int(done.Load()) || n < bound/2 {
				t.Errorf("%d are remembered and %d admitted, and %d may be", n, done.Load(), bound)
			}
		})
	}
}

// TestKeysOfOneNetworkLeaveRoomForOthers, whether their organizations are there or have gone.
func TestKeysOfOneNetworkLeaveRoomForOthers(t *testing.T) {
	w := newWorld(t, model.New(), plain, keys(8))
	from := func(network string) func(int) tenant.IdempotentRequest {
		return func(n int) tenant.IdempotentRequest { o := stranger(network, n); o.Key += network; return o }
	}
	var admins []string
	for i := range 12 { // while they are there, their keys are theirs
		admins = append(admins, fmt.Sprintf("admin%d@x.example", i))
		w.signUp(from("a")(i), admins[i])
	}
	for _, email := range admins {
		if _, err := w.Delete(t.Context(), w.login(email)); err != nil {
			t.Fatal(err)
		}
	}
	if attempt(t, w.Store, from("a")(100)) {
		t.Error("a network has more than its keys")
	}
	for _, network := range []string{"b", "c"} {
		if n := admitted(t, w.Store, 20, from(network)); n != 8 {
			t.Errorf("%d keys of another network are admitted, want 8", n)
		}
	}
	if !attempt(t, w.Store, from("b")(0)) {
		t.Error("what is remembered is not answered")
	}
}

// signUp creates an organization by a request with a key.
func (w *world) signUp(once tenant.IdempotentRequest, email string) {
	w.t.Helper()
	a, _, err := w.Claim(w.t.Context(), once)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Create(w.t.Context(), tenant.CreateInput{Name: "Of " + email[:6] + once.Key, Email: email, Password: password, Claim: a}); err != nil {
		w.t.Fatal(err)
	}
	if err := a.Done(w.t.Context(), tenant.Answer{Status: 201}); err != nil {
		w.t.Fatal(err)
	}
}

// TestAKeyThatIsSpentCounts: organizations that are made and deleted over and over are
// remembered no longer than the bound allows, as their makers'; those that are there count
// as their own.
func TestAKeyThatIsSpentCounts(t *testing.T) {
	w := newWorld(t, model.New(), plain, keys(8))
	made := 0
	for i := range 10 {
		email := fmt.Sprintf("admin%d@x.example", i)
		if made == 8 {
			if attempt(t, w.Store, stranger("a", i)) {
				t.Error("one more is admitted")
			}
			break
		}
		w.signUp(stranger("a", i), email)
		if _, err := w.Delete(t.Context(), w.login(email)); err != nil {
			t.Fatal(err)
		}
		made++
	}
	if made != 8 {
		t.Errorf("%d were made and deleted, want 8", made)
	}
}

// TestNoEntryIsLarge: the size of an entry does not grow with the request.
func TestNoEntryIsLarge(t *testing.T) {
	w := newWorld(t, model.New(), plain, keys(8))
	acme := w.create("Acme", "acme@x.example")
	for _, body := range []int{1, 100, 64 << 10} {
		a, _, err := w.Claim(t.Context(), keyOf(acme.ID, body))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := bson.Marshal(bson.D{{Key: "_id", Value: a.Document().ID}, {Key: "text", Value: make([]byte, body)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Documents(acme.ID).InsertOnce(t.Context(), a.Document(), doc); err != nil {
			t.Fatal(err)
		}
		full := tenant.Answer{Status: 201, Location: string(make([]byte, 16<<10)), ETag: `"1"`, Body: make([]byte, body)}
		if err := a.Done(t.Context(), full); err != nil {
			t.Fatal(err)
		}
	}
	for raw, err := range w.engine.Database(masterDB).Collection("idempotency").Find(t.Context(), docdb.Query{}) {
		if err != nil || len(raw) > 700 {
			t.Errorf("an entry has %d bytes, %v", len(raw), err)
		}
	}
}

// TestAQuotaBoundsKeysToo: they take no more than the documents may, or what few take.
func TestAQuotaBoundsKeysToo(t *testing.T) {
	w := newWorld(t, model.New(), plain, keys(200_000))
	acme := w.create("Acme", "acme@x.example")
	for quota, want := range map[int64]int64{0: 200_000, 1: 10_000, 50_000 << 10: 50_000, 1 << 40: 200_000} {
		w.limit(acme.ID, 0, quota)
		if n, err := w.KeyLimit(t.Context(), acme.ID); n != want || err != nil {
			t.Errorf("with a quota of %d bytes: %d, %v, want %d", quota, n, err, want)
		}
	}
}

// TestNothingIsDoneWhereKeysCannotBeCounted: and a request whose key is remembered is answered as soon
// as the storage answers.
func TestNothingIsDoneWhereKeysCannotBeCounted(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, keys(8))
	f.On(func(c faulty.Call) error {
		if c.Op == "Count" && c.Collection == "idempotency" {
			return docdb.ErrUnavailable
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := w.Claim(ctx, keyOf("acme", 1)); !errors.Is(err, org.Unavailable) {
		t.Errorf("begun: %v", err)
	}
	f.On(nil)
	if n := w.entries(); n != 0 {
		t.Errorf("%d entries", n)
	}
	if !attempt(t, w.Store, keyOf("acme", 1)) {
		t.Error("refused")
	}
}

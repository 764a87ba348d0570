package tenant_test

import (
	"errors"
	"fmt"
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

// evicted is an instance that stalls in the middle of a call on its organization's
// data, for so long that another one takes it for dead, moves the data, and writes
// the document anew. With a grace the old collection is still there when it wakes.
type evicted struct {
	stalled *tenant.Documents
	other   *tenant.Documents
}

func newEvicted(t *testing.T, op string, grace time.Duration, skip ...string) evicted {
	e := model.New()
	fa := faulty.New(e)
	a, b := instanceAt(t, fa, 0, grace, skip...), instanceAt(t, e, 1, grace, skip...)
	o := a.create("Acme", "acme@x.example")
	putValue(t, a.Documents(o.ID), "old")
	p := b.login("acme@x.example")
	stalled := false
	fa.On(func(c faulty.Call) error {
		if c.Op != op || c.Collection != o.Collection || stalled {
			return nil
		}
		stalled = true
		if _, err := b.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
			return err
		}
		putValue(t, b.Documents(o.ID), "new")
		return nil
	})
	return evicted{a.Documents(o.ID), b.Documents(o.ID)}
}

// instanceAt returns an instance whose clock stands at an hour past noon, so that an instance of a
// later hour takes it for dead.
func instanceAt(t *testing.T, e docdb.Engine, hour int, grace time.Duration, skip ...string) *world {
	return newWorld(t, e, plain, shared, func(c *tenant.Config) {
		c.Instance, c.MoveGrace = fmt.Sprint("instance ", hour), grace
		c.Now = func() time.Time { return time.Date(2026, 11, 23, 12+hour, 0, 0, 0, time.UTC) }
		for _, part := range skip {
			c.Skip(part)
		}
	})
}

func putValue(t *testing.T, d *tenant.Documents, value string) {
	t.Helper()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "doc"}, {Key: "v", Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Put(t.Context(), tenant.Condition{}, raw); err != nil {
		t.Fatal(err)
	}
}

func valueOf(t *testing.T, d *tenant.Documents, id string) string {
	t.Helper()
	doc, err := d.Get(t.Context(), docdb.StringID(id))
	if errors.Is(err, org.NotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return doc.Body.Lookup("v").StringValue()
}

// A reader that was taken for dead reads again, since its result is of the past. Without the second
// reading of the organization it would go back in time.
func TestEvictedReaderDoesNotGoBackInTime(t *testing.T) {
	if v := valueOf(t, newEvicted(t, "Get", time.Hour).stalled, "doc"); v != "new" {
		t.Errorf("it reads %q", v)
	}
	if v := valueOf(t, newEvicted(t, "Get", time.Hour, "re-read").stalled, "doc"); v != "old" {
		t.Errorf("without its second look it reads %q: this test shows nothing", v)
	}
}

// A writer that was taken for dead gets no success for a document that is nowhere.
func TestEvictedWriterIsToldThatItsOutcomeIsUnknown(t *testing.T) {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "mine"}, {Key: "v", Value: "mine"}})
	if err != nil {
		t.Fatal(err)
	}
	e := newEvicted(t, "Insert", time.Hour)
	if _, err := e.stalled.Insert(t.Context(), raw); !errors.Is(err, org.OutcomeUnknown) {
		t.Errorf("it is told %v", err)
	}
	e = newEvicted(t, "Insert", time.Hour, "re-read")
	if _, err := e.stalled.Insert(t.Context(), raw); err != nil || valueOf(t, e.other, "mine") != "" {
		t.Errorf("without its second look it is told %v: this test shows nothing", err)
	}
}

// What an instance saw of an organization before it was taken for dead is worth nothing
// when it is back as another one, which movers wait for from then on only.
func TestReturnedWriterLooksAgain(t *testing.T) {
	e := model.New()
	a, b := instanceAt(t, e, 0, time.Hour), instanceAt(t, e, 1, time.Hour)
	o := a.create("Acme", "acme@x.example")
	p := a.login("acme@x.example")
	if _, err := a.Authenticate(t.Context(), p); err != nil { // as for an HTTP request
		t.Fatal(err)
	}
	early := a.Documents(o.ID).Admitted()
	putValue(t, early, "old")
	if _, err := b.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil { // takes a for dead
		t.Fatal(err)
	}
	if err := a.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	putValue(t, early, "new")
	if v := valueOf(t, b.Documents(o.ID), "doc"); v != "new" {
		t.Errorf("what was acknowledged is %q", v)
	}
}

// One that could do nothing tries again, where the data is now.
func TestEvictedWriterThatWasRefusedTriesAgain(t *testing.T) {
	e := newEvicted(t, "Replace", 0)
	putValue(t, e.stalled, "newest") // where it was, there is nothing any more
	if v := valueOf(t, e.other, "doc"); v != "newest" {
		t.Errorf("the document is %q", v)
	}
}

// An instance that cannot say that it is alive does not write.
func TestInstanceThatIsOutOfTouchDoesNotWrite(t *testing.T) {
	s := openStore(t, model.New(), func(c *tenant.Config) {
		plain(c)
		c.Exclusive, c.DeadAfter = false, time.Nanosecond
	})
	o, err := s.Create(t.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Documents(o.ID).Insert(t.Context(), raw); !errors.Is(err, org.Unavailable) {
		t.Errorf("it is told %v", err)
	}
}

// A request's write costs two readings of its organization: the one that lets it in,
// and the one that confirms it.
func TestAdmittedWriteReadsTheOrganizationTwice(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, shared)
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	var readings atomic.Int64
	f.On(func(c faulty.Call) error {
		if c.Collection == "organizations" {
			readings.Add(1)
		}
		return nil
	})
	if _, err := w.Authenticate(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	putValue(t, w.Documents(o.ID).Admitted(), "value")
	if n := readings.Load(); n != 2 {
		t.Errorf("%d readings", n)
	}
}

// TestAnInstanceThatHasLostTouchIsNotReady: it refuses all writes, until it is heard of again.
func TestAnInstanceThatHasLostTouchIsNotReady(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t, func(c *tenant.Config) { c.DeadAfter, c.Now = time.Second, time.Now })
	if err := w.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := w.Ready(t.Context())
		if errors.Is(err, org.Unavailable) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("without a heartbeat it is ready: %v", err)
		}
	}
	w.wants("a heartbeat", w.Beat(t.Context()), "")
	w.wants("ready", w.Ready(t.Context()), "")
}

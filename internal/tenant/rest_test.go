package tenant_test

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// An instance without writes rests: it is not in the list of those that moves wait for.

// restful has an instance rest at the first beat without a write in progress.
func restful(c *tenant.Config) { c.RestAfter = time.Nanosecond }

// resting runs moves on two instances that rest whenever they may, with clients that pause. It reports
// whether the history can be, and the outcome of every call is known.
func (tr *trial) resting() bool {
	tr.ids, tr.rests, tr.few = 4, true, true
	tr.pace = [...]time.Duration{4 * time.Millisecond, 40 * time.Millisecond}[tr.seed%2] // a rest takes calls, or steps of a move
	c := &cluster{tr: tr}
	c.start(0)
	c.start(1)
	defer c.end()
	o, p := tr.begin(c.at(0).Store)
	possible := tr.clientsDuring(p, func() {
		for i := range tr.moves {
			if _, err := c.at(i%2).Update(tr.t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil && tr.skip == "" {
				tr.t.Errorf("seed %d: move: %v", tr.seed, err)
			}
		}
	}, func(n int) *tenant.Documents {
		docs := c.at(n % 2).Documents(o.ID)
		if n < 4 {
			return docs.Admitted()
		}
		return docs
	})
	if tr.unknown > 0 && tr.skip == "" {
		tr.t.Logf("seed %d: the outcome of %d calls is unknown", tr.seed, tr.unknown)
	}
	return possible && tr.unknown == 0
}

func TestHistoriesOfInstancesThatRest(t *testing.T) {
	for _, e := range []struct {
		name   string
		engine func(*testing.T) docdb.Engine
		n      int
		slow   bool
	}{{"model", newModel, 12, false}, {"embedded", embeddedEngine, 4, false}, {"MongoDB", mongoEngine, 1, true}} {
		t.Run(e.name, func(t *testing.T) {
			if e.slow && testing.Short() {
				t.Skip("takes long: make test-long")
			}
			for _, seed := range seedsFor(t, e.n) {
				tr := &trial{t: t, seed: seed, engine: e.engine(t), moves: 6, slow: e.slow}
				if !tr.resting() {
					t.Fatalf("seed %d: a history that cannot be", seed)
				}
			}
		})
	}
}

// TestEveryPartOfRestingIsNeeded: without it a history turns up that cannot be, or a client that is
// told nothing.
func TestEveryPartOfRestingIsNeeded(t *testing.T) {
	for _, part := range []string{"write count", "join", "outdating"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			for i, seed := range seedsFor(t, 400) {
				tr := &trial{t: t, seed: seed, engine: model.New(), moves: 6, skip: part}
				if !tr.resting() {
					t.Logf("found by history %d", i+1)
					return
				}
			}
			t.Errorf("without its %s resting looks as good as with it", part)
		})
	}
}

// TestAnInstanceThatHasRestedLooksAgain: what it saw of an organization before is worth nothing, since
// movers have not asked it.
func TestAnInstanceThatHasRestedLooksAgain(t *testing.T) {
	for _, skip := range [][]string{nil, {"outdating"}} {
		t.Run(fmt.Sprint(skip), func(t *testing.T) {
			e := model.New()
			edits := []func(*tenant.Config){plain, shared, restful, func(c *tenant.Config) {
				c.MoveGrace = time.Hour
				for _, part := range skip {
					c.Skip(part)
				}
			}}
			a, b := newWorld(t, e, edits...), newWorld(t, e, edits...)
			b.wants("a beat", b.Beat(t.Context()), "")
			o := a.create("Acme", "acme@x.example")
			p := a.login("acme@x.example")
			_, err := a.Authenticate(t.Context(), p) // as for an HTTP request
			a.wants("a token", err, "")
			early := a.Documents(o.ID).Admitted()
			putValue(t, early, "old")
			a.wants("a beat", a.Beat(t.Context()), "")
			if n := a.count("instances"); n != 0 {
				t.Fatalf("%d instances do not rest", n)
			}
			if _, err := b.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil { // waits for nobody
				t.Fatal(err)
			}
			putValue(t, early, "new")
			if v := valueOf(t, b.Documents(o.ID), "doc"); (v == "new") != (skip == nil) {
				t.Errorf("what was acknowledged is %q", v)
			}
		})
	}
}

// TestAnInstanceThatWritesDoesNotRest, and nobody has to be told that the outcome is unknown.
func TestAnInstanceThatWritesDoesNotRest(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, shared, restful)
	o := w.create("Acme", "acme@x.example")
	w.wants("a beat", w.Beat(t.Context()), "")
	beaten := false
	f.On(func(c faulty.Call) error {
		if c.Op == "Insert" && c.Collection == o.Collection {
			beaten = true
			w.wants("a beat", w.Beat(t.Context()), "")
			if n := w.count("instances"); n != 1 {
				t.Errorf("in the middle of a write there are %d instances", n)
			}
		}
		return nil
	})
	putValue(t, w.Documents(o.ID), "value")
	f.On(nil)
	w.wants("a beat", w.Beat(t.Context()), "")
	if n := w.count("instances"); n != 0 || !beaten {
		t.Errorf("after it there are %d instances", n)
	}
	w.wants("ready", w.Ready(t.Context()), "")
}

// TestAWriteWithoutAnAnswerIsToldToMoves: its instance does not rest before the organization has moved.
func TestAWriteWithoutAnAnswerIsToldToMoves(t *testing.T) {
	e := model.New()
	f := faulty.New(e)
	a, b := newWorld(t, f, plain, shared, restful), newWorld(t, e, plain, shared, restful)
	b.wants("a beat", b.Beat(t.Context()), "")
	o := a.create("Acme", "acme@x.example")
	p := a.login("acme@x.example")
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "doc"}})
	if err != nil {
		t.Fatal(err)
	}
	f.FailOn(faulty.Nth(1, "Insert", o.Collection, faulty.Late))
	_, err = a.Documents(o.ID).Insert(t.Context(), raw)
	a.wants("the write", err, org.OutcomeUnknown)
	f.FailOn(nil)
	a.wants("a beat", a.Beat(t.Context()), "")
	if n := a.count("instances"); n != 1 {
		t.Errorf("%d instances, one of which has something to tell", n)
	}
	beating(t, a.Store)
	if _, err := b.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); a.count("instances") > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never rests again")
		}
	}
}

// TestReadsDoNotEndARest.
func TestReadsDoNotEndARest(t *testing.T) {
	w := sharedWorld(t, restful)
	o := w.create("Acme", "acme@x.example")
	p := w.login("acme@x.example")
	putValue(t, w.Documents(o.ID), "value")
	w.wants("a beat", w.Beat(t.Context()), "")
	for _, docs := range []*tenant.Documents{w.Documents(o.ID), w.Documents(o.ID).As(p), w.Documents(o.ID).Admitted()} {
		if v := valueOf(t, docs, "doc"); v != "value" {
			t.Errorf("it reads %q", v)
		}
	}
	if n := w.count("instances"); n != 0 {
		t.Errorf("%d instances", n)
	}
}

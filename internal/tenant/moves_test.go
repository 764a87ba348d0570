package tenant_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// jittery makes an engine's calls take long now and then, so that clients and moves
// meet in many orders.
func jittery(e docdb.Engine, seed uint64) *faulty.Engine {
	f := faulty.New(e)
	var mu sync.Mutex
	draw := rand.New(rand.NewPCG(seed, 99))
	f.On(func(faulty.Call) error {
		mu.Lock()
		n := draw.IntN(1000)
		mu.Unlock()
		switch {
		case n < 20:
			time.Sleep(time.Duration(n) * 100 * time.Microsecond)
		case n < 300:
			time.Sleep(time.Duration(n) * time.Microsecond / 4)
		}
		return nil
	})
	return f
}

// alone runs moves on one instance that has the engine for itself.
func (tr *trial) alone() bool {
	tr.t.Helper()
	s := openStore(tr.t, jittery(tr.engine, tr.seed), func(c *tenant.Config) {
		plain(c)
		if tr.skip != "" && !c.Skip(tr.skip) {
			tr.t.Fatalf("there is no part %q", tr.skip)
		}
	})
	o, p := tr.begin(s)
	docs := s.Documents(o.ID)
	return tr.clientsDuring(p, func() {
		for range tr.moves {
			if _, err := s.Update(tr.t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil && tr.skip == "" {
				tr.t.Errorf("seed %d: move: %v", tr.seed, err)
			}
		}
	}, func(int) *tenant.Documents { return docs })
}

func TestHistoriesDuringMoves(t *testing.T) {
	for _, e := range []struct {
		name   string
		engine func(*testing.T) docdb.Engine
		n      int
		slow   bool
	}{{"model", newModel, 60, false}, {"embedded", embeddedEngine, 16, false}, {"MongoDB", mongoEngine, 3, true}} {
		t.Run(e.name, func(t *testing.T) {
			if e.slow && testing.Short() {
				t.Skip("takes long: make test-long")
			}
			for _, seed := range seedsFor(t, e.n) {
				tr := &trial{t: t, seed: seed, engine: e.engine(t), moves: 3, slow: e.slow}
				if !tr.alone() {
					t.Fatalf("seed %d: a history that cannot be", seed)
				}
				for _, bad := range unsound(t.Context(), t, tr.engine) {
					t.Errorf("seed %d: %s", seed, bad)
				}
			}
		})
	}
}

// Each part of the protocol is needed: without it a history turns up that cannot be.
func TestEveryPartOfAMoveIsNeeded(t *testing.T) {
	for _, part := range []string{"dirty set", "epochs", "drain", "re-read", "fence"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			for i, seed := range seedsFor(t, 400) {
				tr := &trial{t: t, seed: seed, engine: model.New(), moves: 3, skip: part}
				if !tr.alone() {
					t.Logf("found by history %d", i+1)
					return
				}
			}
			t.Errorf("without its %s a move looks as good as with it", part)
		})
	}
}

// Several instances on one engine.
type cluster struct {
	tr    *trial
	mu    sync.Mutex
	slots [2]*member
	made  int
	all   sync.WaitGroup
}

// A member is one process.
type member struct {
	*tenant.Store
	engine *faulty.Engine
	stop   context.CancelFunc
}

// patience is how long the instances of a test wait for each other: less than they
// are used to, and more than an engine call takes.
func (tr *trial) patience() (lease, deadAfter time.Duration) {
	if tr.slow || tr.rests {
		return 3 * time.Second, 6 * time.Second
	}
	return 150 * time.Millisecond, 300 * time.Millisecond
}

// restAfter is how long after its last write an instance rests: at the first chance, now and then, or
// never while there are clients.
func (tr *trial) restAfter() time.Duration {
	if tr.rests {
		return time.Nanosecond
	}
	return [...]time.Duration{time.Nanosecond, 5 * time.Millisecond, time.Minute}[tr.seed%3]
}

// beatWithin bounds the pause between the beats of an instance.
func (tr *trial) beatWithin() time.Duration {
	if tr.rests {
		return time.Millisecond
	}
	return time.Minute
}

// start puts a new instance into a slot.
func (c *cluster) start(slot int) *member {
	c.mu.Lock()
	c.made++
	name := fmt.Sprintf("instance %d", c.made)
	c.mu.Unlock()
	lease, deadAfter := c.tr.patience()
	ctx, stop := context.WithCancel(context.Background())
	m := &member{engine: jittery(c.tr.engine, c.tr.seed+uint64(c.made)), stop: stop}
	if c.tr.late {
		c.all.Go(func() { c.tr.delay(ctx, m.engine, c.tr.seed+uint64(c.made)) })
	}
	m.Store = openStore(c.tr.t, m.engine, func(cfg *tenant.Config) {
		plain(cfg)
		cfg.Instance, cfg.Exclusive, cfg.LeaseTTL, cfg.DeadAfter, cfg.RestAfter = name, false, lease, deadAfter, c.tr.restAfter()
		if c.tr.rests {
			cfg.MoveGrace = time.Hour // a write that goes to the source is lost, and not refused
		}
		if c.tr.skip != "" && !cfg.Skip(c.tr.skip) {
			c.tr.t.Fatalf("there is no part %q", c.tr.skip)
		}
	})
	every := func(d time.Duration, f func()) {
		c.all.Go(func() {
			for ctx.Err() == nil {
				f()
				time.Sleep(d)
			}
		})
	}
	every(min(deadAfter/30, c.tr.beatWithin()), func() { _ = m.Beat(ctx) })
	every(20*time.Millisecond, func() { _, _ = m.Resume(ctx) })
	c.mu.Lock()
	c.slots[slot] = m
	c.mu.Unlock()
	return m
}

// delay holds up one write in a hundred, which arrives some time later, also when the
// process is dead; loses as many answers; and has writes overtake each other.
func (tr *trial) delay(ctx context.Context, f *faulty.Engine, seed uint64) {
	draw := rand.New(rand.NewPCG(seed, 101))
	f.FailOn(func(c faulty.Call) (faulty.Mode, bool) {
		if !tr.begun.Load() || !c.Write() || c.Collection == "instances" { // whose answers only take longer
			return 0, false
		}
		n := draw.IntN(1000)
		return [...]faulty.Mode{faulty.Late, faulty.After, faulty.Reordered}[n%3], n < 30
	})
	wait := rand.New(rand.NewPCG(seed, 102))
	for ctx.Err() == nil {
		time.Sleep(time.Duration(wait.IntN(30)) * time.Millisecond)
		if held := f.Held(); len(held) > 0 && wait.IntN(3) == 0 {
			f.Deliver(held[wait.IntN(len(held))])
		}
	}
	time.Sleep(time.Duration(wait.IntN(100)) * time.Millisecond)
	f.Deliver()
}

func (c *cluster) at(slot int) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slots[slot]
}

// kill ends an instance where it is and starts another in its place.
func (c *cluster) kill(slot int) {
	m := c.at(slot)
	m.engine.Kill()
	m.stop()
	c.start(slot)
}

func (c *cluster) end() {
	for slot := range c.slots {
		c.at(slot).stop()
	}
	c.all.Wait()
}

// together runs moves on two instances, of which one dies now and then.
func (tr *trial) together() bool {
	tr.ids, tr.pace = 10, 4*time.Millisecond
	c := &cluster{tr: tr}
	c.start(0)
	c.start(1)
	defer c.end()
	o, p := tr.begin(c.at(0).Store)
	tr.begun.Store(true)
	draw := rand.New(rand.NewPCG(tr.seed, 77))
	return tr.clientsDuring(p, func() {
		for range tr.moves {
			slot := draw.IntN(2)
			m := c.at(slot)
			moved := make(chan error, 1)
			go func() {
				_, err := m.Update(tr.t.Context(), p, tenant.UpdateInput{Migrate: true})
				moved <- err
			}()
			if draw.IntN(2) == 0 {
				time.Sleep(time.Duration(draw.IntN(60)) * time.Millisecond)
				c.kill(draw.IntN(2))
			}
			if err := <-moved; errors.Is(err, org.Invalid) {
				tr.t.Errorf("seed %d: move: %v", tr.seed, err)
			}
			tr.rest(c.at(0).Store, o.ID, p)
		}
	}, func(n int) *tenant.Documents {
		m := c.at(n % 2)
		docs := m.Documents(o.ID)
		if n < 4 {
			return docs.Admitted() // as an HTTP request does
		}
		return docs
	})
}

// rest waits until the organization is in no operation any more.
func (tr *trial) rest(s *tenant.Store, orgID string, p org.Principal) {
	for range 12000 {
		o, err := s.Authenticate(tr.t.Context(), p)
		if err == nil && o.Operation == "" {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tr.t.Errorf("seed %d: organization %s is not at rest after a minute", tr.seed, orgID)
}

func TestHistoriesOfTwoInstancesOneOfWhichDies(t *testing.T) { historiesOfTwo(t, false) }

// TestHistoriesWithLateMessages: the same where messages arrive late, or their answers never.
func TestHistoriesWithLateMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long: make test-long")
	}
	historiesOfTwo(t, true)
}

func historiesOfTwo(t *testing.T, late bool) {
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
				tr := &trial{t: t, seed: seed, engine: e.engine(t), moves: 3, slow: e.slow, late: late}
				if !tr.together() {
					t.Fatalf("seed %d: a history that cannot be", seed)
				}
			}
		})
	}
}

// A copy that goes wrong is found by verification, and only by it.
func TestVerificationFindsACorruptCopy(t *testing.T) {
	for _, with := range []bool{true, false} {
		e := &corrupting{Engine: model.New()}
		w := newWorld(t, e, plain, func(c *tenant.Config) {
			if !with {
				c.Skip("verification")
			}
		})
		o := w.create("Acme", "acme@x.example")
		w.fill(o.Collection, 100)
		before := contents(t.Context(), t, e.Engine.Database(tenantDB).Collection(o.Collection))
		e.armed = true
		moved, err := w.Update(t.Context(), w.login("acme@x.example"), tenant.UpdateInput{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		after := contents(t.Context(), t, e.Engine.Database(tenantDB).Collection(moved.Collection))
		if same := fmt.Sprint(before) == fmt.Sprint(after); same != with {
			t.Errorf("with verification %t, the data is the same: %t", with, same)
		}
	}
}

// corrupting changes a document on its way into a copy.
type corrupting struct {
	docdb.Engine
	armed bool
}

type corruptingDatabase struct {
	docdb.Database
	e *corrupting
}

type corruptingCollection struct {
	docdb.Collection
	e *corrupting
}

func (e *corrupting) Database(name string) docdb.Database {
	return corruptingDatabase{e.Engine.Database(name), e}
}

func (d corruptingDatabase) Collection(name string) docdb.Collection {
	return corruptingCollection{d.Database.Collection(name), d.e}
}

func (c corruptingCollection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	if c.e.armed && len(docs) > 60 {
		c.e.armed = false
		docs = append([]bson.Raw(nil), docs...)
		worse, err := bson.Marshal(bson.D{{Key: "_id", Value: docdb.ID(docs[60])}, {Key: "n", Value: -1}})
		if err != nil {
			return nil, err
		}
		docs[60] = worse
	}
	return c.Collection.InsertMany(ctx, docs)
}

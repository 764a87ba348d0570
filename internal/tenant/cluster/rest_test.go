package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/cluster"
)

// A place is one process on databases of its own.
type place struct {
	*cluster.Shared
	t      *testing.T
	engine *faulty.Engine
	// outdated are the instances that were in the list at a call of Outdate.
	mu       sync.Mutex
	outdated map[string]bool
}

// newPlace returns a process that rests whenever it may.
func newPlace(t *testing.T) *place {
	t.Helper()
	e := faulty.New(model.New())
	db := e.Database("master")
	if err := db.Create(t.Context(), "instances"); err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, engine: e, outdated: map[string]bool{}}
	p.Shared = newShared(db)
	p.Outdate = p.outdate
	return p
}

func newShared(db docdb.Database) *cluster.Shared {
	return &cluster.Shared{
		Instances: cluster.NewInstances(db), Now: time.Now, DeadAfter: time.Minute, RestAfter: time.Nanosecond,
		Logger:     slog.New(slog.DiscardHandler),
		Settle:     func(context.Context, string) error { return nil },
		Outdate:    func() {},
		Unanswered: func(context.Context) (bool, error) { return false, nil },
	}
}

func (p *place) outdate() {
	listed := p.listed()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range listed {
		p.outdated[id] = true
	}
}

func (p *place) listed() []string {
	all, err := p.Instances.Find(context.Background(), docdb.Filter{})
	if err != nil {
		p.t.Error(err)
	}
	var ids []string
	for _, i := range all {
		ids = append(ids, i.ID)
	}
	return ids
}

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// begin begins a write.
func (p *place) begin() string {
	p.t.Helper()
	member, err := p.BeginWrite(p.t.Context())
	p.must(err)
	return member
}

// hasty does not count writes: an instance rests in the middle of them.
type hasty struct{ cluster.Coordination }

func (h hasty) BeginWrite(ctx context.Context) (string, error) {
	defer h.Coordination.EndWrite()
	return h.Coordination.BeginWrite(ctx)
}

func (hasty) EndWrite() {}

// sleepwalking writes without joining.
type sleepwalking struct{ cluster.Coordination }

func (s sleepwalking) BeginWrite(context.Context) (string, error) { return s.Member(), nil }
func (sleepwalking) EndWrite()                                    {}

// TestAWriteIsInTheListFromBeginToEnd: and what was read before the instance was in the list is
// outdated. A worse part is found out.
func TestAWriteIsInTheListFromBeginToEnd(t *testing.T) {
	for name, worse := range map[string]func(*place) cluster.Coordination{
		"":                        func(p *place) cluster.Coordination { return p },
		"without counting writes": func(p *place) cluster.Coordination { return hasty{p} },
		"without joining":         func(p *place) cluster.Coordination { return sleepwalking{p} },
		"without Outdate":         func(p *place) cluster.Coordination { p.Outdate = func() {}; return p },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			missed, rests := p.writers(worse(p))
			if name == "" && missed > 0 {
				t.Errorf("%d writes were not in the list, or relied on what was read before", missed)
			}
			if name != "" && missed == 0 {
				t.Error("it looks as good as with it")
			}
			if name == "" && rests < 20 {
				t.Errorf("it has rested %d times: this test shows little", rests)
			}
		})
	}
}

// writers write at the same time, with pauses, while the instance rests whenever it may. It returns how
// many writes were not in the list all the time, and how often the instance has rested.
func (p *place) writers(c cluster.Coordination) (missed, rests int64) {
	ctx, stop := context.WithCancel(context.Background())
	var heart, all sync.WaitGroup
	heart.Go(func() {
		for ctx.Err() == nil {
			was := p.Member()
			if err := p.Beat(context.Background()); err != nil {
				p.t.Error(err)
			}
			if was != "" && p.Member() == "" {
				rests++
			}
		}
	})
	var not atomic.Int64
	for range 4 {
		all.Go(func() {
			for range 300 {
				member, err := c.BeginWrite(context.Background())
				p.mu.Lock()
				good := err == nil && p.outdated[member]
				p.mu.Unlock()
				pauseUpTo(200 * time.Microsecond)
				if !good || !slices.Contains(p.listed(), member) {
					not.Add(1)
				}
				c.EndWrite()
				pauseUpTo(2 * time.Millisecond)
			}
		})
	}
	all.Wait()
	stop()
	heart.Wait()
	return not.Load(), rests
}

func pauseUpTo(d time.Duration) { time.Sleep(rand.N(d)) }

// TestConcurrentFirstWritesJoinOnce.
func TestConcurrentFirstWritesJoinOnce(t *testing.T) {
	p := newPlace(t)
	const writes = 20
	begun := make(chan string, writes)
	waiting := make(chan struct{})
	p.engine.On(func(c faulty.Call) error {
		if c.Op == "Insert" {
			<-waiting
		}
		return nil
	})
	for range writes {
		go func() {
			member, _ := p.BeginWrite(context.Background())
			begun <- member
		}()
	}
	close(waiting)
	first := <-begun
	for range writes - 1 {
		if member := <-begun; member != first || member == "" {
			t.Errorf("%q and %q", first, member)
		}
	}
	if listed := p.listed(); !slices.Equal(listed, []string{first}) {
		t.Errorf("%q are listed", listed)
	}
}

// TestAWriteWithoutAnAnswerKeepsItsInstanceAwake.
func TestAWriteWithoutAnAnswerKeepsItsInstanceAwake(t *testing.T) {
	p := newPlace(t)
	waits := true
	p.Unanswered = func(context.Context) (bool, error) { return waits, nil }
	member := p.begin()
	p.EndWrite()
	p.must(p.Beat(t.Context()))
	if p.Member() != member {
		t.Error("it rests")
	}
	waits = false
	p.must(p.Beat(t.Context()))
	if p.Member() != "" || len(p.listed()) != 0 {
		t.Error("it does not rest afterwards")
	}
}

// TestAProcessThatLeftComesBackAsAnother: what becomes of the message by which it leaves does not matter.
func TestAProcessThatLeftComesBackAsAnother(t *testing.T) {
	for _, mode := range []faulty.Mode{faulty.Before, faulty.After, faulty.Late} {
		p := newPlace(t)
		first := p.begin()
		p.EndWrite()
		p.engine.FailOn(faulty.Nth(1, "Delete", "instances", mode))
		p.must(p.Beat(t.Context()))
		p.engine.FailOn(nil)
		second := p.begin()
		if first == second {
			t.Errorf("%s: it is back under the same id", mode)
		}
		// A move of this process does not wait for what it was itself.
		p.must(p.DrainOthers(t.Context(), "org"))
		p.must(p.Beat(t.Context()))
		p.engine.Deliver()
		if listed := p.listed(); !slices.Equal(listed, []string{second}) {
			t.Errorf("%s: %q are listed, not %q", mode, listed, second)
		}
		p.EndWrite()
	}
}

// TestAJoinWithoutAnAnswerIsAnother: an insert that arrives late brings no instance back.
func TestAJoinWithoutAnAnswerIsAnother(t *testing.T) {
	for _, mode := range []faulty.Mode{faulty.Before, faulty.After, faulty.Late} {
		p := newPlace(t)
		p.engine.FailOn(faulty.Nth(1, "Insert", "instances", mode))
		member := p.begin()
		p.engine.FailOn(nil)
		p.engine.Deliver()
		p.must(p.Beat(t.Context()))
		if listed := p.listed(); !slices.Equal(listed, []string{member}) {
			t.Errorf("%s: %q are listed, not %q", mode, listed, member)
		}
	}
}

// TestAFailedJoinRefusesTheWrite, and the next write tries again.
func TestAFailedJoinRefusesTheWrite(t *testing.T) {
	p := newPlace(t)
	p.engine.On(func(c faulty.Call) error {
		if c.Op == "Insert" {
			return docdb.ErrClosed // which is not tried again
		}
		return nil
	})
	if _, err := p.BeginWrite(t.Context()); !errors.Is(err, docdb.ErrClosed) {
		t.Errorf("it is told %v", err)
	}
	p.engine.On(nil)
	p.begin()
	p.EndWrite()
	p.must(p.Beat(t.Context()))
	if p.Member() != "" {
		t.Error("the write that was refused still counts")
	}
}

// TestNoWriteBeginsAfterLeave.
func TestNoWriteBeginsAfterLeave(t *testing.T) {
	p := newPlace(t)
	p.begin()
	p.Leave(t.Context())
	p.must(p.Beat(t.Context()))
	if _, err := p.BeginWrite(t.Context()); !errors.Is(err, org.Unavailable) || len(p.listed()) != 0 {
		t.Errorf("%v, %q are listed", err, p.listed())
	}
}

// TestABeatIsOneMessage, as long as no mover asks; and a mover is answered at the next beat.
func TestABeatIsOneMessage(t *testing.T) {
	p := newPlace(t)
	now := time.Now()
	p.Now = func() time.Time { return now }
	p.begin()
	var calls []string
	p.engine.On(func(c faulty.Call) error { calls = append(calls, c.Op); return nil })
	for range 3 {
		now = now.Add(2 * time.Second)
		p.must(p.Beat(t.Context()))
	}
	if !slices.Equal(calls, []string{"Replace", "Replace", "Replace"}) {
		t.Errorf("three beats are %q", calls)
	}
	p.engine.On(nil)
	settled := make(chan string, 1)
	p.Settle = func(_ context.Context, orgID string) error { settled <- orgID; return nil }
	drained := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { drained <- newShared(p.engine.Database("master")).DrainOthers(ctx, "acme") }()
	for asked := false; !asked; {
		all, err := p.Instances.Find(t.Context(), docdb.Filter{})
		p.must(err)
		asked = len(all[0].Asks) > 0
	}
	now = now.Add(2 * time.Second)
	beaten := make(chan error, 1)
	go func() { beaten <- p.Beat(ctx) }() // it looks for further asks for a while
	p.must(<-drained)
	if orgID := <-settled; orgID != "acme" {
		t.Errorf("it settles %s", orgID)
	}
	stop()
	<-beaten
}

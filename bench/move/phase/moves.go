package phase

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/internal/tenant"
)

// move moves the data once.
func (m *bench) move(ctx context.Context) (began, ended time.Time, err error) {
	p, was, err := m.admin(ctx)
	if err != nil {
		return began, ended, err
	}
	m.engine.Took(time.Now())
	began = time.Now()
	is, err := m.store.Update(ctx, p, tenant.UpdateInput{Migrate: true})
	ended = time.Now()
	m.report.Steps = append(m.report.Steps, m.engine.Took(ended))
	if err == nil && is.Collection == was.Collection {
		err = errors.New("nothing was moved")
	}
	return began, ended, err
}

// alone measures moves and bare copies in turns; the first of each is thrown away.
func (m *bench) alone(ctx context.Context) error {
	for range m.Rounds + 1 {
		began, ended, err := m.move(ctx)
		if err != nil {
			return err
		}
		m.report.Moves = append(m.report.Moves, ended.Sub(began))
		_, o, err := m.admin(ctx)
		if err != nil {
			return err
		}
		if err := m.bareCopy(ctx, o.Collection); err != nil {
			return err
		}
	}
	r := &m.report
	r.Moves, r.Copies, r.Drops, r.Steps = r.Moves[1:], r.Copies[1:], r.Drops[1:], r.Steps[1:]
	return nil
}

// clients measures a move while clients write and read.
func (m *bench) clients(ctx context.Context) error {
	_, o, err := m.admin(ctx)
	if err != nil {
		return err
	}
	c := startClients(ctx, m.store.Documents(o.ID), m.Documents)
	start := time.Now()
	time.Sleep(m.Window)
	peak := watchMemory()
	began, ended, err := m.move(ctx)
	m.report.Peak = peak()
	if err == nil {
		time.Sleep(m.Window)
	}
	if err := errors.Join(c.end(), err); err != nil {
		return err
	}
	r := &m.report
	r.Move = ended.Sub(began)
	writes := c.writes()
	r.Before, r.During, r.After = within(start, began, writes...), within(began, ended, writes...), within(ended, time.Now(), writes...)
	r.Dropping = within(ended.Add(-r.Steps[0]["retire"]), ended, writes...)
	r.Reads, r.Refused = within(began, ended, c.readers[:]...), c.refused.Load()
	if _, o, err = m.admin(ctx); err != nil {
		return err
	}
	r.Wrong, err = c.check(ctx, m.engine.Database(mongoserver.TenantDB).Collection(o.Collection))
	return err
}

// watchMemory returns a function that tells the peak of this process's resident memory
// from then on. Where the system cannot forget an earlier peak, it is the highest of what
// is read every 50 ms.
func watchMemory() (peak func() int64) {
	anew := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
	done := make(chan struct{})
	var most atomic.Int64
	var work sync.WaitGroup
	look := func() {
		now, highest, err := machine.Memory(os.Getpid())
		if err != nil {
			return
		}
		if anew {
			now = highest
		}
		most.Store(max(most.Load(), now))
	}
	work.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				look()
			}
		}
	})
	return func() int64 { close(done); work.Wait(); look(); return most.Load() }
}

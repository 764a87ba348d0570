package fair

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// freeWork is how long a piece of work goes on without a place: what is short goes
	// before what is long.
	freeWork = time.Millisecond
	// slice is how long a turn lasts before it is another's who waits.
	slice = 4 * time.Millisecond
)

// Processors is how many places there are for long work: one processor in four, and at least
// one of several, is spare, for what is short and for the collection of garbage.
func Processors() (places, spare int) {
	procs := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // of which there are more where threads have priorities
	places = max(1, procs-max(1, procs/4))
	return places, procs - places
}

// A Work is what is to be done for one request: its turns together are free to work for a
// millisecond. The zero Work needs no places.
type Work struct {
	queue *Queue
	key   string
	used  atomic.Int64 // of freeWork, in nanoseconds
}

// Begin makes it the work of a key, for which it waits in a queue.
func (w *Work) Begin(q *Queue, key string) { w.queue, w.key = q, key }

// Active says that there is something to do for the key: others have no spare place now.
func (w *Work) Active() {
	if w.queue != nil {
		w.queue.note(w.key)
	}
}

// Turn returns a turn of one goroutine.
func (w *Work) Turn() *Turn { return &Turn{work: w} }

// A Turn is how one goroutine of a Work shares the places, of which each is about a
// processor. A nil Turn needs none.
type Turn struct {
	work  *Work
	since time.Time // when it began to work, as far as is known; zero: it waits for something else
	holds bool
	spare bool // it holds a spare place
}

// Rest is called every now and then by the work. It waits while it is others' turn, and
// returns the context's error if that ends meanwhile.
func (t *Turn) Rest(ctx context.Context) error {
	if t == nil || t.work.queue == nil {
		return nil
	}
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	worked := now.Sub(t.since)
	switch {
	case !t.holds && worked+time.Duration(t.work.used.Load()) < freeWork:
		return nil
	case t.spare && t.work.queue.alone(t.work.key):
		return nil
	case t.holds && !t.spare && (worked < slice || t.work.queue.Waiting() == 0):
		return nil
	}
	t.Done()
	return t.enter(ctx)
}

// Take waits for a place at once: the work is known to be long, and cannot rest.
func (t *Turn) Take(ctx context.Context) error {
	if t == nil || t.work.queue == nil || t.holds {
		return nil
	}
	t.Done()
	return t.enter(ctx)
}

func (t *Turn) enter(ctx context.Context) error {
	if t.spare = t.work.queue.enterAlone(t.work.key); !t.spare {
		if err := t.work.queue.Enter(ctx, t.work.key); err != nil {
			return err
		}
	}
	t.holds, t.since = true, time.Now()
	return nil
}

// Done is called before the work waits for something else, and at its end.
func (t *Turn) Done() {
	if t == nil || t.since.IsZero() {
		return
	}
	switch {
	case t.spare:
		t.work.queue.leaveSpare()
	case t.holds:
		t.work.queue.Leave()
	default:
		t.work.used.Add(int64(time.Since(t.since)))
	}
	t.holds, t.spare, t.since = false, false, time.Time{}
}

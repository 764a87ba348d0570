package fair

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// freeWork is how long a piece of work goes on without a place: short work goes
	// before long work.
	freeWork = time.Millisecond
	// slice is how long a turn lasts, if the work of another key waits.
	slice = 4 * time.Millisecond
)

// Processors is how many places there are for long work: one processor in four, and at least
// one of several, is spare, for short work and for the collection of garbage.
func Processors() (places, spare int) {
	procs := min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) // GOMAXPROCS is above the processors where threads have priorities
	places = max(1, procs-max(1, procs/4))
	return places, procs - places
}

// A Work is the work for one request. Its turns together need no place for the first
// millisecond. The zero Work needs no places.
type Work struct {
	queue *Queue
	key   string
	used  atomic.Int64 // of freeWork, in nanoseconds
}

// Begin makes the work that of a key, under which it waits in a queue.
func (w *Work) Begin(q *Queue, key string) { w.queue, w.key = q, key }

// Active says that there is something to do for the key: now no other key gets a spare place.
func (w *Work) Active() {
	if w.queue != nil {
		w.queue.note(w.key)
	}
}

// Turn returns a turn of one goroutine.
func (w *Work) Turn() *Turn { return &Turn{work: w} }

// A Turn is the part of one goroutine in a Work. A place is about a processor. A nil Turn
// needs no places.
type Turn struct {
	work  *Work
	since time.Time // when the goroutine began to work; zero: it waits for something else
	holds bool
	spare bool // it holds a spare place
}

// Rest is called by the work every now and then. It waits while it is the turn of other
// keys, and returns the context's error if the context ends meanwhile.
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

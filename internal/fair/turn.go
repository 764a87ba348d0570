package fair

import (
	"context"
	"time"
)

const (
	// freeWork is how long a turn works without a place: what is short goes before what
	// is long.
	freeWork = time.Millisecond
	// slice is how long a turn works before it lets others go on who wait.
	slice = 4 * time.Millisecond
)

// A Turn is one piece of work that shares the places of a queue, one place being about a
// processor. It is for one goroutine.
type Turn struct {
	queue *Queue
	key   string
	free  time.Duration // what is left of freeWork
	since time.Time     // when it began to work, as far as is known; zero: it waits for something else
	holds bool
}

// NewTurn returns a turn of work for a key.
func (q *Queue) NewTurn(key string) *Turn { return &Turn{queue: q, key: key, free: freeWork} }

// Rest is called every now and then by the work. It waits while it is others' turn, and
// returns the context's error if that ends meanwhile.
func (t *Turn) Rest(ctx context.Context) error {
	now := time.Now()
	if t.since.IsZero() {
		t.since = now
	}
	worked := now.Sub(t.since)
	switch {
	case !t.holds && worked < t.free:
		return nil
	case t.holds && (worked < slice || t.queue.Waiting() == 0):
		return nil
	}
	t.Done()
	return t.enter(ctx)
}

// Take waits for a place at once: the work is known to be long, and cannot rest.
func (t *Turn) Take(ctx context.Context) error {
	if t.holds {
		return t.Rest(ctx)
	}
	return t.enter(ctx)
}

func (t *Turn) enter(ctx context.Context) error {
	if err := t.queue.Enter(ctx, t.key); err != nil {
		return err
	}
	t.free, t.holds, t.since = 0, true, time.Now()
	return nil
}

// Done is called before the work waits for something else, and at its end.
func (t *Turn) Done() {
	if t.holds {
		t.queue.Leave()
	} else if !t.since.IsZero() {
		t.free = max(0, t.free-time.Since(t.since))
	}
	t.holds, t.since = false, time.Time{}
}

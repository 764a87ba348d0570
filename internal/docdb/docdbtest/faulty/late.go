package faulty

import (
	"context"
	"errors"
	"slices"
	"time"
)

// patience is how long a Reordered write waits for another to go first.
const patience = 20 * time.Millisecond

// A message is a write that was sent and is not carried out yet.
type message struct {
	call Call
	send func() error
}

// An overtaking is a Reordered write that waits for a later one.
type overtaking struct {
	n    int           // the number of the call that waits
	done chan struct{} // closed once a later write was carried out
}

// Held returns the writes that are held, in the order in which they were sent.
func (f *Engine) Held() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := make([]Call, len(f.held))
	for i, m := range f.held {
		calls[i] = m.call
	}
	return calls
}

// Deliver carries out the given writes that are held, or all held writes if none is given, in
// the order in which they were sent. It returns their answers, for which no caller waits any
// more; that of InsertMany joins the errors by position. The process may be dead by then: its
// messages are under way all the same. Deliveries do not count as calls.
func (f *Engine) Deliver(which ...Call) []error {
	f.mu.Lock()
	var due []message
	f.held = slices.DeleteFunc(f.held, func(m message) bool {
		chosen := len(which) == 0 || slices.Contains(which, m.call)
		if chosen {
			due = append(due, m)
		}
		return chosen
	})
	f.mu.Unlock()
	errs := make([]error, len(due))
	for i, m := range due {
		errs[i] = m.send()
	}
	return errs
}

// deliver carries out a call as its fault says, at once or later. A call whose context has
// ended was never sent, so it cannot be late.
func deliver[T any](ctx context.Context, f *Engine, x fault, call func(context.Context) (T, error)) (answer T, err error) {
	if !x.call.Write() || ctx.Err() != nil {
		return call(ctx)
	}
	sent := context.WithoutCancel(ctx)
	if x.meets(Late) {
		f.hold(message{x.call, func() error { return joined(call(sent)) }})
		return answer, nil
	}
	defer f.overtake(x.call.N)
	if x.meets(Reordered) {
		f.giveWay(ctx, x.call.N)
		return call(sent)
	}
	answer, err = call(ctx)
	if x.meets(Twice) {
		_, _ = call(sent) // no caller waits for the second answer
	}
	return answer, err
}

// joined joins the errors of an answer.
func joined[T any](answer T, err error) error {
	if positions, ok := any(answer).([]error); ok {
		return errors.Join(append(positions, err)...)
	}
	return err
}

func (f *Engine) hold(m message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = append(f.held, m)
}

// giveWay waits until a write that was sent after the n-th call was carried out.
func (f *Engine) giveWay(ctx context.Context, n int) {
	o := overtaking{n, make(chan struct{})}
	f.mu.Lock()
	f.behind = append(f.behind, o)
	f.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.done:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = slices.DeleteFunc(f.behind, func(other overtaking) bool { return other.n == n })
}

// overtake releases the calls that waited for a later call, such as the n-th, to go first.
func (f *Engine) overtake(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = slices.DeleteFunc(f.behind, func(o overtaking) bool {
		if o.n < n {
			close(o.done)
		}
		return o.n < n
	})
}

// Package meter is what a call may use of the process, told by its context: processors, which
// long work shares with other work turn by turn, and memory, which a read asks for before it
// copies documents.
package meter

import "context"

// A Meter counts the steps of work that lasts as long as what clients have sent and stored
// makes it. A step is an element of a document that is looked at, some ten nanoseconds.
// Every so many steps the meter looks whether the context has ended, and lets other work
// go on: see Turn. A nil Meter counts nothing. A Meter is for one goroutine.
type Meter struct {
	ctx     context.Context
	turn    Turn
	steps   int
	checkAt int // the step at which to look again
	err     error
}

// checkEvery is after how many steps a meter looks: a tenth of a millisecond.
const checkEvery = 1 << 13

// New returns a meter for work under a context, which takes one of the turns that the
// context has: see WithTurns.
func New(ctx context.Context) *Meter {
	return &Meter{ctx: ctx, turn: TurnOf(ctx), checkAt: checkEvery}
}

// WithoutTurns returns a meter for work under a context that lets no other work go
// first, since it holds locks.
func WithoutTurns(ctx context.Context) *Meter {
	return &Meter{ctx: ctx, turn: NoTurn, checkAt: checkEvery}
}

// Take counts n steps. It reports false when the work is to end.
func (m *Meter) Take(n int) bool {
	if m == nil {
		return true
	}
	m.steps += n
	return m.steps < m.checkAt || m.look()
}

func (m *Meter) look() bool {
	if m.err != nil {
		return false
	}
	if m.err = m.ctx.Err(); m.err == nil && m.turn != nil {
		m.err = m.turn.Rest(m.ctx)
	}
	if m.err != nil {
		return false
	}
	m.checkAt = m.steps + checkEvery
	return true
}

// Steps is how many were counted.
func (m *Meter) Steps() int { return m.steps }

// Err is why the work is to end, nil while it is not: the error of the context.
func (m *Meter) Err() error {
	if m == nil {
		return nil
	}
	return m.err
}

// Done says that the work is going to wait for something other than a processor, or is over.
func (m *Meter) Done() {
	if m != nil && m.turn != nil {
		m.turn.Done()
	}
}

// A Turn is how one piece of work shares the processors with others. Work that waits in
// Rest may hold a view of data, and must hold nothing that other work needs to go on.
type Turn interface {
	// Rest is called every now and then, and returns when the work may go on, or the error
	// of the context.
	Rest(ctx context.Context) error
	// Take waits at once: what comes next is known to be long, and cannot rest.
	Take(ctx context.Context) error
	// Done is called before the work waits for something else, and at its end.
	Done()
}

type turnsKey struct{}

// LongBytes is from how many bytes on work that cannot rest, such as a copy, is long.
const LongBytes = 256 << 10

// TurnOf returns a turn for work under a context. Where that has none, nothing waits.
func TurnOf(ctx context.Context) Turn {
	if turns, ok := ctx.Value(turnsKey{}).(func() Turn); ok {
		return turns()
	}
	return NoTurn
}

// HasTurns reports whether work under a context shares the processors with others, as that
// of clients does.
func HasTurns(ctx context.Context) bool { return ctx.Value(turnsKey{}) != nil }

// TurnFor is TurnOf for work on so many bytes that cannot rest. If the work is long, it
// waits first.
func TurnFor(ctx context.Context, bytes int) (Turn, error) {
	turn := TurnOf(ctx)
	if bytes < LongBytes {
		return turn, turn.Rest(ctx)
	}
	return turn, turn.Take(ctx)
}

// NoTurn never waits.
var NoTurn Turn = noTurn{}

type noTurn struct{}

func (noTurn) Rest(context.Context) error { return nil }
func (noTurn) Take(context.Context) error { return nil }
func (noTurn) Done()                      {}

// WithTurns returns a context for reads that share the processors with others: each begins a
// turn of its own.
func WithTurns(ctx context.Context, begin func() Turn) context.Context {
	return context.WithValue(ctx, turnsKey{}, begin)
}

package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
)

// ErrDied is what a Faulty engine answers from its death on. It is none of
// docdb's errors, so that no code takes it for one that it knows how to treat.
var ErrDied = errors.New("docdbtest: the process died")

// Mode says when in a call the fault comes, or what becomes of a call's message.
type Mode int

const (
	// Before: the call has no effect.
	Before Mode = iota
	// After: the call has its whole effect, and its answer is lost. A Find
	// yields everything and then fails.
	After
	// Midway: InsertMany adds the first half of the documents, Find fails after
	// the first one; everything else as After.
	Midway
	// Late: a write has no effect and no answer yet. It is held until Deliver
	// carries it out, as a message is that its sender has given up. Reads, which
	// have no effect that could be late, do not meet it, nor the next two.
	Late
	// Twice: a write is carried out twice in a row. The first answer counts.
	Twice
	// Reordered: a write is carried out after the next one, and then answers. Where none
	// comes it is carried out after a little while, or when its context ends.
	Reordered
)

// Modes are those of a call that is carried out at once or never.
var Modes = []Mode{Before, After, Midway}

// String implements fmt.Stringer.
func (m Mode) String() string {
	return [...]string{"before", "after", "midway", "late", "twice", "reordered"}[m]
}

// A Call is one call of an engine.
type Call struct {
	N  int    // counted from 1
	Op string // the method's name: "Insert", "Find", "Create", "Ping"
	// Database and Collection are what it is called on, empty if it is on no
	// one; for Create and Drop the name, for List the prefix.
	Database, Collection string
	// Context is the caller's.
	Context context.Context
}

// Write reports whether the call changes anything.
func (c Call) Write() bool {
	switch c.Op {
	case "Create", "Drop", "Insert", "InsertMany", "Replace", "Delete", "CreateIndex", "DropIndex", "CarryIndexes", "CarryOptions":
		return true
	}
	return false
}

// String implements fmt.Stringer.
func (c Call) String() string { return fmt.Sprintf("call %d, %s on %q", c.N, c.Op, c.Collection) }

// Faulty is an engine that fails, or dies, at a call that a test chooses, or whose
// messages are late. Every call of Ping, Database and Collection that does I/O counts as
// one, Find too (when its sequence is run). One Faulty is one process: it stays dead, and
// the test goes on with another Faulty, or with the engine itself, which was never told.
type Faulty struct {
	engine docdb.Engine

	mu     sync.Mutex
	calls  int
	dead   bool
	at     int // the call with a fault, 0 for none
	mode   Mode
	dies   bool // the fault is death
	choose func(Call) (Mode, bool)
	hook   func(Call) error
	fatal  Call // the call it died at
	held   []message
	behind []overtaking
}

// NewFaulty returns an engine that is as good as engine until it is told otherwise.
func NewFaulty(engine docdb.Engine) *Faulty { return &Faulty{engine: engine} }

// DieAt makes the k-th call, counted from 1 as Calls does, the last one: it and all that come
// later fail with ErrDied, and so do those in progress then, whose effect may be there.
func (f *Faulty) DieAt(k int, mode Mode) { f.set(k, mode, true) }

// FailAt makes the k-th call meet the mode and no other. It fails with ErrOutcomeUnknown
// if it is a write that has its effect, or a part of it, or may have it yet, else with
// ErrUnavailable; Twice and Reordered let it succeed.
func (f *Faulty) FailAt(k int, mode Mode) { f.set(k, mode, false) }

func (f *Faulty) set(k int, mode Mode, dies bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.mode, f.dies = k, mode, dies
}

// FailOn makes every call meet the mode that choose says, if it says one, as FailAt
// does. It is asked about one call at a time, in their order, and must not call the
// engine. Nil: none.
func (f *Faulty) FailOn(choose func(Call) (Mode, bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.choose = choose
}

// Nth chooses, for FailOn, the n-th call from now on, counted from 1, of a method on
// the collections whose names begin with prefix.
func Nth(n int, op, prefix string, mode Mode) func(Call) (Mode, bool) {
	seen := 0
	return func(c Call) (Mode, bool) {
		if c.Op == op && strings.HasPrefix(c.Collection, prefix) {
			seen++
			return mode, seen == n
		}
		return mode, false
	}
}

// Kill makes it die now. What it holds can still be delivered.
func (f *Faulty) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// On has hook called at the beginning of every call; an error of its is the
// call's answer, which then has no effect. It may call anything: the engine
// itself, Kill, and this engine, whose calls then count and come to the hook too.
func (f *Faulty) On(hook func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns how many calls there were, those refused for being dead excepted.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Died reports whether it is dead, and the call it died at, if it was one.
func (f *Faulty) Died() (Call, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fatal, f.dead
}

// A fault is what shall go wrong with a call.
type fault struct {
	call Call
	mode Mode
	hit  bool
	dies bool
}

// meets reports whether the call meets a mode.
func (x fault) meets(m Mode) bool { return x.hit && x.mode == m }

// fails reports whether the call has no answer of its own.
func (x fault) fails() bool {
	return x.hit && (x.dies || !x.meets(Twice) && !x.meets(Reordered))
}

// err is the answer of a call that fails.
func (x fault) err() error {
	switch {
	case x.dies:
		return fmt.Errorf("%w at %s, %s its effect", ErrDied, x.call, x.mode)
	case x.call.Write() && x.mode != Before:
		return fmt.Errorf("%w: %s", docdb.ErrOutcomeUnknown, x.call)
	default:
		return fmt.Errorf("%w: %s", docdb.ErrUnavailable, x.call)
	}
}

// begin counts a call and says what shall go wrong with it. If it returns an
// error that is the answer, without an effect.
func (f *Faulty) begin(ctx context.Context, op, database, collection string) (fault, error) {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return fault{}, ErrDied
	}
	f.calls++
	x := f.next(Call{f.calls, op, database, collection, ctx})
	hook := f.hook
	f.mu.Unlock()

	if hook != nil {
		if err := hook(x.call); err != nil {
			return x, err
		}
	}
	if x.meets(Before) {
		return x, f.strike(x)
	}
	return x, f.answer(nil)
}

// next says what shall go wrong with a call. The caller holds the lock.
func (f *Faulty) next(call Call) fault {
	x := fault{call: call}
	if f.choose != nil {
		x.mode, x.hit = f.choose(call)
	}
	if call.N == f.at {
		x.mode, x.hit, x.dies = f.mode, true, f.dies
	}
	if x.mode >= Late && !call.Write() && !x.dies {
		x.hit = false
	}
	return x
}

// strike does what the fault says and returns the call's answer.
func (f *Faulty) strike(x fault) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x.dies && !f.dead {
		f.dead, f.fatal = true, x.call
	}
	if f.dead && !x.dies {
		return ErrDied
	}
	return x.err()
}

// answer is err, unless the process died while the call was under way.
func (f *Faulty) answer(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrDied
	}
	return err
}

// carryOut does what becomes of a call that has begun, and returns its answer,
// which is empty beside an error.
func carryOut[T any](ctx context.Context, f *Faulty, x fault, call func(context.Context) (T, error)) (T, error) {
	var none T
	answer, err := deliver(ctx, f, x, call)
	if x.fails() {
		return none, f.strike(x)
	}
	if err = f.answer(err); err != nil {
		return none, err
	}
	return answer, nil
}

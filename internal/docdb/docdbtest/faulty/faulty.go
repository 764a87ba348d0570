// Package faulty wraps a docdb.Engine into an engine that fails, dies, or delivers its writes
// late, twice or out of order, at the calls that a test chooses.
package faulty

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
)

// ErrDied is the answer to every call from the engine's death on. It is none of docdb's
// errors, so that no code under test treats it as an error that it knows.
var ErrDied = errors.New("faulty: the process died")

// Mode says when in a call the fault strikes, or what becomes of the call's message.
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
	// carries it out, like a message whose sender has given up. Reads have no effect
	// that could be late, so this mode and the next two do not apply to them.
	Late
	// Twice: a write is carried out twice in a row. The first answer counts.
	Twice
	// Reordered: a write is carried out after the write that follows it, and then answers.
	// If none follows, it is carried out after a short wait, or when its context ends.
	Reordered
)

// Modes are the modes in which a call is carried out at once or never.
var Modes = []Mode{Before, After, Midway}

// String implements fmt.Stringer.
func (m Mode) String() string {
	return [...]string{"before", "after", "midway", "late", "twice", "reordered"}[m]
}

// A Call is one call of an engine.
type Call struct {
	N  int    // counted from 1
	Op string // the method's name: "Insert", "Find", "Create", "Ping"
	// Database and Collection name what the call is on, empty for Ping. Collection is
	// the name that Create and Drop are given, and the prefix that List is.
	Database, Collection string
	// Context is the context of the caller.
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

// Engine is an engine that fails, or dies, at a call that a test chooses, or whose
// messages are late. Ping and every method of Database and Collection that does I/O count as
// calls, Find when its sequence is run. An Engine stands for one process: it stays dead, and
// the test goes on with another Engine on the same storage, or with the storage itself.
type Engine struct {
	engine docdb.Engine

	mu     sync.Mutex
	calls  int
	dead   bool
	at     int // the call with a fault, 0 for none
	mode   Mode
	dies   bool // the fault is death
	choose func(Call) (Mode, bool)
	hook   func(Call) error
	fatal  Call // the call at which the engine died
	held   []message
	behind []overtaking
}

// New returns an engine that passes all calls on to engine until a test chooses a fault.
func New(engine docdb.Engine) *Engine { return &Engine{engine: engine} }

// DieAt makes the engine die at the k-th call, counted from 1 as Calls does: that call and all
// later ones fail with ErrDied, and so do the calls in progress, which may have their effect.
func (f *Engine) DieAt(k int, mode Mode) { f.set(k, mode, true) }

// FailAt makes the k-th call, and no other, meet the mode. The call fails with ErrOutcomeUnknown
// if it is a write that has its effect, or a part of it, or may have it later, else with
// ErrUnavailable; with Twice and Reordered it succeeds.
func (f *Engine) FailAt(k int, mode Mode) { f.set(k, mode, false) }

func (f *Engine) set(k int, mode Mode, dies bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.mode, f.dies = k, mode, dies
}

// FailOn makes the calls for which choose returns true meet its mode, as FailAt does. choose
// is asked about one call at a time, in their order, and must not call the engine; nil chooses
// no call.
func (f *Engine) FailOn(choose func(Call) (Mode, bool)) {
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

// Kill makes the engine die now. The writes that it holds can still be delivered.
func (f *Engine) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// On has hook called at the beginning of every call. If hook returns an error, that is the
// call's answer, and the call has no effect. hook may call the engine beneath, Kill, and this
// engine too, whose calls then count and come to the hook as well.
func (f *Engine) On(hook func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Calls returns how many calls there were before the engine died.
func (f *Engine) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Died reports whether the engine is dead, and at which call it died, if not by Kill.
func (f *Engine) Died() (Call, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fatal, f.dead
}

// A fault is what goes wrong with a call.
type fault struct {
	call Call
	mode Mode
	hit  bool
	dies bool
}

// meets reports whether the call meets a mode.
func (x fault) meets(m Mode) bool { return x.hit && x.mode == m }

// fails reports whether the fault, and not the engine beneath, gives the call's answer.
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

// begin counts a call and returns its fault. If it returns an error, that is the call's
// answer, and the call has no effect.
func (f *Engine) begin(ctx context.Context, op, database, collection string) (fault, error) {
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

// next returns the fault of a call. The caller holds the lock.
func (f *Engine) next(call Call) fault {
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

// strike lets the engine die if the fault is death, and returns the call's answer.
func (f *Engine) strike(x fault) error {
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

// answer returns err, unless the engine died while the call was under way.
func (f *Engine) answer(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrDied
	}
	return err
}

// carryOut carries out a call that has begun as its fault says, and returns its answer.
func carryOut[T any](ctx context.Context, f *Engine, x fault, call func(context.Context) (T, error)) (T, error) {
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

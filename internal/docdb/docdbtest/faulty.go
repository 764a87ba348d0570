package docdbtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// ErrDied is what a Faulty engine answers from its death on. It is none of
// docdb's errors, so that no code takes it for one that it knows how to treat.
var ErrDied = errors.New("docdbtest: the process died")

// Mode says when in a call the fault comes.
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
)

// Modes are all modes.
var Modes = []Mode{Before, After, Midway}

// String implements fmt.Stringer.
func (m Mode) String() string { return [...]string{"before", "after", "midway"}[m] }

// A Call is one call of an engine.
type Call struct {
	N  int    // counted from 1
	Op string // the method's name: "Insert", "Find", "Create", "Ping"
	// Database and Collection are what it is called on, empty if it is on no
	// one; for Create and Drop the name, for List the prefix.
	Database, Collection string
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

// Faulty is an engine that fails, or dies, at a call that a test chooses. Every
// call of Ping, Database and Collection that does I/O counts as one, Find too
// (when its sequence is run). One Faulty is one process: it stays dead, and the test goes on with
// another Faulty, or with the engine itself, which was never told.
type Faulty struct {
	engine docdb.Engine

	mu    sync.Mutex
	calls int
	dead  bool
	at    int // the call with a fault, 0 for none
	mode  Mode
	dies  bool // the fault is death
	hook  func(Call) error
	fatal Call // the call it died at
}

// NewFaulty returns an engine that is as good as engine until it is told otherwise.
func NewFaulty(engine docdb.Engine) *Faulty { return &Faulty{engine: engine} }

// DieAt makes the k-th call, counted from 1 as Calls does, the last one: it and all that come
// later fail with ErrDied, and so do those in progress then, whose effect may be there.
func (f *Faulty) DieAt(k int, mode Mode) { f.set(k, mode, true) }

// FailAt makes the k-th call fail and no other: with ErrOutcomeUnknown a write
// that has its effect or a part of it, else with ErrUnavailable.
func (f *Faulty) FailAt(k int, mode Mode) { f.set(k, mode, false) }

func (f *Faulty) set(k int, mode Mode, dies bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.mode, f.dies = k, mode, dies
}

// Kill makes it die now.
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

// err is the call's answer.
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
func (f *Faulty) begin(op, database, collection string) (fault, error) {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return fault{}, ErrDied
	}
	f.calls++
	x := fault{call: Call{f.calls, op, database, collection}, hit: f.calls == f.at, mode: f.mode}
	x.dies = x.hit && f.dies
	hook := f.hook
	f.mu.Unlock()

	if hook != nil {
		if err := hook(x.call); err != nil {
			return x, err
		}
	}
	if x.hit && x.mode == Before {
		return x, f.strike(x)
	}
	return x, f.answer(nil)
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

// do runs one call.
func (f *Faulty) do(op, database, collection string, call func() error) error {
	x, err := f.begin(op, database, collection)
	if err != nil {
		return err
	}
	err = call()
	if x.hit {
		return f.strike(x)
	}
	return f.answer(err)
}

// Database implements docdb.Engine.
func (f *Faulty) Database(name string) docdb.Database {
	return faultyDatabase{f, name, f.engine.Database(name)}
}

// Ping implements docdb.Engine.
func (f *Faulty) Ping(ctx context.Context) error {
	return f.do("Ping", "", "", func() error { return f.engine.Ping(ctx) })
}

// Close closes the engine beneath, unless this one is dead: a dead process
// closes nothing.
func (f *Faulty) Close() error {
	if err := f.answer(nil); err != nil {
		return err
	}
	return f.engine.Close()
}

type faultyDatabase struct {
	f    *Faulty
	name string
	db   docdb.Database
}

func (d faultyDatabase) Create(ctx context.Context, name string) error {
	return d.f.do("Create", d.name, name, func() error { return d.db.Create(ctx, name) })
}

func (d faultyDatabase) Drop(ctx context.Context, name string) error {
	return d.f.do("Drop", d.name, name, func() error { return d.db.Drop(ctx, name) })
}

func (d faultyDatabase) List(ctx context.Context, prefix string) (names []string, err error) {
	err = d.f.do("List", d.name, prefix, func() error {
		names, err = d.db.List(ctx, prefix)
		return err
	})
	return ifNil(names, err), err
}

func (d faultyDatabase) CarryIndexes(ctx context.Context, from, to string) error {
	return d.f.do("CarryIndexes", d.name, to, func() error { return d.db.CarryIndexes(ctx, from, to) })
}

func (d faultyDatabase) CarryOptions(ctx context.Context, from, to string) error {
	return d.f.do("CarryOptions", d.name, to, func() error { return d.db.CarryOptions(ctx, from, to) })
}

func (d faultyDatabase) Collection(name string) docdb.Collection {
	return faultyCollection{d, name, d.db.Collection(name)}
}

type faultyCollection struct {
	db   faultyDatabase
	name string
	c    docdb.Collection
}

func (c faultyCollection) do(op string, call func() error) error {
	return c.db.f.do(op, c.db.name, c.name, call)
}

func (c faultyCollection) Insert(ctx context.Context, doc bson.Raw) error {
	return c.do("Insert", func() error { return c.c.Insert(ctx, doc) })
}

func (c faultyCollection) InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error) {
	f := c.db.f
	x, err := f.begin("InsertMany", c.db.name, c.name)
	if err != nil {
		return nil, err
	}
	if x.hit && x.mode == Midway {
		docs = docs[:len(docs)/2]
	}
	errs, err := c.c.InsertMany(ctx, docs)
	if x.hit {
		return nil, f.strike(x)
	}
	err = f.answer(err)
	return ifNil(errs, err), err
}

func (c faultyCollection) Get(ctx context.Context, id bson.RawValue) (doc bson.Raw, err error) {
	err = c.do("Get", func() error {
		doc, err = c.c.Get(ctx, id)
		return err
	})
	return ifNil(doc, err), err
}

func (c faultyCollection) Replace(ctx context.Context, id bson.RawValue, when docdb.Filter, doc bson.Raw) error {
	return c.do("Replace", func() error { return c.c.Replace(ctx, id, when, doc) })
}

func (c faultyCollection) Delete(ctx context.Context, id bson.RawValue, when docdb.Filter) error {
	return c.do("Delete", func() error { return c.c.Delete(ctx, id, when) })
}

func (c faultyCollection) Find(ctx context.Context, q docdb.Query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		f := c.db.f
		x, err := f.begin("Find", c.db.name, c.name)
		if err != nil {
			yield(nil, err)
			return
		}
		yielded := 0
		for doc, err := range c.c.Find(ctx, q) {
			if x.hit && (err != nil || x.mode == Midway && yielded == 1) {
				break
			}
			err = f.answer(err)
			if !yield(ifNil(doc, err), err) {
				if x.dies {
					_ = f.strike(x) // nobody is left to tell, but the process dies all the same
				}
				return
			}
			if err != nil {
				return
			}
			yielded++
		}
		if x.hit {
			yield(nil, f.strike(x))
		}
	}
}

func (c faultyCollection) Count(ctx context.Context, filter docdb.Filter) (n int64, err error) {
	err = c.do("Count", func() error {
		n, err = c.c.Count(ctx, filter)
		return err
	})
	if err != nil {
		n = 0
	}
	return n, err
}

func (c faultyCollection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	return c.do("CreateIndex", func() error { return c.c.CreateIndex(ctx, ix) })
}

func (c faultyCollection) DropIndex(ctx context.Context, name string) error {
	return c.do("DropIndex", func() error { return c.c.DropIndex(ctx, name) })
}

func (c faultyCollection) Indexes(ctx context.Context) (list []docdb.Index, err error) {
	err = c.do("Indexes", func() error {
		list, err = c.c.Indexes(ctx)
		return err
	})
	return ifNil(list, err), err
}

// ifNil keeps an answer from getting out beside an error.
func ifNil[T any](answer []T, err error) []T {
	if err != nil {
		return nil
	}
	return answer
}

// Package operation runs changes of several documents: a persisted plan, step by step, whose steps can
// be repeated. It knows leases, fencing tokens, retries and takeover, but not what the steps do.
package operation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// A Workflow is the steps of one operation. Each step's effect can be repeated and comes before the
// checkpoint of the step, so the function that runs an operation for a request is the one that resumes
// it after a crash.
type Workflow interface {
	Steps() []Step
	// Undo undoes whatever the steps may have done. It can be repeated.
	Undo(ctx context.Context) error
	// Forget reports whether to remove the operation's document at this outcome.
	Forget(out master.Outcome) bool
	// Acquired is called when another owner has run the operation before. Messages of that owner may
	// still arrive, and Acquired makes them harmless. trusted says that the former owner handed the
	// operation over, and that all its calls have returned.
	Acquired(ctx context.Context, trusted bool) error
	// Begun reports whether the operation has had an effect already.
	Begun(ctx context.Context) (bool, error)
	// LeaseLost removes the effects that this owner had after another took over.
	LeaseLost(ctx context.Context) error
	// Settled reports whether the answer of every call is known.
	Settled() bool
}

// A Step has one effect. It returns an *org.Error to refuse the operation,
// which is then undone; any other error leaves the operation as it is, to be
// tried again. It may decide things in the plan; the checkpoint keeps them.
type Step struct {
	Name string
	Do   func(context.Context) error
	// Skip says to leave the step out.
	Skip bool
	// Joins has the step share the checkpoint after the next one, unless the last checkpoint is
	// a while ago: after a crash in either, this one is repeated first. So it must be repeatable
	// when the next has had its effect, and decide the same again.
	Joins bool
	// Was are steps of earlier versions that this one has taken over: an operation that one of them has
	// left there goes on with this one.
	Was []string
	// Accepts marks the step after which the operation cannot be refused because of its
	// input any more.
	Accepts bool
}

// Config configures a Runner. All fields are required.
type Config struct {
	Operations master.Table[master.Operation, *master.Operation]
	Logger     *slog.Logger
	Now        func() time.Time
	// Instance names this process among those that share the databases.
	Instance string
	// Alone says that no other process can use the databases.
	Alone bool
	// LeaseTTL is how long the owner of an operation may be silent before another resumes it.
	LeaseTTL time.Duration
	// Workflows makes the workflow of an operation, by kind.
	Workflows map[master.Kind]func(*Execution) Workflow
	// Turn waits until an operation that a client asks for may begin. The runner calls leave when the
	// operation is over.
	Turn func(ctx context.Context, op *master.Operation) (leave func(), err error)
}

// A Runner runs the operations of this process.
type Runner struct {
	cfg    Config
	active active
	// places are for operations that are resumed. Each kind has places of its own: large
	// moves must not keep a name that a create has reserved.
	places map[master.Kind]chan struct{}
	// life ends when Close stops waiting for operations.
	life context.Context
	end  context.CancelFunc
}

// resumeAtOnce is how many operations of a kind are resumed at a time.
const resumeAtOnce = 4

// NewRunner returns a Runner, to be closed.
func NewRunner(ctx context.Context, cfg Config) *Runner {
	r := &Runner{cfg: cfg, places: map[master.Kind]chan struct{}{}}
	for kind := range cfg.Workflows {
		r.places[kind] = make(chan struct{}, resumeAtOnce)
	}
	r.life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	return r
}

// Stop ends all operations where they are.
func (r *Runner) Stop() { r.end() }

// Close waits for the operations in progress. When ctx ends first, they are
// stopped where they are, to be resumed by the next start or another instance.
func (r *Runner) Close(ctx context.Context) {
	defer r.end()
	stop := context.AfterFunc(ctx, r.end)
	defer stop()
	r.active.close()
}

// New makes the execution of a new operation, which is not stored yet. make is used instead of the
// kind's function in Config.Workflows, for a workflow with values that are not stored.
func (r *Runner) New(kind master.Kind, orgID string, p master.Plan, make func(*Execution) Workflow) (*Execution, error) {
	id, err := master.NewID()
	if err != nil {
		return nil, fault.Of(err)
	}
	now := r.cfg.Now()
	x := &Execution{runner: r, Op: &master.Operation{
		Meta: master.Meta{ID: id}, Kind: kind, OrgID: orgID, Plan: p, Outcome: master.Running,
		Lease:     master.Lease{Owner: r.cfg.Instance, Until: now.Add(r.cfg.LeaseTTL), Token: 1},
		CreatedAt: now, UpdatedAt: now,
	}}
	x.bind(make)
	x.Op.Step = x.steps[0].Name
	x.markedAt = time.Now()
	return x, nil
}

// Existing makes the execution of an operation that is stored.
func (r *Runner) Existing(op *master.Operation) (*Execution, error) {
	make, ok := r.cfg.Workflows[op.Kind]
	if !ok {
		return nil, fmt.Errorf("operation of unknown kind %q: made by a later version?", op.Kind)
	}
	x := &Execution{runner: r, Op: op, again: true}
	x.bind(make)
	return x, nil
}

// bind gives the execution its workflow.
func (x *Execution) bind(make func(*Execution) Workflow) {
	x.workflow = make(x)
	x.steps = x.workflow.Steps()
}

// Run persists a new operation and runs it to its end. It goes on when the
// caller's ctx ends: a client that leaves does not stop a change half-way.
func (r *Runner) Run(ctx context.Context, x *Execution) error {
	leave, err := r.cfg.Turn(ctx, x.Op)
	if err != nil {
		return fault.Of(err)
	}
	defer leave()
	x.Op.Lease.Until = r.cfg.Now().Add(r.cfg.LeaseTTL)
	if !r.active.enter(x.Op.ID) {
		return &org.Error{Kind: org.Unavailable, Message: "The server is stopping. Try again in a moment."}
	}
	defer r.active.leave(x.Op.ID)
	ctx, stop := r.outlive(ctx)
	defer stop()
	if err := x.persist(ctx); err != nil {
		return fault.Of(err)
	}
	return x.finish(ctx)
}

// Accept is Run, but returns after the step that Accepts. The rest goes on in the background, where
// Close waits for it. An operation that is refused before that is undone, and Accept returns the
// refusal.
func (r *Runner) Accept(ctx context.Context, x *Execution) (org.Operation, error) {
	accepted, ended := make(chan org.Operation, 1), make(chan error, 1)
	x.accepted = func() { accepted <- x.Op.Public() }
	go func() { ended <- r.Run(ctx, x) }()
	select {
	case op := <-accepted:
		return op, nil
	case err := <-ended:
		select {
		case op := <-accepted: // accepted, and ended before this select
			return op, nil
		default:
			return org.Operation{}, err
		}
	}
}

// outlive returns a context with ctx's values that ends with the runner.
func (r *Runner) outlive(ctx context.Context) (context.Context, func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(r.life, cancel)
	return out, func() { stop(); cancel() }
}

// Events returns a number that differs whenever an operation of this process has begun, or ended.
func (r *Runner) Events() uint64 {
	r.active.mu.Lock()
	defer r.active.mu.Unlock()
	return r.active.events
}

// active are the operations that this process is running.
type active struct {
	mu     sync.Mutex
	ids    map[string]struct{}
	events uint64 // how many have begun, and how many have ended
	closed bool
	wg     sync.WaitGroup
}

// enter returns false if the operation runs already or active is closed.
func (a *active) enter(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.ids[id]; ok || a.closed {
		return false
	}
	if a.ids == nil {
		a.ids = map[string]struct{}{}
	}
	a.ids[id] = struct{}{}
	a.events++
	a.wg.Add(1)
	return true
}

func (a *active) leave(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ids, id)
	a.events++
	a.wg.Done()
}

// close refuses further operations and waits for those that run.
func (a *active) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.wg.Wait()
}

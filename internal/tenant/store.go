// Package tenant is the tenant store: what happens to organizations in their life. Its parts are
// in the packages beneath it, each of which says what it needs:
//
//	move, data, repair, idempotency    what is done with collections, documents, leftovers and keys
//	operation, access                  the step runner; the protocol of reads and writes
//	cluster, master                    the other processes; the master database
//	walk, document, drain, retry, fault
//
// Nothing here needs a transaction over documents. Every change of several
// documents is an operation: a persisted plan, run step by
// step, whose steps can be repeated.
package tenant

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/data"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// Passwords hashes and checks passwords. *auth.Passwords is one.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify takes the same time whether the password is right or not, and
	// with an empty hash, which none matches.
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// Config is what a Store works with. Engine, MasterDB, TenantDB and Passwords
// are required.
type Config struct {
	Engine    docdb.Engine
	MasterDB  string // the database of organizations, admins and operations
	TenantDB  string // the database of the organizations' collections
	Passwords Passwords
	Logger    *slog.Logger
	Now       func() time.Time
	// Instance names this process among those that share the databases.
	// Default: a random name.
	Instance string
	// Exclusive says that no other process can use the databases, so that
	// what is unfinished at the start has no owner.
	Exclusive bool
	// MoveGrace is how long the collection that data was moved from is kept.
	// Default 0.
	MoveGrace time.Duration
	// DeleteGrace is how long a deleted organization can be restored. Default 0:
	// not at all, it is gone at once.
	DeleteGrace time.Duration
	// DeadAfter is how long an instance may be silent before a move no longer
	// waits for it. Default 30 s. The clocks of all instances must agree to within
	// a third of it.
	DeadAfter time.Duration
	// RecoverFor is how long Open waits for what a crash interrupted, with
	// Exclusive; the rest is finished in the background. Default 3 s.
	RecoverFor time.Duration
	// LeaseTTL is how long an operation is left alone when its owner is not
	// heard of. Default 12 s: with the search for such operations every five seconds a name that
	// a killed create has reserved is free or in use twenty seconds later.
	LeaseTTL time.Duration
	// MaxOrganizations is how many organizations there may be; 0 is no limit.
	MaxOrganizations int64
	// MaxKeys is how many idempotency keys are remembered of each organization, and of the
	// strangers of each network; 0 is no limit.
	MaxKeys int64
	// MaxMoves is how many moves that clients ask for go on at a time here; 0 is no limit.
	MaxMoves int
	// Phase, if not nil, is told what Open is about to do, where that may take a while.
	Phase func(what string)

	// rewire, if not nil, replaces parts of the store before it is used.
	rewire func(*Store)
}

// Store is the tenant store. It is safe for concurrent use.
type Store struct {
	cfg      Config
	master   *master.Database
	tenant   docdb.Database
	registry *master.Registry
	cluster  cluster.Coordination
	access   *access.Access
	mover    *move.Mover
	runner   *operation.Runner
	repairer *repair.Repairer
	keys     *idempotency.Keys
	data     *data.Store
	capacity capacity
}

// Open prepares the master database and returns a Store. With cfg.Exclusive it
// first finishes what a crash left unfinished.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := newStore(ctx, cfg)
	if err := s.open(ctx); err != nil {
		s.runner.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	s.cfg.Phase("preparing the master database")
	if err := s.master.Prepare(ctx, s.upgrade); err != nil {
		return fmt.Errorf("prepare database %q: %w", s.cfg.MasterDB, err)
	}
	if !s.cluster.Alone() {
		return s.cluster.Join(ctx)
	}
	if err := s.recoverAll(ctx); err != nil {
		return fmt.Errorf("finish interrupted operations: %w", err)
	}
	return nil
}

// recoverAll finishes what a crash left unfinished.
func (s *Store) recoverAll(ctx context.Context) error {
	n, err := s.runner.Interrupted(ctx)
	if err != nil {
		return err
	}
	s.cfg.Phase(fmt.Sprintf("finishing %d interrupted operations", n))
	return s.runner.RecoverAll(ctx, s.cfg.RecoverFor)
}

// upgrade brings what an earlier version has left to the present format: a move that was
// interrupted begins anew, since its dirty set cannot be read.
func (s *Store) upgrade(ctx context.Context) error {
	open, err := s.master.Operations.Find(ctx, docdb.Eq("outcome", master.Running))
	if err != nil {
		return err
	}
	for _, op := range open {
		x, err := s.runner.Existing(op)
		if err != nil {
			return err
		}
		if err := x.Checkpoint(ctx, func(op *master.Operation) { op.Lease.Token++ }); err != nil {
			return err
		}
		if err := x.Workflow().Acquired(ctx, false); err != nil {
			return err
		}
	}
	return nil
}

// withDefaults returns the configuration with what was left out.
func (cfg Config) withDefaults() Config {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Phase == nil {
		cfg.Phase = func(string) {}
	}
	if cfg.Instance == "" {
		cfg.Instance = uuid.NewString()
	}
	cfg.LeaseTTL = cmp.Or(cfg.LeaseTTL, 12*time.Second)
	cfg.DeadAfter = cmp.Or(cfg.DeadAfter, 30*time.Second)
	cfg.RecoverFor = cmp.Or(cfg.RecoverFor, 3*time.Second)
	return cfg
}

// newStore returns a Store that has not touched the databases.
func newStore(ctx context.Context, cfg Config) *Store {
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, tenant: cfg.Engine.Database(cfg.TenantDB)}
	s.master = master.NewDatabase(cfg.Engine.Database(cfg.MasterDB), s.now)
	quarantine := cluster.NewQuarantine(s.master)
	s.registry = &master.Registry{
		Entries: s.master.Collections, Tenant: s.tenant, Names: master.NewNames(s.master, s.tenant),
		Isolate: quarantine.Isolate, Now: s.now,
	}
	instances := cluster.NewInstances(s.master.Database)
	if cfg.Exclusive {
		s.cluster = cluster.Single{}
		s.registry.Isolate = func(context.Context, string) error { return nil } // no message is late
		s.access = access.New(s.master, s.tenant, s.cluster)
	} else {
		shared := &cluster.Shared{Instances: instances, Now: s.now, DeadAfter: cfg.DeadAfter, Logger: cfg.Logger}
		s.cluster, s.access = shared, access.New(s.master, s.tenant, shared)
		shared.Settle, shared.Outdate = s.access.Settle, s.access.Outdate
	}
	s.data = data.NewStore(s.access, s.now)
	s.mover = &move.Mover{
		Master: s.master, Tenant: s.tenant, Registry: s.registry, Writers: s.access, Dirty: s.access.Dirty,
		Logger: cfg.Logger, Now: s.now, Grace: cfg.MoveGrace,
		Target: move.DoubtfulTarget, Verifier: move.Comparison{}, Pace: move.SteadyPace,
	}
	s.repairer = &repair.Repairer{
		Master: s.master, Tenant: s.tenant, Registry: s.registry, Instances: instances, Quarantine: quarantine,
		Dirty: s.access.Dirty, Logger: cfg.Logger, Now: s.now, Member: s.cluster.Member, Alone: cfg.Exclusive,
	}
	s.keys = idempotency.NewKeys(s.master, idempotency.Config{
		Now: s.now, Instance: cfg.Instance, Alone: cfg.Exclusive, LeaseTTL: cfg.LeaseTTL, Max: cfg.MaxKeys,
	})
	s.runner = operation.NewRunner(ctx, operation.Config{
		Operations: s.master.Operations, Logger: cfg.Logger, Now: s.now, Instance: cfg.Instance, Alone: cfg.Exclusive,
		LeaseTTL: cfg.LeaseTTL, Workflows: s.workflows(), Turn: moveTurn(move.NewPlaces(cfg.MaxMoves)),
	})
	if cfg.rewire != nil {
		cfg.rewire(s)
	}
	return s
}

// moveTurn has moves wait for one of the places.
func moveTurn(places *move.Places) func(context.Context, *master.Operation) (func(), error) {
	return func(ctx context.Context, op *master.Operation) (leave func(), err error) {
		if !op.Plan.Migrate {
			return func() {}, nil
		}
		return places.Enter(ctx, op.OrgID)
	}
}

// Close waits for the operations in progress. When ctx ends first, they are
// stopped where they are, to be resumed by the next start or another instance,
// and ctx's error is returned. The engine stays open.
func (s *Store) Close(ctx context.Context) error {
	s.runner.Close(ctx)
	s.cluster.Leave(context.WithoutCancel(ctx))
	return ctx.Err()
}

// Ready reports whether the storage can be read, and takes writes. Kinds: StorageFull,
// Unavailable.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.cfg.Engine.Ping(ctx); err != nil {
		return fault.Of(err)
	}
	if err := s.cluster.CheckTouch(); err != nil {
		return err
	}
	if c, ok := s.cfg.Engine.(docdb.WriteChecker); ok {
		return fault.Of(c.Writable())
	}
	return nil
}

// Beat says that this process is alive, and answers what other processes' moves
// ask of it. It is to be called again and again, a thirtieth of DeadAfter after it
// has returned; while moves are on it stays for a few seconds. Without it this process is soon
// taken for dead, and its writes are refused. With Exclusive it does nothing.
func (s *Store) Beat(ctx context.Context) error { return s.cluster.Beat(ctx) }

// Recover begins to resume every operation whose owner has not been heard of for the
// length of its lease, and those of this process that were interrupted. It does not wait
// for them: Close does. It is called now and then, by every instance.
func (s *Store) Recover(ctx context.Context) error { return s.runner.Recover(ctx) }

// Resume is Recover, and waits. It returns how many operations it brought to an end.
func (s *Store) Resume(ctx context.Context) (int, error) { return s.runner.Resume(ctx) }

// now is the time as documents hold it.
func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

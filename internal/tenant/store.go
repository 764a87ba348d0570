// Package tenant is the tenant store: the life of organizations, from create to delete. Its parts are
// in the packages beneath it:
//
//	move, data, repair, idempotency    moves of collections, documents, leftovers, idempotency keys
//	operation, access                  the step runner; the protocol of reads and writes
//	cluster, master                    the other processes; the master database
//	walk, document, drain, retry, fault
//
// Nothing here needs a transaction over documents. Every change of several
// documents is an operation: a persisted plan, run step by
// step, whose steps can be repeated.
package tenant

import (
	"context"
	"log/slog"
	"time"

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

// Passwords hashes and checks passwords, as *auth.Passwords does.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify takes the same time whether the password is right or wrong, and
	// for an empty hash, which no password matches.
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// Config configures a Store. Engine, MasterDB, TenantDB and Passwords are required.
type Config struct {
	Engine    docdb.Engine
	MasterDB  string // the database of organizations, admins and operations
	TenantDB  string // the database of the organizations' collections
	Passwords Passwords
	Logger    *slog.Logger
	Now       func() time.Time // the clock; the store rounds it to the precision of BSON
	// Instance names this process among those that share the databases.
	// Default: a random name.
	Instance string
	// Exclusive says that no other process can use the databases, so that operations
	// that are unfinished at the start have no owner.
	Exclusive bool
	// MoveGrace is how long the collection that data was moved from is kept.
	// Default 0.
	MoveGrace time.Duration
	// DeleteGrace is how long a deleted organization can be restored. Default 0: it is
	// gone at once.
	DeleteGrace time.Duration
	// DeadAfter is how long an instance may be silent before a move no longer waits for
	// the instance. Default 30 s. The clocks of all instances must agree to within a third of
	// this time.
	DeadAfter time.Duration
	// RestAfter is how long after its last write this process leaves the list of those that a move
	// waits for, until the next. Default 10 s.
	RestAfter time.Duration
	// RecoverFor is how long Open waits for operations that a crash interrupted, with
	// Exclusive; it finishes the rest in the background. Default 3 s.
	RecoverFor time.Duration
	// LeaseTTL is how long the owner of an operation may be silent before another instance
	// resumes the operation. Default 12 s: since instances look for such operations every six
	// seconds, a name that a killed create has reserved is free or in use after twenty seconds.
	LeaseTTL time.Duration
	// MaxOrganizations is how many organizations there may be; 0 is no limit.
	MaxOrganizations int64
	// MaxKeys is how many idempotency keys are remembered for each organization, and for the
	// clients without credentials of each network; 0 is no limit.
	MaxKeys int64
	// MaxMoves is how many moves that clients ask for run in this process at a time; 0 is no
	// limit.
	MaxMoves int
	// Phase, if not nil, is called with what Open is about to do, if that may take long.
	Phase func(what string)

	// rewire, if not nil, replaces parts of the store before it is used.
	rewire func(*Store)
}

// Store is the tenant store. It is safe for concurrent use.
type Store struct {
	cfg      Config // with defaults
	master   *master.Database
	registry *master.Registry
	cluster  cluster.Coordination
	access   *access.Access
	mover    *move.Mover
	runner   *operation.Runner
	repairer *repair.Repairer
	keys     *idempotency.Keys
	data     *data.Store

	names     *names
	logins    *logins
	capacity  *capacity
	creations *creations
	updates   *updates
	deletions *deletions
	grace     *grace
	states    *states
	leftovers *leftovers
	recovery  *recovery
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

// Beat records that this process is alive, and answers the moves of other processes. The caller
// calls it again and again, a thirtieth of DeadAfter after it has returned; during moves it takes a
// few seconds. Without it the others soon take this process for dead, and its writes are
// refused. With Exclusive, and while no client writes, it does nothing.
func (s *Store) Beat(ctx context.Context) error { return s.cluster.Beat(ctx) }

// Recover begins to resume every operation whose lease has expired, and the interrupted operations
// of this process. It does not wait for them: Close does. Every instance calls it now and then.
func (s *Store) Recover(ctx context.Context) error { return s.runner.Recover(ctx) }

// Resume is Recover, but waits. It returns how many operations have ended.
func (s *Store) Resume(ctx context.Context) (int, error) { return s.runner.Resume(ctx) }

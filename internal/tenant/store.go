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

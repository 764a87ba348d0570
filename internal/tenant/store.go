// Package tenant is the tenant store: the master metadata, the collection of
// each organization, and the operations that create, change and delete them.
//
// Nothing here needs a transaction over documents. Every change of several
// documents is an operation (see operation.go): a persisted plan, run step by
// step, whose steps can be repeated. Master's documents and their rules are in
// records.go.
package tenant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
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

	// skip leaves parts of the move protocol out, for the tests that show that
	// each is needed.
	skip skip
}

// skip names parts of the move protocol: see Config.
type skip struct {
	dirtySet, epochs, drain, reread, fence, verify bool
	// conditions of the mover's writes; a fresh target after a write without an answer;
	// physical names that are used once; versions that are; an end of the catch-up beside
	// writers who are as fast as it.
	conditions, fresh, names, versions, steady bool
}

// Store is the tenant store. It is safe for concurrent use.
type Store struct {
	cfg    Config
	master docdb.Database
	tenant docdb.Database

	organizations table[organization, *organization]
	admins        table[admin, *admin]
	collections   table[collection, *collection]
	reservations  table[reservation, *reservation]
	operations    table[operation, *operation]
	instances     table[instance, *instance]
	quarantine    table[quarantined, *quarantined]
	idempotency   table[idempotent, *idempotent]
	names         table[nameCount, *nameCount]
	schemas       table[schema, *schema]

	sharedOrganizations latest[organization, *organization]
	sharedAdmins        latest[admin, *admin]

	gate       gate
	changes    changes // of organizations
	unanswered unanswered
	seen       sightings
	usages     usages
	tallies    tallies
	member     membership
	rounds     rounds

	// life ends when Close stops waiting for operations.
	life context.Context
	end  context.CancelFunc
	runs runs
	// places are for operations that are taken up.
	places     places
	movePlaces *movePlaces
	capacity   capacity
}

// Open prepares the master database and returns a Store. With cfg.Exclusive it
// first finishes what a crash left unfinished.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := newStore(ctx, cfg)
	s.cfg.Phase("preparing the master database")
	if err := s.prepare(ctx); err != nil {
		s.end()
		return nil, fmt.Errorf("prepare database %q: %w", cfg.MasterDB, err)
	}
	if !cfg.Exclusive {
		err := s.register(ctx)
		if err != nil {
			s.end()
		}
		return s, err
	}
	if err := s.recoverAll(ctx); err != nil {
		s.end()
		return nil, fmt.Errorf("finish interrupted operations: %w", err)
	}
	return s, nil
}

// newStore returns a Store that has not touched the databases.
func newStore(ctx context.Context, cfg Config) *Store {
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
	s := &Store{cfg: cfg, master: cfg.Engine.Database(cfg.MasterDB), tenant: cfg.Engine.Database(cfg.TenantDB), places: newPlaces()}
	s.organizations.c, s.organizations.changing = s.master.Collection("organizations"), &s.changes
	s.admins.c = s.master.Collection("admins")
	s.collections.c = s.master.Collection("collections")
	s.reservations.c = s.master.Collection("reservations")
	s.operations.c = s.master.Collection("operations")
	s.instances.c = s.master.Collection("instances")
	s.quarantine.c = s.master.Collection("quarantine")
	s.idempotency.c = s.master.Collection("idempotency")
	s.names.c = s.master.Collection("names")
	s.schemas.c = s.master.Collection("schema")
	if cfg.skip.versions {
		s.organizations.counting, s.admins.counting, s.reservations.counting = true, true, true
	}
	s.movePlaces = newMovePlaces(cfg.MaxMoves)
	s.sharedOrganizations.table, s.sharedAdmins.table = s.organizations, s.admins
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// Close waits for the operations in progress. When ctx ends first, they are
// stopped where they are, to be resumed by the next start or another instance,
// and ctx's error is returned. The engine stays open.
func (s *Store) Close(ctx context.Context) error {
	defer s.end()
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	s.runs.close()
	s.leave(context.WithoutCancel(ctx))
	return ctx.Err()
}

// Ready reports whether the storage can be read, and takes writes. Kinds: StorageFull,
// Unavailable.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.cfg.Engine.Ping(ctx); err != nil {
		return fault(err)
	}
	if err := s.mayWrite(); err != nil {
		return err
	}
	if c, ok := s.cfg.Engine.(docdb.WriteChecker); ok {
		return fault(c.Writable())
	}
	return nil
}

// now is the time as documents hold it.
func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// newID returns a UUID that sorts by the time it was made.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// roomMadeIn is what clients are told to wait while the disk is full.
const roomMadeIn = 30 * time.Second

// fault turns what an engine answers into what a caller may see.
func fault(err error) error {
	var known *org.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, docdb.ErrOutcomeUnknown):
		return outcomeUnknown(err)
	case errors.Is(err, docdb.ErrNoSpace):
		return &org.Error{Kind: org.StorageFull, RetryAfter: roomMadeIn, Err: err}
	case errors.Is(err, docdb.ErrUnavailable), errors.Is(err, docdb.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &org.Error{Kind: org.Unavailable, Message: "The storage does not answer. Try again in a moment.", Err: err}
	}
	return &org.Error{Kind: org.Internal, Err: err}
}

func outcomeUnknown(err error) error {
	return &org.Error{
		Kind:    org.OutcomeUnknown,
		Message: "The storage stopped answering half-way. The change will be finished or undone as soon as it answers again: look before you try again.",
		Err:     err,
	}
}

// runs are the operations that this process is running.
type runs struct {
	mu     sync.Mutex
	ids    map[string]struct{}
	closed bool
	wg     sync.WaitGroup
}

// enter reports false when the operation runs already or runs are closed.
func (r *runs) enter(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok || r.closed {
		return false
	}
	if r.ids == nil {
		r.ids = map[string]struct{}{}
	}
	r.ids[id] = struct{}{}
	r.wg.Add(1)
	return true
}

func (r *runs) leave(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, id)
	r.wg.Done()
}

// close lets none enter and waits for those that have.
func (r *runs) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wg.Wait()
}

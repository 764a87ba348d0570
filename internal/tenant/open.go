package tenant

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/data"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
	"github.com/orgd/orgd/internal/tenant/workflow"
)

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
	if err := s.master.Prepare(ctx, s.recovery.upgrade); err != nil {
		return fmt.Errorf("prepare database %q: %w", s.cfg.MasterDB, err)
	}
	if !s.cluster.Alone() {
		return s.cluster.Join(ctx)
	}
	if err := s.recovery.finish(ctx); err != nil {
		return fmt.Errorf("finish interrupted operations: %w", err)
	}
	return nil
}

// withDefaults returns the configuration with defaults for the fields that are not set.
func (cfg Config) withDefaults() Config {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	exact := cfg.Now
	cfg.Now = func() time.Time { return exact().UTC().Truncate(time.Millisecond) } // the precision of BSON
	if cfg.Phase == nil {
		cfg.Phase = func(string) {}
	}
	if cfg.Instance == "" {
		cfg.Instance = uuid.NewString()
	}
	cfg.LeaseTTL = cmp.Or(cfg.LeaseTTL, 12*time.Second)
	cfg.DeadAfter = cmp.Or(cfg.DeadAfter, 30*time.Second)
	cfg.RestAfter = cmp.Or(cfg.RestAfter, 10*time.Second)
	cfg.RecoverFor = cmp.Or(cfg.RecoverFor, 3*time.Second)
	return cfg
}

// newStore returns a Store that has not touched the databases.
func newStore(ctx context.Context, cfg Config) *Store {
	cfg = cfg.withDefaults()
	tenant := cfg.Engine.Database(cfg.TenantDB)
	s := &Store{cfg: cfg, master: master.NewDatabase(cfg.Engine.Database(cfg.MasterDB), cfg.Now)}
	quarantine := cluster.NewQuarantine(s.master)
	s.registry = &master.Registry{
		Entries: s.master.Collections, Tenant: tenant, Names: master.NewNames(s.master),
		Isolate: quarantine.Isolate, Now: cfg.Now,
	}
	instances := cluster.NewInstances(s.master.Database)
	if cfg.Exclusive {
		s.cluster = cluster.Single{}
		s.registry.Isolate = func(context.Context, string) error { return nil } // no message is late
		s.access = access.New(s.master, tenant, s.cluster)
	} else {
		shared := &cluster.Shared{
			Instances: instances, Now: cfg.Now, DeadAfter: cfg.DeadAfter, RestAfter: cfg.RestAfter, Logger: cfg.Logger,
		}
		s.cluster, s.access = shared, access.New(s.master, tenant, shared)
		shared.Settle, shared.Outdate, shared.Unanswered = s.access.Settle, s.access.Outdate, s.access.Unanswered
	}
	s.data = data.NewStore(s.access, cfg.Now)
	s.mover = &move.Mover{
		Master: s.master, Tenant: tenant, Registry: s.registry, Writers: s.access, Dirty: s.access.Dirty,
		Logger: cfg.Logger, Now: cfg.Now, Grace: cfg.MoveGrace,
		Target: move.DoubtfulTarget, Verifier: move.Comparison{}, Pace: move.SteadyPace,
	}
	s.repairer = &repair.Repairer{
		Master: s.master, Tenant: tenant, Registry: s.registry, Instances: instances, Quarantine: quarantine,
		Dirty: s.access.Dirty, Logger: cfg.Logger, Now: cfg.Now, Member: s.cluster.Member, Alone: cfg.Exclusive,
	}
	s.keys = idempotency.NewKeys(s.master, idempotency.Config{
		Now: cfg.Now, Instance: cfg.Instance, Alone: cfg.Exclusive, LeaseTTL: cfg.LeaseTTL, Max: cfg.MaxKeys,
	})
	s.assemble(ctx)
	if cfg.rewire != nil {
		cfg.rewire(s)
	}
	return s
}

// assemble adds the work that the store does with these parts.
func (s *Store) assemble(ctx context.Context) {
	cfg, m := s.cfg, s.master
	s.capacity = &capacity{
		organizations: m.Organizations.Collection, most: cfg.MaxOrganizations, alone: s.cluster.Alone, now: cfg.Now,
	}
	flows := &workflow.Workflows{
		Master: m, Registry: s.registry, Mover: s.mover, Repairer: s.repairer, Keys: s.keys, Left: s.capacity.left, Now: cfg.Now,
	}
	s.runner = operation.NewRunner(ctx, operation.Config{
		Operations: m.Operations, Logger: cfg.Logger, Now: cfg.Now, Instance: cfg.Instance, Alone: cfg.Exclusive,
		LeaseTTL: cfg.LeaseTTL, Workflows: flows.ByKind(), Turn: moveTurn(move.NewPlaces(cfg.MaxMoves)),
	})
	refused := &taken{reservations: &m.Reservations}
	s.creations = &creations{taken: refused,
		passwords: cfg.Passwords, operations: &m.Operations, runner: s.runner, workflows: flows,
		instance: cfg.Instance, leaseTTL: cfg.LeaseTTL, now: cfg.Now,
	}
	s.updates = &updates{
		access: s.access, taken: refused, passwords: cfg.Passwords, runner: s.runner, workflows: flows,
	}
	s.deletions = &deletions{access: s.access, runner: s.runner, workflows: flows}
	s.states = &states{organizations: &m.Organizations, logger: cfg.Logger, now: cfg.Now}
	s.grace = &grace{
		length: cfg.DeleteGrace, access: s.access, organizations: &m.Organizations, states: s.states,
		deletions: s.deletions, logger: cfg.Logger, now: cfg.Now,
	}
	s.names = &names{master: m}
	s.logins = &logins{reservations: &m.Reservations, access: s.access, passwords: cfg.Passwords}
	s.leftovers = &leftovers{repairer: s.repairer, keys: s.keys, runner: s.runner, now: cfg.Now}
	s.recovery = &recovery{operations: &m.Operations, runner: s.runner, phase: cfg.Phase, waits: cfg.RecoverFor}
}

// moveTurn makes moves wait for one of the places.
func moveTurn(places *move.Places) func(context.Context, *master.Operation) (func(), error) {
	return func(ctx context.Context, op *master.Operation) (leave func(), err error) {
		if !op.Plan.Migrate {
			return func() {}, nil
		}
		return places.Enter(ctx, op.OrgID)
	}
}

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
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
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

// upgrade converts the master database of an earlier version: an interrupted move begins anew,
// since this version cannot read its dirty set.
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

// withDefaults returns the configuration with defaults for the fields that are not set.
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

// moveTurn makes moves wait for one of the places.
func moveTurn(places *move.Places) func(context.Context, *master.Operation) (func(), error) {
	return func(ctx context.Context, op *master.Operation) (leave func(), err error) {
		if !op.Plan.Migrate {
			return func() {}, nil
		}
		return places.Enter(ctx, op.OrgID)
	}
}

// workflows returns the workflow of each kind of operation.
func (s *Store) workflows() map[master.Kind]func(*operation.Execution) operation.Workflow {
	return map[master.Kind]func(*operation.Execution) operation.Workflow{
		master.Create: s.createWorkflow(""),
		master.Update: s.updateWorkflow(""),
		master.Delete: s.deleteWorkflow,
	}
}

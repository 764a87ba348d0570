package repair

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/master"
)

// A Repairer removes what dead instances have left behind, and reports inconsistencies. All fields must
// be set.
type Repairer struct {
	Master     *master.Database
	Tenant     docdb.Database
	Registry   *master.Registry
	Instances  cluster.Instances
	Quarantine cluster.Quarantine
	Dirty      access.DirtySets
	Logger     *slog.Logger
	Now        func() time.Time
	// Member is the instance that this process is.
	Member func() string
	// Alone says that no other process can use the databases.
	Alone bool

	rounds rounds
}

const (
	// orphansEvery is how often all physical collections are listed, which costs
	// more the more organizations there are.
	orphansEvery = 5 * time.Minute
	// deadFor is how long a silent instance keeps its document. Movers wait for DeadAfter only;
	// this is for instances that no mover asks.
	deadFor = time.Hour
)

// rounds is the progress of this process's reconciler.
type rounds struct {
	mu                                               sync.Mutex
	organizations, reservations, collections, admins round
	orphansAt                                        time.Time
	told                                             map[string]bool // orphans that were reported
}

// round is the progress in one table.
type round struct {
	place string // the _id that the last page ended at; empty: at the beginning
	laps  int    // how often the end has been reached
}

// Reconcile removes what dead instances have left behind, and what was kept for a time that is over.
// Every instance calls it now and then: it makes every change by compare-and-swap, and it can be
// repeated. A call looks at a part of the databases, the next call at the next part; or at everything,
// if thorough.
func (s *Repairer) Reconcile(ctx context.Context, thorough bool) error {
	var errs []error
	for _, part := range s.Parts(thorough) {
		errs = append(errs, part(ctx))
	}
	return errors.Join(errs...)
}

// Parts are what Reconcile does, one after the other. Each can be done by itself.
func (s *Repairer) Parts(thorough bool) []func(context.Context) error {
	r := &s.rounds
	parts := []func(context.Context) error{
		// In the order of CleanUp: a record that one function makes useless is removed by the next.
		lap(s.Master.Organizations, &r.organizations, thorough, each(s.cleanOrganization)),
		lap(s.Master.Reservations.Table, &r.reservations, thorough, s.cleanReservations),
		func(ctx context.Context) error {
			return master.ForEach(ctx, s.Master.Collections, docdb.Eq("state", master.Building), s.cleanCollection)
		},
		func(ctx context.Context) error {
			return master.ForEach(ctx, s.Master.Collections, docdb.Eq("state", master.Retired), s.cleanCollection)
		},
		lap(s.Master.Collections, &r.collections, thorough, s.cleanLive),
		lap(s.Master.Admins, &r.admins, thorough, s.cleanAdmins),
		func(ctx context.Context) error { return s.sweepOrphans(ctx, thorough) },
		s.dropDirtySets,
		s.Quarantine.Expire, // after the orphans, which are known by it
		s.forgetInstances,
	}
	for i, part := range parts {
		parts[i] = func(ctx context.Context) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			return part(ctx)
		}
	}
	return parts
}

// lap returns the part of Reconcile that goes through a table.
func lap[T any, P master.Record[T]](t master.Table[T, P], r *round, thorough bool, clean func(context.Context, []P) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if thorough {
			r.place = ""
		}
		err := master.Round(ctx, t, &r.place, thorough, clean)
		if err == nil && r.place == "" {
			r.laps++
		}
		return err
	}
}

// each has every record of a page looked at.
func each[P any](clean func(context.Context, P) error) func(context.Context, []P) error {
	return func(ctx context.Context, page []P) error { return master.ForAll(ctx, page, clean) }
}

// Laps is how often Reconcile has reached the end of each table that it goes through.
func (s *Repairer) Laps() []int {
	r := &s.rounds
	r.mu.Lock()
	defer r.mu.Unlock()
	return []int{r.organizations.laps, r.reservations.laps, r.collections.laps, r.admins.laps}
}

// dropDirtySets drops the dirty sets of moves that are over. It lists the sets before it reads the
// operations, and an operation is stored before its set.
func (s *Repairer) dropDirtySets(ctx context.Context) error {
	sets, err := s.Master.List(ctx, access.DirtyPrefix)
	if err != nil {
		return err
	}
	return master.ForAll(ctx, sets, func(ctx context.Context, set string) error {
		opID, ok := access.DirtyOwner(set)
		if !ok {
			return nil
		}
		if over, err := s.Master.Over(ctx, opID); err != nil || !over {
			return err
		}
		return s.Master.Drop(ctx, set)
	})
}

// sweepOrphans drops physical collections without an entry that a late message has created after they
// were dropped. Other orphans do not belong to orgd, or need a decision of the operator: it logs them,
// once.
func (s *Repairer) sweepOrphans(ctx context.Context, thorough bool) error {
	r := &s.rounds
	if now := s.Now(); !thorough && now.Sub(r.orphansAt) < orphansEvery {
		return nil
	}
	orphans, err := s.orphans(ctx)
	if err != nil {
		return err
	}
	err = master.ForAll(ctx, orphans, s.sweepOrphan)
	if err == nil {
		r.orphansAt = s.Now()
	}
	return err
}

// orphans lists the physical collections without an entry. The registry is read
// last: an entry is there before its collection, and goes after it.
func (s *Repairer) orphans(ctx context.Context) ([]string, error) {
	physical, err := s.Tenant.List(ctx, org.CollectionPrefix)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for raw, err := range s.Master.Collections.Collection.Find(ctx, docdb.Query{}) {
		if err != nil {
			return nil, err
		}
		known[docdb.ID(raw).StringValue()] = true
	}
	return slices.DeleteFunc(physical, func(name string) bool { return known[name] }), nil
}

func (s *Repairer) sweepOrphan(ctx context.Context, name string) error {
	left, err := s.Quarantine.LeftBehind(ctx, name)
	if err != nil {
		return err
	}
	if !left {
		return s.tellOfOrphan(ctx, name)
	}
	swept, err := s.Registry.DropOrphan(ctx, &master.Collection{Meta: master.Meta{ID: name}})
	if swept {
		s.Logger.InfoContext(ctx, "dropped a collection that a late message had left behind", "collection_name", name, "error", err)
	}
	return err
}

// tellOfOrphan looks again before it logs an orphan, since the two lists were not read at the same
// moment.
func (s *Repairer) tellOfOrphan(ctx context.Context, name string) error {
	if s.rounds.told[name] {
		return nil
	}
	there, err := s.Tenant.List(ctx, name)
	if err != nil || !slices.Contains(there, name) {
		return err
	}
	entry, err := master.Found(s.Master.Collections.Get(ctx, name))
	if err != nil || entry != nil {
		return err
	}
	if s.rounds.told == nil {
		s.rounds.told = map[string]bool{}
	}
	s.rounds.told[name] = true
	s.Logger.WarnContext(ctx, "a collection belongs to no organization and is left alone; see orgd doctor", "collection_name", name)
	return nil
}

// forgetInstances removes the documents of instances that are dead.
func (s *Repairer) forgetInstances(ctx context.Context) error {
	mine := s.Member()
	return master.ForEach(ctx, s.Instances, docdb.Filter{}, func(ctx context.Context, m *cluster.Instance) error {
		if m.ID == mine || s.Now().Sub(m.SeenAt) < deadFor {
			return nil
		}
		return s.Instances.Remove(ctx, m)
	})
}

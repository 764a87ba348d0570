package tenant

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

const (
	// pageSize is how many organizations, admins and reservations each a round
	// of the reconciler looks at; the next round goes on behind them.
	pageSize = 200
	// ghostsEvery is how often all physical collections are listed, which costs
	// more the more organizations there are.
	ghostsEvery = 5 * time.Minute
	// deadFor is how long an instance that is not heard of keeps its document.
	// Movers wait for DeadAfter only; this is for those that nobody asks.
	deadFor = time.Hour
)

// rounds is how far this process's reconciler has come.
type rounds struct {
	mu sync.Mutex
	// The _ids that the last round ended at; empty: at the beginning.
	organizations, admins, reservations string
	ghostsAt                            time.Time
	told                                map[string]bool // ghosts that were reported
}

// Reconcile removes what instances have left behind that died, or stalled and
// then died, and what is kept for a time that is over. It is called now and then,
// by every instance: whatever it changes it changes by compare-and-swap, and it can be
// repeated. A call looks at a part of what there may be, the next one at the next.
func (s *Store) Reconcile(ctx context.Context) error { return s.reconcile(ctx, false) }

// reconcile looks at everything if thorough.
func (s *Store) reconcile(ctx context.Context, thorough bool) error {
	r := &s.rounds
	r.mu.Lock()
	defer r.mu.Unlock()
	if thorough {
		r.organizations, r.admins, r.reservations, r.ghostsAt = "", "", "", time.Time{}
	}
	return errors.Join(
		// In the order of tidy, so that what one makes useless the next removes.
		page(ctx, s.organizations, &r.organizations, thorough, s.tidyOrganization),
		page(ctx, s.reservations, &r.reservations, thorough, s.tidyReservation),
		forEach(ctx, s.collections, docdb.Eq("state", building), s.tidyCollection),
		forEach(ctx, s.collections, docdb.Eq("state", retired), s.tidyCollection),
		page(ctx, s.admins, &r.admins, thorough, s.tidyAdmin),
		s.sweepGhosts(ctx),
		s.dropDirtySets(ctx),
		s.expireQuarantine(ctx), // after the ghosts, which are known by it
		s.forgetInstances(ctx),
		s.expireAnswers(ctx),
		s.expireForestalled(ctx),
	)
}

// page calls f for the next documents in the order of _id, or for all that follow,
// and moves the mark behind them: to the beginning after the last.
func page[T any, P record[T]](ctx context.Context, t table[T, P], mark *string, all bool, f func(context.Context, P) error) error {
	for {
		q := docdb.Query{Limit: pageSize}
		if *mark != "" {
			q.After = &docdb.Position{ID: docdb.StringID(*mark)}
		}
		found, err := t.query(ctx, q)
		if err != nil {
			return err
		}
		*mark = ""
		if len(found) == pageSize {
			*mark = found[pageSize-1].meta().ID
		}
		if err := forAll(ctx, found, f); err != nil || *mark == "" || !all {
			return err
		}
	}
}

// dropDirtySets drops those whose move is over. The sets are listed before the
// operations are looked at, and an operation is there before its set.
func (s *Store) dropDirtySets(ctx context.Context) error {
	sets, err := s.master.List(ctx, dirtyPrefix)
	if err != nil {
		return err
	}
	return forAll(ctx, sets, func(ctx context.Context, set string) error {
		opID, ok := dirtyOwner(set)
		if !ok {
			return nil
		}
		if over, err := s.over(ctx, opID); err != nil || !over {
			return err
		}
		return s.master.Drop(ctx, set)
	})
}

// dirtyOwner is the inverse of dirtyName; false for another collection that only
// begins like a dirty set.
func dirtyOwner(set string) (opID string, ok bool) {
	opID, fence, _ := strings.Cut(strings.TrimPrefix(set, dirtyPrefix), "_")
	_, err := strconv.ParseInt(fence, 10, 64)
	return opID, err == nil && uuid.Validate(opID) == nil
}

// sweepGhosts drops physical collections without an entry that a late message has created
// after they were dropped. Others are somebody else's, or need a person to decide: it says
// so, once.
func (s *Store) sweepGhosts(ctx context.Context) error {
	r := &s.rounds
	if now := s.now(); now.Sub(r.ghostsAt) < ghostsEvery {
		return nil
	}
	ghosts, err := s.ghosts(ctx)
	if err != nil {
		return err
	}
	err = forAll(ctx, ghosts, s.sweepGhost)
	if err == nil {
		r.ghostsAt = s.now()
	}
	return err
}

// ghosts lists the physical collections without an entry. The registry is read
// last: an entry is there before its collection, and goes after it.
func (s *Store) ghosts(ctx context.Context) ([]string, error) {
	physical, err := s.tenant.List(ctx, org.CollectionPrefix)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for raw, err := range s.collections.c.Find(ctx, docdb.Query{}) {
		if err != nil {
			return nil, err
		}
		known[docdb.ID(raw).StringValue()] = true
	}
	return slices.DeleteFunc(physical, func(name string) bool { return known[name] }), nil
}

func (s *Store) sweepGhost(ctx context.Context, name string) error {
	left, err := s.leftBehind(ctx, name)
	if err != nil {
		return err
	}
	if !left {
		return s.tellOfGhost(ctx, name)
	}
	swept, err := s.dropGhost(ctx, &collection{Meta: Meta{ID: name}})
	if swept {
		s.cfg.Logger.InfoContext(ctx, "dropped a collection that a late message had left behind", "collection", name, "error", err)
	}
	return err
}

// tellOfGhost looks again, since the two lists were not of one moment, before it
// alarms anybody.
func (s *Store) tellOfGhost(ctx context.Context, name string) error {
	if s.rounds.told[name] {
		return nil
	}
	there, err := s.tenant.List(ctx, name)
	if err != nil || !slices.Contains(there, name) {
		return err
	}
	entry, err := found(s.collections.get(ctx, name))
	if err != nil || entry != nil {
		return err
	}
	if s.rounds.told == nil {
		s.rounds.told = map[string]bool{}
	}
	s.rounds.told[name] = true
	s.cfg.Logger.WarnContext(ctx, "a collection belongs to no organization and is left alone; see orgd doctor", "collection", name)
	return nil
}

// forgetInstances removes the documents of instances that are dead.
func (s *Store) forgetInstances(ctx context.Context) error {
	mine, _ := s.member.is()
	return forEach(ctx, s.instances, docdb.Filter{}, func(ctx context.Context, m *instance) error {
		if m.ID == mine || s.now().Sub(m.SeenAt) < deadFor {
			return nil
		}
		return s.instances.remove(ctx, m)
	})
}

package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// DrainOthers asks all other instances at the same time. An instance that joins later reads the
// organization as it is now.
func (s *Shared) DrainOthers(ctx context.Context, orgID string) error {
	token, err := master.NewID()
	if err != nil {
		return err
	}
	instances, err := s.Instances.Find(ctx, docdb.Filter{})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	answers := make(chan error, len(instances))
	for _, m := range instances {
		if !s.self.owns(m.ID) {
			all.Go(func() { answers <- s.drainOther(ctx, m.ID, Ask{token, orgID}) })
		}
	}
	all.Wait()
	close(answers)
	for answer := range answers {
		err = errors.Join(err, answer)
	}
	return err
}

func (s *Shared) drainOther(ctx context.Context, id string, a Ask) error {
	_, err := s.Instances.Change(ctx, id, func(m *Instance) (bool, error) {
		m.Asks = append(m.Asks, a)
		return true, nil
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.await(ctx, id, a.Token)
}

// await waits for one instance's answer. An instance that was silent for DeadAfter is taken for dead,
// for good: it finds its document gone before it acknowledges a write that a move may have missed.
func (s *Shared) await(ctx context.Context, id, token string) error {
	for {
		m, err := s.Instances.Get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(m.Asks, func(a Ask) bool { return a.Token == token }) {
			return nil
		}
		if s.Now().Sub(m.SeenAt) > s.DeadAfter {
			if err := s.Instances.Remove(ctx, m); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
				return err
			}
			continue
		}
		if err := retry.Pause(ctx, askEvery); err != nil {
			return err
		}
	}
}

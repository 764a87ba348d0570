package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// BeatEvery is how long after a Beat the next one is due, with the default of
// DeadAfter.
const BeatEvery = time.Second

const (
	// beats is how many beats an instance may miss before it is taken for dead.
	beats = 30
	// askEvery is how often instances look for asks, and movers for the answers, while there are
	// any; an instance goes on for attentive after the last ask. It bounds the pause of a move's
	// writers on several instances.
	askEvery  = 5 * time.Millisecond
	attentive = 5 * time.Second
	// answerWithin bounds how long one look waits for writes to end.
	answerWithin = 200 * time.Millisecond
)

// Beat records that this instance is alive, and answers the moves of other instances; or it has this
// process rest, which then has nothing to record. The caller calls it again and again, a thirtieth of
// DeadAfter after it has returned; during moves it takes a few seconds. Without it the others soon take
// this instance for dead, and its writes are refused.
func (s *Shared) Beat(ctx context.Context) error {
	err := s.beatWhileAsked(ctx)
	s.removeFormer(ctx)
	return err
}

func (s *Shared) beatWhileAsked(ctx context.Context) error {
	for {
		s.rest(ctx)
		id := s.Member()
		if id == "" {
			return nil
		}
		if err := s.beatOnce(ctx, id); err != nil {
			return err
		}
		if !s.self.attentive() {
			return nil
		}
		if err := retry.Pause(ctx, askEvery); err != nil {
			return err
		}
	}
}

// attentive reports whether a mover has asked a short time ago.
func (m *membership) attentive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.asked) <= attentive
}

func (s *Shared) beatOnce(ctx context.Context, id string) error {
	began := time.Now()
	if done, err := s.beatUnasked(ctx, id, began); done || err != nil {
		return err
	}
	i, err := s.Instances.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		s.Logger.WarnContext(ctx, "this instance was taken for dead: it was silent for too long", "instance", id)
		s.self.evicted(id)
		return nil
	}
	if err != nil {
		return err
	}
	if len(i.Asks) > 0 {
		s.self.ask(began)
	}
	answered := s.answer(ctx, i.Asks)
	if len(answered) == 0 && !s.due(i) {
		return nil
	}
	i, err = s.Instances.ChangeKnown(ctx, id, i, func(i *Instance) (bool, error) {
		i.SeenAt = s.Now()
		i.Asks = slices.DeleteFunc(i.Asks, func(a Ask) bool { return slices.Contains(answered, a.Token) })
		return true, nil
	})
	if err != nil {
		return master.UnlessGone(err)
	}
	s.self.recorded(i, began)
	return nil
}

// beatUnasked is a beat in one message, for an instance whose document nobody has changed since its last
// beat: if a mover has asked meanwhile, nothing is done, and the document has to be read.
func (s *Shared) beatUnasked(ctx context.Context, id string, began time.Time) (done bool, err error) {
	i := s.self.take(id)
	if i == nil || !s.due(i) {
		return false, nil
	}
	i.SeenAt = s.Now()
	err = s.Instances.Swap(ctx, i)
	if errors.Is(err, docdb.ErrNoMatch) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.self.recorded(i, began)
	return true, nil
}

// due reports whether it is time to record that an instance is alive.
func (s *Shared) due(i *Instance) bool { return s.Now().Sub(i.SeenAt) >= s.DeadAfter/beats }

// take returns the document of an instance if this process knows it, and forgets it: it is known again
// when the next beat is recorded.
func (m *membership) take(id string) *Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known
	m.known = nil
	if known == nil || known.ID != id {
		return nil
	}
	return known
}

// recorded notes a beat that succeeded, with the document that it wrote.
func (m *membership) recorded(i *Instance, began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id != i.ID {
		return
	}
	if m.beat = began; len(i.Asks) == 0 {
		m.known = i
	}
}

// ask notes that a mover has asked.
func (m *membership) ask(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = at
}

// evicted notes that the others have taken this process for dead, as that instance. The next write
// joins as another one; those in progress still belong to the former, for which no move waits.
func (m *membership) evicted(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id == id {
		m.id, m.known = "", nil
	}
}

// answer returns the tokens of the asks whose writes are over.
func (s *Shared) answer(ctx context.Context, asks []Ask) []string {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var (
		all      sync.WaitGroup
		mu       sync.Mutex
		answered []string
	)
	for _, a := range asks {
		all.Go(func() {
			if s.Settle(ctx, a.OrgID) == nil {
				mu.Lock()
				answered = append(answered, a.Token)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answered
}

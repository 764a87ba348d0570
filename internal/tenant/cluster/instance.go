package cluster

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// Instance is one document of master's `instances`: an orgd process that may have
// writes of tenant data in progress. Its _id is used once; a process that was taken for dead goes on
// under another. A process that is alone has no such document.
type Instance struct {
	master.Meta `bson:",inline"`
	SeenAt      time.Time `bson:"seen_at"`
	// Asks are the questions of movers: see Beat.
	Asks []Ask `bson:"asks"`
}

// An Ask is a mover's question whether every write on an organization that the instance had in
// progress is over. The instance answers by removing it.
type Ask struct {
	Token string `bson:"token"`
	OrgID string `bson:"org_id"`
}

// Instances are the processes that share the databases.
type Instances = master.Table[Instance, *Instance]

// NewInstances returns the instances that a master database knows.
func NewInstances(db docdb.Database) Instances { return master.NewTable[Instance](db, "instances") }

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

// Shared is the Coordination of processes that share the databases. All fields must be set
// before it is used.
type Shared struct {
	Instances Instances
	Now       func() time.Time
	// DeadAfter is how long an instance may be silent before a move no longer waits for it.
	DeadAfter time.Duration
	Logger    *slog.Logger
	// Settle returns when every write of this process on the organization that had begun is
	// over, and a move knows of those that got no answer.
	Settle func(ctx context.Context, orgID string) error
	// Outdate makes every organization that this process has read too old to rely on.
	Outdate func()

	self membership
}

// Alone implements Coordination.
func (s *Shared) Alone() bool { return false }

// Member implements Coordination.
func (s *Shared) Member() string {
	id, _ := s.self.is()
	return id
}

// membership is this process's place among the instances.
type membership struct {
	mu    sync.Mutex
	id    string
	beat  time.Time // when the last beat that succeeded began
	asked time.Time // when the last ask came
}

func (m *membership) is() (id string, beat time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id, m.beat
}

// Join implements Coordination.
func (s *Shared) Join(ctx context.Context) error {
	began := time.Now()
	id, err := master.NewID()
	if err != nil {
		return err
	}
	err = retry.Do(ctx, func() error {
		return s.Instances.Insert(ctx, &Instance{Meta: master.Meta{ID: id}, SeenAt: s.Now(), Asks: []Ask{}})
	})
	if err != nil && !errors.Is(err, docdb.ErrDuplicate) { // an earlier try was carried out
		return err
	}
	s.Outdate() // movers have not waited for this instance before
	s.self.mu.Lock()
	defer s.self.mu.Unlock()
	s.self.id, s.self.beat = id, began
	return nil
}

// Leave records that this process has no writes in progress any more. If the storage does not
// answer, the others take the process for dead some time later, to the same effect.
func (s *Shared) Leave(ctx context.Context) {
	id, _ := s.self.is()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.Instances.Collection.Delete(ctx, docdb.StringID(id), docdb.Filter{})
	if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
		s.Logger.WarnContext(ctx, "could not remove this instance from the list; the others will take it for dead", "error", err)
	}
}

// Beat records that this instance is alive, and answers the moves of other instances. The caller
// calls it again and again, a thirtieth of DeadAfter after it has returned; during moves it takes a few
// seconds. Without it the others soon take this instance for dead, and its writes are refused.
func (s *Shared) Beat(ctx context.Context) error {
	for {
		if err := s.beatOnce(ctx); err != nil {
			return err
		}
		s.self.mu.Lock()
		idle := time.Since(s.self.asked) > attentive
		s.self.mu.Unlock()
		if idle {
			return nil
		}
		if err := retry.Pause(ctx, askEvery); err != nil {
			return err
		}
	}
}

func (s *Shared) beatOnce(ctx context.Context) error {
	began := time.Now()
	id, _ := s.self.is()
	m, err := s.Instances.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		s.Logger.WarnContext(ctx, "this instance was taken for dead: it was silent for too long", "instance", id)
		return s.Join(ctx)
	}
	if err != nil {
		return err
	}
	answered := s.answer(ctx, m.Asks)
	if len(answered) > 0 || s.Now().Sub(m.SeenAt) >= s.DeadAfter/beats {
		_, err = s.Instances.Change(ctx, id, func(m *Instance) (bool, error) {
			m.SeenAt = s.Now()
			m.Asks = slices.DeleteFunc(m.Asks, func(a Ask) bool { return slices.Contains(answered, a.Token) })
			return true, nil
		})
		if err != nil {
			return master.UnlessGone(err)
		}
		s.self.mu.Lock()
		s.self.beat = began
		s.self.mu.Unlock()
	}
	if len(m.Asks) > 0 {
		s.self.mu.Lock()
		s.self.asked = began
		s.self.mu.Unlock()
	}
	return nil
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

// CheckTouch refuses a write if this instance could not record for some time that it is alive: a
// mover may be about to take it for dead.
func (s *Shared) CheckTouch() error {
	if _, beat := s.self.is(); time.Since(beat) > s.DeadAfter*2/3 {
		return &org.Error{Kind: org.Unavailable, Message: "This server has lost touch with the storage. Try again in a moment."}
	}
	return nil
}

// Evicted reports whether the instance of that id was taken for dead, so that a
// move may not have waited for its writes.
func (s *Shared) Evicted(ctx context.Context, id string) (bool, error) {
	_, err := s.Instances.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}

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
	mine, _ := s.self.is()
	var all sync.WaitGroup
	answers := make(chan error, len(instances))
	for _, m := range instances {
		if m.ID != mine {
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

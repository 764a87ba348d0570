package tenant

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// instance is one document of master's `instances`: an orgd process that may have
// writes of tenant data in progress. Its _id is used once; a process that was
// taken for dead goes on under another. Nothing is there on an exclusive engine.
type instance struct {
	Meta   `bson:",inline"`
	SeenAt time.Time `bson:"seen_at"`
	// Asks are what movers wait for: see Beat.
	Asks []ask `bson:"asks"`
}

// An ask is a mover's wish to know that every write on an organization which the
// instance had in progress is over. Answering removes it.
type ask struct {
	Token string `bson:"token"`
	OrgID string `bson:"org_id"`
}

// BeatEvery is how long after a Beat the next one is due, with the default of
// DeadAfter.
const BeatEvery = time.Second

const (
	// beats is how often an instance says that it is alive before it is taken for
	// dead.
	beats = 30
	// askEvery is how often asks and their answers are looked for while there
	// are any; an instance goes on with it for attentive after the last one. It
	// bounds the pause of a move's writers on several instances.
	askEvery  = 5 * time.Millisecond
	attentive = 5 * time.Second
	// answerWithin bounds how long one look waits for writes to end.
	answerWithin = 200 * time.Millisecond
)

// membership is this process's place among the instances.
type membership struct {
	mu    sync.Mutex
	id    string
	beat  time.Time // when the last beat that succeeded began
	asked time.Time // when it was last asked something
}

func (m *membership) is() (id string, beat time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id, m.beat
}

// register enters this process as a new instance.
func (s *Store) register(ctx context.Context) error {
	began := time.Now()
	id, err := newID()
	if err != nil {
		return err
	}
	err = retry(ctx, func() error {
		return s.instances.insert(ctx, &instance{Meta: Meta{ID: id}, SeenAt: s.now(), Asks: []ask{}})
	})
	if err != nil && !errors.Is(err, docdb.ErrDuplicate) { // an earlier try was carried out
		return err
	}
	s.gate.outdate() // movers have not waited for this instance before
	s.member.mu.Lock()
	defer s.member.mu.Unlock()
	s.member.id, s.member.beat = id, began
	return nil
}

// leave says that nothing of this process is in progress any more. If the storage
// does not answer it is taken for dead some time later, which comes to the same.
func (s *Store) leave(ctx context.Context) {
	id, _ := s.member.is()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.instances.c.Delete(ctx, docdb.StringID(id), docdb.Filter{})
	if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
		s.cfg.Logger.WarnContext(ctx, "could not take leave of the other instances", "error", err)
	}
}

// Beat says that this instance is alive, and answers what other instances' moves
// ask of it. It is to be called again and again, a thirtieth of DeadAfter after it
// has returned; while moves are on it stays for a few seconds. Without it this instance is soon
// taken for dead, and its writes are refused. On an exclusive engine it does nothing.
func (s *Store) Beat(ctx context.Context) error {
	if s.cfg.Exclusive {
		return nil
	}
	for {
		if err := s.beatOnce(ctx); err != nil {
			return err
		}
		s.member.mu.Lock()
		idle := time.Since(s.member.asked) > attentive
		s.member.mu.Unlock()
		if idle {
			return nil
		}
		if err := pause(ctx, askEvery); err != nil {
			return err
		}
	}
}

func (s *Store) beatOnce(ctx context.Context) error {
	began := time.Now()
	id, _ := s.member.is()
	m, err := s.instances.get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		s.cfg.Logger.WarnContext(ctx, "this instance was taken for dead: it was not heard of for too long", "instance", id)
		return s.register(ctx)
	}
	if err != nil {
		return err
	}
	answered := s.answer(ctx, m.Asks)
	if len(answered) > 0 || s.now().Sub(m.SeenAt) >= s.cfg.DeadAfter/beats {
		_, err = s.instances.change(ctx, id, func(m *instance) (bool, error) {
			m.SeenAt = s.now()
			m.Asks = slices.DeleteFunc(m.Asks, func(a ask) bool { return slices.Contains(answered, a.Token) })
			return true, nil
		})
		if err != nil {
			return unlessGone(err)
		}
		s.member.mu.Lock()
		s.member.beat = began
		s.member.mu.Unlock()
	}
	if len(m.Asks) > 0 {
		s.member.mu.Lock()
		s.member.asked = began
		s.member.mu.Unlock()
	}
	return nil
}

// answer returns the tokens of those asks whose writes are over.
func (s *Store) answer(ctx context.Context, asks []ask) []string {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var (
		all      sync.WaitGroup
		mu       sync.Mutex
		answered []string
	)
	for _, a := range asks {
		all.Go(func() {
			if s.gate.drain(ctx, a.OrgID) == nil && s.tellUnanswered(ctx, a.OrgID) == nil {
				mu.Lock()
				answered = append(answered, a.Token)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answered
}

// tellUnanswered has the move that asks look at the documents whose writes got no answer.
func (s *Store) tellUnanswered(ctx context.Context, orgID string) error {
	if !s.unanswered.any(orgID) {
		return nil
	}
	o, err := found(s.organizations.get(ctx, orgID))
	if err != nil || o == nil {
		return err
	}
	return s.recordUnanswered(ctx, o)
}

// mayWrite refuses a write when this instance has not been able to say for some
// time that it is alive: a mover may be about to take it for dead.
func (s *Store) mayWrite() error {
	if s.cfg.Exclusive {
		return nil
	}
	if _, beat := s.member.is(); time.Since(beat) > s.cfg.DeadAfter*2/3 {
		return &org.Error{Kind: org.Unavailable, Message: "This server has lost touch with the storage. Try again in a moment."}
	}
	return nil
}

// evicted reports whether the instance of that id was taken for dead, so that a
// move may not have waited for its writes.
func (s *Store) evicted(ctx context.Context, id string) (bool, error) {
	_, err := s.instances.get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// drain waits until every write on the organization that had begun when it was
// called is over, in this process and in all others.
func (r *run) drain(ctx context.Context) error {
	if r.cfg.skip.drain {
		return nil
	}
	orgID := r.op.OrgID
	return r.patiently(ctx, func(ctx context.Context) error {
		var others error
		var all sync.WaitGroup
		if !r.cfg.Exclusive {
			all.Go(func() { others = r.drainOthers(ctx, orgID) })
		}
		own := r.gate.drain(ctx, orgID)
		all.Wait()
		return errors.Join(own, others)
	})
}

// drainOthers asks every other instance, all at a time. One that registers later reads the
// organization as it is now.
func (s *Store) drainOthers(ctx context.Context, orgID string) error {
	token, err := newID()
	if err != nil {
		return err
	}
	instances, err := s.instances.find(ctx, docdb.Filter{})
	if err != nil {
		return err
	}
	mine, _ := s.member.is()
	var all sync.WaitGroup
	answers := make(chan error, len(instances))
	for _, m := range instances {
		if m.ID != mine {
			all.Go(func() { answers <- s.drainOther(ctx, m.ID, ask{token, orgID}) })
		}
	}
	all.Wait()
	close(answers)
	for answer := range answers {
		err = errors.Join(err, answer)
	}
	return err
}

func (s *Store) drainOther(ctx context.Context, id string, a ask) error {
	_, err := s.instances.change(ctx, id, func(m *instance) (bool, error) {
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

// await waits for one instance's answer. One that has not been heard of for
// DeadAfter is taken for dead, which is for good: it finds its document gone
// before it acknowledges anything that a move may have missed.
func (s *Store) await(ctx context.Context, id, token string) error {
	for {
		m, err := s.instances.get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(m.Asks, func(a ask) bool { return a.Token == token }) {
			return nil
		}
		if s.now().Sub(m.SeenAt) > s.cfg.DeadAfter {
			if err := s.instances.remove(ctx, m); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
				return err
			}
			continue
		}
		if err := pause(ctx, askEvery); err != nil {
			return err
		}
	}
}

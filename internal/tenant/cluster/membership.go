package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// membership is this process's place among the instances. A process that has not written for a while
// rests: it is none of them, until its next write.
type membership struct {
	mu     sync.Mutex
	id     string    // of the instance that it is; empty while it rests
	known  *Instance // its document as this process wrote it last, if nobody had asked; or nil
	beat   time.Time // when the last beat that succeeded began
	asked  time.Time // when the last ask came
	writes int       // in progress
	active time.Time // when the last write ended, or something else was a reason not to rest

	joining *joining // is under way, or nil
	left    []former
	closed  bool // it joins no more
}

// joining is a Join that all writes wait for which begin meanwhile.
type joining struct {
	done chan struct{}
	id   string
	err  error
}

func (j *joining) wait(ctx context.Context) (id string, err error) {
	select {
	case <-j.done:
		return j.id, j.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// former is an instance that this process was, or tried to be, whose document may be there.
type former struct {
	id string
	at time.Time
}

func (m *membership) is() (id string, beat time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id, m.beat
}

// enter counts a write. It returns the instance that the write belongs to, or the joining that it has
// to wait for; first says that the caller is to do that.
func (m *membership) enter() (id string, j *joining, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.id != "" {
		return m.id, nil, false
	}
	if first = m.joining == nil; first {
		m.joining = &joining{done: make(chan struct{})}
	}
	return "", m.joining, first
}

// joined ends a joining; i is the document of the new instance, nil if it failed.
func (m *membership) joined(j *joining, i *Instance, began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.joining = nil
	if i != nil {
		j.id, m.id, m.known, m.beat, m.active = i.ID, i.ID, i, began, time.Now()
	}
	close(j.done)
}

// leave makes this process none of the instances. Its document is to be removed.
func (m *membership) leave() {
	if m.id != "" {
		m.left = append(m.left, former{m.id, time.Now()})
		m.id, m.known = "", nil
	}
}

// idle reports whether no write is in progress, and none has ended within that time.
func (m *membership) idle(after time.Duration) bool {
	return m.id != "" && m.writes == 0 && time.Since(m.active) >= after
}

// owns reports whether an instance is, or was, this process.
func (m *membership) owns(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.left {
		if f.id == id {
			return true
		}
	}
	return m.id == id
}

// BeginWrite counts a write. The first one of a process that rests joins, for all that begin
// meanwhile: movers change an organization before they list the instances, so either they see this
// instance, or the write, which reads the organization after that, sees their change.
func (s *Shared) BeginWrite(ctx context.Context) (member string, err error) {
	member, j, first := s.self.enter()
	if first {
		s.join(context.WithoutCancel(ctx), j) // for the others, too
	}
	if j != nil {
		member, err = j.wait(ctx)
	}
	if err != nil {
		s.EndWrite()
	}
	return member, err
}

// EndWrite implements Coordination.
func (s *Shared) EndWrite() {
	s.self.mu.Lock()
	defer s.self.mu.Unlock()
	s.self.writes--
	s.self.active = time.Now()
}

// Join implements Coordination.
func (s *Shared) Join(ctx context.Context) error {
	_, err := s.BeginWrite(ctx)
	if err == nil {
		s.EndWrite()
	}
	return err
}

// join makes this process an instance.
func (s *Shared) join(ctx context.Context, j *joining) {
	var i *Instance
	var began time.Time
	j.err = retry.Do(ctx, func() (err error) {
		began = time.Now()
		i, err = s.insert(ctx)
		return err
	})
	if j.err == nil {
		s.Outdate() // movers have not waited for this instance before
	}
	s.self.joined(j, i, began)
}

// insert adds an instance. Every try is another one: a message that arrives late must not bring one back
// that was taken for dead.
func (s *Shared) insert(ctx context.Context) (*Instance, error) {
	if s.self.isClosed() {
		return nil, &org.Error{Kind: org.Unavailable, Message: "The server is stopping. Try again in a moment."}
	}
	id, err := master.NewID()
	if err != nil {
		return nil, err
	}
	i := &Instance{Meta: master.Meta{ID: id}, SeenAt: s.Now(), Asks: []Ask{}}
	if err := s.Instances.Insert(ctx, i); err != nil {
		if !errors.Is(err, docdb.ErrUnavailable) { // it may be there, or arrive
			s.self.abandon(id)
		}
		return nil, err
	}
	return i, nil
}

func (m *membership) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// abandon remembers an instance that this process is not, and whose document may be there.
func (m *membership) abandon(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = append(m.left, former{id, time.Now()})
}

// rest leaves the instances if this process has not written for a while: no move waits for it then, and
// nobody takes it for dead. What it has to tell of writes without an answer keeps it awake.
func (s *Shared) rest(ctx context.Context) {
	s.self.mu.Lock()
	idle := s.self.idle(s.RestAfter)
	s.self.mu.Unlock()
	if !idle {
		return
	}
	needed, err := s.Unanswered(ctx)
	s.self.mu.Lock()
	defer s.self.mu.Unlock()
	switch {
	case needed, err != nil:
		s.self.active = time.Now()
	case s.self.idle(s.RestAfter): // still
		s.self.leave()
	}
}

// removeFormer removes the documents of the instances that this process was. If the storage does not
// answer, the next call tries again; some time later the others take them for dead, to the same effect.
func (s *Shared) removeFormer(ctx context.Context) {
	s.self.mu.Lock()
	left := append([]former(nil), s.self.left...)
	s.self.mu.Unlock()
	for _, f := range left {
		err := s.Instances.Collection.Delete(ctx, docdb.StringID(f.id), docdb.Filter{})
		if err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			s.Logger.WarnContext(ctx, "could not remove an instance from the list; the others will take it for dead", "instance", f.id, "error", err)
			if time.Since(f.at) < s.DeadAfter {
				continue
			}
		}
		s.self.removed(f.id)
	}
}

func (m *membership) removed(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.left[:0]
	for _, f := range m.left {
		if f.id != id {
			kept = append(kept, f)
		}
	}
	m.left = kept
}

// Leave records that this process has no writes in progress any more, and begins none.
func (s *Shared) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.self.mu.Lock()
	s.self.closed = true
	j := s.self.joining
	s.self.mu.Unlock()
	if j != nil {
		_, _ = j.wait(ctx) // whether or not it has joined, it leaves
	}
	s.self.mu.Lock()
	s.self.leave()
	s.self.mu.Unlock()
	s.removeFormer(ctx)
}

package orgd

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxMargin is how long before its end a token is taken for ended: the time
	// a request may be under way.
	maxMargin = 30 * time.Second
	// refusalHolds is for how long operations that are open to all do without a
	// login that was refused.
	refusalHolds = 30 * time.Second
)

// A session has an admin's credentials and the token they are good for.
type session struct {
	login func(ctx context.Context, email, password string) (*Token, error)

	mu       sync.Mutex
	email    string
	password secret
	changed  int    // how often the credentials have been
	token    secret // nil: none
	ends     time.Time
	refused  time.Time // when a login last was; zero: not since it went well
	flight   *flight   // the login that is going on
	next     *account  // what the credentials may have become; nil: no doubt
}

// An account is what a login takes.
type account struct {
	email    string
	password secret
}

// A flight is a login that one goroutine makes and others wait for.
type flight struct {
	landed chan struct{}
	token  string // and err, once it has landed
	err    error
	void   bool // says nothing about the credentials: the others see for themselves
}

// bearer returns a token other than the dead one, from a login if need be. No
// session has no token, and one with nothing but a token always that. Where the
// token is optional, a refused login means to do without.
func (s *session) bearer(ctx context.Context, dead string, optional bool) (string, error) {
	if s == nil {
		return "", nil
	}
	for {
		s.mu.Lock()
		token := s.usable(dead)
		if token != "" || optional && time.Since(s.refused) < refusalHolds {
			s.mu.Unlock()
			return token, nil
		}
		f, mine := s.join()
		s.mu.Unlock()
		if mine {
			s.fly(ctx, f)
		}
		select {
		case <-f.landed:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		switch {
		case f.void && ctx.Err() != nil:
			return "", ctx.Err()
		case f.void:
		case optional && errors.Is(f.err, ErrBadCredentials):
			return "", nil
		default:
			return f.token, f.err
		}
	}
}

// usable returns the token if it is good for a request. The lock is held.
func (s *session) usable(dead string) string {
	token := s.token.reveal()
	if s.email == "" {
		return token
	}
	if token == dead || !s.ends.IsZero() && !time.Now().Before(s.ends) {
		s.token, s.ends = nil, time.Time{}
		return ""
	}
	return token
}

// join returns the login that is going on, or a new one that is the caller's to
// make. The lock is held.
func (s *session) join() (f *flight, mine bool) {
	if s.flight == nil {
		s.flight, mine = &flight{landed: make(chan struct{}), void: true}, true
	}
	return s.flight, mine
}

// fly logs in.
func (s *session) fly(ctx context.Context, f *flight) {
	s.mu.Lock()
	email, password, next, changed := s.email, s.password, s.next, s.changed
	s.mu.Unlock()
	began := time.Now()
	defer func() { // and so it is should login panic
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		close(f.landed)
	}()
	t, err := s.login(ctx, email, password.reveal())
	changes := false
	if next != nil && errors.Is(err, ErrBadCredentials) {
		if other, err2 := s.login(ctx, next.email, next.password.reveal()); !errors.Is(err2, ErrBadCredentials) {
			t, err, changes = other, err2, err2 == nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.void = s.changed != changed || ctx.Err() != nil; f.void {
		return
	}
	if changes {
		s.email, s.password, s.next = next.email, next.password, nil
	}
	if f.err = err; err != nil {
		if errors.Is(err, ErrBadCredentials) {
			s.refused = time.Now()
		}
		return
	}
	// Not by expires_at: the server's clock may be another.
	lifetime := time.Duration(t.ExpiresIn) * time.Second
	f.token, s.token, s.refused = t.AccessToken, hide(t.AccessToken), time.Time{}
	s.ends = began.Add(lifetime - min(maxMargin, lifetime/10))
}

func (s *session) canLogIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.email != ""
}

// drop forgets a token that was refused, if another can be had.
func (s *session) drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usable(token)
}

// expect makes ready for a change of the admin's credentials that may come into
// force, now or later: a login that is refused with the ones is tried with the
// others. What is empty stays.
func (s *session) expect(email, password string) *account {
	if s == nil || email == "" && password == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.email == "" { // nothing to log in with
		return nil
	}
	s.next = &account{cmp.Or(email, s.email), s.password}
	if password != "" {
		s.next.password = hide(password)
	}
	s.changed++
	s.refused = time.Time{}
	return s.next
}

// settle ends what expect began: the change was made, or it was not.
func (s *session) settle(a *account, made bool) {
	if a == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.next != a && s.email == a.email && s.password.reveal() == a.password.reveal() // by a login
	if made && !found {
		s.email, s.password = a.email, a.password
		s.token, s.ends, s.refused = nil, time.Time{}, time.Time{}
	}
	if s.next == a {
		s.next = nil
	}
	s.changed++
}

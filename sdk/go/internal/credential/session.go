// Package credential has what a client authenticates with: secrets that cannot be printed
// by accident, and the session of an admin, which logs in when a request needs a token.
package credential

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxMargin is how long before its end a token counts as expired, since a request
	// takes time to arrive.
	maxMargin = 30 * time.Second
	// refusalHolds is for how long after a refused login requests whose token is
	// optional go without a token.
	refusalHolds = 30 * time.Second
)

// An Account is what an admin logs in with.
type Account struct {
	Email    string
	Password Secret
}

func (a Account) equal(b Account) bool {
	return a.Email == b.Email && a.Password.Reveal() == b.Password.Reveal()
}

// A Token is the answer to a login.
type Token struct {
	Text     string
	Lifetime time.Duration
}

// A Login exchanges an e-mail address and a password for a token.
type Login func(ctx context.Context, email, password string) (Token, error)

// A Session has an admin's account, or only a token, and the token in use. It is safe
// for use by many goroutines. The nil Session has no token.
type Session struct {
	login          Login
	badCredentials error // what a login fails with when the account is wrong

	mu      sync.Mutex
	account Account // without an e-mail address: the session cannot log in
	changed int     // how often the account has changed
	token   Secret  // nil: none
	ends    time.Time
	refused time.Time // the last refused login; zero: none since the last that succeeded
	flight  *flight   // the login in progress
	next    *Account  // what the account may have become; nil: it is certain
}

// NewSession returns a session that begins with a token, if that is not nil. A login
// that fails with badCredentials means that the account is wrong, not that the login
// could not be tried.
func NewSession(account Account, token Secret, login Login, badCredentials error) *Session {
	return &Session{account: account, token: token, login: login, badCredentials: badCredentials}
}

// A flight is a login that one goroutine makes and others wait for.
type flight struct {
	landed chan struct{} // closed when the fields below are set
	token  string
	err    error
	void   bool // it says nothing about the account: each that waits tries for itself
}

// Bearer returns a token other than the expired or refused one, dead, after a login if
// need be. A session without an account always returns the token it began with. Where
// the token is optional, a refused login means no token.
func (s *Session) Bearer(ctx context.Context, dead string, optional bool) (string, error) {
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
		case optional && errors.Is(f.err, s.badCredentials):
			return "", nil
		default:
			return f.token, f.err
		}
	}
}

// usable returns the token if it is good for a request. The caller holds the lock.
func (s *Session) usable(dead string) string {
	token := s.token.Reveal()
	if s.account.Email == "" {
		return token
	}
	if token == dead || !s.ends.IsZero() && !time.Now().Before(s.ends) {
		s.token, s.ends = nil, time.Time{}
		return ""
	}
	return token
}

// join returns the login in progress, or a new one, which the caller has to make. The
// caller holds the lock.
func (s *Session) join() (f *flight, mine bool) {
	if s.flight == nil {
		s.flight, mine = &flight{landed: make(chan struct{}), void: true}, true
	}
	return s.flight, mine
}

// fly logs in. The flight lands even if the login panics.
func (s *Session) fly(ctx context.Context, f *flight) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		close(f.landed)
	}()
	s.mu.Lock()
	account, next, changed := s.account, s.next, s.changed
	s.mu.Unlock()
	began := time.Now()
	t, by, err := s.logIn(ctx, account, next)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.void = s.changed != changed || ctx.Err() != nil; f.void {
		return
	}
	if f.err = err; err != nil {
		if errors.Is(err, s.badCredentials) {
			s.refused = time.Now()
		}
		return
	}
	if by == next {
		s.account, s.next = *next, nil
	}
	f.token, s.token, s.refused = t.Text, Hide(t.Text), time.Time{}
	// The lifetime, not the instant at which the token expires: the server's clock may be another.
	s.ends = began.Add(t.Lifetime - min(maxMargin, t.Lifetime/10))
}

// logIn logs in with the account or, if that is refused, with what it may have become,
// and returns which of them the answer is about.
func (s *Session) logIn(ctx context.Context, account Account, next *Account) (t Token, by *Account, err error) {
	t, err = s.login(ctx, account.Email, account.Password.Reveal())
	if next == nil || !errors.Is(err, s.badCredentials) {
		return t, &account, err
	}
	t, nextErr := s.login(ctx, next.Email, next.Password.Reveal())
	if errors.Is(nextErr, s.badCredentials) {
		return t, &account, err
	}
	return t, next, nextErr
}

// CanLogIn reports whether the session can get another token.
func (s *Session) CanLogIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.Email != ""
}

// Drop forgets a token that was refused if the session can get another.
func (s *Session) Drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usable(token)
}

// Expect prepares for a change of the account that may come into force, now or later: a
// login that is refused with the old account is tried with the new one. An empty e-mail
// address or password stays as it is. The caller ends the doubt by Settle, unless the
// outcome is unknown.
func (s *Session) Expect(email, password string) *Account {
	if s == nil || email == "" && password == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account.Email == "" {
		return nil
	}
	s.next = &Account{cmp.Or(email, s.account.Email), s.account.Password}
	if password != "" {
		s.next.Password = Hide(password)
	}
	s.changed++
	s.refused = time.Time{}
	return s.next
}

// Settle ends what Expect began: the change was made, or it was not.
func (s *Session) Settle(a *Account, made bool) {
	if a == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	foundByLogin := s.next != a && s.account.equal(*a)
	if made && !foundByLogin {
		s.account = *a
		s.token, s.ends, s.refused = nil, time.Time{}, time.Time{}
	}
	if s.next == a {
		s.next = nil
	}
	s.changed++
}

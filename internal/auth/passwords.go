// Package auth proves identities: by passwords, by access tokens and the secrets that tokens
// rest on. It does no I/O except for the secret's file.
package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/orgd/orgd/internal/org"
)

// PasswordsConfig is how to make a Passwords. Zero values mean the defaults.
type PasswordsConfig struct {
	Cost    int // of new hashes, as bcrypt counts it; default 12
	Workers int // hashes computed at the same time; see RaiseMaxProcs; default one a processor

	// A request that would wait for longer than MaxWait is refused. Of more than MaxWaiting
	// requests the last of the network that most come from is refused. Defaults: 1024, and 10
	// seconds.
	MaxWaiting int
	MaxWait    time.Duration
}

// Passwords makes and checks bcrypt hashes, a bounded number at a time. Where many requests
// wait, whose turn it is depends on the Client of the context: see queue.
//
// A hash takes a processor for a quarter of a second, so that a storm of logins
// could hold them all while requests that need microseconds wait. Therefore the
// hashes are computed by a few threads of their own with the lowest priority
// (on Linux; elsewhere the priority stays): they use every processor that is
// idle, and yield within microseconds to any other thread of this process that
// wakes. That needs more Go processors (GOMAXPROCS) than there are workers; see
// RaiseMaxProcs. Not guaranteed: where other programs keep the processors busy, the
// garbage collector's pauses wait until a hash is given one, some 10 ms.
type Passwords struct {
	cost    int
	maxWait time.Duration
	queue   *queue
	lasts   atomic.Int64 // nanoseconds one job lasts, as a moving average
	close   sync.Once
	running sync.WaitGroup
}

// NewPasswords starts the workers; Close ends them.
func NewPasswords(c PasswordsConfig) (*Passwords, error) {
	if c.Cost == 0 {
		c.Cost = 12
	}
	if c.Cost < bcrypt.MinCost || c.Cost > bcrypt.MaxCost {
		return nil, fmt.Errorf("bcrypt cost %d is not between %d and %d", c.Cost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	if c.Workers <= 0 {
		c.Workers = runtime.NumCPU()
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = 1024
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 10 * time.Second
	}
	p := &Passwords{cost: c.Cost, maxWait: c.MaxWait, queue: newQueue(c)}
	for range c.Workers {
		p.running.Go(p.work)
	}
	return p, nil
}

// Close lets the hashes being computed end, refuses those that wait, and returns
// when no worker is left.
func (p *Passwords) Close() {
	p.close.Do(p.queue.close)
	p.running.Wait()
}

// Hash returns the bcrypt hash of a password at the configured cost. A password
// that org.CheckPassword objects to is an org.Invalid error; when too many requests
// wait the error is org.Unavailable, with RetryAfter.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if err := org.CheckPassword(password); err != nil {
		return "", err
	}
	var (
		hash []byte
		err  error
	)
	if e := p.run(ctx, func() { hash, err = bcrypt.GenerateFromPassword([]byte(password), p.cost) }); e != nil {
		return "", e
	}
	if err != nil {
		return "", &org.Error{Kind: org.Internal, Err: fmt.Errorf("hash password: %w", err)}
	}
	return string(hash), nil
}

// Verify reports whether the password is the one that the hash was made of.
//
// An empty hash stands for an account that does not exist: the answer is false,
// and takes as long as for an account that does, so that the time tells nothing.
// The same holds for a password that bcrypt cannot tell from others, and for a hash made
// at a lower cost than the configured one. (A hash of a higher cost takes longer.)
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	var (
		same bool
		err  error
	)
	if e := p.run(ctx, func() { same, err = p.compare(hash, password) }); e != nil {
		return false, e
	}
	if err != nil {
		return false, &org.Error{Kind: org.Internal, Err: fmt.Errorf("compare with stored hash: %w", err)}
	}
	return same, nil
}

// compare costs 2^p.cost rounds, whatever the hash and the password are.
func (p *Passwords) compare(hash, password string) (bool, error) {
	if hash == "" {
		burn(p.cost)
		return false, nil
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return false, err
	}
	fits := len(password) <= org.MaxPasswordBytes && !strings.Contains(password, "\x00")
	if !fits {
		// bcrypt would compare the first 72 bytes only, and take a NUL for an end.
		password = "refused"
	}
	err = bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	for c := cost; c < p.cost; c++ {
		burn(c) // 2^cost + 2^cost + 2^(cost+1) + … + 2^(p.cost-1) = 2^p.cost
	}
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return fits && err == nil, err
}

// burn spends the time of one comparison at that cost.
func burn(cost int) {
	nobody := fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 22+31)) // a salt and a hash, of no known password
	if err := bcrypt.CompareHashAndPassword([]byte(nobody), []byte("nobody's")); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		panic(fmt.Sprintf("auth: the hash that stands for nobody: %v", err))
	}
}

// run has a worker call do and waits for it. The context's end takes a job out of the
// queue. A job that has begun is left to end by itself, and its result is dropped: do must
// not touch what its caller reads after an error.
func (p *Passwords) run(ctx context.Context, do func()) error {
	j := newJob(clientOf(ctx), do)
	if err := p.queue.add(j, time.Duration(p.lasts.Load())); err != nil {
		return err
	}
	tooLong := time.NewTimer(p.maxWait)
	defer tooLong.Stop()
	select {
	case <-j.done:
		return j.err
	case <-tooLong.C:
		if p.queue.remove(j) {
			return busy(p.maxWait)
		}
	case <-ctx.Done():
		if p.queue.remove(j) {
			return fmt.Errorf("wait to compute a password hash: %w", ctx.Err())
		}
	}
	select { // the job has begun, or was refused this moment
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("compute a password hash: %w", ctx.Err())
	}
}

func closing() error {
	return org.Errorf(org.Unavailable, "This server is shutting down; try again.")
}

func busy(wait time.Duration) error {
	wait = max(time.Second, wait.Round(time.Second))
	return &org.Error{Kind: org.Unavailable, RetryAfter: wait,
		Message: fmt.Sprintf("Too many passwords are being checked at the moment; try again in %d seconds.", wait/time.Second)}
}

// work computes hashes until Close, on a thread of its own.
func (p *Passwords) work() {
	// Never unlocked: the thread, whose priority cannot be raised again, ends with
	// this goroutine.
	runtime.LockOSThread()
	lowerPriority()
	for j := p.queue.next(); j != nil; j = p.queue.next() {
		began := time.Now()
		j.do()
		p.note(time.Since(began))
		p.queue.end(j)
	}
}

// note keeps the moving average; a lost race loses one sample of it.
func (p *Passwords) note(d time.Duration) {
	old := p.lasts.Load()
	if old == 0 {
		p.lasts.Store(int64(d))
		return
	}
	p.lasts.Store(old + (int64(d)-old)/8)
}

package tenant

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// A request that comes with an idempotency key has its effect once, however often
// it is sent. What is needed for that is decided before the effect and kept in the
// entry of its key: the ids of what the request makes. So a try that follows one of
// which nobody knows how it ended finds what that one has done.

// AnswersKept is for how long an idempotency key is remembered.
const AnswersKept = 24 * time.Hour

// MaxKeptBody is the largest body of an answer that is kept: that of a new organization has
// room in it, whatever its name. A larger one, and that of a document, is made again from the
// request, which the fingerprint proves to be the same, and from the entry: it is what was
// sent. So what an entry takes does not depend on what a client sends.
const MaxKeptBody = 2 << 10

// attemptLeases is how many of Config.LeaseTTL an attempt is left alone. Nobody
// extends it: two attempts at a time are safe, and only seldom.
const attemptLeases = 2

// Once is a request with an idempotency key.
type Once struct {
	// OrgID is whose key it is; empty on the public plane, where it is whoever's
	// request has this fingerprint.
	OrgID string
	// Network is where a request on the public plane comes from, so that the keys of one are
	// not in the way of another's. It is stored, and is no part of whose key it is.
	Network string
	Key     string
	// Fingerprint tells requests apart. It is stored: nobody may be able to guess the
	// request from it.
	Fingerprint []byte
}

// An Answer is what is told to a client once more.
type Answer struct {
	Status      int    `bson:"status"`
	ContentType string `bson:"content_type,omitempty"`
	Location    string `bson:"location,omitempty"`
	ETag        string `bson:"etag,omitempty"`
	Body        []byte `bson:"body,omitempty"`
	// Remake says that nothing else was kept.
	Remake bool `bson:"remake,omitempty"`
}

// ErrAttemptLost: the key is another attempt's now, or gone with its organization.
var ErrAttemptLost = errors.New("the idempotency key is no longer this attempt's")

// idempotent is one document of master's `idempotency`. Its _id is a digest of the
// key and of whose it is.
type idempotent struct {
	Meta `bson:",inline"`
	// OrgID is the organization that it goes with: whose key it is, or which the
	// request makes. Without one it is Stranger.
	OrgID       string `bson:"org_id"`
	Stranger    string `bson:"stranger,omitempty"` // as whose it counts when no organization does
	Fingerprint []byte `bson:"fingerprint"`
	Lease       lease  `bson:"lease"` // Fence counts the attempts
	// What the request makes: a document that brings no _id gets Document, and is
	// written with Revision; an organization is made by Operation.
	Document  bson.ObjectID `bson:"document"`
	Revision  bson.ObjectID `bson:"revision"`
	Operation string        `bson:"op_id,omitempty"`
	// Answer is there when it is done.
	Answer *Answer `bson:"answer,omitempty"`
	// Spent says that what the request made has been deleted since.
	Spent bool      `bson:"spent,omitempty"`
	Until time.Time `bson:"until"`
}

// An Attempt is one try of a request with an idempotency key. It ends with Done,
// Withdraw or Release.
type Attempt struct {
	s     *Store
	entry *idempotent
	// remakes says that the answer follows from the request and the entry.
	remakes bool
}

// Attempt begins a try of a request. When the request is done already it returns the
// answer, and the Attempt serves to make an answer again that has Remake. Kinds:
// IdempotencyKeyReused, IdempotencyInProgress, RateLimited (a new key, and too many are
// remembered), Unavailable.
func (s *Store) Attempt(ctx context.Context, once Once) (*Attempt, *Answer, error) {
	owner := s.cfg.Instance + "/" + uuid.NewString()
	var a *Attempt
	err := retry(ctx, func() (err error) {
		a, err = s.attempt(ctx, once, owner)
		return err
	})
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		err = notDone(err) // of the request's own effect nothing was
	}
	if err != nil {
		return nil, nil, fault(err)
	}
	return a, a.entry.Answer, nil
}

func (s *Store) attempt(ctx context.Context, once Once, owner string) (*Attempt, error) {
	id := once.id()
	for range swapAttempts {
		now := s.now()
		mine := lease{Owner: owner, Until: now.Add(attemptLeases * s.cfg.LeaseTTL), Fence: 1}
		e := &idempotent{
			Meta: Meta{ID: id}, OrgID: once.owner(), Stranger: once.stranger(), Fingerprint: once.Fingerprint, Lease: mine,
			Document: bson.NewObjectID(), Revision: bson.NewObjectID(), Until: now.Add(AnswersKept),
		}
		refused := s.remember(ctx, e, once)
		err := refused
		if errors.Is(err, docdb.ErrDuplicate) || errors.Is(err, org.RateLimited) { // what is remembered is answered
			if e, err = s.idempotency.get(ctx, id); err == nil {
				err = s.join(ctx, e, once, mine)
			}
		}
		switch {
		case err == nil:
			return &Attempt{s: s, entry: e}, nil
		case errors.Is(err, docdb.ErrNotFound) && errors.Is(refused, org.RateLimited):
			return nil, refused
		case !errors.Is(err, docdb.ErrNoMatch) && !errors.Is(err, docdb.ErrNotFound): // else it has just been changed
			return nil, err
		}
	}
	return nil, docdb.ErrUnavailable
}

// remember adds the entry of a new key, where there is room for one more.
func (s *Store) remember(ctx context.Context, e *idempotent, once Once) error {
	done, err := s.admitKey(ctx, once)
	if err != nil {
		return err
	}
	err = s.idempotency.insert(ctx, e)
	done(err)
	return err
}

// stranger is as whose a key of the public plane counts; empty for one of an organization.
func (o Once) stranger() string {
	if o.OrgID != "" {
		return ""
	}
	return strangers + "/" + o.Network
}

// owner is as whose it counts.
func (o Once) owner() string { return cmp.Or(o.OrgID, o.stranger()) }

// id keeps the keys of one organization apart from those of all others. On the public plane
// nobody says who sends a request, but what is sent holds a password: who sends the same is
// the same, from whichever address, and no guessed key is in the way of another request.
func (o Once) id() string {
	whose := o.OrgID
	if whose == "" {
		whose = "public " + string(o.Fingerprint)
	}
	digest := sha256.Sum256([]byte(whose + "\x00" + o.Key))
	return hex.EncodeToString(digest[:])
}

// join makes the entry of an earlier attempt this one's, unless it is done.
// docdb.ErrNoMatch or docdb.ErrNotFound when it is to be looked at again.
func (s *Store) join(ctx context.Context, e *idempotent, once Once, mine lease) error {
	switch {
	case e.Lease.Owner == mine.Owner: // a write of one's own, whose answer was lost
		return nil
	case !s.now().Before(e.Until):
		if err := s.idempotency.remove(ctx, e); err != nil {
			return err
		}
		return docdb.ErrNotFound
	case !bytes.Equal(e.Fingerprint, once.Fingerprint):
		return org.Errorf(org.IdempotencyKeyReused, "The Idempotency-Key came with another request before. Use a new key for each request.")
	case e.Spent:
		return org.Errorf(org.IdempotencyKeyReused, "What the request with this Idempotency-Key made has been deleted since. Use a new key to make another.")
	case e.Answer != nil:
		return nil
	case s.alive(e.Lease):
		return underWay(e.Lease.Until.Sub(s.now()))
	}
	mine.Fence = e.Lease.Fence + 1
	e.Lease = mine
	return s.idempotency.swap(ctx, e)
}

// alive reports whether an attempt may be going on.
func (s *Store) alive(l lease) bool {
	if s.cfg.Exclusive && !strings.HasPrefix(l.Owner, s.cfg.Instance+"/") {
		return false // its process is dead
	}
	return s.now().Before(l.Until)
}

func underWay(wait time.Duration) *org.Error {
	return &org.Error{Kind: org.IdempotencyInProgress, RetryAfter: wait,
		Message: "The request that this Idempotency-Key came with first is still being worked on. Try again in a moment."}
}

// DocumentID is the _id of a document that does not bring its own.
func (a *Attempt) DocumentID() bson.ObjectID { return a.entry.Document }

// Answered reports whether all is done but to make the answer again.
func (a *Attempt) Answered() bool { return a.entry.Answer != nil }

// repeated reports whether an earlier attempt may have done something.
func (a *Attempt) repeated() bool { return a.entry.Lease.Fence > 1 }

// Done keeps the answer of a request that had its effect.
func (a *Attempt) Done(ctx context.Context, answer Answer) error {
	if a.remakes || len(answer.Body) > MaxKeptBody {
		answer = Answer{Status: answer.Status, Remake: true}
	}
	return a.save(ctx, func(e *idempotent) { e.Answer = &answer })
}

// Withdraw ends an attempt that was refused before it did anything: the key is as
// good as new, for a request that was put right too. Unless an earlier attempt may
// have done something: then it is only released.
func (a *Attempt) Withdraw(ctx context.Context) error {
	if a.repeated() {
		return a.Release(ctx)
	}
	return fault(a.s.idempotency.remove(ctx, a.entry))
}

// Release ends an attempt of which nobody knows what it did. The next may begin.
func (a *Attempt) Release(ctx context.Context) error {
	return a.save(ctx, func(e *idempotent) { e.Lease.Until = a.s.now() })
}

// save changes the entry while it is this attempt's. Of one that is gone, because
// its organization is, there is nothing to keep.
func (a *Attempt) save(ctx context.Context, edit func(*idempotent)) error {
	err := retry(ctx, func() error {
		e, err := a.s.idempotency.change(ctx, a.entry.ID, func(e *idempotent) (bool, error) {
			if e.Lease.Owner != a.entry.Lease.Owner || e.Spent {
				return false, ErrAttemptLost
			}
			edit(e)
			return true, nil
		})
		if err == nil {
			a.entry = e
		}
		return err
	})
	if errors.Is(err, ErrAttemptLost) || errors.Is(err, docdb.ErrNotFound) {
		return ErrAttemptLost
	}
	return fault(err)
}

// Package idempotency remembers requests that come with an idempotency key, so that each has its
// effect once, however often it is sent.
package idempotency

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
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// The ids of the document or organization that a request makes are decided before the effect and
// stored in the entry of its key. So an attempt that follows one of unknown outcome finds by them what
// the earlier attempt has done.

// AnswersKept is for how long an idempotency key is remembered.
const AnswersKept = 24 * time.Hour

// MaxKeptBody is the largest body of an answer that is stored; the answer with a new organization fits,
// whatever its name. Larger answers, and answers with a document, are made again from the request,
// which the fingerprint proves to be the same, and the entry. So the size of an entry does not depend
// on what a client sends.
const MaxKeptBody = 2 << 10

// claimLeases is how many times Config.LeaseTTL an attempt has before another may begin. It is never
// extended: two attempts at the same time are safe, and rare.
const claimLeases = 2

// A Request is a request with an idempotency key.
type Request struct {
	// OrgID is the organization that the key belongs to; empty on the public plane, where it belongs
	// to the requests with this fingerprint.
	OrgID string
	// Network is the network that a request on the public plane comes from, so that the keys of one
	// network do not use up the limit of another. It is stored, but the key does not belong to it.
	Network string
	Key     string
	// Fingerprint tells requests apart. It is stored, so the request must not be guessable
	// from it.
	Fingerprint []byte
}

// An Answer is the recorded answer to a request.
type Answer struct {
	Status      int    `bson:"status"`
	ContentType string `bson:"content_type,omitempty"`
	Location    string `bson:"location,omitempty"`
	ETag        string `bson:"etag,omitempty"`
	Body        []byte `bson:"body,omitempty"`
	// Remake says that the answer was not stored and is to be made again.
	Remake bool `bson:"remake,omitempty"`
}

// ErrClaimLost: the key is another attempt's now, or gone with its organization.
var ErrClaimLost = errors.New("the idempotency key is no longer this attempt's")

// An Entry is one document of master's `idempotency`. Its _id is a digest of the key and of its owner.
type Entry struct {
	master.Meta `bson:",inline"`
	// OrgID is the organization with which the entry is removed: the key's owner, or the
	// organization that the request makes. Without one it is Stranger.
	OrgID       string       `bson:"org_id"`
	Stranger    string       `bson:"stranger,omitempty"` // the owner that the key counts for if there is no organization
	Fingerprint []byte       `bson:"fingerprint"`
	Lease       master.Lease `bson:"lease"` // Token counts the attempts
	// The ids of what the request makes: a document without an _id gets Document, and every
	// document Revision; an organization is made by Operation.
	Document  bson.ObjectID `bson:"document"`
	Revision  bson.ObjectID `bson:"revision"`
	Operation string        `bson:"op_id,omitempty"`
	// Answer is set when the request is done.
	Answer *Answer `bson:"answer,omitempty"`
	// Spent says that what the request made has been deleted since.
	Spent bool      `bson:"spent,omitempty"`
	Until time.Time `bson:"until"`
}

// A Claim is one attempt of a request with an idempotency key. It ends with Done, Withdraw or Release.
type Claim struct {
	keys  *Keys
	entry *Entry
	// remakes says that the answer follows from the request and the entry.
	remakes bool
}

// Config configures Keys. All fields are required but Max.
type Config struct {
	Now func() time.Time
	// Instance names this process among those that share the databases.
	Instance string
	// Alone says that no other process can use the databases.
	Alone bool
	// LeaseTTL is how long the owner of an operation may be silent before another resumes it.
	LeaseTTL time.Duration
	// Max is how many keys are remembered for each organization, and for the clients without
	// credentials of each network; 0 is no limit.
	Max int64
}

// Keys are the idempotency keys that are remembered.
type Keys struct {
	cfg           Config
	entries       master.Table[Entry, *Entry]
	organizations master.Table[master.Organization, *master.Organization]
	tallies       tallies
}

// NewKeys returns the keys of a master database. It does no I/O.
func NewKeys(m *master.Database, cfg Config) *Keys {
	return &Keys{cfg: cfg, entries: master.NewTable[Entry](m.Database, "idempotency"), organizations: m.Organizations}
}

// Claim begins an attempt of a request. If the request is done already, it returns the answer; an
// answer with Remake is made again with the Claim. Kinds:
// IdempotencyKeyReused, IdempotencyInProgress, RateLimited (a new key, and too many are
// remembered), Unavailable.
func (s *Keys) Claim(ctx context.Context, once Request) (*Claim, *Answer, error) {
	owner := s.cfg.Instance + "/" + uuid.NewString()
	var a *Claim
	err := retry.Do(ctx, func() (err error) {
		a, err = s.claim(ctx, once, owner)
		return err
	})
	if errors.Is(err, docdb.ErrOutcomeUnknown) {
		err = fault.NotDone(err) // the request's own effect was not made
	}
	if err != nil {
		return nil, nil, fault.Of(err)
	}
	return a, a.entry.Answer, nil
}

func (s *Keys) claim(ctx context.Context, once Request, owner string) (*Claim, error) {
	id := once.id()
	for range master.SwapAttempts {
		now := s.cfg.Now()
		mine := master.Lease{Owner: owner, Until: now.Add(claimLeases * s.cfg.LeaseTTL), Token: 1}
		e := &Entry{
			Meta: master.Meta{ID: id}, OrgID: once.owner(), Stranger: once.stranger(), Fingerprint: once.Fingerprint, Lease: mine,
			Document: bson.NewObjectID(), Revision: bson.NewObjectID(), Until: now.Add(AnswersKept),
		}
		refused := s.remember(ctx, e, once)
		err := refused
		if errors.Is(err, docdb.ErrDuplicate) || errors.Is(err, org.RateLimited) { // what is remembered is answered
			if e, err = s.entries.Get(ctx, id); err == nil {
				err = s.join(ctx, e, once, mine)
			}
		}
		switch {
		case err == nil:
			return &Claim{keys: s, entry: e}, nil
		case errors.Is(err, docdb.ErrNotFound) && errors.Is(refused, org.RateLimited):
			return nil, refused
		case !errors.Is(err, docdb.ErrNoMatch) && !errors.Is(err, docdb.ErrNotFound): // else it has just been changed
			return nil, err
		}
	}
	return nil, docdb.ErrUnavailable
}

// remember adds the entry of a new key if there is room.
func (s *Keys) remember(ctx context.Context, e *Entry, once Request) error {
	done, err := s.admitKey(ctx, once)
	if err != nil {
		return err
	}
	err = s.entries.Insert(ctx, e)
	done(err)
	return err
}

// stranger is the owner that a key of the public plane counts for; empty for an organization's key.
func (o Request) stranger() string {
	if o.OrgID != "" {
		return ""
	}
	return strangers + "/" + o.Network
}

// owner is the owner that the key counts for.
func (o Request) owner() string { return cmp.Or(o.OrgID, o.stranger()) }

// id keeps the keys of one organization apart from those of all others. A request on the public plane
// does not name its client, but it has a password: equal requests come from the same client, from any
// address, and a guessed key does not block another client's request.
func (o Request) id() string {
	whose := o.OrgID
	if whose == "" {
		whose = "public " + string(o.Fingerprint)
	}
	digest := sha256.Sum256([]byte(whose + "\x00" + o.Key))
	return hex.EncodeToString(digest[:])
}

// join takes the entry of an earlier attempt over, unless the request is done. docdb.ErrNoMatch and
// docdb.ErrNotFound say that the entry has changed and must be read again.
func (s *Keys) join(ctx context.Context, e *Entry, once Request, mine master.Lease) error {
	switch {
	case e.Lease.Owner == mine.Owner: // this attempt's own write, whose answer was lost
		return nil
	case !s.cfg.Now().Before(e.Until):
		if err := s.entries.Remove(ctx, e); err != nil {
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
		return InProgress(e.Lease.Until.Sub(s.cfg.Now()))
	}
	mine.Token = e.Lease.Token + 1
	e.Lease = mine
	return s.entries.Swap(ctx, e)
}

// alive reports whether the attempt with that lease may be in progress.
func (s *Keys) alive(l master.Lease) bool {
	if s.cfg.Alone && !strings.HasPrefix(l.Owner, s.cfg.Instance+"/") {
		return false // its process is dead
	}
	return s.cfg.Now().Before(l.Until)
}

// InProgress is the refusal while an earlier request with the key is in progress.
func InProgress(wait time.Duration) *org.Error {
	return &org.Error{Kind: org.IdempotencyInProgress, RetryAfter: wait,
		Message: "The request that this Idempotency-Key came with first is still being worked on. Try again in a moment."}
}

// Document returns the ids for a document that the request adds; its answer can be made again from the
// request. It is nil for a nil claim.
func (a *Claim) Document() *document.Given {
	if a == nil {
		return nil
	}
	a.remakes = true
	return &document.Given{ID: a.entry.Document, Revision: a.entry.Revision, Repeated: a.repeated(), Answered: a.Answered()}
}

// Operation is the id of the operation that makes the request's organization; empty if none
// was begun.
func (a *Claim) Operation() string { return a.entry.Operation }

// Creates records the operation that makes the organization, before it begins. Kinds:
// IdempotencyInProgress, Unavailable.
func (a *Claim) Creates(ctx context.Context, op *master.Operation) error {
	err := a.save(ctx, func(e *Entry) { e.OrgID, e.Operation = op.OrgID, op.ID })
	if errors.Is(err, ErrClaimLost) {
		return InProgress(a.keys.cfg.LeaseTTL)
	}
	if errors.Is(err, org.OutcomeUnknown) { // nothing was done but to write down what would be
		return fault.Of(docdb.ErrUnavailable)
	}
	return err
}

// Answered reports whether the request is done, and only its answer is to be made again.
func (a *Claim) Answered() bool { return a.entry.Answer != nil }

// repeated reports whether an earlier attempt may have done something.
func (a *Claim) repeated() bool { return a.entry.Lease.Token > 1 }

// Done records the answer of a request that had its effect.
func (a *Claim) Done(ctx context.Context, answer Answer) error {
	if a.remakes || len(answer.Body) > MaxKeptBody {
		answer = Answer{Status: answer.Status, Remake: true}
	}
	return a.save(ctx, func(e *Entry) { e.Answer = &answer })
}

// Withdraw ends an attempt that was refused before it had an effect: the key is free again, also for a
// corrected request. If an earlier attempt may have had an effect, it only releases the key.
func (a *Claim) Withdraw(ctx context.Context) error {
	if a.repeated() {
		return a.Release(ctx)
	}
	return fault.Of(a.keys.entries.Remove(ctx, a.entry))
}

// Release ends an attempt of unknown outcome, so that the next may begin.
func (a *Claim) Release(ctx context.Context) error {
	return a.save(ctx, func(e *Entry) { e.Lease.Until = a.keys.cfg.Now() })
}

// save changes the entry while it is this attempt's. If the entry is gone with its organization, it
// does nothing.
func (a *Claim) save(ctx context.Context, edit func(*Entry)) error {
	err := retry.Do(ctx, func() error {
		e, err := a.keys.entries.Change(ctx, a.entry.ID, func(e *Entry) (bool, error) {
			if e.Lease.Owner != a.entry.Lease.Owner || e.Spent {
				return false, ErrClaimLost
			}
			edit(e)
			return true, nil
		})
		if err == nil {
			a.entry = e
		}
		return err
	})
	if errors.Is(err, ErrClaimLost) || errors.Is(err, docdb.ErrNotFound) {
		return ErrClaimLost
	}
	return fault.Of(err)
}

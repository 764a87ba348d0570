package tenant

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// InsertOnce is Insert for a request with an idempotency key; nil is one without.
// The _id and the revision of the document are the same at every attempt, so that a
// document that an earlier one has added is known by them, and its answer can be made again.
func (d *Documents) InsertOnce(ctx context.Context, a *Attempt, body bson.Raw) (Document, error) {
	if a == nil {
		return d.Insert(ctx, body)
	}
	a.remakes = true
	id := docdb.ID(body)
	raw, doc := asStored(id, body, a.entry.Revision)
	if a.Answered() {
		return doc, nil
	}
	look := a.repeated() // before anything else refuses what was done already
	err := d.write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		if look {
			if done, err := a.inserted(ctx, c, id); err != nil || done {
				return err
			}
		}
		look = true
		err := c.Insert(ctx, raw)
		if !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrOutcomeUnknown) {
			return refusedWrite(err)
		}
		if done, lookErr := a.inserted(ctx, c, id); done {
			return nil
		} else if lookErr != nil {
			return errors.Join(docdb.ErrOutcomeUnknown, err, lookErr)
		}
		return refusedWrite(err)
	})
	return doc, err
}

// inserted reports whether the document is there already. One with an _id that was
// drawn for this key is nobody else's, whoever has changed it since; one with an _id
// of the client's is known by its revision.
func (a *Attempt) inserted(ctx context.Context, c docdb.Collection, id bson.RawValue) (bool, error) {
	there, err := lookUp(ctx, c, id)
	if err != nil || there == nil {
		return false, err
	}
	drawn, ok := id.ObjectIDOK()
	return ok && drawn == a.entry.Document || there.Revision == a.entry.Revision.Hex(), nil
}

// deref is the zero value for nil.
func deref(o *org.Organization) org.Organization {
	if o == nil {
		return org.Organization{}
	}
	return *o
}

// created returns the organization that an earlier attempt has made, nil if there is
// none and none is being made. An operation that was left half-way is brought to its
// end first; one that is not there is kept from beginning later.
func (a *Attempt) created(ctx context.Context) (*org.Organization, error) {
	if a.entry.Operation == "" {
		return nil, nil
	}
	op, err := found(a.s.operations.get(ctx, a.entry.Operation))
	if err == nil && op == nil {
		op, err = a.s.forestall(ctx, a.entry.Operation)
	}
	if err != nil {
		return nil, err
	}
	if op.Outcome == running {
		if wait := op.Lease.Until.Sub(a.s.now()); wait > 0 && op.Lease.Owner != a.s.cfg.Instance {
			return nil, underWay(wait)
		}
		if _, err := a.s.takeUpNow(ctx, op); err != nil {
			return nil, errors.Join(docdb.ErrOutcomeUnknown, err)
		}
	}
	switch op.Outcome {
	case running:
		return nil, underWay(a.s.cfg.LeaseTTL) // somebody else was faster
	case succeeded:
		made := (&run{Store: a.s, op: op}).created()
		return &made, nil
	}
	return nil, nil
}

// forestall puts an operation that never began, so that one which was sent and arrives late
// does not begin; or returns the operation that is there.
func (s *Store) forestall(ctx context.Context, id string) (*operation, error) {
	op := &operation{Meta: Meta{ID: id}, Kind: kindCreate, Outcome: forestalled, CreatedAt: s.now(), UpdatedAt: s.now()}
	err := s.operations.insert(ctx, op)
	if errors.Is(err, docdb.ErrDuplicate) {
		return s.operations.get(ctx, id)
	}
	return op, err
}

// expireForestalled removes operations that never began when the key that they were of is
// forgotten.
func (s *Store) expireForestalled(ctx context.Context) error {
	return forEach(ctx, s.operations, docdb.Eq("outcome", forestalled), func(ctx context.Context, op *operation) error {
		if s.now().Sub(op.CreatedAt) < AnswersKept {
			return nil
		}
		return s.operations.remove(ctx, op)
	})
}

// creates keeps which operation makes the organization, before it begins.
func (a *Attempt) creates(ctx context.Context, op *operation) error {
	err := a.save(ctx, func(e *idempotent) { e.OrgID, e.Operation = op.OrgID, op.ID })
	if errors.Is(err, ErrAttemptLost) {
		return underWay(a.s.cfg.LeaseTTL)
	}
	if errors.Is(err, org.OutcomeUnknown) { // nothing was done but to write down what would be
		return fault(docdb.ErrUnavailable)
	}
	return err
}

package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// reserve takes a name or an e-mail address for the operation's organization.
// taken is the refusal when another organization has it.
func (r *run) reserve(ctx context.Context, id, adminID string, taken *org.Error) error {
	for range swapAttempts {
		err := r.reservations.insert(ctx, &reservation{
			Meta: Meta{ID: id}, OrgID: r.op.OrgID, AdminID: adminID, Operation: r.op.ID, CreatedAt: r.now(),
		})
		if !errors.Is(err, docdb.ErrDuplicate) {
			return err
		}
		holder, err := r.reservations.get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			continue // just released
		}
		if err != nil {
			return err
		}
		if holder.OrgID != r.op.OrgID {
			return taken
		}
		if holder.Operation == r.op.ID {
			return nil
		}
		// Ours, left by an operation that is over. Saying that this one wants it
		// keeps whoever cleans up after that one from releasing it.
		holder.Operation = r.op.ID
		if err := r.reservations.swap(ctx, holder); !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return docdb.ErrUnavailable
}

// holder returns whose a reservation is. It takes the one value that a look-up
// needs out of the document; to decode all of it costs as much as to read it.
func (s *Store) holder(ctx context.Context, id string) (orgID string, err error) {
	raw, err := s.reservations.c.Get(ctx, docdb.StringID(id))
	if err != nil {
		return "", err
	}
	orgID, ok := raw.Lookup("org_id").StringValueOK()
	if !ok {
		return "", fmt.Errorf("reservation without an organization: %w", docdb.ErrInvalid)
	}
	return orgID, nil
}

// release gives up the organization's reservation that the operation opID made.
func (r *run) release(ctx context.Context, id, opID string) error {
	mine := docdb.And(docdb.Eq("org_id", r.op.OrgID), docdb.Eq("op_id", opID))
	err := r.reservations.c.Delete(ctx, docdb.StringID(id), mine)
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	return err
}

// withdraw gives up what this operation reserved.
func (r *run) withdraw(ctx context.Context) error {
	if key := r.op.Plan.NameKey; key != "" {
		if err := r.release(ctx, nameReservation(key), r.op.ID); err != nil {
			return err
		}
	}
	if key := r.op.Plan.EmailKey; key != "" {
		return r.release(ctx, emailReservation(key), r.op.ID)
	}
	return nil
}

func nameTaken() *org.Error {
	return &org.Error{
		Kind: org.NameTaken, Message: "Another organization has this name. Choose another.",
		Fields: []org.FieldError{{Field: "organization_name", Detail: "is taken"}},
	}
}

func emailTaken() *org.Error {
	return &org.Error{
		Kind: org.EmailTaken, Message: "Another admin has this e-mail address. Use another, or log in with it.",
		Fields: []org.FieldError{{Field: "email", Detail: "is taken"}},
	}
}

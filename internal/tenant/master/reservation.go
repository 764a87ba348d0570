package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Reservations are the names and e-mail addresses that organizations hold.
type Reservations struct {
	Table[Reservation, *Reservation]
}

// ReserveAll takes names and e-mail addresses. It refuses the first of which another organization has it;
// the others may be taken then.
func (t Reservations) ReserveAll(ctx context.Context, want ...*Reservation) error {
	results, err := t.InsertMany(ctx, want)
	if err != nil {
		return err
	}
	for i, err := range results {
		if errors.Is(err, docdb.ErrDuplicate) {
			err = t.reserve(ctx, *want[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reserve takes one name or address.
func (t Reservations) reserve(ctx context.Context, want Reservation) error {
	for range SwapAttempts {
		err := t.Insert(ctx, &want)
		if !errors.Is(err, docdb.ErrDuplicate) {
			return err
		}
		holder, err := t.Get(ctx, want.ID)
		if errors.Is(err, docdb.ErrNotFound) {
			continue // just released
		}
		if err != nil {
			return RefuseDamaged(err) // somebody has it
		}
		if holder.OrgID != want.OrgID {
			return want.taken()
		}
		if holder.Operation == want.Operation {
			return nil
		}
		// The organization's own, left by an operation that is over. Under the name of this
		// operation it is not released by the clean-up after that one.
		holder.Operation = want.Operation
		if err := t.Swap(ctx, holder); !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return docdb.ErrUnavailable
}

// Holder returns which organization holds a reservation. It decodes only the field that a look-up
// needs; to decode the whole document costs as much as to read it.
func (t Reservations) Holder(ctx context.Context, id string) (orgID string, err error) {
	raw, err := t.Collection.Get(ctx, docdb.StringID(id))
	if err != nil {
		return "", err
	}
	orgID, ok := raw.Lookup("org_id").StringValueOK()
	if !ok {
		return "", fmt.Errorf("reservation without an organization: %w", docdb.ErrInvalid)
	}
	return orgID, nil
}

// Release releases the organization's reservation that the operation opID made.
func (t Reservations) Release(ctx context.Context, id, orgID, opID string) error {
	held := docdb.And(docdb.Eq("org_id", orgID), docdb.Eq("op_id", opID))
	err := t.Collection.Delete(ctx, docdb.StringID(id), held)
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	return err
}

// CheckAvailable refuses a name or an e-mail address that is taken now; empty ones are
// available.
func (t Reservations) CheckAvailable(ctx context.Context, nameKey, emailKey string) error {
	var ids []bson.RawValue
	if nameKey != "" {
		ids = append(ids, docdb.StringID(NameReservation(nameKey)))
	}
	if emailKey != "" {
		ids = append(ids, docdb.StringID(EmailReservation(emailKey)))
	}
	if len(ids) == 0 {
		return nil
	}
	taken, err := t.Find(ctx, docdb.In("_id", ids))
	switch {
	case err != nil || len(taken) == 0:
		return err
	case slices.ContainsFunc(taken, func(r *Reservation) bool { return r.ID == NameReservation(nameKey) }):
		return NameTaken()
	}
	return EmailTaken()
}

// taken is the refusal when another organization has the name or address.
func (r *Reservation) taken() *org.Error {
	if strings.HasPrefix(r.ID, NameReservation("")) {
		return NameTaken()
	}
	return EmailTaken()
}

// NameTaken is the refusal of a name that another organization has.
func NameTaken() *org.Error {
	return &org.Error{
		Kind: org.NameTaken, Message: "Another organization has this name. Choose another.",
		Fields: []org.FieldError{{Field: "organization_name", Detail: "is taken"}},
	}
}

// EmailTaken is the refusal of an address that another admin has.
func EmailTaken() *org.Error {
	return &org.Error{
		Kind: org.EmailTaken, Message: "Another admin has this e-mail address. Use another, or log in with it.",
		Fields: []org.FieldError{{Field: "email", Detail: "is taken"}},
	}
}

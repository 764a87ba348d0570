package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Lookup returns the organization of that name, in any spelling. Kinds: Invalid,
// NotFound, Unavailable.
func (s *Store) Lookup(ctx context.Context, name string) (org.Organization, error) {
	n, err := org.ParseName(name)
	if err != nil {
		return org.Organization{}, atField("organization_name", err)
	}
	o, err := named(ctx, s.master, n.Key)
	if errors.Is(err, docdb.ErrNotFound) {
		return org.Organization{}, org.Errorf(org.NotFound, "There is no organization of this name.")
	}
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	return o.Public(), nil
}

// named returns the organization that has the name now, or docdb.ErrNotFound. A name is reserved
// from before its organization has it until after it has given it up.
func named(ctx context.Context, m *master.Database, key string) (*master.Organization, error) {
	orgID, err := m.Reservations.Holder(ctx, master.NameReservation(key))
	if err != nil {
		return nil, err
	}
	o, err := m.Organizations.Get(ctx, orgID)
	if err != nil {
		return nil, err
	}
	if o.NameKey != key || o.Collection == "" {
		return nil, docdb.ErrNotFound
	}
	return o, nil
}

// atField adds the name of the input to an Invalid error without a field.
func atField(name string, err error) error {
	var e *org.Error
	if !errors.As(err, &e) || e.Kind != org.Invalid || len(e.Fields) > 0 {
		return err
	}
	return &org.Error{Kind: org.Invalid, Message: "A value is refused.",
		Fields: []org.FieldError{{Field: name, Detail: e.Message}}}
}

// invalid joins the Invalid errors of several inputs into one; nil if there are none.
func invalid(errs ...error) error {
	joined := &org.Error{Kind: org.Invalid, Message: "A value is refused."}
	for _, err := range errs {
		var e *org.Error
		if errors.As(err, &e) {
			joined.Fields = append(joined.Fields, e.Fields...)
		}
	}
	if len(joined.Fields) == 0 {
		return nil
	}
	return joined
}

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
	o, err := s.names.holder(ctx, n.Key)
	if errors.Is(err, docdb.ErrNotFound) {
		return org.Organization{}, org.Errorf(org.NotFound, "There is no organization of this name.")
	}
	if err != nil {
		return org.Organization{}, fault.Of(err)
	}
	return o.Public(), nil
}

// names find organizations by their names.
type names struct {
	master *master.Database
	hints  hints[string] // ids of organizations
}

// holder returns the organization that has the name now, or docdb.ErrNotFound.
func (n *names) holder(ctx context.Context, key string) (*master.Organization, error) {
	if id, ok := n.hints.of(key); ok {
		o, err := n.of(ctx, id, key)
		// The name of one that is being deleted may be another's already.
		if err == nil && o.State != org.StateDeleting || err != nil && !errors.Is(err, docdb.ErrNotFound) {
			return o, err
		}
	}
	// A name is reserved from before its organization has it until after it has given it up.
	id, err := n.master.Reservations.Holder(ctx, master.NameReservation(key))
	if err != nil {
		return nil, err
	}
	o, err := n.of(ctx, id, key)
	if err == nil {
		n.hints.note(key, id)
	}
	return o, err
}

// of returns the organization of that id if it has the name, or docdb.ErrNotFound.
func (n *names) of(ctx context.Context, id, key string) (*master.Organization, error) {
	o, err := n.master.Organizations.Get(ctx, id)
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

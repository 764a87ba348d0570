package tenant

import (
	"context"
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
)

// Operation returns one operation of an organization. Kinds: NotFound, Unavailable.
func (s *Store) Operation(ctx context.Context, orgID, id string) (org.Operation, error) {
	op, err := s.master.Operations.Get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) || err == nil && op.OrgID != orgID {
		return org.Operation{}, org.Errorf(org.NotFound, "The organization has no operation of this id.")
	}
	if err != nil {
		return org.Operation{}, fault.Of(err)
	}
	return op.Public(), nil
}

// Operations returns up to limit operations of an organization, the newest first,
// and the after of the next page, empty after the last page. after is empty for the first page.
// Kinds: Unavailable.
func (s *Store) Operations(ctx context.Context, orgID, after string, limit int) ([]org.Operation, string, error) {
	all, next, err := s.master.Operations.Page(ctx, docdb.Eq("org_id", orgID), after, limit)
	if err != nil {
		return nil, "", fault.Of(err)
	}
	out := make([]org.Operation, len(all))
	for i, op := range all {
		out[i] = op.Public()
	}
	return out, next, nil
}

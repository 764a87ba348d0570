package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Operation returns one operation of an organization. Kinds: NotFound, Unavailable.
func (s *Store) Operation(ctx context.Context, orgID, id string) (org.Operation, error) {
	op, err := s.operations.get(ctx, id)
	if errors.Is(err, docdb.ErrNotFound) || err == nil && op.OrgID != orgID {
		return org.Operation{}, org.Errorf(org.NotFound, "The organization has no operation of this id.")
	}
	if err != nil {
		return org.Operation{}, fault(err)
	}
	return op.public(), nil
}

// Operations returns up to limit operations of an organization, the newest first,
// and where the next page begins: empty after the last. after is where an earlier
// page said that this one begins, or empty. Kinds: Unavailable.
func (s *Store) Operations(ctx context.Context, orgID, after string, limit int) ([]org.Operation, string, error) {
	all, next, err := s.operations.page(ctx, docdb.Eq("org_id", orgID), after, limit)
	if err != nil {
		return nil, "", fault(err)
	}
	out := make([]org.Operation, len(all))
	for i, op := range all {
		out[i] = op.public()
	}
	return out, next, nil
}

// public is the operation as its organization may see it.
func (op *operation) public() org.Operation {
	out := org.Operation{
		ID: op.ID, Kind: string(op.Kind), State: org.OperationState(op.Outcome), Step: op.Step,
		DocumentsCopied: op.Progress.Copied, DocumentsTotal: op.Progress.Total, BytesCopied: op.Progress.Bytes,
		StartedAt: op.CreatedAt.UTC(), UpdatedAt: op.UpdatedAt.UTC(), ETA: op.eta(),
	}
	if op.Outcome != running {
		out.FinishedAt = out.UpdatedAt
	}
	if op.Outcome == failed && op.Refusal != nil {
		out.Failure = &org.Error{Kind: op.Refusal.Kind, Message: op.Refusal.Message}
	}
	return out
}

// copyingStep is the step whose progress is counted.
const copyingStep = "copy"

// eta estimates the end from how fast the copy was so far; the steps after it are
// short beside it. Zero where there is nothing to go by.
func (op *operation) eta() time.Time {
	p := op.Progress
	took := op.UpdatedAt.Sub(p.Began)
	if op.Outcome != running || op.Step != copyingStep || p.Copied == 0 || p.Began.IsZero() || took <= 0 {
		return time.Time{}
	}
	left := float64(max(p.Total-p.Copied, 0)) / float64(p.Copied) * float64(took)
	return op.UpdatedAt.Add(time.Duration(min(left, float64(longestETA)))).UTC()
}

// longestETA bounds an estimate from very little.
const longestETA = 365 * 24 * time.Hour

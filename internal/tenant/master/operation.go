package master

import (
	"time"

	"github.com/orgd/orgd/internal/org"
)

// Public is the operation as its organization may see it.
func (op *Operation) Public() org.Operation {
	out := org.Operation{
		ID: op.ID, Kind: string(op.Kind), State: org.OperationState(op.Outcome), Step: op.Step,
		DocumentsCopied: op.Progress.Copied, DocumentsTotal: op.Progress.Total, BytesCopied: op.Progress.Bytes,
		StartedAt: op.CreatedAt.UTC(), UpdatedAt: op.UpdatedAt.UTC(), ETA: op.eta(),
	}
	if op.Outcome != Running {
		out.FinishedAt = out.UpdatedAt
	}
	if op.Outcome == Failed && op.Refusal != nil {
		out.Failure = &org.Error{Kind: op.Refusal.Kind, Message: op.Refusal.Message}
	}
	return out
}

// Begin records what the organization and the admin are before the operation.
func (p *Plan) Begin(o *Organization, a *Admin) {
	p.OldNameKey, p.OldEmailKey = o.NameKey, a.EmailKey
	p.Source, p.Generation = o.Collection, o.Generation+1
}

// CopyStep is the step whose progress is counted.
const CopyStep = "copy"

// longestETA bounds an estimate from little progress.
const longestETA = 365 * 24 * time.Hour

// eta estimates the end from the speed of the copy so far; the steps after it are short in comparison.
// It is zero if there is no progress to estimate from.
func (op *Operation) eta() time.Time {
	p := op.Progress
	took := op.UpdatedAt.Sub(p.Began)
	if op.Outcome != Running || op.Step != CopyStep || p.Copied == 0 || p.Began.IsZero() || took <= 0 {
		return time.Time{}
	}
	left := float64(max(p.Total-p.Copied, 0)) / float64(p.Copied) * float64(took)
	return op.UpdatedAt.Add(time.Duration(min(left, float64(longestETA)))).UTC()
}

// Begun reports whether a step of the operation has ever been recorded as done.
func (op *Operation) Begun() bool { return len(op.Past) > 0 }

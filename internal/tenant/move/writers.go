package move

import (
	"context"

	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
)

// Writers are the clients' writes that go on during a move.
type Writers interface {
	// Drain waits until every write on the organization that had begun when it was
	// called is over, in this process and in all others.
	Drain(ctx context.Context, orgID string) error
	// RecordUnanswered records the documents whose writes got no answer in the move's dirty set.
	RecordUnanswered(ctx context.Context, o *master.Organization) error
}

// writes are the writes on the organization that is moved.
type writes struct {
	all Writers
	x   *operation.Execution
}

// drain waits for the writes that have begun.
func (w writes) drain(ctx context.Context) error {
	return w.x.WithHeartbeat(ctx, func(ctx context.Context) error { return w.all.Drain(ctx, w.x.Op.OrgID) })
}

// drainAndTell waits for the writers of earlier epochs, and records the documents whose writes got no
// answer.
func (w writes) drainAndTell(ctx context.Context, o *master.Organization) error {
	if err := w.drain(ctx); err != nil {
		return err
	}
	return w.all.RecordUnanswered(ctx, o)
}

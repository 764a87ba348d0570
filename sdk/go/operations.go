package orgd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/orgd/orgd/sdk/go/client"
	"github.com/orgd/orgd/sdk/go/internal/problem"
	"github.com/orgd/orgd/sdk/go/internal/transport"
)

const respondAsync = "respond-async"

// UpdateOrganizationAsync is [Client.UpdateOrganization] that does not wait for the
// end: it returns as soon as nothing is in the way, and the rest goes on. See
// [Client.WaitOperation]. New credentials come into force on the way; a client made
// with [WithLogin] uses the old ones until then, and the new ones after that.
func (c *Client) UpdateOrganizationAsync(ctx context.Context, u Update) (*Operation, error) {
	s := c.config.doer.Session
	change := s.Expect(u.Email, u.Password)
	op, err := Decode[Operation](c.api.UpdateOrganization(ctx, &client.UpdateOrganizationParams{Prefer: pointer(respondAsync)}, u.body()))
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
		s.Settle(change, false)
	}
	return op, err
}

// DeleteOrganizationAsync is [Client.DeleteOrganization] that does not wait for the
// end: see [Client.WaitOperation]. Where the operator has set a time of grace there
// is nothing to wait for, and the result is a receipt in place of an operation.
func (c *Client) DeleteOrganizationAsync(ctx context.Context) (*Operation, *DeletionReceipt, error) {
	resp, err := c.api.DeleteOrganization(ctx, &client.DeleteOrganizationParams{Prefer: pointer(respondAsync)})
	if err == nil && resp.StatusCode != http.StatusAccepted {
		receipt, err := Decode[DeletionReceipt](resp, nil)
		return nil, receipt, err
	}
	op, err := Decode[Operation](resp, err)
	return op, nil, err
}

// GetOperation returns an operation of the client's own organization as it is now.
func (c *Client) GetOperation(ctx context.Context, id ID) (*Operation, error) {
	return Decode[Operation](c.api.GetOperation(ctx, id))
}

// Operations goes through what was done to the client's own organization, and what
// is being done, the newest first.
func (c *Client) Operations(ctx context.Context) iter.Seq2[Operation, error] {
	return Pages(ctx, func(ctx context.Context, cursor string) ([]Operation, string, error) {
		page, err := Decode[client.OperationList](c.api.ListOperations(ctx, &client.ListOperationsParams{Cursor: given(cursor)}))
		if err != nil {
			return nil, "", err
		}
		return page.Items, text(page.NextCursor), nil
	})
}

// An OperationError is an operation that has failed: nothing was changed. Its code
// is what errors.Is finds.
type OperationError struct{ Operation Operation }

// Error implements error.
func (e *OperationError) Error() string {
	code, detail := e.why()
	return fmt.Sprintf("orgd: the %s failed: %s: %s", e.Operation.Kind, code, detail)
}

// Unwrap returns the code.
func (e *OperationError) Unwrap() error {
	code, _ := e.why()
	return code
}

func (e *OperationError) why() (Code, string) {
	if e.Operation.Error == nil {
		return ErrInternal, "the server does not say why"
	}
	return Code(e.Operation.Error.Code), e.Operation.Error.Detail
}

const (
	firstPoll = 100 * time.Millisecond
	maxPoll   = time.Second
)

// WaitOperation waits for the end of an operation, and returns it as it was then, or
// an [*OperationError] if it has failed. In the meantime it calls progress, unless
// that is nil, each time it has asked: at once, after 0.1 seconds, then less often,
// up to once a second.
//
// Of op it needs the ID, and the Kind if that is a deletion: when a deletion is over
// the server refuses the token, and no operation is left, so the result is op with
// the state succeeded. The operation goes on when the wait ends early, because of
// the context or of a server that does not answer: wait again.
func (c *Client) WaitOperation(ctx context.Context, op Operation, progress func(Operation)) (*Operation, error) {
	for wait := firstPoll; ; wait = min(2*wait, maxPoll) {
		resp, err := c.api.GetOperation(ctx, op.ID)
		if op.Kind == OperationKindDelete && isGone(err) {
			op.State = OperationStateSucceeded
			return &op, nil
		}
		now, err := Decode[Operation](resp, err)
		if err != nil {
			return nil, err
		}
		op = *now
		if progress != nil {
			progress(op)
		}
		switch op.State {
		case OperationStateSucceeded:
			return &op, nil
		case OperationStateFailed:
			return nil, &OperationError{op}
		}
		if err := transport.Sleep(ctx, max(wait, min(problem.RetryAfter(resp.Header), transport.MaxDelay))); err != nil {
			return nil, err
		}
	}
}

// isGone reports whether an error says that the organization is no more. A token
// that has merely run out is another matter. Where its name and credentials have a
// new organization already, that has no such operation.
func isGone(err error) bool { return errors.Is(err, ErrTokenRevoked) || errors.Is(err, ErrNotFound) }

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

// UpdateOrganizationAsync is [Client.UpdateOrganization] without the wait for the end:
// it returns as soon as the server has accepted the update, which continues. See
// [Client.WaitOperation]. New credentials come into force during the update; a client
// made with [WithLogin] uses the old ones until then, and the new ones after that.
func (c *Client) UpdateOrganizationAsync(ctx context.Context, u Update) (*Operation, error) {
	s := c.config.doer.Session
	change := s.Expect(u.Email, u.Password)
	op, err := Decode[Operation](c.api.UpdateOrganization(ctx, &client.UpdateOrganizationParams{Prefer: pointer(respondAsync)}, u.body()))
	if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
		s.Settle(change, false)
	}
	return op, err
}

// DeleteOrganizationAsync is [Client.DeleteOrganization] without the wait for the end:
// see [Client.WaitOperation]. If the operator has set a time of grace there is nothing
// to wait for, and the result is a receipt in place of an operation.
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

// Operations goes through the operations of the client's own organization, finished and
// running, the newest first.
func (c *Client) Operations(ctx context.Context) iter.Seq2[Operation, error] {
	return Pages(ctx, func(ctx context.Context, cursor string) ([]Operation, string, error) {
		page, err := Decode[client.OperationList](c.api.ListOperations(ctx, &client.ListOperationsParams{Cursor: given(cursor)}))
		if err != nil {
			return nil, "", err
		}
		return page.Items, text(page.NextCursor), nil
	})
}

// An OperationError is the error of an operation that has failed and changed nothing.
// errors.Is finds its code.
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

// WaitOperation waits until an operation has finished and returns it, or an
// [*OperationError] if it has failed. It asks the server at once, after 0.1 seconds,
// then less and less often, down to once a second, and calls progress, unless that is
// nil, with each answer.
//
// Of op it needs the ID and, for a deletion, the Kind: a deletion that has succeeded
// leaves no operation, and its token is refused, so the result is op with the state
// succeeded. If the wait ends early, because of the context or of a server that does
// not answer, the operation continues: wait again.
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

// isGone reports whether an error says that the organization is gone, which an expired
// token does not. If a new organization has its name and credentials already, the error
// is that the new one has no such operation.
func isGone(err error) bool { return errors.Is(err, ErrTokenRevoked) || errors.Is(err, ErrNotFound) }

package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
)

// accept starts an operation as start does, and returns as soon as it is past the
// steps that can refuse it for what was asked. The rest goes on in the background,
// where Close waits for it as for any other. An operation that is refused by these
// steps is refused here, when it has been undone.
func (s *Store) accept(ctx context.Context, name kindName, orgID string, p plan, hash string) (org.Operation, error) {
	r, err := s.newRun(name, orgID, p, hash)
	if err != nil {
		return org.Operation{}, err
	}
	accepted, ended := make(chan org.Operation, 1), make(chan error, 1)
	r.accepted = func() { accepted <- r.op.public() }
	go func() { ended <- r.begin(ctx) }()
	select {
	case op := <-accepted:
		return op, nil
	case err := <-ended:
		select {
		case op := <-accepted: // it was, and ended before anybody looked
			return op, nil
		default:
			return org.Operation{}, err
		}
	}
}

// UpdateAsync is Update for a caller who does not wait: nothing is in the way of the
// update, and it goes on. Its errors are those of Update that are known by then.
func (s *Store) UpdateAsync(ctx context.Context, p org.Principal, in UpdateInput) (org.Operation, error) {
	todo, hash, err := s.prepareUpdate(ctx, p, in)
	if err != nil {
		return org.Operation{}, err
	}
	return s.accept(ctx, kindUpdate, p.OrgID, todo, hash)
}

// DeleteAsync is Delete for a caller who does not wait. The operation is nil when
// the receipt says it all: with Config.DeleteGrace there is nothing to wait for.
func (s *Store) DeleteAsync(ctx context.Context, p org.Principal) (*org.Operation, org.DeletionReceipt, error) {
	if s.cfg.DeleteGrace > 0 {
		receipt, err := s.deleteLater(ctx, p)
		return nil, receipt, err
	}
	if _, _, err := s.attachable(ctx, p); err != nil {
		return nil, org.DeletionReceipt{}, fault(err)
	}
	op, err := s.accept(ctx, kindDelete, p.OrgID, plan{AdminID: p.AdminID, Credential: p.Credential}, "")
	if err != nil {
		return nil, org.DeletionReceipt{}, err
	}
	return &op, org.DeletionReceipt{}, nil
}

package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/workflow"
)

// An Admission is what was read of the organization and the admin when a request was authenticated. The
// operation that the request asks for begins with it, where nothing has changed since.
type Admission struct {
	principal org.Principal
	account   workflow.Account
}

// Admit is Authenticate for a request that may ask for an operation.
func (s *Store) Admit(ctx context.Context, p org.Principal) (*Admission, error) {
	o, a, err := s.access.Authenticate(ctx, p)
	if err != nil {
		return nil, fault.Of(err)
	}
	return &Admission{p, workflow.Account{Org: o, Admin: a}}, nil
}

type admissionKey struct{}

// In returns the context of the admitted request.
func (a *Admission) In(ctx context.Context) context.Context {
	return context.WithValue(ctx, admissionKey{}, a)
}

// attachable returns the principal's organization and admin if a change may begin now. It saves the cost
// of an operation that attach would refuse; attach decides.
func attachable(ctx context.Context, all *access.Access, p org.Principal) (found workflow.Account, err error) {
	if admitted, ok := ctx.Value(admissionKey{}).(*Admission); ok && admitted.principal == p {
		found = admitted.account
	} else if found.Org, found.Admin, err = all.Authenticate(ctx, p); err != nil {
		return workflow.Account{}, err
	}
	if found.Org.Operation != "" {
		return workflow.Account{}, found.Org.InProgress()
	}
	return found, nil
}

package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// An Admission is what was read of the organization and the admin when a request was authenticated. The
// operation that the request asks for begins with it, where nothing has changed since.
type Admission struct {
	principal org.Principal
	account
}

// An account is an organization and one of its admins as they were read together.
type account struct {
	org   *master.Organization
	admin *master.Admin
}

// Admit is Authenticate for a request that may ask for an operation.
func (s *Store) Admit(ctx context.Context, p org.Principal) (*Admission, error) {
	o, a, err := s.access.Authenticate(ctx, p)
	if err != nil {
		return nil, fault.Of(err)
	}
	return &Admission{p, account{o, a}}, nil
}

type admissionKey struct{}

// In returns the context of the admitted request.
func (a *Admission) In(ctx context.Context) context.Context {
	return context.WithValue(ctx, admissionKey{}, a)
}

// attachable returns the principal's organization and admin if a change may begin now. It saves the cost
// of an operation that attach would refuse; attach decides.
func attachable(ctx context.Context, all *access.Access, p org.Principal) (found account, err error) {
	if admitted, ok := ctx.Value(admissionKey{}).(*Admission); ok && admitted.principal == p {
		found = admitted.account
	} else if found.org, found.admin, err = all.Authenticate(ctx, p); err != nil {
		return account{}, err
	}
	if found.org.Operation != "" {
		return account{}, found.org.InProgress()
	}
	return found, nil
}

// Package workflow has the steps of the operations on an organization: how it is created, changed and
// removed, one effect after the other, each of which can be repeated.
package workflow

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// Workflows makes the workflow of each operation. Its fields are what the steps work with, and all are
// required.
type Workflows struct {
	Master   *master.Database
	Registry *master.Registry
	Mover    *move.Mover
	Repairer *repair.Repairer
	Keys     *idempotency.Keys
	// Left is called when an organization is gone.
	Left func()
	Now  func() time.Time
}

// An Account is an organization and one of its admins as they were read together.
type Account struct {
	Org   *master.Organization
	Admin *master.Admin
}

// base is what all workflows have in common.
type base struct {
	s    *Workflows
	x    *operation.Execution
	move *move.Move
	// begins is what the request was admitted with; empty where that is not known.
	begins Account
	// admitted is the admin as it was read when the operation was attached, or nil.
	admitted *master.Admin
}

// ByKind returns the workflow of each kind of operation.
func (s *Workflows) ByKind() map[master.Kind]func(*operation.Execution) operation.Workflow {
	return map[master.Kind]func(*operation.Execution) operation.Workflow{
		master.Create: s.Create(""),
		master.Update: s.Update("", Account{}),
		master.Delete: s.Delete(Account{}),
	}
}

func (s *Workflows) base(x *operation.Execution, begins Account) base {
	return base{s: s, x: x, move: s.Mover.New(x), begins: begins}
}

// Acquired implements operation.Workflow.
func (w *base) Acquired(ctx context.Context, trusted bool) error {
	return w.move.Acquired(ctx, trusted)
}

// Begun implements operation.Workflow.
func (w *base) Begun(ctx context.Context) (bool, error) {
	o, err := master.Found(w.s.Master.Organizations.Get(ctx, w.x.Op.OrgID))
	return o != nil && o.Operation == w.x.Op.ID, err
}

// LeaseLost implements operation.Workflow.
func (w *base) LeaseLost(ctx context.Context) error { return w.s.Repairer.CleanUp(ctx, w.x.Op) }

// Settled implements operation.Workflow.
func (w *base) Settled() bool { return !w.move.Doubtful() }

// reserve reserves the plan's new name and new e-mail address.
func (w *base) reserve(ctx context.Context) error {
	op, p := w.x.Op, &w.x.Op.Plan
	var want []*master.Reservation
	if key := Changed(p.NameKey, p.OldNameKey); key != "" {
		want = append(want, &master.Reservation{Meta: master.Meta{ID: master.NameReservation(key)}})
	}
	if key := Changed(p.EmailKey, p.OldEmailKey); key != "" {
		want = append(want, &master.Reservation{Meta: master.Meta{ID: master.EmailReservation(key)}, AdminID: p.AdminID})
	}
	if len(want) == 0 {
		return nil
	}
	for _, r := range want {
		r.OrgID, r.Operation, r.CreatedAt = op.OrgID, op.ID, w.s.Now()
	}
	return w.s.Master.Reservations.ReserveAll(ctx, want...)
}

// withdraw releases what the operation has reserved.
func (w *base) withdraw(ctx context.Context) error {
	op, held := w.x.Op, w.s.Master.Reservations
	if key := op.Plan.NameKey; key != "" {
		if err := held.Release(ctx, master.NameReservation(key), op.OrgID, op.ID); err != nil {
			return err
		}
	}
	if key := op.Plan.EmailKey; key != "" {
		return held.Release(ctx, master.EmailReservation(key), op.OrgID, op.ID)
	}
	return nil
}

// attachStep is the first step of every operation on an organization that exists.
const attachStep = "attach"

// attach makes this operation the only one that may change the organization, and records in the plan
// the organization's present values. It begins with what the request was admitted with: where the
// organization is still the same, no other operation has changed it in between.
func (w *base) attach(ctx context.Context) error {
	known, a := w.begins.Org.Clone(), w.begins.Admin
	o, err := w.s.Master.Organizations.ChangeKnown(ctx, w.x.Op.OrgID, known, func(o *master.Organization) (_ bool, err error) {
		// After the organization, so that it is the admin of that time or a later one; unless the
		// organization says that the one who was admitted is still the same.
		if o != known || o.AdminID != a.ID || o.Credential != a.Credential {
			if a, err = w.s.Master.Admins.Get(ctx, w.x.Op.Plan.AdminID); err != nil {
				return false, err
			}
		}
		return w.attachTo(o, a)
	})
	if errors.Is(err, docdb.ErrNotFound) {
		return master.Revoked()
	}
	if err != nil {
		return err
	}
	w.begins.Org, w.admitted = nil, a
	w.move.Learn(o)
	w.x.Op.Plan.Begin(o, a)
	return nil
}

// attachTo returns false if the operation is attached already.
func (w *base) attachTo(o *master.Organization, a *master.Admin) (bool, error) {
	if o.Operation == w.x.Op.ID {
		return false, nil
	}
	if master.CredentialOf(o, a) != w.x.Op.Plan.Credential {
		return false, master.Revoked()
	}
	if err := o.CheckUsable(); err != nil {
		return false, err
	}
	if o.Operation != "" {
		return false, o.InProgress()
	}
	o.Operation, o.Token = w.x.Op.ID, w.x.Op.Lease.Token
	if w.x.Op.Kind == master.Delete {
		o.State = org.StateDeleting
	}
	return true, nil
}

func (w *base) removeAdmins(ctx context.Context) error {
	return master.RemoveAll(ctx, w.s.Master.Admins, docdb.Eq("org_id", w.x.Op.OrgID))
}

// removeOrganization removes the organization if this operation is attached to it.
func (w *base) removeOrganization(ctx context.Context) error {
	err := w.s.Master.Organizations.RemoveIf(ctx, w.x.Op.OrgID, docdb.Eq("operation", w.x.Op.ID))
	if errors.Is(err, docdb.ErrNoMatch) {
		return nil
	}
	w.s.Left()
	return err
}

// Changed returns the new key if it is not empty and differs from the old key.
func Changed(key, old string) string {
	if key == old {
		return ""
	}
	return key
}

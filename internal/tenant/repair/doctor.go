// Package repair removes what dead instances have left behind, and finds inconsistencies: one set of
// verdicts (verdict.go) for the reconciler, which acts on them, and the doctor, which reports them.
package repair

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// A Finding is an inconsistency in the databases.
type Finding struct {
	// Subject is the name or id that the finding is about.
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
	// Remedy says what to do.
	Remedy string `json:"remedy"`
	// Repairable: Repair applies the remedy, and no data can be lost by that.
	Repairable bool `json:"repairable"`
	// Pending: a running orgd applies the remedy by itself, soon; the operator need not act.
	Pending bool `json:"pending"`
}

// A Check is an invariant, and the findings where it does not hold.
type Check struct {
	Name     string    `json:"check"`
	About    string    `json:"about"`
	Findings []Finding `json:"findings"`
}

// Contents says how much an organization has.
type Contents struct {
	Organization string `json:"organization_id"`
	Collection   string `json:"collection_name"`
	Documents    int64  `json:"documents"`
}

// A Report is what Diagnose has found.
type Report struct {
	Checks      []Check    `json:"checks"`
	Collections []Contents `json:"collections"`
	// Kept is set after a deep look.
	Kept []Kept `json:"kept,omitempty"`
}

// Findings returns how many findings need the operator.
func (r Report) Findings() (n int) {
	for _, c := range r.Checks {
		n += c.Open()
	}
	return n
}

// Open returns how many findings of the check need the operator.
func (c Check) Open() (n int) {
	for _, f := range c.Findings {
		if !f.Pending {
			n++
		}
	}
	return n
}

// A Look says how to look.
type Look struct {
	// ConfirmAfter is the pause before a second look, for databases that other processes may
	// be changing: a finding is what both looks find.
	ConfirmAfter time.Duration
	// Deep compares the collections that are kept after moves with those in use, document by document.
	Deep bool
}

// Diagnose checks everything and changes nothing.
func (s *Repairer) Diagnose(ctx context.Context, how Look) (Report, error) {
	r, inv, err := s.look(ctx, how)
	if err != nil {
		return Report{}, err
	}
	if r.Findings() > 0 && !s.Alone {
		if err := retry.Pause(ctx, how.ConfirmAfter); err != nil {
			return Report{}, err
		}
		again, _, err := s.look(ctx, how)
		if err != nil {
			return Report{}, err
		}
		r = confirmed(r, again)
	}
	r.Collections, err = s.contents(ctx, inv)
	return r, err
}

func (s *Repairer) look(ctx context.Context, how Look) (Report, *inventory, error) {
	inv, err := s.takeInventory(ctx)
	if err == nil && how.Deep {
		inv.kept, err = s.lookDeep(ctx, inv)
	}
	if err != nil {
		return Report{}, nil, fmt.Errorf("read the databases: %w", err)
	}
	r := Report{Kept: inv.kept}
	for _, c := range checks {
		found := c.find(inv)
		if found == nil {
			found = []Finding{}
		}
		r.Checks = append(r.Checks, Check{Name: c.name, About: c.about, Findings: found})
	}
	return r, inv, nil
}

// confirmed keeps of the first report what is in the second as well.
func confirmed(first, second Report) Report {
	for i, c := range first.Checks {
		still := map[Finding]bool{}
		for _, f := range second.Checks[i].Findings {
			still[f] = true
		}
		kept := []Finding{}
		for _, f := range c.Findings {
			if still[f] {
				kept = append(kept, f)
			}
		}
		first.Checks[i].Findings = kept
	}
	return first
}

// contents counts the documents of every organization that has its collection.
func (s *Repairer) contents(ctx context.Context, inv *inventory) ([]Contents, error) {
	all := []Contents{}
	for _, o := range inv.organizations {
		if !inv.physical[o.Collection] {
			continue
		}
		n, err := s.Tenant.Collection(o.Collection).Count(ctx, docdb.Filter{})
		if err != nil {
			return nil, fmt.Errorf("count the documents of %q: %w", o.Collection, err)
		}
		all = append(all, Contents{o.ID, o.Collection, n})
	}
	return all, nil
}

// GiveBack reserves the names and addresses that organizations and admins have without a reservation.
// If another organization has reserved one meanwhile, it keeps it.
func (s *Repairer) GiveBack(ctx context.Context) error {
	inv, err := s.takeInventory(ctx)
	if err != nil {
		return err
	}
	for _, res := range inv.unheld() {
		res.Operation, res.CreatedAt = "doctor", s.Now()
		if err := s.Master.Reservations.Insert(ctx, res); err != nil && !errors.Is(err, docdb.ErrDuplicate) {
			return err
		}
	}
	return nil
}

package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/operation"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// Reconcile removes what dead instances have left behind, and what was kept for a time that is over.
// Every instance calls it now and then. A call looks at a part of the databases, the next call
// at the next part.
func (s *Store) Reconcile(ctx context.Context) error { return s.leftovers.remove(ctx, false) }

// ReconcileInTime is Reconcile for a caller that calls it every ReconcileEvery. It does little as long as
// this process has run no operation since it has looked everywhere: every quietEvery one part of
// Reconcile, the next time the next. For what others leave there are always those that resume it.
func (s *Store) ReconcileInTime(ctx context.Context) error { return s.leftovers.removeInTime(ctx) }

// ReconcileEvery is how often a search for the remains of dead instances begins, and quietEvery how often
// a part of it, of about a dozen, where there should be none.
const (
	ReconcileEvery = 30 * time.Second
	quietEvery     = 90 * time.Second
)

// leftovers are what dead instances have left behind, and what was kept for a time that is over.
type leftovers struct {
	repairer *repair.Repairer
	keys     *idempotency.Keys
	runner   *operation.Runner
	now      func() time.Time

	// Of removeInTime, which one goroutine calls:
	events uint64 // of the runner, when it was called last
	laps   []int  // of the repairer, when an operation began or ended last
	part   int    // what was done last
	at     time.Time
}

// remove looks for them in a part of the databases; if thorough, everywhere.
func (l *leftovers) remove(ctx context.Context, thorough bool) error {
	var errs []error
	for _, part := range l.parts(thorough) {
		errs = append(errs, part(ctx))
	}
	return errors.Join(errs...)
}

func (l *leftovers) parts(thorough bool) []func(context.Context) error {
	return append(l.repairer.Parts(thorough), l.keys.Expire, func(ctx context.Context) error {
		return l.runner.ExpireForestalled(ctx, idempotency.AnswersKept)
	})
}

func (l *leftovers) removeInTime(ctx context.Context) error {
	if !l.quiet() {
		return l.remove(ctx, false)
	}
	if l.now().Sub(l.at) < quietEvery {
		return nil
	}
	parts := l.parts(false)
	l.at, l.part = l.now(), (l.part+1)%len(parts)
	return parts[l.part](ctx)
}

// quiet reports whether the whole of each table was looked at since the last operation of this process:
// the second lap from then on begins after it.
func (l *leftovers) quiet() bool {
	laps := l.repairer.Laps()
	if events := l.runner.Events(); l.laps == nil || events != l.events {
		l.events, l.laps = events, laps
	}
	for i, n := range laps {
		if n < l.laps[i]+2 {
			return false
		}
	}
	return true
}

// A Doctor looks for inconsistencies in the databases of a Store. It needs no open Store, and is not
// registered as an instance, since it never writes tenant data.
type Doctor struct {
	s *Store
	// ConfirmAfter is the pause before a second look, for databases that other processes may be
	// changing: a finding is what both looks find. Default 2 s.
	ConfirmAfter time.Duration
	// Deep makes Diagnose compare the collections that are kept after moves with those in use,
	// document by document: see Config.MoveGrace.
	Deep bool
}

// NewDoctor returns a Doctor. It does no I/O. With cfg.Exclusive no Store may be
// open on the databases.
func NewDoctor(ctx context.Context, cfg Config) *Doctor {
	return &Doctor{s: newStore(ctx, cfg), ConfirmAfter: 2 * time.Second}
}

// Diagnose checks everything and changes nothing.
func (d *Doctor) Diagnose(ctx context.Context) (repair.Report, error) {
	return d.s.repairer.Diagnose(ctx, repair.Look{ConfirmAfter: d.ConfirmAfter, Deep: d.Deep})
}

// Repair creates missing collections and indexes of the master database, reserves the names and
// addresses that organizations should hold and no other holds, finishes interrupted operations, and
// does all of Reconcile. After an error it does the rest all the same.
func (d *Doctor) Repair(ctx context.Context) error {
	if err := errors.Join(d.s.master.Prepare(ctx, d.s.recovery.upgrade), d.s.master.MakeIndexes(ctx)); err != nil {
		return fmt.Errorf("prepare the master database: %w", err)
	}
	abandoned := func(op *master.Operation) bool { return d.s.cfg.Exclusive || d.s.cfg.Now().After(op.Lease.Until) }
	_, err := d.s.runner.ResumeAll(ctx, abandoned)
	return errors.Join(err, d.s.leftovers.remove(ctx, true), d.s.repairer.GiveBack(ctx))
}

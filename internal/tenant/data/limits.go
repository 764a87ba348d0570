package data

import (
	"context"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/master"
)

// limits hold one organization's writes to its quota.
type limits struct {
	orgID  string
	data   access.Data
	usages *usages
	now    func() time.Time
}

func (s *Store) limits(orgID string) *limits {
	return &limits{orgID, s.access.Data(orgID, nil), &s.usages, s.now}
}

// Known implements access.Limits. The writes of an organization without a quota are not counted, so
// its usage of before is forgotten.
func (l *limits) Known(o *master.Organization) bool {
	if o.Quota == nil {
		l.usages.forget(l.orgID)
		return true
	}
	u := l.usages.of(l.orgID)
	return u != nil && (l.data.Alone() || l.now().Sub(u.countedAt) < usageFor)
}

// Writable implements access.Limits.
func (l *limits) Writable(o *master.Organization, c docdb.Collection) (docdb.Collection, bool) {
	if o.Quota == nil {
		return c, true
	}
	u := l.usages.of(l.orgID)
	return &limited{Collection: c, quota: o.Quota, usage: u, sizes: map[string]int64{}, lost: l.forget}, u != nil
}

// Alterable implements access.Limits.
func (l *limits) Alterable(o *master.Organization, c docdb.Collection) docdb.Collection {
	if o.Quota == nil {
		return c
	}
	return indexed{c, o.Quota, l.forget}
}

func (l *limits) forget() { l.usages.forget(l.orgID) }

// Learn implements access.Limits. It counts once for all requests that wait for it. It first waits for
// the writes that began before there was a quota; later writes wait for the count.
func (l *limits) Learn(ctx context.Context) error {
	done, mine := l.usages.begin(l.orgID)
	if !mine {
		select {
		case <-done:
			return nil // the caller looks again
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	u, err := l.measure(ctx)
	if err != nil {
		u = nil
	}
	l.usages.end(l.orgID, u, done)
	return err
}

func (l *limits) measure(ctx context.Context) (*usage, error) {
	if l.data.Alone() {
		if err := l.data.DrainOwn(ctx); err != nil {
			return nil, err
		}
	}
	u := &usage{countedAt: l.now()}
	err := l.data.Read(ctx, func(ctx context.Context, c docdb.Collection) (err error) {
		u.documents, u.bytes, err = extent(ctx, c)
		return err
	})
	return u, err
}

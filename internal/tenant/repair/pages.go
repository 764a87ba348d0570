package repair

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Nearly all records are in use. To find that out for a page of them takes a few messages; only those
// for which it does not are looked at one by one, in the order that a removal needs.

// cleanReservations is cleanReservation for a page.
func (s *Repairer) cleanReservations(ctx context.Context, page []*master.Reservation) error {
	orgs, err := readAny(ctx, s.Master.Organizations, page, func(res *master.Reservation) string { return res.OrgID })
	if err != nil {
		return err
	}
	admins, err := readAny(ctx, s.Master.Admins, page, func(res *master.Reservation) string { return res.AdminID })
	if err != nil {
		return err
	}
	return master.ForAll(ctx, slices.DeleteFunc(page, func(res *master.Reservation) bool {
		return reservationUsed(res, true, orgs[res.OrgID], admins[res.AdminID])
	}), s.cleanReservation)
}

// cleanAdmins is cleanAdmin for a page.
func (s *Repairer) cleanAdmins(ctx context.Context, page []*master.Admin) error {
	orgs, err := readAny(ctx, s.Master.Organizations, page, func(a *master.Admin) string { return a.OrgID })
	if err != nil {
		return err
	}
	return master.ForAll(ctx, slices.DeleteFunc(page, func(a *master.Admin) bool {
		return a.Next == nil && !adminStray(true, orgs[a.OrgID])
	}), s.cleanAdmin)
}

// cleanLive is cleanCollection for a page, of live ones: the others are found by their state.
func (s *Repairer) cleanLive(ctx context.Context, page []*master.Collection) error {
	orgs, err := readAny(ctx, s.Master.Organizations, page, func(c *master.Collection) string { return c.OrgID })
	if err != nil {
		return err
	}
	return master.ForAll(ctx, slices.DeleteFunc(page, func(c *master.Collection) bool {
		o := orgs[c.OrgID]
		return c.State != master.Live || o != nil && o.Collection == c.ID
	}), s.cleanCollection)
}

// readAny reads the documents that the records of a page name, as far as they exist, by _id.
func readAny[R, T any, P master.Record[T]](ctx context.Context, t master.Table[T, P], page []R, id func(R) string) (map[string]P, error) {
	var ids []string
	for _, record := range page {
		if id := id(record); id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var all []P
	for some := range slices.Chunk(slices.Compact(ids), access.AskableIDs) {
		values := make([]bson.RawValue, len(some))
		for i, id := range some {
			values[i] = docdb.StringID(id)
		}
		found, err := t.Find(ctx, docdb.In("_id", values))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return master.ByID(all), nil
}

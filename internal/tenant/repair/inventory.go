package repair

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/master"
)

// inventory is the records and collections that a doctor checks. Since the databases may change
// meanwhile, a record is read before those that would give it a use, as in CleanUp.
type inventory struct {
	now       time.Time
	exclusive bool

	physical   map[string]bool // the collections of the tenant database
	isolated   map[string]bool // hashes of the names in quarantine
	dirtySets  []string
	missing    []string // of the master database
	unreadable []string

	reservations  []*master.Reservation
	admins        []*master.Admin
	registry      []*master.Collection
	instances     []*cluster.Instance
	organizations []*master.Organization
	running       map[string]*master.Operation
	kept          []Kept // where a deep look was taken

	adminOf        map[string]*master.Admin
	organizationOf map[string]*master.Organization
	entryOf        map[string]*master.Collection
	reservationOf  map[string]*master.Reservation
	busyWith       map[string]bool // organizations that an operation is running on
}

func (s *Repairer) takeInventory(ctx context.Context) (*inventory, error) {
	inv := &inventory{now: s.Now(), exclusive: s.Alone, physical: map[string]bool{}, isolated: map[string]bool{}}
	var quarantine []*cluster.Quarantined
	var open []*master.Operation
	for _, read := range []func() error{
		func() error { return s.listNames(ctx, inv) },
		func() error {
			return readAll(ctx, inv, "reservations", s.Master.Reservations.Table, docdb.Filter{}, &inv.reservations)
		},
		func() error { return readAll(ctx, inv, "admins", s.Master.Admins, docdb.Filter{}, &inv.admins) },
		func() error {
			return readAll(ctx, inv, "collections", s.Master.Collections, docdb.Filter{}, &inv.registry)
		},
		func() error { return readAll(ctx, inv, "quarantine", s.Quarantine.Table, docdb.Filter{}, &quarantine) },
		func() error { return readAll(ctx, inv, "instances", s.Instances, docdb.Filter{}, &inv.instances) },
		func() error {
			return readAll(ctx, inv, "operations", s.Master.Operations, docdb.Eq("outcome", master.Running), &open)
		},
		func() error {
			return readAll(ctx, inv, "organizations", s.Master.Organizations, docdb.Filter{}, &inv.organizations)
		},
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	for _, q := range quarantine {
		inv.isolated[q.ID] = inv.now.Before(q.Until)
	}
	inv.running, inv.busyWith = master.ByID(open), map[string]bool{}
	for _, op := range open {
		inv.busyWith[op.OrgID] = true
	}
	inv.adminOf, inv.organizationOf = master.ByID(inv.admins), master.ByID(inv.organizations)
	inv.entryOf, inv.reservationOf = master.ByID(inv.registry), master.ByID(inv.reservations)
	return inv, nil
}

// listNames lists collections, and what is missing of the master database.
func (s *Repairer) listNames(ctx context.Context, inv *inventory) error {
	physical, err := s.Tenant.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range physical {
		inv.physical[name] = true
	}
	known, err := s.Master.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range known {
		if _, ok := access.DirtyOwner(name); ok && strings.HasPrefix(name, access.DirtyPrefix) {
			inv.dirtySets = append(inv.dirtySets, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(master.Indexes)) {
		if !slices.Contains(known, name) {
			inv.missing = append(inv.missing, name)
			continue
		}
		if err := s.listIndexes(ctx, inv, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Repairer) listIndexes(ctx context.Context, inv *inventory, name string) error {
	there, err := s.Master.Collection(name).Indexes(ctx)
	if err != nil {
		return err
	}
	for _, path := range master.Indexes[name] {
		ix := master.Index(path)
		if !slices.ContainsFunc(there, func(x docdb.Index) bool { return x.Name == ix.Name }) {
			inv.missing = append(inv.missing, name+"."+ix.Name)
		}
	}
	return nil
}

// readAll reads documents, and notes which cannot be read.
func readAll[T any, P master.Record[T]](ctx context.Context, inv *inventory, name string, t master.Table[T, P], f docdb.Filter, to *[]P) error {
	for raw, err := range t.Collection.Find(ctx, docdb.Query{Filter: f}) {
		if err != nil {
			return err
		}
		v, err := t.Decode(raw)
		if err != nil {
			inv.unreadable = append(inv.unreadable, fmt.Sprintf("%s %s", name, document.ShortID(raw)))
			continue
		}
		*to = append(*to, v)
	}
	return nil
}

// over reports whether an operation is not running.
func (inv *inventory) over(opID string) bool { return inv.running[opID] == nil }

// atRest reports whether no operation may be changing the organization.
func (inv *inventory) atRest(o *master.Organization) bool {
	return !inv.busyWith[o.ID] && o.State != org.StateProvisioning
}

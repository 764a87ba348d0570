package tenant

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// inventory is what a doctor looks at. Where the databases change meanwhile, what
// gives something a use is read after it, as in tidy.
type inventory struct {
	now       time.Time
	exclusive bool

	physical   map[string]bool // the collections of the tenant database
	isolated   map[string]bool // hashes of the names in quarantine
	dirtySets  []string
	missing    []string // of the master database
	unreadable []string

	reservations  []*reservation
	admins        []*admin
	registry      []*collection
	instances     []*instance
	organizations []*organization
	running       map[string]*operation
	kept          []Kept // where a deep look was taken

	adminOf        map[string]*admin
	organizationOf map[string]*organization
	entryOf        map[string]*collection
	reservationOf  map[string]*reservation
	busyWith       map[string]bool // organizations that an operation is running on
}

func (s *Store) takeInventory(ctx context.Context) (*inventory, error) {
	inv := &inventory{now: s.now(), exclusive: s.cfg.Exclusive, physical: map[string]bool{}, isolated: map[string]bool{}}
	var quarantine []*quarantined
	var open []*operation
	for _, read := range []func() error{
		func() error { return s.listNames(ctx, inv) },
		func() error {
			return readAll(ctx, inv, "reservations", s.reservations, docdb.Filter{}, &inv.reservations)
		},
		func() error { return readAll(ctx, inv, "admins", s.admins, docdb.Filter{}, &inv.admins) },
		func() error { return readAll(ctx, inv, "collections", s.collections, docdb.Filter{}, &inv.registry) },
		func() error { return readAll(ctx, inv, "quarantine", s.quarantine, docdb.Filter{}, &quarantine) },
		func() error { return readAll(ctx, inv, "instances", s.instances, docdb.Filter{}, &inv.instances) },
		func() error {
			return readAll(ctx, inv, "operations", s.operations, docdb.Eq("outcome", running), &open)
		},
		func() error {
			return readAll(ctx, inv, "organizations", s.organizations, docdb.Filter{}, &inv.organizations)
		},
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	for _, q := range quarantine {
		inv.isolated[q.ID] = inv.now.Before(q.Until)
	}
	inv.running, inv.busyWith = byID(open), map[string]bool{}
	for _, op := range open {
		inv.busyWith[op.OrgID] = true
	}
	inv.adminOf, inv.organizationOf = byID(inv.admins), byID(inv.organizations)
	inv.entryOf, inv.reservationOf = byID(inv.registry), byID(inv.reservations)
	return inv, nil
}

// listNames lists collections, and what is missing of the master database.
func (s *Store) listNames(ctx context.Context, inv *inventory) error {
	physical, err := s.tenant.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range physical {
		inv.physical[name] = true
	}
	master, err := s.master.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range master {
		if _, ok := dirtyOwner(name); ok && strings.HasPrefix(name, dirtyPrefix) {
			inv.dirtySets = append(inv.dirtySets, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(masterIndexes)) {
		if !slices.Contains(master, name) {
			inv.missing = append(inv.missing, name)
			continue
		}
		if err := s.listIndexes(ctx, inv, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) listIndexes(ctx context.Context, inv *inventory, name string) error {
	there, err := s.master.Collection(name).Indexes(ctx)
	if err != nil {
		return err
	}
	for _, path := range masterIndexes[name] {
		ix := masterIndex(path)
		if !slices.ContainsFunc(there, func(x docdb.Index) bool { return x.Name == ix.Name }) {
			inv.missing = append(inv.missing, name+"."+ix.Name)
		}
	}
	return nil
}

// readAll reads documents, and notes which cannot be read.
func readAll[T any, P record[T]](ctx context.Context, inv *inventory, name string, t table[T, P], f docdb.Filter, to *[]P) error {
	for raw, err := range t.c.Find(ctx, docdb.Query{Filter: f}) {
		if err != nil {
			return err
		}
		v, err := t.decode(raw)
		if err != nil {
			inv.unreadable = append(inv.unreadable, fmt.Sprintf("%s %s", name, shortID(raw)))
			continue
		}
		*to = append(*to, v)
	}
	return nil
}

func byID[T any, P record[T]](all []P) map[string]P {
	m := make(map[string]P, len(all))
	for _, v := range all {
		m[v.meta().ID] = v
	}
	return m
}

// over reports whether an operation is not running.
func (inv *inventory) over(opID string) bool { return inv.running[opID] == nil }

// atRest reports whether no operation may be changing the organization.
func (inv *inventory) atRest(o *organization) bool {
	return !inv.busyWith[o.ID] && o.State != org.StateProvisioning
}

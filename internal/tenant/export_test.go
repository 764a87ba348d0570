package tenant

import (
	"context"
	"encoding/binary"
	"iter"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/move"
)

// What follows puts a worse part in the place of one that the move protocol works with, for the
// tests that show that each is needed.

// parts are the parts that can be left out, by name.
var parts = map[string]func(*Store){
	"dirty set":       func(s *Store) { s.replaceDirty(forgetful{s.access.Dirty}) },
	"epochs":          func(s *Store) { s.replaceDirty(behind{s.access.Dirty}) },
	"drain":           func(s *Store) { s.mover.Writers = impatient{s.mover.Writers} },
	"re-read":         func(s *Store) { s.access.Reader = credulous{s.access.Reader} },
	"verification":    func(s *Store) { s.mover.Verifier = trusting{} },
	"conditions":      (*Store).writeUnconditionally,
	"fresh target":    (*Store).trustTarget,
	"new names":       func(s *Store) { s.registry.Names = reusing{s.registry} },
	"unique versions": (*Store).countVersions,
	"steady rounds":   func(s *Store) { s.mover.Pace = func() move.Pace { return patient{} } },
	"write count":     func(s *Store) { s.access.Cluster = hasty{s.access.Cluster} },
	"join":            func(s *Store) { s.access.Cluster = sleepwalking{s.access.Cluster} },
	"outdating":       func(s *Store) { s.cluster.(*cluster.Shared).Outdate = func() {} },
	"fence": func(s *Store) {
		s.access.Reader, s.mover.Verifier = heedless{s.access.Reader}, trusting{} // the comparison would find it
	},
}

// Skip leaves one part of the move protocol out. It returns false for a part that
// there is not.
func (c *Config) Skip(part string) bool {
	leaveOut, ok := parts[part]
	if before := c.rewire; ok {
		c.rewire = func(s *Store) {
			if before != nil {
				before(s)
			}
			leaveOut(s)
		}
	}
	return ok
}

func (s *Store) replaceDirty(d access.DirtySets) {
	s.access.Dirty, s.mover.Dirty, s.repairer.Dirty = d, d, d
}

// forgetful records nothing.
type forgetful struct{ access.DirtySets }

func (forgetful) Record(context.Context, string, int64, bool, ...bson.RawValue) error { return nil }

// behind takes the epoch that writers go on in as applied.
type behind struct{ access.DirtySets }

func (d behind) Between(ctx context.Context, set string, after, before int64) iter.Seq2[access.Dirty, error] {
	if after > 0 {
		after++
	}
	return d.DirtySets.Between(ctx, set, after, before+1)
}

// impatient waits for no write.
type impatient struct{ move.Writers }

func (impatient) Drain(context.Context, string) error { return nil }

// credulous is a Reader without the second reading: it returns the first again.
type credulous struct{ access.Reader }

func (credulous) Again(_ context.Context, was *master.Organization) (*master.Organization, error) {
	return was, nil
}

// hasty does not count the writes in progress: their instance rests in the middle of them.
type hasty struct{ cluster.Coordination }

func (h hasty) BeginWrite(ctx context.Context) (string, error) {
	defer h.Coordination.EndWrite()
	return h.Coordination.BeginWrite(ctx)
}

func (hasty) EndWrite() {}

// sleepwalking lets an instance that rests write without joining.
type sleepwalking struct{ cluster.Coordination }

func (s sleepwalking) BeginWrite(context.Context) (string, error) { return s.Member(), nil }
func (sleepwalking) EndWrite()                                    {}

// heedless does not see that writes are blocked.
type heedless struct{ access.Reader }

func (r heedless) Organization(ctx context.Context, id string) (*master.Organization, error) {
	o, err := r.Reader.Organization(ctx, id)
	if err == nil && o.Move != nil {
		o = o.Clone()
		o.Move.Phase = master.Copying
	}
	return o, err
}

// trusting finds no fault.
type trusting struct{}

func (trusting) Verify(context.Context, *move.Move) error { return nil }

// writeUnconditionally has the mover write whatever is there.
func (s *Store) writeUnconditionally() {
	target := s.mover.Target
	s.mover.Target = func(c docdb.Collection, doubt *atomic.Bool) docdb.Collection { return careless{target(c, doubt)} }
}

type careless struct{ docdb.Collection }

func (c careless) Replace(ctx context.Context, id bson.RawValue, _ docdb.Filter, doc bson.Raw) error {
	return c.Collection.Replace(ctx, id, docdb.Filter{}, doc)
}

func (c careless) Delete(ctx context.Context, id bson.RawValue, _ docdb.Filter) error {
	return c.Collection.Delete(ctx, id, docdb.Filter{})
}

// trustTarget goes on in a target that a write of unknown outcome went to.
func (s *Store) trustTarget() {
	target := s.mover.Target
	s.mover.Target = func(c docdb.Collection, _ *atomic.Bool) docdb.Collection { return target(c, new(atomic.Bool)) }
}

// reusing takes whatever name is free.
type reusing struct{ registry *master.Registry }

func (r reusing) Next(ctx context.Context, slug string) (string, error) {
	for n := int64(1); ; n++ {
		name := master.PhysicalName(slug, n)
		there, err := r.registry.Tenant.List(ctx, name)
		if err != nil {
			return "", err
		}
		entry, err := master.Found(r.registry.Entries.Get(ctx, name))
		if err != nil || entry == nil && (len(there) == 0 || there[0] != name) {
			return name, err
		}
	}
}

func (reusing) First(context.Context, string) (bool, error) { return true, nil }

func (reusing) Used(context.Context, string) (bool, error) { return true, nil }

// countVersions has versions that come again when a document does.
func (s *Store) countVersions() {
	next := func(was master.Version) master.Version {
		n, _ := was.AsInt64OK()
		return master.Version{Type: bson.TypeInt64, Value: binary.LittleEndian.AppendUint64(nil, uint64(n+1))}
	}
	s.master.Organizations.Versions, s.master.Admins.Versions, s.master.Reservations.Versions = next, next, next
}

// patient goes on until little is left.
type patient struct{}

func (patient) Enough(n int, took time.Duration) bool { return move.Little(n, took) }

// Usage returns the known usage of an organization with a quota.
func (s *Store) Usage(orgID string) (documents, bytes int64) { return s.data.Usage(orgID) }

// KeyLimit is how many keys are remembered of an organization.
func (s *Store) KeyLimit(ctx context.Context, orgID string) (int64, error) {
	return s.keys.Limit(ctx, orgID)
}

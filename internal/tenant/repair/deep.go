package repair

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/master"
	"github.com/orgd/orgd/internal/tenant/walk"
)

// Kept is what a deep look finds in a collection that is kept after a move (see Config.MoveGrace),
// compared with the collection in use.
type Kept struct {
	Organization string `json:"organization_id"`
	Collection   string `json:"collection_name"`
	Documents    int64  `json:"documents"`
	// Behind are documents of which the collection in use has an older version, written before
	// the flip: the later writes are lost.
	Behind int64 `json:"behind"`
	// Revived are documents of the collection in use that were written before the flip and
	// are not in the kept one: they had been deleted.
	Revived int64 `json:"revived"`
	// Absent are documents that the collection in use does not have: deleted since, or lost,
	// which cannot be told apart.
	Absent int64 `json:"absent"`
}

// agreesWithin is how far the clock of an instance may be off. Writes are judged by the time in their
// revisions, and those so close to the flip count as later.
const agreesWithin = 10 * time.Second

// lookDeep compares every kept collection with the collection in use.
func (s *Repairer) lookDeep(ctx context.Context, inv *inventory) ([]Kept, error) {
	all := []Kept{}
	for _, c := range inv.registry {
		o := inv.organizationOf[c.OrgID]
		if o == nil || c.State != master.Retired || c.RetiredAt == nil || !inv.physical[c.ID] || !inv.physical[o.Collection] {
			continue
		}
		if o.Generation != c.Generation+1 { // it was moved again since: the next one tells
			continue
		}
		k := Kept{Organization: o.ID, Collection: c.ID}
		before := c.RetiredAt.Add(-agreesWithin)
		for pair, err := range walk.Pairs(ctx, s.Tenant.Collection(c.ID), s.Tenant.Collection(o.Collection), docdb.Query{}) {
			if err != nil {
				return nil, fmt.Errorf("compare %q with %q: %w", c.ID, o.Collection, err)
			}
			k.count(pair, before)
		}
		all = append(all, k)
	}
	return all, nil
}

// count judges one document; a write before that time went to the kept collection for certain.
func (k *Kept) count(p walk.Pair, before time.Time) {
	if p.Source != nil {
		k.Documents++
	}
	switch {
	case p.Target == nil:
		k.Absent++
	case bytes.Equal(p.Source, p.Target) || !document.WrittenBefore(p.Target, before):
	case p.Source == nil:
		k.Revived++
	default:
		k.Behind++
	}
}

// keptSources finds the moves that have lost or revived documents.
func (inv *inventory) keptSources() (all []Finding) {
	for _, k := range inv.kept {
		if k.Behind > 0 || k.Revived > 0 {
			all = append(all, broken(k.Collection, "compare its documents with those of the organization's collection before it is dropped; MOVE_GRACE says how long it is kept",
				"was the collection of organization %s: %d of its documents are older where the data is now, and %d that were deleted are back", k.Organization, k.Behind, k.Revived))
		}
	}
	return all
}

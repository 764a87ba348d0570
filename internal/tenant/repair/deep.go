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

// Kept is what a deep look finds of a collection that is kept after a move (see
// Config.MoveGrace), beside the one in use.
type Kept struct {
	Organization string `json:"organization_id"`
	Collection   string `json:"collection_name"`
	Documents    int64  `json:"documents"`
	// Behind are documents of which the one in use has another version, written before
	// the data was handed over: what came after it is lost.
	Behind int64 `json:"behind"`
	// Revived are documents of the one in use that were written before and are not here:
	// they had been deleted.
	Revived int64 `json:"revived"`
	// Absent are documents that the one in use has not: deleted since. Whether one of them
	// was lost instead cannot be told.
	Absent int64 `json:"absent"`
}

// agreesWithin is how far the clock of an instance may be off whose writes are judged by
// the time in their revisions: those of that time round the hand-over are taken for later.
const agreesWithin = 10 * time.Second

// lookDeep compares every collection that is kept with the one in use.
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

// count judges one document; before is when writes came for certain to the kept collection.
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

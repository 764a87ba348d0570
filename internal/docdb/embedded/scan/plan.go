package scan

import (
	"bytes"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/filter"
)

// A plan says which keys a scan walks over, and what their order is.
type plan struct {
	ix     *catalog.Index // nil: the documents
	prefix []byte         // of all keys; what follows it is ordered
	spans  []span         // to walk, disjoint and in the ascending order of their documents
	// fixed: all entries have one tuple, which is a part of prefix. So their
	// order is that of _id, and no document has two of them.
	fixed bool
}

// order is the number of the index in whose order the walk goes; 0: by _id.
func (p plan) order() uint32 {
	if p.ix == nil || p.fixed {
		return 0
	}
	return p.ix.ID
}

// A span is the keys from lower on and below upper.
type span struct{ lower, upper []byte }

// A planner chooses a plan for a query on a collection as it is in an iterator's view.
type planner struct {
	state      *catalog.State
	query      docdb.Query
	conditions []filter.Condition
	// hasMulti reports whether a document has several entries in an index.
	hasMulti func(*catalog.Index) (bool, error)
}

// plan returns the plan for a query; docdb.ErrNoIndex if there is none. An empty
// order is by _id: a range of that, or the entries of an index that all have the
// tuple the filter asks for; any other index would need sorting.
func (p *planner) plan() (plan, error) {
	if len(p.query.Order) == 0 {
		return p.planByID()
	}
	i := slices.IndexFunc(p.state.Indexes, func(ix *catalog.Index) bool { return slices.Equal(ix.Keys, p.query.Order) })
	if i < 0 {
		return plan{}, fmt.Errorf("%w: %v", docdb.ErrNoIndex, p.query.Order)
	}
	return p.planByIndex(p.state.Indexes[i])
}

func (p *planner) planByID() (plan, error) {
	documents := plan{prefix: keys.Documents(p.state.ID)}
	all := keys.Interval{}
	var points *filter.Condition
	restricted := false
	for _, c := range p.conditions {
		if c.Path == "_id" {
			all = all.And(keys.IntervalOf(c))
			restricted = true
			if c.Op == "$in" || c.Op == "$eq" {
				points = &c
			}
		}
	}
	if points != nil {
		documents.spans = pointSpans(p.state.ID, points.Values, all)
		return documents, nil
	}
	if !restricted {
		if fixed, ok, err := p.planFixed(); ok || err != nil {
			return fixed, err
		}
	}
	documents.spans = []span{spanOf(documents.prefix, all)}
	return documents, nil
}

// pointSpans returns a span for each _id of some, which are in their order, that is
// within an interval: of a single key, so that a long one is found among many alike.
func pointSpans(coll uint32, ids []bson.RawValue, within keys.Interval) (spans []span) {
	var last []byte
	for _, id := range ids {
		at := keys.AppendValue(nil, id)
		if bytes.Equal(at, last) || bytes.Compare(at, within.Lo) < 0 || within.Hi != nil && bytes.Compare(at, within.Hi) >= 0 {
			continue
		}
		last = at
		key := keys.Document(coll, at)
		spans = append(spans, span{key, append(bytes.Clone(key), 0)})
	}
	return spans
}

// planFixed looks for an index for all of whose keys the filter has an equality;
// of several the unique one, then the one with the most keys.
func (p *planner) planFixed() (best plan, found bool, err error) {
	for _, ix := range p.state.Indexes {
		if found && (best.ix.Unique && !ix.Unique || best.ix.Unique == ix.Unique && len(best.ix.Keys) >= len(ix.Keys)) {
			continue
		}
		tuple, equal := p.equalities(ix.Keys)
		if equal < len(ix.Keys) {
			continue
		}
		if len(ix.Keys) > 1 {
			// Two keys may lead through one array, and each equality be met by
			// another element: no entry has both.
			if multi, err := p.hasMulti(ix); err != nil {
				return plan{}, false, err
			} else if multi {
				continue
			}
		}
		prefix := keys.AppendPart(append(keys.Index(p.state.ID, ix.ID), keys.IndexEntries), tuple)
		best = plan{ix: ix, prefix: prefix, fixed: true, spans: []span{{prefix, keys.Successor(prefix)}}}
		found = true
	}
	return best, found, nil
}

// equalities encodes the values that the filter fixes for the first of some keys,
// and says for how many.
func (p *planner) equalities(of []docdb.Key) (tuple []byte, n int) {
	for _, key := range of {
		usable := keys.ConditionsOn(p.conditions, key.Path)
		i := slices.IndexFunc(usable, func(c filter.Condition) bool { return c.Op == "$eq" })
		if i < 0 {
			break
		}
		tuple = keys.AppendTuple(tuple, of[n:], usable[i].Values)
		n++
	}
	return tuple, n
}

// planCount returns the plan for a count, whose order doesn't matter. It is bare if
// the number of keys is the answer: all says that the conditions are all that the
// filter asks, and they are on one path, _id or what an index begins with.
func (p *planner) planCount(all bool) (result plan, bare bool, err error) {
	if !all {
		result, err = p.planByID()
		return result, false, err
	}
	if len(p.conditions) == 0 {
		result, err = p.planByID()
		return result, true, err
	}
	path := p.conditions[0].Path
	usable := keys.ConditionsOn(p.conditions, path)
	exact := len(usable) == len(p.conditions) && !slices.ContainsFunc(usable, func(c filter.Condition) bool {
		return c.Op == "$in" || len(keys.AppendValue(nil, c.Values[0])) > keys.MaxPart
	})
	for _, ix := range p.state.Indexes {
		if !exact || ix.Keys[0].Path != path {
			continue
		}
		if multi, err := p.hasMulti(ix); err != nil {
			return plan{}, false, err
		} else if !multi {
			within, _ := p.keyInterval(ix.Keys[0])
			prefix := append(keys.Index(p.state.ID, ix.ID), keys.IndexEntries)
			return plan{ix: ix, prefix: prefix, spans: []span{spanOf(prefix, within)}}, true, nil
		}
	}
	result, err = p.planByID()
	return result, exact && path == "_id", err
}

// planByIndex walks over an index, as little of it as the filter allows.
//
// A document with several entries has its place at the first one in the
// direction of the walk. The entry that meets the filter may be a later one, so
// while there are such documents the walk can't begin later than at the
// beginning; but it can end early, since the first entry comes before the later one.
func (p *planner) planByIndex(ix *catalog.Index) (plan, error) {
	prefix := append(keys.Index(p.state.ID, ix.ID), keys.IndexEntries)
	result := plan{ix: ix, prefix: prefix, spans: []span{spanOf(prefix, keys.Interval{})}}
	tuple, n := p.equalities(ix.Keys[:len(ix.Keys)-1]) // the last key has an interval in any case
	within := keys.Interval{Lo: tuple, Hi: keys.Successor(tuple)}
	if n == 0 {
		within = keys.Interval{}
	}
	if bounds, ok := p.keyInterval(ix.Keys[n]); ok {
		within = extend(tuple, within, bounds)
	} else if n == 0 {
		return result, nil
	}
	multi, err := p.hasMulti(ix)
	if err != nil {
		return plan{}, err
	}
	if multi {
		within, _ = p.keyInterval(ix.Keys[0])
		if p.query.Desc {
			within.Hi = nil
		} else {
			within.Lo = nil
		}
	}
	result.spans[0] = spanOf(prefix, within)
	return result, nil
}

// keyInterval returns the encodings that the filter allows for one key, as they
// are in the index.
func (p *planner) keyInterval(key docdb.Key) (within keys.Interval, ok bool) {
	for _, c := range keys.ConditionsOn(p.conditions, key.Path) {
		within = within.And(keys.IntervalOf(c))
		ok = true
	}
	if key.Desc {
		within = within.Inverted()
	}
	return within, ok
}

// extend narrows an interval of tuples that begin with tuple by one of the value that follows.
func extend(tuple []byte, within, next keys.Interval) keys.Interval {
	if next.Lo != nil {
		within.Lo = slices.Concat(tuple, next.Lo)
	}
	if next.Hi != nil {
		within.Hi = slices.Concat(tuple, next.Hi)
	}
	return within
}

// empty reports whether the span has no keys: its conditions exclude each other.
func (s span) empty() bool { return bytes.Compare(s.lower, s.upper) >= 0 }

// spanOf returns the span of the keys whose first part is in an interval. Of long
// bounds it takes what keys hold, which may let in a few more.
func spanOf(prefix []byte, within keys.Interval) span {
	s := span{prefix, keys.Successor(prefix)}
	if within.Lo != nil {
		s.lower = slices.Concat(prefix, keys.Head(within.Lo))
	}
	if within.Hi != nil {
		s.upper = slices.Concat(prefix, keys.Head(within.Hi))
		if len(within.Hi) > keys.MaxPart {
			s.upper = keys.Successor(s.upper)
		}
	}
	return s
}

package scan

import (
	"bytes"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
	"github.com/orgd/orgd/internal/docdb/embedded/store"
)

// A group is the keys that are not in order among themselves: they have a long
// part (see keys.MaxPart) and agree in all of it that is ordered. A group is all
// within one span or outside it. Its members are sorted by what their documents
// hold, in bounded memory: of a large group the first ones are picked, then the
// next, each time going over all of it.

// maxGroup is how many bytes of places are sorted at a time.
const maxGroup = 4 << 20

// A member is a key of a group.
type member struct {
	place        // in full
	id    []byte // the part of a document's key
}

// group returns the prefix that the keys of a place's group share; nil if the
// place is in none.
func (w *walk) group(at place) []byte {
	switch {
	case len(at.tuple) > keys.MaxPart:
		return slices.Concat(w.plan.prefix, keys.Head(at.tuple))
	case len(at.id) <= keys.MaxPart:
		return nil
	case w.uniqueEntries(): // a group of one, for the sake of its id in full
		return slices.Concat(w.plan.prefix, at.tuple)
	default:
		return slices.Concat(w.plan.prefix, at.tuple, keys.Head(at.id))
	}
}

// walkGroup visits the documents of a group. It moves w.after along.
func (w *walk) walkGroup(prefix []byte) (more bool, err error) {
	for {
		members, rest, err := w.collect(prefix)
		if err != nil {
			return false, err
		}
		w.pause.goOn() // or a large group would be collected for each of its members
		for _, m := range members {
			more, err := w.visitMember(m)
			if err != nil {
				return false, err
			}
			w.after = &place{m.place.tuple, m.place.id}
			if err := w.pause.step(); err != nil || !more {
				return false, err
			}
		}
		if !rest {
			return true, nil
		}
	}
}

// collect returns the first members of a group beyond w.after, in order, and
// whether there are others behind them.
func (w *walk) collect(prefix []byte) (members []member, rest bool, err error) {
	size := 0
	inOrder := func(a, b member) int {
		if a.place.beyond(b.place, w.query.Desc) {
			return 1
		}
		return -1
	}
	for ok := w.enter(prefix); ok && bytes.HasPrefix(w.it.Key(), prefix); ok = w.next() {
		if !w.pause.Take(store.StepsOfKey) {
			return nil, false, w.pause.Err()
		}
		m, here, err := w.member()
		if err != nil {
			return nil, false, err
		}
		if !here || w.after != nil && !m.place.beyond(*w.after, w.query.Desc) {
			continue
		}
		members = append(members, m)
		if size += len(m.place.tuple) + len(m.place.id) + len(m.id); size > maxGroup && len(members) > 1 {
			slices.SortFunc(members, inOrder)
			members = slices.Clone(members[:len(members)/2])
			size, rest = 0, true
			for _, m := range members {
				size += len(m.place.tuple) + len(m.place.id) + len(m.id)
			}
		}
	}
	slices.SortFunc(members, inOrder)
	return members, rest, w.it.Error()
}

// enter goes to the first key with a prefix in the direction of the walk.
func (w *walk) enter(prefix []byte) bool {
	if w.query.Desc {
		return w.it.SeekLT(keys.Successor(prefix))
	}
	return w.it.SeekGE(prefix)
}

// leave goes to the first key behind those with a prefix.
func (w *walk) leave(prefix []byte) bool {
	if w.query.Desc {
		return w.it.SeekLT(prefix)
	}
	return w.it.SeekGE(keys.Successor(prefix))
}

// member returns what the current key stands for; false if the document has its
// place at another of its entries.
func (w *walk) member() (m member, here bool, err error) {
	at, multi, err := w.entry()
	if err != nil {
		return member{}, false, err
	}
	if multi {
		if here, err := w.isPlace(at); err != nil || !here {
			return member{}, false, err
		}
	}
	m.id = bytes.Clone(at.id)
	doc, err := w.fetchByKey(append(keys.Documents(w.state.ID), m.id...))
	if err != nil {
		return member{}, false, err
	}
	m.place.id = keys.AppendValue(nil, docdb.ID(doc))
	m.place.tuple, err = w.tupleOf(doc)
	return m, true, err
}

// visitMember is visitEntry for a member.
func (w *walk) visitMember(m member) (more bool, err error) {
	doc, err := w.fetchByKey(append(keys.Documents(w.state.ID), m.id...))
	if err != nil {
		return false, err
	}
	if ok, err := w.matches(doc); err != nil || !ok {
		return true, err
	}
	return w.visit(doc), nil
}

package indexkey

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/fieldpath"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// An Expander makes the keys under which indexes hold a document, one after the other. An
// expander serves all indexes of one document and bounds what they take together: a step is
// an element of the document that is looked at, and a client decides how often paths lead
// past it; a key counts as several. An Expander is for one goroutine.
type Expander struct {
	meter    *meter.Meter
	maxSteps int      // 0: no limit
	levels   []*level // of arrays that the paths have led through, to be used again
}

// stepsOfKey is how many steps a key counts as.
const stepsOfKey = 8

// NewExpander returns an expander whose work the meter counts and ends, and which ends
// after more than maxSteps by itself; 0: no limit.
func NewExpander(m *meter.Meter, maxSteps int) *Expander {
	return &Expander{meter: m, maxSteps: maxSteps}
}

// NewUnbounded returns an expander that nothing ends.
func NewUnbounded() *Expander { return NewExpander(meter.WithoutTurns(context.Background()), 0) }

// Each calls visit with each key under which an index holds the document: one for
// most, several where a path leads to an array. They come in the order of the
// document, some of them more than once. A key shares the document's memory, and is itself
// valid until visit returns, whose error ends it. *Error as in All, and
// after too many steps; the context's error.
func (x *Expander) Each(doc bson.Raw, keys []Key, visit func(key []bson.RawValue) error) error {
	l := x.level(0, len(keys))
	for i, key := range keys {
		v, plain := x.plainValue(doc, key.Path)
		if err := x.check(key.Path); err != nil {
			return err
		}
		if !plain {
			return x.expandAll(doc, keys, visit)
		}
		l.row[i] = v
	}
	return visit(l.row)
}

// check ends what takes too long.
func (x *Expander) check(path string) error {
	if x.maxSteps > 0 && x.meter.Steps() > x.maxSteps {
		return &Error{Path: path, Problem: "it leads past too many elements, too often"}
	}
	x.meter.Take(0)
	return x.meter.Err()
}

// plainValue finds the value at a path, null if it is missing, and reports
// false when an array is met on the way.
func (x *Expander) plainValue(doc []byte, path string) (v bson.RawValue, plain bool) {
	for {
		name, rest, more := strings.Cut(path, ".")
		v, ok := fieldpath.Lookup(x.meter, doc, name)
		switch {
		case !ok:
			return wire.Null, true
		case v.Type == bson.TypeArray:
			return v, false
		case !more:
			return v, true
		case v.Type != bson.TypeEmbeddedDocument:
			return wire.Null, true
		}
		doc, path = v.Value, rest
	}
}

// A level is how far the paths have been followed when they have led through so
// many arrays.
type level struct {
	at      []cursor
	row     []bson.RawValue // the key, as far as it is known
	through []int           // the paths that lead through the next array
}

func (x *Expander) level(n, keys int) *level {
	if n == len(x.levels) {
		x.levels = append(x.levels, &level{})
	}
	l := x.levels[n]
	if cap(l.row) < keys {
		l.row = make([]bson.RawValue, keys)
	}
	l.row = l.row[:keys]
	return l
}

// A cursor is how far one path of an index has been followed.
type cursor struct {
	name string
	rest []fieldpath.Segment // empty: the path's value is known
	// positional: rest[0] is an index of the array being expanded, so the path
	// goes on at that element, the same for every element of the array.
	positional bool
	element    bson.RawValue       // the array's element at that index
	target     bson.RawValue       // what following rest from the array leads to, up to the next array
	found      bool                // whether target is there
	after      []fieldpath.Segment // what is left of rest at target
}

// expandAll is Each for a document with arrays. It follows mongod's
// BtreeKeyGenerator, whose rules are not those of filters in every corner.
func (x *Expander) expandAll(doc bson.Raw, keys []Key, visit func([]bson.RawValue) error) error {
	l := x.level(0, len(keys))
	l.at = l.at[:0]
	for _, key := range keys {
		l.at = append(l.at, cursor{name: key.Path, rest: fieldpath.Split(key.Path)})
	}
	return x.expand(doc, 0, visit)
}

// expand follows all paths from a document; when they meet an array it goes on
// from each of its elements.
func (x *Expander) expand(doc []byte, depth int, visit func([]bson.RawValue) error) error {
	l := x.levels[depth]
	l.through = l.through[:0]
	var array bson.RawValue
	whole := false // an array within an array reached by its index counts as one value
	for i := range l.at {
		c := &l.at[i]
		if len(c.rest) == 0 {
			continue
		}
		v, nested, err := x.step(c, doc)
		if err != nil {
			return err
		}
		whole = whole || nested
		if v.Type != bson.TypeArray {
			l.row[i], c.rest = v, nil
			continue
		}
		if len(l.through) > 0 && !sameMemory(array.Value, v.Value) {
			return &Error{Path: c.name, Problem: "it leads to another array than a path before it"}
		}
		array, l.through = v, append(l.through, i)
	}
	if len(l.through) == 0 {
		x.meter.Take(stepsOfKey)
		return visit(l.row)
	}
	return x.expandArray(array, depth, whole, visit)
}

// step follows a path to its next array or its end, null if it is missing.
func (x *Expander) step(c *cursor, doc []byte) (v bson.RawValue, nested bool, err error) {
	if err := x.unambiguous(c, doc); err != nil {
		return v, false, err
	}
	ok := c.found
	if c.positional {
		nested = c.element.Type == bson.TypeArray
		v, c.rest = c.target, c.after
	} else {
		v, c.rest, ok = x.follow(doc, c.rest)
	}
	if !ok {
		v, c.rest = wire.Null, nil
	}
	return v, nested, x.check(c.name)
}

// unambiguous refuses a part of a path that is an index of an array and a name in
// its documents.
func (x *Expander) unambiguous(c *cursor, doc []byte) error {
	if !c.positional || len(doc) == 0 {
		return nil
	}
	if _, named := fieldpath.Lookup(x.meter, doc, c.rest[0].Name); named {
		return &Error{Path: c.name, Problem: "a number in it is both an index of an array and a name in the array's documents"}
	}
	return nil
}

// follow goes down documents by name to an array, to the end of the path, or
// nowhere, and returns what is left of the path there.
func (x *Expander) follow(doc []byte, path []fieldpath.Segment) (v bson.RawValue, rest []fieldpath.Segment, ok bool) {
	for {
		v, ok = fieldpath.Lookup(x.meter, doc, path[0].Name)
		path = path[1:]
		if !ok || v.Type == bson.TypeArray || len(path) == 0 {
			return v, path, ok
		}
		if v.Type != bson.TypeEmbeddedDocument {
			return v, path, false
		}
		doc = v.Value
	}
}

// expandArray goes on from each element of an array. Where all elements lead to the
// same, it goes on once.
func (x *Expander) expandArray(array bson.RawValue, depth int, whole bool, visit func([]bson.RawValue) error) error {
	l := x.levels[depth]
	elements := wire.Elements(array.Value)
	if len(elements) == 0 {
		for i := range l.at {
			l.at[i].positional = false
		}
		return x.expandElement(wire.Undefined, wire.Undefined, depth, visit)
	}
	for i := range l.at {
		x.enter(&l.at[i], array.Value)
	}
	once := l.once(whole)
	for first := true; ; first = false {
		_, v, rest, ok := wire.Next(elements)
		if !ok {
			return nil
		}
		x.meter.Take(1)
		ends := v // what a path that ends at this array gets
		if whole {
			ends = array
		}
		var err error
		if first || !once {
			err = x.expandElement(v, ends, depth, visit)
		} else {
			err = x.unambiguousAll(v, l)
		}
		if err != nil || once && !l.positional() {
			return err
		}
		elements = rest
	}
}

// once reports whether all elements of the next array lead to the same keys: every
// path ends at the whole of it, or goes on at one of its elements.
func (l *level) once(whole bool) bool {
	for _, i := range l.through {
		if ends := len(l.at[i].rest) == 0; ends && !whole || !ends && !l.at[i].positional {
			return false
		}
	}
	return true
}

// positional reports whether a path goes on at an element by its index, which
// must not be a name in any other.
func (l *level) positional() bool {
	return slices.ContainsFunc(l.through, func(i int) bool { return l.at[i].positional })
}

func (x *Expander) unambiguousAll(v bson.RawValue, l *level) error {
	if v.Type == bson.TypeEmbeddedDocument {
		for _, i := range l.through {
			if err := x.unambiguous(&l.at[i], v.Value); err != nil {
				return err
			}
		}
	}
	return x.check(l.at[l.through[0]].name)
}

// enter looks up the element that a path names by its index.
func (x *Expander) enter(c *cursor, array []byte) {
	c.positional = false
	if len(c.rest) == 0 || c.rest[0].Index < 0 {
		return
	}
	x.meter.Take(c.rest[0].Index)
	c.element, c.positional = fieldpath.ElementAt(array, c.rest[0].Index)
	if !c.positional {
		return
	}
	c.target, c.after, c.found = c.element, c.rest[1:], true
	if c.element.Type != bson.TypeArray && len(c.after) > 0 {
		c.found = false
		if c.element.Type == bson.TypeEmbeddedDocument {
			c.target, c.after, c.found = x.follow(c.element.Value, c.after)
		}
	}
}

func (x *Expander) expandElement(v, ends bson.RawValue, depth int, visit func([]bson.RawValue) error) error {
	l := x.levels[depth]
	below := x.level(depth+1, len(l.row))
	below.at = append(below.at[:0], l.at...)
	copy(below.row, l.row)
	for _, i := range l.through {
		if len(l.at[i].rest) == 0 {
			below.row[i] = ends
		}
	}
	var doc []byte
	if v.Type == bson.TypeEmbeddedDocument {
		doc = v.Value
	}
	return x.expand(doc, depth+1, visit)
}

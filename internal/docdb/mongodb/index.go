package mongodb

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// A docdb.Index is one index of MongoDB under the same name. A unique one has its
// keys and nothing else. A plain one has {_id: 1} as its last key, so that the
// index itself holds documents of equal keys in the order of _id and no order that
// docdb has makes the server sort.
//
// Indexes that users made with MongoDB's tools are listed when they are exactly
// what CreateIndex would have made. All others (text, geo, hashed, wildcard,
// partial, sparse, hidden, TTL, with a collation, plain without _id, with a name
// docdb does not have) are left out of lists and left alone: they give no order
// and cannot be dropped here. Their names are taken all the same.

// A physical is an index as the server has it.
type physical struct {
	name   string
	keys   bson.Raw
	unique bool
	ours   bool // it is what CreateIndex(index) makes
	index  docdb.Index
}

func (p physical) hasPattern(pattern bson.Raw) bool {
	want, okWant := keysOf(pattern)
	have, ok := keysOf(p.keys)
	return ok && okWant && slices.Equal(want, have)
}

// pattern returns the keys that the server's index has.
func pattern(keys []docdb.Key, unique bool) bson.D {
	d := make(bson.D, 0, len(keys)+1)
	for _, key := range keys {
		direction := int32(1)
		if key.Desc {
			direction = -1
		}
		d = append(d, bson.E{Key: key.Path, Value: direction})
	}
	if !unique {
		d = append(d, bson.E{Key: "_id", Value: int32(1)})
	}
	return d
}

// keysOf reads the keys of an index; false if one is not ascending or descending.
func keysOf(raw bson.Raw) ([]docdb.Key, bool) {
	elements, err := raw.Elements()
	if err != nil {
		return nil, false
	}
	keys := make([]docdb.Key, len(elements))
	for i, element := range elements {
		direction, ok := element.Value().AsInt64OK()
		if !ok || direction != 1 && direction != -1 {
			return nil, false
		}
		keys[i] = docdb.Key{Path: element.Key(), Desc: direction < 0}
	}
	return keys, true
}

// neutral are the fields of an index's description that change nothing of what
// the index is. An index with any other field set is not ours.
var neutral = [][]byte{[]byte("v"), []byte("key"), []byte("name"), []byte("ns"), []byte("unique"), []byte("background")}

// parseIndex reads an index's description.
func parseIndex(spec bson.Raw) physical {
	p := physical{}
	p.name, _ = spec.Lookup("name").StringValueOK()
	p.keys, _ = spec.Lookup("key").DocumentOK()
	p.unique, _ = spec.Lookup("unique").BooleanOK()
	keys, ok := keysOf(p.keys)
	if !ok || len(keys) == 0 || hasOptions(spec) {
		return p
	}
	if !p.unique {
		last := keys[len(keys)-1]
		if last != (docdb.Key{Path: "_id"}) {
			return p
		}
		keys = keys[:len(keys)-1]
	}
	p.index = docdb.Index{Name: p.name, Keys: keys, Unique: p.unique}
	p.ours = docdb.ValidateIndex(p.index) == nil
	return p
}

func hasOptions(spec bson.Raw) bool {
	elements, err := spec.Elements()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(elements, func(e bson.RawElement) bool {
		key := []byte(e.Key())
		if slices.ContainsFunc(neutral, func(n []byte) bool { return bytes.Equal(n, key) }) {
			return false
		}
		off, isBool := e.Value().BooleanOK()
		return !isBool || off // "sparse: false" is as good as nothing
	})
}

// specs returns the server's descriptions of all indexes.
func (c *collection) specs(ctx context.Context) ([]bson.Raw, error) {
	cursor, err := c.coll.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	var specs []bson.Raw
	err = cursor.All(ctx, &specs)
	return specs, err
}

// list returns all indexes, none if there is no collection: one that exists has at
// least that on _id. It is for use within a call.
func (c *collection) list(ctx context.Context) ([]physical, error) {
	specs, err := c.specs(ctx)
	if err != nil {
		return nil, err
	}
	indexes := make([]physical, len(specs))
	for i, spec := range specs {
		indexes[i] = parseIndex(spec)
	}
	return indexes, nil
}

// Indexes implements docdb.Collection.
func (c *collection) Indexes(ctx context.Context) ([]docdb.Index, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	indexes := []docdb.Index{}
	err := c.engine().read(ctx, "list the indexes of "+c.ns, func(ctx context.Context) error {
		all, err := c.list(ctx)
		for _, p := range all {
			if p.ours {
				indexes = append(indexes, p.index)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(indexes, func(a, b docdb.Index) int { return cmp.Compare(a.Name, b.Name) })
	return indexes, nil
}

// CreateIndex implements docdb.Collection. It takes as long as the server needs to
// index what is there, unless the context has a deadline; if that passes, or the engine
// is closed, the server may go on building.
//
// MongoDB would create a missing collection and would admit a plain and a unique index
// of the same keys, since to it they are different, so the list is looked at first. Two things may
// happen between the look and the command: the collection is dropped, then it comes back
// with this index, empty; or the other index of the same keys is created, then there are both,
// which is harmless.
func (c *collection) CreateIndex(ctx context.Context, ix docdb.Index) error {
	if err := c.validate(); err != nil {
		return err
	}
	if err := docdb.ValidateIndex(ix); err != nil {
		return err
	}
	e := c.engine()
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	what := "create index " + ix.Name + " on " + c.ns
	bounded, cancel := e.bounded(ctx)
	defer cancel()
	all, err := c.list(bounded)
	if err != nil {
		return e.readFault(ctx, what, err)
	}
	if err := admits(all, ix); err != nil {
		return e.readFault(ctx, what, err)
	}
	return e.makeIndexes(ctx, what, func(ctx context.Context) error {
		return c.createIndex(ctx, ix)
	})
}

// admits checks an index against those that are there.
func admits(all []physical, ix docdb.Index) error {
	if len(all) == 0 {
		return docdb.ErrNoCollection
	}
	for _, p := range all {
		same := p.ours && slices.Equal(p.index.Keys, ix.Keys)
		switch {
		case p.name == ix.Name && same && p.unique == ix.Unique:
			// The command is sent all the same: it waits if the index is still being built.
			return nil
		case p.name == ix.Name || same:
			return docdb.ErrExists
		}
	}
	if len(all) > docdb.MaxIndexes { // with the one on _id
		return &fault{is: docdb.ErrInvalid, text: "the collection has as many indexes as it may have"}
	}
	return nil
}

func (c *collection) createIndex(ctx context.Context, ix docdb.Index) error {
	spec := bson.D{{Key: "key", Value: pattern(ix.Keys, ix.Unique)}, {Key: "name", Value: ix.Name}}
	if ix.Unique {
		spec = append(spec, bson.E{Key: "unique", Value: true})
	}
	err := c.database.db.RunCommand(ctx, bson.D{
		{Key: "createIndexes", Value: c.coll.Name()}, {Key: "indexes", Value: bson.A{spec}}, majority,
	}).Err()
	if duplicateCodes[codeOf(err)] {
		return &docdb.DuplicateError{Index: ix.Name}
	}
	return err
}

// DropIndex implements docdb.Collection.
func (c *collection) DropIndex(ctx context.Context, name string) error {
	if err := c.validate(); err != nil {
		return err
	}
	return c.engine().write(ctx, "drop an index of "+c.ns, func(ctx context.Context) error {
		// By the list, so that "*", which means all, and indexes that are not ours are
		// not there.
		all, err := c.list(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(p physical) bool { return p.ours && p.name == name }) {
			return docdb.ErrNotFound
		}
		defer c.engine().orders.forget(c.ns)
		err = c.database.db.RunCommand(ctx, bson.D{
			{Key: "dropIndexes", Value: c.coll.Name()}, {Key: "index", Value: name}, majority,
		}).Err()
		if hasCode(err, codeNamespaceNotFound) {
			return docdb.ErrNotFound
		}
		return err
	})
}

var _ docdb.Collection = (*collection)(nil)

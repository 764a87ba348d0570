package tenant

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// Meta begins every master document.
type Meta struct {
	ID string `bson:"_id"`
	// Version is another one after every change.
	Version version `bson:"version"`
	// Past are the versions before it.
	Past []byte `bson:"past,omitempty"`
}

func (m *Meta) meta() *Meta { return m }

// record is a pointer to a master document.
type record[T any] interface {
	*T
	meta() *Meta
}

// table is a typed view of one master collection.
type table[T any, P record[T]] struct {
	c docdb.Collection
	// changing, if not nil, counts the changes.
	changing *changes
	// counting has versions that are only counted: see Config.skip.
	counting bool
}

// get returns docdb.ErrNotFound if there is no such document.
func (t table[T, P]) get(ctx context.Context, id string) (P, error) {
	raw, err := t.c.Get(ctx, docdb.StringID(id))
	if err != nil {
		return nil, err
	}
	return t.decode(raw)
}

func (t table[T, P]) decode(raw bson.Raw) (P, error) {
	v := P(new(T))
	var err error
	if own, ok := any(v).(interface{ decode(bson.Raw) error }); ok {
		err = own.decode(raw)
	} else {
		err = bson.Unmarshal(raw, v)
	}
	if err != nil {
		return nil, fmt.Errorf("decode master document: %w", err)
	}
	return v, nil
}

// insert adds v. It is sent once: what is sent again could arrive late, when the
// document has come and gone.
func (t table[T, P]) insert(ctx context.Context, v P) error {
	m := v.meta()
	m.Version, m.Past = t.nextVersion(version{}), nil
	raw, err := bson.Marshal(v)
	if err != nil {
		return err
	}
	defer t.changing.begin()()
	err = t.c.Insert(ctx, raw)
	if !errors.Is(err, docdb.ErrOutcomeUnknown) {
		return err
	}
	now, lookErr := t.get(ctx, m.ID)
	if lookErr == nil && now.meta().fateOf(version{}, m.Version) == swapDone {
		return nil
	}
	return err
}

func (t table[T, P]) nextVersion(was version) version {
	if !t.counting {
		return newVersion()
	}
	n, _ := was.AsInt64OK()
	return counted(n + 1)
}

// swap writes v if the stored document still has v's version; docdb.ErrNoMatch if
// not. Where the storage does not say whether it was done, the document does.
func (t table[T, P]) swap(ctx context.Context, v P) error {
	m := v.meta()
	was := *m
	m.Version, m.Past = t.nextVersion(was.Version), m.pastOf()
	raw, err := bson.Marshal(v)
	if err == nil {
		err = t.replace(ctx, was.ID, was.Version, m.Version, raw)
	}
	if err != nil {
		*m = was
	}
	return err
}

// replace is swap's compare-and-swap. It can be sent again as it is: of all the times
// that it arrives at most one finds the version that it is meant for.
func (t table[T, P]) replace(ctx context.Context, id string, from, to version, raw bson.Raw) error {
	defer t.changing.begin()()
	for try := 0; ; try++ {
		err := t.c.Replace(ctx, docdb.StringID(id), docdb.Eq("version", from), raw)
		if err == nil || try == 0 && !errors.Is(err, docdb.ErrOutcomeUnknown) {
			return err
		}
		now, lookErr := t.get(ctx, id)
		if lookErr != nil {
			return errors.Join(docdb.ErrOutcomeUnknown, lookErr)
		}
		switch now.meta().fateOf(from, to) {
		case swapDone:
			return nil
		case swapNever:
			return docdb.ErrNoMatch
		case swapUnknown:
			return docdb.ErrOutcomeUnknown
		}
		if try == resends {
			return docdb.ErrOutcomeUnknown
		}
	}
}

// resends is how often a swap is sent again of which no answer came.
const resends = 2

// remove deletes the document if it still has v's version. One that is gone
// already counts as removed.
func (t table[T, P]) remove(ctx context.Context, v P) error {
	m := v.meta()
	defer t.changing.begin()()
	err := t.c.Delete(ctx, docdb.StringID(m.ID), docdb.Eq("version", m.Version))
	if !errors.Is(err, docdb.ErrNoMatch) {
		return err
	}
	if _, err = t.get(ctx, m.ID); errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return docdb.ErrNoMatch
}

// swapAttempts bounds how often change tries again. Each failure means that
// another writer succeeded, so it is only met under heavy contention.
const swapAttempts = 20

// change reads a document, lets edit alter it, and swaps it in, again from the
// start when another writer came between. edit returns false when there is
// nothing to write.
func (t table[T, P]) change(ctx context.Context, id string, edit func(P) (bool, error)) (P, error) {
	for range swapAttempts {
		v, err := t.get(ctx, id)
		if err != nil {
			return nil, err
		}
		write, err := edit(v)
		if err != nil || !write {
			return v, err
		}
		err = t.swap(ctx, v)
		if !errors.Is(err, docdb.ErrNoMatch) {
			return v, err
		}
	}
	return nil, fmt.Errorf("change document: %w", docdb.ErrUnavailable)
}

// find returns the documents that satisfy the filter, in the order of _id.
func (t table[T, P]) find(ctx context.Context, f docdb.Filter) ([]P, error) {
	return t.query(ctx, docdb.Query{Filter: f})
}

// page returns up to limit of the documents that satisfy the filter, the newest
// first, since ids are in the order of time; and the after of the next page, empty
// after the last. An empty after is the first page.
func (t table[T, P]) page(ctx context.Context, f docdb.Filter, after string, limit int) ([]P, string, error) {
	q := docdb.Query{Filter: f, Desc: true, Limit: limit + 1}
	if after != "" {
		q.After = &docdb.Position{ID: docdb.StringID(after)}
	}
	all, err := t.query(ctx, q)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], all[limit-1].meta().ID, nil
}

func (t table[T, P]) query(ctx context.Context, q docdb.Query) ([]P, error) {
	var out []P
	for raw, err := range t.c.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		v, err := t.decode(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

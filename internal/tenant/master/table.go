package master

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Meta begins every master document.
type Meta struct {
	ID string `bson:"_id"`
	// Version differs after every change.
	Version Version `bson:"version"`
	// Past are the versions before this version.
	Past []byte `bson:"past,omitempty"`
}

func (m *Meta) meta() *Meta { return m }

// Record is a pointer to a master document.
type Record[T any] interface {
	*T
	meta() *Meta
}

// Table is a typed view of one master collection.
type Table[T any, P Record[T]] struct {
	// Collection is the documents as the engine has them.
	Collection docdb.Collection
	// changing, if not nil, counts the changes.
	changing *Changes
	// Versions makes the version that follows another. Default: one that was never used.
	Versions func(was Version) Version
}

// NewTable returns the table of that name in the master database.
func NewTable[T any, P Record[T]](db docdb.Database, name string) Table[T, P] {
	return Table[T, P]{Collection: db.Collection(name)}
}

// Get returns the document with that _id, or docdb.ErrNotFound.
func (t Table[T, P]) Get(ctx context.Context, id string) (P, error) {
	raw, err := t.Collection.Get(ctx, docdb.StringID(id))
	if err != nil {
		return nil, err
	}
	return t.Decode(raw)
}

// ErrDamaged is the error of a document that has not the form that orgd writes.
var ErrDamaged = errors.New("damaged master document")

// RefuseDamaged turns ErrDamaged into the refusal of an operation that cannot go on without the
// document: no repetition tells what it was.
func RefuseDamaged(err error) error {
	if errors.Is(err, ErrDamaged) {
		return &org.Error{Kind: org.Internal, Err: err}
	}
	return err
}

func (t Table[T, P]) Decode(raw bson.Raw) (P, error) {
	v := P(new(T))
	var err error
	if own, ok := any(v).(interface{ decode(bson.Raw) error }); ok {
		err = own.decode(raw)
	} else {
		err = bson.Unmarshal(raw, v)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return v, nil
}

// Insert adds v. It is sent once: a second message could arrive late, after the document was removed.
func (t Table[T, P]) Insert(ctx context.Context, v P) error {
	m := v.meta()
	m.Version, m.Past = t.nextVersion(Version{}), nil
	raw, err := bson.Marshal(v)
	if err != nil {
		return err
	}
	defer t.changing.Begin()()
	err = t.Collection.Insert(ctx, raw)
	if !errors.Is(err, docdb.ErrOutcomeUnknown) {
		return err
	}
	now, lookErr := t.Get(ctx, m.ID)
	if lookErr == nil && now.meta().Had(m.Version) {
		return nil
	}
	return err
}

// InsertMany adds documents with one message, and returns one error per document. As Insert, it is sent
// once; if no answer came, the call's own error says so, and any of them may have been added.
func (t Table[T, P]) InsertMany(ctx context.Context, vs []P) ([]error, error) {
	raws := make([]bson.Raw, len(vs))
	for i, v := range vs {
		m := v.meta()
		m.Version, m.Past = t.nextVersion(Version{}), nil
		var err error
		if raws[i], err = bson.Marshal(v); err != nil {
			return nil, err
		}
	}
	defer t.changing.Begin()()
	return t.Collection.InsertMany(ctx, raws)
}

func (t Table[T, P]) nextVersion(was Version) Version {
	if t.Versions == nil {
		return newVersion()
	}
	return t.Versions(was)
}

// Swap writes v if the stored document still has v's version; docdb.ErrNoMatch if not. If the storage
// does not answer, the stored document tells whether the swap was done.
func (t Table[T, P]) Swap(ctx context.Context, v P) error {
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

// replace is Swap's compare-and-swap. It can be sent again: of all its messages at most one finds the
// version that it is meant for.
func (t Table[T, P]) replace(ctx context.Context, id string, from, to Version, raw bson.Raw) error {
	defer t.changing.Begin()()
	for try := 0; ; try++ {
		err := t.Collection.Replace(ctx, docdb.StringID(id), docdb.Eq("version", from), raw)
		if err == nil || try == 0 && !errors.Is(err, docdb.ErrOutcomeUnknown) {
			return err
		}
		now, lookErr := t.Get(ctx, id)
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

// resends is how often a swap without an answer is sent again.
const resends = 2

// Remove deletes the document if it still has v's version. A document that is gone already counts as
// removed.
func (t Table[T, P]) Remove(ctx context.Context, v P) error {
	m := v.meta()
	defer t.changing.Begin()()
	err := t.Collection.Delete(ctx, docdb.StringID(m.ID), docdb.Eq("version", m.Version))
	if !errors.Is(err, docdb.ErrNoMatch) {
		return err
	}
	if _, err = t.Get(ctx, m.ID); errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return docdb.ErrNoMatch
}

// RemoveIf deletes the document of that _id if it satisfies the filter; docdb.ErrNoMatch if not.
func (t Table[T, P]) RemoveIf(ctx context.Context, id string, f docdb.Filter) error {
	defer t.changing.Begin()()
	return t.Collection.Delete(ctx, docdb.StringID(id), f)
}

// SwapAttempts bounds how often Change tries again. Each failure means that another writer succeeded, so
// only heavy contention reaches it.
const SwapAttempts = 20

// Change reads a document, lets edit change it, and swaps it in, and starts over if another writer was
// faster. edit returns false if there is nothing to write.
func (t Table[T, P]) Change(ctx context.Context, id string, edit func(P) (bool, error)) (P, error) {
	for range SwapAttempts {
		v, err := t.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		write, err := edit(v)
		if err != nil || !write {
			return v, err
		}
		err = t.Swap(ctx, v)
		if !errors.Is(err, docdb.ErrNoMatch) {
			return v, err
		}
	}
	return nil, fmt.Errorf("change document: %w", docdb.ErrUnavailable)
}

// ChangeKnown is Change for a caller that has the document as it wrote it itself, or nil: where
// nobody has changed it since, that spares the reading.
func (t Table[T, P]) ChangeKnown(ctx context.Context, id string, known P, edit func(P) (bool, error)) (P, error) {
	if known == nil {
		return t.Change(ctx, id, edit)
	}
	if write, err := edit(known); err == nil && write {
		if err := t.Swap(ctx, known); !errors.Is(err, docdb.ErrNoMatch) {
			return known, err
		}
	}
	return t.Change(ctx, id, edit)
}

// Find returns the documents that satisfy the filter, in the order of _id.
func (t Table[T, P]) Find(ctx context.Context, f docdb.Filter) ([]P, error) {
	return t.Query(ctx, docdb.Query{Filter: f})
}

// Page returns up to limit of the documents that satisfy the filter, the newest
// first, since ids are in the order of time; and the after of the next page, empty
// after the last. An empty after is the first page.
func (t Table[T, P]) Page(ctx context.Context, f docdb.Filter, after string, limit int) ([]P, string, error) {
	q := docdb.Query{Filter: f, Desc: true, Limit: limit + 1}
	if after != "" {
		q.After = &docdb.Position{ID: docdb.StringID(after)}
	}
	all, err := t.Query(ctx, q)
	if err != nil || len(all) <= limit {
		return all, "", err
	}
	return all[:limit], all[limit-1].meta().ID, nil
}

func (t Table[T, P]) Query(ctx context.Context, q docdb.Query) ([]P, error) {
	var out []P
	for raw, err := range t.Collection.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		v, err := t.Decode(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

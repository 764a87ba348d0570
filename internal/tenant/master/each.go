package master

import (
	"context"
	"errors"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/beside"
)

// Found returns nil if the document does not exist.
func Found[P any](v P, err error) (P, error) {
	var none P
	if errors.Is(err, docdb.ErrNotFound) {
		return none, nil
	}
	return v, err
}

// ForEach calls do for every document that satisfies the filter. A document that has changed since it
// was read belongs to another process now, and is left alone.
func ForEach[T any, P Record[T]](ctx context.Context, t Table[T, P], f docdb.Filter, do func(context.Context, P) error) error {
	all, err := t.Find(ctx, f)
	if err != nil {
		return err
	}
	return ForAll(ctx, all, do)
}

// ForAll is ForEach for documents that were read before.
func ForAll[P any](ctx context.Context, all []P, do func(context.Context, P) error) error {
	for _, v := range all {
		if err := do(ctx, v); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}

// besideAtATime is how many calls ForAllBeside makes at the same time, since a storage takes as long for
// one as for several.
const besideAtATime = 16

// ForAllBeside is ForAll with several calls at the same time.
func ForAllBeside[P any](ctx context.Context, all []P, do func(context.Context, P) error) error {
	size := (len(all) + besideAtATime - 1) / besideAtATime
	var some []func() error
	for part := range slices.Chunk(all, max(size, 1)) {
		some = append(some, func() error { return ForAll(ctx, part, do) })
	}
	return beside.All(some...)
}

// pageSize is how many documents a Round reads.
const pageSize = 200

// Round calls do with the next documents in the order of _id, or page by page with all that follow, and
// moves place behind them, or back to the beginning after the last.
func Round[T any, P Record[T]](ctx context.Context, t Table[T, P], place *string, all bool, do func(context.Context, []P) error) error {
	for {
		q := docdb.Query{Limit: pageSize}
		if *place != "" {
			q.After = &docdb.Position{ID: docdb.StringID(*place)}
		}
		some, err := t.Query(ctx, q)
		if err != nil {
			return err
		}
		*place = ""
		if len(some) == pageSize {
			*place = some[pageSize-1].meta().ID
		}
		if err := do(ctx, some); err != nil || *place == "" || !all {
			return err
		}
	}
}

// RemoveAll deletes all documents that satisfy the filter.
func RemoveAll[T any, P Record[T]](ctx context.Context, t Table[T, P], f docdb.Filter) error {
	all, err := t.Find(ctx, f)
	if err != nil {
		return err
	}
	return ForAllBeside(ctx, all, func(ctx context.Context, v P) error { return t.RemoveIf(ctx, v.meta().ID, f) })
}

// ByID returns the documents by their _id.
func ByID[T any, P Record[T]](all []P) map[string]P {
	m := make(map[string]P, len(all))
	for _, v := range all {
		m[v.meta().ID] = v
	}
	return m
}

// Over reports whether an operation is not running any more.
func (m *Database) Over(ctx context.Context, opID string) (bool, error) {
	op, err := m.Operations.Get(ctx, opID)
	if errors.Is(err, docdb.ErrNotFound) {
		return true, nil
	}
	return err == nil && op.Outcome != Running, err
}

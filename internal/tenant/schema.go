package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
)

// schema is the one document of master's `schema`. It is there when the master database
// has all its collections and indexes, so that a start need not ask for each.
type schema struct {
	Meta   `bson:",inline"`
	Format int64 `bson:"format"`
}

const (
	schemaID = "master"
	// format is that of the documents. 2 has versions that are unique, dirty sets whose
	// _ids are strings, and physical names that are counted.
	format = 2
)

// masterIndexes are all that the store searches by besides _id.
var masterIndexes = map[string][]string{
	"organizations": {"state"},
	"admins":        {"org_id"},
	"collections":   {"org_id", "op_id", "state"},
	"reservations":  {"org_id"},
	"operations":    {"org_id", "outcome"},
	"instances":     {},
	"quarantine":    {"until"},
	"idempotency":   {"org_id", "until"},
	"names":         {},
	"schema":        {},
}

func masterIndex(path string) docdb.Index {
	return docdb.Index{Name: "by_" + path, Keys: []docdb.Key{{Path: path}}}
}

// prepare makes the master database what this version needs. A connection that breaks
// meanwhile does not end the start.
func (s *Store) prepare(ctx context.Context) error {
	return retry(ctx, func() error { return s.prepareOnce(ctx) })
}

// prepareOnce asks one question where all is as it should be.
func (s *Store) prepareOnce(ctx context.Context) error {
	now, err := found(s.schemas.get(ctx, schemaID))
	switch {
	case err != nil:
		return err
	case now != nil && now.Format > format:
		return fmt.Errorf("it was made by a later version of orgd, which knows format %d; this one knows %d", now.Format, format)
	case now != nil && now.Format == format:
		return nil
	}
	if err := s.makeIndexes(ctx); err != nil {
		return err
	}
	if err := s.upgrade(ctx); err != nil {
		return err
	}
	err = s.schemas.insert(ctx, &schema{Meta: Meta{ID: schemaID}, Format: format})
	if errors.Is(err, docdb.ErrDuplicate) { // another instance has started as well
		return nil
	}
	return err
}

// makeIndexes makes the collections and their indexes, side by side: some storages take a
// second for each. What is there already stays.
func (s *Store) makeIndexes(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make(chan error, len(masterIndexes))
	for name, paths := range masterIndexes {
		all.Go(func() { failed <- retry(ctx, func() error { return s.makeCollection(ctx, name, paths) }) })
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) makeCollection(ctx context.Context, name string, paths []string) error {
	if err := s.master.Create(ctx, name); err != nil && !errors.Is(err, docdb.ErrExists) {
		return err
	}
	for _, path := range paths {
		ix := masterIndex(path)
		if err := s.master.Collection(name).CreateIndex(ctx, ix); err != nil {
			return fmt.Errorf("index %s of %s: %w", ix.Name, name, err)
		}
	}
	return nil
}

// upgrade brings what an earlier version has left to the present format: a move that was
// interrupted begins anew, since its dirty set cannot be read.
func (s *Store) upgrade(ctx context.Context) error {
	open, err := s.operations.find(ctx, docdb.Eq("outcome", running))
	if err != nil {
		return err
	}
	for _, op := range open {
		k, err := kindOf(op.Kind)
		if err != nil {
			return err
		}
		r := &run{Store: s, op: op, kind: k}
		if err := r.mark(ctx, func(op *operation) { op.Lease.Fence++ }); err != nil {
			return err
		}
		if err := r.takeOrganization(ctx, false); err != nil {
			return err
		}
	}
	return nil
}

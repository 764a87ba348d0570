package master

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/retry"
)

// schema is the only document of master's `schema`. It exists once the master database has all its
// collections and indexes, so that a start need not check each.
type schema struct {
	Meta   `bson:",inline"`
	Format int64 `bson:"format"`
}

const (
	schemaID = "master"
	// format is the format of the documents. Format 2 has unique versions, dirty sets whose _ids are
	// strings, and counted physical names.
	format = 2
)

// Indexes are the paths by which the store searches besides _id, by collection.
var Indexes = map[string][]string{
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

// Index is the index of a master collection on a path.
func Index(path string) docdb.Index {
	return docdb.Index{Name: "by_" + path, Keys: []docdb.Key{{Path: path}}}
}

// Prepare creates or upgrades the master database for this version. A connection that breaks meanwhile
// does not end the start.
func (m *Database) Prepare(ctx context.Context, upgrade func(context.Context) error) error {
	return retry.Do(ctx, func() error { return m.prepareOnce(ctx, upgrade) })
}

// prepareOnce sends a single message if the master database is up to date.
func (m *Database) prepareOnce(ctx context.Context, upgrade func(context.Context) error) error {
	schemas := NewTable[schema](m.Database, "schema")
	now, err := Found(schemas.Get(ctx, schemaID))
	switch {
	case err != nil:
		return err
	case now != nil && now.Format > format:
		return fmt.Errorf("it was made by a later version of orgd, which knows format %d; this version knows %d", now.Format, format)
	case now != nil && now.Format == format:
		return nil
	}
	if err := m.MakeIndexes(ctx); err != nil {
		return err
	}
	if err := upgrade(ctx); err != nil {
		return err
	}
	err = schemas.Insert(ctx, &schema{Meta: Meta{ID: schemaID}, Format: format})
	if errors.Is(err, docdb.ErrDuplicate) { // another instance has started as well
		return nil
	}
	return err
}

// MakeIndexes creates the missing collections and indexes, all at the same time, since some storages
// take a second for each.
func (m *Database) MakeIndexes(ctx context.Context) error {
	var all sync.WaitGroup
	failed := make(chan error, len(Indexes))
	for name, paths := range Indexes {
		all.Go(func() { failed <- retry.Do(ctx, func() error { return m.makeCollection(ctx, name, paths) }) })
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

func (m *Database) makeCollection(ctx context.Context, name string, paths []string) error {
	if err := m.Create(ctx, name); err != nil && !errors.Is(err, docdb.ErrExists) {
		return err
	}
	for _, path := range paths {
		ix := Index(path)
		if err := m.Collection(name).CreateIndex(ctx, ix); err != nil {
			return fmt.Errorf("index %s of %s: %w", ix.Name, name, err)
		}
	}
	return nil
}

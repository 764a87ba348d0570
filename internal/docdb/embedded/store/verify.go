package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// VerifyTables reads every block of every table, and returns what is wrong with those
// that are not as they were written, by the names of their files. The logs Open has read.
func (s *Store) VerifyTables(ctx context.Context) (damaged map[string]error, err error) {
	if err := s.Begin(ctx); err != nil {
		return nil, err
	}
	defer s.Leave()
	names, err := s.Tables()
	if err != nil {
		return nil, err
	}
	damaged = map[string]error{}
	for name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := s.verifyTable(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			if now, listErr := s.Tables(); listErr != nil || !now[name] {
				continue // it was compacted into another one meanwhile
			}
		}
		if err != nil {
			damaged[name] = err
		}
	}
	return damaged, nil
}

// Tables returns the names of the files of all tables.
func (s *Store) Tables() (map[string]bool, error) {
	levels, err := s.DB.SSTables()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, level := range levels {
		for _, table := range level {
			names[fmt.Sprintf("%06d.sst", uint64(table.BackingSSTNum))] = true
		}
	}
	return names, nil
}

func (s *Store) verifyTable(ctx context.Context, name string) error {
	space := s.Health.Space
	f, err := space.FS.Open(space.FS.PathJoin(space.Dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	o := &pebble.Options{}
	o.Levels[0].FilterPolicy = bloom.FilterPolicy(bloomBits)
	o.EnsureDefaults()
	r, err := sstable.NewReader(ctx, readable, o.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}

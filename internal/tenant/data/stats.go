package data

import (
	"context"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// Stats is how much an organization has.
type Stats struct {
	Documents  int64
	Bytes      int64 // of the documents, as BSON
	IndexBytes int64 // of the indexes, as the storage counts them; part of the quota too
	Generation int64
	Quota      org.Quota
	Indexes    []IndexStats
}

// IndexStats is one index and its size.
type IndexStats struct {
	docdb.Index
	Bytes int64 // -1 if the storage does not tell
}

// Stats counts documents and sizes. The timeout bounds the time that the storage takes. Kinds:
// QueryTimeout, TokenRevoked, Suspended, Unavailable.
func (d *Documents) Stats(ctx context.Context, timeout time.Duration) (Stats, error) {
	var stats Stats
	err := d.bounded(ctx, timeout, func(ctx context.Context, c docdb.Collection) error {
		o, err := d.at.Organization(ctx) // Read repeats this if the organization has moved after it
		if err != nil {
			return err
		}
		stats, err = statsOf(ctx, c)
		stats.Generation, stats.Quota = o.Generation, o.Limits()
		return err
	})
	return stats, err
}

func statsOf(ctx context.Context, c docdb.Collection) (s Stats, err error) {
	if s.Documents, err = c.Count(ctx, docdb.Filter{}); err != nil {
		return s, err
	}
	indexes, err := c.Indexes(ctx)
	if err != nil {
		return s, err
	}
	size, err := sizeOf(ctx, c)
	if err != nil {
		return s, err
	}
	s.Bytes, s.IndexBytes = size.Bytes, size.IndexBytes
	for _, ix := range indexes {
		one := IndexStats{Index: ix, Bytes: -1}
		if n, ok := size.Indexes[ix.Name]; ok {
			one.Bytes = n
		}
		s.Indexes = append(s.Indexes, one)
	}
	return s, nil
}

// sizeOf asks the engine, or adds up the documents if the engine does not tell.
func sizeOf(ctx context.Context, c docdb.Collection) (docdb.Size, error) {
	if sizer, ok := c.(docdb.Sizer); ok {
		size, err := sizer.Size(ctx)
		if !errors.Is(err, errors.ErrUnsupported) {
			return size, err
		}
	}
	var size docdb.Size
	for raw, err := range c.Find(ctx, docdb.Query{}) {
		if err != nil {
			return docdb.Size{}, err
		}
		size.Bytes += int64(len(raw))
	}
	return size, nil
}

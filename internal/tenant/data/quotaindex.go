package data

import (
	"context"
	"slices"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// indexed is a collection with a quota, for a change of its indexes, whose size is known only when
// they are built.
type indexed struct {
	docdb.Collection
	quota *master.Quota
	lost  func() // forgets the usage, so that it is counted anew
}

// CreateIndex implements docdb.Collection. It removes an index again for which there is no room.
func (x indexed) CreateIndex(ctx context.Context, ix docdb.Index) error {
	before, err := x.Indexes(ctx)
	if err != nil {
		return fault.NotDone(err)
	}
	defer x.lost()
	if err := x.Collection.CreateIndex(ctx, ix); err != nil {
		return err
	}
	if x.quota.Bytes == 0 || slices.ContainsFunc(before, func(old docdb.Index) bool { return old.Name == ix.Name }) {
		return nil
	}
	_, bytes, err := extent(ctx, x.Collection)
	if err == nil && bytes <= x.quota.Bytes {
		return nil
	}
	if dropErr := x.DropIndex(context.WithoutCancel(ctx), ix.Name); dropErr != nil {
		return docdb.ErrOutcomeUnknown // the index is there, perhaps without room for it
	}
	if err != nil {
		return fault.NotDone(err)
	}
	return org.Errorf(org.QuotaExceeded, "The organization's documents and indexes may have %d bytes, and there is no room for this index. Nothing was changed.", x.quota.Bytes)
}

// DropIndex implements docdb.Collection.
func (x indexed) DropIndex(ctx context.Context, name string) error {
	defer x.lost()
	return x.Collection.DropIndex(ctx, name)
}

package docdb

import "context"

// CarryIndexes is Database.CarryIndexes for an engine whose Indexes lists all
// there are.
func CarryIndexes(ctx context.Context, from, to Collection) error {
	indexes, err := from.Indexes(ctx)
	if err != nil {
		return err
	}
	for _, ix := range indexes {
		if err := to.CreateIndex(ctx, ix); err != nil {
			return err
		}
	}
	return nil
}

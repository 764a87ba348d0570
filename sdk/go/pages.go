package orgd

import (
	"context"
	"errors"
	"iter"
)

// Pages goes through a list that the server returns a page at a time. It calls
// fetch with an empty cursor for the first page, and then with the next cursor of the
// page before, until that is empty. An error ends the loop, as its last pair; so does
// a cursor that comes twice in a row, with which the loop would never end.
//
//	for item, err := range orgd.Pages(ctx, fetch) {
//		if err != nil {
//			return err
//		}
//		...
//	}
func Pages[T any](ctx context.Context, fetch func(ctx context.Context, cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for cursor := ""; ; {
			if ctx.Err() != nil {
				yield(zero, ctx.Err())
				return
			}
			items, next, err := fetch(ctx, cursor)
			if err != nil {
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == cursor {
				yield(zero, errors.New("orgd: the list does not advance: its cursor came twice"))
				return
			}
			cursor = next
		}
	}
}

package data

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/document"
)

// PageQuery asks for a page of documents.
type PageQuery struct {
	Filter docdb.Filter
	// Sort is empty for the order of _id, or the first keys of an index, in its direction or
	// in the reverse.
	Sort []docdb.Key
	// Desc reverses the order of _id; Sort has its own directions.
	Desc bool
	// After is where the previous page ended, nil for the first page.
	After *Place
	Limit int
	// Total asks for the number of all documents that the filter selects.
	Total bool
	// Timeout bounds the time that the storage takes, if above 0.
	Timeout time.Duration
}

// A Place is where a page ended: the order it was in, and its last document's
// position. It does not refer to the collection, so it is valid after a move.
type Place struct {
	Order []docdb.Key
	Desc  bool
	Keys  []bson.RawValue
	ID    bson.RawValue
}

// maxPlace bounds the bytes of a place, which has to fit into a URL. The longest _id that a client can
// give a document takes half of it.
const maxPlace = 8 << 10

// A Page is documents, and where it ended, nil if there are no more.
type Page struct {
	Documents []document.Document
	Next      *Place
	Total     int64
}

// Page returns up to the query's limit of documents, or fewer if they are large. A document that
// does not change is on exactly one page. Kinds: NoIndex, QueryTimeout, Invalid, TokenRevoked,
// Suspended, Unavailable.
func (d *Documents) Page(ctx context.Context, q PageQuery) (Page, error) {
	var page Page
	err := d.bounded(ctx, q.Timeout, func(ctx context.Context, c docdb.Collection) (err error) {
		page, err = readPage(ctx, c, q)
		if err == nil && q.Total {
			page.Total, err = c.Count(ctx, q.Filter)
		}
		return err
	})
	return page, err
}

// nearlyOver is how long before a timeout an engine may give up.
const nearlyOver = 100 * time.Millisecond

// bounded is a read with a bound on the time that f takes.
func (d *Documents) bounded(ctx context.Context, timeout time.Duration, f func(context.Context, docdb.Collection) error) error {
	if timeout <= 0 {
		return d.at.Read(ctx, f)
	}
	return d.at.Read(ctx, func(ctx context.Context, c docdb.Collection) error {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		until, _ := limited.Deadline()
		err := f(limited, c)
		var told *org.Error
		if err == nil || errors.As(err, &told) || ctx.Err() != nil {
			return err
		}
		if limited.Err() != nil || errors.Is(err, docdb.ErrUnavailable) && timeout > 2*nearlyOver && time.Until(until) < nearlyOver {
			return &org.Error{Kind: org.QueryTimeout, Err: err,
				Message: "The query took longer than " + timeout.String() + ". Ask for less, or create an index on what the filter asks for."}
		}
		return err
	})
}

// readPage first tries the order for which there is most likely an index, since to list the indexes
// costs another message.
func readPage(ctx context.Context, c docdb.Collection, q PageQuery) (Page, error) {
	if q.After != nil {
		page, err := fill(ctx, c, q, q.After.Order, q.After.Desc)
		if errors.Is(err, docdb.ErrNoIndex) || errors.Is(err, docdb.ErrInvalid) {
			return Page{}, noIndex(q.Sort)
		}
		return page, err
	}
	if len(q.Sort) == 0 {
		return fill(ctx, c, q, nil, q.Desc)
	}
	desc := q.Sort[0].Desc
	page, err := fill(ctx, c, q, reversed(q.Sort, desc), desc)
	if !errors.Is(err, docdb.ErrNoIndex) {
		return page, err
	}
	indexes, err := c.Indexes(ctx)
	if err != nil {
		return Page{}, err
	}
	order, desc, ok := orderFor(q.Sort, indexes)
	if !ok {
		return Page{}, noIndex(q.Sort)
	}
	return fill(ctx, c, q, order, desc)
}

// reversed returns the keys, in the other direction if reverse.
func reversed(keys []docdb.Key, reverse bool) []docdb.Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Desc = keys[i].Desc != reverse
	}
	return keys
}

// orderFor finds the index with the fewest keys that begins with these, forwards
// or backwards.
func orderFor(sort []docdb.Key, indexes []docdb.Index) (order []docdb.Key, desc, ok bool) {
	for _, ix := range indexes {
		if len(ix.Keys) < len(sort) || ok && len(ix.Keys) >= len(order) {
			continue
		}
		for _, reverse := range []bool{false, true} {
			if slices.Equal(reversed(ix.Keys[:len(sort)], reverse), sort) {
				order, desc, ok = ix.Keys, reverse, true
			}
		}
	}
	return order, desc, ok
}

func noIndex(sort []docdb.Key) *org.Error {
	e := org.Errorf(org.NoIndex, "There is no index that has this order. Create one: %s", document.Hint(sort))
	e.Fields = []org.FieldError{{Field: "sort", Detail: "is not the order of _id or of an index"}}
	return e
}

// fill reads a page in the order of an index.
func fill(ctx context.Context, c docdb.Collection, q PageQuery, order []docdb.Key, desc bool) (Page, error) {
	query := docdb.Query{Filter: q.Filter, Order: order, Desc: desc, Limit: q.Limit + 1} // one more tells whether there is more
	if q.After != nil {
		query.After = &docdb.Position{Keys: q.After.Keys, ID: q.After.ID}
	}
	var page Page
	size := 0
	for raw, err := range c.Find(ctx, query) {
		if err != nil {
			return Page{}, err
		}
		if len(page.Documents) == q.Limit || size >= pageBytes {
			return cut(page, order, desc)
		}
		page.Documents, size = append(page.Documents, document.FromStored(raw)), size+len(raw)
	}
	return page, nil
}

// cut ends a page behind the last document whose place fits into maxPlace.
func cut(page Page, order []docdb.Key, desc bool) (Page, error) {
	for n := len(page.Documents); n > 0; n-- {
		at := docdb.PositionOf(page.Documents[n-1].Body, order, desc)
		size := len(at.ID.Value)
		for i, key := range at.Keys {
			size += len(key.Value) + len(order[i].Path)
		}
		if size <= maxPlace {
			page.Documents = page.Documents[:n]
			page.Next = &Place{Order: order, Desc: desc, Keys: at.Keys, ID: at.ID}
			return page, nil
		}
	}
	return Page{}, org.Errorf(org.Invalid, "The documents' values in this order are too long to go on from. Sort by something shorter.")
}

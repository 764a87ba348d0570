package data

import (
	"context"
	"errors"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/fault"
)

// OnConflict says what an import does with a document whose _id is taken.
type OnConflict int

const (
	// ConflictFails refuses the document.
	ConflictFails OnConflict = iota
	// ConflictSkips leaves the stored document as it is.
	ConflictSkips
	// ConflictReplaces replaces the stored document. It refuses a document that only has a
	// unique key of another document.
	ConflictReplaces
)

// An Outcome is the result of an import for one document.
type Outcome int

// The outcomes. The zero value is for documents that the import did not reach.
const (
	NotImported Outcome = iota
	Inserted
	Replaced
	Skipped
	Refused
)

// Imported is the outcome of a document and, if it was Refused, why. The kinds are DocumentExists,
// DuplicateKey, Invalid, TooLarge and QuotaExceeded.
type Imported struct {
	Outcome Outcome
	Err     error
}

// Import adds documents, which have an _id, in their order where that matters: of two
// with the same _id the first is added before the second. It takes MaxBatch documents at most. An
// error that is not about one document ends it; it then returns the outcomes of the documents before.
// Kinds: TokenRevoked, Suspended, Unavailable, OutcomeUnknown.
func (d *Documents) Import(ctx context.Context, how OnConflict, bodies []bson.Raw) ([]Imported, error) {
	results := make([]Imported, len(bodies))
	for from := 0; from < len(bodies); {
		to := from + distinct(bodies[from:])
		if err := d.importDistinct(ctx, how, bodies[from:to], results[from:to]); err != nil {
			return results, err
		}
		from = to
	}
	return results, nil
}

// distinct returns how many documents come before the first whose _id repeats an earlier one.
func distinct(bodies []bson.Raw) int {
	seen := make(map[string]struct{}, len(bodies))
	for i, body := range bodies {
		id := docdb.ID(body)
		key := string(rune(id.Type)) + string(id.Value)
		if _, again := seen[key]; again {
			return i
		}
		seen[key] = struct{}{}
	}
	return len(bodies)
}

func (d *Documents) importDistinct(ctx context.Context, how OnConflict, bodies []bson.Raw, results []Imported) error {
	refusals, err := d.InsertMany(ctx, bodies)
	if err != nil {
		return err
	}
	var taken []int
	for i, refusal := range refusals {
		conflict := errors.Is(refusal, org.DocumentExists) || errors.Is(refusal, org.DuplicateKey)
		switch {
		case refusal == nil:
			results[i] = Imported{Outcome: Inserted}
		case conflict && how == ConflictSkips:
			results[i] = Imported{Outcome: Skipped}
		case conflict && how == ConflictReplaces, errors.Is(refusal, org.QuotaExceeded) && how != ConflictFails:
			// The unique key may be that of the document to be replaced, and if there is no room
			// for a new document, there may be a document with this _id.
			taken = append(taken, i)
		case refusedAlone(refusal):
			results[i] = Imported{Outcome: Refused, Err: refusal}
		default:
			err = fault.Of(refusal)
		}
	}
	if err != nil {
		return err
	}
	return d.putAll(ctx, how, bodies, taken, results)
}

// refusedAlone reports whether an error is about one document and not about all.
func refusedAlone(err error) bool {
	for _, kind := range []org.Kind{org.DocumentExists, org.DuplicateKey, org.Invalid, org.TooLarge, org.QuotaExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// putters is how many documents an import replaces at a time: each is a write of its own, and an
// engine syncs writes of the same moment together.
const putters = 16

// putAll puts the documents at the positions taken.
func (d *Documents) putAll(ctx context.Context, how OnConflict, bodies []bson.Raw, taken []int, results []Imported) error {
	if len(taken) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(putters, len(taken)) {
		all.Go(func() {
			for i := range next {
				var err error
				if results[i], err = d.putOne(ctx, how, bodies[i]); err != nil {
					cancel(err) // the first error counts; the others may be its consequence
				}
			}
		})
	}
	for _, i := range taken {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

func (d *Documents) putOne(ctx context.Context, how OnConflict, body bson.Raw) (Imported, error) {
	_, created, err := d.Put(ctx, document.Condition{Absent: how == ConflictSkips}, body)
	switch {
	case errors.Is(err, org.PreconditionFailed):
		return Imported{Outcome: Skipped}, nil
	case err == nil && created:
		return Imported{Outcome: Inserted}, nil
	case err == nil:
		return Imported{Outcome: Replaced}, nil
	case refusedAlone(err):
		return Imported{Outcome: Refused, Err: err}, nil
	}
	return Imported{}, err
}

// exportPage is how many documents are read at a time for an export.
const exportPage = 1000

// ExportPage returns the bodies of documents that a filter selects, in the order of _id, and whether
// they are the last. It begins behind the _id after, or with the first document if after is the zero
// value. It is a read like any other, so it neither stops nor waits for a move; and since it goes on
// behind an _id, the pages together have every document that was there all the time.
func (d *Documents) ExportPage(ctx context.Context, filter docdb.Filter, after bson.RawValue) (page []bson.Raw, last bool, err error) {
	q := docdb.Query{Filter: filter, Limit: exportPage}
	if after.Type != 0 {
		q.After = &docdb.Position{ID: after}
	}
	page, more, err := list(ctx, &d.at, q, document.BodyOf)
	return page, !more && len(page) < exportPage, err
}

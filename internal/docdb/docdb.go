// Package docdb is orgd's one storage seam: a small document engine with
// create, read, compare-and-swap, index and drop, and nothing more.
//
// Crash recovery and everything an organization is live above it, in package
// tenant, written once. An engine only has to keep the promises stated on the
// methods below; each sentence that says what an engine does has a case in
// docdbtest.Run, which every engine passes. Package embedded keeps the promises
// on one directory, package mongodb on a MongoDB deployment of any topology.
// Nothing here needs a transaction over two documents, a change stream, a
// rename or a server-side script.
//
// # Documents
//
// A document is a bson.Raw whose first element is its _id. An _id is any BSON
// value but an array, a regular expression or undefined, and is unique in its collection.
// A document is at most [MaxDocumentSize] bytes and [MaxDepth] levels deep, and
// no name at its top level is empty or begins with "$". What breaks these rules is refused with
// [ErrInvalid] or [ErrTooLarge] and changes nothing; see [Validate].
// A document is read back byte for byte as it was written, every BSON type
// included, with one exception that MongoDB makes: a Timestamp(0,0) at the top
// level may come back as the time of the write.
//
// # Durability and visibility
//
// A write that returned nil survives a crash of the process, of the machine and,
// on a replicated deployment, of a minority of its members. A read returns only
// what would survive in the same way, so nothing that was once read is lost; and
// it sees every write that was acknowledged before it began.
//
// # Concurrency
//
// Everything is safe for concurrent use. A single-document write is atomic
// together with its index entries.
//
// A call whose context is over already has no effect and returns the context's
// error; a write returns it as [ErrUnavailable]. A read ends with its context. Of a write
// that has begun the cancellation of its context leaves no doubt: what was sent is
// followed to its outcome, and the call returns when it was done or when it never will be.
// Only a deadline ends the wait for what was sent, with [ErrOutcomeUnknown]. So a
// client that hangs up changes nothing, and a write counts as under way for as long as it is.
package docdb

import (
	"context"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
)

const (
	// MaxDocumentSize is the largest document in bytes: MongoDB's limit, 16 MiB.
	MaxDocumentSize = 16 << 20
	// MaxDepth is how deep documents and arrays may nest, the document itself
	// included: MongoDB's limit.
	MaxDepth = wire.MaxDepth
	// MaxIndexKeys is how many paths one index may cover: MongoDB's limit.
	MaxIndexKeys = 32
	// MaxIndexes is how many indexes a collection may have besides the one on
	// _id: one less than MongoDB's limit of 64.
	MaxIndexes = 63
	// MaxIndexEntries is how many different keys one document may have in all the
	// indexes of its collection together. It is MongoDB's number, of which it
	// allows so many in one index (indexMaxNumGeneratedKeysPerDocument, which
	// bounds what is generated for geospatial indexes).
	MaxIndexEntries = 100_000
	// MaxIndexBytes is the size of what the indexes of a collection together may hold of
	// one document, as the storage counts it: as much as the largest document.
	// MongoDB has had no such limit since 4.2, before which a key had at most 1,024
	// bytes; here 30 KB of a document could make gigabytes, which the
	// process would have to hold at once, since a document and its entries are one write.
	MaxIndexBytes = MaxDocumentSize
	// IDIndex is the name of the index on _id, which every collection has and
	// which cannot be dropped or listed.
	IDIndex = "_id_"
)

// An Engine holds named databases.
type Engine interface {
	// Database returns the database of that name, 1 to 63 ASCII letters,
	// digits, "_" and "-". It does no I/O and does not fail; another name is
	// refused with ErrInvalid by the first call that uses it.
	Database(name string) Database

	// Ping reports whether the engine can serve a read now. ErrUnavailable if not.
	Ping(ctx context.Context) error

	// Close waits for calls in progress, a running Find included, and releases what the engine holds.
	// It ends the making of indexes, which may take as long as there are documents: with
	// ErrClosed where nothing was changed by it, else with ErrOutcomeUnknown.
	// Calls that come later fail with ErrClosed. A second Close does nothing.
	Close() error
}

// A WriteChecker is an Engine that knows whether it takes writes now. Not every one does.
type WriteChecker interface {
	// Writable returns ErrNoSpace while writes are refused for want of disk, and any other
	// ErrUnavailable while they are for another reason.
	Writable() error
}

// A Database holds named collections.
//
// A collection's name is 1 to 170 bytes of ASCII letters, digits, "_", "-"
// and ".", does not begin with "system." and does not begin or end with "." or hold "..";
// other names are refused with ErrInvalid.
type Database interface {
	// Create creates an empty collection. ErrExists if there is one of that
	// name: among racing calls exactly one succeeds.
	Create(ctx context.Context, name string) error

	// Drop removes a collection with its documents and indexes. Dropping what
	// does not exist succeeds. Its cost does not grow with the number of
	// documents by more than the storage beneath makes it. A collection created
	// again under the name is empty and has no index.
	Drop(ctx context.Context, name string) error

	// List returns the names of the collections that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)

	// CarryIndexes gives the collection to every index that the collection from
	// has, under its name; those too that Indexes cannot express and only the
	// storage beneath knows. It can be repeated. Errors as in CreateIndex, but
	// some of the indexes may have been carried then.
	CarryIndexes(ctx context.Context, from, to string) error

	// CarryOptions gives the collection to what was set, by other means than
	// docdb's, on the collection from as a whole, such as a validator. It can be
	// repeated. An engine on which nothing can be set does nothing.
	CarryOptions(ctx context.Context, from, to string) error

	// Collection returns the collection of that name. It does no I/O and does
	// not fail.
	Collection(name string) Collection
}

// A Collection holds documents.
//
// A collection that does not exist reads as an empty one, and a conditional
// write to it matches nothing. Insert into one that does not exist either fails
// with ErrNoCollection or creates it, as the engine beneath does: callers
// create first, and must not insert after a drop.
type Collection interface {
	// Insert adds one document. *DuplicateError (which is ErrDuplicate) when
	// its _id, or its key in a unique index, is taken; among racing inserts of
	// one key exactly one succeeds. ErrInvalid when an index cannot hold it, and
	// an *IndexKeyError where the keys are made in this process.
	Insert(ctx context.Context, doc bson.Raw) error

	// InsertMany adds documents independently of each other, in any order, and
	// returns one error per position, nil where the document was added, else one
	// of which NothingDone is true; or the call's own error when the whole of it
	// failed. If NothingDone is true of that, no document was added, else any subset
	// may have been. It is meant for copies, so it may be called again with
	// the same documents: those that are there answer ErrDuplicate.
	// It takes at most 1000 documents and 48 MiB, else ErrTooLarge.
	InsertMany(ctx context.Context, docs []bson.Raw) ([]error, error)

	// Get returns the document with that _id; ErrNotFound if there is none.
	Get(ctx context.Context, id bson.RawValue) (bson.Raw, error)

	// Replace puts doc in the place of the document with that _id if that
	// document satisfies when (the zero Filter: any does); ErrNoMatch if none
	// does. doc has the same _id, else ErrInvalid. *DuplicateError as in
	// Insert. Of racing calls whose condition the first to succeed makes
	// untrue, exactly one succeeds: this is the compare-and-swap that
	// everything above is built on.
	Replace(ctx context.Context, id bson.RawValue, when Filter, doc bson.Raw) error

	// Delete removes the document with that _id under the same condition;
	// ErrNoMatch if none satisfies it.
	Delete(ctx context.Context, id bson.RawValue, when Filter) error

	// Find streams the documents that satisfy q in its order, in memory that
	// does not grow with their number. Every document is the caller's to keep.
	// A document that was there, and unchanged, from before the call to after
	// it is yielded exactly once; of others nothing is said. The sequence ends
	// with a nil document and the error if there is one, ctx's included.
	Find(ctx context.Context, q Query) iter.Seq2[bson.Raw, error]

	// Count returns how many documents satisfy the filter; exact when nothing
	// is writing.
	Count(ctx context.Context, f Filter) (int64, error)

	// CreateIndex adds an index and indexes what is there. *DuplicateError
	// when the index is unique and what is there violates it, ErrExists when
	// an index of that name with other keys or uniqueness, or an index with
	// the same keys, is there, ErrInvalid when it cannot hold a document, as in
	// Insert, or the collection has MaxIndexes; in all these cases nothing
	// is changed. Creating the same
	// index again succeeds. A collection that does not exist: ErrNoCollection.
	CreateIndex(ctx context.Context, ix Index) error

	// DropIndex removes an index; ErrNotFound if there is none of that name.
	DropIndex(ctx context.Context, name string) error

	// Indexes lists the indexes in the order of their names, without the one
	// on _id. A collection that does not exist has none.
	Indexes(ctx context.Context) ([]Index, error)
}

// An Index orders a collection by its keys and, if unique, refuses a second
// document with an equal key. The rules are MongoDB's: a missing path indexes
// as null, so a unique index admits one document without it; a path that leads
// to an array indexes every element, and an empty array as undefined; two
// elements of one document may be equal, but no two documents may share one; no
// two paths of an index may lead to different arrays of a document (ErrInvalid).
// Values compare as [Compare] has it: the integer 1 and the double 1.0 are equal.
//
// What one document may have in all indexes of its collection is bounded by
// [MaxIndexEntries] and [MaxIndexBytes]: a write, or an index, that would exceed
// this is refused with an *IndexKeyError. So it is where the engine makes the keys, in
// this process; on MongoDB the server makes them, and its own limits hold.
type Index struct {
	// Name is 1 to 64 bytes of ASCII letters, digits, "_" and "-", and not
	// IDIndex.
	Name string
	// Keys are 1 to MaxIndexKeys distinct dotted paths, none of them "_id".
	Keys   []Key
	Unique bool
}

// A Query says what Find yields. The zero Query yields everything by _id.
type Query struct {
	// Filter selects documents.
	Filter Filter
	// Order is empty for the order of _id, or else the Keys of an existing
	// index; then documents of equal keys come in ascending order of _id.
	// ErrNoIndex if there is no such index: an engine never sorts in memory.
	Order []Key
	// Desc reverses the whole order, the tie-break by _id included.
	Desc bool
	// After, if not nil, skips everything up to and including that position
	// in the order. The document it was taken from need not exist any more.
	After *Position
	// Limit, if above 0, is the most documents to yield.
	Limit int
}

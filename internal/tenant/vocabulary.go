package tenant

import (
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/meter"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/data"
	"github.com/orgd/orgd/internal/tenant/document"
	"github.com/orgd/orgd/internal/tenant/idempotency"
	"github.com/orgd/orgd/internal/tenant/repair"
)

// What the packages beneath call the things that the store's callers speak of.
type (
	// Documents is one organization's data.
	Documents = data.Documents
	// Document is one document of an organization.
	Document = document.Document
	// Condition is what a write asks of the document that it finds.
	Condition = document.Condition
	// Projection is what of a document is asked for.
	Projection = document.Projection
	// PageQuery asks for a page of documents, and a Page is one.
	PageQuery = data.PageQuery
	// Page is documents, and where the next begins.
	Page = data.Page
	// Place is where a page ended.
	Place = data.Place
	// Stats is how much an organization has.
	Stats = data.Stats
	// OnConflict says what an import does with a document whose place is taken.
	OnConflict = data.OnConflict
	// Imported is what became of a document of an import.
	Imported = data.Imported
	// Outcome is that in one word.
	Outcome = data.Outcome
	// Filter selects documents.
	Filter = docdb.Filter
	// FilterError says what a filter may not hold.
	FilterError = docdb.FilterError
	// Key is one path of an index or of an order.
	Key = docdb.Key
	// Index orders documents by its keys.
	Index = docdb.Index
	// Turn is how reads share the processors with others.
	Turn = meter.Turn
	// IdempotentRequest is a request with an idempotency key.
	IdempotentRequest = idempotency.Request
	// Claim is one attempt of such a request.
	Claim = idempotency.Claim
	// Answer is what is told to a client once more.
	Answer = idempotency.Answer
	// Report is what a Doctor has found.
	Report = repair.Report
	// Check is one invariant, and where it does not hold.
	Check = repair.Check
	// Finding is something that does not fit together.
	Finding = repair.Finding
	// Contents says how much an organization has.
	Contents = repair.Contents
	// Kept is what a deep look finds of a collection that is kept after a move.
	Kept = repair.Kept
)

// Their constants.
const (
	ConflictFails    = data.ConflictFails
	ConflictSkips    = data.ConflictSkips
	ConflictReplaces = data.ConflictReplaces

	NotImported = data.NotImported
	Inserted    = data.Inserted
	Replaced    = data.Replaced
	Skipped     = data.Skipped
	Refused     = data.Refused

	MaxBatch      = data.MaxBatch
	MaxBatchBytes = data.MaxBatchBytes
	MaxIndexKeys  = docdb.MaxIndexKeys
	// MaxDepth is how deep a document, and all else that comes as JSON, may nest.
	MaxDepth = docdb.MaxDepth
	// MaxDocument is the largest document, in bytes.
	MaxDocument = docdb.MaxDocumentSize
	NoRevision  = document.NoRevision

	AnswersKept = idempotency.AnswersKept
	MaxKeptBody = idempotency.MaxKeptBody
	BeatEvery   = cluster.BeatEvery
)

// Their functions.
var (
	ErrClaimLost  = idempotency.ErrClaimLost
	ParseFilter   = document.ParseFilter
	CheckPath     = document.CheckPath
	CheckNames    = document.CheckNames
	WithID        = document.WithID
	MergePatch    = document.MergePatch
	NewProjection = document.NewProjection
)

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

// The types of the packages beneath that callers of the store use.
type (
	// Documents is one organization's data.
	Documents = data.Documents
	// Document is one document of an organization.
	Document = document.Document
	// Condition is the condition of a write on the stored document.
	Condition = document.Condition
	// Projection selects fields of a document.
	Projection = document.Projection
	// PageQuery asks for a page of documents.
	PageQuery = data.PageQuery
	// Page is a page of documents, and where the next page begins.
	Page = data.Page
	// Place is where a page ended.
	Place = data.Place
	// Stats is how much an organization has.
	Stats = data.Stats
	// OnConflict says what an import does with a document whose _id is taken.
	OnConflict = data.OnConflict
	// Imported is the result of an import for one document.
	Imported = data.Imported
	// Outcome is that result in one word.
	Outcome = data.Outcome
	// Filter selects documents.
	Filter = docdb.Filter
	// FilterError says why a filter is refused.
	FilterError = docdb.FilterError
	// Key is one path of an index or of an order.
	Key = docdb.Key
	// Index orders documents by its keys.
	Index = docdb.Index
	// Turn is how reads share the processors with others.
	Turn = meter.Turn
	// IdempotentRequest is a request with an idempotency key.
	IdempotentRequest = idempotency.Request
	// Claim is one attempt of a request with an idempotency key.
	Claim = idempotency.Claim
	// Answer is the recorded answer to a request with an idempotency key.
	Answer = idempotency.Answer
	// Report is what a Doctor has found.
	Report = repair.Report
	// Check is one invariant, and where it does not hold.
	Check = repair.Check
	// Finding is an inconsistency in the databases.
	Finding = repair.Finding
	// Contents says how much an organization has.
	Contents = repair.Contents
	// Kept is what a deep look finds in a collection that is kept after a move.
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

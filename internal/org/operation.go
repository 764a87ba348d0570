package org

import "time"

// An OperationState is how far an operation has come.
type OperationState string

// The states.
const (
	OperationRunning   OperationState = "running"   // going on, or waiting to be taken up again
	OperationSucceeded OperationState = "succeeded" // all of it was done
	OperationFailed    OperationState = "failed"    // nothing was changed; see Operation.Failure
)

// An Operation is a change of an organization, going on or over.
type Operation struct {
	ID    string // a UUID
	Kind  string // create, update or delete
	State OperationState
	Step  string // the step that is under way, or was the last, for people to read

	DocumentsCopied, DocumentsTotal, BytesCopied int64

	StartedAt, UpdatedAt time.Time // UTC, to the millisecond
	// ETA is about when the operation will be over; zero when that is not known.
	ETA time.Time
	// FinishedAt is zero while it is running.
	FinishedAt time.Time
	// Failure is why it failed, or nil.
	Failure *Error
}

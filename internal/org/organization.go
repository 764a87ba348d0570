// Package org is orgd's vocabulary: organizations, admins, names, states and
// the errors that cross package borders. It does no I/O.
package org

import "time"

// A State is where an organization is in its life:
// provisioning → active ⇄ suspended → deleting → gone.
type State string

// The states.
const (
	StateProvisioning State = "provisioning" // being created; not usable yet
	StateActive       State = "active"       // in use
	StateSuspended    State = "suspended"    // refused to its own admins, reversibly
	StateDeleting     State = "deleting"     // on its way out, for good
)

// An Organization is a tenant.
type Organization struct {
	ID   string // a UUID
	Name string // as its admin spelled it
	// Collection is the physical collection that holds its data now.
	Collection string
	// Generation counts its collections, from 1.
	Generation int64
	State      State
	AdminID    string // its first admin
	// Operation is the id of the change that is going on, or empty.
	Operation string
	CreatedAt time.Time // UTC, to the millisecond
	UpdatedAt time.Time
	// PurgeAfter is until when a deleted organization can be restored; zero when
	// that is not so.
	PurgeAfter time.Time
	Quota      Quota
}

// A Quota is how much an organization may have; 0 is no limit.
type Quota struct {
	MaxDocuments int64
	MaxBytes     int64 // of the documents, as BSON
}

// A Principal is the admin that a request acts for, as its token says.
type Principal struct {
	AdminID string
	OrgID   string
	Role    string
	// Credential is the version of the admin's credentials that the token was
	// issued for. The token dies when the admin has a later one.
	Credential int64
}

// RoleOwner may do everything in its organization.
const RoleOwner = "owner"

// A DeletionReceipt says what a deletion removed.
type DeletionReceipt struct {
	OrganizationID string
	Name           string
	Collections    []string // the physical collections that were dropped
	DeletedAt      time.Time
	// PurgeAfter is when nothing will be left, with a time of grace; else zero.
	PurgeAfter time.Time
}

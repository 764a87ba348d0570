package master

import (
	"time"

	"github.com/orgd/orgd/internal/org"
)

// Public is the organization as its own admins and the operator see it.
func (o *Organization) Public() org.Organization {
	out := org.Organization{
		ID: o.ID, Name: o.Name, Collection: o.Collection, Generation: o.Generation, State: o.State,
		AdminID: o.AdminID, Operation: o.Operation, CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
		Quota: o.Limits(),
	}
	if o.PurgeAfter != nil {
		out.PurgeAfter = o.PurgeAfter.UTC()
	}
	return out
}

// Limits is the organization's quota as its admins see it.
func (o *Organization) Limits() org.Quota {
	if o.Quota == nil {
		return org.Quota{}
	}
	return org.Quota{MaxDocuments: o.Quota.Documents, MaxBytes: o.Quota.Bytes}
}

// WritesBlocked reports whether no write of the data may begin at this moment.
func (o *Organization) WritesBlocked() bool { return o.Move != nil && o.Move.Phase != Copying }

// ReadsBlocked reports whether no read of the data may begin either.
func (o *Organization) ReadsBlocked() bool { return o.Move != nil && o.Move.Phase == Closed }

// Clone returns a copy of the organization.
func (o *Organization) Clone() *Organization {
	if o == nil {
		return nil
	}
	out := *o
	if o.Move != nil {
		m := *o.Move
		out.Move = &m
	}
	return &out
}

// Clone returns a copy of the admin.
func (a *Admin) Clone() *Admin {
	if a == nil {
		return nil
	}
	out := *a
	return &out
}

// Due reports whether the time of grace of a deleted organization is over.
func (o *Organization) Due(now time.Time) bool {
	return o.State == org.StateDeleting && o.PurgeAfter != nil && !now.Before(*o.PurgeAfter)
}

// CheckUsable refuses an organization that its own admins may not use now.
func (o *Organization) CheckUsable() error {
	switch o.State {
	case org.StateActive:
		return nil
	case org.StateSuspended:
		return Suspended()
	}
	return Revoked()
}

// InProgress returns the refusal while an operation is changing the organization.
func (o *Organization) InProgress() *org.Error {
	return &org.Error{
		Kind: org.OperationInProgress, Operation: o.Operation,
		Message: "The organization is being changed. Try again when that is done.",
	}
}

// CredentialOf returns the version of credentials that a token is issued for. Every change of the
// admin's credentials, and every end of all sessions of the organization, changes it for good: neither
// of the two numbers is ever lowered.
func CredentialOf(o *Organization, a *Admin) int64 { return a.Credential + o.Ended }

// Revoked returns the refusal of a token that is no longer valid.
func Revoked() *org.Error {
	return org.Errorf(org.TokenRevoked, "The token is no longer good: its credentials were changed, or its organization is gone. Log in again.")
}

// Suspended returns the refusal for a suspended organization's admins.
func Suspended() *org.Error {
	return org.Errorf(org.Suspended, "The organization is suspended. Ask the operator of this service.")
}

package orgd

import (
	"fmt"

	"github.com/orgd/orgd/sdk/go/client"
)

// The contract's own types, documented there and field by field in package
// client.
type (
	// An Organization as its own admins see it.
	Organization = client.Organization
	// An OrganizationSummary is an organization as any caller may see it; its own
	// admins see more.
	OrganizationSummary = client.OrganizationSummary
	// A DeletionReceipt says what was deleted.
	DeletionReceipt = client.DeletionReceipt
	// A Token is a bearer token, with its lifetime, admin and organization.
	Token = client.Token
	// An ID is a UUID. Its String method gives the form with hyphens.
	ID = client.ID
	// An Operation is a change of an organization, running or finished.
	Operation = client.Operation
	// An OperatorOrganization is an organization as the operator sees it.
	OperatorOrganization = client.OperatorOrganization
	// A Quota limits how much an organization may have; nil means no limit.
	Quota = client.Quota
	// An Index of an organization's documents.
	Index = client.Index
	// Stats say how much an organization has.
	Stats = client.Stats
	// A State is where an organization is in its life.
	State = client.State
)

// The states of an organization.
const (
	StateProvisioning = client.StateProvisioning
	StateActive       = client.StateActive
	StateSuspended    = client.StateSuspended
	StateDeleting     = client.StateDeleting
)

// What an operation does.
const (
	OperationKindCreate = client.OperationKindCreate
	OperationKindUpdate = client.OperationKindUpdate
	OperationKindDelete = client.OperationKindDelete
)

// The states of an operation.
const (
	OperationStateRunning   = client.OperationStateRunning
	OperationStateSucceeded = client.OperationStateSucceeded
	OperationStateFailed    = client.OperationStateFailed
)

// ParseID reads an ID, such as [Error.OperationID].
func ParseID(text string) (ID, error) {
	var id ID
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return ID{}, fmt.Errorf("orgd: not an id: %w", err)
	}
	return id, nil
}

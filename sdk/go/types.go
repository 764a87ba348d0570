package orgd

import "github.com/orgd/orgd/gen/client"

// The contract's own types, documented there and field by field in package
// client.
type (
	// An Organization as its own admins see it.
	Organization = client.Organization
	// An OrganizationSummary is what anybody may know of an organization, and,
	// for its own admins, more.
	OrganizationSummary = client.OrganizationSummary
	// A DeletionReceipt says what was deleted.
	DeletionReceipt = client.DeletionReceipt
	// A Token is a bearer token and what it is good for.
	Token = client.Token
	// An ID is a UUID. Its String method gives the form with hyphens.
	ID = client.ID
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

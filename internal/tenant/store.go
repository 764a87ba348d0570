// Package tenant is the tenant store.
package tenant

import (
	"context"

	"github.com/orgd/orgd/internal/org"
)

// Store is the tenant store.
type Store struct{}

// CreateInput is a new organization and its first admin.
type CreateInput struct {
	Name, Email, Password string
}

// UpdateInput says what to change; nil leaves a thing as it is.
type UpdateInput struct {
	Name, Email, Password *string
	// Migrate moves the data into a fresh collection.
	Migrate bool
}

// Create makes an organization.
func (s *Store) Create(ctx context.Context, in CreateInput) (org.Organization, error) { panic("TODO") }

// Lookup returns the organization of that name, in any spelling.
func (s *Store) Lookup(ctx context.Context, name string) (org.Organization, error) { panic("TODO") }

// Update changes the principal's organization.
func (s *Store) Update(ctx context.Context, p org.Principal, in UpdateInput) (org.Organization, error) {
	panic("TODO")
}

// Delete removes the principal's organization with every trace.
func (s *Store) Delete(ctx context.Context, p org.Principal) (org.DeletionReceipt, error) {
	panic("TODO")
}

// Login checks an admin's credentials.
func (s *Store) Login(ctx context.Context, email, password string) (org.Principal, error) {
	panic("TODO")
}

// Authenticate checks that what a token says is still so: the organization and
// the admin exist, belong together, the credentials are the same, and the state permits.
func (s *Store) Authenticate(ctx context.Context, p org.Principal) (org.Organization, error) {
	panic("TODO")
}

// Ready reports whether the storage can be read.
func (s *Store) Ready(ctx context.Context) error { panic("TODO") }

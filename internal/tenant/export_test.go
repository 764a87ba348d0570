package tenant

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/org"
)

// Skip leaves one part of the move protocol out. It returns false for a part that
// there is not.
func (c *Config) Skip(part string) bool {
	switch part {
	case "dirty set":
		c.skip.dirtySet = true
	case "epochs":
		c.skip.epochs = true
	case "drain":
		c.skip.drain = true
	case "re-read":
		c.skip.reread = true
	case "fence":
		c.skip.fence, c.skip.verify = true, true // the comparison behind the fence would find it
	case "verification":
		c.skip.verify = true
	case "conditions":
		c.skip.conditions = true
	case "fresh target":
		c.skip.fresh = true
	case "new names":
		c.skip.names = true
	case "unique versions":
		c.skip.versions = true
	case "steady rounds":
		c.skip.steady = true
	default:
		return false
	}
	return true
}

// Usage returns what is known of how much an organization with a quota has.
func (s *Store) Usage(orgID string) (documents, bytes int64) {
	u := s.usages.of(orgID)
	return u.documents, u.bytes
}

// Authenticated is the store's GetDocument.
func (d *Documents) Authenticated(ctx context.Context, p org.Principal, id bson.RawValue) (Document, error) {
	return d.s.GetDocument(ctx, p, id)
}

// KeyLimit is how many keys are remembered of an organization.
func (s *Store) KeyLimit(ctx context.Context, orgID string) (int64, error) {
	return s.keyLimit(ctx, orgID)
}

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Quarantined is one document of master's `quarantine`: the name of a collection that
// was dropped for good a short time ago. A write that was sent before the drop may arrive after it,
// which on some servers creates the collection again; a collection in quarantine is dropped
// whatever it holds. The _id is a hash of the name, so that no name stays as a trace of a deleted
// organization.
type Quarantined struct {
	master.Meta `bson:",inline"`
	Until       time.Time `bson:"until"`
}

// quarantineFor is how long a name is in quarantine. After that a collection with documents and
// without an owner is more likely part of a restored backup, and a person decides.
const quarantineFor = 24 * time.Hour

// QuarantineID is the _id of a name's entry.
func QuarantineID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// Quarantine is the names of collections that were dropped.
type Quarantine struct {
	master.Table[Quarantined, *Quarantined]
	now func() time.Time
}

// NewQuarantine returns the quarantine of a master database.
func NewQuarantine(m *master.Database) Quarantine {
	return Quarantine{master.NewTable[Quarantined](m.Database, "quarantine"), m.Now}
}

// Isolate puts a physical name in quarantine, or keeps it there for longer. A
// process that is alone has no need of it: no message arrives late there.
func (s Quarantine) Isolate(ctx context.Context, name string) error {
	id, until := QuarantineID(name), s.now().Add(quarantineFor)
	for range master.SwapAttempts {
		err := s.Insert(ctx, &Quarantined{Meta: master.Meta{ID: id}, Until: until})
		if !errors.Is(err, docdb.ErrDuplicate) {
			return err
		}
		_, err = s.Change(ctx, id, func(q *Quarantined) (bool, error) {
			longer := until.After(q.Until)
			q.Until = until
			return longer, nil
		})
		if !errors.Is(err, docdb.ErrNotFound) { // it has expired just now
			return err
		}
	}
	return docdb.ErrUnavailable
}

// LeftBehind reports whether an unregistered collection is one that a late message has
// created after it was dropped.
func (s Quarantine) LeftBehind(ctx context.Context, name string) (bool, error) {
	q, err := master.Found(s.Get(ctx, QuarantineID(name)))
	return q != nil && s.now().Before(q.Until), err
}

// Expire removes the entries whose time is over.
func (s Quarantine) Expire(ctx context.Context) error {
	for raw, err := range s.Collection.Find(ctx, docdb.Query{Order: master.Index("until").Keys}) {
		if err != nil {
			return err
		}
		q, err := s.Decode(raw)
		if err != nil {
			return err
		}
		if s.now().Before(q.Until) {
			return nil
		}
		if err := s.Remove(ctx, q); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}

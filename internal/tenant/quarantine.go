package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// quarantined is one document of master's `quarantine`: the name of a collection that
// was dropped for good a short time ago. A write that was sent before the drop may arrive
// after it, which on some servers creates the collection again: what is there then is
// dropped, whatever it holds. Its _id is a hash of the name, so that no name stays as a
// trace of a deleted organization.
type quarantined struct {
	Meta  `bson:",inline"`
	Until time.Time `bson:"until"`
}

// quarantineFor is how long that goes on. Later a collection with documents and without
// an owner is more likely somebody's who has restored a backup, and a person decides.
const quarantineFor = 24 * time.Hour

func quarantineID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// isolate puts a physical name in quarantine, or keeps it there for longer. An
// exclusive engine has no need of it: no message arrives late there.
func (s *Store) isolate(ctx context.Context, name string) error {
	if s.cfg.Exclusive {
		return nil
	}
	id, until := quarantineID(name), s.now().Add(quarantineFor)
	for range swapAttempts {
		err := s.quarantine.insert(ctx, &quarantined{Meta: Meta{ID: id}, Until: until})
		if !errors.Is(err, docdb.ErrDuplicate) {
			return err
		}
		_, err = s.quarantine.change(ctx, id, func(q *quarantined) (bool, error) {
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

// leftBehind reports whether an unregistered collection is one that a late message has
// created after it was dropped.
func (s *Store) leftBehind(ctx context.Context, name string) (bool, error) {
	q, err := found(s.quarantine.get(ctx, quarantineID(name)))
	return q != nil && s.now().Before(q.Until), err
}

// expireQuarantine removes the entries whose time is over.
func (s *Store) expireQuarantine(ctx context.Context) error {
	for raw, err := range s.quarantine.c.Find(ctx, docdb.Query{Order: masterIndex("until").Keys}) {
		if err != nil {
			return err
		}
		q, err := s.quarantine.decode(raw)
		if err != nil {
			return err
		}
		if s.now().Before(q.Until) {
			return nil
		}
		if err := s.quarantine.remove(ctx, q); err != nil && !errors.Is(err, docdb.ErrNoMatch) {
			return err
		}
	}
	return nil
}

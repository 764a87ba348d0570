package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// quarantined is one document of master's `quarantine`: the name of a collection
// that was dropped for good, and that nobody may take yet. An instance that has
// stalled since before the drop may still write to it, which on some servers creates
// it again. Its _id is a hash of the name, so that no name stays as a trace of a
// deleted organization.
type quarantined struct {
	Meta  `bson:",inline"`
	Until time.Time `bson:"until"`
}

// quarantineFor is how long a stalled instance may come back. No call of a
// storage driver waits nearly as long.
const quarantineFor = 24 * time.Hour

func quarantineID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// isolate puts a physical name in quarantine, or keeps it there for longer. An
// exclusive engine has no need of it: there is one process, whose operations run
// one owner at a time, and no other that could have stalled.
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

// outOfQuarantine reports whether a name may be taken.
func (s *Store) outOfQuarantine(ctx context.Context, name string) (bool, error) {
	if s.cfg.Exclusive {
		return true, nil
	}
	q, err := found(s.quarantine.get(ctx, quarantineID(name)))
	return err == nil && (q == nil || !s.now().Before(q.Until)), err
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

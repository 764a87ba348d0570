package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// candidates are the physical names that an operation's owner tries, in order. A
// dot and what follows cannot come from a slug, so that a name with a suffix is
// never another organization's first choice; the random ones are drawn from the
// operation's id and the owner's fence. Only the first owner may take the plain
// one: a former owner that is still alive may write to the one that it took.
func candidates(slug string, generation int64, opID string, fence int64) []string {
	base := org.CollectionPrefix + slug
	sum := sha256.Sum256(fmt.Append(nil, opID, fence))
	random := hex.EncodeToString(sum[:])
	drawn := []string{base + ".x" + random[:6], base + ".x" + random[:24]}
	switch {
	case fence > 1:
		return drawn
	case generation > 1:
		return append([]string{base + "." + strconv.FormatInt(generation, 10)}, drawn...)
	}
	return append([]string{base}, drawn...)
}

// claim finds the operation's collection a name that is neither in the registry
// nor physically there, and enters it as building. A physical collection without
// an entry is somebody else's and is left alone.
func (r *run) claim(ctx context.Context, slug string, generation int64) (string, error) {
	mine, err := r.collections.find(ctx, docdb.Eq("op_id", r.op.ID))
	if err != nil {
		return "", err
	}
	for _, c := range mine {
		if c.Fence > r.op.Lease.Fence {
			return "", errLeaseLost
		}
		free, err := r.outOfQuarantine(ctx, c.ID)
		if err != nil {
			return "", err
		}
		if c.Fence == r.op.Lease.Fence && free { // an earlier try, whose mark was lost
			return c.ID, nil
		}
		if err := r.retire(ctx, c); err != nil { // a former owner's, who may still write to it
			return "", err
		}
	}
	for _, name := range candidates(slug, generation, r.op.ID, r.op.Lease.Fence) {
		err := r.claimName(ctx, name, generation)
		if !errors.Is(err, docdb.ErrExists) {
			return name, err
		}
	}
	return "", fmt.Errorf("every name for the collection is taken: %w", docdb.ErrExists)
}

// claimName enters one name; docdb.ErrExists if it is not free. The quarantine is
// looked at when the entry is there: what comes into it comes before its entry goes.
func (r *run) claimName(ctx context.Context, name string, generation int64) error {
	there, err := r.tenant.List(ctx, name)
	if err != nil {
		return err
	}
	if slices.Contains(there, name) {
		return docdb.ErrExists
	}
	free, err := r.outOfQuarantine(ctx, name) // most often told apart here, without an entry
	if err != nil {
		return err
	}
	if !free {
		return docdb.ErrExists
	}
	entry := &collection{
		Meta: Meta{ID: name}, OrgID: r.op.OrgID, Operation: r.op.ID, Fence: r.op.Lease.Fence,
		Generation: generation, State: building, CreatedAt: r.now(),
	}
	if err := r.collections.insert(ctx, entry); errors.Is(err, docdb.ErrDuplicate) {
		return docdb.ErrExists
	} else if err != nil {
		return err
	}
	if free, err = r.outOfQuarantine(ctx, name); err != nil || free {
		return err
	}
	if err := r.collections.remove(ctx, entry); err != nil {
		return err
	}
	return docdb.ErrExists
}

// build creates the claimed collection. That it is there already is an earlier
// try of the same step: it was not there when its name was claimed.
func (r *run) build(ctx context.Context) error {
	err := r.tenant.Create(ctx, r.op.Plan.Target)
	if errors.Is(err, docdb.ErrExists) {
		return nil
	}
	return err
}

// enliven marks the target as the organization's data. What the source's own rules
// are come last, lest they refuse what is there already.
func (r *run) enliven(ctx context.Context) error {
	if r.op.Plan.Source != "" {
		if err := r.tenant.CarryOptions(ctx, r.op.Plan.Source, r.op.Plan.Target); err != nil {
			return err
		}
	}
	_, err := r.collections.change(ctx, r.op.Plan.Target, func(c *collection) (bool, error) {
		if c.Operation != r.op.ID || c.State != building {
			return false, nil
		}
		c.State = live
		return true, nil
	})
	return unlessGone(err)
}

// unlessGone turns docdb.ErrNotFound into success: a repeated step whose
// document has gone since was done before.
func unlessGone(err error) error {
	if errors.Is(err, docdb.ErrNotFound) {
		return nil
	}
	return err
}

// retire drops a collection for good, the data before the entry, so that there
// is never data without an entry. An entry that is kept for a while is changed
// first: who finds it as it was may still bring it back into use.
func (s *Store) retire(ctx context.Context, c *collection) error {
	if c.State != retired || c.DropAfter != nil {
		c.State, c.DropAfter = retired, nil
		if err := s.collections.swap(ctx, c); err != nil {
			return err
		}
	}
	if err := s.isolate(ctx, c.ID); err != nil {
		return err
	}
	if err := s.tenant.Drop(ctx, c.ID); err != nil {
		return err
	}
	return s.collections.remove(ctx, c)
}

// discard drops what the operation had begun to build.
func (r *run) discard(ctx context.Context) error {
	mine, err := r.collections.find(ctx, docdb.Eq("op_id", r.op.ID))
	if err != nil {
		return err
	}
	for _, c := range mine {
		if err := r.retire(ctx, c); err != nil {
			return err
		}
	}
	return r.dropDirty(ctx)
}

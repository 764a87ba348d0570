package master

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
)

// NameCount is one document of master's `names`: how many physical names were made of a slug. It is
// never removed, so that no name is ever used twice: a message for a dropped collection may arrive any
// time later, and a read of it may still be in progress. Its _id is a part of the slug's hash, so that
// no name stays as a trace of a deleted organization; two slugs with the same _id only skip a number.
type NameCount struct {
	Meta `bson:",inline"`
	Next int64 `bson:"next"`
}

// slugHash is how many bytes of a slug's hash are kept.
const slugHash = 8

func nameCountID(slug string) string {
	sum := sha256.Sum256([]byte("slug\x00" + slug))
	return hex.EncodeToString(sum[:slugHash])
}

// PhysicalName returns the n-th name of a slug. A slug has no dot, so the n-th name of a slug is never a
// name of another slug.
func PhysicalName(slug string, n int64) string {
	if n == 1 {
		return org.CollectionPrefix + slug
	}
	return org.CollectionPrefix + slug + "." + strconv.FormatInt(n, 10)
}

// firstName returns the slug that a physical name is the first of, if it is the first.
func firstName(name string) (slug string, first bool) {
	slug = strings.TrimPrefix(name, org.CollectionPrefix)
	return slug, !strings.Contains(slug, ".")
}

// NameOf reports whether a physical name is one of the slug's.
func NameOf(name, slug string) bool {
	first := PhysicalName(slug, 1)
	return name == first || strings.HasPrefix(name, first+".")
}

// nameTries bounds how many names of a slug Next skips because collections of those names exist: made
// without orgd, or by a version that did not count.
const nameTries = 1000

// Names makes physical names of slugs, and counts how many it has made of each.
type Names struct {
	counts Table[NameCount, *NameCount]
	tenant docdb.Database
}

// NewNames returns the names of the collections of a tenant database.
func NewNames(m *Database, tenant docdb.Database) *Names {
	return &Names{NewTable[NameCount](m.Database, "names"), tenant}
}

// Next implements Namer. It skips names of collections that exist already, which belong to others, and
// the first, which only First gives.
func (s *Names) Next(ctx context.Context, slug string) (string, error) {
	there, err := s.tenant.List(ctx, org.CollectionPrefix+slug)
	if err != nil {
		return "", err
	}
	for range nameTries {
		n, err := s.count(ctx, slug)
		if err != nil {
			return "", err
		}
		name := PhysicalName(slug, n)
		if n > 1 && !slices.Contains(there, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("find a name for a collection of %q: %w", slug, docdb.ErrExists)
}

// First implements Namer.
func (s *Names) First(ctx context.Context, slug string) (bool, error) {
	err := s.counts.Insert(ctx, firstOf(nameCountID(slug)))
	if errors.Is(err, docdb.ErrDuplicate) {
		return false, nil
	}
	return err == nil, err
}

// Used implements Namer.
func (s *Names) Used(ctx context.Context, slug string) (bool, error) {
	count, err := Found(s.counts.Get(ctx, nameCountID(slug)))
	return count != nil, err
}

// firstOf is the count after the first name.
func firstOf(id string) *NameCount { return &NameCount{Meta: Meta{ID: id}, Next: 2} }

// count takes the next number of a slug. A number whose write got no answer is not used.
func (s *Names) count(ctx context.Context, slug string) (int64, error) {
	id := nameCountID(slug)
	for range SwapAttempts {
		err := s.counts.Insert(ctx, firstOf(id))
		if !errors.Is(err, docdb.ErrDuplicate) {
			return 1, err
		}
		count, err := s.counts.Get(ctx, id)
		if err != nil {
			return 0, err
		}
		n := count.Next
		count.Next++
		if err := s.counts.Swap(ctx, count); !errors.Is(err, docdb.ErrNoMatch) {
			return n, err
		}
	}
	return 0, docdb.ErrUnavailable
}

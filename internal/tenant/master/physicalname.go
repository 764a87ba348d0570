package master

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

// Names makes physical names of slugs, and counts how many it has made of each.
type Names struct {
	counts Table[NameCount, *NameCount]
}

// NewNames returns the names of the collections of organizations.
func NewNames(m *Database) *Names { return &Names{NewTable[NameCount](m.Database, "names")} }

// Next implements Namer. A number whose write got no answer is not used.
func (s *Names) Next(ctx context.Context, slug string) (string, error) {
	id := nameCountID(slug)
	for range SwapAttempts {
		count, err := s.counts.Get(ctx, id)
		if errors.Is(err, docdb.ErrNotFound) {
			_, err = s.First(ctx, slug) // which is for First alone to give
			if err == nil {
				continue
			}
		}
		if err != nil {
			return "", err
		}
		name := PhysicalName(slug, count.Next)
		count.Next++
		if err := s.counts.Swap(ctx, count); !errors.Is(err, docdb.ErrNoMatch) {
			return name, err
		}
	}
	return "", docdb.ErrUnavailable
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

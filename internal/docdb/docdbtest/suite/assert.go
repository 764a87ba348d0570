package suite

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
)

// IsEmpty asserts that the collection reads as a collection without documents and indexes.
func (s *T) IsEmpty(c docdb.Collection) {
	s.Helper()
	_, err := c.Get(s.Context(), bsontest.Value(1))
	s.Fails(err, docdb.ErrNotFound)
	s.InOrder(s.Find(c, docdb.Query{}))
	s.InOrder(s.Find(c, docdb.Query{Filter: When("a", nil), Desc: true, Limit: 5, After: &docdb.Position{ID: bsontest.Value(1)}}))
	n, err := c.Count(s.Context(), All)
	s.Must(err)
	list, err := c.Indexes(s.Context())
	s.Must(err)
	if n != 0 || len(list) != 0 {
		s.Errorf("the collection counts %d documents and has the indexes %v", n, list)
	}
}

// Lists asserts that the database lists these collections for the prefix.
func (s *T) Lists(prefix string, want ...string) {
	s.Helper()
	got, err := s.DB.List(s.Context(), prefix)
	s.Must(err)
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		s.Errorf("List(%q) (-want +got):\n%s", prefix, diff)
	}
}

// StopIfFailed ends a case that has failed, and says where.
func (s *T) StopIfFailed(where string) {
	s.Helper()
	if s.Failed() {
		s.Fatal("at ", where)
	}
}

// HasIndexes asserts that the collection has these indexes, in this order.
func (s *T) HasIndexes(c docdb.Collection, want ...docdb.Index) {
	s.Helper()
	got, err := c.Indexes(s.Context())
	s.Must(err)
	if diff := cmp.Diff(append([]docdb.Index{}, want...), append([]docdb.Index{}, got...)); diff != "" {
		s.Errorf("indexes (-want +got):\n%s", diff)
	}
}

// Must ends the case at an error.
func (s *T) Must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Fails asserts that an error is want.
func (s *T) Fails(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Errorf("got error %v, want %v", err, want)
	}
}

// Duplicates asserts that an error is a *docdb.DuplicateError that names the index.
func (s *T) Duplicates(err error, index string) {
	s.Helper()
	s.Fails(err, docdb.ErrDuplicate)
	if got := (*docdb.DuplicateError)(nil); !errors.As(err, &got) || got.Index != index {
		s.Errorf("got error %v, want a *DuplicateError that names %q", err, index)
	}
}

// Holds asserts that the collection holds exactly these documents, in any order, byte for byte.
func (s *T) Holds(c docdb.Collection, want ...bson.Raw) {
	s.Helper()
	s.Same(s.Find(c, docdb.Query{}), model.Select(want, docdb.Query{}))
}

// Same asserts that got are the documents want, in this order, byte for byte.
func (s *T) Same(got, want []bson.Raw) {
	s.Helper()
	if diff := Diff(want, got); diff != "" {
		s.Errorf("documents (-want +got):\n%s", diff)
	}
}

// InOrder asserts that the documents have these _ids, in this order.
func (s *T) InOrder(got []bson.Raw, want ...int) {
	s.Helper()
	if diff := cmp.Diff(append([]int{}, want...), ids(got)); diff != "" {
		s.Errorf("_ids (-want +got):\n%s", diff)
	}
}

// OneWins asserts that exactly one call succeeded and all others failed with want. It returns
// the position of the call that succeeded.
func (s *T) OneWins(errs []error, want error) int {
	s.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			s.Fatalf("calls %d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, want):
			s.Fatalf("call %d: got error %v, want %v", i, err, want)
		}
	}
	if winner < 0 {
		s.Fatalf("no call succeeded: %v", errors.Join(errs...))
	}
	return winner
}

// Diff returns how lists of documents differ, "" if they are the same byte for byte.
func Diff(want, got []bson.Raw) string {
	if slices.EqualFunc(want, got, func(a, b bson.Raw) bool { return bytes.Equal(a, b) }) {
		return ""
	}
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		return diff
	}
	return "they read the same, but their bytes are not"
}

func texts(docs []bson.Raw) []string {
	list := []string{}
	for _, doc := range docs {
		if len(doc) > 4096 {
			list = append(list, fmt.Sprintf("_id %v, %d bytes", docdb.ID(doc), len(doc)))
		} else {
			list = append(list, doc.String())
		}
	}
	return list
}

// ids returns the documents' _ids, which are of type int32.
func ids(docs []bson.Raw) []int {
	list := []int{}
	for _, doc := range docs {
		list = append(list, int(docdb.ID(doc).Int32()))
	}
	return list
}

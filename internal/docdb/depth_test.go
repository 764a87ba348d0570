package docdb_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime/debug"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// chain returns a document of so many levels, each the value "a" of the one around it
// and of that kind: a document, an array or a scope.
func chain(levels int, kind bson.Type) bson.Raw {
	begin := append([]byte{byte(kind)}, "a\x00"...)
	if kind == bson.TypeCodeWithScope {
		begin = append(begin, 0, 0, 0, 0, 1, 0, 0, 0, 0) // its length, and no code
	}
	around := 4 + len(begin) + 1
	out := make([]byte, 0, levels*around)
	for left := levels - 1; ; left-- {
		size := 5 + left*around
		out = binary.LittleEndian.AppendUint32(out, uint32(size))
		if left == 0 {
			return append(out, make([]byte, levels)...)
		}
		out = append(out, begin...)
		if kind == bson.TypeCodeWithScope {
			binary.LittleEndian.PutUint32(out[len(out)-9:], uint32(size-around+9))
		}
	}
}

// TestNestingIsBounded: no document, however deep, fills the stack, from which a
// process cannot recover.
func TestNestingIsBounded(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	id := Doc(1)
	for _, kind := range []bson.Type{bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeCodeWithScope} {
		t.Run(kind.String(), func(t *testing.T) {
			if err := chain(20, kind).Validate(); err != nil {
				t.Fatal(err)
			}
			for _, levels := range []int{docdb.MaxDepth, docdb.MaxDepth + 1, 700_000} {
				deep := chain(levels, kind)
				doc := bytes.Join([][]byte{id[:len(id)-1], deep[4:]}, nil)
				binary.LittleEndian.PutUint32(doc, uint32(len(doc)))
				want := error(nil)
				if levels > docdb.MaxDepth {
					want = docdb.ErrInvalid
				}
				if err := docdb.Validate(doc); !errors.Is(err, want) {
					t.Errorf("%d levels: %v, want %v", levels, err, want)
				}
				if levels > docdb.MaxDepth && docdb.ValidateID(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: deep}) == nil {
					t.Errorf("%d levels are good for an _id", levels)
				}
				if _, err := docdb.ParseFilter(deep); err == nil && levels > docdb.MaxDepth {
					t.Errorf("%d levels are good for a filter", levels)
				}
				other := bytes.Clone(deep)
				other[len(other)/2] ^= 1
				a, b := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: deep}, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: other}
				if docdb.Compare(a, b) != -docdb.Compare(b, a) || docdb.Compare(a, a) != 0 {
					t.Errorf("%d levels have no order", levels)
				}
				docdb.Eq("a.a.0.a", 1).Match(doc)
				docdb.PositionOf(doc, []docdb.Key{{Path: "a.a.0.a"}, {Path: "a"}}, false)
			}
		})
	}
}

// TestFiltersInFullAreNoDeeper: what a filter leaves out counts too, since it is sent in full.
func TestFiltersInFullAreNoDeeper(t *testing.T) {
	for levels, good := range map[int]bool{docdb.MaxDepth - 1: true, docdb.MaxDepth: false} {
		f, err := docdb.ParseFilter(chain(levels, bson.TypeEmbeddedDocument))
		if (err == nil) != good {
			t.Errorf("%d levels: %v", levels, err)
		}
		if _, err := docdb.ParseFilter(f.Document()); err != nil {
			t.Errorf("%d levels, read again: %v", levels, err)
		}
	}
}

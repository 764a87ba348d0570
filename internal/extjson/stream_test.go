package extjson

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// long are documents with a long value of every type that can be long.
func long(t testing.TB) map[string]bson.Raw {
	t.Helper()
	all := map[string]any{
		"controls": strings.Repeat("\x01", 1<<20),
		"plain":    strings.Repeat("x", 1<<20),
		"wide":     "a" + strings.Repeat("😀é", 1<<18),
		"broken":   "a" + strings.Repeat("\xff\x80\x80\x80\x80", 1<<18),
		"binary":   bson.Binary{Subtype: 0x80, Data: bytes.Repeat([]byte{1, 2}, 1<<19)},
		"code":     bson.JavaScript(strings.Repeat("\x02", 1<<18)),
		"symbol":   bson.Symbol(strings.Repeat("s", 1<<18)),
		"scope":    bson.CodeWithScope{Code: bson.JavaScript(strings.Repeat("c", 1<<18)), Scope: bson.D{{Key: "x", Value: strings.Repeat("y", 1<<18)}}},
		"regex":    bson.Regex{Pattern: strings.Repeat("\x01", 1<<18), Options: "i"},
		"pointer":  bson.DBPointer{DB: strings.Repeat("d", 1<<18), Pointer: bson.ObjectID{1}},
		"array":    many(1 << 17),
		"small":    bson.A{strings.Repeat("x", 1<<16), bson.CodeWithScope{Code: "c", Scope: bson.D{{Key: "x", Value: 1}}}, bson.A{1, bson.A{}}},
		"nested":   bson.D{{Key: "a", Value: bson.A{bson.D{{Key: strings.Repeat("n", 1<<18), Value: many(1 << 14)}, {Key: "b", Value: int64(1) << 60}}}}},
	}
	docs := map[string]bson.Raw{}
	for name, v := range all {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: 1}, {Key: name, Value: v}, {Key: "z", Value: "end"}})
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = raw
	}
	return docs
}

func many(n int) bson.A {
	all := make(bson.A, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// TestAStreamIsTheWholeInPieces: the same text, and never much of it at a time.
func TestAStreamIsTheWholeInPieces(t *testing.T) {
	for name, doc := range long(t) {
		for _, canonical := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", canonical), func(t *testing.T) {
				var got bytes.Buffer
				s := Stream{Canonical: canonical, Flush: func(b []byte) ([]byte, error) {
					if len(b) > MaxStreamed || cap(b) > 2*MaxStreamed {
						t.Errorf("a piece has %d bytes of %d", len(b), cap(b))
					}
					got.Write(b)
					return b[:0], nil
				}}
				rest, err := s.Append(nil, doc)
				if got.Write(rest); err != nil || len(rest) > MaxStreamed {
					t.Fatalf("%d bytes are left, %v", len(rest), err)
				}
				want := Append(nil, doc)
				if canonical {
					want = AppendCanonical(nil, doc)
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("a stream of %d bytes, want %d", got.Len(), len(want))
				}
			})
		}
	}
}

func TestAStreamEndsWithTheFirstFailure(t *testing.T) {
	full := errors.New("full")
	for name, doc := range long(t) {
		flushed := 0
		s := Stream{Flush: func([]byte) ([]byte, error) { flushed++; return nil, full }}
		if _, err := s.Append(nil, doc); !errors.Is(err, full) || flushed != 1 {
			t.Errorf("%s: %v after %d pieces", name, err, flushed)
		}
	}
}

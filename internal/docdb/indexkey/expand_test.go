package indexkey_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/indexkey"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// numbers is an array of that many different numbers.
func numbers(n int) bson.A {
	list := make(bson.A, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// countKeys expands a document for an index and returns how many keys were visited.
func countKeys(t *testing.T, x *indexkey.Expander, doc bson.Raw, keys string) (n int, err error) {
	t.Helper()
	err = x.Each(doc, keysOf(keys), func([]bson.RawValue) error { n++; return nil })
	return n, err
}

// TestElementsThatLeadToTheSameAreExpandedOnce has paths that go on at one element
// of an array whichever element they are followed from: what comes out is small, and
// so must be the way there.
func TestElementsThatLeadToTheSameAreExpandedOnce(t *testing.T) {
	nested := append(bson.A{numbers(3000)}, make(bson.A, 3000)...)
	tests := []struct {
		name, keys string
		doc        bson.Raw
		want       int
	}{
		{"an array within an array is one key", "a.0", Doc(1, "a", nested), 1},
		{"and so it is for two paths", "a.0,a.1", Doc(1, "a", append(bson.A{numbers(3000), 7}, make(bson.A, 3000)...)), 1},
		{"its elements are keys once", "a.0.b", Doc(1, "a", append(bson.A{objects(3000, "b")}, make(bson.A, 3000)...)), 3000},
		{"elements that differ are keys each", "a,a.0", Doc(1, "a", nested), 3001},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n, err := countKeys(t, indexkey.NewExpander(meter.WithoutTurns(t.Context()), 100_000), test.doc, test.keys)
			if err != nil || n != test.want {
				t.Errorf("got %d keys, %v, want %d", n, err, test.want)
			}
		})
	}
	ambiguous := Doc(1, "a", bson.A{numbers(3), nil, bson.D{{Key: "0", Value: 1}}})
	if _, err := indexkey.All(ambiguous, keysOf("a.0")); !errors.Is(err, docdb.ErrInvalid) {
		t.Errorf("an index that is a name in a later element answers %v", err)
	}
}

func objects(n int, field string) bson.A {
	list := make(bson.A, n)
	for i := range list {
		list[i] = bson.D{{Key: field, Value: i}}
	}
	return list
}

func TestAnExpanderIsBounded(t *testing.T) {
	// Each of 2,000 elements leads past the 2,000 of another array.
	square := Doc(1, "a", append(bson.A{objects(2000, "b")}, numbers(2000)...))
	x := indexkey.NewExpander(meter.WithoutTurns(t.Context()), 1_000_000)
	n, err := countKeys(t, x, square, "a,a.0.b")
	var refused *indexkey.Error
	if !errors.As(err, &refused) || refused.Path != "a.0.b" || n > 1_000_000 {
		t.Errorf("got %d keys, %v, want an *IndexKeyError at the path a.0.b", n, err)
	}
	wide := bson.D{{Key: "_id", Value: 1}}
	for range 10_000 {
		wide = append(wide, bson.E{Key: "x", Value: nil})
	}
	for i := 0; ; i++ { // all indexes of a document have one budget
		if _, err := countKeys(t, x, Raw(wide), "y"); errors.Is(err, docdb.ErrInvalid) {
			break
		} else if i > 100 {
			t.Fatal("no end")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	x = indexkey.NewExpander(meter.WithoutTurns(ctx), 0)
	n = 0
	err = x.Each(square, keysOf("a,a.0.b"), func([]bson.RawValue) error {
		if n++; n == 1 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n > 20_000 {
		t.Errorf("%d keys after the context's end, %v", n, err)
	}
}

// TestAPositionIsFoundInTimeLinearInItsDocument has a long value in every key.
func TestAPositionIsFoundInTimeLinearInItsDocument(t *testing.T) {
	doc := Doc(1, "s", strings.Repeat("x", 4<<20), "a", numbers(20_000))
	began := time.Now()
	p := indexkey.PositionOf(doc, keysOf("s,-a"), false)
	if took := time.Since(began); p.Keys[1].AsInt64() != 19_999 || took > 5*time.Second {
		t.Errorf("got %v after %s", p.Keys[1], took)
	}
	x := indexkey.NewExpander(meter.WithoutTurns(t.Context()), 0)
	if first, err := x.First(doc, keysOf("s,-a"), false); err != nil || !slices.EqualFunc(p.Keys, first, bson.RawValue.Equal) {
		t.Errorf("an expander's first key is %v, %v", first, err)
	}
}

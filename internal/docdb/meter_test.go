package docdb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
)

// longFilters are within the grammar's bounds and take long on the document that they
// come with: some million steps.
func longFilters(t *testing.T) map[string]struct {
	filter docdb.Filter
	doc    bson.Raw
} {
	t.Helper()
	parse := func(v any) docdb.Filter {
		f, err := docdb.ParseFilter(Raw(v))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var branches, texts bson.A
	for i := range 200 {
		branches = append(branches, bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: 1_000_000 + i}}}})
		texts = append(texts, bson.D{{Key: fmt.Sprintf("x%d", i), Value: nil}})
	}
	long := strings.Repeat("x", 100_000)
	strs := make(bson.A, 0, 30)
	for range cap(strs) {
		strs = append(strs, long)
	}
	wide := bson.D{{Key: "_id", Value: 1}}
	for i := range 5_000 {
		wide = append(wide, bson.E{Key: fmt.Sprintf("y%d", i), Value: nil})
	}
	nested := bson.A{}
	for range 8 {
		nested = append(bson.A{nested}, objects(20_000, "b")...)
	}
	return map[string]struct {
		filter docdb.Filter
		doc    bson.Raw
	}{
		"many conditions on many elements":  {parse(bson.D{{Key: "$or", Value: branches}}), Doc(1, "a", numbers(30_000))},
		"negated":                           {parse(bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "a", Value: bson.D{{Key: "$ne", Value: -1}}}}, bson.D{{Key: "$or", Value: branches}}}}}), Doc(1, "a", numbers(30_000))},
		"a value among many, of many":       {parse(bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: numbers(1000)}}}}), Doc(1, "a", make(bson.A, 100_000))},
		"long strings":                      {parse(bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: long + "y"}}}}), Doc(1, "a", strs)},
		"names that are not there":          {parse(bson.D{{Key: "$and", Value: texts}}), Raw(wide)},
		"a path of numbers in nested lists": {parse(bson.D{{Key: "a.0.0.0.0.0.0.0.c", Value: 7}}), Doc(1, "a", nested)},
	}
}

// TestAFilterEndsWithItsContext: a filter that takes long on one document goes on for a few
// thousand steps at most when nobody wants to know any more.
func TestAFilterEndsWithItsContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range longFilters(t) {
		t.Run(name, func(t *testing.T) {
			whole := docdb.NewMeter(t.Context())
			if got, want := test.filter.MatchWithin(whole, test.doc), test.filter.Match(test.doc); got != want || whole.Err() != nil {
				t.Errorf("counted: %t, %v, want %t", got, whole.Err(), want)
			}
			m := docdb.NewMeter(ended)
			test.filter.MatchWithin(m, test.doc)
			if !errors.Is(m.Err(), context.Canceled) {
				t.Errorf("it ends with %v", m.Err())
			}
			if m.Steps()*4 > whole.Steps() {
				t.Errorf("%d steps of %d when nobody wants to know any more", m.Steps(), whole.Steps())
			}
		})
	}
}

// A turn that counts how often it is asked to let others go on.
type restless struct{ rests, takes, dones int }

func (r *restless) Rest(context.Context) error { r.rests++; return nil }
func (r *restless) Take(context.Context) error { r.takes++; return nil }
func (r *restless) Done()                      { r.dones++ }

func TestAMeterLetsOthersGoOn(t *testing.T) {
	var turn restless
	m := docdb.NewMeter(docdb.WithTurns(t.Context(), func() docdb.Turn { return &turn }))
	for range 1_000_000 {
		if !m.Take(1) {
			t.Fatal(m.Err())
		}
	}
	m.Done()
	if turn.rests < 50 || turn.rests > 500 || turn.dones != 1 {
		t.Errorf("%d rests and %d ends in a million steps", turn.rests, turn.dones)
	}
}

// TestLongWorkWaitsForItsTurn: what is long waits at once, what is short when it has worked
// for long, and without turns nothing does.
func TestLongWorkWaitsForItsTurn(t *testing.T) {
	for bytes, want := range map[int]restless{0: {rests: 1}, docdb.LongBytes - 1: {rests: 1}, docdb.LongBytes: {takes: 1}} {
		var turn restless
		if _, err := docdb.TurnFor(docdb.WithTurns(t.Context(), func() docdb.Turn { return &turn }), bytes); err != nil || turn != want {
			t.Errorf("%d bytes: %+v, %v", bytes, turn, err)
		}
	}
	turn, err := docdb.TurnFor(t.Context(), docdb.LongBytes)
	if err != nil {
		t.Error(err)
	}
	turn.Done()
}

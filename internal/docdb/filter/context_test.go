package filter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/filter"
	"github.com/orgd/orgd/internal/docdb/meter"
)

// longFilters are within the grammar's bounds and take long on the document that they
// come with: some million steps.
func longFilters(t *testing.T) map[string]struct {
	filter filter.Filter
	doc    bson.Raw
} {
	t.Helper()
	parse := func(v any) filter.Filter {
		f, err := filter.Parse(Raw(v))
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
		nested = append(bson.A{nested}, documentsWith("b", 20_000)...)
	}
	return map[string]struct {
		filter filter.Filter
		doc    bson.Raw
	}{
		"many conditions on many elements":  {parse(bson.D{{Key: "$or", Value: branches}}), Doc(1, "a", numbersOf(30_000))},
		"negated":                           {parse(bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "a", Value: bson.D{{Key: "$ne", Value: -1}}}}, bson.D{{Key: "$or", Value: branches}}}}}), Doc(1, "a", numbersOf(30_000))},
		"a value among many, of many":       {parse(bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: numbersOf(1000)}}}}), Doc(1, "a", make(bson.A, 100_000))},
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
			whole := meter.New(t.Context())
			if got, want := test.filter.MatchWithin(whole, test.doc), test.filter.Match(test.doc); got != want || whole.Err() != nil {
				t.Errorf("counted: %t, %v, want %t", got, whole.Err(), want)
			}
			m := meter.New(ended)
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

// numbersOf is an array of that many different numbers.
func numbersOf(n int) bson.A {
	list := make(bson.A, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// documentsWith is an array of that many documents with a field.
func documentsWith(field string, n int) bson.A {
	list := make(bson.A, n)
	for i := range list {
		list[i] = bson.D{{Key: field, Value: i}}
	}
	return list
}

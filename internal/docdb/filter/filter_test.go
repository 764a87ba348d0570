package filter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/filter"
)

// fromJSON reads Extended JSON.
func fromJSON(t testing.TB, s string) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(s), false, &d); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return Raw(d)
}

// TestMatchIsMongoDBs lists what mongod answers; the cases on paths are those of its own
// matcher's tests and of the manual's pages on null, arrays and embedded documents.
func TestMatchIsMongoDBs(t *testing.T) {
	tests := []struct{ filter, yes, no string }{
		// Equality.
		{`{}`, `{} {"a":1}`, ``},
		{`{"a":1}`, `{"a":1} {"a":1.0} {"a":{"$numberDecimal":"1.0"}} {"a":[1]} {"a":[2,1]} {"a":1,"b":2}`,
			`{} {"a":2} {"a":"1"} {"a":true} {"a":null} {"a":[[1]]} {"a":{"b":1}} {"A":1}`},
		{`{"a":null}`, `{} {"b":1} {"a":null} {"a":[null]} {"a":[1,null]}`, `{"a":0} {"a":[]} {"a":false} {"a":{"$undefined":true}} {"a":[[null]]}`},
		{`{"a":[1,2]}`, `{"a":[1,2]} {"a":[[1,2]]} {"a":[0,[1,2.0]]}`, `{"a":[2,1]} {"a":[1,2,3]} {"a":1} {"a":[[[1,2]]]}`},
		{`{"a":[]}`, `{"a":[]} {"a":[[]]}`, `{} {"a":null} {"a":[1]} {"a":{}}`},
		{`{"a":{}}`, `{"a":{}} {"a":[{}]}`, `{} {"a":[]} {"a":{"b":1}}`},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":2}} {"a":{"b":1.0,"c":2}}`, `{"a":{"c":2,"b":1}} {"a":{"b":1}} {"a":{"b":1,"c":2,"d":3}}`},
		{`{"a":{"b":{"$gt":1}}}`, ``, `{"a":{"b":2}}`},
		{`{"a":{"$eq":{"$gt":1}}}`, `{"a":{"$gt":1}}`, `{"a":2}`},
		{`{"a":{"$numberDouble":"NaN"}}`, `{"a":{"$numberDouble":"NaN"}} {"a":{"$numberDecimal":"NaN"}}`, `{"a":0} {} {"a":null}`},
		{`{"a":"x"}`, `{"a":"x"} {"a":{"$symbol":"x"}} {"a":["x"]}`, `{"a":"X"} {"a":"xx"}`},
		{`{"a":9007199254740993}`, `{"a":9007199254740993}`, `{"a":9007199254740992.0}`},
		// Order, within a type only.
		{`{"a":{"$gt":1}}`, `{"a":2} {"a":1.5} {"a":[0,2]} {"a":{"$numberDouble":"Infinity"}}`, `{} {"a":1} {"a":null} {"a":"2"} {"a":true} {"a":[]} {"a":{"$numberDouble":"NaN"}} {"a":{"$date":{"$numberLong":"5"}}}`},
		{`{"a":{"$gte":1}}`, `{"a":1.0} {"a":[1]}`, `{"a":0} {} {"a":{"$numberDouble":"NaN"}}`},
		{`{"a":{"$lt":1}}`, `{"a":0} {"a":{"$numberDouble":"-Infinity"}} {"a":[5,0]}`, `{"a":1} {} {"a":null} {"a":{"$numberDouble":"NaN"}} {"a":{"$minKey":1}}`},
		{`{"a":{"$lte":1}}`, `{"a":1}`, `{"a":1.1} {} {"a":{"$numberDecimal":"NaN"}}`},
		{`{"a":{"$gt":1,"$lt":3}}`, `{"a":2} {"a":[0,5]} {"a":[2]}`, `{"a":1} {"a":3} {"a":[0,1]} {}`},
		{`{"a":{"$gte":"b"}}`, `{"a":"b"} {"a":"c"} {"a":{"$symbol":"c"}}`, `{"a":"a"} {"a":1} {"a":{"b":1}}`},
		{`{"a":{"$gt":false}}`, `{"a":true}`, `{"a":false} {"a":1}`},
		{`{"a":{"$lt":{"$date":{"$numberLong":"0"}}}}`, `{"a":{"$date":{"$numberLong":"-1"}}}`, `{"a":{"$date":{"$numberLong":"0"}}} {"a":-1} {"a":{"$timestamp":{"t":0,"i":0}}}`},
		// Complements.
		{`{"a":{"$ne":1}}`, `{} {"a":2} {"a":null} {"a":[]} {"a":[2]} {"a":"1"}`, `{"a":1} {"a":[1,2]} {"a":1.0}`},
		{`{"a":{"$ne":null}}`, `{"a":1} {"a":[]} {"a":{"$undefined":true}}`, `{} {"a":null} {"a":[1,null]}`},
		{`{"a":{"$not":{"$gt":1}}}`, `{} {"a":1} {"a":"x"} {"a":{"$numberDouble":"NaN"}} {"a":[]}`, `{"a":2} {"a":[0,2]}`},
		{`{"a":{"$not":{"$gt":1,"$lt":3}}}`, `{} {"a":1} {"a":3}`, `{"a":2} {"a":[0,5]}`},
		{`{"a":{"$not":{"$not":{"$gt":1}}}}`, `{"a":2} {"a":[2]}`, `{} {"a":1}`},
		// Lists.
		{`{"a":{"$in":[]}}`, ``, `{} {"a":1} {"a":null} {"a":[]}`},
		{`{"a":{"$nin":[]}}`, `{} {"a":1} {"a":[]}`, ``},
		{`{"a":{"$in":[3,1,"x"]}}`, `{"a":1} {"a":3.0} {"a":"x"} {"a":[0,1]}`, `{} {"a":2} {"a":"1"} {"a":null}`},
		{`{"a":{"$in":[null]}}`, `{} {"a":null} {"a":[null]}`, `{"a":1} {"a":[]} {"a":{"$undefined":true}}`},
		{`{"a":{"$in":[[1,2],5]}}`, `{"a":[1,2]} {"a":5} {"a":[[1,2]]}`, `{"a":1} {"a":[2,1]}`},
		{`{"a":{"$nin":[1,null]}}`, `{"a":2} {"a":[]}`, `{} {"a":1} {"a":null} {"a":[1]}`},
		{`{"a":{"$in":[{"$numberDouble":"NaN"}]}}`, `{"a":{"$numberDouble":"NaN"}}`, `{"a":1}`},
		// Existence.
		{`{"a":{"$exists":true}}`, `{"a":null} {"a":[]} {"a":{"$undefined":true}}`, `{} {"b":1}`},
		{`{"a":{"$exists":false}}`, `{} {"b":1}`, `{"a":null} {"a":[]}`},
		{`{"a":{"$exists":1}}`, `{"a":0}`, `{}`},
		{`{"a":{"$exists":0.0}}`, `{}`, `{"a":0}`},
		{`{"a.b":{"$exists":true}}`, `{"a":{"b":null}} {"a":[{"b":1},{}]} {"a":[1,{"b":1}]}`, `{} {"a":1} {"a":{}} {"a":[]} {"a":[1]} {"a":[[{"b":1}]]}`},
		{`{"a.b":{"$exists":false}}`, `{} {"a":1} {"a":[]} {"a":[1]} {"a":[{}]}`, `{"a":{"b":1}} {"a":[{},{"b":1}]}`},
		{`{"a.0":{"$exists":true}}`, `{"a":[1]} {"a":[null]} {"a":{"0":1}} {"a":[[]]}`, `{"a":[]} {} {"a":1}`},
		{`{"a.1":{"$exists":true}}`, `{"a":[1,2]} {"a":[{"1":1}]}`, `{"a":[1]} {"a":{"0":1}}`},
		// Paths.
		{`{"a.b":1}`, `{"a":{"b":1}} {"a":[{"b":1}]} {"a":{"b":[1]}} {"a":[{"b":[2,1]}]} {"a":[0,{"b":1}]}`, `{"a.b":1} {"a":{"b":2}} {"a":[[{"b":1}]]} {"a":{"b":{"c":1}}}`},
		{`{"a.b":null}`, `{} {"a":null} {"a":1} {"a":{}} {"a":{"b":null}} {"a":[{}]} {"a":[{"b":1},{}]} {"a":[{"b":[null]}]}`, `{"a":[]} {"a":[1]} {"a":[null]} {"a":[[]]} {"a":{"b":1}} {"a":[{"b":1}]} {"a":{"b":[]}}`},
		{`{"a.b":{"$ne":null}}`, `{"a":[]} {"a":[1]} {"a":{"b":1}}`, `{} {"a":1} {"a":[{"b":1},{}]}`},
		{`{"a.b.c":1}`, `{"a":[{"b":[{"c":1}]}]} {"a":{"b":{"c":1}}}`, `{"a":[{"b":[[{"c":1}]]}]}`},
		{`{"a.0":1}`, `{"a":[1]} {"a":{"0":1}} {"a":[{"0":1}]} {"a":[5,{"0":1}]} {"a":{"0":[1]}}`, `{"a":[2,1]} {"a":[[1]]} {"a":[]} {"a":[[1,2],1]}`},
		{`{"a.0":[1]}`, `{"a":[[1]]} {"a":{"0":[1]}} {"a":{"0":[[1]]}}`, `{"a":[1]} {"a":[[[1]]]}`},
		{`{"a.1":7}`, `{"a":[5,7,3]}`, `{"a":[7,5]} {"a":[5,[7]]}`},
		{`{"a.01":1}`, `{"a":{"01":1}} {"a":[{"01":1}]}`, `{"a":[0,1]}`},
		{`{"a.1.b":4}`, `{"a":[5,{"b":4},3]} {"a":[5,[{"b":4}],3]} {"a":{"1":{"b":4}}} {"a":[{"1":{"b":4}}]}`, `{"a":[{"b":4},5]} {"a":[5,[[{"b":4}]]]}`},
		{`{"a.1.b":null}`, `{"a":[5,{"b":4},3]} {"a":[5,{}]} {}`, `{"a":[5,[{"b":4}]]} {"a":[1,2]} {"a":[]}`},
		{`{"a.0.0":1}`, `{"a":[[1]]} {"a":[{"0":1}]} {"a":{"0":[1]}} {"a":[{"0":{"0":1}}]} {"a":[{"0":[1]}]}`, `{"a":[1]} {"a":[[[1]]]}`},
		{`{"a.b":{"$gt":1,"$lt":3}}`, `{"a":[{"b":0},{"b":5}]} {"a":[{"b":2}]}`, `{"a":[{"b":0}]}`},
		{`{"a.b":{"$in":[null,1]}}`, `{} {"a":[{}]} {"a":{"b":1}}`, `{"a":[]} {"a":[2]} {"a":{"b":2}}`},
		// Lists of filters.
		{`{"a":1,"b":2}`, `{"a":1,"b":2}`, `{"a":1} {"b":2} {}`},
		{`{"a":{"$gt":1},"$or":[{"b":1},{"b":2}]}`, `{"a":2,"b":1} {"a":2,"b":2}`, `{"a":2} {"a":1,"b":1}`},
		{`{"$or":[{"a":1},{"$and":[{"b":1},{"c":1}]}]}`, `{"a":1} {"b":1,"c":1}`, `{} {"b":1} {"c":1}`},
		{`{"$and":[{"a":1},{"a":2}]}`, `{"a":[1,2]}`, `{"a":1} {"a":2}`},
		{`{"$and":[{}]}`, `{} {"a":1}`, ``},
		{`{"$or":[{},{"a":1}]}`, `{} {"a":2}`, ``},
		{`{"$and":[{"$or":[{"a":1}]},{}]}`, `{"a":1}`, `{}`},
	}
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			f, err := filter.Parse(fromJSON(t, test.filter))
			if err != nil {
				t.Fatal(err)
			}
			again, err := filter.Parse(f.Document())
			if err != nil {
				t.Fatalf("%v: %v", f.Document(), err)
			}
			for want, docs := range map[bool]string{true: test.yes, false: test.no} {
				for doc := range strings.FieldsSeq(docs) {
					if got := f.Match(fromJSON(t, doc)); got != want {
						t.Errorf("%s: %v, want %v", doc, got, want)
					}
					if got := again.Match(fromJSON(t, doc)); got != want {
						t.Errorf("%s: %v, want %v, once %v was read again", doc, got, want, f.Document())
					}
				}
			}
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	tests := []struct {
		filter, operator, path, reason string
	}{
		{`{"$nor":[{"a":1}]}`, "$nor", "", "allowed here are paths, $and and $or"},
		{`{"$where":"1"}`, "$where", "", "allowed here"},
		{`{"$comment":"x"}`, "$comment", "", "allowed here"},
		{`{"$expr":{}}`, "$expr", "", "allowed here"},
		{`{"$eq":1}`, "$eq", "", "allowed here"},
		{`{"a":{"$regex":"x"}}`, "$regex", "a", "allowed are $eq, $ne"},
		{`{"a":{"$elemMatch":{"b":1}}}`, "$elemMatch", "a", "allowed are $eq"},
		{`{"a":{"$and":[{"b":1}]}}`, "$and", "a", "allowed are $eq"},
		{`{"a":{"$ref":"c","$id":1}}`, "$ref", "a", "allowed are $eq"},
		{`{"a":{"$gt":1,"b":1}}`, "b", "a", "allowed are $eq"},
		{`{"a":{"b":1,"$gt":1}}`, "$gt", "a", "use $eq"},
		{`{"a":{"$regularExpression":{"pattern":"x","options":""}}}`, "$eq", "a", "type regex"},
		{`{"a":{"$eq":{"$regularExpression":{"pattern":"x","options":""}}}}`, "$eq", "a", "type regex"},
		{`{"a":{"$in":[1,{"$regularExpression":{"pattern":"x","options":""}}]}}`, "$in", "a", "type regex"},
		{`{"a":{"$not":{"$regularExpression":{"pattern":"x","options":""}}}}`, "$not", "a", "document of one operator"},
		{`{"a":{"$undefined":true}}`, "$eq", "a", "type undefined"},
		{`{"a":{"$ne":{"$minKey":1}}}`, "$ne", "a", "type min key"},
		{`{"a":{"$gt":null}}`, "$gt", "a", "type null"},
		{`{"a":{"$gt":{"$numberDouble":"NaN"}}}`, "$gt", "a", "NaN"},
		{`{"a":{"$lte":{"$numberDecimal":"NaN"}}}`, "$lte", "a", "NaN"},
		{`{"a":{"$lt":{"b":1}}}`, "$lt", "a", "type embedded document"},
		{`{"a":{"$gte":[1]}}`, "$gte", "a", "type array"},
		{`{"a":{"$in":1}}`, "$in", "a", "an array"},
		{`{"a":{"$nin":[{"$gt":1}]}}`, "$nin", "a", "begins with $"},
		{`{"a":{"$exists":"x"}}`, "$exists", "a", "true or false"},
		{`{"a":{"$exists":2}}`, "$exists", "a", "true or false"},
		{`{"a":{"$not":{}}}`, "$not", "a", "document of one operator"},
		{`{"a":{"$not":5}}`, "$not", "a", "document of one operator"},
		{`{"a":{"$not":{"b":1}}}`, "b", "a", "allowed are $eq"},
		{`{"$and":[]}`, "$and", "", "one filter or more"},
		{`{"$or":{"a":1}}`, "$or", "", "one filter or more"},
		{`{"$or":[1]}`, "$or", "", "one filter or more"},
		{`{"$or":[{"a":{"$mod":[2,0]}}]}`, "$mod", "a", "allowed are $eq"},
		{`{"":1}`, "", "", "it is empty"},
		{`{"a..b":1}`, "", "a..b", "empty"},
		{`{"a.":1}`, "", "a.", "empty"},
		{`{"a.$b":1}`, "", "a.$b", "begins with $"},
		{`{"` + strings.Repeat("a", 256) + `":1}`, "", strings.Repeat("a", 256), "longer than 255"},
		{`{"0.0.0.0.0.0.0.0.0":1}`, "", "0.0.0.0.0.0.0.0.0", "numbers"},
		{`{"a":{"$in":[` + strings.TrimSuffix(strings.Repeat("1,", 1001), ",") + `]}}`, "$in", "a", "more than 1000"},
		{`{"$or":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, 500), ",") + `]}`, "", "", "more than 500"},
		{strings.Repeat(`{"$or":[`, 20) + `{"a":1}` + strings.Repeat(`]}`, 20), "$eq", "a", "deeper than 20"},
		{`{"a":` + strings.Repeat(`{"$not":`, 20) + `{"$gt":1}` + strings.Repeat(`}`, 21), "$gt", "a", "deeper than 20"},
	}
	for _, test := range tests {
		t.Run(test.filter[:min(len(test.filter), 60)], func(t *testing.T) {
			_, err := filter.Parse(fromJSON(t, test.filter))
			var got *filter.Error
			if !errors.As(err, &got) || !errors.Is(err, docdb.ErrInvalid) {
				t.Fatalf("got %v, want a *FilterError", err)
			}
			if got.Operator != test.operator || got.Path != test.path || !strings.Contains(got.Error(), test.reason) {
				t.Errorf("got %+v, want operator %q, path %q, reason %q", got, test.operator, test.path, test.reason)
			}
		})
	}
	for _, raw := range []bson.Raw{nil, {5, 0, 0, 0}, {5, 0, 0, 0, 1}, {6, 0, 0, 0, 8, 0}, make(bson.Raw, filter.MaxSize+1)} {
		if _, err := filter.Parse(raw); !errors.Is(err, docdb.ErrInvalid) {
			t.Errorf("bytes that are not BSON: got %v, want ErrInvalid", err)
		}
	}
}

func TestParseFilterAcceptsUpToItsBounds(t *testing.T) {
	for name, text := range map[string]string{
		"1000 values":   `{"a":{"$in":[` + strings.TrimSuffix(strings.Repeat("1,", 1000), ",") + `]}}`,
		"500 operators": `{"$or":[` + strings.TrimSuffix(strings.Repeat(`{"a":1},`, 499), ",") + `]}`,
		"depth 20":      strings.Repeat(`{"$or":[`, 19) + `{"a":1}` + strings.Repeat(`]}`, 19),
		"8 indexes":     `{"0.0.0.0.0.0.0.0":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := filter.Parse(fromJSON(t, text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := filter.Parse(f.Document()); err != nil {
				t.Errorf("read again: %v", err)
			}
		})
	}
}

func TestFilterDocumentWritesEveryOperator(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                           `{}`,
		`{"a":1}`:                      `{"a":{"$eq":1}}`,
		`{"a":{"b":1}}`:                `{"a":{"$eq":{"b":1}}}`,
		`{"a":1,"b":{"$gt":1.0}}`:      `{"$and":[{"a":{"$eq":1}},{"b":{"$gt":1.0}}]}`,
		`{"a":{"$gt":1,"$lt":3}}`:      `{"$and":[{"a":{"$gt":1}},{"a":{"$lt":3}}]}`,
		`{"a":{"$not":{"$in":[2,1]}}}`: `{"a":{"$not":{"$in":[1,2]}}}`,
		`{"a":{"$exists":1}}`:          `{"a":{"$exists":true}}`,
		`{"$or":[{},{"a":null}]}`:      `{"$or":[{},{"a":{"$eq":null}}]}`,
		`{"a":{"$eq":{"$gt":1}}}`:      `{"a":{"$eq":{"$gt":1}}}`,
	} {
		f, err := filter.Parse(fromJSON(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fromJSON(t, want).String(), f.Document().String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestEqAndAndBuildFilters(t *testing.T) {
	f := filter.And(filter.Filter{}, filter.Eq("a.b", 1), filter.And(), filter.Eq("d", nil), filter.Eq("c", bson.D{{Key: "$gt", Value: int32(1)}}))
	if want := fromJSON(t, `{"$and":[{"a.b":{"$eq":1}},{"d":{"$eq":null}},{"c":{"$eq":{"$gt":1}}}]}`); f.Document().String() != want.String() {
		t.Errorf("got %v, want %v", f.Document(), want)
	}
	if !f.Match(fromJSON(t, `{"a":{"b":1.0},"c":{"$gt":1}}`)) || f.Match(fromJSON(t, `{"a":{"b":1},"c":2}`)) {
		t.Error("the filter selects something else")
	}
	if f := filter.And(filter.Filter{}); !f.IsZero() || !f.Match(fromJSON(t, `{}`)) {
		t.Error("And of nothing does not select all")
	}
	for name, call := range map[string]func(){
		"a pattern":  func() { filter.Eq("a", bson.Regex{Pattern: "x"}) },
		"a function": func() { filter.Eq("a", func() {}) },
		"a bad path": func() { filter.Eq("$a", 1) },

		"a pattern in a list":   func() { filter.In("a", []bson.RawValue{Value(bson.Regex{Pattern: "x"})}) },
		"an operator in a list": func() { filter.In("a", []bson.RawValue{Value(bson.D{{Key: "$gt", Value: 1}})}) },
		"a list for a bad path": func() { filter.In("$a", nil) },
		"a list of over 1000":   func() { filter.In("a", slices.Repeat([]bson.RawValue{Value(1)}, filter.MaxInValues+1)) },
	} {
		t.Run("panics on "+name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it returned")
				}
			}()
			call()
		})
	}
}

func TestInSelectsWhatItLists(t *testing.T) {
	f := filter.In("a.b", []bson.RawValue{Value("y"), Value(1), Value("x"), Value(1.0), Value(nil)})
	if want := fromJSON(t, `{"a.b":{"$in":[null,1,1.0,"x","y"]}}`); f.Document().String() != want.String() {
		t.Errorf("got %v, want %v", f.Document(), want)
	}
	for text, want := range map[string]bool{`{"a":{"b":"x"}}`: true, `{"a":{"b":1.0}}`: true, `{"a":[{"b":3},{"b":"y"}]}`: true, `{}`: true, `{"a":{"b":"z"}}`: false} {
		if f.Match(fromJSON(t, text)) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
	if filter.In("a", nil).Match(fromJSON(t, `{}`)) {
		t.Error("a list of nothing selects something")
	}
	full := filter.In("_id", slices.Repeat([]bson.RawValue{Value(7)}, filter.MaxInValues))
	if again, err := filter.Parse(full.Document()); err != nil || !again.Match(fromJSON(t, `{"_id":7}`)) {
		t.Errorf("as many as there may be: %v", err)
	}
	for _, v := range []any{bson.Regex{Pattern: "x"}, bson.D{{Key: "a", Value: 1}, {Key: "$b", Value: 1}}, bson.MinKey{}, bson.JavaScript("x")} {
		if filter.CanBeIn(Value(v)) {
			t.Errorf("%v can be in a list", v)
		}
	}
	if !filter.CanBeIn(Value("x")) {
		t.Error("a string cannot be in a list")
	}
}

func TestFiltersDoNotShareTheCallersMemory(t *testing.T) {
	raw := fromJSON(t, `{"a":"x","b":{"$in":["y"]}}`)
	f, err := filter.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	v := docdb.StringID("z")
	eq := filter.Eq("c", v)
	clear(raw)
	clear(v.Value)
	if !filter.And(f, eq).Match(fromJSON(t, `{"a":"x","b":"y","c":"z"}`)) {
		t.Error("the filter changed with the caller's bytes")
	}
}

func TestFilterReadAgainMatchesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := AnyFilter(3).Draw(t, "filter")
		f, err := filter.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		again, err := filter.Parse(f.Document())
		if err != nil {
			t.Fatal(err)
		}
		if f.Document().String() != again.Document().String() {
			t.Fatalf("%v\n%v", f.Document(), again.Document())
		}
		for range 5 {
			doc := AnyDocument(Value(int32(1))).Draw(t, "document")
			if f.Match(doc) != again.Match(doc) {
				t.Fatalf("%v: %v, then %v", doc, f.Match(doc), again.Match(doc))
			}
		}
	})
}

func TestOperatorsAndTheirComplementsPartTheDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, path, v := AnyDocument(Value(int32(1))).Draw(t, "document"), AnyPath().Draw(t, "path"), AnyScalar().Draw(t, "value")
		match := func(condition any) bool {
			f, err := filter.Parse(Raw(bson.D{{Key: path, Value: condition}}))
			if err != nil {
				t.Fatal(err)
			}
			return f.Match(doc)
		}
		eq := match(v)
		for name, same := range map[string]bool{
			"$eq":  match(bson.D{{Key: "$eq", Value: v}}) == eq,
			"$in":  match(bson.D{{Key: "$in", Value: bson.A{v}}}) == eq,
			"$ne":  match(bson.D{{Key: "$ne", Value: v}}) != eq,
			"$nin": match(bson.D{{Key: "$nin", Value: bson.A{v}}}) != eq,
			"$not": match(bson.D{{Key: "$not", Value: bson.D{{Key: "$eq", Value: v}}}}) != eq,
		} {
			if !same {
				t.Fatalf("%s disagrees with equality, which is %v", name, eq)
			}
		}
	})
}

// FuzzParseFilter feeds bytes of any kind as filter and as document.
func FuzzParseFilter(f *testing.F) {
	doc := fromJSON(f, `{"_id":1,"a":[1,{"b":"x"}],"c":null}`)
	for _, filter := range []string{`{}`, `{"a":1}`, `{"a.0.b":{"$in":[1,"x",null]}}`, `{"$or":[{"a":{"$not":{"$gt":1}}},{"c":{"$exists":false}}]}`, `{"a":{"$regex":"x"}}`} {
		f.Add([]byte(fromJSON(f, filter)), []byte(doc))
	}
	f.Fuzz(func(t *testing.T, raw, doc []byte) {
		parsed, err := filter.Parse(raw)
		if err != nil {
			if !errors.Is(err, docdb.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
			return
		}
		again, err := filter.Parse(parsed.Document())
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if parsed.Match(doc) != again.Match(doc) {
			t.Fatal("read again it matches differently")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	doc := Doc("x", "a", 5, "b", bson.A{1, 2, 3}, "c", bson.D{{Key: "d", Value: "e"}})
	f, err := filter.Parse(fromJSON(b, `{"a":{"$gt":1,"$lt":9},"b":3,"c.d":{"$in":["e","f"]}}`))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !f.Match(doc) {
			b.Fatal("no match")
		}
	}
}

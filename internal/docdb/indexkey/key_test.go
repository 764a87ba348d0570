package indexkey_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	. "github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/indexkey"
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

// keysOf reads "a,-b" as keys.
func keysOf(s string) []indexkey.Key {
	var keys []indexkey.Key
	for part := range strings.SplitSeq(s, ",") {
		path, desc := strings.CutPrefix(part, "-")
		keys = append(keys, indexkey.Key{Path: path, Desc: desc})
	}
	return keys
}

func rowsString(rows [][]bson.RawValue) string {
	parts := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, v := range row {
			switch v.Type {
			case bson.TypeNull:
				cells[j] = "null"
			case bson.TypeUndefined:
				cells[j] = "undefined"
			case bson.TypeInt32:
				cells[j] = fmt.Sprint(v.Int32())
			case bson.TypeDouble:
				cells[j] = fmt.Sprintf("%.1f", v.Double())
			default:
				cells[j] = strings.Join(strings.Fields(v.String()), "")
			}
		}
		parts[i] = strings.Join(cells, ",")
	}
	return strings.Join(parts, " ")
}

// TestIndexKeysAreMongoDBs lists what mongod's key generator answers.
func TestIndexKeysAreMongoDBs(t *testing.T) {
	one := `{"$numberInt":"1"}`
	tests := []struct{ doc, keys, want string }{
		{`{"a":5}`, "a", "5"},
		{`{}`, "a", "null"},
		{`{"a":null}`, "a", "null"},
		{`{"a":{"$undefined":true}}`, "a", "undefined"},
		{`{"a":[3,1,2]}`, "a", "1 2 3"},
		{`{"a":[1,1.0,1,2]}`, "a", "1 2"},
		{`{"a":[1.0,1]}`, "a", "1.0"},
		{`{"a":[]}`, "a", "undefined"},
		{`{"a":[null]}`, "a", "null"},
		{`{"a":[[]]}`, "a", "[]"},
		{`{"a":[[1,1],1]}`, "a", "1 [" + one + "," + one + "]"},
		{`{"a":{"b":5}}`, "a.b", "5"},
		{`{"a":{"b":[5,4]}}`, "a.b", "4 5"},
		{`{"a":1}`, "a.b", "null"},
		{`{"a":[]}`, "a.b", "null"},
		{`{"a":[1,2]}`, "a.b", "null"},
		{`{"a":[{"b":1},{"b":2},3]}`, "a.b", "null 1 2"},
		{`{"a":[{"b":[1,2]},{"b":[]}]}`, "a.b", "undefined 1 2"},
		{`{"a":[[{"b":1}]]}`, "a.b", "null"},
		{`{"a":[{"b":[{"c":1},{"c":2}]},{"b":{"c":3}}]}`, "a.b.c", "1 2 3"},
		// Compound.
		{`{"a":1,"b":2}`, "a,b", "1,2"},
		{`{"a":1,"b":2}`, "a,-b", "1,2"},
		{`{"b":[2,3]}`, "a,b", "null,2 null,3"},
		{`{"a":[1,2],"b":5}`, "a,b", "1,5 2,5"},
		{`{"a":[],"b":5}`, "a,b", "undefined,5"},
		{`{"a":[{"b":1,"c":2},{"b":3},4]}`, "a.b,a.c", "null,null 1,2 3,null"},
		{`{"a":[{"b":[1,2],"c":3}]}`, "a.b,a.c", "1,3 2,3"},
		{`{"a":[{"b":1}]}`, "a,a.b", `{"b":` + one + `},1`},
		{`{"a":[]}`, "a,a.b", "undefined,null"},
		{`{"a":{"b":[1,2],"c":3}}`, "a.b,a.c", "1,3 2,3"},
		// By position.
		{`{"a":[1,2]}`, "a.0", "1"},
		{`{"a":[1,2]}`, "a.1", "2"},
		{`{"a":[1]}`, "a.1", "null"},
		{`{"a":[]}`, "a.0", "null"},
		{`{"a":{"0":7}}`, "a.0", "7"},
		{`{"a":[{"0":7}]}`, "a.0", "ERROR"},
		{`{"a":[1,{"0":7}]}`, "a.0", "ERROR"},
		{`{"a":[{"1":7}]}`, "a.1", "7"},
		{`{"a":[[1,2]]}`, "a.0", "[" + one + `,{"$numberInt":"2"}]`},
		{`{"a":[[]]}`, "a.0", "undefined"},
		{`{"a":[{"b":4},{"b":5}]}`, "a.0.b", "4"},
		{`{"a":[{"b":[4,5]},1]}`, "a.0.b", "4 5"},
		{`{"a":[[{"b":4},{"b":5}]]}`, "a.0.b", "4 5"},
		{`{"a":[5]}`, "a.0.b", "null"},
		{`{"a":[1,2]}`, "a,a.0", "1,1 2,1"},
		// Two arrays.
		{`{"a":[1],"b":[2]}`, "a,b", "ERROR"},
		{`{"a":[],"b":[]}`, "a,b", "ERROR"},
		{`{"a":[{"b":[1],"c":[2]}]}`, "a.b,a.c", "ERROR"},
		{`{"a":[{"b":[1]},{"c":[2]}]}`, "a.b,a.c", "null,2 1,null"},
	}
	for _, test := range tests {
		t.Run(test.doc+" by "+test.keys, func(t *testing.T) {
			rows, err := indexkey.All(fromJSON(t, test.doc), keysOf(test.keys))
			got := rowsString(rows)
			if err != nil {
				got = "ERROR"
				if !errors.Is(err, docdb.ErrInvalid) {
					t.Errorf("got %v, want ErrInvalid", err)
				}
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestPositionOf(t *testing.T) {
	tests := []struct {
		doc, keys string
		desc      bool
		want      string
	}{
		{`{"_id":1,"a":[3,1,2]}`, "a", false, "1"},
		{`{"_id":1,"a":[3,1,2]}`, "a", true, "3"},
		{`{"_id":1,"a":[3,1,2]}`, "-a", false, "3"},
		{`{"_id":1,"a":[3,1,2]}`, "-a", true, "1"},
		{`{"_id":1,"a":[]}`, "a", true, "undefined"},
		{`{"_id":1}`, "a,b", false, "null,null"},
		{`{"_id":1,"a":1,"b":[3,5]}`, "a,-b", false, "1,5"},
		{`{"_id":1,"a":1,"b":[3,5]}`, "a,-b", true, "1,3"},
		{`{"_id":1,"a":[{"b":2,"c":1},{"b":1,"c":9}]}`, "a.b,a.c", false, "1,9"},
		{`{"_id":1,"a":[{"b":2,"c":1},{"b":1,"c":9}]}`, "a.b,a.c", true, "2,1"},
		{`{"_id":1,"a":[1],"b":[2,1]}`, "a,b", false, "1,1"}, // no index admits it
		{`{"_id":1,"a":[{"0":7}]}`, "a.0", false, "null"},    // nor this
	}
	for _, test := range tests {
		doc := fromJSON(t, test.doc)
		p := indexkey.PositionOf(doc, keysOf(test.keys), test.desc)
		if got := rowsString([][]bson.RawValue{p.Keys}); got != test.want || !p.ID.Equal(Value(int32(1))) {
			t.Errorf("%s by %s, desc %v: got %s and _id %v, want %s", test.doc, test.keys, test.desc, got, p.ID, test.want)
		}
	}
	if p := indexkey.PositionOf(fromJSON(t, `{"_id":1,"a":2}`), nil, false); p.Keys != nil || !p.ID.Equal(Value(int32(1))) {
		t.Errorf("by _id: got %v", p)
	}
}

func TestPositionIsTheFirstKeyOfItsDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := AnyDocument(Value(int32(1))).Draw(t, "document")
		keys := []indexkey.Key{{Path: AnyPath().Draw(t, "path"), Desc: rapid.Bool().Draw(t, "key desc")}}
		if second := AnyPath().Draw(t, "second path"); second != keys[0].Path {
			keys = append(keys, indexkey.Key{Path: second})
		}
		desc := rapid.Bool().Draw(t, "desc")
		p := indexkey.PositionOf(doc, keys, desc)
		rows, err := indexkey.All(doc, keys)
		if err != nil {
			return
		}
		found := false
		for _, row := range rows {
			c := indexkey.ComparePositions(p, indexkey.Position{Keys: row, ID: p.ID}, keys, desc)
			back := indexkey.ComparePositions(p, indexkey.Position{Keys: row, ID: p.ID}, keys, !desc)
			if c > 0 || c != -back {
				t.Fatalf("%v is not before %v", p, row)
			}
			found = found || c == 0
		}
		if !found {
			t.Fatalf("%v is none of the keys %v", p, rows)
		}
	})
}

func TestComparePositions(t *testing.T) {
	at := func(id int, keys ...any) indexkey.Position {
		p := indexkey.Position{ID: Value(id)}
		for _, k := range keys {
			p.Keys = append(p.Keys, Value(k))
		}
		return p
	}
	tests := []struct {
		a, b indexkey.Position
		keys []indexkey.Key
		want int
	}{
		{at(1), at(2), nil, -1},
		{at(1, 5), at(2, 5), keysOf("a"), -1},
		{at(1, 5), at(2, 5), keysOf("-a"), -1}, // the _id ascends whatever the keys do
		{at(1, 6), at(2, 5), keysOf("a"), 1},
		{at(1, 6), at(2, 5), keysOf("-a"), -1},
		{at(1, 5, 1), at(1, 5, 2), keysOf("a,-b"), 1},
	}
	for _, test := range tests {
		if got := indexkey.ComparePositions(test.a, test.b, test.keys, false); got != test.want {
			t.Errorf("%v, %v by %v: got %d, want %d", test.a, test.b, test.keys, got, test.want)
		}
		if got := indexkey.ComparePositions(test.a, test.b, test.keys, true); got != -test.want {
			t.Errorf("%v, %v by %v, reversed: got %d, want %d", test.a, test.b, test.keys, got, -test.want)
		}
	}
}

package index

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestParseIndex(t *testing.T) {
	key := func(path string, direction any) bson.E { return bson.E{Key: path, Value: direction} }
	spec := func(keys bson.D, more ...bson.E) bson.D {
		return append(bson.D{{Key: "v", Value: 2}, {Key: "key", Value: keys}, {Key: "name", Value: "n"}}, more...)
	}
	unique := bson.E{Key: "unique", Value: true}
	for name, test := range map[string]struct {
		spec bson.D
		ours bool
	}{
		"plain":               {spec(bson.D{key("a", 1), key("_id", 1)}), true},
		"plain, doubles":      {spec(bson.D{key("a", -1.0), key("_id", 1.0)}), true},
		"unique":              {spec(bson.D{key("a", 1)}, unique), true},
		"sparse: false":       {spec(bson.D{key("a", 1)}, unique, bson.E{Key: "sparse", Value: false}), true},
		"on _id":              {spec(bson.D{key("_id", 1)}), false},
		"without _id":         {spec(bson.D{key("a", 1)}), false},
		"_id descending":      {spec(bson.D{key("a", 1), key("_id", -1)}), false},
		"unique with _id":     {spec(bson.D{key("a", 1), key("_id", 1)}, unique), false},
		"text":                {spec(bson.D{key("a", "text"), key("_id", 1)}), false},
		"hashed":              {spec(bson.D{key("a", "hashed"), key("_id", 1)}), false},
		"sparse":              {spec(bson.D{key("a", 1)}, unique, bson.E{Key: "sparse", Value: true}), false},
		"hidden":              {spec(bson.D{key("a", 1)}, unique, bson.E{Key: "hidden", Value: true}), false},
		"expiring":            {spec(bson.D{key("a", 1), key("_id", 1)}, bson.E{Key: "expireAfterSeconds", Value: 1}), false},
		"partial":             {spec(bson.D{key("a", 1)}, unique, bson.E{Key: "partialFilterExpression", Value: bson.D{}}), false},
		"collation":           {spec(bson.D{key("a", 1)}, unique, bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "fr"}}}), false},
		"wildcard":            {spec(bson.D{key("$**", 1), key("_id", 1)}), false},
		"a name we can't use": {bson.D{{Key: "key", Value: bson.D{key("a", 1)}}, {Key: "name", Value: "a.b_1"}, unique}, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := bson.Marshal(test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if got := Parse(raw); got.Ours != test.ours {
				t.Errorf("got %+v", got)
			}
		})
	}
}

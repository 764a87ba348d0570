package filter

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestConditionsHoldForEveryDocumentSelected(t *testing.T) {
	for _, c := range []struct {
		name   string
		filter string
		all    bool
		want   []string
	}{
		{"the zero filter asks nothing", `{}`, true, nil},
		{"equality and ranges", `{"a": 1, "b": {"$gt": 2, "$lte": 9}}`, true, []string{"a $eq 1", "b $gt 2", "b $lte 9"}},
		{"a conjunction is looked into", `{"$and": [{"a": {"$gte": 1}}, {"$and": [{"b.c": {"$lt": 2}}]}]}`, true, []string{"a $gte 1", "b.c $lt 2"}},
		{"$in keeps its values in order", `{"a": {"$in": [3, 1, 2]}}`, true, []string{"a $in 1 2 3"}},
		{"a disjunction asks nothing of all", `{"$or": [{"a": 1}, {"b": 2}]}`, false, nil},
		{"a disjunction beside a condition", `{"$or": [{"a": 1}], "c": 3}`, false, []string{"c $eq 3"}},
		{"negations ask nothing", `{"a": {"$ne": 1, "$nin": [2], "$not": {"$eq": 3}}, "b": {"$exists": true}}`, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var doc bson.D
			if err := bson.UnmarshalExtJSON([]byte(c.filter), true, &doc); err != nil {
				t.Fatal(err)
			}
			raw, err := bson.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			conditions, all := f.Conditions()
			if all != c.all {
				t.Errorf("all that the filter asks: %v, want %v", all, c.all)
			}
			for _, condition := range conditions {
				line := condition.Path + " " + condition.Op
				for _, v := range condition.Values {
					line += " " + string(rune('0'+v.AsInt64()))
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

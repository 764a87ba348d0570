package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
)

func TestFields(t *testing.T) {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "x"}, {Key: "", Value: int64(1)}, {Key: "a", Value: bson.D{{Key: "b", Value: nil}}}})
	if err != nil {
		t.Fatal(err)
	}
	names := func(doc bson.Raw) []string {
		got := []string{}
		for name, v := range wire.Fields(doc) {
			if want, err := doc.LookupErr(string(name)); err == nil && !want.Equal(v) {
				t.Errorf("%q is %v, want %v", name, v, want)
			}
			got = append(got, string(name))
		}
		return got
	}
	if diff := cmp.Diff([]string{"_id", "", "a"}, names(raw)); diff != "" {
		t.Error(diff)
	}
	for n := range raw { // cut off anywhere it neither panics nor makes anything up
		names(raw[:n])
	}
	for range wire.Fields(raw) {
		break
	}
}

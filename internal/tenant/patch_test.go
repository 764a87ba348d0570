package tenant_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant"
)

func extended(t *testing.T, text string) bson.Raw {
	t.Helper()
	var raw bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(text), false, &raw); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return raw
}

// The cases of RFC 7396, appendix A, whose documents are objects, and those of
// types that JSON does not have.
func TestMergePatch(t *testing.T) {
	for _, tt := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1,"z":2}`, `{"z":3,"b":4,"a":5}`, `{"a":5,"z":3,"b":4}`},
		{`{"a":{"$date":"2026-11-23T12:00:00Z"}}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{`{"a":{"b":1}}`, `{"a":{"$oid":"0123456789abcdef01234567"}}`, `{"a":{"$oid":"0123456789abcdef01234567"}}`},
		{`{"a":1}`, `{}`, `{"a":1}`},
	} {
		got := tenant.MergePatch(extended(t, tt[0]), extended(t, tt[1]))
		if err := got.Validate(); err != nil || got.String() != extended(t, tt[2]).String() {
			t.Errorf("%s patched with %s is %s, %v; want %s", tt[0], tt[1], got, err, tt[2])
		}
	}
}

func TestProjection(t *testing.T) {
	const doc = `{"_id":1,"a":{"b":{"c":1,"d":2},"e":3},"l":[{"x":1,"y":2},5,[{"x":3}],{"y":4}],"s":"text"}`
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{[]string{"a.b.c", "s"}, `{"_id":1,"a":{"b":{"c":1}},"s":"text"}`},
		{[]string{"a.b.c", "a"}, `{"_id":1,"a":{"b":{"c":1,"d":2},"e":3}}`},
		{[]string{"a", "a.b.c"}, `{"_id":1,"a":{"b":{"c":1,"d":2},"e":3}}`},
		{[]string{"l.x"}, `{"_id":1,"l":[{"x":1},[{"x":3}],{}]}`},
		{[]string{"s.x", "a.z", "missing"}, `{"_id":1,"a":{}}`},
		{[]string{"_id"}, `{"_id":1}`},
		{[]string{"_id.x"}, `{"_id":1}`},
	} {
		got := tenant.NewProjection(tt.paths).Apply(nil, extended(t, doc))
		if err := got.Validate(); err != nil || got.String() != extended(t, tt.want).String() {
			t.Errorf("%v: %s, %v; want %s", tt.paths, got, err, tt.want)
		}
	}
	if got := tenant.Projection(nil).Apply(nil, extended(t, doc)); got.String() != extended(t, doc).String() {
		t.Errorf("without a projection: %s", got)
	}
}

package problem

import (
	"net/http"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"},
	} {
		if got := Clip(c.in, c.most); got != c.want {
			t.Errorf("clip(%q, %d) = %q, want %q", c.in, c.most, got, c.want)
		}
	}
}

func TestEveryKindHasOneStatus(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(orgd.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	var documented, known []string
	for _, code := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		documented = append(documented, code.(string))
	}
	for _, k := range kinds {
		known = append(known, string(k.kind))
		if http.StatusText(k.status) == "" || k.detail == "" {
			t.Errorf("%s has no status or no detail", k.kind)
		}
	}
	slices.Sort(documented)
	slices.Sort(known)
	if diff := cmp.Diff(documented, known); diff != "" {
		t.Errorf("codes of the contract and kinds of the table differ: %s", diff)
	}
}

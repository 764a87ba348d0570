package guard

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/tenant"
)

// FuzzCheckJSON: what is said of a body fits the contract, whatever its names are.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		`{"organization_name":"Acme","email":"boss@acme.example","password":"correct horse battery"}`, `{"a":{"~/ %":1,"~/ %":2}}`, `{"` + strings.Repeat("n", problem.MaxPointer) + `":{"a":1,"A":2}}`,
		strings.Repeat("[", tenant.MaxDepth+1), `{"filter":` + strings.Repeat("[", tenant.MaxDepth+1), "\xff", `{"\ud83d`, `{"ſ":1,"S":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e := checkJSON(body, []string{"filter"})
		if e == nil {
			return
		}
		if e.Detail == "" || !strings.HasPrefix(e.Pointer, "#") || len(e.Pointer) > problem.MaxPointer || !utf8.ValidString(e.Pointer) || !utf8.ValidString(e.Detail) {
			t.Fatalf("says %+v of %q", e, body)
		}
	})
}

// TestRefusedNestingPoints: what is too deep is the property that counts anew, or the whole.
func TestRefusedNestingPoints(t *testing.T) {
	deep := strings.Repeat("[", tenant.MaxDepth+1)
	for body, want := range map[string]string{`{"filter":` + deep: "#/filter", `{"a":` + deep: "#"} {
		if e := checkJSON([]byte(body), []string{"filter"}); e == nil || e.Pointer != want || e.Detail != "is nested deeper than 100 levels" {
			t.Errorf("%.10s…: %+v, want %s", body, e, want)
		}
	}
}

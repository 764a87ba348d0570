package wire_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb/wire"
)

// TestNames: of any number of names each is found where it begins, and once.
func TestNames(t *testing.T) {
	name := rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "short") {
			return rapid.StringMatching(`[ab]{0,3}`).Draw(t, "name")
		}
		return rapid.StringMatching(`[a-z0-9é]{1,9}`).Draw(t, "name")
	})
	rapid.Check(t, func(t *rapid.T) {
		var names wire.Names
		doc, at, taken := []byte{5, 0, 0, 0}, map[string]int{}, map[string]bool{}
		take := func(s string) {
			place, there := at[s]
			if found, first := names.Take(doc, []byte(s)); found != place || first != (there && !taken[s]) {
				t.Fatalf("%q is found at %d, %v; want %d, %v", s, found, first, place, !taken[s])
			}
			taken[s] = there
		}
		for _, s := range rapid.SliceOfN(name, 0, 300).Draw(t, "names") {
			take(s)
			_, there := at[s]
			if added := names.Add(doc, len(doc)+1, []byte(s)); added == there {
				t.Fatalf("%q is added: %v", s, added)
			}
			if there {
				continue
			}
			at[s] = len(doc) + 1
			doc = append(append(append(doc, 1), s...), 0)
			doc = append(doc, s...) // a value that looks like a name
		}
		for s := range at {
			take(s)
			take(s)
		}
	})
}

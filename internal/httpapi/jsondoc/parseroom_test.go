package jsondoc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/memory"
)

// TestParseRoom: reading a text takes no more than is taken for it, whatever it is made of,
// and for the usual ones that is little.
func TestParseRoom(t *testing.T) {
	repeat := func(before, piece string, size int, after string) string {
		return before + strings.TrimSuffix(strings.Repeat(piece, size/len(piece)), ",") + after
	}
	names := func(size int) string {
		var b strings.Builder
		for i := 0; b.Len() <= size; i++ {
			fmt.Fprintf(&b, `"%x":1,`, i)
		}
		return b.String()
	}
	for name, text := range map[string]func(size int) string{
		"one string":      func(n int) string { return repeat(`{"a":"`, "x", n, `"}`) },
		"numbers":         func(n int) string { return repeat(`{"a":[`, "1,", n, `]}`) },
		"doubles":         func(n int) string { return repeat(`{"a":[`, "1e9,", n, `]}`) },
		"nulls":           func(n int) string { return repeat(`{"a":[`, "null,", n, `]}`) },
		"empty strings":   func(n int) string { return repeat(`{"a":[`, `"",`, n, `]}`) },
		"empty documents": func(n int) string { return repeat(`{"a":[`, `{},`, n, `]}`) },
		"empty arrays":    func(n int) string { return repeat(`{"a":[`, `[],`, n, `]}`) },
		"small documents": func(n int) string { return repeat(`{"a":[`, `{"":1},`, n, `]}`) },
		"decimals":        func(n int) string { return repeat(`{"a":[`, `{"$numberDecimal":"1"},`, n, `]}`) },
		"names":           func(n int) string { return repeat("{", names(n), n, "}") },
		"mostly space":    func(n int) string { return repeat(`{"a":1`, " ", n, `}`) },
		"escapes":         func(n int) string { return repeat(`{"a":"`, `\u00e9`, n, `"}`) },
		"the usual things": func(n int) string {
			return repeat(`{"a":[`, `{"name":"Ada Lovelace","age":36,"city":"London"},`, n, `]}`)
		},
	} {
		for _, size := range []int{0, 100, 10 << 10, 1 << 20, contract.DocumentBodyLimit - 8} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				text := []byte(text(size))
				room := ParseRoom(text)
				raw, _ := extjson.Parse(text, extjson.Documents)
				if cap(raw) > room {
					t.Errorf("%d bytes of text become %d in %d, and room is %d", len(text), len(raw), cap(raw), room)
				}
				doc, _ := parseWithin(&memory.Hold{}, text)
				if cap(doc) > 2*len(doc)+slack || len(text)+room > memory.LargestRequest {
					t.Errorf("%d bytes of text: room is %d, and a document of %d bytes has %d", len(text), room, len(doc), cap(doc))
				}
			})
		}
	}
}

func TestTheLargestPatchFits(t *testing.T) {
	const doc = 16 << 20
	if room := doc + doc + PatchRoom(doc, doc); room > memory.LargestRequest {
		t.Errorf("the largest patch takes %d bytes", room)
	}
}

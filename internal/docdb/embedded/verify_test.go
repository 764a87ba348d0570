package embedded

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb"
)

// TestVerifyTablesReadsEveryBlock flips one byte at a time, of what documents, indexes and
// filters are in, and of what was deleted and is there still.
func TestVerifyTablesReadsEveryBlock(t *testing.T) {
	mem := vfs.NewMem()
	e := openMem(t, mem)
	c := newCollection(t, e)
	mustIndex(t, c, docdb.Index{Name: "i", Keys: keyOn("i")})
	for i := range 200 {
		mustInsert(t, c, doc("_id", i, "i", fmt.Sprint(i*7919), "pad", strings.Repeat("x", i)))
	}
	if err := c.DropIndex(bg, "i"); err != nil {
		t.Fatal(err)
	}
	if err := e.store.DB.Flush(); err != nil {
		t.Fatal(err)
	}
	if damaged, err := e.VerifyTables(bg); err != nil || len(damaged) > 0 {
		t.Fatalf("what is whole: %v, %v", damaged, err)
	}
	names, err := e.store.Tables()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	const footer = 80
	for name := range names {
		content, err := mem.UnsafeGetFileDataBuffer("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(content)-footer; at += 1 + len(content)/200 {
			content[at] ^= 16
			if damaged, err := e.VerifyTables(bg); err != nil || damaged[name] == nil {
				t.Errorf("byte %d of %d of %s: %v, %v", at, len(content), name, damaged, err)
			}
			content[at] ^= 16
		}
	}
}

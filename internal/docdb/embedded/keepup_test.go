package embedded

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// TestHeavyWritesWaitForTables: while tables are not written as fast as documents come, large
// ones and large batches wait, and small ones go on.
func TestHeavyWritesWaitForTables(t *testing.T) {
	written := make(chan struct{}) // closed when tables can be written
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-written
		}
		return nil
	}))
	e := open(t, Config{Dir: "data", FS: fs})
	c := newCollection(t, e)
	text := strings.Repeat("x", 64<<10)
	for i := 0; !e.store.Behind(); i++ {
		if i == 1000 {
			t.Fatal("64 MB were written, and no table is awaited")
		}
		mustInsert(t, c, doc("_id", i, "text", text))
	}
	large := doc("_id", "large", "text", strings.Repeat("x", 1<<20))
	var batch []bson.Raw
	for i := range 32 {
		batch = append(batch, doc("_id", 10_000+i, "text", text))
	}
	for name, write := range map[string]func(context.Context) error{
		"Insert":     func(ctx context.Context) error { return c.Insert(ctx, large) },
		"InsertMany": func(ctx context.Context) error { _, err := c.InsertMany(ctx, batch); return err },
	} {
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		if err := write(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s answers %v", name, err)
		}
		cancel()
	}
	mustInsert(t, c, doc("_id", "small"))
	if err := c.Replace(bg, rawValue("small"), docdb.Filter{}, doc("_id", "small", "a", 1)); err != nil {
		t.Error(err)
	}
	close(written)
	mustInsert(t, c, large)
	if errs, err := c.InsertMany(bg, batch); err != nil || errors.Join(errs...) != nil {
		t.Errorf("%v, %v", errs, err)
	}
	checkConsistent(t, e)
}

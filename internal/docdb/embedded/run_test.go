package embedded

import (
	"context"
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

func TestContract(t *testing.T) {
	docdbtest.Run(t, func(t *testing.T) docdb.Engine {
		e, err := Open(Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return inspected{e, t}
	}, suite.Options{})
}

// inspected looks at everything that is stored before anything is dropped, which
// each case of the contract does in the end.
type inspected struct {
	*Engine
	t *testing.T
}

func (i inspected) Database(name string) docdb.Database {
	return inspectedDatabase{i.Engine.Database(name), i}
}

type inspectedDatabase struct {
	docdb.Database
	inspected
}

func (d inspectedDatabase) Drop(ctx context.Context, name string) error {
	if d.store.Begin(ctx) == nil {
		checkConsistent(d.t, d.Engine)
		d.store.Leave()
	}
	return d.Database.Drop(ctx, name)
}

package embedded

import (
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest"
)

func TestContract(t *testing.T) {
	docdbtest.Run(t, func(t *testing.T) docdb.Engine {
		e, err := Open(Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}, docdbtest.Options{})
}

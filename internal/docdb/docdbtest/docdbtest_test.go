package docdbtest_test

import (
	"testing"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
)

// TestModel shows that the model keeps the contract, and that Run asks for no
// more than can be had.
func TestModel(t *testing.T) {
	docdbtest.Run(t, func(*testing.T) docdb.Engine { return model.New() }, suite.Options{})
}

// TestFaultyWithoutAFault shows that an engine is as good behind Faulty.
func TestFaultyWithoutAFault(t *testing.T) {
	const slow = "slow, and TestModel runs it"
	docdbtest.Run(t, func(*testing.T) docdb.Engine { return faulty.New(model.New()) }, suite.Options{
		Rounds: 20,
		Skip: map[string]string{
			"Find takes memory that does not grow with the number of documents": slow,
			"InsertMany of 48 MiB in few documents is accepted":                 slow,
			"InsertMany of over 1000 documents or 48 MiB is ErrTooLarge":        slow,
			"a document of 16 MiB is accepted and read back":                    slow,
			"the engine answers random calls as the model does":                 slow,
		},
	})
}

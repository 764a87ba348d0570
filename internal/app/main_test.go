package app_test

import (
	"testing"

	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

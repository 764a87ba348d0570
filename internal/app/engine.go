package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
)

// openEngine opens the storage that the configuration names. An error says which
// variable is to blame, and the engine beside it is nil: not an interface that
// holds a nil pointer, which Close would be called on.
func openEngine(ctx context.Context, cfg Config, log *slog.Logger) (docdb.Engine, error) {
	if cfg.Embedded() {
		e, err := embedded.Open(embedded.Config{Dir: filepath.Join(cfg.DataDir, "db"), Logger: log, MaxOpenTables: openTables()})
		if err != nil {
			return nil, dataDirFault(cfg, err)
		}
		return e, nil
	}
	e, err := mongodb.Open(ctx, mongodb.Config{URI: cfg.MongoURI.Reveal(), AppName: "orgd"})
	switch {
	case errors.Is(err, docdb.ErrUnavailable):
		return nil, fmt.Errorf("MONGO_URI: %w; start MongoDB there, or correct MONGO_URI", err)
	case err != nil:
		return nil, fmt.Errorf("MONGO_URI: %w", err)
	}
	return e, nil
}

// dataDirFault says what the data directory may be, unless the error does.
func dataDirFault(cfg Config, err error) error {
	if errors.Is(err, embedded.ErrLocked) {
		return fmt.Errorf("DATA_DIR %s: %w", quote(cfg.DataDir), err)
	}
	return fmt.Errorf("DATA_DIR %s: %w; allowed: a directory of this orgd's own, or one that it can make", quote(cfg.DataDir), err)
}

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
		e, err := embedded.Open(embedded.Config{Dir: filepath.Join(cfg.DataDir, "db"), Logger: log,
			MinFreeBytes: int64(cfg.MinFreeSpace) << 20, AcceptLoss: cfg.AcceptDataLoss, MaxOpenTables: openTables()})
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

// dataDirFault says what to do. A directory that is in use, damaged or on a full disk is
// the right one all the same, so that the error suggests no other.
func dataDirFault(cfg Config, err error) error {
	todo := "; allowed: a directory of this orgd's own, or one that it can make"
	switch {
	case errors.Is(err, embedded.ErrLocked), errors.Is(err, embedded.ErrFull):
		todo = ""
	case errors.Is(err, embedded.ErrLost):
		todo = " with ACCEPT_DATA_LOSS=true for one start"
	case errors.Is(err, embedded.ErrDamaged):
		todo = ""
	}
	return fmt.Errorf("DATA_DIR %s: %w%s", quote(cfg.DataDir), err, todo)
}

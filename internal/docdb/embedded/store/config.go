package store

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

// Config says where and how to open an engine.
type Config struct {
	// Dir is the engine's own directory. It is created if it is missing, used if it is empty
	// or an engine's, refused otherwise, and made private (0700).
	Dir string
	// Logger gets what goes wrong in the background, and at level Debug what
	// Pebble does; nil: nothing is logged.
	Logger *slog.Logger
	// CacheBytes is the size of the cache of blocks read; 0: 64 MiB.
	CacheBytes int64
	// MemTableBytes is how much is written before it goes into tables. Up to
	// three such memtables exist at a time; 0: 8 MiB.
	MemTableBytes uint64
	// MaxOpenTables is how many tables are kept open at a time; 0: 1000.
	MaxOpenTables int
	// MinFreeBytes is the free space on the disk that a write has to leave, with all that
	// it comes to take, or else it is refused with ErrNoSpace; 0: 128 MiB, negative: no
	// limit. A fourth of it is put by besides: see disk.Ballast.
	MinFreeBytes int64

	// AcceptLoss is for a directory that Open refuses with ErrDamaged because acknowledged
	// writes are missing at the end of a log: it is opened without them, and the damaged
	// logs are kept in its directory damaged.
	AcceptLoss bool

	// FS is the file system; nil: the operating system's.
	FS vfs.FS
	// NoUpkeep leaves it to the caller to call Tend.
	NoUpkeep bool
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 8 << 20
	}
	if c.MaxOpenTables == 0 {
		c.MaxOpenTables = 1000
	}
	if c.MinFreeBytes == 0 {
		c.MinFreeBytes = 128 << 20
	}
	return c
}

// directory is the engine's directory.
func (c *Config) directory() *journal.Directory {
	return &journal.Directory{FS: c.FS, Dir: c.Dir, Logger: c.Logger, MinFree: c.MinFreeBytes, AcceptLoss: c.AcceptLoss}
}

package store

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb/embedded/disk"
)

// memTables is how many memtables there may be, the one being filled included,
// before writers wait for the disk.
const memTables = 3

// bloomBits is how many bits of filter a key has. Every insert looks for what isn't there:
// one such look in a hundred reads a table.
const bloomBits = 10

// pebbleOptions returns Pebble's options. The caller must Unref the cache once
// the database is open.
func (c *Config) pebbleOptions(h *disk.Health) *pebble.Options {
	o := &pebble.Options{
		Cache: pebble.NewCache(c.CacheBytes),
		// Pinned: raising it makes older programs unable to open the directory.
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		Logger:                      h.PebbleLogger(),
		EventListener:               eventListener(h),
		MemTableSize:                c.MemTableBytes,
		MemTableStopWritesThreshold: memTables,
		// Tables of dropped collections and indexes are given back soon, and
		// range deletions don't pile up in a memtable, where each makes
		// the next read sort all of them.
		FlushDelayDeleteRange:      time.Second,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		MaxOpenFiles:               c.MaxOpenTables,
		WALBytesPerSync:            1 << 20,
	}
	if o.FS = c.FS; c.FS == vfs.Default {
		o.FS = nil
		o.WithFSDefaults() // the same, watched for slowness
	}
	o.FS = h.Guard(o.FS)
	// Balanced would take a third less disk, and twice as long to read documents that
	// lie far apart, as those of a filter do.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
		o.Levels[i].FilterType = pebble.TableFilter
		// Of 4, 8, 16 and 32 KiB this is the best for documents of some hundred
		// bytes: lists cost a fifth less than with 4, single reads the same.
		o.Levels[i].BlockSize = 8 << 10
		// A block ends before it gets larger than that, and not only when it is nearly
		// full: small documents would share one with a large document that comes next,
		// and each read of one of them would read all of that.
		o.Levels[i].BlockSizeThreshold = 1
	}
	return o
}

// eventListener logs what Pebble can't tell a caller.
func eventListener(h *disk.Health) *pebble.EventListener {
	return &pebble.EventListener{
		// Flushes and compactions that fail are tried again at once, so each of them
		// is not news; a flush's end says how it went, and compactions only tidy up.
		BackgroundError: func(err error) { h.Background(err) },
		FlushEnd:        func(info pebble.FlushInfo) { h.Flushed(info.Err) },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			// The read that met it gets an error; all other data can be read.
			h.Log.Error("a table is damaged: restore the directory from a backup", "path", info.Path, "details", info.Details.Error())
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			h.Log.Warn("the disk is slow", "path", info.Path, "operation", info.OpType.String(), "duration", info.Duration)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			h.Log.Warn("writes wait for the disk", "reason", info.Reason)
		},
	}
}

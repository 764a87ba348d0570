package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/orgd/orgd/internal/docdb/embedded/disk"
	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

// What Open answers, beside the errors of package disk.
var (
	// ErrLocked: the directory is in use by another engine, mostly in another process.
	ErrLocked = errors.New("embedded: directory in use")
	// ErrFormat: the directory holds something else, or was written by a
	// version of this package that this version does not know.
	ErrFormat = errors.New("embedded: unknown format")
	// ErrFull: the disk has no room for what a start writes.
	ErrFull = errors.New("embedded: the disk is full")
)

const (
	// formatLine is what the file FORMAT holds. It changes with the key space.
	formatLine = "orgd docdb embedded 1\n"
	formatFile = "FORMAT"
	// creatingFile is FORMAT until the database is there. Without the two
	// steps a FORMAT without its database, all of whose files were
	// lost, would look like a new one.
	creatingFile = "FORMAT.creating"
	lockFile     = "LOCK" // Pebble's
)

// Open opens the storage in a directory, creating it if need be. Recover removes what a
// crash left half-done, before the first call.
func Open(config Config, recover func(*Store) error) (*Store, error) {
	c := config.withDefaults()
	if err := c.prepareDir(); err != nil {
		return nil, err
	}
	lock, err := c.lockDir()
	if err != nil {
		return nil, err
	}
	s, err := c.openLocked(lock, recover)
	if pebble.IsCorruptionError(err) {
		what, _, _ := strings.Cut(err.Error(), "\n")
		err = fmt.Errorf("%w: %s; restore the directory from a backup", journal.ErrDamaged, what)
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

// prepareDir creates the directory and resolves its name: Pebble's lock would
// let one process open one directory twice under two names.
func (c *Config) prepareDir() error {
	if c.FS != nil {
		return c.FS.MkdirAll(c.Dir, 0o700)
	}
	c.FS = vfs.Default
	if c.Dir == "" {
		return errors.New("embedded: no directory given")
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("creating data directory %q: %w", c.Dir, err)
	}
	dir, err := filepath.Abs(c.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return fmt.Errorf("resolving data directory %q: %w", c.Dir, err)
	}
	c.Dir = dir
	// What is looked at before the lock is taken is only whether to create files here at all.
	if _, err := c.state(); err != nil {
		return err
	}
	return c.makePrivate()
}

// makePrivate takes away the permissions of other users: the directory holds the
// documents of all organizations.
func (c *Config) makePrivate() error {
	info, err := os.Stat(c.Dir)
	if err != nil {
		return fmt.Errorf("reading data directory %q: %w", c.Dir, err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil {
		return fmt.Errorf("data directory %q must be accessible to its owner only (chmod 700): %w", c.Dir, err)
	}
	c.Logger.Warn("data directory was accessible to others, now it is private", "dir", c.Dir, "mode", info.Mode().Perm().String())
	return nil
}

func (c *Config) lockDir() (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(c.Dir, c.FS)
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil:
		return lock, nil
	case errors.As(err, &path):
		return nil, fmt.Errorf("data directory %q is not writable: %w", c.Dir, err)
	case errors.As(err, &errno) && errno != syscall.EAGAIN && errno != syscall.EACCES:
		return nil, fmt.Errorf("locking data directory %q: %w", c.Dir, err)
	default:
		return nil, fmt.Errorf("%w: %q is open in another process; stop that one, or use another directory", ErrLocked, c.Dir)
	}
}

// A dirState is how far a directory has come.
type dirState int

const (
	dirEmpty    dirState = iota
	dirCreating          // a database may be there, but nothing was ever acknowledged
	dirReady
)

// state looks at what is in the directory; ErrFormat if it isn't an engine's.
func (c *Config) state() (dirState, error) {
	names, err := c.FS.List(c.Dir)
	if err != nil {
		return 0, fmt.Errorf("reading data directory %q: %w", c.Dir, err)
	}
	if slices.Contains(names, formatFile) {
		line, err := c.directory().ReadFile(formatFile)
		if err != nil {
			return 0, fmt.Errorf("reading data directory %q: %w", c.Dir, err)
		}
		if line != formatLine {
			return 0, fmt.Errorf("%w: data directory %q is of format %q, this program knows %q",
				ErrFormat, c.Dir, strings.TrimSpace(line), strings.TrimSpace(formatLine))
		}
		return dirReady, nil
	}
	if slices.Contains(names, creatingFile) {
		return dirCreating, nil
	}
	for _, name := range names {
		if name != lockFile {
			return 0, fmt.Errorf("%w: directory %q is not empty and has no file %s (it has %q); it must be the storage's own",
				ErrFormat, c.Dir, formatFile, name)
		}
	}
	return dirEmpty, nil
}

// openLocked opens the database in the locked directory, which has been looked
// at before: another process may have been faster.
func (c *Config) openLocked(lock *pebble.Lock, recover func(*Store) error) (*Store, error) {
	state, err := c.state()
	if err != nil {
		return nil, err
	}
	if state == dirEmpty {
		if err := c.writeFile(creatingFile, formatLine); err != nil {
			return nil, fmt.Errorf("creating data directory %q: %w", c.Dir, err)
		}
	}
	if state == dirReady {
		if err := c.directory().CheckJournal(); err != nil {
			return nil, fmt.Errorf("opening data directory %q: %w", c.Dir, err)
		}
	}
	h := disk.NewHealth(c.directory())
	h.Space.Ballast.Find()
	db, err := c.openPebble(h, lock, state == dirReady)
	if err != nil {
		return nil, fmt.Errorf("opening data directory %q: %w", c.Dir, err)
	}
	s := &Store{DB: db, lock: lock, Health: h, memTable: c.MemTableBytes, kept: make(chan struct{})}
	s.calls.idle = make(chan struct{})
	err = recover(s)
	if err == nil && state != dirReady {
		err = c.finishCreating(db)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening data directory %q: %w", c.Dir, err), db.Close())
	}
	if c.NoUpkeep {
		close(s.kept)
	} else {
		go s.keep()
	}
	return s, nil
}

// openPebble opens the database; one that should be there must be. When Pebble
// does not return from it, the directory stays locked until the process ends.
func (c *Config) openPebble(h *disk.Health, lock *pebble.Lock, mustExist bool) (*pebble.DB, error) {
	options := c.pebbleOptions(h)
	options.Lock = lock
	options.ErrorIfNotExists = mustExist
	h.Opening.Store(true)
	h.Lenient.Store(true)
	type result struct {
		db  *pebble.DB
		err error
	}
	done := make(chan result, 1)
	go func() {
		db, err := pebble.Open(c.Dir, options)
		options.Cache.Unref()
		done <- result{db, err}
	}()
	select {
	case r := <-done:
		h.Opening.Store(false)
		h.Lenient.Store(false)
		return r.db, r.err
	case <-h.Failed:
		if disk.IsFull(h.Cause) {
			return nil, fmt.Errorf("%w: a start takes as much as the log that it reads, and 2 MiB; make room: %w", ErrFull, h.Cause)
		}
		return nil, h.Cause
	}
}

// finishCreating makes a new database what it stays. Pebble has begun its log before it knew
// the format, without what tells damage from a torn end: see chunk.synced in package journal.
func (c *Config) finishCreating(db *pebble.DB) error {
	if err := db.Flush(); err != nil {
		return err
	}
	if err := c.FS.Rename(c.FS.PathJoin(c.Dir, creatingFile), c.FS.PathJoin(c.Dir, formatFile)); err != nil {
		return err
	}
	return journal.SyncDir(c.FS, c.Dir)
}

// writeFile writes a file and the names of it and of the directory to disk.
func (c *Config) writeFile(name, text string) error {
	f, err := c.FS.Create(c.FS.PathJoin(c.Dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return errors.Join(journal.SyncDir(c.FS, c.Dir), journal.SyncDir(c.FS, c.FS.PathDir(c.Dir)))
}

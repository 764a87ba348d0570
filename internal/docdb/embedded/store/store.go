// Package store is Pebble in one directory: it opens and checks the directory, commits batches
// under the guard of package disk, and counts the calls in progress, so that Close can wait.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/disk"
	"github.com/orgd/orgd/internal/docdb/embedded/keys"
)

// A Store is an open directory. Calls on it stand between Begin and Leave, except those that
// Open and Close make themselves.
type Store struct {
	DB     *pebble.DB
	Health *disk.Health
	lock   *pebble.Lock
	calls  closing
	stop   sync.Once // closes Health.Stopping
	// memTable is the size of a memtable, in bytes: see Behind.
	memTable uint64
	kept     chan struct{} // closed when keep has ended
}

// StepsOfKey is what reading a key costs as steps of a meter.
const StepsOfKey = 64

// MaxBatch is how many bytes of a large write go to Pebble at once. Batches up to
// 1 MiB are used again; of more than half a memtable, they are kept besides it.
const MaxBatch = 768 << 10

// Begin begins a call; the caller must end it with Leave unless there is
// an error.
func (s *Store) Begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.calls.enter(); err != nil {
		return err
	}
	if err := s.Health.Err(); err != nil {
		s.calls.leave()
		return err
	}
	return nil
}

// Leave ends a call.
func (s *Store) Leave() { s.calls.leave() }

// Closing reports whether Close has begun: work that takes long should end.
func (s *Store) Closing() bool { return s.calls.begun() }

// InProgress is how many calls are in progress.
func (s *Store) InProgress() int64 { return s.calls.inProgress() }

// Close waits for the calls in progress. Closing a storage that has failed returns why;
// the directory then stays locked until the process ends.
func (s *Store) Close() error {
	s.stop.Do(func() { close(s.Health.Stopping) })
	if !s.calls.close() {
		return nil
	}
	if err := s.Health.Err(); err != nil {
		return err // Pebble would wait for goroutines that have stopped for good
	}
	s.Health.Lenient.Store(true)
	done := make(chan error, 1)
	go func() { done <- s.shut() }()
	select {
	case err := <-done:
		return err
	case <-s.Health.Failed: // in what Pebble was still doing
		return s.Health.Err()
	}
}

// shut leaves a mark behind that says all that there is.
func (s *Store) shut() error {
	<-s.kept
	err := s.DB.Close()
	if err == nil {
		if err := s.Health.Marker.Save(); err != nil {
			s.Health.Background(err) // the mark before it holds as well
		}
	}
	return errors.Join(err, s.lock.Close())
}

// Get reads a key. The value is the caller's.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	v, closer, err := s.DB.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading storage: %w", err)
	}
	value = append(make([]byte, 0, len(v)), v...)
	return value, true, closer.Close()
}

// Commit writes a batch and, if sync, waits until it is on disk; the batch must
// not be used any more. A batch that frees room goes on when there is little of it.
// ErrUnavailable: nothing was done, for want of room if it is ErrNoSpace.
// ErrOutcomeUnknown: the engine has failed meanwhile, or was closed on a full disk.
//
// The write goes on in a goroutine of its own: when the log breaks, Pebble stays
// in it for good (see disk.Health.Guard), the process being about to end, and the caller
// still gets an answer.
func (s *Store) Commit(batch *pebble.Batch, sync, frees bool) error {
	cost, err := s.Health.Admit(batch.Len(), frees)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer s.Health.Space.Written(cost)
		if err := s.DB.Apply(batch, &pebble.WriteOptions{Sync: sync}); err != nil {
			s.Health.Fail(fmt.Errorf("writing the log: %w", err))
		}
	}()
	select {
	case <-done:
	case <-s.Health.Failed:
	}
	if s.Health.Err() != nil { // not to be wrapped: it says that nothing was done
		return fmt.Errorf("%w: storage has failed: %w", docdb.ErrOutcomeUnknown, s.Health.Cause)
	}
	return batch.Close() // only here, where Pebble is done with it
}

// Sync waits until all that was committed before is on disk.
func (s *Store) Sync() error {
	batch := s.DB.NewBatch()
	if err := batch.LogData(nil, nil); err != nil {
		return err
	}
	return s.Commit(batch, true, true)
}

// Has reports whether a key is there.
func (s *Store) Has(key []byte) (there bool, err error) {
	err = Seek(s.DB, key, func([]byte) { there = true })
	return there, err
}

// Seek calls found with the value of a key that is probably not there. Pebble's Get is faster
// where it is, but does not look at the filters of the lowest level: it would read a block,
// and the next one, which may be a large document.
func Seek(from pebble.Reader, key []byte, found func(value []byte)) (err error) {
	after := append(append(make([]byte, 0, len(key)+1), key...), 0)
	it, err := from.NewIter(&pebble.IterOptions{UseL6Filters: true, LowerBound: after[:len(key)], UpperBound: after})
	if err != nil {
		return fmt.Errorf("reading storage: %w", err)
	}
	defer func() {
		if closeErr := it.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("reading storage: %w", closeErr)
		}
	}()
	if !it.SeekPrefixGE(key) {
		return nil // or the iterator has an error, which Close returns
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	found(value)
	return nil
}

// fewKeys is how many keys are deleted one by one. Range deletions of little cost
// readers more than they save.
const fewKeys = 64

// DeleteAll adds to a batch the deletion of all keys with a prefix, to which nothing is being written.
func (s *Store) DeleteAll(batch *pebble.Batch, prefix []byte) error {
	end := keys.Successor(prefix)
	it, err := s.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return err
	}
	var keys [][]byte
	ok := it.First()
	for ; ok && len(keys) < fewKeys; ok = it.Next() {
		keys = append(keys, slices.Clone(it.Key()))
	}
	if err := it.Close(); err != nil {
		return err
	}
	if ok {
		return batch.DeleteRange(prefix, end, nil)
	}
	for _, key := range keys {
		if err := batch.Delete(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// keepUpEvery is how often a heavy write looks whether tables have been written.
const keepUpEvery = 2 * time.Millisecond

// KeepUp waits until what heavy writes have filled is in tables. Were the next one begun
// before, the small writes of others would be those that have to wait for the disk.
func (s *Store) KeepUp(ctx context.Context) error {
	for s.Behind() {
		if err := s.Health.Flowing(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(keepUpEvery):
		}
	}
	return nil
}

// Behind reports whether memtables are being written to tables: what waits has half the size
// of one then, which is when Pebble begins.
func (s *Store) Behind() bool {
	return s.DB.Metrics().MemTable.Size >= s.memTable+s.memTable/2
}

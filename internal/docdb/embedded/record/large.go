package record

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orgd/orgd/internal/docdb/meter"
)

// largeDocuments remembers the sizes of large documents by the hashes of their keys: what
// reading a document takes is known only after it was read. It forgets, and may take one
// document for another: nothing but a wait depends on it.
type largeDocuments [largeSlots]atomic.Uint64

const (
	largeSlots = 1 << 13
	// largeFrom is from how many bytes on a document is remembered.
	largeFrom = meter.LongBytes
)

// A slot holds the upper half of a hash, and the size.
const hashHalf = 1<<64 - 1<<32

// size is what is remembered of a document; 0: nothing.
func (l *largeDocuments) size(hash uint64) int {
	if slot := l[hash%largeSlots].Load(); slot&hashHalf == hash&hashHalf {
		return int(slot &^ hashHalf)
	}
	return 0
}

// is remembers the size of a document.
func (l *largeDocuments) is(hash uint64, bytes int) {
	slot := &l[hash%largeSlots]
	switch {
	case bytes >= largeFrom:
		slot.Store(hash&hashHalf | uint64(bytes))
	case l.size(hash) != 0:
		slot.Store(0)
	}
}

// ReadDocument reads a document if there is memory for it. The read of a document that was
// large when it was last read or written waits for its turn: how large others are is not
// known before.
func (w *Shared) ReadDocument(ctx context.Context, key []byte, hash uint64) (doc []byte, ok bool, err error) {
	expected := w.large.size(hash)
	turn, err := meter.TurnFor(ctx, expected)
	if err != nil {
		return nil, false, err
	}
	defer turn.Done()
	if err := meter.TakeRoom(ctx, expected); err != nil {
		return nil, true, err
	}
	v, closer, err := w.store.DB.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading storage: %w", err)
	}
	w.large.is(hash, len(v))
	if err = meter.TakeRoom(ctx, len(v)-expected); err == nil {
		doc = append(make([]byte, 0, len(v)), v...)
	}
	return doc, true, errors.Join(err, closer.Close())
}

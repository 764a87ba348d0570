package embedded

import (
	"sync/atomic"

	"github.com/orgd/orgd/internal/docdb/meter"
)

// largeDocuments remembers how large documents are, those that are large, by the hashes of
// their keys: what reading one takes is known only after it was read. It forgets, and may
// take one document for another: nothing but a wait depends on it.
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

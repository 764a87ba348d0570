package transfer

import (
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant"
)

// An importItem is a line of an import: a document, or why it is none.
type importItem struct {
	line    int64
	body    bson.Raw
	refusal error
	room    int // the memory that is taken for it
}

// An importQueue holds what was read and not yet stored: up to a batch. The goroutine that
// stores takes all there is, so that a batch is as large as the storage is slow and the
// client fast.
type importQueue struct {
	mu      sync.Mutex
	changed sync.Cond
	items   []importItem
	size    int
	ended   bool  // no items come any more
	end     error // why
	closed  bool  // no items are taken any more

	storing int // taken, and not yet stored
	done    int // items that were stored
}

// importBatchBytes is when a batch is full before it has tenant.MaxBatch documents.
const importBatchBytes = 4 << 20

func (q *importQueue) init() { q.changed.L = &q.mu }

// put waits until there is room; before it waits it calls waits. It reports false when the
// queue is closed.
func (q *importQueue) put(item importItem, waits func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && (len(q.items) >= tenant.MaxBatch || q.size >= importBatchBytes) {
		waits()
		q.changed.Wait()
	}
	q.items = append(q.items, item)
	q.size += cap(item.body)
	if len(q.items) == 1 {
		q.changed.Broadcast()
	}
	return !q.closed
}

func (q *importQueue) finish(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended, q.end = true, err
	q.changed.Broadcast()
}

func (q *importQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// take waits until there are items. Where none come any more it returns why.
func (q *importQueue) take() ([]importItem, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && !q.ended {
		q.changed.Wait()
	}
	items := q.items
	q.storing = len(items)
	q.items, q.size = make([]importItem, 0, min(2*len(items), tenant.MaxBatch)), 0
	q.changed.Broadcast()
	return items, q.end
}

// stored says that n items that were taken need no memory any more.
func (q *importQueue) stored(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.storing, q.done = q.storing-n, q.done+n
	q.changed.Broadcast()
}

// storedSoFar is how many items were stored.
func (q *importQueue) storedSoFar() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.done
}

// awaitStored waits until more are stored than there were, and returns how many; no more
// when none is on its way.
func (q *importQueue) awaitStored(were int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.done == were && !q.closed && len(q.items)+q.storing > 0 {
		q.changed.Wait()
	}
	return q.done
}

func roomOf(items []importItem) (room int) {
	for _, item := range items {
		room += item.room
	}
	return room
}

func bodiesOf(items []importItem) []bson.Raw {
	bodies := make([]bson.Raw, 0, len(items))
	for _, item := range items {
		if item.body != nil {
			bodies = append(bodies, item.body)
		}
	}
	return bodies
}

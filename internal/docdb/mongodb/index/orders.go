package index

import (
	"fmt"
	"strings"
	"sync"

	"github.com/orgd/orgd/internal/docdb"
)

func orderText(keys []docdb.Key) string {
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "%q %t ", key.Path, key.Desc)
	}
	return b.String()
}

// Orders remembers for the orders of queries whether their index is unique. It may be wrong after
// another process has changed the indexes; then the server refuses the hint.
type Orders struct {
	mu     sync.Mutex
	unique map[orderID]bool
}

type orderID struct{ ns, keys string }

// maxOrders bounds Orders, which forgets everything beyond it.
const maxOrders = 10000

// Get returns whether the index of an order is unique, and whether that is remembered.
func (o *Orders) Get(ns string, keys []docdb.Key) (unique, ok bool) {
	id := orderID{ns, orderText(keys)}
	o.mu.Lock()
	defer o.mu.Unlock()
	unique, ok = o.unique[id]
	return unique, ok
}

// Put remembers whether the index of an order is unique.
func (o *Orders) Put(ns string, keys []docdb.Key, unique bool) {
	id := orderID{ns, orderText(keys)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unique == nil || len(o.unique) >= maxOrders {
		o.unique = map[orderID]bool{}
	}
	o.unique[id] = unique
}

// Forget forgets the orders of a collection.
func (o *Orders) Forget(ns string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.unique {
		if id.ns == ns {
			delete(o.unique, id)
		}
	}
}

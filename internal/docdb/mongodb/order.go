package mongodb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

var idOrder = bson.D{{Key: "_id", Value: int32(1)}}

// order returns the keys of the server's index that has an order, which is both
// the hint and, directed, the sort of a find: so the server walks that
// index and never sorts; but see narrows. docdb.ErrNoIndex if there is no such index; nil if there is
// not even the collection.
//
// Whether it is a plain or a unique index is asked once and remembered. fresh asks
// again: the server refused the hint.
func (c *collection) order(ctx context.Context, keys []docdb.Key, fresh bool) (bson.D, error) {
	if len(keys) == 0 && !fresh {
		return idOrder, nil
	}
	id := orderID{c.ns, orderText(keys)}
	if unique, ok := c.engine().orders.get(id); ok && !fresh {
		return pattern(keys, unique), nil
	}
	all, err := c.list(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(keys) == 0 && len(all) == 0:
		return nil, nil
	case len(keys) == 0:
		return idOrder, nil
	}
	for _, p := range all {
		if p.ours && slices.Equal(p.index.Keys, keys) {
			c.engine().orders.put(id, p.unique)
			return pattern(keys, p.unique), nil
		}
	}
	return nil, docdb.ErrNoIndex
}

func orderText(keys []docdb.Key) string {
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "%q %t ", key.Path, key.Desc)
	}
	return b.String()
}

// An orderCache remembers for orders that were asked for whether their index is
// unique. It may be wrong after another process changed the indexes; the server
// refuses the hint then.
type orderCache struct {
	mu     sync.Mutex
	unique map[orderID]bool
}

type orderID struct{ ns, keys string }

// maxOrders bounds an orderCache; beyond it, it begins anew.
const maxOrders = 10000

func (o *orderCache) get(id orderID) (unique, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	unique, ok = o.unique[id]
	return unique, ok
}

func (o *orderCache) put(id orderID, unique bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unique == nil || len(o.unique) >= maxOrders {
		o.unique = map[orderID]bool{}
	}
	o.unique[id] = unique
}

// forget drops what is remembered of a collection.
func (o *orderCache) forget(ns string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.unique {
		if id.ns == ns {
			delete(o.unique, id)
		}
	}
}

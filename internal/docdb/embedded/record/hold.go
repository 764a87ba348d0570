package record

import (
	"errors"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/catalog"
)

// Holding calls do with keys locked. When do needs a place for heavy writes, it is called
// again with one.
func (m *Recorder) Holding(co *catalog.Collection, keys []uint64, do func() error) error {
	for {
		err := m.holdingOnce(co, keys, do)
		if !errors.Is(err, errHeavy) {
			return err
		}
		if err := m.acquire(); err != nil {
			return err
		}
	}
}

func (m *Recorder) holdingOnce(co *catalog.Collection, keys []uint64, do func() error) error {
	held, err := co.Locks.Lock(m.ctx, keys)
	if err != nil {
		return err
	}
	defer co.Locks.Unlock(held)
	m.locked = true
	defer func() { m.locked = false }()
	if err := m.ctx.Err(); err != nil {
		return err
	}
	return do()
}

// Matching returns the record of the document at key, which the caller
// holds; ErrNoMatch unless there is one that satisfies when.
func (m *Recorder) Matching(key []byte, when docdb.Filter) (Record, error) {
	doc, ok, err := m.shared.store.Get(key)
	if err != nil {
		return Record{}, err
	}
	if !ok || !when.Match(doc) {
		return Record{}, docdb.ErrNoMatch
	}
	was := m.Stored(doc)
	return was, was.Err
}

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant"
)

// rereadClients is how many get documents at a time, and rereadDocuments of how many: so
// few that they are in the cache, where the second look weighs most.
const (
	rereadClients   = 32
	rereadDocuments = 1000
)

// reread measures gets of documents with and without the second look at the
// organization, and how often the organization is read.
func (m *moveBench) reread(ctx context.Context) error {
	_, o, err := m.admin(ctx)
	if err != nil {
		return err
	}
	doc, err := m.engine.Database(mongoMaster).Collection("organizations").Get(ctx, docdb.StringID(o.ID))
	if err != nil {
		return err
	}
	brief, err := numbersOf(doc)
	if err != nil {
		return err
	}
	d := m.store.Documents(o.ID)
	for round := range m.Rounds + 1 {
		before := m.engine.reads.Load()
		plain, gets, err := m.gets(ctx, d, nil)
		if err != nil {
			return err
		}
		m.report.PerGet = float64(m.engine.reads.Load()-before) / float64(gets)
		once := 0.0
		if m.URI == "" {
			if once, _, err = m.gets(ctx, d, brief); err != nil {
				return err
			}
		}
		if round > 0 {
			m.report.Plain, m.report.Once = append(m.report.Plain, plain), append(m.report.Once, once)
		}
	}
	return nil
}

// gets gets documents for a while; brief as in memo.
func (m *moveBench) gets(ctx context.Context, d *tenant.Documents, brief bson.Raw) (perSecond float64, n int64, err error) {
	var work sync.WaitGroup
	var all atomic.Int64
	errs := make([]error, rereadClients)
	ids := make([]bson.RawValue, rereadDocuments)
	for i := range ids {
		ids[i] = docdb.StringID(documentKey{n: rand.Int64N(int64(m.Documents))}.id())
	}
	began := time.Now()
	for i := range rereadClients {
		work.Go(func() {
			done := 0
			for time.Since(began) < m.Window && errs[i] == nil {
				ctx := context.WithValue(ctx, memoKey{}, &memo{brief: brief})
				_, errs[i] = d.Get(ctx, ids[(i*len(ids)/rereadClients+done)%len(ids)])
				done++
			}
			all.Add(int64(done))
		})
	}
	work.Wait()
	return float64(all.Load()) / time.Since(began).Seconds(), all.Load(), errors.Join(errs...)
}

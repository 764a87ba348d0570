package phase

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/move/watch"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant"
)

// RereadClients is how many clients read at a time, and RereadDocuments how many documents
// they read: so few that all are in the cache, where the second look weighs most.
const (
	RereadClients   = 32
	RereadDocuments = 1000
)

// reread measures gets of documents with and without the second look at the
// organization, and how often the organization is read.
func (m *bench) reread(ctx context.Context) error {
	_, o, err := m.admin(ctx)
	if err != nil {
		return err
	}
	doc, err := m.engine.Database(mongoserver.MasterDB).Collection("organizations").Get(ctx, docdb.StringID(o.ID))
	if err != nil {
		return err
	}
	brief, err := watch.Numbers(doc)
	if err != nil {
		return err
	}
	d := m.store.Documents(o.ID)
	for round := range m.Rounds + 1 {
		before := m.engine.Reads.Load()
		plain, gets, err := m.gets(ctx, d, nil)
		if err != nil {
			return err
		}
		m.report.PerGet = float64(m.engine.Reads.Load()-before) / float64(gets)
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

// gets reads documents for a while, with brief as in watch.WithMemo.
func (m *bench) gets(ctx context.Context, d *tenant.Documents, brief bson.Raw) (perSecond float64, n int64, err error) {
	var work sync.WaitGroup
	var all atomic.Int64
	errs := make([]error, RereadClients)
	ids := make([]bson.RawValue, RereadDocuments)
	for i := range ids {
		ids[i] = docdb.StringID(documentKey{n: rand.Int64N(int64(m.Documents))}.id())
	}
	began := time.Now()
	for i := range RereadClients {
		work.Go(func() {
			done := 0
			for time.Since(began) < m.Window && errs[i] == nil {
				ctx := watch.WithMemo(ctx, brief)
				_, errs[i] = d.Get(ctx, ids[(i*len(ids)/RereadClients+done)%len(ids)])
				done++
			}
			all.Add(int64(done))
		})
	}
	work.Wait()
	return float64(all.Load()) / time.Since(began).Seconds(), all.Load(), errors.Join(errs...)
}

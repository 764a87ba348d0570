package phase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// Clients of an organization that is moved. A writer takes no pause: it waits for
// the disk. A reader does: it finds most in memory, and would take the processors
// for itself.
const (
	Writers     = 8
	Readers     = 2
	ReaderPause = time.Millisecond
	tryPause    = 50 * time.Millisecond // after a write that was refused for now
	longestTry  = 2 * time.Minute
)

// A call is a read or a write of a client.
type call struct{ began, ended time.Time }

// clients write and read one organization's documents. Each writer has documents
// of its own, so that it knows what must be in them.
type clients struct {
	documents *tenant.Documents
	count     int64 // of documents from the beginning
	writers   [Writers]writer
	readers   [Readers][]call

	refused atomic.Int64 // tries of writes, with org.Unavailable: nothing was done

	stop context.CancelCauseFunc
	work sync.WaitGroup
	errs [Writers + Readers]error
}

type writer struct {
	*clients
	number int64
	random *rand.Rand
	calls  []call
	known  map[documentKey]known
	fresh  []documentKey // inserted
}

// known is what the last acknowledged write has left.
type known struct {
	version int64
	there   bool
}

// startClients starts the clients; end must be called.
func startClients(ctx context.Context, d *tenant.Documents, count int) *clients {
	m := &clients{documents: d, count: int64(count)}
	ctx, m.stop = context.WithCancelCause(ctx)
	for i := range m.writers {
		w := &m.writers[i]
		*w = writer{clients: m, number: int64(i), random: rand.New(rand.NewPCG(uint64(i), 7)), known: map[documentKey]known{}}
		m.work.Go(func() { m.loop(ctx, i, w.write) })
	}
	for i := range m.readers {
		random := rand.New(rand.NewPCG(uint64(i), 8))
		m.work.Go(func() {
			m.loop(ctx, Writers+i, func(ctx context.Context) error { return m.read(ctx, i, random) })
		})
	}
	return m
}

// loop makes calls until the context ends, and ends between two of them: a call that is
// cut off has an unknown outcome.
func (m *clients) loop(ctx context.Context, number int, once func(context.Context) error) {
	for ctx.Err() == nil {
		if err := once(context.WithoutCancel(ctx)); err != nil {
			m.errs[number] = err
			m.stop(err)
		}
	}
}

// end waits for the clients. One failed call fails the measurement.
func (m *clients) end() error {
	m.stop(nil)
	m.work.Wait()
	return errors.Join(m.errs[:]...)
}

func (m *clients) read(ctx context.Context, number int, random *rand.Rand) error {
	time.Sleep(ReaderPause)
	key := documentKey{n: random.Int64N(m.count)}
	began := time.Now()
	_, err := m.documents.Get(ctx, docdb.StringID(key.id()))
	m.readers[number] = append(m.readers[number], call{began, time.Now()})
	if errors.Is(err, org.NotFound) { // a writer has deleted it
		return nil
	}
	return err
}

// write makes one write: of ten, six replace a document, or put it back where it was
// deleted, two insert one and two delete one.
func (w *writer) write(ctx context.Context) error {
	key, was := w.choose()
	what := w.random.IntN(10)
	if what < 2 && was.there {
		return w.run(key, known{was.version, false}, func() error {
			return w.documents.Delete(ctx, docdb.StringID(key.id()), tenant.Condition{})
		})
	}
	inserts := what == 2 || what == 3
	if inserts {
		key, was = documentKey{key.n, int64(len(w.fresh))*Writers + w.number + 1}, known{}
		w.fresh = append(w.fresh, key)
	}
	next := known{was.version + 1, true}
	body, err := bson.Marshal(key.body(next.version))
	if err != nil {
		return err
	}
	return w.run(key, next, func() error {
		if inserts {
			_, err := w.documents.Insert(ctx, body)
			return err
		}
		_, _, err := w.documents.Put(ctx, tenant.Condition{}, body)
		return err
	})
}

// choose picks one of the writer's documents, once in eight times one that it has
// inserted.
func (w *writer) choose() (documentKey, known) {
	if len(w.fresh) > 0 && w.random.IntN(8) == 0 {
		key := w.fresh[w.random.IntN(len(w.fresh))]
		return key, w.known[key]
	}
	key := documentKey{n: w.random.Int64N(w.count/Writers)*Writers + w.number}
	if was, ok := w.known[key]; ok {
		return key, was
	}
	return key, known{there: true}
}

// run repeats a write until it is done: a client that is told to try again still waits.
func (w *writer) run(key documentKey, next known, do func() error) error {
	began := time.Now()
	for {
		err := do()
		if errors.Is(err, org.Unavailable) && time.Since(began) < longestTry {
			w.refused.Add(1)
			time.Sleep(tryPause)
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", key.id(), err)
		}
		w.calls = append(w.calls, call{began, time.Now()})
		w.known[key] = next
		return nil
	}
}

// check compares what a collection holds with what was acknowledged, and returns how
// many documents are lost, not as they were written, or there again after they were deleted.
func (m *clients) check(ctx context.Context, c docdb.Collection) (wrong int64, err error) {
	due := m.due()
	for doc, err := range c.Find(ctx, docdb.Query{}) {
		if err != nil {
			return 0, err
		}
		key, version := keyOf(doc)
		want, ok := m.writers[key.n%Writers].known[key]
		if !ok {
			want.there = key.k == 0
		}
		whole, err := bson.Marshal(key.document(version, doc.Lookup("_rev")))
		if err != nil {
			return 0, err
		}
		if !want.there || want.version != version || !bytes.Equal(whole, doc) {
			wrong++
		}
		if want.there {
			due--
		}
	}
	return wrong + max(due, -due), nil
}

// due is how many documents must be there.
func (m *clients) due() int64 {
	due := m.count
	for i := range m.writers {
		for key, now := range m.writers[i].known {
			switch {
			case key.k == 0 && !now.there:
				due--
			case key.k > 0 && now.there:
				due++
			}
		}
	}
	return due
}

// A Latency is that of the calls that were made in a span of time.
type Latency struct {
	Calls         int
	P50, P99, Max time.Duration
}

// String implements fmt.Stringer.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s", figure.Short(l.P50), figure.Short(l.P99), figure.Short(l.Max))
}

// within is the latency of all calls that overlap a span of time.
func within(begin, end time.Time, all ...[]call) Latency {
	var took []time.Duration
	for _, calls := range all {
		for _, c := range calls {
			if c.ended.After(begin) && c.began.Before(end) {
				took = append(took, c.ended.Sub(c.began))
			}
		}
	}
	slices.Sort(took)
	return Latency{len(took), figure.Quantile(took, 0.5), figure.Quantile(took, 0.99), figure.Quantile(took, 1)}
}

func (m *clients) writes() (all [][]call) {
	for i := range m.writers {
		all = append(all, m.writers[i].calls)
	}
	return all
}

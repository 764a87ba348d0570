package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// A moveOrder is the one argument of the helper "move", in JSON: one phase of the
// part move, in a process of its own, whose memory is that of an engine, a store
// and the clients, and of nothing that came before.
type moveOrder struct {
	Phase     string // fill, alone, clients or reread
	Dir       string // of the embedded engine; else
	URI       string // a MongoDB server's
	Documents int
	Rounds    int
	Window    time.Duration
	Profile   string // where to write a profile of the processor's time in the phase
}

// moveReport is what a phase writes to its standard output, in JSON.
type moveReport struct {
	// alone:
	Moves, Copies, Drops []time.Duration            // Drops are of the bare copies
	Steps                []map[string]time.Duration // of the moves

	// clients:
	Move                  time.Duration
	Before, During, After latency // of writes
	Dropping              latency // of those that overlap the drop of the old collection
	Reads                 latency // during
	Refused               int64   // tries of writes
	Wrong                 int64   // documents that are not what was acknowledged
	Peak                  int64   // bytes resident in the move; 0: unknown

	// reread:
	Plain, Once []float64 // gets a second, with the second look and without
	PerGet      float64   // reads of the organizations collection
}

// moveBatch is how many documents a bare copy loop takes at a time: as many as a
// move.
const moveBatch = 1000

func moveHelper(ctx context.Context, args []string, stdout io.Writer) error {
	var order moveOrder
	if len(args) != 1 {
		return errors.New("usage: move ORDER")
	}
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return err
	}
	phase := map[string]func(*moveBench, context.Context) error{
		"fill": (*moveBench).fill, "alone": (*moveBench).alone, "clients": (*moveBench).clients, "reread": (*moveBench).reread,
	}[order.Phase]
	if phase == nil {
		return fmt.Errorf("there is no phase %q", order.Phase)
	}
	m := &moveBench{moveOrder: order}
	if err := m.run(ctx, phase); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m.report)
}

type moveBench struct {
	moveOrder
	engine *watched
	store  *tenant.Store
	report moveReport
}

func (m *moveBench) run(ctx context.Context, phase func(*moveBench, context.Context) error) (err error) {
	defer garbageAsInOrgd()()
	if err := m.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.engine.Close()) }()
	defer m.beats(ctx)()
	if m.Profile != "" {
		file, err := os.Create(m.Profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return errors.Join(phase(m, ctx), m.store.Close(ctx))
}

// noHashes are passwords that cost nothing: there is one login, and nothing here is
// about it.
type noHashes struct{}

func (noHashes) Hash(_ context.Context, p string) (string, error)       { return p, nil }
func (noHashes) Verify(_ context.Context, hash, p string) (bool, error) { return hash == p, nil }

func (m *moveBench) open(ctx context.Context) error {
	var e docdb.Engine
	var err error
	if m.URI == "" {
		e, err = embedded.Open(embedded.Config{Dir: filepath.Join(m.Dir, "data")})
	} else {
		e, err = mongodb.Open(ctx, mongodb.Config{URI: m.URI, Timeout: time.Minute})
	}
	if err != nil {
		return err
	}
	m.engine = &watched{Engine: e}
	m.store, err = tenant.Open(ctx, tenant.Config{Engine: m.engine, MasterDB: mongoMaster, TenantDB: mongoTenant,
		Passwords: noHashes{}, Exclusive: m.URI == "",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	if err != nil {
		return errors.Join(err, e.Close())
	}
	return nil
}

// beats says that the store is alive, as orgd does, until it is stopped.
func (m *moveBench) beats(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			if err := m.store.Beat(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "heartbeat:", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(tenant.BeatEvery):
			}
		}
	})
	return func() { cancel(); work.Wait() }
}

// garbageAsInOrgd sets GOGC as internal/app/garbage.go does, until it is stopped.
func garbageAsInOrgd() (stop func()) {
	const room, least, most, every = 32 << 20, 50, 1000, 50 * time.Millisecond
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for before := uint64(100); ; {
			metrics.Read(live)
			percent := min(max(room*100/max(live[0].Value.Uint64(), 1), least), most)
			if percent*10 < before*9 || percent*10 > before*11 {
				debug.SetGCPercent(int(percent))
				before = percent
			}
			select {
			case <-done:
				return
			case <-time.After(every):
			}
		}
	})
	return func() { close(done); work.Wait() }
}

// fill creates the organization and its documents.
func (m *moveBench) fill(ctx context.Context) error {
	o, err := m.store.Create(ctx, tenant.CreateInput{Name: orgName(0), Email: adminEmail(0), Password: password})
	if err != nil {
		return err
	}
	c := m.engine.Database(mongoTenant).Collection(o.Collection)
	var batch []bson.Raw
	for n := range m.Documents {
		doc, err := documentKey{n: int64(n)}.stored()
		if err != nil {
			return err
		}
		if len(doc) != documentBytes {
			return fmt.Errorf("a document has %d bytes", len(doc))
		}
		if batch = append(batch, doc); len(batch) < moveBatch && n < m.Documents-1 {
			continue
		}
		if err := insertMany(ctx, c, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}

func insertMany(ctx context.Context, c docdb.Collection, batch []bson.Raw) error {
	results, err := c.InsertMany(ctx, batch)
	return errors.Join(err, errors.Join(results...))
}

// admin logs in and returns the organization as well.
func (m *moveBench) admin(ctx context.Context) (org.Principal, org.Organization, error) {
	p, err := m.store.Login(ctx, adminEmail(0), password)
	if err != nil {
		return p, org.Organization{}, err
	}
	o, err := m.store.Authenticate(ctx, p)
	return p, o, err
}

// move moves the data once.
func (m *moveBench) move(ctx context.Context) (began, ended time.Time, err error) {
	p, was, err := m.admin(ctx)
	if err != nil {
		return began, ended, err
	}
	m.engine.took(time.Now())
	began = time.Now()
	is, err := m.store.Update(ctx, p, tenant.UpdateInput{Migrate: true})
	ended = time.Now()
	m.report.Steps = append(m.report.Steps, m.engine.took(ended))
	if err == nil && is.Collection == was.Collection {
		err = errors.New("nothing was moved")
	}
	return began, ended, err
}

// alone measures moves and bare copies in turns; the first of each is thrown away.
func (m *moveBench) alone(ctx context.Context) error {
	for range m.Rounds + 1 {
		began, ended, err := m.move(ctx)
		if err != nil {
			return err
		}
		m.report.Moves = append(m.report.Moves, ended.Sub(began))
		_, o, err := m.admin(ctx)
		if err != nil {
			return err
		}
		if err := m.bareCopy(ctx, o.Collection); err != nil {
			return err
		}
	}
	r := &m.report
	r.Moves, r.Copies, r.Drops, r.Steps = r.Moves[1:], r.Copies[1:], r.Drops[1:], r.Steps[1:]
	return nil
}

// clients measures a move while clients write and read.
func (m *moveBench) clients(ctx context.Context) error {
	_, o, err := m.admin(ctx)
	if err != nil {
		return err
	}
	c := startClients(ctx, m.store.Documents(o.ID), m.Documents)
	start := time.Now()
	time.Sleep(m.Window)
	peak := watchMemory()
	began, ended, err := m.move(ctx)
	m.report.Peak = peak()
	if err == nil {
		time.Sleep(m.Window)
	}
	if err := errors.Join(c.end(), err); err != nil {
		return err
	}
	r := &m.report
	r.Move = ended.Sub(began)
	writes := c.writes()
	r.Before, r.During, r.After = within(start, began, writes...), within(began, ended, writes...), within(ended, time.Now(), writes...)
	r.Dropping = within(ended.Add(-r.Steps[0]["retire"]), ended, writes...)
	r.Reads, r.Refused = within(began, ended, c.readers[:]...), c.refused.Load()
	if _, o, err = m.admin(ctx); err != nil {
		return err
	}
	r.Wrong, err = c.check(ctx, m.engine.Database(mongoTenant).Collection(o.Collection))
	return err
}

// watchMemory returns a function that tells this process's peak of resident memory
// since: as the system has it, where that can be begun anew, and else as it was
// seen now and then.
func watchMemory() (peak func() int64) {
	anew := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
	done := make(chan struct{})
	var most atomic.Int64
	var work sync.WaitGroup
	look := func() {
		now, highest, err := memory(os.Getpid())
		if err != nil {
			return
		}
		if anew {
			now = highest
		}
		most.Store(max(most.Load(), now))
	}
	work.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
				look()
			}
		}
	})
	return func() int64 { close(done); work.Wait(); look(); return most.Load() }
}

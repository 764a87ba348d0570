// Package phase is the helper of package move: each phase of the measurement is a process
// of its own that holds the engine, the store and the clients.
package phase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/move/watch"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/garbage"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// An Order is the argument of the helper "move", in JSON: one phase, in a process whose
// memory is that of an engine, a store and the clients, and of nothing that came before.
type Order struct {
	Phase     string // fill, alone, clients or reread
	Dir       string // of the embedded engine; or
	URI       string // of a MongoDB server
	Documents int
	Rounds    int
	Window    time.Duration
	Profile   string // where to write a profile of the processor's time in the phase
}

// Report is what a phase writes to its standard output, in JSON.
type Report struct {
	// alone:
	Moves, Copies, Drops []time.Duration            // Drops are of the bare copies
	Steps                []map[string]time.Duration // of the moves

	// clients:
	Move                  time.Duration
	Before, During, After Latency // of writes
	Dropping              Latency // of those that overlap the drop of the old collection
	Reads                 Latency // during
	Refused               int64   // tries of writes
	Wrong                 int64   // documents that are not what was acknowledged
	Peak                  int64   // bytes resident in the move; 0: unknown

	// reread:
	Plain, Once []float64 // gets a second, with the second look and without
	PerGet      float64   // reads of the organizations collection
}

// Batch is how many documents a bare copy takes at a time: as many as a move.
const Batch = 1000

// Run is the helper: it runs the phase of the order, and writes the report.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	var order Order
	if len(args) != 1 {
		return errors.New("usage: move ORDER")
	}
	if err := json.Unmarshal([]byte(args[0]), &order); err != nil {
		return err
	}
	phase := map[string]func(*bench, context.Context) error{
		"fill": (*bench).fill, "alone": (*bench).alone, "clients": (*bench).clients, "reread": (*bench).reread,
	}[order.Phase]
	if phase == nil {
		return fmt.Errorf("there is no phase %q", order.Phase)
	}
	m := &bench{Order: order}
	if err := m.run(ctx, phase); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(m.report)
}

// A bench is the engine and the store of a phase.
type bench struct {
	Order
	engine *watch.Engine
	store  *tenant.Store
	report Report
}

func (m *bench) run(ctx context.Context, phase func(*bench, context.Context) error) (err error) {
	defer garbage.Tune()()
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

// noHashes are passwords that cost nothing: the logins are not measured.
type noHashes struct{}

func (noHashes) Hash(_ context.Context, p string) (string, error)       { return p, nil }
func (noHashes) Verify(_ context.Context, hash, p string) (bool, error) { return hash == p, nil }

func (m *bench) open(ctx context.Context) error {
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
	m.engine = &watch.Engine{Engine: e}
	m.store, err = tenant.Open(ctx, tenant.Config{Engine: m.engine, MasterDB: mongoserver.MasterDB, TenantDB: mongoserver.TenantDB,
		Passwords: noHashes{}, Exclusive: m.URI == "",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	if err != nil {
		return errors.Join(err, e.Close())
	}
	return nil
}

// beats says that the store is alive, as orgd does, until it is stopped.
func (m *bench) beats(ctx context.Context) (stop func()) {
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

func insertMany(ctx context.Context, c docdb.Collection, batch []bson.Raw) error {
	results, err := c.InsertMany(ctx, batch)
	return errors.Join(err, errors.Join(results...))
}

// admin logs in, and returns the organization as well.
func (m *bench) admin(ctx context.Context) (org.Principal, org.Organization, error) {
	p, err := m.store.Login(ctx, organization.Email(0), organization.Password)
	if err != nil {
		return p, org.Organization{}, err
	}
	o, err := m.store.Authenticate(ctx, p)
	return p, o, err
}

// fill creates the organization and its documents.
func (m *bench) fill(ctx context.Context) error {
	o, err := m.store.Create(ctx, tenant.CreateInput{Name: organization.Name(0), Email: organization.Email(0), Password: organization.Password})
	if err != nil {
		return err
	}
	c := m.engine.Database(mongoserver.TenantDB).Collection(o.Collection)
	var batch []bson.Raw
	for n := range m.Documents {
		doc, err := documentKey{n: int64(n)}.stored()
		if err != nil {
			return err
		}
		if len(doc) != DocumentBytes {
			return fmt.Errorf("a document has %d bytes", len(doc))
		}
		if batch = append(batch, doc); len(batch) < Batch && n < m.Documents-1 {
			continue
		}
		if err := insertMany(ctx, c, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}

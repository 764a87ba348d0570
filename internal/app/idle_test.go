package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/httpapi"
	"github.com/orgd/orgd/internal/tenant"
)

// idle is an orgd on MongoDB without clients, whose jobs a test runs by a clock of its own.
type idle struct {
	t     *testing.T
	clock time.Time
	store *tenant.Store

	mu   sync.Mutex
	sent map[string]int // how many commands, by name and collection
}

func startIdle(t *testing.T, organizations int) *idle {
	t.Helper()
	i := &idle{t: t, clock: time.Now(), sent: map[string]int{}}
	engine, err := mongodb.Open(t.Context(), mongodb.Config{URI: sharedMongo(t), Monitor: &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.sent[e.CommandName+" "+collectionOf(e.Command)]++
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, store := assemble(t, tenant.Config{
		Engine: engine, MasterDB: mongotest.Database(t), TenantDB: mongotest.Database(t),
		Now: func() time.Time { return i.clock }, RestAfter: time.Nanosecond,
	}, httpapi.Config{}, nil)
	i.store = store
	for n := range organizations {
		a := w.account(fmt.Sprint("Acme ", n))
		w.do("PUT", "/org/documents/a", `{"n":1}`, a.auth).is(201)
	}
	return i
}

// pass runs the jobs for so long as their periods say, and returns how many commands each minute has.
func (i *idle) pass(minutes int) (each []int) {
	i.t.Helper()
	jobs := app.Jobs(i.store)
	due := make([]time.Time, len(jobs))
	for range minutes {
		before := i.count()
		for end := i.clock.Add(time.Minute); i.clock.Before(end); i.clock = i.clock.Add(time.Second) {
			for n, job := range jobs {
				if i.clock.Before(due[n]) {
					continue
				}
				due[n] = i.clock.Add(job.Every)
				if err := job.Do(i.t.Context()); err != nil {
					i.t.Fatalf("%s: %v", job.Name, err)
				}
			}
		}
		each = append(each, i.count()-before)
	}
	return each
}

func (i *idle) count() (all int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range i.sent {
		all += n
	}
	return all
}

// String lists what was sent.
func (i *idle) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(i.sent)) {
		lines = append(lines, fmt.Sprint(i.sent[name], " ", name))
	}
	return strings.Join(lines, "\n")
}

// TestAnIdleInstanceSendsACommandInFiveSeconds, on average, however many organizations there are. It runs
// the jobs that orgd runs, as often as it does.
func TestAnIdleInstanceSendsACommandInFiveSeconds(t *testing.T) {
	for _, organizations := range []int{0, 12} {
		t.Run(fmt.Sprint(organizations, " organizations"), func(t *testing.T) {
			i := startIdle(t, organizations)
			settling := i.pass(5) // the remains of the operations
			clear(i.sent)
			const minutes = 36 // two rounds of all parts of reconcile
			each := i.pass(minutes)
			t.Logf("settling: %v; then: %v commands a minute\n%v", settling, each, i)
			if all := i.count(); all > 12*minutes {
				t.Errorf("%d commands in %d minutes", all, minutes)
			}
			if most := slices.Max(each); most > 13 {
				t.Errorf("%d commands in one minute", most)
			}
		})
	}
}

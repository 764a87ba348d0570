package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded"
	"github.com/orgd/orgd/internal/docdb/mongodb"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
)

// An attempt is an organization that a client has tried to create.
type attempt struct {
	name, email, password string
	acknowledged          bool // with 201
}

func (a attempt) body() string {
	return text(map[string]string{"organization_name": a.name, "email": a.email, "password": a.password})
}

func (a attempt) login() string {
	return text(map[string]string{"email": a.email, "password": a.password})
}

func text(fields map[string]string) string {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}

// clients is how many create organizations at the same time.
const clients = 8

// createUntil has clients create organizations and calls kill when the given number
// is acknowledged. That is in the middle of the others' requests, wherever they are, and no
// time has to be guessed.
func createUntil(t *testing.T, p *process, round string, acknowledged int64, kill func()) []attempt {
	t.Helper()
	killed := false
	all := createWhile(p, round, func(n int64) bool {
		if n == acknowledged {
			kill()
			killed = true
		}
		return n < acknowledged
	})
	if !killed {
		t.Fatalf("every client was refused before %d were acknowledged", acknowledged)
	}
	return all
}

// createWhile has clients create organizations, each until one is not acknowledged,
// or until more, which is told how many are, returns false.
func createWhile(p *process, round string, more func(acknowledged int64) bool) []attempt {
	var (
		mu           sync.Mutex
		all          []attempt
		acknowledged atomic.Int64
		stopped      atomic.Bool
		done         sync.WaitGroup
		http         = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	)
	defer http.CloseIdleConnections()
	for c := range clients {
		done.Go(func() {
			for i := 0; !stopped.Load(); i++ {
				id := fmt.Sprintf("%s-%d-%d", round, c, i)
				a := attempt{name: "Org " + id, email: id + "@kill.example", password: "password " + id}
				status, _ := p.post(http, "/org/create", a.body())
				a.acknowledged = status == 201
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
				if !a.acknowledged {
					return
				}
				if !more(acknowledged.Add(1)) {
					stopped.Store(true)
				}
			}
		})
	}
	done.Wait()
	return all
}

// verify wants every acknowledged organization to be there at once, and every other
// to be whole or never to have been, within some time: at a shared database it takes as
// long as a lease until another instance takes up what the dead have left.
func verify(t *testing.T, p *process, all []attempt, within time.Duration) {
	t.Helper()
	var done sync.WaitGroup
	for part := range slices.Chunk(all, len(all)/clients+1) {
		done.Go(func() {
			for _, a := range part {
				if err := a.verify(p, within); err != nil {
					t.Errorf("%s, acknowledged: %t: %v", a.name, a.acknowledged, err)
				}
			}
		})
	}
	done.Wait()
}

func (a attempt) verify(p *process, within time.Duration) error {
	for deadline := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		login, said := p.post(http.DefaultClient, "/admin/login", a.login())
		switch {
		case login == 200:
			if get, said := p.get(http.DefaultClient, "/org/get?organization_name="+a.name[:3]+"%20"+a.name[4:]); get != 200 {
				return fmt.Errorf("its admin can log in, and it is not there: %d %s", get, said)
			}
			return nil
		case a.acknowledged || login != 401:
			return fmt.Errorf("its admin cannot log in: %d %s", login, said)
		}
		again, said := p.post(http.DefaultClient, "/org/create", a.body())
		if again == 201 {
			return nil
		}
		if again != 409 || time.Now().After(deadline) {
			return fmt.Errorf("it is neither there nor can it be created: %d %s", again, said)
		}
	}
}

// soundStorage looks beneath: there is one collection for each organization and none besides.
func soundStorage(t *testing.T, e docdb.Engine, masterDB, tenantDB string, organizations int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	physical, err := e.Database(tenantDB).List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	registered := []string{}
	for doc, err := range e.Database(masterDB).Collection("collections").Find(ctx, docdb.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		registered = append(registered, doc.Lookup("_id").StringValue())
	}
	if len(physical) != organizations || !slices.Equal(physical, registered) {
		t.Errorf("%d organizations have %d collections, of which %d are registered", organizations, len(physical), len(registered))
	}
	unfinished, err := e.Database(masterDB).Collection("operations").Count(ctx, docdb.Eq("outcome", "running"))
	if err != nil || unfinished != 0 {
		t.Errorf("%d operations are unfinished, %v", unfinished, err)
	}
}

// atOnce: no other instance can use a data directory, so that the one that opens it finishes what
// was left before it serves.
const atOnce = 0

func TestKilledOnTheEmbeddedEngineLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []attempt
	for round := range 5 {
		p := serveOrgd(t, "DATA_DIR="+dir)
		verify(t, p, all, atOnce)
		all = append(all, createUntil(t, p, fmt.Sprint(round), int64(3+7*round), func() { _ = p.cmd.Process.Kill() })...)
		<-p.done
	}
	p := serveOrgd(t, "DATA_DIR="+dir)
	verify(t, p, all, atOnce)
	p.stop(t)
	e, err := embedded.Open(embedded.Config{Dir: filepath.Join(dir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	soundStorage(t, e, "master_db", "tenant_db", len(all))
}

// On MongoDB orgd is killed; then the database under it, which comes back soon; then both.
func TestKilledOnMongoDBLosesNothing(t *testing.T) {
	t.Parallel()
	db := mongotest.Start(t)
	env := []string{"MONGO_URI=" + db.URI(), "JWT_SECRET=q0Z8mFvT3rYx6LkS1nWb9PdJ4hGc7AeU2iXo5Rt"}

	p := serveOrgd(t, env...)
	all := createUntil(t, p, "orgd", 10, func() { _ = p.cmd.Process.Kill() })
	<-p.done

	p = serveOrgd(t, env...)
	all = append(all, createUntil(t, p, "database", 10, func() { db.Restart(t) })...)

	last := serveOrgd(t, env...) // beside the other, which went through it all
	all = append(all, createUntil(t, last, "both", 10, func() { _ = last.cmd.Process.Kill(); db.Kill() })...)
	<-last.done
	db.Restart(t)
	if _, err := os.Stat(filepath.Join(p.cmd.Dir, "data")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with everything on MongoDB there is a data directory: %v", err)
	}

	verify(t, p, all, patience)
	e, err := mongodb.Open(t.Context(), mongodb.Config{URI: db.URI()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	untilFinished(t, e, "master_db")
	p.stop(t)
	soundStorage(t, e, "master_db", "tenant_db", len(all))
}

// untilFinished waits until what the dead have left is taken up, what nobody can see
// from outside included: an operation that had not yet reserved its name.
func untilFinished(t *testing.T, e docdb.Engine, master string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		n, err := e.Database(master).Collection("operations").Count(t.Context(), docdb.Eq("outcome", "running"))
		if err == nil && n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d operations are unfinished, %v", n, err)
		}
	}
}

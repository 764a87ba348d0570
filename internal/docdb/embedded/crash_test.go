package embedded

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
)

// childWrite writes until it is killed. Each of its workers has documents of its
// own, says on a line what it is about to do, and on another that it is done:
//
//	try <id> <version>    the document will have the version; 0: be deleted
//	ack <id> <version>
//
// Others keep creating and dropping indexes and collections.
func childWrite(dir string) {
	e, err := Open(Config{Dir: dir})
	if err != nil {
		fmt.Println("fail", err)
		return
	}
	db := e.Database("db")
	fail := func(err error) {
		fmt.Println("fail", err)
		os.Exit(1)
	}
	if err := db.Create(bg, "c"); err != nil && !errors.Is(err, docdb.ErrExists) {
		fail(err)
	}
	c := db.Collection("c")
	if err := c.CreateIndex(bg, docdb.Index{Name: "unique", Keys: keyOn("unique"), Unique: true}); err != nil {
		fail(err)
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	for w := range 8 {
		go func() {
			for {
				if err := crashStep(c, fmt.Sprint("doc-", w, "-", rand.IntN(20)), say); err != nil {
					fail(err)
				}
			}
		}()
	}
	go func() {
		for {
			if err := c.CreateIndex(bg, docdb.Index{Name: "tags", Keys: keyOn("tags")}); err != nil {
				fail(err)
			}
			if err := c.DropIndex(bg, "tags"); err != nil {
				fail(err)
			}
		}
	}()
	for n := 0; ; n++ {
		if err := db.Drop(bg, "other"); err != nil {
			fail(err)
		}
		if err := liveAndDie(db, "other", n); err != nil {
			fail(err)
		}
	}
}

// crashStep inserts, replaces or deletes a document.
func crashStep(c docdb.Collection, id string, say func(string, ...any)) error {
	old, err := c.Get(bg, docdb.StringID(id))
	version := int64(rand.Int32()) + 1
	d := doc("_id", id, "version", version, "unique", fmt.Sprint(id, version), "tags", bson.A{rand.IntN(9), rand.IntN(9)}, "pad", strings.Repeat("x", rand.IntN(2000)))
	switch {
	case errors.Is(err, docdb.ErrNotFound):
		say("try %s %d", id, version)
		err = c.Insert(bg, d)
	case err != nil:
		return err
	case rand.IntN(4) == 0:
		version = 0
		say("try %s 0", id)
		err = c.Delete(bg, docdb.StringID(id), docdb.Eq("version", old.Lookup("version")))
	default:
		say("try %s %d", id, version)
		err = c.Replace(bg, docdb.StringID(id), docdb.Eq("version", old.Lookup("version")), d)
	}
	if err == nil {
		say("ack %s %d", id, version)
	}
	return err
}

// crashState is what a document may be after a crash.
type crashState struct {
	version int64 // acknowledged; 0: not there
	trying  int64 // what was being done; -1: nothing
}

// TestKilledProcessesLoseNothing kills a writing process again and again, and
// looks each time for everything that it has acknowledged.
func TestKilledProcessesLoseNothing(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	states := map[string]*crashState{}
	acked := 0
	for round := range rounds {
		cmd, out := startChild(t, "write", dir)
		time.AfterFunc(time.Duration(50+rand.IntN(350))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		text, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		acked += readCrashLog(t, string(text), states)
		checkAfterKill(t, dir, states)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d writes were acknowledged in %d rounds", acked, rounds)
	if acked < rounds {
		t.Error("too few to say anything")
	}
}

func readCrashLog(t *testing.T, text string, states map[string]*crashState) (acked int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var verb, id string
		var version int64
		if strings.HasPrefix(line, "fail") {
			t.Fatal(line)
		}
		if n, err := fmt.Sscan(line, &verb, &id, &version); n != 3 || err != nil || !strings.HasSuffix(line, "\n") {
			continue // cut short by the kill
		}
		if states[id] == nil {
			states[id] = &crashState{trying: -1}
		}
		states[id].trying = version
		if verb == "ack" {
			*states[id] = crashState{version, -1}
			acked++
		}
	}
	return acked
}

// checkAfterKill compares what is there with what may be, and takes it for the
// truth from now on.
func checkAfterKill(t *testing.T, dir string, states map[string]*crashState) {
	t.Helper()
	e := open(t, Config{Dir: dir})
	defer e.Close()
	checkConsistent(t, e)
	for id, state := range states {
		got := int64(0)
		d, err := e.Database("db").Collection("c").Get(bg, docdb.StringID(id))
		if err == nil {
			got = d.Lookup("version").AsInt64()
		} else if !errors.Is(err, docdb.ErrNotFound) {
			t.Fatal(err)
		}
		if got != state.version && got != state.trying {
			t.Errorf("%s is at version %d; %d was acknowledged, %d being tried", id, got, state.version, state.trying)
		}
		*state = crashState{got, -1}
	}
}

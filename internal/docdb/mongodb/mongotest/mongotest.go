// Package mongotest gives tests a MongoDB server, and a network before it that has
// faults (Proxy).
//
// The environment chooses the server:
//
//	ORGD_TEST_MONGO_URI   a server that runs already (tests drop the databases that they
//	                      make there)
//	ORGD_TEST_MONGO=off   none: tests that need a server are skipped and say so
//	ORGD_TEST_MONGOD      the program to start, a mongod or a secantusd-py
//
// With none of these, the tests start the stand-in that `make test` installs under .venv, once for
// each test binary. A missing program fails the test: nobody would notice a test that skips by
// itself.
package mongotest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var shared struct {
	mu     sync.Mutex
	server *Server
	err    error
}

// Main runs the tests of a package and stops the server that they shared:
//
//	func TestMain(m *testing.M) { mongotest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	shared.mu.Lock()
	if shared.server != nil {
		shared.server.remove()
	}
	shared.mu.Unlock()
	os.Exit(code)
}

// URI returns the connection string of a server for tests. The first call starts the server. A
// package that calls URI should have a TestMain that calls Main; without it the server's files stay
// until the next test run.
func URI(t testing.TB) string {
	t.Helper()
	if uri := os.Getenv("ORGD_TEST_MONGO_URI"); uri != "" {
		return uri
	}
	program := Program(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer(program)
	}
	if shared.err != nil {
		t.Fatalf("start a MongoDB server for tests: %v", shared.err)
	}
	return shared.server.URI()
}

// IsStandIn reports whether URI gives the stand-in, which has faults that tests have to avoid, and
// not a server that the environment chooses.
func IsStandIn() bool {
	return os.Getenv("ORGD_TEST_MONGO_URI") == "" && os.Getenv("ORGD_TEST_MONGOD") == ""
}

// Program returns the path of the server program; it ends the test if there is none.
func Program(t testing.TB) string {
	t.Helper()
	if os.Getenv("ORGD_TEST_MONGO") == "off" {
		t.Skip("needs a MongoDB server, and ORGD_TEST_MONGO=off")
	}
	program, err := findProgram()
	if err != nil {
		t.Fatalf("%v: run `make test`, which installs it, or set ORGD_TEST_MONGO=off", err)
	}
	return program
}

func findProgram() (string, error) {
	if program := os.Getenv("ORGD_TEST_MONGOD"); program != "" {
		if _, err := os.Stat(program); err != nil {
			return "", fmt.Errorf("ORGD_TEST_MONGOD: %w", err)
		}
		return program, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test's directory")
		}
		dir = parent
	}
	program := filepath.Join(dir, ".venv", "bin", "secantusd-py")
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("no MongoDB server for tests: %w", err)
	}
	return program, nil
}

// Database returns the name of a database that no other test uses. On a server that outlives the
// tests, the database is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	short := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, t.Name())
	name := "test_" + short[:min(len(short), 30)] + "_" + strings.ToLower(rand.Text()[:12])
	if uri := os.Getenv("ORGD_TEST_MONGO_URI"); uri != "" {
		t.Cleanup(func() { dropDatabase(t, uri, name) })
	}
	return name
}

func dropDatabase(t testing.TB, uri, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err == nil {
		err = errors.Join(client.Database(name).Drop(ctx), client.Disconnect(ctx))
	}
	if err != nil {
		t.Logf("drop the test database %s: %v", name, err)
	}
}

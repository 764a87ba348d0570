package mongotest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestServer(t *testing.T) {
	s := Start(t)
	uri := s.URI()
	s.Kill()
	s.Kill()
	s.Restart(t)
	s.Restart(t)
	if s.URI() != uri {
		t.Errorf("%s after a restart, %s before", s.URI(), uri)
	}
	s.remove()
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("its files are there: %v", err)
	}
}

func TestURIIsOneServer(t *testing.T) {
	if a, b := URI(t), URI(t); a != b {
		t.Errorf("%s, then %s", a, b)
	}
}

func TestDatabase(t *testing.T) {
	t.Run("a long name with spaces, and ünicode / that no database may have", func(t *testing.T) {
		a, b := Database(t), Database(t)
		if a == b || len(a) > 63 || strings.ContainsAny(a, " ü/,") {
			t.Errorf("%q and %q", a, b)
		}
	})
}

func TestFindProgram(t *testing.T) {
	t.Run("named and missing", func(t *testing.T) {
		t.Setenv("ORGD_TEST_MONGOD", filepath.Join(t.TempDir(), "mongod"))
		if program, err := findProgram(); err == nil {
			t.Errorf("found %s", program)
		}
	})
	t.Run("not installed", func(t *testing.T) {
		t.Setenv("ORGD_TEST_MONGOD", "")
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		if program, err := findProgram(); err == nil {
			t.Errorf("found %s", program)
		}
	})
}

func TestServerThatDoesNotStart(t *testing.T) {
	if _, err := newServer("/bin/false"); err == nil || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("got %v", err)
	}
}

func TestSweep(t *testing.T) {
	gone := filepath.Join(os.TempDir(), dirPrefix+"999999999-x")
	if err := os.MkdirAll(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("what a test process left that is gone is there still: %v", err)
	}
}

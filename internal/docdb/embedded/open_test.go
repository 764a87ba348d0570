package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/docdb"
)

// children are what this test binary does when it is run as another process.
var children = map[string]func(dir string){
	"hold":  childHold,
	"write": childWrite,
}

func TestMain(m *testing.M) {
	if child := os.Getenv("EMBEDDED_TEST_CHILD"); child != "" {
		children[child](os.Getenv("EMBEDDED_TEST_DIR"))
		return
	}
	os.Exit(m.Run())
}

// startChild runs a child and returns its output. It is killed with the test at the latest.
func startChild(t *testing.T, child, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "EMBEDDED_TEST_CHILD="+child, "EMBEDDED_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewReader(out)
}

// childHold opens the engine and says so.
func childHold(dir string) {
	_, err := Open(Config{Dir: dir})
	fmt.Println("opened", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	time.Sleep(time.Hour)
}

func TestASecondProcessIsToldThatTheDirectoryIsInUse(t *testing.T) {
	dir := t.TempDir()
	cmd, out := startChild(t, "hold", dir)
	if line, err := out.ReadString('\n'); err != nil || line != "opened <nil>\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	_, err := Open(Config{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that is ErrLocked and names the directory", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	open(t, Config{Dir: dir}) // a killed process leaves no lock
}

func TestASecondEngineInOneProcessIsTold(t *testing.T) {
	dir := t.TempDir()
	e := open(t, Config{Dir: dir})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, dir + "/", link} {
		if _, err := Open(Config{Dir: name}); !errors.Is(err, ErrLocked) {
			t.Errorf("opening %q again answers %v", name, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: link})
}

func TestTheDirectoryIsMadePrivate(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	parent := t.TempDir()
	loose := filepath.Join(parent, "loose")
	if err := os.Mkdir(loose, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(parent, "new", "dir"), loose} {
		if err := open(t, Config{Dir: dir, Logger: logger}).Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	if got := strings.Count(log.String(), "accessible to others"); got != 1 {
		t.Errorf("%d warnings:\n%s", got, log.String())
	}
}

func TestADirectoryOfOthersIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Dir: dir})
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v", err)
	}
	entries, _ := os.ReadDir(dir)
	info, _ := os.Stat(dir)
	if len(entries) != 1 || info.Mode().Perm() != 0o755 {
		t.Errorf("it was changed: %v, %v", entries, info.Mode())
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "FORMAT")
	if line, err := os.ReadFile(file); err != nil || string(line) != "orgd docdb embedded 1\n" {
		t.Errorf("the format is %q, %v; a directory written by this program must stay readable", line, err)
	}
	if err := os.WriteFile(file, []byte("orgd docdb embedded 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "embedded 2") {
		t.Errorf("got %v", err)
	}
}

func TestADatabaseThatIsGoneIsNotReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "FORMAT" {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}

func TestADirectoryThatCannotBeUsedIsAClearError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		if _, err := Open(Config{Dir: dir}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", dir, err)
		}
	}
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Log("not run as root: a directory without permission to write")
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not writable") {
		t.Errorf("got %v", err)
	}
}

func TestACreationThatWasInterruptedGoesOn(t *testing.T) {
	for _, files := range [][]string{{"LOCK"}, {"LOCK", "FORMAT.creating"}} {
		dir := t.TempDir()
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte("orgd docdb embedded 1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := newCollection(t, open(t, Config{Dir: dir}))
		mustInsert(t, c, doc("_id", 1))
	}
}

func TestWhatWasWrittenIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	e := open(t, Config{Dir: dir})
	c := newCollection(t, e)
	ix := docdb.Index{Name: "a", Keys: []docdb.Key{{Path: "a", Desc: true}, {Path: "b.c"}}, Unique: true}
	mustIndex(t, c, ix)
	mustInsert(t, c, doc("_id", 1, "a", 1), doc("_id", 2, "a", 2))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Ping(bg); !errors.Is(err, docdb.ErrClosed) {
		t.Errorf("Ping of a closed engine: %v", err)
	}
	e = open(t, Config{Dir: dir})
	c = e.Database("db").Collection("c")
	if got := find(t, c, docdb.Query{Order: ix.Keys}); len(got) != 2 || docdb.ID(got[0]).AsInt64() != 2 {
		t.Errorf("found %v", got)
	}
	checkConsistent(t, e)
	if err := c.Insert(bg, doc("_id", 3, "a", 2.0)); !errors.Is(err, docdb.ErrDuplicate) {
		t.Errorf("got %v", err)
	}
}

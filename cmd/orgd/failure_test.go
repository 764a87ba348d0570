package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/orgd/orgd/internal/docdb/embedded"
)

// maxFile is a variable for tests only: the most bytes a file of orgd's may have. To
// go beyond fails as a full or broken disk does.
const maxFile = "ORGD_TEST_MAX_FILE"

func limitFiles() {
	most, err := strconv.ParseUint(os.Getenv(maxFile), 10, 64)
	if err != nil {
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // so that the write itself fails
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

// When the disk fails under the embedded engine nothing is acknowledged any more, and
// orgd ends, so that a supervisor starts it again; what was acknowledged is there then.
func TestADiskThatFailsEndsTheServiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serveOrgd(t, "DATA_DIR="+dir, maxFile+"="+strconv.Itoa(256<<10))
	all := createWhile(p, "disk", func(int64) bool { return true })
	code, err := p.wait()
	if err != nil || code != 1 {
		t.Errorf("exit code %d, %v", code, err)
	}
	log := p.text()
	if !strings.Contains(log, "orgd: the storage has failed, see the log: restart orgd once the disk is well") || strings.Contains(log, "goroutine ") {
		t.Errorf("its last words are\n%s", log)
	}
	again := serveOrgd(t, "DATA_DIR="+dir)
	verify(t, again, all, atOnce)
	again.stop(t)
	e, err := embedded.Open(embedded.Config{Dir: filepath.Join(dir, "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	soundStorage(t, e, "master_db", "tenant_db", len(all))
}

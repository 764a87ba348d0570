package app_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/orgd/orgd/internal/app"
	"github.com/orgd/orgd/internal/docdb/embedded"
)

// newestFile returns the last file of the embedded engine with a name that matches.
func newestFile(t *testing.T, dataDir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dataDir, "db", pattern))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return slices.Max(names)
}

func flip(t *testing.T, path string, at func(content []byte) int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[at(content)] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestADamagedLogStopsTheStart, and the start says how to go on.
func TestADamagedLogStopsTheStart(t *testing.T) {
	t.Parallel()
	w := start(t)
	acc := w.account("Acme")
	w.do("POST", "/org/documents", `{"_id":"a"}`, acc.auth).is(201)
	w.Stop(t)
	flip(t, newestFile(t, w.Config.DataDir, "*.log"), func(log []byte) int {
		return bytes.Index(log, []byte("organizations")) // early, and in what was written
	})
	log := app.NewLogger(w.Config, io.Discard)
	_, err := app.Open(t.Context(), w.Config, log)
	if !errors.Is(err, embedded.ErrLost) {
		t.Fatal(err)
	}
	for _, says := range []string{"DATA_DIR", "backup", "ACCEPT_DATA_LOSS=true"} {
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "allowed") {
			t.Errorf("%q does not say %s", err, says)
		}
	}
	if _, err := app.Diagnose(t.Context(), w.Config, true, log); !errors.Is(err, embedded.ErrLost) {
		t.Errorf("the doctor says %v", err)
	}
	w.Config.AcceptDataLoss = true
	a, err := app.Open(t.Context(), w.Config, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTheDoctorReadsEveryTable, also tables that no request reads.
func TestTheDoctorReadsEveryTable(t *testing.T) {
	t.Parallel()
	w := start(t)
	acc := w.account("Acme")
	for range 60 { // so that documents have blocks of their own
		w.do("POST", "/org/documents", object("text", hex.EncodeToString(random(t, 2000))), acc.auth).is(201)
	}
	w.Stop(t)
	log := app.NewLogger(w.Config, io.Discard)
	d, err := app.Diagnose(t.Context(), w.Config, false, log) // which also makes tables of the log
	if err != nil || d.Findings() != 0 || d.Checks[0].Name != "storage" {
		t.Fatal(d.Checks, err)
	}
	table := newestFile(t, w.Config.DataDir, "*.sst")
	flip(t, table, func(content []byte) int { return len(content) / 2 })
	d, err = app.Diagnose(t.Context(), w.Config, false, log)
	said := ""
	if err != nil { // the rest could not be read either
		said = err.Error()
	} else if len(d.Checks[0].Findings) > 0 {
		said = d.Checks[0].Findings[0].Subject + d.Checks[0].Findings[0].Remedy
	}
	if !strings.Contains(said, strings.TrimSuffix(filepath.Base(table), ".sst")) || !strings.Contains(said, "backup") {
		t.Errorf("the doctor says %q of a damaged %s: %+v, %v", said, table, d.Checks, err)
	}
}

// smallDisk mounts a disk of some MiB.
func smallDisk(t *testing.T, mib string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+mib+"m"); err != nil {
		t.Skipf("mounting a small disk takes root (%v); package embedded fills one that is not mounted", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves only so many bytes on a disk.
func fill(t *testing.T, dir string, leave int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "others"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			t.Fatal(err)
		}
		left := int64(s.Bavail)*s.Bsize - leave
		if left <= 0 {
			return
		}
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestAFullDisk over HTTP: what takes room is refused, reads and deletions go on, also after
// a start, and when there is room everything does.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "96")
	w := startExpecting(t, []int{http.StatusServiceUnavailable}, "DATA_DIR="+filepath.Join(disk, "data"), "MIN_FREE_SPACE=16")
	acc := w.account("Acme")
	large := `{"pad":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, id := range []string{"a", "b", "c"} {
		w.do("PUT", "/org/documents/"+id, `{"_id":"`+id+`"}`, acc.auth).is(201)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(w.Config.DataDir, "db", "BALLAST")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no ballast")
		}
	}
	readsGoOn := func() {
		t.Helper()
		w.do("GET", "/org/documents", "", acc.auth).is(200)
		w.do("GET", "/org/documents/c", "", acc.auth).is(200)
		w.do("GET", "/livez", "").is(200)
	}
	fill(t, disk, 20<<20)
	refused := false
	for range 20 { // less than a look a write
		if a := w.do("POST", "/org/documents", large, acc.auth); a.status != 201 {
			a.is(503, "storage_full")
			refused = true
			break
		}
	}
	if !refused {
		t.Error("20 MiB fit into less than 4")
	}
	readsGoOn()
	fill(t, disk, 0) // by another program, within a moment
	w.eventually(503, "GET", "/readyz")
	w.do("GET", "/readyz", "").is(503, "storage_full")
	w.do("POST", "/org/documents", `{}`, acc.auth).is(503, "storage_full")
	w.do("DELETE", "/org/documents/a", "", acc.auth).is(204)
	readsGoOn()

	fill(t, disk, 0) // what the ballast has left, too
	w.do("POST", "/org/documents", `{}`, acc.auth).is(503, "storage_full")
	readsGoOn()
	if err := os.Remove(filepath.Join(disk, "others")); err != nil {
		t.Fatal(err)
	}
	w.eventually(200, "GET", "/readyz")
	w.do("POST", "/org/documents", large, acc.auth).is(201)
	w.do("GET", "/org/documents/a", "", acc.auth).is(404, "not_found")
}

package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// lowThreads counts the threads of this process that have the workers' priority. It
// leaves out the first thread, which, unlike others, the runtime puts aside for ever
// when a goroutine that is locked to it ends.
func lowThreads(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if f == fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid()) {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		// proc_pid_stat(5): the name in brackets is field 2, the niceness field 19.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[19-3] == "19" {
			n++
		}
	}
	return n
}

func TestWorkersAloneHaveTheLowestPriority(t *testing.T) {
	wantLowThreads(t, 0, 0) // those of other tests have ended
	p, err := NewPasswords(PasswordsConfig{Cost: bcrypt.MinCost, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		if _, err := p.Verify(t.Context(), "", "password"); err != nil {
			t.Fatal(err)
		}
	}
	wantLowThreads(t, 2, 3)
	p.Close()
	wantLowThreads(t, 0, 0)
}

// wantLowThreads waits a little, as the kernel takes a moment to end a thread.
func wantLowThreads(t *testing.T, least, most int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for got := lowThreads(t); got < least || got > most; got = lowThreads(t) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads have the lowest priority, want %d to %d", got, least, most)
		}
		time.Sleep(time.Millisecond)
	}
}

package garbage

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
)

// figures returns the bytes that were live after the last collection, and with how
// many the next begins.
func figures() (live, goal uint64) {
	runtime.GC()
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

func TestTuneMakesRoomForGarbage(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	_, before := figures()
	restore := Tune()
	live, goal := figures()
	if room := goal - live; room < 32<<20 || room > 40<<20 {
		t.Errorf("%d bytes of garbage gather, want a little more than 32 MiB", room)
	}
	restore()
	if _, after := figures(); after > before+(8<<20) {
		t.Errorf("afterwards a collection begins at %d bytes, before at %d", after, before)
	}
}

func TestTuneLeavesTheUsersSettings(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", "")
			t.Setenv("GOMEMLIMIT", "")
			t.Setenv(name, "100")
			_, before := figures()
			defer Tune()()
			if _, goal := figures(); goal > before+(8<<20) {
				t.Errorf("a collection begins at %d bytes, before at %d", goal, before)
			}
		})
	}
}

// TestTheBallastTakesNoMemory runs in a process of its own, as orgd does: memory that Go
// has used before is cleared, and so touched.
func TestTheBallastTakesNoMemory(t *testing.T) {
	const child = "ORGD_TEST_BALLAST"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = []string{child + "=1"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	before := resident(t)
	defer Tune()()
	if grown := resident(t) - before; grown > 16<<20 {
		t.Errorf("the ballast takes %d bytes of the machine's memory", grown)
	}
}

// resident returns this process's resident memory in bytes; 0 on systems that do not
// have Linux's /proc.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if os.IsNotExist(err) {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

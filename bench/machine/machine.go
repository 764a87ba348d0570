// Package machine tells what the machine is, and what its processes use of it.
package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Describe says in one line what was measured on. What cannot be found out, on
// systems without /proc, is left out.
func Describe(dir string) string {
	words := []string{runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, fmt.Sprintf("%d processors", runtime.NumCPU())}
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		words = append(words, model)
	}
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		words = append(words, fmt.Sprintf("%.0f GiB of memory", float64(kib)/(1<<20)))
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		words = append(words, "kernel "+strings.TrimSpace(string(kernel)))
	}
	if fs := fileSystem(dir); fs != "" {
		words = append(words, "data on "+fs)
	}
	return strings.Join(words, ", ")
}

// field returns the value of the first line "name : value" of a file, or "".
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem is the type of the file system that a directory is on: where files
// are kept in memory, durable writes cost nothing.
func fileSystem(dir string) string {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return ""
	}
	defer mounts.Close()
	dir, err = filepath.Abs(dir)
	if err != nil {
		return ""
	}
	longest, kind := "", ""
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 3 || len(f[1]) < len(longest) {
			continue
		}
		if strings.HasPrefix(dir+"/", strings.TrimSuffix(f[1], "/")+"/") {
			longest, kind = f[1], f[2]
		}
	}
	return kind
}

// ErrNoProc says that the system does not tell what another process uses.
var ErrNoProc = errors.New("needs Linux's /proc")

// Memory returns the resident memory of a process in bytes, now and at its peak.
func Memory(pid int) (now, peak int64, err error) {
	status := fmt.Sprintf("/proc/%d/status", pid)
	read := func(name string) (int64, error) {
		kib, err := strconv.ParseInt(strings.TrimSuffix(field(status, name), " kB"), 10, 64)
		if err != nil {
			return 0, ErrNoProc
		}
		return kib << 10, nil
	}
	if now, err = read("VmRSS"); err != nil {
		return 0, 0, err
	}
	peak, err = read("VmHWM")
	return now, peak, err
}

// ForgetPeak has the peak of a process's memory be what it is now, where the system lets it.
func ForgetPeak(pid int) {
	const resetPeak = "5" // see proc_pid_clear_refs(5)
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(resetPeak), 0)
}

// tick is the unit of /proc/PID/stat on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// CPUTime returns the processor time that a process has used; 0 where the system
// does not tell.
func CPUTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field, the command in parentheses, may hold spaces.
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}

// Cores is how many goroutines can compute at the same time.
func Cores() int { return runtime.GOMAXPROCS(0) }

//go:build unix

package app

import (
	"math"
	"syscall"
)

// openFiles is how many files this process may have open. Go has raised that to the most
// that it may ask for.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(limit.Cur)
}

package auth

import (
	"os"
	"runtime"
)

// RaiseMaxProcs gives the Go scheduler a processor for every worker of a Passwords,
// on top of those it has, and returns how many workers that is for. Without it a
// request has to wait, for up to 10 ms each time it sleeps, until the scheduler
// takes a processor from a hash; with it the operating system, which knows the
// priorities, decides which thread runs.
//
// In three cases the raise would not help, and one processor is left to requests:
// the user has set GOMAXPROCS, which is respected; the container has a limit on
// processor time, which all threads share whatever their priority; the system is
// not Linux, so that all threads have the same priority.
//
// Call it once, or again, before NewPasswords. It ends the runtime's own
// adjustment of GOMAXPROCS to limits that change.
func RaiseMaxProcs() (workers int) {
	if os.Getenv("GOMAXPROCS") != "" {
		return max(1, runtime.GOMAXPROCS(0)-1)
	}
	runtime.SetDefaultGOMAXPROCS() // so that a second call does not add to the first
	procs := runtime.GOMAXPROCS(0)
	if procs < runtime.NumCPU() || !hasPriorities {
		return max(1, procs-1)
	}
	runtime.GOMAXPROCS(2 * procs)
	return procs
}

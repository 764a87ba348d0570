package auth

import "syscall"

// hasPriorities: lowerPriority does something.
const hasPriorities = true

// niceness of the threads that compute hashes; 19 is the lowest priority.
const niceness = 19

// lowerPriority lowers the priority of the calling thread, for ever. On Linux a
// niceness belongs to a thread, in spite of the constant's name, and the runtime
// starts no thread from one that is locked to a goroutine, so that none inherits it.
func lowerPriority() {
	// Lowering needs no right. A sandbox that refuses it all the same costs the
	// precedence of other requests, nothing else.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}

//go:build !linux

package auth

const hasPriorities = false

// lowerPriority does nothing: only Linux has priorities by thread that need no right.
func lowerPriority() {}

//go:build !linux

package mongotest

import "syscall"

// dieWithParent does nothing here: a server outlives a test process that is
// killed, and has to be ended by hand.
func dieWithParent() *syscall.SysProcAttr { return nil }

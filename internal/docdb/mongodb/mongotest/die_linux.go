package mongotest

import "syscall"

// dieWithParent has the kernel end the server when the test process ends in
// whatever way.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

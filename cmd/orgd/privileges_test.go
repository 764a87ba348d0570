package main

import (
	"fmt"
	"os"
	"syscall"
)

// unprivileged is a variable for tests only: with it an orgd that is started by root
// serves as nobody, to whom permissions apply.
const unprivileged = "ORGD_TEST_UNPRIVILEGED"

func dropPrivileges() {
	if os.Getenv(unprivileged) == "" || os.Getuid() != 0 {
		return
	}
	const nobody = 65534
	if err := syscall.Setgroups(nil); err == nil {
		err = syscall.Setgid(nobody)
	}
	if err := syscall.Setuid(nobody); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

package main

import (
	"errors"
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
	// In this order: without the user's rights the others cannot be given up.
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

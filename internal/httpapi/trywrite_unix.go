//go:build unix

package httpapi

import (
	"errors"
	"os"
	"syscall"
)

const canTryWrites = true

// tryWrite writes what a socket takes at once: nothing when it is full.
func tryWrite(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		case !errors.Is(err, syscall.EINTR):
			return 0, os.NewSyscallError("write", err)
		}
	}
}

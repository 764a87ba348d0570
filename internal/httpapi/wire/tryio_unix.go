//go:build unix

package wire

import (
	"errors"
	"os"
	"syscall"
)

const canTry = true

// errWouldWait: the socket is full, or has nothing to read.
var errWouldWait = errors.New("the client has to be waited for")

// tryWrite writes what a socket takes at once.
func tryWrite(fd uintptr, b []byte) (int, error) {
	return try("write", func() (int, error) { return syscall.Write(int(fd), b) })
}

// tryRead reads what a socket has; no bytes and no error are its end.
func tryRead(fd uintptr, b []byte) (int, error) {
	return try("read", func() (int, error) { return syscall.Read(int(fd), b) })
}

func try(call string, do func() (int, error)) (int, error) {
	for {
		n, err := do()
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EAGAIN):
			return 0, errWouldWait
		case !errors.Is(err, syscall.EINTR):
			return 0, os.NewSyscallError(call, err)
		}
	}
}

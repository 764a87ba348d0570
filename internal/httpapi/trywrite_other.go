//go:build !unix

package httpapi

const canTryWrites = false

func tryWrite(uintptr, []byte) (int, error) { panic("sockets are not written to at once here") }

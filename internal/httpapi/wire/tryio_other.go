//go:build !unix

package wire

import "errors"

const canTry = false

var errWouldWait = errors.New("the client has to be waited for")

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
func tryRead(uintptr, []byte) (int, error)  { return 0, errors.ErrUnsupported }

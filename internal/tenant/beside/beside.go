// Package beside does things at the same time.
package beside

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// All calls the functions at the same time, and waits for all. It returns the error of the first that
// failed. A panic goes on in the caller, where a server catches it, and not in a goroutine, where it would
// end the process.
func All(fs ...func() error) error {
	var all errgroup.Group
	panicked := make(chan string, len(fs))
	for _, f := range fs {
		all.Go(func() error {
			defer func() {
				if p := recover(); p != nil {
					panicked <- fmt.Sprintf("%v\n%s", p, debug.Stack())
				}
			}()
			return f()
		})
	}
	err := all.Wait()
	select {
	case p := <-panicked:
		panic(p)
	default:
	}
	return err
}

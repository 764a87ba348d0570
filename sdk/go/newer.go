package orgd

import "errors"

// This package is for Go 1.24 and later. What follows is in Go 1.26.

// asType is errors.AsType.
func asType[E error](err error) (E, bool) {
	var e E
	ok := errors.As(err, &e)
	return e, ok
}

// pointer is new(v).
func pointer[T any](v T) *T { return &v }

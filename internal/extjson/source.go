package extjson

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/orgd/orgd/internal/jsonscan"
)

// A source is the text, and the names that lead to the place where the scanner is.
type source struct {
	jsonscan.Scanner
	path []step
}

// A step is a name or, where index is not 0, the place index-1 in an array.
type step struct {
	name  []byte
	index int
}

// fail makes an error at the path.
func (s *source) fail(format string, args ...any) error {
	e := &Error{Reason: fmt.Sprintf(format, args...)}
	for _, step := range s.path {
		name := string(step.name)
		if step.index > 0 {
			name = strconv.Itoa(step.index - 1)
		}
		e.Path = append(e.Path, name)
	}
	return e
}

// located turns an error of the scanner into an *Error. What is not JSON has a place in the
// text, and no path.
func (s *source) located(err error) error {
	var scan *jsonscan.Error
	switch {
	case !errors.As(err, &scan):
		return err
	case scan.TooDeep:
		return s.fail("%s", scan.Reason)
	}
	return &Error{Reason: scan.Reason}
}

// want reads the string that a type of Extended JSON has for its value. What is the name of
// that value in the error for any other.
func (s *source) want(what string) ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.fail("is not %s", what)
	}
	return s.String()
}

// stringPair reads an object of exactly these names, each with a string.
func (s *source) stringPair(what, first, second string) (a, b []byte, err error) {
	err = s.members(what, []string{first, second}, func(name string) (err error) {
		if name == first {
			a, err = s.want(what)
		} else {
			b, err = s.want(what)
		}
		return err
	})
	return a, b, err
}

// members reads an object of exactly these names, in any order, and calls read for the value
// of each. It takes them out of wanted.
func (s *source) members(what string, wanted []string, read func(name string) error) error {
	between := byte('{')
	for missing := wanted; len(missing) > 0; between = ',' {
		if !s.Take(between) {
			return s.fail("is not %s", what)
		}
		s.Space()
		given, err := s.want(what)
		if err != nil {
			return err
		}
		at := slices.Index(missing, string(given))
		if at < 0 {
			return s.fail("is not %s", what)
		}
		name := missing[at]
		missing = slices.Delete(missing, at, at+1)
		if err := s.Colon(); err != nil {
			return err
		}
		if err := read(name); err != nil {
			return err
		}
		s.Space()
	}
	if !s.Take('}') {
		return s.fail("is not %s", what)
	}
	return nil
}

// Package strictjson refuses JSON texts that parsers read differently, or read leniently by
// losing something: a name given twice, invalid UTF-8, half a surrogate pair, data after the
// value. encoding/json takes all of those. A text that Check takes, it decodes without loss.
package strictjson

import (
	"errors"
	"slices"
	"unicode"

	"github.com/orgd/orgd/internal/jsonscan"
)

// Rules says how strict Check is beyond RFC 8259.
type Rules struct {
	// MaxDepth bounds the nesting of objects and arrays.
	MaxDepth int
	// FoldNames takes names that differ only in case for the same, as encoding/json does.
	FoldNames bool
	// Extended are properties of the whole that hold clients' own documents: there names may
	// differ only in case, and the nesting counts anew.
	Extended []string
}

// An Error says what is wrong with a text. It holds names, and no values.
type Error struct {
	// Path leads to the place by names. Places in arrays are not among them. It is empty for
	// what is wrong with the text as a whole.
	Path []string
	// Detail goes on from the place: "is given more than once".
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return "strictjson: the text " + e.Detail }

// Check returns nil for a text that is JSON and keeps the rules.
func Check(text []byte, rules Rules) *Error {
	c := checker{rules: rules}
	err := c.check(text)
	var scan *jsonscan.Error
	var strict *Error
	switch {
	case errors.As(err, &strict):
		return strict
	case !errors.As(err, &scan):
		return nil
	case scan.TooDeep:
		return fail(c.base, scan.Reason)
	}
	return fail(nil, scan.Reason)
}

// A checker walks a text once. Its recursion is bounded by Rules.MaxDepth.
type checker struct {
	jsonscan.Scanner
	rules Rules
	path  [][]byte // names of the objects around the place
	base  [][]byte // the path to what MaxDepth is for: a property of Extended, or the whole
}

func fail(path [][]byte, detail string) *Error {
	e := &Error{Detail: detail}
	for _, name := range path {
		e.Path = append(e.Path, string(name))
	}
	return e
}

func (c *checker) check(text []byte) (err error) {
	if c.Scanner, err = jsonscan.New(text); err != nil {
		return err
	}
	c.Space()
	if err := c.value(); err != nil {
		return err
	}
	return c.End()
}

func (c *checker) value() (err error) {
	switch first := c.Peek(); {
	case first == '{':
		err = c.object()
	case first == '[':
		err = c.array()
	case first == '"':
		_, err = c.String()
	case first == '-' || first >= '0' && first <= '9':
		_, _, err = c.Number()
	case first == 't':
		err = c.Literal("true")
	case first == 'f':
		err = c.Literal("false")
	case first == 'n':
		err = c.Literal("null")
	default:
		err = c.NoValue()
	}
	return err
}

func (c *checker) object() error {
	more, err := c.Open('}', c.rules.MaxDepth)
	if !more {
		return err
	}
	seen := make(map[string]struct{}, 4)
	for more {
		if err := c.member(seen); err != nil {
			return err
		}
		if more, err = c.More('}'); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) member(seen map[string]struct{}) error {
	name, err := c.Name()
	if err != nil {
		return err
	}
	c.path = append(c.path, name)
	key := string(name)
	if c.rules.FoldNames {
		key = foldName(key)
	}
	if _, twice := seen[key]; twice {
		return fail(c.path, "is given more than once")
	}
	seen[key] = struct{}{}
	if err := c.Colon(); err != nil {
		return err
	}
	if c.Depth == 1 && slices.Contains(c.rules.Extended, string(name)) {
		err = c.extended()
	} else {
		err = c.value()
	}
	if err != nil {
		return err
	}
	c.path = c.path[:len(c.path)-1]
	return nil
}

// extended checks a value that has rules of its own.
func (c *checker) extended() error {
	rules, depth := c.rules, c.Depth
	c.rules, c.Depth, c.base = Rules{MaxDepth: rules.MaxDepth}, 0, slices.Clone(c.path)
	if err := c.value(); err != nil {
		return err
	}
	c.rules, c.Depth, c.base = rules, depth, nil
	return nil
}

func (c *checker) array() error {
	more, err := c.Open(']', c.rules.MaxDepth)
	for more {
		if err := c.value(); err != nil {
			return err
		}
		if more, err = c.More(']'); err != nil {
			return err
		}
	}
	return err
}

// foldName makes names the same that encoding/json takes for the same.
func foldName(name string) string {
	folded := make([]rune, 0, len(name))
	for _, r := range name {
		folded = append(folded, foldRune(r))
	}
	return string(folded)
}

// foldRune returns the smallest of the characters that differ from r in case.
func foldRune(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}

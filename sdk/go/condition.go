package orgd

import (
	"errors"
	"strings"
)

// A Condition restricts a call that changes a document. If the document does not
// meet it, the call fails with [ErrPreconditionFailed] and changes nothing.
type Condition func(*conditions)

type conditions struct{ match, noneMatch *string }

// IfMatch requires that the document still has one of these revisions.
func IfMatch(revisions ...string) Condition {
	tags := make([]string, len(revisions))
	for i, r := range revisions {
		tags[i] = `"` + r + `"`
	}
	all := strings.Join(tags, ", ")
	return func(c *conditions) { c.match = &all }
}

// IfPresent requires that a document with the id exists.
func IfPresent() Condition { return func(c *conditions) { c.match = pointer("*") } }

// IfAbsent requires that no document with the id exists. It is for [Documents.Put].
func IfAbsent() Condition { return func(c *conditions) { c.noneMatch = pointer("*") } }

// conditionsOf joins conditions. It refuses an empty one, which the server would take
// for no condition.
func conditionsOf(all []Condition, absent bool) (conditions, error) {
	var c conditions
	for _, set := range all {
		set(&c)
	}
	switch {
	case c.match != nil && (*c.match == "" || strings.Contains(*c.match, `""`)):
		return c, errors.New("orgd: IfMatch needs a revision; documents of a list have none")
	case c.noneMatch != nil && !absent:
		return c, errors.New("orgd: IfAbsent is for Put only")
	}
	return c, nil
}

// revisionOf returns the revision of an ETag, without its quotes and without the mark of
// a proxy that has compressed the answer.
func revisionOf(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

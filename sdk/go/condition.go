package orgd

import (
	"errors"
	"strings"
)

// A Condition says when a call that changes a document may: else it is
// [ErrPreconditionFailed], and nothing is done.
type Condition func(*conditions)

type conditions struct{ match, noneMatch *string }

// IfMatch: only if the document still is of one of these revisions.
func IfMatch(revisions ...string) Condition {
	tags := make([]string, len(revisions))
	for i, r := range revisions {
		tags[i] = `"` + r + `"`
	}
	all := strings.Join(tags, ", ")
	return func(c *conditions) { c.match = &all }
}

// IfPresent: only if there is a document of that id.
func IfPresent() Condition { return func(c *conditions) { c.match = pointer("*") } }

// IfAbsent: only if there is no document of that id. For [Documents.Put].
func IfAbsent() Condition { return func(c *conditions) { c.noneMatch = pointer("*") } }

// conditionsOf refuses what would not be a condition at all: with an empty one the
// server would do as if there were none.
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

// revisionOf takes the quotes off an ETag, and the mark of a proxy that has
// compressed the answer.
func revisionOf(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

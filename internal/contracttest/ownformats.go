package contracttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ownFormats are the contract's own formats of parameters, with texts of each that
// are good whatever is there: what else is good, such as a sort by an index, depends
// on that, and so says more than a schema can.
var ownFormats = map[string][]string{
	"filter": {"{}", `{"city":"London"}`, ` {"a.b": {"$gte": 1.5, "$ne": null}, "$or": [{"c": {"$in": [1, "é"]}}, {"d": {"$not": {"$exists": true}}}]} `,
		`{"_id":{"$gt":{"$oid":"6b2f00000000000000000001"}}}`},
	"sort":   {"_id", "-_id"},
	"fields": {"name", "name,city", "a.b.c,_id", "é"},
	"cursor": {""},
}

// aFilter knows what no filter is without.
func aFilter(s string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(s), &object); err != nil {
		return err
	}
	if object == nil {
		return errors.New("not an object")
	}
	return nil
}

// somePaths checks paths with commas between, each with a sign in front or not.
func somePaths(sign string) func(string) error {
	return func(s string) error {
		for path := range strings.SplitSeq(s, ",") {
			path = strings.TrimPrefix(path, sign)
			if len(path) > 255 || strings.Contains(path, "\x00") {
				return fmt.Errorf("%q is no path", path)
			}
			for part := range strings.SplitSeq(path, ".") {
				if part == "" || part[0] == '$' {
					return fmt.Errorf("%q is no path", path)
				}
			}
		}
		return nil
	}
}

// aCursor: only the service can make one, but for the empty one.
func aCursor(s string) error {
	if s != "" {
		return errors.New("made up")
	}
	return nil
}

package document

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/fieldpath"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// ParseFilter reads a client's filter. It refuses a filter with a *docdb.FilterError.
func ParseFilter(raw bson.Raw) (docdb.Filter, error) {
	f, err := docdb.ParseFilter(raw)
	if err == nil {
		err = checkFilterPaths(raw)
	}
	if err != nil {
		return docdb.Filter{}, err
	}
	return f, nil
}

// checkFilterPaths refuses paths that no client's document can have, in a filter that
// docdb.ParseFilter accepts.
func checkFilterPaths(filter bson.Raw) error {
	for name, v := range wire.Fields(filter) {
		if len(name) > 0 && name[0] != '$' {
			if problem := Hidden(string(name)); problem != "" {
				return &docdb.FilterError{Path: string(name), Reason: problem}
			}
			continue
		}
		if v.Type != bson.TypeArray { // not $and or $or
			continue
		}
		for _, sub := range wire.Fields(v.Value) {
			if sub.Type == bson.TypeEmbeddedDocument {
				if err := checkFilterPaths(sub.Value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// CheckPath returns what is wrong with a path of a client's request, "" if nothing is.
func CheckPath(path string) (problem string) {
	if problem := fieldpath.Problem(path); problem != "" {
		return problem
	}
	return Hidden(path)
}

// Hidden returns what is wrong with a path to the fields that orgd hides in documents.
func Hidden(path string) string {
	name, _, _ := strings.Cut(path, ".")
	if strings.HasPrefix(name, "_") && name != "_id" {
		return "no document has names that begin with _, save _id"
	}
	return ""
}

// CheckNames returns a name at the top level of a client's document that is refused, and why; "" if
// there is none.
func CheckNames(body bson.Raw) (name, problem string) {
	for name := range wire.Fields(body) {
		switch {
		case len(name) == 0:
			return "", "is an empty name at the top level"
		case name[0] == '$':
			return string(name), "begins with $"
		case name[0] == '_' && string(name) != "_id":
			return string(name), "begins with _, which only _id may"
		}
	}
	return "", ""
}

// WithID returns the document with its _id in front, or with id if it has no _id. A document that
// begins with its _id is returned as it is.
func WithID(body bson.Raw, id bson.RawValue) bson.Raw {
	if docdb.ID(body).Type != 0 {
		return body
	}
	if given := body.Lookup("_id"); given.Type != 0 {
		id = given
	}
	out, at := bsonappend.Begin(make([]byte, 0, len(body)+len(id.Value)+len("_id")+7))
	return bsonappend.End(appendOthers(bsonappend.Element(out, "_id", id), body, "_id"), at)
}

// Hint returns an index with these keys in the form of a client's request.
func Hint(keys []docdb.Key) string {
	name, list := "by", make([]string, len(keys))
	for i, key := range keys {
		name += "_" + strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
				return c
			}
			return '_'
		}, key.Path)
		list[i] = fmt.Sprintf(`{"path": %q}`, key.Path)
		if key.Desc {
			list[i] = fmt.Sprintf(`{"path": %q, "order": "desc"}`, key.Path)
		}
	}
	return fmt.Sprintf(`POST /org/indexes {"name": %q, "keys": [%s]}`, name[:min(len(name), docdb.MaxIndexName)], strings.Join(list, ", "))
}

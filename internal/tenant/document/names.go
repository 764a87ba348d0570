package document

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/fieldpath"
	"github.com/orgd/orgd/internal/docdb/wire"
)

// ParseFilter reads a client's filter. What is refused is a *docdb.FilterError.
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

// checkFilterPaths refuses the paths that no client's document has. It takes what
// docdb.ParseFilter takes.
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

// CheckPath says what is wrong with a path that a client asks for, or nothing.
func CheckPath(path string) (problem string) {
	if problem := fieldpath.Problem(path); problem != "" {
		return problem
	}
	return Hidden(path)
}

// Hidden refuses paths to what orgd keeps in documents for itself.
func Hidden(path string) string {
	name, _, _ := strings.Cut(path, ".")
	if strings.HasPrefix(name, "_") && name != "_id" {
		return "no document has names that begin with _, save _id"
	}
	return ""
}

// CheckNames says what is wrong with the names at the top level of a client's
// document, or nothing; and with which.
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

// WithID returns the document with its _id in front, and with that one if it
// has none. One that has it there is returned as it is.
func WithID(body bson.Raw, id bson.RawValue) bson.Raw {
	if docdb.ID(body).Type != 0 {
		return body
	}
	if given := body.Lookup("_id"); given.Type != 0 {
		id = given
	}
	out := make([]byte, 4, len(body)+len(id.Value)+len("_id")+7)
	return finishDocument(appendOthers(appendField(out, []byte("_id"), id), body, "_id"), 0)
}

// Hint writes an index of these keys as a client would ask for it.
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

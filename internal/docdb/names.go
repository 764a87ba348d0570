package docdb

import (
	"strings"

	"github.com/orgd/orgd/internal/docdb/fieldpath"
)

const (
	// MaxCollectionName is the length of the longest collection name, in bytes.
	MaxCollectionName = 170
	// MaxDatabaseName is the length of the longest database name, in bytes:
	// MongoDB's limit.
	MaxDatabaseName = 63
	// MaxIndexName is the length of the longest index name, in bytes.
	MaxIndexName = 64
)

// ValidateCollectionName checks the rules stated on Database.
func ValidateCollectionName(name string) error {
	if err := checkName("collection", name, MaxCollectionName, "_-."); err != nil {
		return err
	}
	if strings.HasPrefix(name, "system.") || strings.HasPrefix(name, ".") ||
		strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return invalid("the collection name %q begins with \"system.\" or has a misplaced dot", name)
	}
	return nil
}

// ValidateDatabaseName checks that a database's name is 1 to MaxDatabaseName
// bytes of ASCII letters, digits, "_" and "-".
func ValidateDatabaseName(name string) error {
	return checkName("database", name, MaxDatabaseName, "_-")
}

// ValidateIndex checks the rules stated on Index. The name of the index on _id
// is taken.
func ValidateIndex(ix Index) error {
	if err := checkName("index", ix.Name, MaxIndexName, "_-"); err != nil {
		return err
	}
	if ix.Name == IDIndex {
		return invalid("the index name %q is taken by the index on _id", IDIndex)
	}
	if len(ix.Keys) == 0 || len(ix.Keys) > MaxIndexKeys {
		return invalid("the index %q has %d keys, not 1 to %d", ix.Name, len(ix.Keys), MaxIndexKeys)
	}
	for i, key := range ix.Keys {
		if key.Path == "_id" {
			return invalid("the index %q has the key _id, which every collection has an index on", ix.Name)
		}
		if problem := fieldpath.Problem(key.Path); problem != "" {
			return invalid("the index %q has the key %q: %s", ix.Name, key.Path, problem)
		}
		for _, other := range ix.Keys[:i] {
			if other.Path == key.Path {
				return invalid("the index %q has the key %q twice", ix.Name, key.Path)
			}
		}
	}
	return nil
}

// checkName checks a name of 1 to limit bytes of ASCII letters, digits and more.
func checkName(what, name string, limit int, more string) error {
	if len(name) == 0 || len(name) > limit {
		return invalid("a %s name has %d bytes, not 1 to %d", what, len(name), limit)
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(more, c) >= 0) {
			return invalid("the %s name %q has a character other than ASCII letters, digits and %q", what, name, more)
		}
	}
	return nil
}

package model

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/indexkey"
)

// bounded refuses a document with more index keys than a collection admits.
func bounded(doc bson.Raw, indexes ...docdb.Index) error {
	n := 0
	for _, ix := range indexes {
		rows, err := indexkey.All(doc, ix.Keys)
		if err != nil {
			return err
		}
		if n += len(rows); n > docdb.MaxIndexEntries {
			return &docdb.IndexKeyError{Index: ix.Name, Path: ix.Keys[0].Path, Problem: "too many keys"}
		}
	}
	return nil
}

// check refuses a document whose key is taken in a unique index by a document at another
// position than at.
func (d *contents) check(ix docdb.Index, doc bson.Raw, at int) error {
	rows, err := indexkey.All(doc, ix.Keys)
	if err != nil || !ix.Unique {
		return err
	}
	for i, other := range d.docs {
		if i == at {
			continue
		}
		taken, err := indexkey.All(other, ix.Keys)
		if err != nil {
			return err
		}
		for _, row := range rows {
			for _, key := range taken {
				if slices.EqualFunc(row, key, func(a, b bson.RawValue) bool { return docdb.Compare(a, b) == 0 }) {
					return &docdb.DuplicateError{Index: ix.Name}
				}
			}
		}
	}
	return nil
}

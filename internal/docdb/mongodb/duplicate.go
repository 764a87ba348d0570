package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/orgd/orgd/internal/docdb"
)

// duplicate returns a *docdb.DuplicateError for a write refused because of a
// unique key, and every other error as it is. doc is nil for a replacement,
// whose _id cannot be the key in question.
func (c *collection) duplicate(ctx context.Context, doc bson.Raw, err error) error {
	var we mongo.WriteException
	if !errors.As(err, &we) || len(we.WriteErrors) == 0 || !duplicateCodes[we.WriteErrors[0].Code] {
		return err
	}
	return c.newNamer(ctx).name(doc, we.WriteErrors[0].Raw)
}

// A namer finds the names of the indexes that duplicate-key errors are about. The
// server gives the keys of the index; its name only within a text. The indexes
// are listed once, when they are first needed.
type namer struct {
	ctx     context.Context
	c       *collection
	listed  bool
	indexes []physical
}

func (c *collection) newNamer(ctx context.Context) *namer { return &namer{ctx: ctx, c: c} }

// name returns the error for a document refused with that part of the server's
// answer; doc is nil for a replacement.
func (n *namer) name(doc, raw bson.Raw) *docdb.DuplicateError {
	pattern := keyPattern(raw)
	if isIDPattern(pattern) {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	if !n.listed {
		n.listed = true
		// That the key is taken is known. If the list cannot be had, the index
		// stays without a name.
		n.indexes, _ = n.c.list(n.ctx)
	}
	if pattern == nil {
		return n.guess(doc)
	}
	for _, ix := range n.indexes {
		if ix.unique && ix.hasPattern(pattern) {
			return &docdb.DuplicateError{Index: ix.name}
		}
	}
	return &docdb.DuplicateError{}
}

// guess serves servers that do not give the keys (MongoDB before 4.2 and some
// compatible ones): without a unique index it must be _id; a document that is
// there under the _id says the same; else, with one unique index, it is that.
func (n *namer) guess(doc bson.Raw) *docdb.DuplicateError {
	var unique []string
	for _, ix := range n.indexes {
		if ix.unique && ix.name != docdb.IDIndex {
			unique = append(unique, ix.name)
		}
	}
	if doc != nil && (len(unique) == 0 || n.c.coll.FindOne(n.ctx, byID(docdb.ID(doc))).Err() == nil) {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	if len(unique) == 1 {
		return &docdb.DuplicateError{Index: unique[0]}
	}
	return &docdb.DuplicateError{}
}

func isIDPattern(pattern bson.Raw) bool {
	elements, err := pattern.Elements()
	return pattern != nil && err == nil && len(elements) == 1 && elements[0].Key() == "_id"
}

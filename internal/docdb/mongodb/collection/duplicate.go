package collection

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/index"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

// duplicate returns a *docdb.DuplicateError for a write refused because of a unique key, and any
// other error unchanged. doc is nil for a replacement, whose _id cannot be the key in question.
func (c *Collection) duplicate(ctx context.Context, doc bson.Raw, err error) error {
	var we mongo.WriteException
	if !errors.As(err, &we) || len(we.WriteErrors) == 0 || !outcome.IsDuplicate(we.WriteErrors[0].Code) {
		return err
	}
	return c.newNamer(ctx).name(doc, we.WriteErrors[0].Raw)
}

// A namer finds the names of the indexes that duplicate-key errors are about. The server's
// answer has the key pattern of the index, and its name only within a text. The namer lists the
// indexes once, when it first needs them.
type namer struct {
	ctx     context.Context
	c       *Collection
	listed  bool
	indexes []index.Spec
}

func (c *Collection) newNamer(ctx context.Context) *namer { return &namer{ctx: ctx, c: c} }

// name returns the error for a refused document; raw is the server's answer to that document,
// and doc is nil for a replacement.
func (n *namer) name(doc, raw bson.Raw) *docdb.DuplicateError {
	pattern := keyPattern(raw)
	if isIDPattern(pattern) {
		return &docdb.DuplicateError{Index: docdb.IDIndex}
	}
	if !n.listed {
		n.listed = true
		// The key is taken in any case. If the list fails, the index stays unnamed.
		n.indexes, _ = n.c.list(n.ctx)
	}
	if pattern == nil {
		return n.guess(doc)
	}
	for _, ix := range n.indexes {
		if ix.Unique && ix.HasPattern(pattern) {
			return &docdb.DuplicateError{Index: ix.Name}
		}
	}
	return &docdb.DuplicateError{}
}

// guess finds the index for servers that do not give the key pattern (MongoDB before 4.2 and some
// compatible servers): without a unique index, or if a document has the _id, it is the index on
// _id; else, if there is only one unique index, that one.
func (n *namer) guess(doc bson.Raw) *docdb.DuplicateError {
	var unique []string
	for _, ix := range n.indexes {
		if ix.Unique && ix.Name != docdb.IDIndex {
			unique = append(unique, ix.Name)
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

// keyPattern returns the key pattern of the index that an error of code 11000 is about, nil if the
// server does not give it.
func keyPattern(raw bson.Raw) bson.Raw {
	doc, ok := raw.Lookup("keyPattern").DocumentOK()
	if !ok {
		return nil
	}
	return doc
}

package data

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/tenant/document"
)

// InsertOnce is Insert for a request with an idempotency key; given is nil for a request without. The
// _id and the revision of the document are the same at every attempt, so they show that an earlier
// attempt has added it, and the answer can be made again.
func (d *Documents) InsertOnce(ctx context.Context, given *document.Given, body bson.Raw) (document.Document, error) {
	if given == nil {
		return d.Insert(ctx, body)
	}
	id := docdb.ID(body)
	raw, doc := document.AsStored(id, body, given.Revision)
	if given.Answered {
		return doc, nil
	}
	look := given.Repeated // before another check refuses a document that was added already
	err := d.at.Write(ctx, []bson.RawValue{id}, func(ctx context.Context, c docdb.Collection) error {
		if look {
			if done, err := inserted(ctx, c, id, given); err != nil || done {
				return err
			}
		}
		look = true
		err := c.Insert(ctx, raw)
		if !errors.Is(err, docdb.ErrDuplicate) && !errors.Is(err, docdb.ErrOutcomeUnknown) {
			return refusedWrite(err)
		}
		if done, lookErr := inserted(ctx, c, id, given); done {
			return nil
		} else if lookErr != nil {
			return errors.Join(docdb.ErrOutcomeUnknown, err, lookErr)
		}
		return refusedWrite(err)
	})
	return doc, err
}

// inserted reports whether an earlier attempt has added the document. An _id that was drawn for this
// key belongs to no other request, whatever has changed the document since; a document with an _id of
// the client's is known by its revision.
func inserted(ctx context.Context, c docdb.Collection, id bson.RawValue, given *document.Given) (bool, error) {
	there, err := lookUp(ctx, c, id)
	if err != nil || there == nil {
		return false, err
	}
	drawn, ok := id.ObjectIDOK()
	return ok && drawn == given.ID || there.Revision == given.Revision.Hex(), nil
}

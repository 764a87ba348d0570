package master

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
	"github.com/orgd/orgd/internal/org"
)

// Organizations and admins, which nearly every request reads, are decoded without reflection:
// bson.Unmarshal takes five times as long. It serves for documents with fields or types that this code
// does not expect, such as those of a later version.

func (o *Organization) decode(raw bson.Raw) error {
	for name, v := range wire.Fields(raw) {
		if !o.setField(string(name), v) {
			*o = Organization{}
			return bson.Unmarshal(raw, o)
		}
	}
	return nil
}

// setField returns false for a field or type that it does not expect.
func (o *Organization) setField(name string, v bson.RawValue) (ok bool) {
	switch name {
	case "_id":
		o.ID, ok = v.StringValueOK()
	case "version":
		o.Version, ok = v, v.Type != 0
	case "past":
		_, o.Past, ok = v.BinaryOK()
	case "organization_name":
		o.Name, ok = v.StringValueOK()
	case "name_key":
		o.NameKey, ok = v.StringValueOK()
	case "collection_name":
		o.Collection, ok = v.StringValueOK()
	case "generation":
		o.Generation, ok = v.Int64OK()
	case "state":
		o.State, ok = stateOf(v)
	case "admin_id":
		o.AdminID, ok = v.StringValueOK()
	case "operation":
		o.Operation, ok = v.StringValueOK()
	case "fence":
		o.Token, ok = v.Int64OK()
	case "epoch":
		o.Epoch, ok = v.Int64OK()
	case "move":
		o.Move, ok = moveOf(v)
	case "ended":
		o.Ended, ok = v.Int64OK()
	case "purge_after":
		var at time.Time
		at, ok = instant(v)
		o.PurgeAfter = &at
	case "state_before":
		o.StateBefore, ok = stateOf(v)
	case "credential":
		o.Credential, ok = v.Int64OK()
	case "quota":
		o.Quota, ok = quotaOf(v)
	case "created_at":
		o.CreatedAt, ok = instant(v)
	case "updated_at":
		o.UpdatedAt, ok = instant(v)
	}
	return ok
}

func (a *Admin) decode(raw bson.Raw) error {
	for name, v := range wire.Fields(raw) {
		if !a.setField(string(name), v) {
			*a = Admin{}
			return bson.Unmarshal(raw, a)
		}
	}
	return nil
}

// setField returns false for a field or type that it does not expect, and for staged credentials, which
// are rare.
func (a *Admin) setField(name string, v bson.RawValue) (ok bool) {
	switch name {
	case "_id":
		a.ID, ok = v.StringValueOK()
	case "version":
		a.Version, ok = v, v.Type != 0
	case "past":
		_, a.Past, ok = v.BinaryOK()
	case "org_id":
		a.OrgID, ok = v.StringValueOK()
	case "email":
		a.Email, ok = v.StringValueOK()
	case "email_key":
		a.EmailKey, ok = v.StringValueOK()
	case "password_hash":
		a.PasswordHash, ok = v.StringValueOK()
	case "role":
		a.Role, ok = v.StringValueOK()
	case "credential":
		a.Credential, ok = v.Int64OK()
	case "op_id":
		a.Operation, ok = v.StringValueOK()
	case "created_at":
		a.CreatedAt, ok = instant(v)
	case "updated_at":
		a.UpdatedAt, ok = instant(v)
	}
	return ok
}

func moveOf(v bson.RawValue) (*Move, bool) {
	doc, ok := v.DocumentOK()
	if !ok {
		return nil, false
	}
	field := func(name string) string {
		s, isString := doc.Lookup(name).StringValueOK()
		ok = ok && isString
		return s
	}
	return &Move{Phase: Phase(field("phase")), Target: field("target"), Dirty: field("dirty")}, ok
}

func stateOf(v bson.RawValue) (org.State, bool) {
	state, ok := v.StringValueOK()
	return org.State(state), ok
}

func instant(v bson.RawValue) (time.Time, bool) {
	ms, ok := v.DateTimeOK()
	return time.UnixMilli(ms).UTC(), ok
}

// quotaOf is part of Organization.decode.
func quotaOf(v bson.RawValue) (*Quota, bool) {
	doc, ok := v.DocumentOK()
	if !ok {
		return nil, false
	}
	q := &Quota{}
	for name, v := range wire.Fields(doc) {
		n, isInt := v.Int64OK()
		switch {
		case !isInt:
			return nil, false
		case string(name) == "max_documents":
			q.Documents = n
		case string(name) == "max_bytes":
			q.Bytes = n
		default:
			return nil, false
		}
	}
	return q, true
}

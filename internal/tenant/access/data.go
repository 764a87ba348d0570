package access

import (
	"context"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/fault"
	"github.com/orgd/orgd/internal/tenant/master"
)

// Data is the access to one organization's data.
type Data struct {
	access *Access
	orgID  string
	limits Limits
	// admitted says that the request was let in already: it begins with what was read of the
	// organization then.
	admitted bool
	// principal is that of a request that was not let in yet, or nil.
	principal *org.Principal
}

// Limits hold an organization's writes to its quota.
type Limits interface {
	// Known reports whether a write may begin: whether it is known how much the organization has.
	Known(o *master.Organization) bool
	// Learn finds out how much the organization has, while none of the caller's writes is counted.
	Learn(ctx context.Context) error
	// Writable returns the collection in which a write takes place; false when it is not known
	// any more how much the organization has.
	Writable(o *master.Organization, c docdb.Collection) (docdb.Collection, bool)
	// Alterable returns the collection in which indexes are changed.
	Alterable(o *master.Organization, c docdb.Collection) docdb.Collection
}

// Data returns the access to an organization's data. It does no I/O; whether
// the organization may be used is looked at by every call.
func (a *Access) Data(orgID string, limits Limits) Data {
	return Data{access: a, orgID: orgID, limits: limits}
}

// Admitted returns the access for a request that Authenticate has let in: it begins
// with what was read of the organization then. It looks again afterwards in any case.
func (d Data) Admitted() Data {
	d.admitted = true
	return d
}

// As returns the access for a request of that principal that was not let in yet: whatever
// looks at the organization looks at the principal with it, as Authenticate does.
func (d Data) As(p org.Principal) Data {
	d.principal = &p
	return d
}

// Alone reports whether no other process can write the data.
func (d *Data) Alone() bool { return d.access.cluster.Alone() }

// DrainOwn waits for the writes that this process has begun.
func (d *Data) DrainOwn(ctx context.Context) error { return d.access.DrainOwn(ctx, d.orgID) }

// Organization reads the organization as it is now, if its own admins may use it, and the
// principal is one of them.
func (d *Data) Organization(ctx context.Context) (*master.Organization, error) {
	if d.principal != nil {
		o, a, err := d.access.Pair(ctx, d.orgID, d.principal.AdminID)
		o, _, err = checkPrincipal(*d.principal, o, a, err)
		return o, err
	}
	return usable(d.access.Reader.Organization(ctx, d.orgID))
}

// Read runs a read of the organization's collection, again if the collection has
// been replaced meanwhile. What it has read, or that it could not be read, counts when the
// organization may still be used and is at the same generation after that: then the
// collection was the one in use when it was read, and its owner's. That writes are blocked does
// not concern it, unless reads are, too: what it sees meanwhile is brought over.
func (d *Data) Read(ctx context.Context, f func(context.Context, docdb.Collection) error) error {
	if d.principal != nil {
		if counts, err := d.readAhead(ctx, f); counts {
			return err
		}
	}
	var o *master.Organization
	if d.admitted {
		o = d.access.cache.usable(d.orgID)
	}
	for began := time.Now(); ; o = nil {
		unchanged := d.access.Reader.Watch()
		if o == nil {
			var err error
			if o, err = d.Organization(ctx); err != nil {
				return fault.Of(err)
			}
		}
		result := f(ctx, d.access.tenant.Collection(o.Collection))
		if unchanged() {
			return fault.Of(result)
		}
		now, err := usable(d.access.Reader.Again(ctx, o))
		if err != nil {
			return fault.Of(err)
		}
		if now.Generation == o.Generation && !now.ReadsBlocked() {
			return fault.Of(result)
		}
		if err := awaitUnblocked(ctx, began, now.ReadsBlocked()); err != nil {
			return fault.Of(err)
		}
	}
}

// readAhead is Read for less, on a shared engine: it reads where the data was when this process
// last looked, and then checks the principal and where the data is together, instead of one
// before and the other after. It says whether the answer counts. f may be called for a principal
// that is then refused.
func (d *Data) readAhead(ctx context.Context, f func(context.Context, docdb.Collection) error) (counts bool, err error) {
	o := d.access.cache.usable(d.orgID)
	if o == nil {
		return false, nil
	}
	admin := d.access.Reader.Admin(ctx, d.principal.AdminID)
	result := f(ctx, d.access.tenant.Collection(o.Collection))
	now, err := d.access.Reader.Again(ctx, o)
	var a *master.Admin
	if err == nil {
		a, err = admin(ctx)
	}
	if now, _, err = checkPrincipal(*d.principal, now, a, err); err != nil {
		return true, fault.Of(err)
	}
	if now.Generation != o.Generation || now.ReadsBlocked() {
		return false, nil
	}
	return true, fault.Of(result)
}

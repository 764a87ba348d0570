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
	// admitted says that Authenticate has accepted the request: the access begins with the
	// organization as it was read then.
	admitted bool
	// principal is the principal of a request that was not authenticated yet, or nil.
	principal *org.Principal
}

// Limits hold an organization's writes to its quota.
type Limits interface {
	// Known reports whether a write may begin: whether the organization's usage is known.
	Known(o *master.Organization) bool
	// Learn finds out the organization's usage, while no write of the caller is counted.
	Learn(ctx context.Context) error
	// Writable returns the collection for a write; false if the organization's usage is not
	// known any more.
	Writable(o *master.Organization, c docdb.Collection) (docdb.Collection, bool)
	// Alterable returns the collection for a change of indexes.
	Alterable(o *master.Organization, c docdb.Collection) docdb.Collection
}

// Data returns the access to an organization's data. It does no I/O; every call checks whether the
// organization may be used.
func (a *Access) Data(orgID string, limits Limits) Data {
	return Data{access: a, orgID: orgID, limits: limits}
}

// Admitted returns the access for a request that Authenticate has accepted: it begins with the
// organization as it was read then. It reads the organization again afterwards in any case.
func (d Data) Admitted() Data {
	d.admitted = true
	return d
}

// As returns the access for a request of that principal that was not authenticated yet: whenever the
// access checks the organization, it checks the principal too, as Authenticate does.
func (d Data) As(p org.Principal) Data {
	d.principal = &p
	return d
}

// Alone reports whether no other process can write the data.
func (d *Data) Alone() bool { return d.access.Cluster.Alone() }

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

// Read runs a read of the organization's collection, and repeats it if the collection has been
// replaced meanwhile. The result, or the error, counts only if afterwards the organization may still
// be used and is at the same generation: then the collection was in use, and the organization's,
// while it was read. A block of writes does not stop a read, unless reads are blocked too: the
// move brings over what the read sees meanwhile.
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

// readAhead is a cheaper Read for a shared engine: it reads where the data was when this process last
// read the organization, and then checks the principal and the organization together, instead of
// one before and the other after. It returns whether the result counts. f may be called for a
// principal that is then refused.
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

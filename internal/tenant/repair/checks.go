package repair

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant/access"
	"github.com/orgd/orgd/internal/tenant/cluster"
	"github.com/orgd/orgd/internal/tenant/master"
)

// checks are the invariants, each with the function that finds where it does not hold.
var checks = []struct {
	name, about string
	find        func(*inventory) []Finding
}{
	{"master-indexes", "the master database has its collections and indexes", (*inventory).masterIndexes},
	{"master-documents", "every master document can be read", (*inventory).masterDocuments},
	{"operations", "no operation is left unfinished", (*inventory).unfinished},
	{"operation-references", "an organization's operation is running", (*inventory).danglingOperations},
	{"organization-collections", "an organization has a collection, and it is registered as its own", (*inventory).organizationCollections},
	{"organization-admins", "an organization has an admin", (*inventory).organizationAdmins},
	{"organization-names", "an organization holds its name", (*inventory).organizationNames},
	{"admins", "an admin has an organization", (*inventory).strayAdmins},
	{"admin-emails", "an admin holds the e-mail address", (*inventory).adminEmails},
	{"reservations", "a reserved name or e-mail address is in use", (*inventory).strayReservations},
	{"registry", "a registered collection is in use", (*inventory).strayEntries},
	{"orphans", "every collection org_… is registered", (*inventory).orphans},
	{"dirty-sets", "a dirty set belongs to a running move", (*inventory).strayDirtySets},
	{"kept-sources", "what is kept after a move agrees with where the data is now (with --deep)", (*inventory).keptSources},
	{"instances", "an instance that is registered is alive", (*inventory).deadInstances},
}

const (
	byItself   = "nothing: a running orgd does it by itself; orgd doctor --fix does it now"
	byFix      = "run orgd doctor --fix"
	fromBackup = "restore the master database from a backup, or mend the document by hand"
	// waitsFor is how long an expired lease may wait for an instance to take it, and stuckFor how long
	// until the operator has to act. Whether an orgd is running the databases do not tell: those to which
	// no client writes are not among the instances.
	waitsFor = time.Minute
	stuckFor = 10 * time.Minute
)

// pending returns a finding that a running orgd will remedy.
func pending(subject, format string, args ...any) Finding {
	f := repairable(subject, format, args...)
	f.Remedy, f.Pending = byItself, true
	return f
}

func repairable(subject, format string, args ...any) Finding {
	return Finding{Subject: subject, Detail: fmt.Sprintf(format, args...), Remedy: byFix, Repairable: true}
}

func broken(subject, remedy, format string, args ...any) Finding {
	return Finding{Subject: subject, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func (inv *inventory) masterIndexes() (all []Finding) {
	for _, name := range inv.missing {
		all = append(all, repairable(name, "is missing"))
	}
	return all
}

func (inv *inventory) masterDocuments() (all []Finding) {
	for _, name := range inv.unreadable {
		all = append(all, broken(name, fromBackup, "has a form that orgd does not know"))
	}
	return all
}

// unfinished finds operations that no instance works on: on an exclusive engine that is every running
// operation, and the next start finishes it.
func (inv *inventory) unfinished() (all []Finding) {
	for _, id := range slices.Sorted(maps.Keys(inv.running)) {
		op := inv.running[id]
		waited := inv.now.Sub(op.Lease.Until)
		if !inv.exclusive && waited <= waitsFor {
			continue
		}
		tell := pending
		if !inv.exclusive && waited > stuckFor {
			tell = repairable
		}
		if !op.Kind.Known() {
			all = append(all, broken(id, "start the version of orgd that began it", "%s of organization %s is unknown to this version", op.Kind, op.OrgID))
		} else {
			all = append(all, tell(id, "%s of organization %s is at step %q and nobody goes on with it", op.Kind, op.OrgID, op.Step))
		}
	}
	return all
}

func (inv *inventory) danglingOperations() (all []Finding) {
	for _, o := range inv.organizations {
		switch {
		case dangling(o, inv.over(o.Operation)):
			all = append(all, pending(o.ID, "says that operation %s is changing it, which is over", o.Operation))
		case o.Operation == "" && o.State == org.StateProvisioning:
			all = append(all, broken(o.ID, "remove the document by hand, or "+fromBackup, "is %s, and no operation goes on with it", o.State))
		}
	}
	for _, a := range inv.admins {
		if a.Next != nil && inv.over(a.Next.Operation) && inv.organizationOf[a.OrgID] != nil {
			all = append(all, pending(a.ID, "has new credentials of operation %s waiting, which is over", a.Next.Operation))
		}
	}
	return all
}

func (inv *inventory) organizationCollections() (all []Finding) {
	for _, o := range inv.organizations {
		if !inv.atRest(o) {
			continue
		}
		entry := inv.entryOf[o.Collection]
		if !inv.physical[o.Collection] {
			all = append(all, broken(o.ID, "restore the collection from a backup; or create an empty one of that name, if its documents may be lost",
				"has the collection %q, which is not there", o.Collection))
		}
		switch {
		case entry == nil:
			all = append(all, broken(o.ID, fromBackup, "has the collection %q, which is not registered", o.Collection))
		case entry.OrgID != o.ID:
			all = append(all, broken(o.ID, fromBackup, "has the collection %q, which is registered as organization %s's", o.Collection, entry.OrgID))
		case entry.State != master.Live:
			all = append(all, broken(o.ID, fromBackup, "has the collection %q, which is registered as %s", o.Collection, entry.State))
		}
	}
	return all
}

func (inv *inventory) organizationAdmins() (all []Finding) {
	for _, o := range inv.organizations {
		if a := inv.adminOf[o.AdminID]; inv.atRest(o) && (a == nil || a.OrgID != o.ID) {
			all = append(all, broken(o.ID, fromBackup, "has the admin %q, which is not there or another organization's", o.AdminID))
		}
	}
	return all
}

func (inv *inventory) organizationNames() (all []Finding) {
	for _, o := range inv.organizations {
		if !inv.atRest(o) {
			continue
		}
		switch held := inv.reservationOf[master.NameReservation(o.NameKey)]; {
		case held == nil:
			all = append(all, repairable(o.ID, "does not hold its name %q: another can take it", o.Name))
		case held.OrgID != o.ID:
			all = append(all, broken(o.ID, "give one of the two another name, or "+fromBackup, "does not hold its name %q: another has it", o.Name))
		}
	}
	return all
}

// unheld returns the reservations that are missing.
func (inv *inventory) unheld() (all []*master.Reservation) {
	for _, o := range inv.organizations {
		if id := master.NameReservation(o.NameKey); inv.atRest(o) && inv.reservationOf[id] == nil {
			all = append(all, &master.Reservation{Meta: master.Meta{ID: id}, OrgID: o.ID})
		}
	}
	for _, a := range inv.admins {
		o := inv.organizationOf[a.OrgID]
		if id := master.EmailReservation(a.EmailKey); o != nil && inv.atRest(o) && inv.reservationOf[id] == nil {
			all = append(all, &master.Reservation{Meta: master.Meta{ID: id}, OrgID: a.OrgID, AdminID: a.ID})
		}
	}
	return all
}

func (inv *inventory) strayAdmins() (all []Finding) {
	for _, a := range inv.admins {
		if adminStray(inv.over(a.Operation), inv.organizationOf[a.OrgID]) {
			all = append(all, pending(a.ID, "belongs to organization %q, which is not there", a.OrgID))
		}
	}
	return all
}

func (inv *inventory) adminEmails() (all []Finding) {
	for _, a := range inv.admins {
		o := inv.organizationOf[a.OrgID]
		if o == nil || !inv.atRest(o) {
			continue
		}
		switch held := inv.reservationOf[master.EmailReservation(a.EmailKey)]; {
		case held == nil:
			all = append(all, repairable(a.ID, "does not hold the address %q: another can take it", a.Email))
		case held.AdminID != a.ID:
			all = append(all, broken(a.ID, "give one of the two another address, or "+fromBackup, "does not hold the address %q: another has it", a.Email))
		}
	}
	return all
}

func (inv *inventory) strayReservations() (all []Finding) {
	for _, res := range inv.reservations {
		o := inv.organizationOf[res.OrgID]
		switch {
		case inv.busyWith[res.OrgID], reservationUsed(res, inv.over(res.Operation), o, inv.adminOf[res.AdminID]):
		case o == nil:
			all = append(all, pending(res.ID, "belongs to organization %q, which is not there", res.OrgID))
		default:
			all = append(all, pending(res.ID, "belongs to organization %s, which does not use it", res.OrgID))
		}
	}
	return all
}

func (inv *inventory) strayEntries() (all []Finding) {
	for _, c := range inv.registry {
		o := inv.organizationOf[c.OrgID]
		verdict := judgeEntry(c, inv.over(c.Operation), o, inv.now)
		if verdict == inUse || o != nil && inv.busyWith[o.ID] {
			continue
		}
		owner := fmt.Sprintf("organization %s has another", c.OrgID)
		if o == nil {
			owner = fmt.Sprintf("organization %q is not there", c.OrgID)
		}
		switch {
		case verdict == useless, verdict == proposed && !inv.physical[c.ID]:
			all = append(all, pending(c.ID, "is %s, and %s", c.State, owner))
		case inv.physical[c.ID]:
			all = append(all, broken(c.ID, "look at its documents: "+fromBackup+", or drop it and remove its entry", "is live, and %s", owner))
		default:
			all = append(all, broken(c.ID, "remove its entry by hand", "is live and not there, and %s", owner))
		}
	}
	return all
}

func (inv *inventory) orphans() (all []Finding) {
	for _, name := range slices.Sorted(maps.Keys(inv.physical)) {
		switch {
		case !strings.HasPrefix(name, org.CollectionPrefix) || inv.entryOf[name] != nil:
		case inv.isolated[cluster.QuarantineID(name)]:
			all = append(all, pending(name, "was dropped, and a stalled instance has created it again"))
		default:
			all = append(all, broken(name, "look at its documents, and drop it if it is nobody's", "is registered as no organization's"))
		}
	}
	return all
}

func (inv *inventory) strayDirtySets() (all []Finding) {
	for _, set := range inv.dirtySets {
		if opID, _ := access.DirtyOwner(set); inv.over(opID) {
			all = append(all, pending(set, "belongs to a move that is over"))
		}
	}
	return all
}

func (inv *inventory) deadInstances() (all []Finding) {
	for _, m := range inv.instances {
		if inv.now.Sub(m.SeenAt) >= deadFor {
			all = append(all, pending(m.ID, "was last heard of at %s", m.SeenAt.UTC().Format(time.RFC3339)))
		}
	}
	return all
}

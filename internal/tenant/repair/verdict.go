package repair

import (
	"time"

	"github.com/orgd/orgd/internal/tenant/master"
)

// The verdicts on records of the master database, by which the reconciler removes them and the doctor
// reports them. over says that the operation that the record names is not running any more; o is the
// record's organization, nil if there is none.

// dangling reports whether an organization names an operation that is over.
func dangling(o *master.Organization, over bool) bool { return o.Operation != "" && over }

// adminStray reports whether an admin belongs to no organization, not even to one that is being made.
func adminStray(over bool, o *master.Organization) bool { return over && o == nil }

// reservationUsed reports whether a reservation has a use: for an operation that is running, or
// that may be about to change the organization, or as the name or address that it has now. a is
// the admin named by the reservation, nil if there is none.
func reservationUsed(res *master.Reservation, over bool, o *master.Organization, a *master.Admin) bool {
	switch {
	case !over:
		return true
	case o == nil:
		return false
	case o.Operation != "", master.NameReservation(o.NameKey) == res.ID:
		return true
	}
	return a != nil && master.EmailReservation(a.EmailKey) == res.ID
}

// entryVerdict is what a registered collection is good for.
type entryVerdict int

const (
	inUse    entryVerdict = iota // or kept for a while, or an operation's
	lost                         // live, and no organization's: its data may be all there is
	useless                      // to be dropped
	proposed                     // by a message that came too late: to be dropped if it is empty
)

// judgeEntry decides on a registered collection. A live one is never useless, whatever its owner: no
// owner that dies leaves one with documents behind, so that its organization was lost in another way.
func judgeEntry(c *master.Collection, over bool, o *master.Organization, now time.Time) entryVerdict {
	switch {
	case !over, o != nil && (o.Operation != "" || o.Collection == c.ID):
		return inUse
	case c.State == master.Live && c.Token == 0:
		return proposed
	case c.State == master.Live:
		return lost
	case o != nil && c.Kept(now):
		return inUse
	}
	return useless
}

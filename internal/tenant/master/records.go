package master

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/org"
)

// Organization is one document of master's `organizations`: the one place that
// says where an organization's data is. Everything else can be derived again.
type Organization struct {
	Meta       `bson:",inline"`
	Name       string    `bson:"organization_name"`
	NameKey    string    `bson:"name_key"`
	Collection string    `bson:"collection_name"`
	Generation int64     `bson:"generation"`
	State      org.State `bson:"state"`
	AdminID    string    `bson:"admin_id"`
	// Operation is the id of the one operation that may change the
	// organization now, or empty.
	Operation string `bson:"operation"`
	// Token is the fencing token of the operation's owner that may change the
	// organization now.
	Token int64 `bson:"fence"`
	// Epoch is raised by every step of a move that writers must know of.
	Epoch int64 `bson:"epoch"`
	// Move is set while the data is being moved.
	Move *Move `bson:"move,omitempty"`
	// Ended is how often all tokens of the organization were revoked: see CredentialOf.
	Ended int64 `bson:"ended,omitempty"`
	// PurgeAfter is set when the organization was deleted with a time of grace: until then
	// it can be restored, to StateBefore.
	PurgeAfter  *time.Time `bson:"purge_after,omitempty"`
	StateBefore org.State  `bson:"state_before,omitempty"`
	// Credential is the version of the admin's credentials as long as no operation is changing the
	// organization; 0 if it is not known.
	Credential int64 `bson:"credential,omitempty"`
	// Quota is set if the operator has set a quota.
	Quota *Quota `bson:"quota,omitempty"`

	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

// Move is what writers and readers must know of a move: see docs/moves.md.
type Move struct {
	Phase  Phase  `bson:"phase"`
	Target string `bson:"target"`
	Dirty  string `bson:"dirty"` // the dirty set, in the master database
}

// Phase is what a move asks of readers and writers.
type Phase string

const (
	Copying Phase = "copying" // writers record what they write
	Blocked Phase = "fenced"  // writers wait
	Closed  Phase = "closed"  // readers wait as well
)

// Admin is one document of master's `admins`, the only place with password hashes.
type Admin struct {
	Meta         `bson:",inline"`
	OrgID        string `bson:"org_id"`
	Email        string `bson:"email"`
	EmailKey     string `bson:"email_key"`
	PasswordHash string `bson:"password_hash"`
	Role         string `bson:"role"`
	// Credential is raised by every change of e-mail or password; a token has, by CredentialOf,
	// the value that it was issued for.
	Credential int64 `bson:"credential"`
	// Next are the staged credentials of an update that is not decided yet.
	Next      *Credentials `bson:"next,omitempty"`
	Operation string       `bson:"op_id"` // the operation that made the admin
	CreatedAt time.Time    `bson:"created_at"`
	UpdatedAt time.Time    `bson:"updated_at"`
}

// Credentials are what an update changes of an admin; empty is unchanged.
type Credentials struct {
	Operation    string `bson:"op_id"`
	Email        string `bson:"email,omitempty"`
	EmailKey     string `bson:"email_key,omitempty"`
	PasswordHash string `bson:"password_hash,omitempty"`
}

// Collection is one document of master's `collections`: the registry of every
// physical collection. Its _id is the physical name. Nothing is created that is
// not claimed here first, and nothing is dropped but by the owner named here.
type Collection struct {
	Meta       `bson:",inline"`
	OrgID      string          `bson:"org_id"`
	Operation  string          `bson:"op_id"` // the operation that claimed it
	Token      int64           `bson:"fence"` // and the fencing token of its owner then
	Generation int64           `bson:"generation"`
	State      CollectionState `bson:"state"`
	DropAfter  *time.Time      `bson:"drop_after,omitempty"`
	RetiredAt  *time.Time      `bson:"retired_at,omitempty"` // when it was kept after a move
	CreatedAt  time.Time       `bson:"created_at"`
}

// Kept reports whether a retired collection is not to be dropped yet.
func (c *Collection) Kept(now time.Time) bool { return c.DropAfter != nil && now.Before(*c.DropAfter) }

// CollectionState is what a physical collection is used for.
type CollectionState string

const (
	Building CollectionState = "building" // not in use yet; goes if its operation fails
	Live     CollectionState = "live"     // an organization's data
	Retired  CollectionState = "retired"  // an earlier generation, to be dropped
)

// Reservation is one document of master's `reservations`. Its _id, `name:` or
// `email:` and a key, is the one way in which uniqueness over documents is
// enforced: _id is unique even on a sharded collection.
type Reservation struct {
	Meta      `bson:",inline"`
	OrgID     string    `bson:"org_id"`
	AdminID   string    `bson:"admin_id,omitempty"` // of an e-mail address
	Operation string    `bson:"op_id"`              // the operation that last asked for it
	CreatedAt time.Time `bson:"created_at"`
}

// NameReservation is the _id of a name's reservation.
func NameReservation(key string) string { return "name:" + key }

// EmailReservation is the _id of an address's reservation.
func EmailReservation(key string) string { return "email:" + key }

// Operation is one document of master's `operations`: a lifecycle change, with
// all that is needed to go on with it after a crash.
type Operation struct {
	Meta  `bson:",inline"`
	Kind  Kind   `bson:"kind"`
	OrgID string `bson:"org_id"`
	Plan  Plan   `bson:"plan"`
	// Step is the step to run next. Its effect may have happened already.
	Step     string   `bson:"step"`
	Lease    Lease    `bson:"lease"`
	Progress Progress `bson:"progress"`
	// Refusal is why the operation is being undone, or failed.
	Refusal *Refusal `bson:"refusal,omitempty"`
	Outcome Outcome  `bson:"outcome"`

	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

// Kind says what an operation does.
type Kind string

// The kinds of operations.
const (
	Create Kind = "create"
	Update Kind = "update"
	Delete Kind = "delete"
)

// Known reports whether this version knows the kind.
func (k Kind) Known() bool { return k == Create || k == Update || k == Delete }

// Outcome is how an operation ended, if it has.
type Outcome string

const (
	Running   Outcome = "running"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	// Forestalled is an operation that never began, and may not begin any more.
	Forestalled Outcome = "forestalled"
)

// Plan is the input of an operation and what its steps have decided, stored before the step that uses
// it. It holds no secret: password hashes are staged in admins.
type Plan struct {
	AdminID    string `bson:"admin_id"`
	Credential int64  `bson:"credential,omitempty"` // the version the request was authenticated with

	Name             string `bson:"organization_name,omitempty"` // new
	NameKey          string `bson:"name_key,omitempty"`
	OldNameKey       string `bson:"old_name_key,omitempty"`
	OldNameOperation string `bson:"old_name_op,omitempty"` // the operation that reserved it

	Email             string `bson:"email,omitempty"` // new
	EmailKey          string `bson:"email_key,omitempty"`
	OldEmailKey       string `bson:"old_email_key,omitempty"`
	OldEmailOperation string `bson:"old_email_op,omitempty"`

	Password bool `bson:"password,omitempty"` // a new hash waits in admin.Next

	// Purge says that the operation is due to the end of the time of grace, not to an admin.
	Purge bool `bson:"purge,omitempty"`

	Migrate    bool   `bson:"migrate,omitempty"`
	Source     string `bson:"source,omitempty"`
	Target     string `bson:"target,omitempty"`
	Generation int64  `bson:"generation,omitempty"` // of the target
}

// Lease says which instance runs an operation. Another may take the operation over when the lease has
// expired; the former owner's next checkpoint then fails on the version.
type Lease struct {
	Owner string    `bson:"owner"`
	Until time.Time `bson:"until"`
	// Token is the fencing token: it counts the owners.
	Token int64 `bson:"fence"`
	// Handed says that the owner has stopped, and has no call in progress.
	Handed bool `bson:"handed,omitempty"`
}

// Progress is how far a move is.
type Progress struct {
	Total  int64 `bson:"total"` // documents of the source when the copy began
	Copied int64 `bson:"copied"`
	Bytes  int64 `bson:"bytes"`
	// Began is when the copy began.
	Began time.Time `bson:"began,omitempty"`
	// Last is {_id: v} of the last document known to be copied.
	Last bson.Raw `bson:"last,omitempty"`
	// Applied is the epoch up to which the dirty set is in the target.
	Applied int64 `bson:"applied,omitempty"`
	// Mended counts the documents that verification found different.
	Mended int64 `bson:"mended,omitempty"`
}

// Refusal is why an operation was refused.
type Refusal struct {
	Kind    org.Kind `bson:"kind"`
	Message string   `bson:"message"`
	Field   string   `bson:"field,omitempty"`
	// Operation is the operation in progress, with org.OperationInProgress.
	Operation string `bson:"op_id,omitempty"`
}

// Quota is how much an organization may have; 0 is no limit.
type Quota struct {
	Documents int64 `bson:"max_documents,omitempty"`
	Bytes     int64 `bson:"max_bytes,omitempty"`
}

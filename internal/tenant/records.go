package tenant

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/org"
)

// organization is one document of master's `organizations`: the one place that
// says where an organization's data is. Everything else can be derived again.
type organization struct {
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
	// Fence is that of the operation's owner that may change the organization
	// now: see takeUp.
	Fence int64 `bson:"fence"`
	// Epoch is raised by every step of a move that writers must know of.
	Epoch int64 `bson:"epoch"`
	// Move is there while the data is being moved.
	Move *move `bson:"move,omitempty"`
	// Ended is how often all its tokens were made void: see credentialOf.
	Ended int64 `bson:"ended,omitempty"`
	// PurgeAfter is there when the organization was deleted with a time of grace:
	// until then it can be restored, to StateBefore.
	PurgeAfter  *time.Time `bson:"purge_after,omitempty"`
	StateBefore org.State  `bson:"state_before,omitempty"`
	// Quota is there when the operator has set one.
	Quota *quota `bson:"quota,omitempty"`

	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

// move is what writers and readers must know of a move: see docs/moves.md.
type move struct {
	Phase  phase  `bson:"phase"`
	Target string `bson:"target"`
	Dirty  string `bson:"dirty"` // the dirty set, in the master database
}

type phase string

const (
	copying phase = "copying" // writers record what they write
	fenced  phase = "fenced"  // writers wait
	closed  phase = "closed"  // readers wait as well
)

// fenced reports whether nobody may write the data at this moment.
func (o *organization) fenced() bool { return o.Move != nil && o.Move.Phase != copying }

// closed reports whether nobody may read it either.
func (o *organization) closed() bool { return o.Move != nil && o.Move.Phase == closed }

func (o *organization) public() org.Organization {
	out := org.Organization{
		ID: o.ID, Name: o.Name, Collection: o.Collection, Generation: o.Generation, State: o.State,
		AdminID: o.AdminID, Operation: o.Operation, CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
		Quota: o.quota(),
	}
	if o.PurgeAfter != nil {
		out.PurgeAfter = o.PurgeAfter.UTC()
	}
	return out
}

// admin is one document of master's `admins`, the only place with password hashes.
type admin struct {
	Meta         `bson:",inline"`
	OrgID        string `bson:"org_id"`
	Email        string `bson:"email"`
	EmailKey     string `bson:"email_key"`
	PasswordHash string `bson:"password_hash"`
	Role         string `bson:"role"`
	// Credential is raised by every change of e-mail or password; tokens, by credentialOf, say
	// which one they were issued for.
	Credential int64 `bson:"credential"`
	// Next are credentials that wait for their update to be decided.
	Next      *credentials `bson:"next,omitempty"`
	Operation string       `bson:"op_id"` // the operation that made the admin
	CreatedAt time.Time    `bson:"created_at"`
	UpdatedAt time.Time    `bson:"updated_at"`
}

// credentials are what an update changes of an admin; empty is unchanged.
type credentials struct {
	Operation    string `bson:"op_id"`
	Email        string `bson:"email,omitempty"`
	EmailKey     string `bson:"email_key,omitempty"`
	PasswordHash string `bson:"password_hash,omitempty"`
}

// collection is one document of master's `collections`: the registry of every
// physical collection. Its _id is the physical name. Nothing is created that is
// not claimed here first, and nothing is dropped but by the owner named here.
type collection struct {
	Meta       `bson:",inline"`
	OrgID      string          `bson:"org_id"`
	Operation  string          `bson:"op_id"` // the operation that claimed it
	Fence      int64           `bson:"fence"` // and the fence of its owner then
	Generation int64           `bson:"generation"`
	State      collectionState `bson:"state"`
	DropAfter  *time.Time      `bson:"drop_after,omitempty"`
	RetiredAt  *time.Time      `bson:"retired_at,omitempty"` // when it was kept after a move
	CreatedAt  time.Time       `bson:"created_at"`
}

// kept reports whether a retired collection is not to be dropped yet.
func (c *collection) kept(now time.Time) bool { return c.DropAfter != nil && now.Before(*c.DropAfter) }

type collectionState string

const (
	building collectionState = "building" // not in use yet; goes if its operation fails
	live     collectionState = "live"     // an organization's data
	retired  collectionState = "retired"  // an earlier generation, to be dropped
)

// reservation is one document of master's `reservations`. Its _id, `name:` or
// `email:` and a key, is the one way in which uniqueness over documents is
// enforced: _id is unique even on a sharded collection.
type reservation struct {
	Meta      `bson:",inline"`
	OrgID     string    `bson:"org_id"`
	AdminID   string    `bson:"admin_id,omitempty"` // of an e-mail address
	Operation string    `bson:"op_id"`              // the operation that last asked for it
	CreatedAt time.Time `bson:"created_at"`
}

func nameReservation(key string) string  { return "name:" + key }
func emailReservation(key string) string { return "email:" + key }

// operation is one document of master's `operations`: a lifecycle change, with
// all that is needed to go on with it after a crash.
type operation struct {
	Meta  `bson:",inline"`
	Kind  kindName `bson:"kind"`
	OrgID string   `bson:"org_id"`
	Plan  plan     `bson:"plan"`
	// Step is the step to run next. Its effect may have happened already.
	Step     string   `bson:"step"`
	Lease    lease    `bson:"lease"`
	Progress progress `bson:"progress"`
	// Refusal is why the operation is being undone, or failed.
	Refusal *refusal `bson:"refusal,omitempty"`
	Outcome outcome  `bson:"outcome"`

	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

type outcome string

const (
	running   outcome = "running"
	succeeded outcome = "succeeded"
	failed    outcome = "failed"
	// forestalled is what never began, and may not any more.
	forestalled outcome = "forestalled"
)

// plan is what was asked for and decided, fixed before the step that uses it.
// It holds no secret: password hashes wait in admins.
type plan struct {
	AdminID    string `bson:"admin_id"`
	Credential int64  `bson:"credential,omitempty"` // the version the request was authenticated with

	Name       string `bson:"organization_name,omitempty"` // new
	NameKey    string `bson:"name_key,omitempty"`
	OldNameKey string `bson:"old_name_key,omitempty"`
	OldName    string `bson:"old_name_op,omitempty"` // the operation that reserved it

	Email       string `bson:"email,omitempty"` // new
	EmailKey    string `bson:"email_key,omitempty"`
	OldEmailKey string `bson:"old_email_key,omitempty"`
	OldEmail    string `bson:"old_email_op,omitempty"`

	Password bool `bson:"password,omitempty"` // a new hash waits in admin.Next

	// Purge says that the time of grace is over, rather than that an admin asks.
	Purge bool `bson:"purge,omitempty"`

	Migrate    bool   `bson:"migrate,omitempty"`
	Source     string `bson:"source,omitempty"`
	Target     string `bson:"target,omitempty"`
	Generation int64  `bson:"generation,omitempty"` // of the target
}

// lease says which instance runs an operation. Another may take it when it has
// run out; the former owner's next mark then fails on the version.
type lease struct {
	Owner string    `bson:"owner"`
	Until time.Time `bson:"until"`
	// Fence counts the owners.
	Fence int64 `bson:"fence"`
	// Handed says that the owner has stopped, and has no call under way.
	Handed bool `bson:"handed,omitempty"`
}

type progress struct {
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

type refusal struct {
	Kind    org.Kind `bson:"kind"`
	Message string   `bson:"message"`
	Field   string   `bson:"field,omitempty"`
	// Operation is the one in the way, with org.OperationInProgress.
	Operation string `bson:"op_id,omitempty"`
}

package peer

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/bench/organization"
)

// made are the documents of an organization that the loop creates. They have fields as
// orgd's have, since the server's work depends on their size and on their indexes.
type made struct {
	operation    operationDoc
	name, email  reservationDoc
	admin        adminDoc
	organization organizationDoc
	entry        entryDoc
}

// Meta begins each of them. (The driver leaves out an embedded struct that is not exported.)
type Meta struct {
	ID      string        `bson:"_id"`
	Version bson.ObjectID `bson:"version"`
}

type operationDoc struct {
	Meta      `bson:",inline"`
	Kind      string    `bson:"kind"`
	OrgID     string    `bson:"org_id"`
	Plan      planDoc   `bson:"plan"`
	Step      string    `bson:"step"`
	Owner     string    `bson:"owner"`
	Until     time.Time `bson:"until"`
	Outcome   string    `bson:"outcome"`
	CreatedAt time.Time `bson:"created_at"`
	UpdatedAt time.Time `bson:"updated_at"`
}

type planDoc struct {
	AdminID    string `bson:"admin_id"`
	Name       string `bson:"organization_name"`
	NameKey    string `bson:"name_key"`
	Email      string `bson:"email"`
	EmailKey   string `bson:"email_key"`
	Generation int64  `bson:"generation"`
}

type reservationDoc struct {
	Meta      `bson:",inline"`
	OrgID     string    `bson:"org_id"`
	AdminID   string    `bson:"admin_id"`
	Operation string    `bson:"op_id"`
	CreatedAt time.Time `bson:"created_at"`
}

type adminDoc struct {
	Meta         `bson:",inline"`
	OrgID        string    `bson:"org_id"`
	Email        string    `bson:"email"`
	EmailKey     string    `bson:"email_key"`
	PasswordHash string    `bson:"password_hash"`
	Role         string    `bson:"role"`
	Credential   int64     `bson:"credential"`
	Operation    string    `bson:"op_id"`
	CreatedAt    time.Time `bson:"created_at"`
	UpdatedAt    time.Time `bson:"updated_at"`
}

type organizationDoc struct {
	Meta       `bson:",inline"`
	Name       string    `bson:"organization_name"`
	NameKey    string    `bson:"name_key"`
	Collection string    `bson:"collection_name"`
	State      string    `bson:"state"`
	AdminID    string    `bson:"admin_id"`
	Operation  string    `bson:"operation"`
	Token      int64     `bson:"fence"`
	CreatedAt  time.Time `bson:"created_at"`
	UpdatedAt  time.Time `bson:"updated_at"`
}

// An entryDoc is a collection in the registry.
type entryDoc struct {
	Meta       `bson:",inline"`
	OrgID      string    `bson:"org_id"`
	Operation  string    `bson:"op_id"`
	Token      int64     `bson:"fence"`
	Generation int64     `bson:"generation"`
	State      string    `bson:"state"`
	CreatedAt  time.Time `bson:"created_at"`
}

// What updates set.
type (
	step    struct{ Step string }
	outcome struct{ Outcome string }
	home    struct {
		Collection string `bson:"collection_name"`
		State      string
	}
)

func newMade(n int, hash string) made {
	now, name, email := time.Now(), organization.Name(n), organization.Email(n)
	next := func(id string) Meta { return Meta{ID: id, Version: bson.NewObjectID()} }
	fresh := func() Meta { return next(bson.NewObjectID().Hex()) }
	org, admin, op := fresh(), fresh(), fresh()
	reservation := func(id string) reservationDoc {
		return reservationDoc{Meta: next(id), OrgID: org.ID, AdminID: admin.ID, Operation: op.ID, CreatedAt: now}
	}
	return made{
		operation: operationDoc{Meta: op, Kind: "create", OrgID: org.ID, Step: "reserve", Owner: op.ID, Until: now, Outcome: "running",
			CreatedAt: now, UpdatedAt: now,
			Plan: planDoc{AdminID: admin.ID, Name: name, NameKey: name, Email: email, EmailKey: email, Generation: 1}},
		name: reservation(nameKey(n)), email: reservation(emailKey(n)),
		admin: adminDoc{Meta: admin, OrgID: org.ID, Email: email, EmailKey: email, PasswordHash: hash, Role: "owner", Credential: 1,
			Operation: op.ID, CreatedAt: now, UpdatedAt: now},
		organization: organizationDoc{Meta: org, Name: name, NameKey: name, State: "provisioning", AdminID: admin.ID, Operation: op.ID,
			Token: 1, CreatedAt: now, UpdatedAt: now},
		entry: entryDoc{Meta: next(fmt.Sprintf("org_bench_%06d", n)), OrgID: org.ID, Operation: op.ID, Token: 1, Generation: 1,
			State: "building", CreatedAt: now},
	}
}

// nameKey and emailKey are the ids of the reservations of organization number n.
func nameKey(n int) string { return "name:" + organization.Name(n) }

func emailKey(n int) string { return "email:" + organization.Email(n) }

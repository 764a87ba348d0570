// Package master is the master database: its documents, the compare-and-swap by which they change, and
// the rules of names, addresses and physical collections.
package master

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/orgd/orgd/internal/docdb"
)

// Database is the master database's collections as tables.
type Database struct {
	docdb.Database
	// Now returns the time with the precision of BSON.
	Now func() time.Time

	Organizations Table[Organization, *Organization]
	Admins        Table[Admin, *Admin]
	Collections   Table[Collection, *Collection]
	Reservations  Reservations
	Operations    Table[Operation, *Operation]
	// Changes counts the changes that this process makes to organizations.
	Changes *Changes
}

// NewDatabase returns the tables. It does no I/O.
func NewDatabase(db docdb.Database, now func() time.Time) *Database {
	m := &Database{Database: db, Now: now, Changes: &Changes{}}
	m.Organizations = NewTable[Organization](db, "organizations")
	m.Organizations.changing = m.Changes
	m.Admins = NewTable[Admin](db, "admins")
	m.Collections = NewTable[Collection](db, "collections")
	m.Reservations = Reservations{NewTable[Reservation](db, "reservations")}
	m.Operations = NewTable[Operation](db, "operations")
	return m
}

// NewID returns a UUID that sorts by the time it was made.
func NewID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// ErrLeaseLost says that another instance has taken the operation over.
var ErrLeaseLost = errors.New("operation was taken over by another instance")

package peer

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"golang.org/x/crypto/bcrypt"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/organization"
)

// necessary are the commands of the loop.
const necessary = "a get is a find of the name's reservation and one of the organization; a login is a find of the address's reservation, " +
	"one of the organization and one of the admin; a create is the inserts of the operation, of two reservations (one command), the admin, the " +
	"organization, the counted name and the registry's entry, the create of the collection, and the updates of the operation (a checkpoint), of the " +
	"organization (it becomes active) and of the operation (its end)"

// A driverLoop sends the commands that orgd cannot do without, with the bare driver.
type driverLoop struct {
	ctx            context.Context // of the whole run: the context of a load ends in the middle of calls
	server         *mongo.Client
	master, tenant *mongo.Database
	made           atomic.Int64
}

// openDriver connects with the read and write concern of orgd's engine.
func openDriver(ctx context.Context, uri string) (*driverLoop, error) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}))
	if err != nil {
		return nil, err
	}
	d := &driverLoop{ctx: ctx, server: c, master: c.Database(mongoserver.BareMasterDB), tenant: c.Database(mongoserver.BareTenantDB)}
	return d, nil
}

func (d *driverLoop) close() error { return d.server.Disconnect(context.WithoutCancel(d.ctx)) }

// fill gives the loop's database the indexes of orgd's, and creates the organizations that
// are there from the beginning.
func (d *driverLoop) fill(ctx context.Context) error {
	if err := d.copyIndexes(ctx); err != nil {
		return err
	}
	_, err := load.Load{Clients: clients, Count: there, Do: d.create}.RunHere(ctx)
	return err
}

func (d *driverLoop) copyIndexes(ctx context.Context) error {
	from := d.server.Database(mongoserver.MasterDB)
	names, err := from.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return err
	}
	for _, name := range names {
		specs, err := from.Collection(name).Indexes().ListSpecifications(ctx)
		if err != nil {
			return err
		}
		for _, spec := range specs {
			ix := mongo.IndexModel{Keys: spec.KeysDocument, Options: options.Index().SetName(spec.Name)}
			if spec.Name == "_id_" {
				continue
			}
			if _, err := d.master.Collection(name).Indexes().CreateOne(ctx, ix); err != nil {
				return err
			}
		}
	}
	return nil
}

// find reads one document of the master database.
func (d *driverLoop) find(collection, id string) (bson.Raw, error) {
	return d.master.Collection(collection).FindOne(d.ctx, bson.D{{Key: "_id", Value: id}}).Raw()
}

func (d *driverLoop) get(_ client.Client, n int) error {
	held, err := d.find("reservations", nameKey(spread(n)))
	if err == nil {
		_, err = d.find("organizations", held.Lookup("org_id").StringValue())
	}
	return err
}

func (d *driverLoop) login(_ client.Client, n int) error {
	held, err := d.find("reservations", emailKey(spread(n)))
	if err != nil {
		return err
	}
	if _, err := d.find("organizations", held.Lookup("org_id").StringValue()); err != nil {
		return err
	}
	admin, err := d.find("admins", held.Lookup("admin_id").StringValue())
	if err != nil {
		return err
	}
	return bcrypt.CompareHashAndPassword([]byte(admin.Lookup("password_hash").StringValue()), []byte(organization.Password))
}

// create sends the ten commands of a create, of which each waits for the one before.
func (d *driverLoop) create(client.Client, int) error {
	hash, err := bcrypt.GenerateFromPassword([]byte(organization.Password), cost)
	if err != nil {
		return err
	}
	m := newMade(int(d.made.Add(1))-1, string(hash))
	for _, send := range []func() error{
		func() error { return d.insert("operations", m.operation) },
		func() error { return d.insert("reservations", m.name, m.email) },
		func() error { return d.insert("admins", m.admin) },
		func() error { return d.insert("organizations", m.organization) },
		func() error { return d.insert("names", Meta{ID: m.entry.ID}) },
		func() error { return d.insert("collections", m.entry) },
		func() error { return d.tenant.CreateCollection(d.ctx, m.entry.ID) },
		func() error { return d.update("operations", m.operation.Meta, step{"enliven"}) },
		func() error { return d.update("organizations", m.organization.Meta, home{m.entry.ID, "active"}) },
		func() error { return d.update("operations", m.operation.Meta, outcome{"succeeded"}) },
	} {
		if err := send(); err != nil {
			return fmt.Errorf("create %s: %w", m.organization.Name, err)
		}
	}
	return nil
}

func (d *driverLoop) insert(collection string, docs ...any) error {
	if len(docs) == 1 {
		_, err := d.master.Collection(collection).InsertOne(d.ctx, docs[0])
		return err
	}
	_, err := d.master.Collection(collection).InsertMany(d.ctx, docs)
	return err
}

// update changes a document if it has the version, as a compare-and-swap does.
func (d *driverLoop) update(collection string, of Meta, set any) error {
	result, err := d.master.Collection(collection).UpdateOne(d.ctx, of, bson.D{{Key: "$set", Value: set}})
	if err == nil && result.MatchedCount != 1 {
		err = fmt.Errorf("%s %s is not there", collection, of.ID)
	}
	return err
}

package documents

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
	"github.com/orgd/orgd/internal/garbage"
)

// bareCollection is the collection of the bare driver.
const bareCollection = "bench_bare_documents"

// OnMongoDB compares gets and inserts over HTTP with a loop that makes the one
// call of each with the bare driver.
func OnMongoDB(ctx context.Context, s *suite.Suite) error {
	return mongoserver.With(ctx, s, func(uri string) error { return onServer(ctx, s, uri) })
}

// onServer is OnMongoDB on the server at uri.
func onServer(ctx context.Context, s *suite.Suite, uri string) (err error) {
	there := initialOnMongo
	if s.Quick {
		there = 1_000
	}
	t, err := organization.Start(ctx, s, "documents-mongo", "MONGO_URI="+uri, "JWT_SECRET="+process.JWTSecret(),
		"MASTER_DB_NAME="+mongoserver.MasterDB, "TENANT_DB_NAME="+mongoserver.TenantDB)
	if err != nil {
		return err
	}
	defer t.Orgd.Stop()
	if err := t.FillDocuments(ctx, there); err != nil {
		return err
	}
	bare, err := openDriver(ctx, uri, there)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	if err := bare.fill(); err != nil {
		return err
	}
	program, err := s.WithoutCgo(ctx)
	if err != nil {
		return err
	}
	body, err := t.Orgd.Once(NewLoads(t.Token, there).gets[0], 200)
	if err != nil {
		return err
	}
	proxy, err := s.StartHelperOf(ctx, program, "bare-documents", uri, fmt.Sprint(there), "0", string(body))
	if err != nil {
		return err
	}
	defer proxy.Stop()
	return compareWithDriver(ctx, s, t, proxy, bare)
}

// compareWithDriver compares orgd, and then a bare Echo in the place of orgd, with the
// loop.
func compareWithDriver(ctx context.Context, s *suite.Suite, t organization.Session, proxy *process.Server, direct *driverLoop) error {
	// The loop runs in this process.
	defer garbage.Tune()()
	ours, theirs := NewLoads(t.Token, direct.there), NewLoads(t.Token, direct.there)
	for i, op := range Operations {
		calls := []func(client.Client, int) error{direct.getOne, func(client.Client, int) error { return direct.insert(int(theirs.next.Add(1) - 1)) }}
		loop := func() (load.Sample, error) {
			return load.Load{Clients: Clients, Lasts: s.Window, Do: calls[i]}.RunHere(ctx)
		}
		over := func(v *process.Server) func() (load.Sample, error) {
			return func() (load.Sample, error) {
				return load.Load{Clients: Clients, Lasts: s.Window, Do: op.Do(ours)}.Run(ctx, v)
			}
		}
		a, b, err := s.Alternate(over(t.Orgd), loop)
		if err != nil {
			return err
		}
		ratio := figure.MedianRatio(a, b, load.Rate)
		s.Add(suite.Row{
			What: fmt.Sprintf("%s of %d bytes, %d clients that cost next to nothing, MongoDB; yardstick: the one call with the bare driver, as many at a time",
				op.Name, len(fixture.Stored(0)), Clients),
			Orgd: load.Median(a).String(), Yardstick: load.Median(b).String(), Ratio: figure.Percent(ratio),
			Target: "≥ " + figure.Percent(documentMongoTarget), Reached: suite.Reached(ratio >= documentMongoTarget),
		})
		if a, b, err = s.Alternate(over(proxy), loop); err != nil {
			return err
		}
		s.Add(suite.Row{
			What: "what HTTP alone leaves of it: a bare Echo that makes the one call, in the place of orgd; the same yardstick",
			Orgd: load.Median(a).String(), Yardstick: load.Median(b).String(), Ratio: figure.Percent(figure.MedianRatio(a, b, load.Rate)),
		})
	}
	s.Note(fmt.Sprintf("Documents on MongoDB: %s are there at the beginning, with one unique index. The loop with the bare driver is FindOne or InsertOne "+
		"with the engine's read and write concern, without HTTP, in the bench process, which collects garbage as orgd does.", figure.Thousands(float64(direct.there))))
	return nil
}

// A driverLoop makes the calls of the bare driver that a get and an insert come to.
type driverLoop struct {
	ctx   context.Context // of the whole part: the context of a load ends in the middle of calls
	c     *mongo.Collection
	there int
}

// openDriver connects with the engine's read and write concern.
func openDriver(ctx context.Context, uri string, there int) (*driverLoop, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}))
	if err != nil {
		return nil, err
	}
	return &driverLoop{ctx: ctx, c: client.Database(mongoserver.TenantDB).Collection(bareCollection), there: there}, nil
}

func (d *driverLoop) fill() error {
	_, err := d.c.Indexes().CreateOne(d.ctx, mongo.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)})
	for n := 0; n < d.there && err == nil; {
		var batch []bson.Raw
		for ; n < d.there && len(batch) < 1000; n++ {
			batch = append(batch, fixture.Stored(n))
		}
		_, err = d.c.InsertMany(d.ctx, batch)
	}
	return err
}

func (d *driverLoop) get(id string) error {
	_, err := d.c.FindOne(d.ctx, bson.D{{Key: "_id", Value: id}}).Raw()
	return err
}

// getOne is get as a load calls it.
func (d *driverLoop) getOne(_ client.Client, n int) error {
	return d.get(fixture.ID(n * 7_919 % d.there))
}

func (d *driverLoop) insert(n int) error {
	_, err := d.c.InsertOne(d.ctx, fixture.Stored(n))
	return err
}

func (d *driverLoop) close() error {
	return d.c.Database().Client().Disconnect(context.WithoutCancel(d.ctx))
}

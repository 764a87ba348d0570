package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

const bareDocumentsName = "bench_bare_documents"

// documentsOnMongo compares gets and inserts over HTTP with a loop that makes the one
// call of each with the bare driver.
func (s *suite) documentsOnMongo(ctx context.Context) error {
	return s.onMongo(ctx, func(uri string) error { return s.documentsOnServer(ctx, uri) })
}

func (s *suite) documentsOnServer(ctx context.Context, uri string) (err error) {
	there := mongoThere
	if s.quick {
		there = 1_000
	}
	t, err := s.startTenant(ctx, "documents-mongo", "MONGO_URI="+uri, "JWT_SECRET="+secret(),
		"MASTER_DB_NAME="+mongoMaster, "TENANT_DB_NAME="+mongoTenant)
	if err != nil {
		return err
	}
	defer t.orgd.stop()
	if err := t.fillDocuments(ctx, there); err != nil {
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
	program, err := s.withoutCgo(ctx)
	if err != nil {
		return err
	}
	body, err := t.orgd.once(newDocumentLoads(t.token, there).gets[0], 200)
	if err != nil {
		return err
	}
	proxy, err := s.startHelperOf(ctx, program, "bare-documents", uri, fmt.Sprint(there), "0", string(body))
	if err != nil {
		return err
	}
	defer proxy.stop()
	return s.compareWithDriver(ctx, t, proxy, bare)
}

// compareWithDriver compares orgd, and then a bare Echo in its place, with the loop.
func (s *suite) compareWithDriver(ctx context.Context, t tenantOf, proxy *server, bare *driverLoop) error {
	// The loop runs in this process.
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer garbageAsInOrgd()()
	ours, theirs := newDocumentLoads(t.token, bare.there), newDocumentLoads(t.token, bare.there)
	for i, op := range documentOperations {
		calls := []func(client, int) error{bare.getOne, func(client, int) error { return bare.insert(int(theirs.next.Add(1) - 1)) }}
		loop := func() (sample, error) {
			return load{clients: documentClients, lasts: s.window, do: calls[i]}.runHere(ctx)
		}
		over := func(v *server) func() (sample, error) {
			return func() (sample, error) {
				return load{clients: documentClients, lasts: s.window, do: op.do(ours)}.run(ctx, v)
			}
		}
		a, b, err := s.alternate(over(t.orgd), loop)
		if err != nil {
			return err
		}
		ratio := medianRatio(a, b, rate)
		s.add(row{
			what: fmt.Sprintf("%s of %d bytes, %d clients that cost next to nothing, MongoDB; yardstick: the one call with the bare driver, as many at a time",
				op.name, len(storedDocument(0)), documentClients),
			orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)), ratio: percent(ratio),
			target: "≥ " + percent(documentMongoTarget), reached: verdictOf(ratio >= documentMongoTarget),
		})
		if a, b, err = s.alternate(over(proxy), loop); err != nil {
			return err
		}
		s.add(row{
			what: "what HTTP alone leaves of it: a bare Echo that makes the one call, in the place of orgd; the same yardstick",
			orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)), ratio: percent(medianRatio(a, b, rate)),
		})
	}
	s.note(fmt.Sprintf("Documents on MongoDB: %s are there at the beginning, with one unique index. The loop with the bare driver is FindOne or InsertOne "+
		"with the engine's read and write concern, without HTTP, in the bench process, which collects garbage as orgd does.", thousands(float64(bare.there))))
	return nil
}

// driverLoop is the work of one get or insert on the bare driver.
type driverLoop struct {
	ctx   context.Context // of the whole part: a load's own would break off calls
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
	return &driverLoop{ctx: ctx, c: client.Database(mongoTenant).Collection(bareDocumentsName), there: there}, nil
}

func (d *driverLoop) fill() error {
	_, err := d.c.Indexes().CreateOne(d.ctx, mongo.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)})
	for n := 0; n < d.there && err == nil; {
		var batch []bson.Raw
		for ; n < d.there && len(batch) < 1000; n++ {
			batch = append(batch, storedDocument(n))
		}
		_, err = d.c.InsertMany(d.ctx, batch)
	}
	return err
}

func (d *driverLoop) get(id string) error {
	_, err := d.c.FindOne(d.ctx, bson.D{{Key: "_id", Value: id}}).Raw()
	return err
}

// getOne is a load's.
func (d *driverLoop) getOne(_ client, n int) error { return d.get(documentID(n * 7_919 % d.there)) }

func (d *driverLoop) insert(n int) error {
	_, err := d.c.InsertOne(d.ctx, storedDocument(n))
	return err
}

func (d *driverLoop) close() error {
	return d.c.Database().Client().Disconnect(context.WithoutCancel(d.ctx))
}

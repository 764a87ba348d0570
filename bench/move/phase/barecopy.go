package phase

import (
	"bytes"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/internal/docdb"
)

const bareTarget = "bench_bare_copy"

// bareCopy measures a loop that reads a batch and then writes it, and then the drop of
// the copy.
func (m *bench) bareCopy(ctx context.Context, from string) error {
	db := m.engine.Database(mongoserver.TenantDB)
	if err := db.Create(ctx, bareTarget); err != nil {
		return err
	}
	loop := m.copyOnEngine
	if m.URI != "" {
		loop = m.copyWithDriver
	}
	took, err := loop(ctx, from)
	if err != nil {
		return err
	}
	m.report.Copies = append(m.report.Copies, took)
	began := time.Now()
	if err := db.Drop(ctx, bareTarget); err != nil {
		return err
	}
	m.report.Drops = append(m.report.Drops, time.Since(began))
	return nil
}

func (m *bench) copyOnEngine(ctx context.Context, from string) (took time.Duration, err error) {
	db := m.engine.Database(mongoserver.TenantDB)
	began, to := time.Now(), db.Collection(bareTarget)
	batch := make([]bson.Raw, 0, Batch)
	for doc, err := range db.Collection(from).Find(ctx, docdb.Query{}) {
		if err != nil {
			return 0, err
		}
		if batch = append(batch, doc); len(batch) < Batch {
			continue
		}
		if err := insertMany(ctx, to, batch); err != nil {
			return 0, err
		}
		batch = batch[:0]
	}
	if len(batch) > 0 {
		err = insertMany(ctx, to, batch)
	}
	return time.Since(began), err
}

// copyWithDriver is the loop with the bare MongoDB driver, with the concerns that the
// engine uses.
func (m *bench) copyWithDriver(ctx context.Context, from string) (took time.Duration, err error) {
	journaled := true
	client, err := mongo.Connect(options.Client().ApplyURI(m.URI).SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journaled}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Disconnect(ctx)) }()
	db := client.Database(mongoserver.TenantDB)
	to := db.Collection(bareTarget)
	if err := client.Ping(ctx, nil); err != nil { // to connect is not part of the loop
		return 0, err
	}
	began := time.Now()
	order := options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(Batch)
	cursor, err := db.Collection(from).Find(ctx, bson.D{}, order)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cursor.Close(ctx)) }()
	batch := make([]bson.Raw, 0, Batch)
	for more := true; more; {
		if more = cursor.Next(ctx); more {
			batch = append(batch, bytes.Clone(cursor.Current))
		}
		if len(batch) == Batch || !more && len(batch) > 0 {
			if _, err := to.InsertMany(ctx, batch, options.InsertMany().SetOrdered(false)); err != nil {
				return 0, err
			}
			batch = batch[:0]
		}
	}
	return time.Since(began), cursor.Err()
}

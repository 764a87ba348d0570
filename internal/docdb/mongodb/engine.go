// Package mongodb keeps docdb's contract on a MongoDB deployment: a standalone
// server, a replica set, a sharded cluster, Atlas, or a compatible server.
//
// It uses insert, replace and delete by _id under a condition, find, aggregate
// to count, and the commands that create, drop and list collections and indexes.
// It uses no transaction, change stream, findAndModify, upsert, rename or $expr:
// not every deployment has them, and compatible servers get them wrong.
//
// # Durability and visibility
//
// Every write asks for {w: "majority", j: true} and every read for read concern
// "majority" on the primary, whatever the connection string says: w=1,
// journal=false, readConcernLevel or readPreference in it would weaken what docdb
// promises, so they are overridden. A standalone server accepts both and takes
// them as "journaled" and "local". Other settings of the connection string
// (pool sizes, TLS, compressors, retryWrites, timeouts) count.
//
// One promise has a limit that MongoDB sets: while a partition lasts, a primary
// that was replaced without knowing it yet may for some seconds answer reads
// with what was committed before. [Config.Linearizable] closes that for Get, at
// the price of a round through the majority for every Get. Lists of collections
// and indexes have no read concern in MongoDB: they show what the primary has.
//
// # Outcomes
//
// The driver retries a write once its connection breaks, where the topology
// permits (not on a standalone server), under the same transaction number, so
// the server executes it once. A write that the driver has been given waits for its answer until
// its deadline, the caller's or that of [Config.Timeout], even if its caller cancels it. The
// caller gets:
//
//   - ErrUnavailable: nothing was sent, or the server said that it did nothing.
//   - ErrOutcomeUnknown: a command was sent and no answer to it came; or the answer was that the
//     command was executed but is not known to be on a majority; or an attempt was lost, the
//     driver tried again, and the answer to the second attempt (duplicate key, no match) may be
//     due to the first. A MongoDB server would recognise the write as the same, but a compatible
//     server may not, and the engine cannot tell them apart.
//   - any other error: the answer of the server.
//
// Errors hold codes and names only: MongoDB's texts quote key values, which
// belong in no log, and the connection string holds a password.
package mongodb

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/mongodb/call"
	"github.com/orgd/orgd/internal/docdb/mongodb/collection"
	"github.com/orgd/orgd/internal/docdb/mongodb/connection"
	"github.com/orgd/orgd/internal/docdb/mongodb/outcome"
)

const (
	defaultTimeout     = 10 * time.Second
	defaultOpenTimeout = 5 * time.Second
	disconnectTimeout  = 5 * time.Second
)

// Config says how to reach a deployment.
type Config struct {
	// URI is a connection string, mongodb:// or mongodb+srv://. Its read and
	// write settings are overridden: see the package comment.
	URI string
	// AppName is the name of this client in the server's logs. Empty: the URI's.
	AppName string
	// Timeout bounds every call whose context has no deadline of its own, and of Find every
	// batch. It does not bound CreateIndex and CarryIndexes, whose time grows with the
	// documents. 0: the URI's timeoutMS, else 10 seconds.
	Timeout time.Duration
	// OpenTimeout bounds Open. 0: 5 seconds.
	OpenTimeout time.Duration
	// Linearizable makes Get use read concern "linearizable", where the
	// deployment has it (a standalone server does not need it).
	Linearizable bool
	// Monitor, if not nil, is told of every command. Its events are the driver's, and may hold
	// what clients have stored.
	Monitor *event.CommandMonitor
}

// Engine is a docdb.Engine on a MongoDB deployment.
type Engine struct {
	client *mongo.Client
	calls  *call.Runner
	shared *collection.Shared
	plain  atomic.Bool // collections are created without a validator: see Create
}

var _ docdb.Engine = (*Engine)(nil)

// Open connects to a deployment and checks that it answers. The error is
// docdb.ErrInvalid for a connection string that cannot be used and
// docdb.ErrUnavailable for a deployment that does not answer; it is one line
// that names the hosts and never a credential.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	opts, secrets, err := connection.Options(cfg.URI, cfg.AppName)
	if err != nil {
		return nil, err
	}
	var health connection.Health
	opts.SetServerMonitor(health.Monitor())
	e := &Engine{calls: call.NewRunner(ctx, callTimeout(cfg, opts), secrets)}
	opts.Timeout = nil // the driver's timeout would bound streams too; calls bounds each call
	opts.SetMonitor(outcome.MonitorWith(cfg.Monitor))
	if e.client, err = mongo.Connect(opts); err != nil {
		return nil, fmt.Errorf("%w: connect to MongoDB at %s: %s", docdb.ErrInvalid, connection.Hosts(opts), secrets.Line(err.Error()))
	}
	linearizable, err := e.check(ctx, cfg, opts, &health)
	if err != nil {
		e.disconnect()
		return nil, err
	}
	e.shared = collection.NewShared(e.calls, collection.NewScans(opts), linearizable)
	return e, nil
}

// callTimeout is the bound on calls without a deadline.
func callTimeout(cfg Config, opts *options.ClientOptions) time.Duration {
	switch {
	case cfg.Timeout > 0:
		return cfg.Timeout
	case opts.Timeout != nil && *opts.Timeout > 0:
		return *opts.Timeout
	default:
		return defaultTimeout
	}
}

// check waits for the deployment's first answer, and refuses a connection under which reads and
// writes would not follow the primary. It returns whether Get is to be linearizable.
func (e *Engine) check(ctx context.Context, cfg Config, opts *options.ClientOptions, health *connection.Health) (linearizable bool, err error) {
	limit := cfg.OpenTimeout
	if limit <= 0 {
		limit = defaultOpenTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var hello hello
	err = e.client.Database("admin").RunCommand(bounded, bson.D{{Key: "hello", Value: 1}},
		options.RunCmd().SetReadPreference(readpref.Primary())).Decode(&hello)
	if outcome.HasCode(err, outcome.CommandNotFound) {
		return false, nil // before MongoDB 4.4 the command is isMaster
	}
	if err != nil {
		return false, e.openFault(ctx, limit, opts, health, err)
	}
	if opts.Direct != nil && *opts.Direct && !hello.alone() {
		return false, fmt.Errorf("%w: connect to MongoDB at %s: the server is one member of the replica set %q: leave directConnection out, "+
			"so that reads and writes go to the primary", docdb.ErrInvalid, connection.Hosts(opts), hello.SetName)
	}
	return cfg.Linearizable && hello.replicates(), nil
}

// hello is the server's answer to the command of that name: what the server is.
type hello struct {
	SetName  string   `bson:"setName"`
	Hosts    []string `bson:"hosts"`
	Passives []string `bson:"passives"`
	Primary  bool     `bson:"isWritablePrimary"`
	Message  string   `bson:"msg"`
}

// alone reports whether no other server can become the primary. Under directConnection the
// driver talks to this server only, so with other members reads and writes would not follow the
// primary.
func (h hello) alone() bool {
	return h.SetName == "" || len(h.Hosts)+len(h.Passives) <= 1 && h.Primary
}

// replicates reports whether the server is part of a replica set or a sharded cluster.
func (h hello) replicates() bool { return h.SetName != "" || h.Message == "isdbgrid" }

// openFault returns the error of Open when no answer came.
func (e *Engine) openFault(ctx context.Context, limit time.Duration, opts *options.ClientOptions, health *connection.Health, err error) error {
	f := &outcome.Error{Kind: docdb.ErrUnavailable, Cause: ctx.Err()}
	if outcome.RefusesCredentials(err) {
		f.Text = "MongoDB at " + connection.Hosts(opts) + " refuses the user name or the password"
		return f
	}
	reason := health.Last()
	if reason == "" || !mongo.IsTimeout(err) {
		reason = err.Error()
	}
	f.Text = fmt.Sprintf("no answer from MongoDB at %s within %s: %s", connection.Hosts(opts), limit, e.calls.Errors.Secrets.Line(reason))
	return f
}

// Database implements docdb.Engine.
func (e *Engine) Database(name string) docdb.Database {
	return &database{engine: e, name: name, db: e.client.Database(name)}
}

// Ping implements docdb.Engine.
func (e *Engine) Ping(ctx context.Context) error {
	return e.calls.Read(ctx, "ping", func(ctx context.Context) error {
		return e.client.Ping(ctx, readpref.Primary())
	})
}

// Close implements docdb.Engine. It waits for a Find in progress, so it must not be called from
// within the loop over a Find.
func (e *Engine) Close() error {
	if e.calls.Close() {
		e.disconnect()
	}
	return nil
}

// disconnect releases the driver. It can fail only because connections did not come back in
// time, and then the driver cuts them.
func (e *Engine) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	_ = e.client.Disconnect(ctx)
}

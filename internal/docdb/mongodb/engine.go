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
// the server executes it once. Once the driver has a write nothing but its deadline, the
// caller's or [Config.Timeout], ends it before there is an answer. What a caller sees of it:
//
//   - ErrUnavailable: nothing was sent, or the server said that it did nothing.
//   - ErrOutcomeUnknown: a command was sent and no answer to it came, or the
//     answer was that it was executed but is not known to be on a majority, or an attempt was lost, the driver tried
//     again, and the answer to that (duplicate key, no match) may be due to the
//     lost attempt itself. A MongoDB server would recognise its own write then,
//     but a compatible one may not and the two cannot be told apart.
//   - anything else: the answer of the server.
//
// Errors hold codes and names only: MongoDB's texts quote key values, which
// belong in no log, and the connection string holds a password.
package mongodb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/fair"
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
	// AppName is how the server's logs call this client. Empty: the URI's.
	AppName string
	// Timeout bounds every call whose context has no deadline of its own; of
	// Find, every batch. CreateIndex and CarryIndexes are not bounded: they take as
	// long as there are documents. 0: the URI's timeoutMS, else 10 seconds.
	Timeout time.Duration
	// OpenTimeout bounds Open. 0: 5 seconds.
	OpenTimeout time.Duration
	// Linearizable makes Get use read concern "linearizable", where the
	// deployment has it (a standalone server needs it not).
	Linearizable bool
	// Monitor, if not nil, is told of every command. Its events are the driver's, and may hold
	// what clients have stored.
	Monitor *event.CommandMonitor
}

// Engine is a docdb.Engine on a MongoDB deployment.
type Engine struct {
	client       *mongo.Client
	timeout      time.Duration
	linearizable bool
	secrets      secrets
	orders       orderCache
	plain        atomic.Bool // collections are created without a validator: see Create
	inserts      batcher[bson.Raw, struct{}]
	gets         batcher[bson.RawValue, bson.Raw]
	scans        *fair.Queue

	life context.Context // ends when Close begins
	end  context.CancelFunc

	mu     sync.Mutex // guards closed, and calls' Add against Close's Wait
	closed bool
	calls  sync.WaitGroup
}

var _ docdb.Engine = (*Engine)(nil)

// Open connects to a deployment and checks that it answers. The error is
// docdb.ErrInvalid for a connection string that cannot be used and
// docdb.ErrUnavailable for a deployment that does not answer; it is one line
// that names the hosts and never a credential.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	opts, secrets, err := clientOptions(cfg)
	if err != nil {
		return nil, err
	}
	var health health
	opts.SetServerMonitor(health.monitor())
	e := &Engine{timeout: callTimeout(cfg, opts), secrets: secrets, scans: newScans(opts)}
	e.inserts.writes = true
	opts.Timeout = nil // ours is per call, the driver's would also bound streams
	if e.client, err = mongo.Connect(opts); err != nil {
		return nil, fmt.Errorf("%w: connect to MongoDB at %s: %s", docdb.ErrInvalid, hosts(opts), secrets.line(err.Error()))
	}
	if err := e.check(ctx, cfg, opts, &health); err != nil {
		e.disconnect()
		return nil, err
	}
	e.life, e.end = context.WithCancel(context.WithoutCancel(ctx))
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

// check waits for the deployment's first answer and looks at what it is.
func (e *Engine) check(ctx context.Context, cfg Config, opts *options.ClientOptions, health *health) error {
	limit := cfg.OpenTimeout
	if limit <= 0 {
		limit = defaultOpenTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var hello hello
	err := e.client.Database("admin").RunCommand(bounded, bson.D{{Key: "hello", Value: 1}},
		options.RunCmd().SetReadPreference(readpref.Primary())).Decode(&hello)
	if hasCode(err, codeCommandNotFound) {
		return nil // before 4.4 it is called isMaster
	}
	if err != nil {
		return e.openFault(ctx, limit, opts, health, err)
	}
	if opts.Direct != nil && *opts.Direct && !hello.alone() {
		return fmt.Errorf("%w: connect to MongoDB at %s: it is one member of the replica set %q: leave directConnection out, "+
			"so that reads and writes go to the primary", docdb.ErrInvalid, hosts(opts), hello.SetName)
	}
	e.linearizable = cfg.Linearizable && hello.replicates()
	return nil
}

// hello is what a server says of itself.
type hello struct {
	SetName  string   `bson:"setName"`
	Hosts    []string `bson:"hosts"`
	Passives []string `bson:"passives"`
	Primary  bool     `bson:"isWritablePrimary"`
	Message  string   `bson:"msg"`
}

// alone reports whether it will always be this server that takes the writes.
// Under directConnection the driver talks to that one member whatever it is or
// becomes, so with other members reads and writes would not follow the primary.
func (h hello) alone() bool {
	return h.SetName == "" || len(h.Hosts)+len(h.Passives) <= 1 && h.Primary
}

// replicates reports whether it is part of a replica set or a sharded cluster.
func (h hello) replicates() bool { return h.SetName != "" || h.Message == "isdbgrid" }

// openFault says why no answer came.
func (e *Engine) openFault(ctx context.Context, limit time.Duration, opts *options.ClientOptions, health *health, err error) error {
	f := &fault{is: docdb.ErrUnavailable, cause: ctx.Err()}
	if hasCode(err, codeAuthenticationFailed) || hasCode(err, codeAtlas) {
		f.text = "MongoDB at " + hosts(opts) + " refuses the user name or the password"
		return f
	}
	reason := health.last()
	if reason == "" || !mongo.IsTimeout(err) {
		reason = err.Error()
	}
	f.text = fmt.Sprintf("no answer from MongoDB at %s within %s: %s", hosts(opts), limit, e.secrets.line(reason))
	return f
}

// Database implements docdb.Engine.
func (e *Engine) Database(name string) docdb.Database {
	return &database{engine: e, name: name, db: e.client.Database(name)}
}

// Ping implements docdb.Engine.
func (e *Engine) Ping(ctx context.Context) error {
	return e.read(ctx, "ping", func(ctx context.Context) error {
		return e.client.Ping(ctx, readpref.Primary())
	})
}

// Close implements docdb.Engine. A Find in progress is a call in progress: Close
// must not be called from within its loop.
func (e *Engine) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return nil
	}
	e.end()
	e.calls.Wait()
	e.disconnect()
	return nil
}

// disconnect releases the driver. Its one failure is that connections did not
// come back in time, and then they are cut.
func (e *Engine) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), disconnectTimeout)
	defer cancel()
	_ = e.client.Disconnect(ctx)
}

// Package mongoserver provides the MongoDB server that benchmarks run on: the one that
// the environment names, or one that it starts.
package mongoserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// The databases that orgd uses on a MongoDB server, and those of its yardsticks: a peer and
// a loop with the bare driver. All are dropped before and after.
const (
	MasterDB     = "bench_master"
	TenantDB     = "bench_tenant"
	PeerMasterDB = "bench_peer_master"
	PeerTenantDB = "bench_peer_tenant"
	BareMasterDB = "bench_bare_master"
	BareTenantDB = "bench_bare_tenant"
)

// With calls measure with the URI of a server. The databases are empty before, and are
// dropped afterwards. Where there is no server, the report says so.
func With(ctx context.Context, s *suite.Suite, measure func(uri string) error) (err error) {
	uri, stop, err := serve(ctx, s)
	if err != nil {
		return err
	}
	if uri == "" {
		noteAbsence(s)
		return nil
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := dropDatabases(ctx, uri); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dropDatabases(context.WithoutCancel(ctx), uri)) }()
	return measure(uri)
}

// serve returns the URI of the server to use, "" if there is none.
func serve(ctx context.Context, s *suite.Suite) (uri string, stop func() error, err error) {
	if uri := os.Getenv("ORGD_BENCH_MONGO_URI"); uri != "" {
		s.Note("MongoDB: the server of ORGD_BENCH_MONGO_URI.")
		return uri, func() error { return nil }, nil
	}
	program := os.Getenv("ORGD_BENCH_MONGOD")
	if program == "" {
		return "", nil, nil
	}
	addr, err := process.FreeAddr(ctx)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, "mongod-")
	if err != nil {
		return "", nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	// Both write their log through to the disk before they acknowledge a write.
	args := []string{"--host", "127.0.0.1", "--port", port, "--storage-path", dir, "--sync-on-commit"}
	if strings.HasPrefix(filepath.Base(program), "mongod") {
		args = []string{"--bind_ip", "127.0.0.1", "--port", port, "--dbpath", dir}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.Dir, process.Environment()
	v, err := process.Start(ctx, cmd, dir+".log", func(*process.Server) error { return listening(addr) })
	if err != nil {
		return "", nil, err
	}
	s.Note(fmt.Sprintf("MongoDB: `%s %s`.", filepath.Base(program), strings.ReplaceAll(strings.Join(args, " "), dir, "DIR")))
	return "mongodb://" + addr + "/", v.Stop, nil
}

// noteAbsence says that MongoDB was left out.
func noteAbsence(s *suite.Suite) {
	const left = "MongoDB was left out: neither ORGD_BENCH_MONGO_URI nor ORGD_BENCH_MONGOD is set."
	s.Progress("  %s", left)
	s.Note(left)
}

// listening asks for a connection.
func listening(addr string) error {
	c, err := client.Dial(addr)
	if err == nil {
		c.Close()
	}
	return err
}

func dropDatabases(ctx context.Context, uri string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	for _, name := range []string{MasterDB, TenantDB, PeerMasterDB, PeerTenantDB, BareMasterDB, BareTenantDB} {
		err = errors.Join(err, client.Database(name).Drop(ctx))
	}
	return errors.Join(err, client.Disconnect(ctx))
}

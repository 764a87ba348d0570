package main

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
)

// The databases that orgd uses on a MongoDB server, dropped before and after.
const (
	mongoMaster = "bench_master"
	mongoTenant = "bench_tenant"
)

// mongo measures the MongoDB engine against the bare driver, and orgd on it. There
// are no targets: most of the time is the server's.
func (s *suite) mongo(ctx context.Context) error {
	return s.onMongo(ctx, func(uri string) error { return s.mongoOn(ctx, uri) })
}

// onMongo measures on a server whose databases are empty before, and dropped after it;
// or notes that there is none.
func (s *suite) onMongo(ctx context.Context, measure func(uri string) error) (err error) {
	uri, stop, err := s.mongoServer(ctx)
	if err != nil {
		return err
	}
	if uri == "" {
		s.withoutMongo()
		return nil
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := dropDatabases(ctx, uri); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dropDatabases(context.WithoutCancel(ctx), uri)) }()
	return measure(uri)
}

func (s *suite) mongoOn(ctx context.Context, uri string) error {
	err := s.goBenchmarks(ctx, "MongoDB engine", "internal/docdb/mongodb", engineComparisons(
		comparison{what: "list 100,000 documents", ours: "Find/all/engine", bare: "Find/all/bare", list: true},
		comparison{what: "list 100,000 documents, filtered to 1", ours: "Find/filtered/engine", bare: "Find/filtered/bare", list: true},
		comparison{what: "list 1,000 of 100,000 documents by an index", ours: "Find/indexed/engine", bare: "Find/indexed/bare", list: true},
	), "ORGD_TEST_MONGO_URI="+uri)
	if err != nil {
		return err
	}
	return s.orgdOnMongo(ctx, uri)
}

func (s *suite) withoutMongo() {
	const left = "MongoDB was left out: neither ORGD_BENCH_MONGO_URI nor ORGD_BENCH_MONGOD is set."
	s.progress("  %s", left)
	s.note(left)
}

func (s *suite) orgdOnMongo(ctx context.Context, uri string) error {
	orgd, err := s.startOrgd(ctx, "mongo", fmt.Sprint("BCRYPT_COST=", cost), "MONGO_URI="+uri, "JWT_SECRET="+secret(),
		"MASTER_DB_NAME="+mongoMaster, "TENANT_DB_NAME="+mongoTenant)
	if err != nil {
		return err
	}
	defer orgd.stop()
	if err := s.getOn(ctx, orgd, "MongoDB", 0); err != nil {
		return err
	}
	return s.loginOn(ctx, orgd, "MongoDB", 0)
}

// mongoServer returns the server to use, "" if there is none.
func (s *suite) mongoServer(ctx context.Context) (uri string, stop func() error, err error) {
	if uri := os.Getenv("ORGD_BENCH_MONGO_URI"); uri != "" {
		s.note("MongoDB: the server of ORGD_BENCH_MONGO_URI.")
		return uri, func() error { return nil }, nil
	}
	program := os.Getenv("ORGD_BENCH_MONGOD")
	if program == "" {
		return "", nil, nil
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "mongod-")
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
	cmd.Dir, cmd.Env = s.dir, environment()
	v, err := start(ctx, cmd, dir+".log", func(*server) error { return listening(addr) })
	if err != nil {
		return "", nil, err
	}
	s.note(fmt.Sprintf("MongoDB: `%s %s`.", filepath.Base(program), strings.ReplaceAll(strings.Join(args, " "), dir, "DIR")))
	return "mongodb://" + addr + "/", v.stop, nil
}

// listening asks for a connection.
func listening(addr string) error {
	c, err := dial(addr)
	if err == nil {
		c.close()
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
	for _, name := range []string{mongoMaster, mongoTenant} {
		err = errors.Join(err, client.Database(name).Drop(ctx))
	}
	return errors.Join(err, client.Disconnect(ctx))
}

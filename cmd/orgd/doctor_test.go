package main

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/embedded"
)

// exitCode runs a command and wants it to end with that exit code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode code command [argument...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%q: exit code %d, want %s", args[1:], code, args[0])
	}
}

// populate makes a data directory with an organization.
func populate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: populate directory")
	}
	p, err := launch(ts.MkAbs("."), "DATA_DIR="+args[0])
	ts.Check(err)
	ts.Defer(func() { _ = p.kill() })
	ts.Check(p.ready())
	acme := attempt{name: "Acme", email: "a@x.example", password: "correct horse battery"}
	if status, said := p.post(http.DefaultClient, "/org/create", acme.body()); status != 201 {
		ts.Fatalf("create: %d %s", status, said)
	}
	if code, err := p.signal(syscall.SIGTERM); err != nil || code != 0 {
		ts.Fatalf("SIGTERM: exit code %d, %v", code, err)
	}
}

// spoil adds a collection that is not registered to a data directory, and an admin
// without an organization.
func spoil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spoil directory")
	}
	e, err := embedded.Open(embedded.Config{Dir: filepath.Join(ts.MkAbs(args[0]), "db")})
	ts.Check(err)
	ctx := context.Background()
	stray, err := bson.Marshal(bson.D{{Key: "_id", Value: "stray"}, {Key: "version", Value: int64(1)},
		{Key: "org_id", Value: "gone"}, {Key: "op_id", Value: "gone"}})
	ts.Check(err)
	err = errors.Join(
		e.Database("tenant_db").Create(ctx, "org_ghost"),
		e.Database("master_db").Collection("admins").Insert(ctx, stray),
		e.Close(),
	)
	if err != nil {
		ts.Fatalf("spoil %s: %v", args[0], err)
	}
}

package peer

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

//go:embed fastapi/main.py
var program []byte

// workers is how many processes the FastAPI program has, which the mission's original does too.
const workers = "2"

// startOrgd starts orgd with its defaults, apart from the cost.
func startOrgd(ctx context.Context, s *suite.Suite, uri string) (*service, error) {
	v, err := s.StartOrgd(ctx, "orgd-peer", settings(uri, mongoserver.MasterDB, mongoserver.TenantDB)...)
	if err != nil {
		return nil, err
	}
	return newService(v), nil
}

// settings are those of the mission, which both programs have; and the cost.
func settings(uri, masterDB, tenantDB string) []string {
	return []string{"MONGO_URI=" + uri, "MASTER_DB_NAME=" + masterDB, "TENANT_DB_NAME=" + tenantDB,
		"JWT_SECRET=" + process.JWTSecret(), "JWT_ALGORITHM=HS256", "JWT_EXP_MINUTES=60", fmt.Sprint("BCRYPT_COST=", cost)}
}

// startFastAPI starts the FastAPI program as uvicorn's defaults have it, with its access log.
func startFastAPI(ctx context.Context, s *suite.Suite, uri, python string) (*service, error) {
	addr, err := process.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, "fastapi-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.py"), program, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, "-m", "uvicorn", "main:app", "--host", host, "--port", port, "--workers", workers)
	cmd.Dir, cmd.Env = dir, process.Environment(settings(uri, mongoserver.PeerMasterDB, mongoserver.PeerTenantDB)...)
	v, err := process.Start(ctx, cmd, dir+".log", func(v *process.Server) error {
		v.Addr = addr
		_, err := v.Once(client.NewRequest("GET", "/openapi.json", nil), 200)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start the FastAPI peer (`make bench-peer` installs what it needs): %w", err)
	}
	s.Note(fmt.Sprintf("The peer: `python -m uvicorn main:app --workers %s`, with the pinned requirements, uvloop and httptools.", workers))
	return newService(v), nil
}

package organizations

import (
	"context"
	"fmt"

	"github.com/orgd/orgd/bench/mongoserver"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// OnMongoDB measures gets, logins and creates of an orgd on a MongoDB server.
func OnMongoDB(ctx context.Context, s *suite.Suite, uri string) error {
	orgd, err := s.StartOrgd(ctx, "mongo", fmt.Sprint("BCRYPT_COST=", cost), "MONGO_URI="+uri, "JWT_SECRET="+process.JWTSecret(),
		"MASTER_DB_NAME="+mongoserver.MasterDB, "TENANT_DB_NAME="+mongoserver.TenantDB)
	if err != nil {
		return err
	}
	defer orgd.Stop()
	if err := getsOn(ctx, s, orgd, "MongoDB", 0); err != nil {
		return err
	}
	return loginsOn(ctx, s, orgd, "MongoDB", 0)
}

package tenant_test

import (
	"testing"

	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/tenant"
)

// TestAStartOutlivesOneFault: whichever call of a start gets no answer, or is not carried
// out, the start goes on; on a new database, and on one that is there.
func TestAStartOutlivesOneFault(t *testing.T) {
	for _, mode := range []faulty.Mode{faulty.Before, faulty.After, faulty.Late} {
		for k := 1; ; k++ {
			f := faulty.New(model.New())
			met := false
			once := func() {
				n := 0
				f.FailOn(func(faulty.Call) (faulty.Mode, bool) {
					n++
					met = met || n == k
					return mode, n == k
				})
			}
			for _, database := range []string{"new", "old"} {
				once()
				s, err := tenant.Open(t.Context(), tenant.Config{Engine: f, MasterDB: masterDB, TenantDB: tenantDB, Passwords: plainPasswords{}})
				if err != nil {
					t.Fatalf("%v at call %d, on a database that is %s: %v", mode, k, database, err)
				}
				f.FailOn(nil)
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			f.Deliver()
			if !met {
				break
			}
		}
	}
}

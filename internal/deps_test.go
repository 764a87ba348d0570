package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/orgd/orgd/"

// mayImport says which packages of orgd a package may import, tests apart. What
// is not listed here is a package that nobody has thought about yet.
var mayImport = map[string][]string{
	"internal/org":             {},
	"internal/worker":          {},
	"internal/fair":            {},
	"internal/garbage":         {},
	"internal/bsonappend":      {},
	"internal/jsonscan":        {},
	"internal/strictjson":      {"internal/jsonscan"},
	"internal/docdb":           {"internal/docdb/fieldpath", "internal/docdb/filter", "internal/docdb/indexkey", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/filter":    {"internal/bsonappend", "internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/indexkey":  {"internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/fieldpath": {"internal/docdb/meter", "internal/docdb/wire"},
	"internal/docdb/order":     {"internal/docdb/wire"},
	"internal/docdb/meter":     {},
	"internal/docdb/wire":      {"internal/bsonappend"},
	"internal/docdb/embedded": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/journal", "internal/docdb/embedded/keys",
		"internal/docdb/embedded/record", "internal/docdb/embedded/scan", "internal/docdb/embedded/store", "internal/docdb/meter"},
	"internal/docdb/embedded/catalog": {"internal/docdb", "internal/docdb/embedded/keys",
		"internal/docdb/embedded/locks", "internal/docdb/embedded/store"},
	"internal/docdb/embedded/disk":    {"internal/docdb", "internal/docdb/embedded/journal"},
	"internal/docdb/embedded/journal": {},
	"internal/docdb/embedded/keys":    {"internal/bsonappend", "internal/docdb", "internal/docdb/filter", "internal/docdb/wire"},
	"internal/docdb/embedded/locks":   {},
	"internal/docdb/embedded/record": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/keys", "internal/docdb/embedded/locks",
		"internal/docdb/embedded/store", "internal/docdb/indexkey", "internal/docdb/meter"},
	"internal/docdb/embedded/scan": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/keys", "internal/docdb/embedded/store",
		"internal/docdb/filter", "internal/docdb/indexkey", "internal/docdb/meter"},
	"internal/docdb/embedded/store": {"internal/docdb", "internal/docdb/embedded/disk",
		"internal/docdb/embedded/journal", "internal/docdb/embedded/keys"},
	"internal/docdb/mongodb/mongotest": {},
	"internal/auth":                    {"internal/org"},
	"internal/policy":                  {"internal/org"},
	"internal/policy/tables":           {"", "internal/policy"},
	"internal/tenant": {"internal/docdb", "internal/docdb/meter", "internal/org", "internal/tenant/access", "internal/tenant/cluster", "internal/tenant/data",
		"internal/tenant/document", "internal/tenant/fault", "internal/tenant/idempotency", "internal/tenant/master",
		"internal/tenant/move", "internal/tenant/operation", "internal/tenant/repair", "internal/tenant/retry", "internal/tenant/workflow"},
	"internal/tenant/workflow": {"internal/docdb", "internal/org", "internal/tenant/beside", "internal/tenant/idempotency", "internal/tenant/master",
		"internal/tenant/move", "internal/tenant/operation", "internal/tenant/repair"},
	"internal/tenant/move": {"internal/docdb", "internal/docdb/wire", "internal/org", "internal/tenant/access", "internal/tenant/document", "internal/tenant/fault",
		"internal/tenant/master", "internal/tenant/operation", "internal/tenant/retry", "internal/tenant/walk"},
	"internal/tenant/data": {"internal/docdb", "internal/org", "internal/tenant/access", "internal/tenant/document", "internal/tenant/fault",
		"internal/tenant/master", "internal/tenant/retry"},
	"internal/tenant/repair": {"internal/docdb", "internal/org", "internal/tenant/access", "internal/tenant/cluster",
		"internal/tenant/document", "internal/tenant/master", "internal/tenant/retry", "internal/tenant/walk"},
	"internal/tenant/idempotency": {"internal/docdb", "internal/org", "internal/tenant/document", "internal/tenant/fault",
		"internal/tenant/master", "internal/tenant/retry"},
	"internal/tenant/operation": {"internal/docdb", "internal/org", "internal/tenant/fault", "internal/tenant/master", "internal/tenant/retry"},
	"internal/tenant/access": {"internal/docdb", "internal/org", "internal/tenant/cluster", "internal/tenant/drain", "internal/tenant/fault",
		"internal/tenant/master", "internal/tenant/retry"},
	"internal/tenant/cluster":  {"internal/docdb", "internal/org", "internal/tenant/master", "internal/tenant/retry"},
	"internal/tenant/master":   {"internal/docdb", "internal/docdb/wire", "internal/org", "internal/tenant/beside", "internal/tenant/retry"},
	"internal/tenant/beside":   {},
	"internal/tenant/document": {"internal/bsonappend", "internal/docdb", "internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/wire", "internal/org"},
	"internal/tenant/walk":     {"internal/docdb"},
	"internal/tenant/drain":    {},
	"internal/tenant/fault":    {"internal/docdb", "internal/org"},
	"internal/tenant/retry":    {"internal/docdb"},
	"internal/httpapi/network": {},
	"internal/httpapi/problem": {"internal/org"},
	"internal/httpapi/memory":  {"internal/org"},
	"internal/httpapi/limit":   {"internal/auth", "internal/httpapi/network", "internal/httpapi/problem", "internal/org"},
	"internal/httpapi/wire": {"internal/fair", "internal/httpapi/memory", "internal/httpapi/network", "internal/httpapi/problem",
		"internal/org"},
	"internal/webui":   {},
	"internal/extjson": {"internal/bsonappend", "internal/docdb", "internal/docdb/wire", "internal/jsonscan"},
	"internal/httpapi": {"gen/api", "internal/auth", "internal/bsonappend", "internal/extjson", "internal/fair", "internal/httpapi/contract",
		"internal/httpapi/frame", "internal/httpapi/guard", "internal/httpapi/idempotency", "internal/httpapi/jsondoc", "internal/httpapi/limit",
		"internal/httpapi/memory", "internal/httpapi/problem", "internal/httpapi/request", "internal/httpapi/transfer", "internal/httpapi/wire",
		"internal/org", "internal/policy", "internal/tenant"},
	"internal/httpapi/contract": {"", "internal/httpapi/problem", "internal/org", "internal/policy"},
	"internal/httpapi/request": {"internal/auth", "internal/fair", "internal/httpapi/contract", "internal/httpapi/memory",
		"internal/httpapi/problem", "internal/httpapi/wire", "internal/org", "internal/tenant"},
	"internal/httpapi/frame": {"internal/httpapi/problem", "internal/httpapi/request", "internal/httpapi/wire", "internal/org"},
	"internal/httpapi/guard": {"internal/auth", "internal/httpapi/contract", "internal/httpapi/limit", "internal/httpapi/memory",
		"internal/httpapi/network", "internal/httpapi/problem", "internal/httpapi/request", "internal/httpapi/wire", "internal/org",
		"internal/policy", "internal/strictjson", "internal/tenant"},
	"internal/httpapi/idempotency": {"internal/httpapi/network", "internal/httpapi/problem", "internal/httpapi/request", "internal/org",
		"internal/tenant"},
	"internal/httpapi/jsondoc": {"internal/extjson", "internal/httpapi/memory", "internal/httpapi/problem", "internal/httpapi/request",
		"internal/httpapi/wire", "internal/org", "internal/tenant"},
	"internal/httpapi/transfer": {"internal/extjson", "internal/fair", "internal/httpapi/contract", "internal/httpapi/jsondoc",
		"internal/httpapi/memory", "internal/httpapi/problem", "internal/httpapi/request", "internal/httpapi/wire", "internal/org",
		"internal/tenant"},
	"internal/app": {"", "internal/auth", "internal/docdb", "internal/docdb/embedded", "internal/docdb/mongodb",
		"internal/garbage", "internal/httpapi", "internal/httpapi/memory", "internal/httpapi/wire", "internal/org", "internal/tenant", "internal/webui", "internal/worker"},
	"internal/app/apptest":        {"internal/app"},
	"internal/contracttest":       {""},
	"internal/contracttest/suite": {},
	"sdk/go": {"sdk/go/client", "sdk/go/internal/credential", "sdk/go/internal/extjson", "sdk/go/internal/ndjson",
		"sdk/go/internal/problem", "sdk/go/internal/transport", "sdk/go/internal/upload"},
	"sdk/go/internal/transport": {"sdk/go/client", "sdk/go/internal/credential", "sdk/go/internal/policy",
		"sdk/go/internal/problem", "sdk/go/internal/upload"},
	"sdk/go/internal/problem":    {"sdk/go/client", "sdk/go/internal/upload"},
	"sdk/go/internal/credential": {},
	"sdk/go/internal/extjson":    {},
	"sdk/go/internal/ndjson":     {},
	"sdk/go/internal/policy":     {},
	"sdk/go/internal/upload":     {},
	"sdk/go/client":              {"sdk/go/internal/runtime"},
	"sdk/go/internal/runtime":    {},
	"sdk/go/tests":               {},

	"internal/docdb/docdbtest": {"internal/docdb", "internal/docdb/docdbtest/suite", "internal/docdb/docdbtest/suite/concurrency",
		"internal/docdb/docdbtest/suite/databases", "internal/docdb/docdbtest/suite/differential", "internal/docdb/docdbtest/suite/documents",
		"internal/docdb/docdbtest/suite/indexes", "internal/docdb/docdbtest/suite/queries"},
	"internal/docdb/docdbtest/suite":              {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/model"},
	"internal/docdb/docdbtest/suite/concurrency":  {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/suite"},
	"internal/docdb/docdbtest/suite/databases":    {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/faulty", "internal/docdb/docdbtest/suite"},
	"internal/docdb/docdbtest/suite/differential": {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/model", "internal/docdb/docdbtest/suite"},
	"internal/docdb/docdbtest/suite/documents":    {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/suite"},
	"internal/docdb/docdbtest/suite/indexes": {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/model",
		"internal/docdb/docdbtest/suite", "internal/docdb/wire"},
	"internal/docdb/docdbtest/suite/queries": {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/model", "internal/docdb/docdbtest/suite"},
	"internal/docdb/docdbtest/standin": {"internal/docdb", "internal/docdb/docdbtest/bsontest", "internal/docdb/docdbtest/suite",
		"internal/docdb/indexkey"},
	"internal/docdb/docdbtest/model":    {"internal/docdb", "internal/docdb/indexkey"},
	"internal/docdb/docdbtest/faulty":   {"internal/docdb"},
	"internal/docdb/docdbtest/bsontest": {"internal/docdb"},

	"internal/docdb/mongodb": {"internal/docdb", "internal/docdb/mongodb/call", "internal/docdb/mongodb/collection",
		"internal/docdb/mongodb/connection", "internal/docdb/mongodb/outcome"},
	"internal/docdb/mongodb/collection": {"internal/docdb", "internal/docdb/filter", "internal/docdb/meter", "internal/docdb/mongodb/batch",
		"internal/docdb/mongodb/call", "internal/docdb/mongodb/index", "internal/docdb/mongodb/outcome", "internal/docdb/mongodb/position",
		"internal/docdb/wire", "internal/fair"},
	"internal/docdb/mongodb/call":       {"internal/docdb", "internal/docdb/mongodb/connection", "internal/docdb/mongodb/outcome"},
	"internal/docdb/mongodb/batch":      {"internal/docdb/mongodb/outcome"},
	"internal/docdb/mongodb/index":      {"internal/docdb", "internal/docdb/mongodb/outcome"},
	"internal/docdb/mongodb/outcome":    {"internal/docdb", "internal/docdb/mongodb/connection"},
	"internal/docdb/mongodb/connection": {"internal/docdb"},
	"internal/docdb/mongodb/position":   {"internal/docdb"},
}

// modules are where this repository's packages are, from here.
var modules = []string{".", "../sdk/go", "../sdk/go/tests"}

// TestImportsGoOneWay: app → httpapi → tenant → docdb; what is further down
// knows nothing of HTTP.
func TestImportsGoOneWay(t *testing.T) {
	var list strings.Builder
	for _, dir := range modules {
		list.WriteString(imports(t, dir))
	}
	noHTTP := []string{"internal/org", "internal/docdb", "internal/docdb/embedded", "internal/tenant", "internal/worker", "internal/auth"}
	for line := range strings.Lines(list.String()) {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(words[0], module)
		allowed, known := mayImport[pkg]
		if pkg == "internal" { // this test
			continue
		}
		if !known {
			t.Errorf("%s is not in mayImport", pkg)
			continue
		}
		for _, imported := range words[1:] {
			if imported == "net/http" && (slices.Contains(noHTTP, pkg) || strings.HasPrefix(pkg, "internal/tenant/") || strings.HasPrefix(pkg, "internal/docdb/embedded/")) {
				t.Errorf("%s imports net/http", pkg)
			}
			ours, ok := strings.CutPrefix(imported+"/", module)
			if ours = strings.TrimSuffix(ours, "/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", pkg, ours)
			}
		}
	}
}

// imports returns a line for each package of a module: its path, and what it imports.
func imports(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list in %s: %v\n%s", dir, err, out)
	}
	return string(out)
}

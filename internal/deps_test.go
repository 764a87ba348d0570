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
	"internal/docdb":           {"internal/docdb/fieldpath", "internal/docdb/filter", "internal/docdb/indexkey", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/filter":    {"internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/indexkey":  {"internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/order", "internal/docdb/wire"},
	"internal/docdb/fieldpath": {"internal/docdb/meter", "internal/docdb/wire"},
	"internal/docdb/order":     {"internal/docdb/wire"},
	"internal/docdb/meter":     {},
	"internal/docdb/wire":      {},
	"internal/docdb/docdbtest": {"internal/docdb", "internal/docdb/indexkey", "internal/docdb/wire"},
	"internal/docdb/embedded": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/journal", "internal/docdb/embedded/keys",
		"internal/docdb/embedded/record", "internal/docdb/embedded/scan", "internal/docdb/embedded/store", "internal/docdb/meter"},
	"internal/docdb/embedded/catalog": {"internal/docdb", "internal/docdb/embedded/keys",
		"internal/docdb/embedded/locks", "internal/docdb/embedded/store"},
	"internal/docdb/embedded/disk":    {"internal/docdb", "internal/docdb/embedded/journal"},
	"internal/docdb/embedded/journal": {},
	"internal/docdb/embedded/keys":    {"internal/docdb", "internal/docdb/filter", "internal/docdb/wire"},
	"internal/docdb/embedded/locks":   {},
	"internal/docdb/embedded/record": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/keys", "internal/docdb/embedded/locks",
		"internal/docdb/embedded/store", "internal/docdb/indexkey", "internal/docdb/meter"},
	"internal/docdb/embedded/scan": {"internal/docdb", "internal/docdb/embedded/catalog", "internal/docdb/embedded/keys", "internal/docdb/embedded/store",
		"internal/docdb/filter", "internal/docdb/indexkey", "internal/docdb/meter"},
	"internal/docdb/embedded/store": {"internal/docdb", "internal/docdb/embedded/disk",
		"internal/docdb/embedded/journal", "internal/docdb/embedded/keys"},
	"internal/docdb/mongodb":           {"internal/docdb", "internal/docdb/filter", "internal/docdb/meter", "internal/docdb/wire", "internal/fair"},
	"internal/docdb/mongodb/mongotest": {},
	"internal/auth":                    {"internal/org"},
	"internal/policy":                  {"internal/org"},
	"internal/policy/tables":           {"", "internal/policy"},
	"internal/tenant": {"internal/docdb", "internal/docdb/meter", "internal/org", "internal/tenant/access", "internal/tenant/cluster", "internal/tenant/data",
		"internal/tenant/document", "internal/tenant/fault", "internal/tenant/idempotency", "internal/tenant/master",
		"internal/tenant/move", "internal/tenant/operation", "internal/tenant/repair", "internal/tenant/retry"},
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
	"internal/tenant/master":   {"internal/docdb", "internal/docdb/wire", "internal/org", "internal/tenant/retry"},
	"internal/tenant/document": {"internal/docdb", "internal/docdb/fieldpath", "internal/docdb/meter", "internal/docdb/wire", "internal/org"},
	"internal/tenant/walk":     {"internal/docdb"},
	"internal/tenant/drain":    {},
	"internal/tenant/fault":    {"internal/docdb", "internal/org"},
	"internal/tenant/retry":    {"internal/docdb"},
	"internal/httpapi/network": {},
	"internal/webui":           {},
	"internal/extjson":         {"internal/docdb", "internal/docdb/wire"},
	"internal/httpapi":         {"", "gen/api", "internal/auth", "internal/extjson", "internal/fair", "internal/httpapi/network", "internal/org", "internal/policy", "internal/tenant"},
	"internal/app": {"", "internal/auth", "internal/docdb", "internal/docdb/embedded", "internal/docdb/mongodb",
		"internal/httpapi", "internal/org", "internal/tenant", "internal/webui", "internal/worker"},
	"internal/app/apptest":        {"internal/app"},
	"internal/contracttest":       {""},
	"internal/contracttest/gates": {},
	"sdk/go":                      {"sdk/go/client"},
	"sdk/go/client":               {"sdk/go/internal/runtime"},
	"sdk/go/internal/runtime":     {},
	"sdk/go/tests":                {},
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

package orgd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	contract "github.com/orgd/orgd"
)

func loadContract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryCodeOfTheContractIsAnError(t *testing.T) {
	var want []string
	for _, v := range loadContract(t).Components.Schemas["ErrorCode"].Value.Enum {
		want = append(want, v.(string))
	}
	got := codeConstants(t)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors.go (+) is not the contract's ErrorCode (-):\n%s", diff)
	}
}

// codeConstants returns the values of errors.go's constants of type Code, having
// checked their names.
func codeConstants(t *testing.T) (codes []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if name := "err" + strings.ReplaceAll(code, "_", ""); !strings.EqualFold(name, spec.Names[0].Name) {
			t.Errorf("%s is called %s", code, spec.Names[0].Name)
		}
		codes = append(codes, code)
		return true
	})
	return codes
}

// TestOperations: what the contract says of an operation's credentials
// and of Idempotency-Key is what the client believes.
func TestOperations(t *testing.T) {
	doc := loadContract(t)
	seen := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, "docs") { // not in the generated client
				continue
			}
			concrete := parameters(path)
			got := operationOf(method, concrete)
			if want := credentialOf(doc, op, path); got.credential != want {
				t.Errorf("%s %s takes credential %d, want %d", method, path, got.credential, want)
			}
			if want := hasKey(op) || hasKey(&openapi3.Operation{Parameters: item.Parameters}); got.keyed != want {
				t.Errorf("%s %s: keyed is %t, want %t", method, path, got.keyed, want)
			}
			seen[method+" "+concrete] = true
		}
	}
	for pattern := range operations {
		if !seen[pattern] {
			t.Errorf("operations has %s, which the contract has not", pattern)
		}
	}
}

// TestEveryOperationHasItsMethod: whatever the contract has is called somewhere in
// this package, so that nobody needs Client.API for it.
func TestEveryOperationHasItsMethod(t *testing.T) {
	called := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.api\.(\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			called[strings.ToLower(strings.TrimSuffix(m[1], "WithBody"))] = true
		}
	}
	for path, item := range loadContract(t).Paths.Map() {
		for method, op := range item.Operations() {
			if !slices.Contains(op.Tags, "docs") && !called[strings.ToLower(op.OperationID)] {
				t.Errorf("%s %s: nothing here calls %s", method, path, op.OperationID)
			}
		}
	}
}

// parameters puts a * for every path parameter.
func parameters(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}

func credentialOf(doc *openapi3.T, op *openapi3.Operation, path string) credential {
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	open := slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 })
	switch {
	case len(security) == 0:
		return ofNobody
	case open:
		return ofAnybody
	case strings.HasPrefix(path, "/operator/"):
		return ofOperator
	}
	return ofTenant
}

func hasKey(op *openapi3.Operation) bool {
	return op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
}

func TestPlanes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         operation
	}{
		{"GET", "/operator/orgs", operation{credential: ofOperator, safe: true, repeatable: true}},
		{"POST", "/operator/orgs/1/suspend", operation{credential: ofOperator}},
		{"POST", "/operatorx", operation{credential: ofTenant}},
		{"POST", "/operator/organizations/1/suspend", operation{credential: ofOperator, repeatable: true}},
		{"POST", "/org/documents", operation{credential: ofTenant, repeatable: true, keyed: true}},
		{"POST", "/org/documents/query", operation{credential: ofTenant, safe: true, repeatable: true}},
		{"POST", "/org/export", operation{credential: ofTenant, safe: true, repeatable: true}},
		{"POST", "/org/import", operation{credential: ofTenant}},
		{"POST", "/org/unknown", operation{credential: ofTenant}},
		{"PATCH", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"PATCH", "/org/documents/a%2Fb", operation{credential: ofTenant, repeatable: true}},
		{"PUT", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"DELETE", "/org/documents/1", operation{credential: ofTenant, repeatable: true}},
		{"POST", "/admin/login", operation{credential: ofNobody, safe: true, repeatable: true}},
	} {
		if got := operationOf(c.method, c.path); got != c.want {
			t.Errorf("%s %s is %+v, want %+v", c.method, c.path, got, c.want)
		}
	}
}

// TestDependenciesStayLight: who imports this package does not import the
// server.
func TestDependenciesStayLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	t.Logf("%d packages outside the standard library: %s", len(got), got)
	want := []string{
		"github.com/apapsch/go-jsonmerge/v2",
		"github.com/google/uuid",
		"github.com/oapi-codegen/runtime",
		"github.com/oapi-codegen/runtime/types",
		"github.com/orgd/orgd/gen/client",
		"github.com/orgd/orgd/sdk/go",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other packages than before; is it worth it?\n%s", diff)
	}
}

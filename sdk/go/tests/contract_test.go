package orgd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
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
	orgd "github.com/orgd/orgd/sdk/go"
	"github.com/orgd/orgd/sdk/go/client"
)

// sdk is where the package's files are.
const sdk = ".."

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
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(sdk, "errors.go"), nil, 0)
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
// and of Idempotency-Key is what the client does.
func TestOperations(t *testing.T) {
	doc := loadContract(t)
	seen := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, "docs") { // not in the generated client
				continue
			}
			concrete := parameters(path)
			want := treatmentOf(doc, op, path)
			want.key = method == http.MethodPost && (hasKey(op) || hasKey(&openapi3.Operation{Parameters: item.Parameters}))
			if got := treat(t, method, concrete); got != want {
				t.Errorf("%s %s is treated as %+v, want %+v", method, path, got, want)
			}
			seen[method+" "+concrete] = true
		}
	}
	for _, pattern := range namedOperations(t) {
		if !seen[pattern] {
			t.Errorf("operations has %s, which the contract has not", pattern)
		}
	}
}

// A treatment is what the client does with a request.
type treatment struct {
	authorization string // what it sends when it has a token and an operator's key
	anonymous     bool   // it sends the request also when its login is refused
	key           bool   // it adds an Idempotency-Key
}

// treat sends requests past the generated client's methods, and looks at what is sent.
func treat(t *testing.T, method, path string) treatment {
	t.Helper()
	f := &fake{
		answer: func(int, *http.Request) (*http.Response, error) { return reply(200, "{}") },
		login: func(_ int, req *http.Request) (*http.Response, error) {
			if req.ContentLength > 0 { // of the client's own accord
				return refuse(401, orgd.ErrBadCredentials)
			}
			return reply(200, "{}")
		},
	}
	send := func(opts ...orgd.Option) error {
		c := f.client(t, opts...).API().ClientInterface.(*client.Client)
		req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(c.Server, "/")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := send(orgd.WithToken("token"), orgd.WithOperatorKey("key")); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	sent := f.requests[0].header
	_, key := sent[strings.ToLower("Idempotency-Key")] // as net/http does not know it
	return treatment{authorization: sent.Get("Authorization"), anonymous: send(orgd.WithLogin(email, password)) == nil, key: key}
}

// treatmentOf is what the contract's security asks for, without a key.
func treatmentOf(doc *openapi3.T, op *openapi3.Operation, path string) treatment {
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	open := slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 })
	switch {
	case len(security) == 0:
		return treatment{anonymous: true}
	case strings.HasPrefix(path, "/operator/"):
		return treatment{authorization: "Bearer key", anonymous: true}
	}
	return treatment{authorization: "Bearer token", anonymous: open}
}

// namedOperations returns the operations that the generated table names.
func namedOperations(t *testing.T) (patterns []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdk, "internal", "policy", "table_gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"([A-Z]+ /[^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		patterns = append(patterns, m[1])
	}
	if len(patterns) == 0 {
		t.Fatal("table_gen.go names no operation")
	}
	return patterns
}

// TestEveryOperationHasItsMethod: the package calls every operation of the contract, so
// that no program needs Client.API for it.
func TestEveryOperationHasItsMethod(t *testing.T) {
	called := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(sdk, "*.go"))
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

func hasKey(op *openapi3.Operation) bool {
	return op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
}

// TestDependenciesStayLight: a program that imports the package does not import the
// server.
func TestDependenciesStayLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "github.com/orgd/orgd/sdk/go").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	t.Logf("%d packages outside the standard library: %s", len(got), got)
	want := []string{
		"github.com/google/uuid",
		"github.com/orgd/orgd/sdk/go",
		"github.com/orgd/orgd/sdk/go/client",
		"github.com/orgd/orgd/sdk/go/internal/credential",
		"github.com/orgd/orgd/sdk/go/internal/extjson",
		"github.com/orgd/orgd/sdk/go/internal/ndjson",
		"github.com/orgd/orgd/sdk/go/internal/policy",
		"github.com/orgd/orgd/sdk/go/internal/problem",
		"github.com/orgd/orgd/sdk/go/internal/runtime",
		"github.com/orgd/orgd/sdk/go/internal/transport",
		"github.com/orgd/orgd/sdk/go/internal/upload",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other packages than before; is it worth it?\n%s", diff)
	}
}

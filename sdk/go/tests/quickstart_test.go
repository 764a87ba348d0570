package orgd_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app/apptest"
)

// TestQuickstart builds a first program, and what the README shows, as their reader
// would, in a module of its own, and runs it. It needs no network: its modules are those
// that this one needs, too.
func TestQuickstart(t *testing.T) {
	front, agent := noted(t, apptest.Start(t).URL)
	dir := quickstart(t, front)
	command(t, dir, "mod", "tidy")
	if want, got := "Acme Corporation is in org_acme_corporation\n", command(t, dir, "run", "."); got != want {
		t.Errorf("it prints %q, want %q", got, want)
	}
	if want, got := "orgd-go/v0.0.0", agent.Load(); got != want {
		t.Errorf("it says it is %v, want %s, of its go.mod", got, want)
	}
	want := []string{"example.com/quickstart", "github.com/google/uuid", "github.com/orgd/orgd/sdk/go"}
	if diff := cmp.Diff(want, strings.Fields(command(t, dir, "list", "-m", "-f", "{{.Path}}", "all"))); diff != "" {
		t.Errorf("a user of the SDK gets other modules than before; are they worth it?\n%s", diff)
	}
}

// noted is a proxy before a server, which keeps the last User-Agent.
func noted(t *testing.T, server string) (proxied string, agent *atomic.Value) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	agent = &atomic.Value{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		agent.Store(req.UserAgent())
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections) // the proxy's to the server
	return front.URL, agent
}

// quickstart writes the program's module, and returns where.
func quickstart(t *testing.T, server string) (dir string) {
	t.Helper()
	program, err := os.ReadFile("testdata/quickstart/main.go")
	if err != nil {
		t.Fatal(err)
	}
	replacement, err := filepath.Abs(sdk)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, content := range map[string]string{
		"main.go": strings.Replace(string(program), "http://127.0.0.1:8000", server, 1),
		"shown.go": "package main\n\nimport (\n\"context\"\n\"errors\"\n\"fmt\"\n\norgd \"github.com/orgd/orgd/sdk/go\"\n)\n\n" +
			"func shown(ctx context.Context, password string) error {\n" + shownInREADME(t) + "fmt.Println(o)\nreturn err\n}\n",
		"go.mod": "module example.com/quickstart\n\ngo 1.24\n\nrequire github.com/orgd/orgd/sdk/go v0.0.0\n\n" +
			"replace github.com/orgd/orgd/sdk/go => " + replacement + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// command runs the go command in a directory and returns what it prints.
func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off", "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// shownInREADME returns the README's lines of Go.
func shownInREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "\n```go\n")
	code, _, found := strings.Cut(code, "```\n")
	if !found {
		t.Fatal("the README shows no Go")
	}
	return code
}

package orgd_test

import (
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/orgd/orgd/internal/app/apptest"
)

// TestExamples runs the examples, which are in the SDK's own module to be in its
// documentation, against an orgd, and with the race detector if this test has it.
func TestExamples(t *testing.T) {
	s := apptest.Start(t, "OPERATOR_KEY="+operatorKey)
	args := []string{"test", "-count=1", "-v"}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = sdk
	cmd.Env = append(os.Environ(), "ORGD_TEST_URL="+s.URL, "ORGD_TEST_OPERATOR_KEY="+operatorKey)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: Example") {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

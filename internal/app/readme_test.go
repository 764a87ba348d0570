package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/internal/app"
)

// TestTheReadmeListsTheVariables: the table between the two markers is made by
// app.MarkdownVariables. To bring it up to date, paste what this test wants.
func TestTheReadmeListsTheVariables(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- variables -->", "<!-- /variables -->"
	_, rest, found := strings.Cut(string(readme), begin)
	table, _, closed := strings.Cut(rest, end)
	if !found || !closed || strings.Count(string(readme), begin) != 1 {
		t.Fatalf("README.md has not one table between %s and %s", begin, end)
	}
	var want bytes.Buffer
	app.MarkdownVariables(&want)
	if diff := cmp.Diff(strings.TrimSpace(want.String()), strings.TrimSpace(table)); diff != "" {
		t.Errorf("README.md (-want +got):\n%s\nwant:\n%s", diff, want.String())
	}
}

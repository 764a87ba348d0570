package suite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orgd/orgd/bench/machine"
)

// A Row is one line of the table. A cell that does not apply is empty.
type Row struct {
	What            string
	Orgd, Yardstick string // with units
	Ratio           string
	Target          string
	Reached         Verdict
}

// A Verdict says whether a target is reached; "" where there is no target.
type Verdict string

const (
	yes Verdict = "yes"
	no  Verdict = "**no**"
)

// Reached is the verdict on a target.
func Reached(ok bool) Verdict {
	if ok {
		return yes
	}
	return no
}

// Add adds a line to the table.
func (s *Suite) Add(r Row) {
	s.Rows = append(s.Rows, r)
	s.Progress("  %s: %s, yardstick %s, ratio %s %s", r.What, r.Orgd, dash(r.Yardstick), dash(r.Ratio), r.Reached)
}

// Note adds a remark below the table, once.
func (s *Suite) Note(text string) {
	if !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

func dash(cell string) string {
	if cell == "" {
		return "–"
	}
	return cell
}

// Report is the whole run in Markdown.
func (s *Suite) Report(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark results\n\nWritten by `make bench` (see [main.go](main.go)); not by hand.\n\n")
	b.WriteString(s.Table(now))
	fmt.Fprintf(&b, "\n## How it was measured\n\n")
	fmt.Fprintf(&b, "- orgd and a yardstick are measured in turns, %d rounds after one that is thrown away. Figures are medians over the "+
		"rounds; a ratio is the median of the rounds' ratios, so that it need not be the quotient of the two cells before it.\n", s.Rounds)
	fmt.Fprintf(&b, "- orgd and the bare Echo are processes of their own. The load comes from the bench process over keep-alive connections "+
		"on 127.0.0.1, on the same processors; its client does next to nothing (see client/client.go), so that it hides little of the servers' cost. "+
		"orgd writes its access log, to a file.\n")
	b.WriteString(s.Notes())
	return b.String()
}

// Table is the table in Markdown, and what was measured, where and when.
func (s *Suite) Table(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, orgd %s, %s.\n\n", now.UTC().Format("2006-01-02 15:04 UTC"), s.commit, machine.Describe(s.Dir))
	if s.Quick {
		fmt.Fprintf(&b, "**A quick run: it shows that everything runs, the figures mean little.**\n\n")
	}
	fmt.Fprintf(&b, "| what | orgd | yardstick | ratio | target | reached |\n|---|---|---|---|---|---|\n")
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			r.What, dash(r.Orgd), dash(r.Yardstick), dash(r.Ratio), dash(r.Target), dash(string(r.Reached)))
	}
	return b.String()
}

// Notes are the remarks in Markdown.
func (s *Suite) Notes() string {
	var b strings.Builder
	for _, n := range s.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A row is one line of the table. Empty cells do not apply.
type row struct {
	what            string
	orgd, yardstick string // with units
	ratio           string
	target          string
	reached         verdict
}

type verdict string

const (
	reached verdict = "yes"
	missed  verdict = "**no**"
)

func verdictOf(ok bool) verdict {
	if ok {
		return reached
	}
	return missed
}

func (s *suite) add(r row) {
	s.rows = append(s.rows, r)
	s.progress("  %s: %s, yardstick %s, ratio %s %s", r.what, r.orgd, dash(r.yardstick), dash(r.ratio), r.reached)
}

// note adds a remark below the table, once.
func (s *suite) note(text string) {
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

// report is the whole run in Markdown.
func (s *suite) report(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark results\n\nWritten by `make bench` (see [main.go](main.go)); not by hand.\n\n")
	fmt.Fprintf(&b, "%s, orgd %s, %s.\n\n", now.UTC().Format("2006-01-02 15:04 UTC"), s.commit, machine(s.dir))
	if s.quick {
		fmt.Fprintf(&b, "**A quick run: it shows that everything runs, the figures mean little.**\n\n")
	}
	fmt.Fprintf(&b, "| what | orgd | yardstick | ratio | target | reached |\n|---|---|---|---|---|---|\n")
	for _, r := range s.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n",
			r.what, dash(r.orgd), dash(r.yardstick), dash(r.ratio), dash(r.target), dash(string(r.reached)))
	}
	fmt.Fprintf(&b, "\n## How it was measured\n\n")
	fmt.Fprintf(&b, "- orgd and a yardstick are measured in turns, %d rounds after one that is thrown away. Figures are medians over the "+
		"rounds; a ratio is the median of the rounds' ratios, so that it need not be the quotient of the two cells before it.\n", s.rounds)
	fmt.Fprintf(&b, "- orgd and the bare Echo are processes of their own. The load comes from the bench process over keep-alive connections "+
		"on 127.0.0.1, on the same processors; its client does next to nothing (see client.go), so that it hides little of the servers' cost. "+
		"orgd writes its access log, to a file.\n")
	for _, n := range s.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// median of what is not empty.
func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// quantile of sorted values, by the nearest rank: at least the share q of them is
// not above it.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

func percent(ratio float64) string { return fmt.Sprintf("%.0f %%", 100*ratio) }

// short is a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// thousands is a number with its thousands apart, or with one decimal if it is small.
func thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

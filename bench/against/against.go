// Package against compares orgd with another build of it, such as the build before a
// change.
package against

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/orgd/orgd/bench/documents"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/suite"
)

// honestTarget is the share of the other build's speed that has to be left: what
// protects honest clients from hostile ones may not cost more.
const honestTarget = 0.97

// Command is `bench against`. It returns the exit code.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("against", flag.ContinueOnError)
	flags.SetOutput(stderr)
	other := flags.String("orgd", "", "the program of the other build")
	rounds := flags.Int("rounds", 7, "how often each is measured, in turns")
	chosen := flags.String("kinds", "", "compare only the operations whose names contain one of these, separated by commas, such as import,export (default: all)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *other == "" {
		fmt.Fprintln(stderr, "bench: against: -orgd is missing: the program of another build")
		return 2
	}
	c := &comparison{kinds: strings.Split(*chosen, ",")}
	return suite.ExitCode(stderr, c.run(ctx, *other, *rounds, stdout, stderr))
}

// A comparison is that of orgd with another build of it.
type comparison struct {
	*suite.Suite
	kinds []string // an operation is compared if its name contains one of these
}

func (c *comparison) run(ctx context.Context, other string, rounds int, stdout, stderr io.Writer) (err error) {
	if c.Suite, err = suite.New(ctx, false, stderr); err != nil {
		return err
	}
	defer c.Close()
	c.Rounds = rounds
	ours, err := organization.Start(ctx, c.Suite, "ours")
	if err != nil {
		return err
	}
	defer ours.Orgd.Stop()
	if c.Orgd, err = filepath.Abs(other); err != nil {
		return err
	}
	theirs, err := organization.Start(ctx, c.Suite, "theirs")
	if err != nil {
		return err
	}
	defer theirs.Orgd.Stop()
	if err := errors.Join(ours.FillDocuments(ctx, documents.Initial), theirs.FillDocuments(ctx, documents.Initial)); err != nil {
		return err
	}
	if err := c.requests(ctx, ours, theirs); err != nil {
		return err
	}
	if ours, err = organization.EnrollAs(ours.Orgd, 1); err != nil { // without a unique index on what is not there
		return err
	}
	if theirs, err = organization.EnrollAs(theirs.Orgd, 1); err != nil {
		return err
	}
	if err := c.transfers(ctx, ours, theirs); err != nil {
		return err
	}
	if len(c.Rows) == 0 {
		return fmt.Errorf("-kinds: no operation that is compared has one of %q in its name", c.kinds)
	}
	_, err = io.WriteString(stdout, c.Report(time.Now()))
	return err
}

// with compares the builds by one operation, if it is chosen.
func (c *comparison) with(what string, shown func(load.Sample) string, ours, theirs func() (load.Sample, error)) error {
	if !slices.ContainsFunc(c.kinds, func(kind string) bool { return strings.Contains(what, kind) }) {
		return nil
	}
	a, b, err := c.Alternate(ours, theirs)
	if err != nil {
		return err
	}
	ratio := figure.MedianRatio(a, b, load.Rate)
	text := fmt.Sprintf("%.1f %%", 100*ratio)
	if load.Median(b).CPU > 0 {
		text += fmt.Sprintf("; processor %.1f %%", 100*figure.MedianRatio(a, b, func(x load.Sample) time.Duration { return x.CPU }))
	}
	c.Add(suite.Row{What: what + "; yardstick: another build", Orgd: shown(load.Median(a)), Yardstick: shown(load.Median(b)),
		Ratio: text, Target: "≥ " + figure.Percent(honestTarget), Reached: suite.Reached(ratio >= honestTarget)})
	return nil
}

func (c *comparison) requests(ctx context.Context, ours, theirs organization.Session) error {
	mine, other := documents.NewLoads(ours.Token, documents.Initial), documents.NewLoads(theirs.Token, documents.Initial)
	for _, op := range documents.Operations {
		run := func(t organization.Session, l *documents.Loads) func() (load.Sample, error) {
			return func() (load.Sample, error) {
				return load.Load{Clients: documents.Clients, Lasts: c.Window, Do: op.Do(l)}.Run(ctx, t.Orgd)
			}
		}
		if err := c.with(op.Name, load.Sample.String, run(ours, mine), run(theirs, other)); err != nil {
			return err
		}
	}
	return nil
}

// transfers imports new documents each round, and exports all that are there.
func (c *comparison) transfers(ctx context.Context, ours, theirs organization.Session) error {
	importing := func(t organization.Session) func() (load.Sample, error) {
		next := 0
		return func() (load.Sample, error) {
			from := next
			next += documents.Imported
			return t.Transfer(func() (int, error) {
				_, err := t.ImportLines(ctx, documents.Imported, &organization.Lines{Next: from, End: next,
					Line: func(dst []byte, n int) []byte { return fixture.AppendSmall(dst, n, documents.Imported) }})
				return documents.Imported, err
			})
		}
	}
	mine, other := importing(ours), importing(theirs)
	for _, first := range []func() (load.Sample, error){mine, other} { // there has to be something to export
		if _, err := first(); err != nil {
			return err
		}
	}
	if err := c.with("`POST /org/import`", shownTransfer, mine, other); err != nil {
		return err
	}
	exporting := func(t organization.Session) func() (load.Sample, error) {
		return func() (load.Sample, error) {
			return t.Transfer(func() (count int, err error) {
				err = t.Stream(ctx, "GET", "/org/export", nil, func([]byte) { count++ })
				return count, err
			})
		}
	}
	return c.with("`GET /org/export`", shownTransfer, exporting(ours), exporting(theirs))
}

func shownTransfer(x load.Sample) string {
	text := figure.Thousands(x.PerSecond) + " documents/s"
	if x.CPU > 0 {
		text += fmt.Sprintf(", each %s of processor", figure.Short(x.CPU))
	}
	return text
}

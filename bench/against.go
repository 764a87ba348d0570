package main

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
)

// honestTarget is what honest clients may lose at the most to what protects them from others.
const honestTarget = 0.97

// againstCommand is the program's command of that name: it compares orgd with another build
// of it, such as one of before a change.
func againstCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("against", flag.ContinueOnError)
	flags.SetOutput(stderr)
	other := flags.String("orgd", "", "the program of the other build")
	rounds := flags.Int("rounds", 7, "how often each is measured, in turns")
	chosen := flags.String("kinds", "", "of what is compared, that whose names have one of these in them, separated by commas, such as import,export (default: all)")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *other == "" {
		fmt.Fprintln(stderr, "bench: against: -orgd is missing: the program of another build")
		return 2
	}
	c := &buildComparison{kinds: strings.Split(*chosen, ",")}
	return exitCode(stderr, c.run(ctx, *other, *rounds, stdout, stderr))
}

// A buildComparison is of orgd with another build of it.
type buildComparison struct {
	*suite
	kinds []string // a part of what is compared has one of them in its name
}

func (c *buildComparison) run(ctx context.Context, other string, rounds int, stdout, stderr io.Writer) (err error) {
	if c.suite, err = newSuite(ctx, false, stderr); err != nil {
		return err
	}
	defer c.close()
	c.rounds = rounds
	ours, err := c.startTenant(ctx, "ours")
	if err != nil {
		return err
	}
	defer ours.orgd.stop()
	if c.orgd, err = filepath.Abs(other); err != nil {
		return err
	}
	theirs, err := c.startTenant(ctx, "theirs")
	if err != nil {
		return err
	}
	defer theirs.orgd.stop()
	if err := errors.Join(ours.fillDocuments(ctx, documentsThere), theirs.fillDocuments(ctx, documentsThere)); err != nil {
		return err
	}
	if err := c.requests(ctx, ours, theirs); err != nil {
		return err
	}
	if ours, err = enrollAs(ours.orgd, 1); err != nil { // without a unique index on what is not there
		return err
	}
	if theirs, err = enrollAs(theirs.orgd, 1); err != nil {
		return err
	}
	if err := c.transfers(ctx, ours, theirs); err != nil {
		return err
	}
	if len(c.rows) == 0 {
		return fmt.Errorf("-kinds: no operation that is compared has one of %q in its name", c.kinds)
	}
	_, err = io.WriteString(stdout, c.report(time.Now()))
	return err
}

// with compares one thing, which is named by its operation, if it is chosen.
func (c *buildComparison) with(what string, shown func(sample) string, ours, theirs func() (sample, error)) error {
	if !slices.ContainsFunc(c.kinds, func(kind string) bool { return strings.Contains(what, kind) }) {
		return nil
	}
	a, b, err := c.alternate(ours, theirs)
	if err != nil {
		return err
	}
	ratio := medianRatio(a, b, rate)
	text := fmt.Sprintf("%.1f %%", 100*ratio)
	if medianSample(b).cpu > 0 {
		text += fmt.Sprintf("; processor %.1f %%", 100*medianRatio(a, b, func(x sample) time.Duration { return x.cpu }))
	}
	c.add(row{what: what + "; yardstick: another build", orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)),
		ratio: text, target: "≥ " + percent(honestTarget), reached: verdictOf(ratio >= honestTarget)})
	return nil
}

func (c *buildComparison) requests(ctx context.Context, ours, theirs tenantOf) error {
	mine, other := newDocumentLoads(ours.token, documentsThere), newDocumentLoads(theirs.token, documentsThere)
	for _, op := range documentOperations {
		run := func(t tenantOf, l *documentLoads) func() (sample, error) {
			return func() (sample, error) {
				return load{clients: documentClients, lasts: c.window, do: op.do(l)}.run(ctx, t.orgd)
			}
		}
		if err := c.with(op.name, shown, run(ours, mine), run(theirs, other)); err != nil {
			return err
		}
	}
	return nil
}

// transfers imports new documents each round, and exports all that are there.
func (c *buildComparison) transfers(ctx context.Context, ours, theirs tenantOf) error {
	importing := func(t tenantOf) func() (sample, error) {
		next := 0
		return func() (sample, error) {
			from := next
			next += importedDocuments
			return t.transfer(func() (int, error) {
				_, err := t.importLines(ctx, importedDocuments, &lineSource{next: from, end: next,
					line: func(dst []byte, n int) []byte { return appendSmall(dst, n, importedDocuments) }})
				return importedDocuments, err
			})
		}
	}
	mine, other := importing(ours), importing(theirs)
	for _, first := range []func() (sample, error){mine, other} { // there has to be something to export
		if _, err := first(); err != nil {
			return err
		}
	}
	if err := c.with("`POST /org/import`", shownTransfer, mine, other); err != nil {
		return err
	}
	exporting := func(t tenantOf) func() (sample, error) {
		return func() (sample, error) {
			return t.transfer(func() (count int, err error) {
				err = t.stream(ctx, "GET", "/org/export", nil, func([]byte) { count++ })
				return count, err
			})
		}
	}
	return c.with("`GET /org/export`", shownTransfer, exporting(ours), exporting(theirs))
}

// transfer measures one of many documents.
func (t tenantOf) transfer(do func() (documents int, err error)) (sample, error) {
	cpu, began := cpuTime(t.orgd.pid()), time.Now()
	n, err := do()
	took := time.Since(began)
	return sample{requests: n, perSecond: float64(n) / took.Seconds(),
		cpu: (cpuTime(t.orgd.pid()) - cpu) / time.Duration(max(n, 1))}, err
}

func shownTransfer(x sample) string {
	text := thousands(x.perSecond) + " documents/s"
	if x.cpu > 0 {
		text += fmt.Sprintf(", each %s of processor", short(x.cpu))
	}
	return text
}

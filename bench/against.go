package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
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
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *other == "" {
		fmt.Fprintln(stderr, "bench: against: -orgd is missing: the program of another build")
		return 2
	}
	return exitCode(stderr, against(ctx, *other, *rounds, stdout, stderr))
}

func against(ctx context.Context, other string, rounds int, stdout, stderr io.Writer) error {
	s, err := newSuite(ctx, false, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	s.rounds = rounds
	ours, err := s.startTenant(ctx, "ours")
	if err != nil {
		return err
	}
	defer ours.orgd.stop()
	if s.orgd, err = filepath.Abs(other); err != nil {
		return err
	}
	theirs, err := s.startTenant(ctx, "theirs")
	if err != nil {
		return err
	}
	defer theirs.orgd.stop()
	if err := errors.Join(ours.fillDocuments(ctx, documentsThere), theirs.fillDocuments(ctx, documentsThere)); err != nil {
		return err
	}
	if err := s.compareRequests(ctx, ours, theirs); err != nil {
		return err
	}
	if ours, err = enrollAs(ours.orgd, 1); err != nil { // without a unique index on what is not there
		return err
	}
	if theirs, err = enrollAs(theirs.orgd, 1); err != nil {
		return err
	}
	if err := s.compareTransfers(ctx, ours, theirs); err != nil {
		return err
	}
	_, err = io.WriteString(stdout, s.report(time.Now()))
	return err
}

func (s *suite) compareWith(what string, ours, theirs func() (sample, error)) error {
	a, b, err := s.alternate(ours, theirs)
	if err != nil {
		return err
	}
	ratio := medianRatio(a, b, rate)
	s.add(row{what: what + "; yardstick: another build", orgd: shown(medianSample(a)), yardstick: shown(medianSample(b)),
		ratio: fmt.Sprintf("%.1f %%", 100*ratio), target: "≥ " + percent(honestTarget), reached: verdictOf(ratio >= honestTarget)})
	return nil
}

func (s *suite) compareRequests(ctx context.Context, ours, theirs tenantOf) error {
	mine, other := newDocumentLoads(ours.token, documentsThere), newDocumentLoads(theirs.token, documentsThere)
	for _, op := range documentOperations {
		run := func(t tenantOf, l *documentLoads) func() (sample, error) {
			return func() (sample, error) {
				return load{clients: documentClients, lasts: s.window, do: op.do(l)}.run(ctx, t.orgd)
			}
		}
		if err := s.compareWith(op.name, run(ours, mine), run(theirs, other)); err != nil {
			return err
		}
	}
	return nil
}

// compareTransfers imports new documents each round, and exports some of what is there.
func (s *suite) compareTransfers(ctx context.Context, ours, theirs tenantOf) error {
	took := func(count int, took time.Duration, err error) (sample, error) {
		return sample{requests: count, perSecond: float64(count) / took.Seconds()}, err
	}
	importing := func(t tenantOf) func() (sample, error) {
		next := 0
		return func() (sample, error) {
			from := next
			next += importedDocuments
			d, err := t.importLines(ctx, importedDocuments, &lineSource{next: from, end: next,
				line: func(dst []byte, n int) []byte { return appendSmall(dst, n, importedDocuments) }})
			return took(importedDocuments, d, err)
		}
	}
	if err := s.compareWith("`POST /org/import`", importing(ours), importing(theirs)); err != nil {
		return err
	}
	exporting := func(t tenantOf) func() (sample, error) {
		return func() (sample, error) {
			count := 0
			began := time.Now()
			err := t.stream(ctx, "GET", "/org/export", nil, func([]byte) { count++ })
			return took(count, time.Since(began), err)
		}
	}
	return s.compareWith("`GET /org/export`", exporting(ours), exporting(theirs))
}

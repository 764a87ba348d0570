// Package documents measures the documents of organizations over HTTP: gets, inserts,
// imports, exports and pages of lists, against bare engines behind a bare Echo.
package documents

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// What documents over HTTP have to reach.
const (
	documentTarget      = 0.50    // of a bare Echo on a bare Pebble
	documentMongoTarget = 0.80    // of a loop with the bare driver
	exportTarget        = 100_000 // documents a second
	importTarget        = 20_000
	pageTarget          = 3.0 // times the p99 at 10,000 documents
)

const (
	// Clients is how many clients send gets and inserts.
	Clients = 32
	// Initial is how many documents there are when gets and inserts begin: more
	// than the engine's cache holds.
	Initial        = 100_000
	initialOnMongo = 20_000
)

// Measure measures the documents of organizations over HTTP.
func Measure(ctx context.Context, s *suite.Suite) error {
	for _, do := range []func(context.Context, *suite.Suite) error{requests, imports, pages} {
		if err := do(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// requests measures gets and inserts on the embedded engine.
func requests(ctx context.Context, s *suite.Suite) error {
	there := Initial
	if s.Quick {
		there = 2_000
	}
	t, err := organization.Start(ctx, s, "documents")
	if err != nil {
		return err
	}
	defer t.Orgd.Stop()
	if err := t.FillDocuments(ctx, there); err != nil {
		return err
	}
	ours := NewLoads(t.Token, there)
	body, err := t.Orgd.Once(ours.gets[0], 200)
	if err != nil {
		return err
	}
	stored := len(fixture.Stored(0))
	bare, err := startBare(ctx, s, there, stored, body)
	if err != nil {
		return err
	}
	defer bare.Stop()
	theirs := NewLoads(t.Token, there)
	for _, op := range Operations {
		for _, ordinary := range []bool{false, true} {
			run := func(v *process.Server, l *Loads) func() (load.Sample, error) {
				return func() (load.Sample, error) {
					return load.Load{Clients: Clients, Lasts: s.Window, Ordinary: ordinary, Do: op.Do(l)}.Run(ctx, v)
				}
			}
			kind := "that cost next to nothing"
			if ordinary {
				kind = "of net/http"
			}
			what := fmt.Sprintf("%s of %d bytes, %d clients %s, embedded engine; yardstick: bare Echo on bare Pebble, same bytes",
				op.Name, stored, Clients, kind)
			if err := compare(s, what, run(t.Orgd, ours), run(bare, theirs)); err != nil {
				return err
			}
		}
	}
	s.Note(fmt.Sprintf("Documents: %s are there at the beginning, in an organization with one unique index. The bare Echo on bare Pebble, a process of its own "+
		"without cgo and collecting garbage as orgd does, has the engine's options; a GET reads a value of the same size, a POST reads the body "+
		"and commits two keys with a sync; both answer with the body that orgd answers with.", figure.Thousands(float64(there))))
	return nil
}

// startBare starts the yardstick, with so many values of the size of a stored document,
// which answers every request with body.
func startBare(ctx context.Context, s *suite.Suite, there, size int, body []byte) (*process.Server, error) {
	program, err := s.WithoutCgo(ctx)
	if err != nil {
		return nil, err
	}
	return s.StartHelperOf(ctx, program, "bare-documents", filepath.Join(s.Dir, "bare-documents"),
		strconv.Itoa(there), strconv.Itoa(size), string(body))
}

// compare measures a load on orgd and on the yardstick, and adds a row.
func compare(s *suite.Suite, what string, ours, theirs func() (load.Sample, error)) error {
	a, b, err := s.Alternate(ours, theirs)
	if err != nil {
		return err
	}
	ratio := figure.MedianRatio(a, b, load.Rate)
	s.Add(suite.Row{
		What: what, Orgd: load.Median(a).String(), Yardstick: load.Median(b).String(), Ratio: figure.Percent(ratio),
		Target: "≥ " + figure.Percent(documentTarget), Reached: suite.Reached(ratio >= documentTarget),
	})
	return nil
}

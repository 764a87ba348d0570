package documents

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/suite"
)

// The size of what is imported, exported and paged through.
const (
	// Imported is how many documents are imported in each round.
	Imported          = 100_000
	exportedDocuments = 1_000_000
	pagedDocuments    = 10_000 // the yardstick of exportedDocuments
	pageLimit         = 100
	pageClients       = 4
	pagePause         = 2 * time.Millisecond
)

// manyDocuments is an organization of so many small documents, on an orgd of its own.
type manyDocuments struct {
	organization.Session
	count int
}

// startMany starts an orgd with an organization of so many documents, with indexes on k
// and n. It returns how long the import took.
func startMany(ctx context.Context, s *suite.Suite, dir string, count int) (m manyDocuments, took time.Duration, err error) {
	m.count = count
	if m.Session, err = organization.Start(ctx, s, dir); err != nil {
		return manyDocuments{}, 0, err
	}
	if err = m.Index("k", false); err == nil {
		err = m.Index("n", false)
	}
	if err == nil {
		took, err = m.Load(ctx, count, func(dst []byte, n int) []byte { return fixture.AppendSmall(dst, n, count) })
	}
	if err != nil {
		_ = m.Orgd.Stop()
	}
	return m, took, err
}

// imports measures imports.
func imports(ctx context.Context, s *suite.Suite) error {
	imported := Imported
	if s.Quick {
		imported = 5_000
	}
	t, err := organization.Start(ctx, s, "imports")
	if err != nil {
		return err
	}
	defer t.Orgd.Stop()
	var speeds []float64
	for round := range s.Rounds + 1 {
		// Made before, since that takes the client as long as sending it.
		var lines []byte
		for n := range imported {
			lines = fixture.AppendSmall(lines, round*imported+n, imported)
		}
		took, err := t.ImportLines(ctx, imported, bytes.NewReader(lines))
		if err != nil {
			return err
		}
		if round > 0 {
			speeds = append(speeds, float64(imported)/took.Seconds())
		}
	}
	size := len(fixture.AppendSmall(nil, 0, imported)) - 1
	s.Add(suite.Row{
		What: fmt.Sprintf("`POST /org/import` of %s documents of %d bytes, embedded engine", figure.Thousands(float64(imported)), size),
		Orgd: figure.Thousands(figure.Median(speeds)) + " durable documents/s", Target: fmt.Sprintf("≥ %s /s", figure.Thousands(importTarget)),
		Reached: suite.Reached(figure.Median(speeds) >= importTarget),
	})
	s.Note("Imports and exports: one at a time, by a client of net/http; the time is from the request to the end of the answer, and all documents are counted. " +
		"The sizes are of the lines. The first round is thrown away.")
	return nil
}

// exports measures exports of all documents.
func exports(ctx context.Context, s *suite.Suite, m manyDocuments) error {
	var speeds []float64
	for round := range min(s.Rounds, 5) + 1 {
		took, err := m.ExportAll(ctx, m.count)
		if err != nil {
			return err
		}
		if round > 0 {
			speeds = append(speeds, float64(m.count)/took.Seconds())
		}
	}
	s.Add(suite.Row{
		What: fmt.Sprintf("`GET /org/export` of %s documents of %d bytes, embedded engine", figure.Thousands(float64(m.count)), len(fixture.AppendSmall(nil, 0, m.count))-1),
		Orgd: figure.Thousands(figure.Median(speeds)) + " documents/s", Target: fmt.Sprintf("≥ %s /s", figure.Thousands(exportTarget)),
		Reached: suite.Reached(figure.Median(speeds) >= exportTarget),
	})
	return nil
}

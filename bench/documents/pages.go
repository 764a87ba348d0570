package documents

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/suite"
)

// pages measures exports of many documents and pages of their lists, against pages of few.
func pages(ctx context.Context, s *suite.Suite) error {
	many, few := exportedDocuments, pagedDocuments
	if s.Quick {
		many, few = 20_000, 1_000
	}
	large, took, err := startMany(ctx, s, "many", many)
	if err != nil {
		return err
	}
	defer large.Orgd.Stop()
	s.Add(suite.Row{
		What: fmt.Sprintf("`POST /org/import` of %s such documents into two indexes, embedded engine", figure.Thousands(float64(many))),
		Orgd: fmt.Sprintf("%s durable documents/s", figure.Thousands(float64(many)/took.Seconds())),
	})
	if err := exports(ctx, s, large); err != nil {
		return err
	}
	small, _, err := startMany(ctx, s, "few", few)
	if err != nil {
		return err
	}
	defer small.Orgd.Stop()
	for _, q := range queries {
		if err := comparePages(ctx, s, q, large, small); err != nil {
			return err
		}
	}
	s.Note(fmt.Sprintf("Pages: in an orgd of its own for each number of documents, with indexes on k and n. %d documents have the same k, evenly spread over all; "+
		"those in order of n lie next to each other.", fixture.PerGroup))
	return nil
}

// A query is a way to ask for a page. Its target is that of request number n to an
// organization of count documents.
type query struct {
	what   string
	target func(n, count int) string
}

var queries = []query{
	{"`filter={\"k\":…}`, documents that lie apart", func(n, count int) string {
		return pageOf(fmt.Sprintf(`{"k":%d}`, n*7_919%fixture.Groups(count)), "")
	}},
	{"`filter={\"n\":{\"$gte\":…}}&sort=n`", func(n, count int) string {
		return pageOf(fmt.Sprintf(`{"n":{"$gte":%d}}`, fixture.NumbersFrom+n*7_919%(count-pageLimit)), "n")
	}},
}

// comparePages measures pages among many documents, and among few as the yardstick.
func comparePages(ctx context.Context, s *suite.Suite, q query, large, small manyDocuments) error {
	run := func(m manyDocuments) func() (load.Sample, error) {
		return func() (load.Sample, error) {
			return load.Load{Clients: pageClients, Pause: pagePause, Lasts: 2 * s.Window, Do: func(c client.Client, n int) error {
				body, err := c.Do(client.NewRequestAs(m.Token, "GET", q.target(n, m.count), nil), 200)
				if err == nil && bytes.Count(body, []byte(`"_id"`)) != pageLimit {
					err = fmt.Errorf("not a page of %d documents: %s", pageLimit, body)
				}
				return err
			}}.Run(ctx, m.Orgd)
		}
	}
	a, b, err := s.Alternate(run(large), run(small))
	if err != nil {
		return err
	}
	ratio := figure.MedianRatio(a, b, func(x load.Sample) time.Duration { return x.P99 })
	s.Add(suite.Row{
		What: fmt.Sprintf("`GET /org/documents`, a page of %d by %s, of %s documents, %d clients who pause for %v, embedded engine; yardstick: of %s",
			pageLimit, q.what, figure.Thousands(float64(large.count)), pageClients, pagePause, figure.Thousands(float64(small.count))),
		Orgd: load.Median(a).String(), Yardstick: load.Median(b).String(),
		Ratio: fmt.Sprintf("%.1f × p99", ratio), Target: fmt.Sprintf("≤ %.0f ×", pageTarget), Reached: suite.Reached(ratio <= pageTarget),
	})
	return nil
}

// pageOf is the target of a request for a page.
func pageOf(filter, sort string) string {
	q := url.Values{"filter": {filter}, "limit": {fmt.Sprint(pageLimit)}}
	if sort != "" {
		q.Set("sort", sort)
	}
	return "/org/documents?" + q.Encode()
}

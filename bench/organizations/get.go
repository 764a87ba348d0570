// Package organizations measures what does not touch documents: lookups, logins and
// creates of organizations, and what many organizations cost.
package organizations

import (
	"context"
	"fmt"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/figure"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// getClients is how many connections GET /org/get is measured with: enough to
// keep all processors busy.
const getClients = 16

// Gets measures what lies between an Echo handler and its answer.
func Gets(ctx context.Context, s *suite.Suite) error {
	orgd, err := s.StartOrgd(ctx, "get", "BCRYPT_COST=4")
	if err != nil {
		return err
	}
	defer orgd.Stop()
	return getsOn(ctx, s, orgd, "embedded engine", 0.60)
}

// getsOn measures GET /org/get on an orgd; target 0 is none.
func getsOn(ctx context.Context, s *suite.Suite, orgd *process.Server, engine string, target float64) error {
	if err := organization.CreateAll(ctx, orgd, 0, 1); err != nil {
		return err
	}
	body, err := orgd.Once(organization.LookupRequest(0), 200)
	if err != nil {
		return err
	}
	bare, err := s.StartHelper(ctx, "bare-echo", string(body))
	if err != nil {
		return err
	}
	defer bare.Stop()
	for _, ordinary := range []bool{true, false} {
		r, ratio, err := compareGets(ctx, s, orgd, bare, ordinary)
		if err != nil {
			return err
		}
		kind := "that cost next to nothing"
		if ordinary {
			kind = "of net/http"
		}
		r.What = fmt.Sprintf("`GET /org/get`, %d clients %s, %s; yardstick: bare Echo, same bytes", getClients, kind, engine)
		if target > 0 && ordinary {
			r.Target, r.Reached = "≥ "+figure.Percent(target), suite.Reached(ratio >= target)
		}
		s.Add(r)
	}
	s.Note("`GET /org/get` is measured with two kinds of clients on the same processors as the servers. Those of net/http are what a program in Go " +
		"has, and take half of the processors for themselves; the others show the servers' own cost. The target is for the first.")
	return nil
}

func compareGets(ctx context.Context, s *suite.Suite, orgd, bare *process.Server, ordinary bool) (r suite.Row, ratio float64, err error) {
	gets := load.Load{Clients: getClients, Lasts: s.Window, Ordinary: ordinary, Do: func(c client.Client, _ int) error {
		_, err := c.Do(organization.LookupRequest(0), 200)
		return err
	}}
	ours, theirs, err := s.Alternate(
		func() (load.Sample, error) { return gets.Run(ctx, orgd) },
		func() (load.Sample, error) { return gets.Run(ctx, bare) },
	)
	if err != nil {
		return suite.Row{}, 0, err
	}
	ratio = figure.MedianRatio(ours, theirs, load.Rate)
	return suite.Row{Orgd: load.Median(ours).String(), Yardstick: load.Median(theirs).String(), Ratio: figure.Percent(ratio)}, ratio, nil
}
